//! Removing folders that a program has filled as it liked.
//!
//! The standard library goes down into folders with one descriptor and one frame of the stack for each: a program that
//! digs deep enough ends whoever clears away behind it. Here what lies too deep is brought up first.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, chmodat, fchmod, openat, renameat, unlinkat};
use rustix::io::{Errno, Result};

/// Folders in folders that are gone down into.
const DEPTH: usize = 64;

/// Removes what has that name in `parent`: a file, a link, or a folder with everything in it, also where it is
/// read-only. No link is followed.
pub(super) fn remove(parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    if remove_plain(parent, name)? {
        return Ok(());
    }
    let top = open(parent, name)?;
    let mut raised = 0;
    loop {
        let before = raised;
        empty(top.as_fd(), top.as_fd(), DEPTH, &mut raised)?;
        if raised == before {
            return unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
    }
}

/// Removes what is not a folder; whether it was none.
fn remove_plain(folder: BorrowedFd<'_>, name: &CStr) -> Result<bool> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        // Linux says that it is a directory; POSIX says that it is not permitted.
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes everything in `folder`. Folders that lie `depth` below it are moved into `top` instead, and counted.
fn empty(folder: BorrowedFd<'_>, top: BorrowedFd<'_>, depth: usize, raised: &mut u64) -> Result<()> {
    // Read to the end first: what is moved here meanwhile is for the next turn.
    let names: Vec<CString> = Dir::read_from(folder)?
        .map(|entry| entry.map(|entry| entry.file_name().to_owned()))
        .collect::<Result<_>>()?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        if remove_plain(folder, name)? {
            continue;
        }
        let Some(left) = depth.checked_sub(1) else {
            raise(folder, name, top, raised)?;
            continue;
        };
        empty(open(folder, name)?.as_fd(), top, left, raised)?;
        unlinkat(folder, name, AtFlags::REMOVEDIR)?;
    }
    Ok(())
}

/// Moves a folder into `top`, under a name that nobody has there.
fn raise(folder: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, raised: &mut u64) -> Result<()> {
    loop {
        *raised += 1;
        match renameat(folder, name, top, format!(".mustdo-{raised}")) {
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            result => return result,
        }
    }
}

/// Opens a folder so that everything in it can be removed.
fn open(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || openat(parent, name, flags, Mode::empty());
    let folder = match open() {
        Err(Errno::ACCESS) => {
            chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        result => result?,
    };
    // As a cache of modules does that protects itself. One of another user's says so when something in it is removed.
    let _ = fchmod(&folder, Mode::RWXU);
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use rustix::fs::mkdirat;

    use super::*;

    #[test]
    fn what_lies_deep_is_brought_up_beside_whatever_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        File::create(outside.path().join("kept")).unwrap();
        let top = folder.path().join("top");
        fs::create_dir_all(top.join(".mustdo-1/taken")).unwrap();
        File::create(top.join(".mustdo-2")).unwrap();
        let mut deep = OwnedFd::from(File::open(&top).unwrap());
        for _ in 0..=3 * DEPTH {
            for name in ["one", "two"] {
                mkdirat(&deep, name, Mode::RWXU).unwrap();
            }
            deep = openat(&deep, "one", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        }
        rustix::fs::symlinkat(outside.path(), &deep, "out").unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        let parent = File::open(folder.path()).unwrap();
        for name in [c"top", c"link"] {
            remove(parent.as_fd(), name).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(outside.path().join("kept").exists());
        assert_eq!(remove(parent.as_fd(), c"top"), Err(Errno::NOENT));
    }
}
