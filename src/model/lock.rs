//! What `mustdo.lock` holds: which bytes a workspace took from outside, and from where.

use std::collections::BTreeMap;

use semver::Version;

use super::{Digest, PluginId, PluginSource};

/// What a workspace took from outside. What ships inside mustdo is not in it: its bytes come with the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The plugins, by id.
    pub plugins: BTreeMap<PluginId, LockedPlugin>,
}

/// One plugin, as it was when it was added or updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedPlugin {
    /// The version that it calls itself.
    pub version: Version,
    /// Where it came from, and where an update is looked for.
    pub source: PluginSource,
    /// Of the component.
    pub digest: Digest,
    /// The version of the contract that it was built for.
    pub contract: Version,
    /// Of what it said of itself: [`PluginInfo::digest`](super::PluginInfo::digest).
    pub description: Digest,
}
