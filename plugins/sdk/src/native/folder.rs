//! Private copies of folders for the native double.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::failure;
use super::program::Programs;
use crate::Failure;
use crate::process::{Command, Program};
use crate::scratch::Folder;

/// Copies a folder, or makes an empty one. Links are left out: a copy leads nowhere else.
pub(super) fn copy_of(source: Option<&Path>, programs: &Programs) -> Result<Box<dyn Folder>, Failure> {
    let root = tempfile::tempdir().map_err(|error| failure(&error))?;
    if let Some(source) = source {
        copy(source, root.path()).map_err(|error| failure(&error))?;
    }
    Ok(Box::new(Copy { root, programs: programs.clone() }))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, place) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir(&place)?;
            copy(&entry.path(), &place)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

struct Copy {
    root: TempDir,
    programs: Programs,
}

impl Copy {
    fn place(&self, path: &str) -> Result<PathBuf, Failure> {
        let stays = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if stays && !path.is_empty() {
            Ok(self.root.path().join(path))
        } else {
            Err(Failure::Other(format!("{path:?} is not a path below the root")))
        }
    }
}

impl Folder for Copy {
    fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        fs::read(self.place(path)?).map_err(|error| failure(&error))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let place = self.place(path)?;
        let parent = place.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| fs::write(place, bytes)).map_err(|error| failure(&error))
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        fs::remove_file(self.place(path)?).map_err(|error| failure(&error))
    }

    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure> {
        self.programs.start(command, Some(self.root.path()))
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use crate::native::NativeHost;
    use crate::process::Limits;

    use super::*;

    #[test]
    fn a_copy_is_changed_and_the_source_is_not() {
        let source = tempfile::tempdir().unwrap();
        fs::create_dir(source.path().join("sub")).unwrap();
        fs::write(source.path().join("sub/file"), "old").unwrap();
        let host =
            NativeHost::new().folder("app", source.path()).program("cat", || process::Command::new("cat"));
        let copy = host.context(1).scratch(Some("app")).unwrap();
        copy.write("sub/file", b"new").unwrap();
        copy.write("a/b", b"more").unwrap();
        assert_eq!(copy.read("sub/file"), Ok(b"new".to_vec()));
        let shown = copy.start(&Command::new("cat").argument("sub/file")).unwrap();
        assert_eq!(shown.output(&Limits::default()).unwrap().stdout, b"new");
        copy.remove("a/b").unwrap();
        assert!(copy.read("a/b").is_err());
        assert_eq!(fs::read(source.path().join("sub/file")).unwrap(), b"old");
        for path in ["../x", "/etc/passwd", "sub/../../x", ""] {
            assert!(matches!(copy.read(path), Err(Failure::Other(_))), "{path}");
        }
        assert!(host.context(1).scratch(None).unwrap().read("sub/file").is_err());
    }
}
