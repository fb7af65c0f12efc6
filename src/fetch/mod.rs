//! Fetching plugins from addresses and registries, and checklists from git repositories.
//!
//! The only layer that speaks to hosts on the internet, and only when the user adds or updates something. Start at
//! [`fetch`] for a plugin and at [`Git`] for checklists. Everything is bounded ([`Limits`]): bytes, time, redirects. What the user typed decides where a connection
//! may lead; a redirect may lead to a public address or stay where it is, never from the internet into this machine or
//! its network (`rule`). Digests are computed here from the bytes, whatever a server says of them. Nothing is kept: files
//! are `store`'s affair, and whether the bytes are a plugin is `plugin`'s.

mod challenge;
mod client;
mod error;
mod git;
mod manifest;
mod registry;
mod rule;
mod trust;

use std::time::Duration;

use crate::model::{Digest, Remote};

pub use error::FetchError;
pub use git::{Git, GitError};

use client::Client;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use registry::read as read_registry;

/// How much one fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of the plugin.
    pub bytes: usize,
    /// For everything together; a server that drips bytes ends here.
    pub total: Duration,
}

impl Limits {
    /// For a plugin of at most `bytes`. Two minutes carry 32 MiB over a line of 2.5 Mbit/s.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self { bytes, total: Duration::from_mins(2) }
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// All of it.
    pub bytes: Vec<u8>,
    /// What the server calls it.
    pub media_type: Option<String>,
    /// The digest that pins it where it came from: of the manifest in a registry, of the bytes elsewhere.
    pub pin: Digest,
}

/// Fetches a plugin. With a `digest` it is what must be there: of the bytes, and in a registry of the manifest. Without
/// one, an address must be `https`, or lead to this machine, and a registry must be on this machine.
pub async fn fetch(remote: &Remote, digest: Option<&Digest>, limits: Limits) -> Result<Fetched, FetchError> {
    within(limits, async {
        let mut client = Client::new(limits, digest.is_some());
        let fetched = match remote {
            Remote::Url(url) => client.download(url).await?,
            Remote::Artifact(artifact) => return registry::pull(&mut client, artifact, digest).await,
        };
        match digest {
            Some(&wanted) if wanted != fetched.pin => {
                Err(FetchError::Digest { what: "the file", wanted, found: fetched.pin })
            }
            _ => Ok(fetched),
        }
    })
    .await
}

/// What stands at a place today: its digest, which pins it. Downloads an address, and only the manifest from a registry.
/// `pinned` says that the user has a digest of it already.
pub async fn look(remote: &Remote, pinned: bool, limits: Limits) -> Result<Digest, FetchError> {
    within(limits, async {
        let mut client = Client::new(limits, pinned);
        match remote {
            Remote::Url(url) => Ok(client.download(url).await?.pin),
            Remote::Artifact(artifact) => registry::look(&mut client, artifact).await,
        }
    })
    .await
}

async fn within<T>(
    limits: Limits,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    tokio::time::timeout(limits.total, work)
        .await
        .unwrap_or(Err(FetchError::TimedOut { limit: limits.total }))
}
