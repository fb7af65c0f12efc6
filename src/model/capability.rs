//! What a plugin may ask to be allowed to do.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{IdError, TargetKind, TargetName, Text};

/// One thing a plugin asks for or the user allows, by target name; written `http:web`, `listen`, `env:HOME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Talk HTTP to an http target.
    Http(TargetName),
    /// Open TCP streams to a tcp or http target.
    Tcp(TargetName),
    /// Exchange datagrams with a udp target.
    Udp(TargetName),
    /// Listen on an ephemeral loopback port.
    Listen,
    /// Read files below a directory target.
    Read(TargetName),
    /// Work in a private copy of a directory target.
    Scratch(TargetName),
    /// Read one environment variable.
    Env(String),
    /// Start a command target, or the program behind a server once more; signal it and read its process facts.
    Process(TargetName),
}

impl Capability {
    /// The target it touches, where it touches one.
    #[must_use]
    pub fn target(&self) -> Option<&TargetName> {
        match self {
            Self::Http(name)
            | Self::Tcp(name)
            | Self::Udp(name)
            | Self::Read(name)
            | Self::Scratch(name)
            | Self::Process(name) => Some(name),
            Self::Listen | Self::Env(_) => None,
        }
    }

    /// The kinds of target it works on; empty where it touches none. A process can be the one behind an address.
    #[must_use]
    pub fn kinds(&self) -> &'static [TargetKind] {
        match self {
            Self::Http(_) => &[TargetKind::Http],
            Self::Tcp(_) => &[TargetKind::Tcp, TargetKind::Http],
            Self::Udp(_) => &[TargetKind::Udp],
            Self::Read(_) | Self::Scratch(_) => &[TargetKind::Dir],
            Self::Process(_) => &[TargetKind::Command, TargetKind::Http, TargetKind::Tcp, TargetKind::Udp],
            Self::Listen | Self::Env(_) => &[],
        }
    }

    /// The same capability on another target; unchanged where it touches none.
    #[must_use]
    pub fn on(&self, target: &TargetName) -> Self {
        match self {
            Self::Http(_) => Self::Http(target.clone()),
            Self::Tcp(_) => Self::Tcp(target.clone()),
            Self::Udp(_) => Self::Udp(target.clone()),
            Self::Read(_) => Self::Read(target.clone()),
            Self::Scratch(_) => Self::Scratch(target.clone()),
            Self::Process(_) => Self::Process(target.clone()),
            Self::Listen => Self::Listen,
            Self::Env(name) => Self::Env(name.clone()),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(name) => write!(formatter, "http:{name}"),
            Self::Tcp(name) => write!(formatter, "tcp:{name}"),
            Self::Udp(name) => write!(formatter, "udp:{name}"),
            Self::Listen => formatter.write_str("listen"),
            Self::Read(name) => write!(formatter, "read:{name}"),
            Self::Scratch(name) => write!(formatter, "scratch:{name}"),
            Self::Env(name) => write!(formatter, "env:{name}"),
            Self::Process(name) => write!(formatter, "process:{name}"),
        }
    }
}

/// Why a text is not a capability.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseCapabilityError {
    /// No such kind.
    #[error(
        "a capability is \"http:TARGET\", \"tcp:TARGET\", \"udp:TARGET\", \"read:TARGET\", \"scratch:TARGET\", \
         \"process:TARGET\", \"env:NAME\" or \"listen\""
    )]
    Kind,
    /// The kind is known, the target's name is not one.
    #[error(transparent)]
    Target(#[from] IdError),
}

impl FromStr for Capability {
    type Err = ParseCapabilityError;

    fn from_str(text: &str) -> Result<Self, ParseCapabilityError> {
        if text == "listen" {
            return Ok(Self::Listen);
        }
        let (kind, name) = text.split_once(':').ok_or(ParseCapabilityError::Kind)?;
        Ok(match kind {
            "http" => Self::Http(name.parse()?),
            "tcp" => Self::Tcp(name.parse()?),
            "udp" => Self::Udp(name.parse()?),
            "read" => Self::Read(name.parse()?),
            "scratch" => Self::Scratch(name.parse()?),
            "process" => Self::Process(name.parse()?),
            "env" if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
                Self::Env(name.to_owned())
            }
            _ => return Err(ParseCapabilityError::Kind),
        })
    }
}

/// A capability with the reason the plugin gives for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityRequest {
    /// What is asked for, by the plugin's own target name.
    pub capability: Capability,
    /// Shown to the user as it is.
    pub reason: Text,
    /// When false the check still runs (perhaps to skip) if refused.
    pub required: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_parse_what_they_print() {
        for text in [
            "http:web",
            "tcp:db",
            "udp:dns",
            "listen",
            "read:src",
            "scratch:src",
            "env:HOME",
            "process:worker",
        ] {
            assert_eq!(text.parse::<Capability>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn capabilities_refuse_wildcards_and_unknown_kinds() {
        for text in ["http", "http:", "http:*", "env:", "env:A=B", "files:src", "listen:80", ""] {
            assert!(text.parse::<Capability>().is_err(), "{text}");
        }
    }
}
