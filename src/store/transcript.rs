//! The accounts of the last runs: one file for all of them, in the private folder.
//!
//! A file for each would be simpler to look at. But some file systems find no new inode quickly where many were freed
//! lately, so that a thousand checks took three times as long on ext4 when they were verified again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Value, json};

use super::atomic::keep;
use super::{StoreError, Workspace, WriteLock};
use crate::model::{CheckId, ItemId};

/// The file in the private folder: a line of JSON for each check.
const FILE: &str = "transcripts.jsonl";

/// Bytes of all accounts together. One has at most some hundred KiB, and usually ten.
const LARGEST: usize = 64 << 20;

/// Stands for an account that does not fit.
const LEFT_OUT: &str = "this account was left out: all accounts together would have more than 64 MiB";

/// Which run an account is of: that of this check of this item.
pub type TranscriptKey = (ItemId, CheckId);

impl Workspace {
    /// The account of a check's last run; none where there is none.
    pub fn transcript(&self, item: &ItemId, check: &CheckId) -> Result<Option<String>, StoreError> {
        Ok(self.transcripts()?.remove(&(item.clone(), check.clone())))
    }

    /// Replaces the accounts of the checks that were just run with `fresh`, keeps those of the others, and removes those of
    /// checks that are not `known` any more.
    pub fn keep_transcripts(
        &self,
        _lock: &WriteLock,
        fresh: BTreeMap<TranscriptKey, String>,
        known: &BTreeSet<TranscriptKey>,
    ) -> Result<(), StoreError> {
        let mut accounts = self.transcripts()?;
        accounts.retain(|key, _| known.contains(key));
        accounts.extend(fresh);
        let mut lines = String::new();
        for ((item, check), text) in accounts {
            let text = if lines.len() + text.len() > LARGEST { LEFT_OUT.to_owned() } else { text };
            let entry = json!({ "item": item.to_string(), "check": check.to_string(), "text": text });
            lines.push_str(&format!("{entry}\n"));
        }
        keep(&self.private(FILE)?, lines.as_bytes())
    }

    /// All of them. A line that can not be read is one that mustdo did not write, or that was lost with the power: it counts
    /// for nothing.
    fn transcripts(&self) -> Result<BTreeMap<TranscriptKey, String>, StoreError> {
        let path = self.root().join(Self::PRIVATE).join(FILE);
        let text = match read(&path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(source) => return Err(StoreError::Read { path, source }),
            Ok(text) => text,
        };
        Ok(text.split(|byte| *byte == b'\n').filter_map(entry).collect())
    }
}

/// What a line says; none where mustdo did not write it.
fn entry(line: &[u8]) -> Option<(TranscriptKey, String)> {
    let entry: Value = serde_json::from_slice(line).ok()?;
    let word = |name: &str| entry.get(name)?.as_str();
    Some(((word("item")?.parse().ok()?, word("check")?.parse().ok()?), word("text")?.to_owned()))
}

/// Its bytes, as far as such a file can be mustdo's own: escapes make text longer, at most six times.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(6 * LARGEST as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at what was written")]
mod tests {
    use super::*;

    fn keys() -> [TranscriptKey; 2] {
        let item: ItemId = "a.b".parse().unwrap();
        [(item.clone(), "x:p/one".parse().unwrap()), (item, "p/one".parse().unwrap())]
    }

    fn account(key: &TranscriptKey, text: &str) -> BTreeMap<TranscriptKey, String> {
        [(key.clone(), text.to_owned())].into()
    }

    #[test]
    fn last_account_of_each_check_is_kept_and_others_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        let lock = workspace.lock().unwrap();
        let [one, two] = keys();
        let of = |key: &TranscriptKey| workspace.transcript(&key.0, &key.1).unwrap();
        assert_eq!(of(&one), None);
        let both = [one.clone(), two.clone()].into();
        for text in ["first", "second\nwith \"quotes\" and a line\n"] {
            workspace.keep_transcripts(&lock, account(&one, text), &both).unwrap();
        }
        workspace.keep_transcripts(&lock, account(&two, "other"), &both).unwrap();
        assert_eq!(of(&one).as_deref(), Some("second\nwith \"quotes\" and a line\n"));
        assert_eq!(of(&two).as_deref(), Some("other"));
        workspace.keep_transcripts(&lock, BTreeMap::new(), &[one.clone()].into()).unwrap();
        assert!(of(&one).is_some());
        assert_eq!(of(&two), None);
    }

    #[test]
    fn what_mustdo_did_not_write_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        let lock = workspace.lock().unwrap();
        let [one, two] = keys();
        workspace.keep_transcripts(&lock, account(&one, "kept"), &[one.clone()].into()).unwrap();
        let path = folder.path().join(".mustdo").join(FILE);
        let torn = [fs::read(&path).unwrap(), b"{\"item\": \"a.b\", \xff\n{}\n{\"item\"".to_vec()].concat();
        fs::write(&path, torn).unwrap();
        assert_eq!(workspace.transcript(&one.0, &one.1).unwrap().as_deref(), Some("kept"));
        assert_eq!(workspace.transcript(&two.0, &two.1).unwrap(), None);
    }

    #[test]
    fn accounts_do_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        let lock = workspace.lock().unwrap();
        let [one, two] = keys();
        let fresh = [(two.clone(), "small".to_owned()), (one.clone(), "x".repeat(LARGEST))].into();
        workspace.keep_transcripts(&lock, fresh, &[one.clone(), two.clone()].into()).unwrap();
        assert_eq!(workspace.transcript(&two.0, &two.1).unwrap().as_deref(), Some("small"));
        assert_eq!(workspace.transcript(&one.0, &one.1).unwrap().as_deref(), Some(LEFT_OUT));
    }
}
