//! What checks are pointed at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The kinds of thing a workspace can bind a target name to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// A service that speaks HTTP.
    Http,
    /// A server of byte streams.
    Tcp,
    /// A server of datagrams.
    Udp,
    /// A directory.
    Dir,
    /// A program to start.
    Command,
}

impl TargetKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Http, Self::Tcp, Self::Udp, Self::Dir, Self::Command];

    /// The word in `kind = "…"`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Dir => "dir",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// A host and a port, as the user wrote them: nothing is resolved yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// Never zero.
    pub port: u16,
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Where a bound target is right now: every placeholder is filled in and the program behind it, if mustdo starts it,
/// is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A service that speaks HTTP/1.1 in clear text.
    Http {
        /// Where it listens.
        authority: Authority,
        /// What every request path is put behind: empty, or begins with "/" and does not end with it.
        prefix: String,
    },
    /// A server of byte streams.
    Tcp(Authority),
    /// A server of datagrams.
    Udp(Authority),
    /// A directory, absolute and without links.
    Dir(PathBuf),
    /// A program to start.
    Command {
        /// Absolute path.
        program: PathBuf,
        /// What it is told, and what a plugin may add: see [`Arguments`](super::Arguments).
        args: Vec<String>,
        /// Its environment, beside what every program gets: a [`Pattern`](super::Pattern) with a star is for a plugin to
        /// fill in.
        env: BTreeMap<String, String>,
        /// Where it runs, absolute; none for an empty folder.
        cwd: Option<PathBuf>,
    },
}

impl Endpoint {
    /// What kind it is.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Http { .. } => TargetKind::Http,
            Self::Tcp(_) => TargetKind::Tcp,
            Self::Udp(_) => TargetKind::Udp,
            Self::Dir(_) => TargetKind::Dir,
            Self::Command { .. } => TargetKind::Command,
        }
    }

    /// Whether both are one thing, so that what loads or kills the one disturbs the other: also a server seen once as http
    /// and once as a server of byte streams, whatever the prefix.
    #[must_use]
    pub fn is_same_thing(&self, other: &Self) -> bool {
        match (self.stream(), other.stream()) {
            (Some(one), Some(two)) => one == two,
            _ => self == other,
        }
    }

    /// Where it listens; none for what is no server.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        match self {
            Self::Http { authority, .. } | Self::Tcp(authority) | Self::Udp(authority) => Some(authority),
            Self::Dir(_) | Self::Command { .. } => None,
        }
    }

    fn stream(&self) -> Option<&Authority> {
        match self {
            Self::Http { authority, .. } | Self::Tcp(authority) => Some(authority),
            Self::Udp(_) | Self::Dir(_) | Self::Command { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_one_thing_by_every_name() {
        let authority = |port| Authority { host: "127.0.0.1".to_owned(), port };
        let http =
            |port, prefix: &str| Endpoint::Http { authority: authority(port), prefix: prefix.to_owned() };
        assert!(http(80, "").is_same_thing(&http(80, "/v1")));
        assert!(http(80, "").is_same_thing(&Endpoint::Tcp(authority(80))));
        assert!(!http(80, "").is_same_thing(&http(81, "")));
        assert!(!Endpoint::Udp(authority(80)).is_same_thing(&Endpoint::Tcp(authority(80))));
        assert!(Endpoint::Dir("/a".into()).is_same_thing(&Endpoint::Dir("/a".into())));
    }
}
