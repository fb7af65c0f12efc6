//! Folders that appear whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{StoreError, replace};

/// Makes the folder at `path` with these files in it, by relative path. It is there with all of them or not at all, and
/// one that is there already stays as it is, unless it is empty.
pub fn write_folder(path: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<(), StoreError> {
    let error = |source| StoreError::Write { path: path.to_owned(), source };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(error)?;
    let draft = tempfile::Builder::new().prefix(".mustdo-").tempdir_in(parent).map_err(error)?;
    // A temporary folder is its owner's alone; this one is to be an ordinary one.
    let folder = draft.path().join("new");
    fs::create_dir(&folder).map_err(error)?;
    for (name, bytes) in files {
        replace(&folder.join(name), bytes)?;
    }
    // A rename replaces an empty folder and no other (POSIX.1-2017, rename); a link is a file here.
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(error(io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    fs::rename(&folder, path).map_err(error)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at what was written")]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/new");
        let files = [(PathBuf::from("src/lib.rs"), b"one".to_vec()), (PathBuf::from("a"), vec![])];
        write_folder(&path, &files).unwrap();
        assert_eq!(fs::read(path.join("src/lib.rs")).unwrap(), b"one");
        let other = [(PathBuf::from("b"), vec![])];
        assert!(matches!(write_folder(&path, &other), Err(StoreError::Write { .. })));
        assert!(!path.join("b").exists() && path.join("a").exists());
        let file = root.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(write_folder(&file, &other).is_err());
        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        write_folder(&empty, &other).unwrap();
        assert!(empty.join("b").exists());
        let left = fs::read_dir(root.path()).unwrap().count();
        assert_eq!(left, 3, "a draft is left");
    }
}
