//! Why a plugin could not be fetched.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::model::Digest;

/// A plugin that could not be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address is none that can be asked.
    #[error("{url} is not an address that can be fetched: {why}")]
    Address {
        /// As typed, or as a server gave it.
        url: String,
        /// Why.
        why: String,
    },
    /// A name that nothing is known of.
    #[error("there is no host {host}")]
    NoHost {
        /// Its name.
        host: String,
    },
    /// A host that must not be connected to.
    #[error("{host} is not connected to: it is {why}")]
    Refused {
        /// Its name.
        host: String,
        /// Why not, with the address.
        why: String,
    },
    /// Plain HTTP to another machine, without a digest.
    #[error("{url} is fetched without encryption: anybody on the way could put another plugin in its place")]
    PlainHttp {
        /// Where.
        url: String,
    },
    /// A tag without a digest.
    #[error("a tag can be moved to another plugin: pin what it stands for")]
    Unpinned {
        /// What the tag stands for now.
        now: Digest,
    },
    /// No connection.
    #[error("can not connect to {host}")]
    Connect {
        /// Its name and port.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The system trusts nobody.
    #[error("this system has no list of trusted certificates")]
    NoTrust,
    /// The conversation went wrong.
    #[error("{host} did not answer as it should: {why}")]
    Talk {
        /// Its name and port.
        host: String,
        /// Why.
        why: String,
    },
    /// Another answer than the file.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The status code.
        status: u16,
    },
    /// Too many redirects, or one to where it must not lead.
    #[error("{from} leads to {to}, which is not followed: {why}")]
    Redirect {
        /// Who redirects.
        from: String,
        /// Where to.
        to: String,
        /// Why not.
        why: String,
    },
    /// Larger than a plugin may be.
    #[error("{url} has more than {} MiB, which no plugin may have", .limit >> 20)]
    TooLarge {
        /// What was asked for.
        url: String,
        /// In bytes.
        limit: usize,
    },
    /// Not in time.
    #[error("it took more than {} seconds", .limit.as_secs_f64())]
    TimedOut {
        /// How long it may take.
        limit: Duration,
    },
    /// Other bytes than the user asked for.
    #[error("{what} has the digest {found}, not {wanted}")]
    Digest {
        /// With its article: "the file", "the manifest".
        what: &'static str,
        /// What was asked for.
        wanted: Digest,
        /// What was there.
        found: Digest,
    },
    /// A registry that wants to know who asks.
    #[error("{registry} asks for a login, and plugins are fetched without one")]
    Login {
        /// Its name.
        registry: String,
    },
    /// A manifest that is none, or not of a plugin.
    #[error("{name} is not a plugin: {why}")]
    Manifest {
        /// What was asked for.
        name: String,
        /// Why.
        why: String,
    },
}
