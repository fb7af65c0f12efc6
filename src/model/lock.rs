//! What `mustdo.lock` holds: which bytes a workspace took from outside, and from where.

use std::collections::BTreeMap;

use semver::Version;

use super::{ChecklistId, Digest, Origin, PluginId, PluginSource, TagName};

/// What a workspace took. A plugin that ships inside mustdo is not in it: its bytes come with the program. A shipped checklist
/// is, where it was copied into the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The plugins, by id.
    pub plugins: BTreeMap<PluginId, LockedPlugin>,
    /// The checklists, by id.
    pub checklists: BTreeMap<ChecklistId, LockedChecklist>,
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

/// One checklist, as it was where it came from when it was last taken: what the user's changes are changes of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedChecklist {
    /// The version that it had.
    pub version: Version,
    /// Where it came from, and where an update is looked for.
    pub source: Origin,
    /// Of its text, with Unix line endings.
    pub digest: Digest,
    /// Which commit it was taken from; none where it came from no repository.
    pub taken: Option<TakenCommit>,
}

/// A commit of a repository, and the tag that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenCommit {
    /// The tag.
    pub tag: TagName,
    /// The commit.
    pub id: CommitId,
}

/// The name of a commit: 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitId(String);

/// A text that names no commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a commit is 40 lowercase hexadecimal digits")]
pub struct ParseCommitIdError;

impl CommitId {
    /// As much of it as git shows.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..9]
    }
}

impl std::str::FromStr for CommitId {
    type Err = ParseCommitIdError;

    fn from_str(text: &str) -> Result<Self, ParseCommitIdError> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 40 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseCommitIdError)
        }
    }
}

impl std::fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(&self.0)
    }
}
