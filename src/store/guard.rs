//! Reading a workspace that somebody else writes, who may not mean well: nothing outside of it is read, and no more of it
//! than a workspace has.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{StoreError, read_at_most};
use crate::model::Digest;

/// What may still be read of one workspace.
#[derive(Debug)]
pub(super) struct Guard {
    /// The workspace's folder, without links.
    real: PathBuf,
    text: AtomicUsize,
    plugins: AtomicUsize,
    watched: AtomicUsize,
    entries: AtomicUsize,
    /// What [`Workspace::watched`](super::Workspace::watched) gave already: many checks watch the same files.
    digests: Mutex<HashMap<Vec<String>, Option<Digest>>>,
}

/// What a file is read for: the room for each is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To be parsed, which takes many times its size.
    Text,
    /// To be kept and digested.
    Plugin,
    /// To be digested.
    Watched,
}

impl Guard {
    /// Bytes of settings, checklists, progress and lock together. The shipped checklists have 0.1 MiB, and a year of
    /// verdicts on all of their items less than that.
    pub(super) const TEXT: usize = 4 << 20;
    /// Bytes of plugins together: one with an interpreter in it has 18 MiB.
    pub(super) const PLUGINS: usize = 64 << 20;
    /// Bytes of watched files, each counted as often as it is read.
    pub(super) const WATCHED: usize = 1 << 30;
    /// Files and folders that are looked at, each counted as often as it is.
    pub(super) const ENTRIES: usize = 1_000_000;
    /// Bytes of a file that says what git ignores.
    const IGNORE: u64 = 1 << 20;

    /// Of the workspace at `root`.
    pub(super) fn new(root: &Path) -> Result<Self, StoreError> {
        let real =
            root.canonicalize().map_err(|source| StoreError::Read { path: root.to_owned(), source })?;
        Ok(Self {
            real,
            text: Self::TEXT.into(),
            plugins: Self::PLUGINS.into(),
            watched: Self::WATCHED.into(),
            entries: Self::ENTRIES.into(),
            digests: Mutex::default(),
        })
    }

    /// The file at `path`; none where there is none. A link that leads out of the workspace is refused, and so is what is no
    /// file.
    pub(super) fn read(&self, path: &Path, wanted: Use) -> Result<Option<Vec<u8>>, StoreError> {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }),
        };
        if !real.starts_with(&self.real) {
            return Err(StoreError::Outside { path: path.to_owned() });
        }
        let room = match wanted {
            Use::Text => &self.text,
            Use::Plugin => &self.plugins,
            Use::Watched => &self.watched,
        };
        let bytes = read_at_most(&real, room.load(Ordering::Relaxed))?;
        self.take(room, bytes.len())?;
        Ok(Some(bytes))
    }

    /// The digest of what `globs` match, found out by `find` where it is not known yet.
    pub(super) fn digest(
        &self,
        globs: &[String],
        find: impl FnOnce() -> Result<Option<Digest>, StoreError>,
    ) -> Result<Option<Digest>, StoreError> {
        let known = || self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known().get(globs) {
            return Ok(*digest);
        }
        let digest = find()?;
        known().insert(globs.to_vec(), digest);
        Ok(digest)
    }

    /// Counts one more file or folder.
    pub(super) fn entry(&self) -> Result<(), StoreError> {
        self.take(&self.entries, 1)
    }

    /// Whether a walk may go into `folder`: what it would read there to know what git ignores are files, and small. A pipe
    /// would never end.
    pub(super) fn is_walkable(folder: &Path) -> bool {
        [".gitignore", ".ignore", ".git/info/exclude"].iter().all(|name| {
            match fs::metadata(folder.join(name)) {
                Ok(found) => found.is_file() && found.len() <= Self::IGNORE,
                Err(_) => true,
            }
        })
    }

    fn take(&self, room: &AtomicUsize, count: usize) -> Result<(), StoreError> {
        let left = room.load(Ordering::Relaxed).checked_sub(count);
        let too_much = || StoreError::TooMuch { path: self.real.clone() };
        room.store(left.ok_or_else(too_much)?, Ordering::Relaxed);
        Ok(())
    }
}
