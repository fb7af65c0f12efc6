//! Directory targets of the native double. Nothing is left out but symbolic links' contents: a test has no secrets.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{NativeHost, failure};
use crate::Failure;
use crate::files::{Entry, Files, Kind};
use crate::host::Folders;

impl Folders for NativeHost {
    fn open_folder(&self, target: &str) -> Result<Box<dyn Files>, Failure> {
        let root = self.folders.get(target).ok_or_else(|| Failure::Unbound(target.to_owned()))?;
        Ok(Box::new(Plain { root: root.clone() }))
    }
}

struct Plain {
    root: PathBuf,
}

impl Files for Plain {
    /// Every glob is `**` here.
    fn walk(&self, _glob: &str, _all: bool, max: u32) -> Result<Vec<Entry>, Failure> {
        let mut found = Vec::new();
        below(&self.root, "", &mut found).map_err(|error| failure(&error))?;
        found.sort_by(|one: &Entry, other| one.path.cmp(&other.path));
        found.truncate(usize::try_from(max).unwrap_or(usize::MAX));
        Ok(found)
    }

    fn read(&self, path: &str, offset: u64, max: u32) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut file = File::open(self.root.join(path)).map_err(|error| failure(&error))?;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(max.into()).read_to_end(&mut bytes))
            .map_err(|error| failure(&error))?;
        Ok(bytes)
    }
}

fn below(folder: &Path, path: &str, found: &mut Vec<Entry>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, size) = (entry.file_type()?, entry.metadata()?.len());
        let path = format!("{path}{}", entry.file_name().to_string_lossy());
        let (kind, size) = match (kind.is_file(), kind.is_dir(), kind.is_symlink()) {
            (true, ..) => (Kind::File, size),
            (_, true, _) => (Kind::Directory, 0),
            (_, _, true) => (Kind::Symlink, 0),
            _ => (Kind::Other, 0),
        };
        if kind == Kind::Directory {
            below(&entry.path(), &format!("{path}/"), found)?;
        }
        found.push(Entry { path, kind, size });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_in_pieces_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let long: Vec<u8> = (0..3_000_000_u32).map(|place| place.to_le_bytes()[1]).collect();
        fs::write(folder.path().join("sub/long"), &long).unwrap();
        fs::write(folder.path().join("a"), "short").unwrap();
        let host = NativeHost::new().folder("data", folder.path());
        let tree = host.context(1).folder("data").unwrap();
        let paths: Vec<_> = tree.walk("**", true, 10).unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["a", "sub", "sub/long"]);
        let (mut read, mut pieces) = (Vec::new(), 0);
        tree.read("sub/long", |piece| {
            read.extend_from_slice(piece);
            pieces += 1;
            true
        })
        .unwrap();
        assert!(read == long && pieces == 3, "{pieces}");
        assert!(matches!(host.context(1).folder("other"), Err(Failure::Unbound(_))));
    }
}
