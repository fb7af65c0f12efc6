//! A folder of files that lies anywhere, such as one of recordings.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::StoreError;

/// Makes the folder at `path`, with those above it, unless it is there.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|source| StoreError::Write { path: path.to_owned(), source })
}

/// The files with this extension in the folder at `path`, by name; `path` alone where it is a file.
pub fn files(path: &Path, extension: &str) -> Result<Vec<PathBuf>, StoreError> {
    let error = |source| StoreError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(error)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = vec![];
    for entry in fs::read_dir(path).map_err(error)? {
        let file = entry.map_err(error)?.path();
        if file.extension().is_some_and(|found| found == extension) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The bytes of a file of at most `limit` bytes. A larger one is refused before it fills the memory.
pub fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, StoreError> {
    let error = |source| StoreError::Read { path: path.to_owned(), source };
    let mut bytes = vec![];
    File::open(path).map_err(error)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() > limit {
        return Err(StoreError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// When the newest file below `folder` was last written that git does not ignore and of whose path, relative to `folder`,
/// `counts` holds. Hidden files and what is ignored need not be read; the beginning of time where there is none.
pub fn newest(folder: &Path, counts: impl Fn(&Path) -> bool) -> Result<SystemTime, StoreError> {
    let walk = ignore::WalkBuilder::new(folder).require_git(false).build();
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in walk {
        let entry = entry.map_err(|source| StoreError::Walk { path: folder.to_owned(), source })?;
        let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        if entry.file_type().is_some_and(|kind| kind.is_file()) && counts(inside) {
            newest = newest.max(changed(entry.path())?);
        }
    }
    Ok(newest)
}

/// When the file at `path` was last written.
pub fn changed(path: &Path) -> Result<SystemTime, StoreError> {
    let found = fs::metadata(path).and_then(|found| found.modified());
    found.map_err(|source| StoreError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make what is read")]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_of_one_extension_by_name() {
        let folder = tempfile::tempdir().unwrap();
        make_folder(&folder.path().join("c.jsonl")).unwrap();
        for name in ["b.jsonl", "a.jsonl", "a.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let names = |path: &Path| {
            let files = files(path, "jsonl").unwrap();
            files.into_iter().map(|file| file.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(folder.path()), ["a.jsonl", "b.jsonl"]);
        assert_eq!(names(&folder.path().join("a.txt")), ["a.txt"]);
        assert!(matches!(files(&folder.path().join("none"), "jsonl"), Err(StoreError::Read { .. })));
    }

    #[test]
    fn newest_file_is_one_that_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, name).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            File::options().append(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        for (name, seconds) in [("src/a.rs", 5), ("b.rs", 3), ("cases/c.jsonl", 8), ("target/d", 9)] {
            write(name, seconds);
        }
        write(".gitignore", 9);
        fs::write(folder.path().join(".gitignore"), "target/\n").unwrap();
        let at = newest(folder.path(), |path| !path.starts_with("cases")).unwrap();
        assert_eq!(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 5);
        assert_eq!(
            changed(&folder.path().join("b.rs")).unwrap(),
            SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(3)
        );
    }

    #[test]
    fn file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"1234").unwrap();
        assert_eq!(read_file(&path, 4).unwrap(), b"1234");
        assert!(matches!(read_file(&path, 3), Err(StoreError::TooLarge { limit: 3, .. })));
    }
}
