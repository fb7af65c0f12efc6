//! The accounts of the last runs, one file a check, in the private folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::atomic::replace_without_waiting;
use super::{StoreError, Workspace, WriteLock, read_text};
use crate::model::{CheckId, ItemId};

/// The folder below the private one.
const FOLDER: &str = "transcripts";

impl Workspace {
    /// The account of a check's last run; none where there is none.
    pub fn transcript(&self, item: &ItemId, check: &CheckId) -> Result<Option<String>, StoreError> {
        read_text(&self.root().join(Self::PRIVATE).join(FOLDER).join(name(item, check)))
    }

    /// Replaces the account of a check's last run.
    pub fn write_transcript(
        &self,
        _lock: &WriteLock,
        item: &ItemId,
        check: &CheckId,
        text: &str,
    ) -> Result<(), StoreError> {
        replace_without_waiting(&self.private(FOLDER)?.join(name(item, check)), text.as_bytes())
    }

    /// Removes the accounts of all other checks than `known`.
    pub fn clear_transcripts(
        &self,
        _lock: &WriteLock,
        known: &BTreeSet<(ItemId, CheckId)>,
    ) -> Result<(), StoreError> {
        let folder = self.private(FOLDER)?;
        let known: BTreeSet<_> = known.iter().map(|(item, check)| name(item, check)).collect();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(StoreError::Read { path: folder, source }),
        };
        for entry in entries {
            let path = entry.map_err(|source| StoreError::Read { path: folder.clone(), source })?.path();
            if is_transcript(&path)
                && !path.file_name().is_some_and(|name| known.contains(&*name.to_string_lossy()))
            {
                fs::remove_file(&path).map_err(|source| StoreError::Write { path, source })?;
            }
        }
        Ok(())
    }
}

fn is_transcript(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

/// `must-do.xss--http-idempotency.safe-get.txt`: ids have neither "--" nor "/", and a plugin's namespace is followed by "."
/// as in the name of its file.
fn name(item: &ItemId, check: &CheckId) -> String {
    format!("{item}--{}.{}.txt", check.plugin.as_str().replace(':', "."), check.check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_account_of_each_check_is_kept_and_others_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        let lock = workspace.lock().unwrap();
        let item: ItemId = "a.b".parse().unwrap();
        let (one, two): (CheckId, CheckId) = ("x:p/one".parse().unwrap(), "p/one".parse().unwrap());
        assert_eq!(workspace.transcript(&item, &one).unwrap(), None);
        workspace.clear_transcripts(&lock, &BTreeSet::new()).unwrap();
        for text in ["first", "second"] {
            workspace.write_transcript(&lock, &item, &one, text).unwrap();
        }
        workspace.write_transcript(&lock, &item, &two, "other").unwrap();
        assert_eq!(workspace.transcript(&item, &one).unwrap().as_deref(), Some("second"));
        workspace.clear_transcripts(&lock, &[(item.clone(), one.clone())].into()).unwrap();
        assert_eq!(workspace.transcript(&item, &one).unwrap().as_deref(), Some("second"));
        assert_eq!(workspace.transcript(&item, &two).unwrap(), None);
        let kept = fs::read_dir(folder.path().join(".mustdo/transcripts")).unwrap().count();
        assert_eq!(kept, 1);
    }
}
