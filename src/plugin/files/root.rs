//! A folder that no path leads out of.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;

use super::{PATH_BYTES, READ_BYTES};
use crate::plugin::contract::Failure;
use crate::plugin::failure;

/// An open folder.
///
/// Every path is walked part by part from it, and a symbolic link is never followed. A tree that changes meanwhile can
/// therefore not lead outside either.
pub(in crate::plugin) struct Root {
    path: PathBuf,
    fd: OwnedFd,
}

impl Root {
    /// Opens the directory `path`.
    pub(in crate::plugin) fn open(path: PathBuf) -> Result<Self, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| failure::of_io(&error.into()))?;
        Ok(Self { path, fd })
    }

    /// Where it is.
    pub(in crate::plugin) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that these parts lead to.
    pub(in crate::plugin) fn folder(&self, parts: &[&str]) -> rustix::io::Result<Folder<'_>> {
        let mut folder = Folder::Root(&self.fd);
        for part in parts {
            folder = folder.enter(part)?;
        }
        Ok(folder)
    }

    /// The same, and each that is not there is made.
    pub(in crate::plugin) fn make_folder(&self, parts: &[&str]) -> rustix::io::Result<Folder<'_>> {
        let mut folder = Folder::Root(&self.fd);
        for part in parts {
            match mkdirat(folder.fd(), *part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => folder = folder.enter(part)?,
                Err(error) => return Err(error),
            }
        }
        Ok(folder)
    }

    /// Up to `max` bytes from `offset` of the regular file that `parts` lead to; fewer only where it ends. `path` is how
    /// the plugin calls it.
    pub(in crate::plugin) fn read(
        &self,
        path: &str,
        parts: &[&str],
        offset: u64,
        max: u64,
    ) -> Result<Vec<u8>, Failure> {
        let file = self.open_file(path, parts)?;
        let metadata = file.metadata().map_err(|error| failure::of_io(&error))?;
        let wanted = metadata.len().saturating_sub(offset).min(max);
        if wanted > READ_BYTES {
            return Err(Failure::OverLimit(format!("one call reads at most {} MiB", READ_BYTES >> 20)));
        }
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0)];
        let count = read_at(&file, &mut bytes, offset).map_err(|error| failure::of_io(&error))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Opens a regular file for reading.
    pub(in crate::plugin) fn open_file(&self, path: &str, parts: &[&str]) -> Result<File, Failure> {
        let Some((name, folder)) = parts.split_last() else {
            return Err(Failure::Other("the root is a directory, not a file".to_owned()));
        };
        // Opening a FIFO would wait for a writer, and opening a terminal could take it over.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = self
            .folder(folder)
            .and_then(|folder| openat(folder.fd(), *name, flags, Mode::empty()))
            .map_err(|error| of_errno(path, error))?;
        let file = File::from(file);
        if !file.metadata().map_err(|error| failure::of_io(&error))?.is_file() {
            return Err(Failure::Other(format!("{path:?} is not a regular file")));
        }
        Ok(file)
    }
}

/// A folder in the tree of a [`Root`].
pub(in crate::plugin) enum Folder<'a> {
    /// The root itself.
    Root(&'a OwnedFd),
    /// One below it.
    Below(OwnedFd),
}

impl Folder<'_> {
    fn enter(&self, name: &str) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(self.fd(), name, flags, Mode::empty()).map(Self::Below)
    }

    /// Its descriptor.
    pub(in crate::plugin) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => fd.as_fd(),
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

/// The parts of a relative path, none of which leaves the tree; none of them for the root. `tree` is what the plugin calls
/// it.
pub(in crate::plugin) fn parts<'a>(tree: &str, path: &'a str) -> Result<Vec<&'a str>, Failure> {
    short(path)?;
    let path = path.trim_end_matches('/');
    if path.is_empty() || path == "." {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains('\0')) {
        return Err(Failure::Denied(format!("{path:?} is not a path below {tree}")));
    }
    Ok(parts)
}

/// Refuses a path or a pattern that costs more than any real one: what it costs grows with its length.
pub(in crate::plugin) fn short(text: &str) -> Result<(), Failure> {
    if text.len() > PATH_BYTES {
        return Err(Failure::OverLimit(format!("a path or a pattern may have {PATH_BYTES} bytes")));
    }
    Ok(())
}

/// What an error on the way to `path` means to a plugin.
pub(in crate::plugin) fn of_errno(path: &str, error: Errno) -> Failure {
    match error {
        Errno::LOOP | Errno::MLINK => {
            Failure::Denied(format!("{path:?} leads through a symbolic link; links are not followed"))
        }
        Errno::NOENT | Errno::NOTDIR => Failure::Unreachable(format!("no such file: {path:?}")),
        error => failure::of_io(&error.into()),
    }
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match file.read_at(&mut bytes[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
