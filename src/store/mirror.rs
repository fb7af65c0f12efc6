//! A copy of one commit of a repository elsewhere, in the user's cache: what git fetched there is read and never checked out.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Repository, StoreError, WriteLock, make_folder};

/// The copy, and the right to change it.
#[derive(Debug)]
pub struct Mirror {
    folder: PathBuf,
    _lock: WriteLock,
}

impl Mirror {
    /// Where the commit stands that was fetched last.
    pub const TIP: &str = "refs/mustdo/tip";

    /// Packs that it may have: each fetch of another commit adds one, and with more it is made anew.
    const PACKS: usize = 20;

    /// Opens the copy called `name` below `cache`, which is made where it is missing and emptied where too much has come
    /// together in it.
    pub fn open(cache: &Path, name: &str) -> Result<Self, StoreError> {
        let folder = cache.join(name);
        make_folder(cache)?;
        let lock = WriteLock::acquire(&cache.join(format!("{name}.lock")))?;
        let mirror = Self { folder, _lock: lock };
        if !mirror.folder.join("HEAD").is_file() || mirror.packs().len() > 2 * Self::PACKS {
            mirror.clear()?;
            Repository::init_bare(&mirror.folder)?;
        }
        Ok(mirror)
    }

    /// The git folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of all that was fetched, as far as git has come.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.packs().iter().sum()
    }

    /// Takes everything away.
    pub fn clear(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Write { path: self.folder.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// What was fetched; [`TIP`](Self::TIP) is there once something was.
    pub fn repository(&self) -> Result<Repository, StoreError> {
        Repository::bare(&self.folder)
    }

    /// The size of each file of packs: two a pack.
    fn packs(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.folder.join("objects/pack")).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).collect()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make what is fetched")]
mod tests {
    use super::*;

    #[test]
    fn copy_is_made_once_kept_and_made_anew_where_it_has_grown() {
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(cache.path(), "a").unwrap();
        let pack = mirror.folder().join("objects/pack");
        fs::write(pack.join("one"), "12345").unwrap();
        assert_eq!(mirror.size(), 5);
        assert!(mirror.repository().unwrap().revision_in(Path::new(""), Mirror::TIP).is_err());
        drop(mirror);
        assert_eq!(Mirror::open(cache.path(), "a").unwrap().size(), 5);
        for number in 0..=2 * Mirror::PACKS {
            fs::write(pack.join(number.to_string()), "").unwrap();
        }
        assert_eq!(Mirror::open(cache.path(), "a").unwrap().size(), 0);
    }
}
