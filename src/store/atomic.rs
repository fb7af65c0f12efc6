//! Files that are replaced whole: whoever looks sees the old text or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::StoreError;

/// Replaces the file at `path` with `bytes`, keeping its permissions. A kill or a full disk at any instant leaves the
/// old file or the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let sink = Sink::open(path)?;
    sink.write(bytes)
}

/// As [`replace`], for what every run makes anew: whoever looks sees the old text or the new one, and a power cut soon
/// afterwards may leave nothing. A thousand durable files cost a thousand times two waits for the disk.
pub(super) fn replace_without_waiting(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    Sink::open(path)?.put(bytes, false)
}

/// A file that is going to be written: opened before the work starts, so that a bad path fails first.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A file to be, beside the one it replaces.
    Draft(NamedTempFile),
    /// A device or a pipe, such as `/dev/null` or `/dev/stdout`: written to as it is, never replaced.
    Stream(File),
}

impl Sink {
    /// Prepares a draft beside `path`; the folder is made if it is missing. What is no regular file is opened instead.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let error = |source| StoreError::Write { path: path.to_owned(), source };
        if path.is_dir() {
            return Err(error(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let stream = File::options().write(true).open(path).map_err(error)?;
            return Ok(Self { path: path.to_owned(), place: Place::Stream(stream) });
        }
        // A link stays a link: what it points at is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(error)?;
        let draft =
            tempfile::Builder::new().prefix(".mustdo-").suffix(".tmp").tempfile_in(folder).map_err(error)?;
        let permissions = match fs::metadata(&path) {
            Ok(old) => old.permissions(),
            Err(_) => new_file_permissions(),
        };
        fs::set_permissions(draft.path(), permissions).map_err(error)?;
        Ok(Self { path, place: Place::Draft(draft) })
    }

    /// A text file that others have written to as well: what is written is put behind that, as it is, not atomically. It is
    /// made if it is missing.
    pub fn append(path: &Path) -> Result<Self, StoreError> {
        let error = |source| StoreError::Write { path: path.to_owned(), source };
        let stream = File::options().append(true).create(true).open(path).map_err(error)?;
        Ok(Self { path: path.to_owned(), place: Place::Stream(stream) })
    }

    /// Where it goes, however it was spelled: two of them that are equal are one file.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        let folder = self.path.parent().and_then(|folder| fs::canonicalize(folder).ok());
        match (folder, self.path.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => self.path.clone(),
        }
    }

    /// Writes everything, makes it durable, and puts it in place.
    pub fn write(self, bytes: &[u8]) -> Result<(), StoreError> {
        self.put(bytes, true)
    }

    fn put(self, bytes: &[u8], durable: bool) -> Result<(), StoreError> {
        let path = self.path;
        let error = |source| StoreError::Write { path: path.clone(), source };
        let mut draft = match self.place {
            Place::Draft(draft) => draft,
            Place::Stream(mut stream) => return stream.write_all(bytes).map_err(error),
        };
        draft.write_all(bytes).map_err(error)?;
        if durable {
            draft.as_file().sync_all().map_err(error)?;
        }
        draft.persist(&path).map_err(|failure| error(failure.error))?;
        // The rename itself must survive a power cut; a file system that can not sync a folder has done what it can.
        if durable
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
            && let Ok(folder) = File::open(folder)
        {
            drop(folder.sync_all());
        }
        Ok(())
    }
}

/// Writes a program: as [`Sink::write`], and whoever may read it may run it.
#[cfg(unix)]
pub fn write_program(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    replace(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|source| StoreError::Write { path: path.to_owned(), source })
}

#[cfg(unix)]
fn new_file_permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o644)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at what was written")]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("progress/a.toml");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_waited_for_is_replaced_whole_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        replace(&path, b"a long first text").unwrap();
        replace_without_waiting(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn dropped_draft_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        replace(&path, b"old").unwrap();
        drop(Sink::open(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folder_in_the_way_fails_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Sink::open(folder.path()), Err(StoreError::Write { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn pipe_is_written_to_and_never_replaced() {
        use std::io::Read as _;
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let link = folder.path().join("stdout");
        symlink(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer)), &link).unwrap();
        replace(&link, b"report").unwrap();
        drop(writer);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "report");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn link_stays_a_link_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
        replace(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
