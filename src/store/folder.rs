//! A folder of files that lies anywhere, such as one of recordings.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

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
    fn file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"1234").unwrap();
        assert_eq!(read_file(&path, 4).unwrap(), b"1234");
        assert!(matches!(read_file(&path, 3), Err(StoreError::TooLarge { limit: 3, .. })));
    }
}
