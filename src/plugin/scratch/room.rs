//! Private folders that go away, however the run ends.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::removal;

/// A folder for one run, which nobody else may enter. It is removed when this value goes; if mustdo is killed before,
/// when mustdo is started the next time.
///
/// A room is locked as long as it is in use, and the system lets go of the lock of a process that is gone: so a room
/// without a lock is one that was left behind.
#[derive(Debug)]
pub(in crate::plugin) struct Room {
    path: PathBuf,
    _lock: File,
}

impl Room {
    /// Makes an empty one.
    pub(in crate::plugin) fn new() -> io::Result<Self> {
        Self::below(&base(&std::env::temp_dir()))
    }

    fn below(base: &Path) -> io::Result<Self> {
        let held = hold(base)?;
        let folder = tempfile::Builder::new()
            .prefix("room-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)?;
        let lock = File::open(folder.path())?;
        lock.lock()?;
        drop(held);
        // Programs compare paths with what the system tells them.
        let path = folder.keep().canonicalize()?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(in crate::plugin) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What can not be removed now is looked at again at the next start.
        drop(remove(&self.path));
    }
}

/// Removes the rooms that were left behind. Best effort: what can not be removed is in nobody's way.
pub(in crate::plugin) fn sweep() {
    drop(sweep_below(&base(&std::env::temp_dir())));
}

fn sweep_below(base: &Path) -> io::Result<()> {
    if !base.exists() {
        return Ok(());
    }
    let held = hold(base)?;
    let mut left_behind = vec![];
    // A program may have left there what is no folder; opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for entry in fs::read_dir(base)?.flatten() {
        if let Ok(lock) = rustix::fs::open(entry.path(), flags, Mode::empty()).map(File::from)
            && lock.try_lock().is_ok()
        {
            left_behind.push((entry.path(), lock));
        }
    }
    // Nobody waits for this process to clear away: each of these is locked now.
    drop(held);
    left_behind.into_iter().try_for_each(|(path, _lock)| remove(&path))
}

/// Where this user's rooms are, below the system's temporary files: not in the workspace, where a program would find the
/// learner's repository above it.
fn base(temporary: &Path) -> PathBuf {
    temporary.join(format!("mustdo-{}", rustix::process::geteuid().as_raw()))
}

/// Takes the right to make and to clear away rooms, in a folder that is this user's alone.
fn hold(base: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o700).create(base) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let facts = base.symlink_metadata()?;
    // Anybody may have made it before us, among the temporary files of all.
    if !facts.is_dir() || facts.uid() != rustix::process::geteuid().as_raw() || facts.mode() & 0o077 != 0 {
        let why = format!("{} is not a private folder of yours: remove it", base.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let lock = File::open(base)?;
    lock.lock()?;
    Ok(lock)
}

fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = CString::new(name.as_bytes())?;
    match removal::remove(File::open(parent)?.as_fd(), &name) {
        Err(Errno::NOENT) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::fs::{mkdirat, openat};

    use super::*;

    #[test]
    fn room_is_private_and_goes_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let base = base(folder.path());
        let room = Room::below(&base).unwrap();
        let path = room.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        fs::create_dir_all(path.join("deep/er")).unwrap();
        // As a cache of modules does that protects itself.
        fs::set_permissions(path.join("deep/er"), Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(path.join("deep"), Permissions::from_mode(0o000)).unwrap();
        drop(room);
        assert!(!path.exists());
    }

    #[test]
    fn what_was_left_behind_is_swept_and_what_is_in_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let base = base(folder.path());
        assert!(sweep_below(&base).is_ok() && !base.exists(), "looking makes nothing");
        let used = Room::below(&base).unwrap();
        let left = base.join("room-left");
        fs::create_dir_all(left.join("a/b")).unwrap();
        sweep_below(&base).unwrap();
        assert!(used.path().exists() && !left.exists());
    }

    #[test]
    fn folders_too_deep_for_stack_and_descriptors_go_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::below(&base(folder.path())).unwrap();
        let path = room.path().to_owned();
        // As a program does that makes a folder, enters it and begins anew.
        let mut deepest = OwnedFd::from(File::open(&path).unwrap());
        for _ in 0..2_000 {
            mkdirat(&deepest, "d", Mode::RWXU).unwrap();
            deepest = openat(&deepest, "d", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        }
        // Half a mebibyte is what the standard library needs for these; a program has time for many more.
        let removed = std::thread::Builder::new().stack_size(128 << 10).spawn(move || drop(room));
        removed.unwrap().join().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_room_holds_no_start_up() {
        let folder = tempfile::tempdir().unwrap();
        let base = base(folder.path());
        drop(Room::below(&base).unwrap());
        // A program that looks around beside its home may leave these; nobody will ever write to the pipe.
        assert!(std::process::Command::new("mkfifo").arg(base.join("room-pipe")).status().unwrap().success());
        let outside = folder.path().join("outside");
        fs::create_dir_all(outside.join("kept")).unwrap();
        std::os::unix::fs::symlink(&outside, base.join("room-link")).unwrap();
        sweep_below(&base).unwrap();
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn folder_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let base = base(folder.path());
        DirBuilder::new().mode(0o755).create(&base).unwrap();
        assert!(Room::below(&base).unwrap_err().to_string().contains("is not a private folder"));
        fs::remove_dir(&base).unwrap();
        std::os::unix::fs::symlink(folder.path(), &base).unwrap();
        assert!(Room::below(&base).is_err());
    }
}
