//! Private, writable copies of directory targets.
//!
//! A copy holds what a plugin could read: what git ignores, and secrets, are left out. It is a folder of the run's own
//! ([`Room`]) outside the workspace; programs can be started in it, and the learner's tree is never changed. An empty
//! one tells nothing of the learner's, so it needs no target; but it takes room, so only a check that was granted some
//! `scratch` or `process` may have it.

mod copy;
mod removal;
mod room;

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use wasmtime::component::Resource;

use crate::model::{Capability, Endpoint};

use super::contract::Failure;
use super::contract::scratch::{Host, HostWorkspace};
use super::failure;
use super::files::{Root, Tree, blocking, of_errno, parts};
use super::state::State;

pub(super) use room::{Room, sweep};

/// What a plugin's handle stands for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub type WorkspaceHandle = Arc<Workspace>;

/// What a plugin is told that its paths lie below.
const WORDS: &str = "the workspace";

/// Workspaces that one run opens.
const WORKSPACES: usize = 32;

/// Files and folders of all copies of one run: a large repository without its dependencies.
const COPIED_ENTRIES: usize = 50_000;

/// Bytes of all copies of one run.
const COPIED_BYTES: u64 = 512 << 20;

/// Bytes that a plugin itself writes in one run.
const WRITTEN_BYTES: u64 = 128 << 20;

/// Files and folders that a plugin itself writes in one run, each as often as a path names it: an empty one takes room,
/// too.
const WRITTEN_NAMES: usize = 100_000;

/// Names in a path that a plugin writes to.
const DEPTH: usize = 256;

/// What is left of a run's limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    workspaces: usize,
    entries: usize,
    copied: u64,
    names: usize,
    written: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            workspaces: WORKSPACES,
            entries: COPIED_ENTRIES,
            copied: COPIED_BYTES,
            names: WRITTEN_NAMES,
            written: WRITTEN_BYTES,
        }
    }
}

impl Quota {
    fn open(&mut self) -> Result<(), Failure> {
        let left = self.workspaces.checked_sub(1);
        self.workspaces =
            left.ok_or_else(|| Failure::OverLimit(format!("a run may open {WORKSPACES} workspaces")))?;
        Ok(())
    }

    fn copy(&mut self, bytes: u64) -> Result<(), Failure> {
        let over = || {
            let (entries, bytes) = (COPIED_ENTRIES, COPIED_BYTES >> 20);
            Failure::OverLimit(format!("copies may have {entries} files and {bytes} MiB"))
        };
        self.entries = self.entries.checked_sub(1).ok_or_else(over)?;
        self.copied = self.copied.checked_sub(bytes).ok_or_else(over)?;
        Ok(())
    }

    fn write(&mut self, path: &str, bytes: usize) -> Result<(), Failure> {
        let over = || {
            let bytes = WRITTEN_BYTES >> 20;
            Failure::OverLimit(format!("a run may write {WRITTEN_NAMES} files and folders and {bytes} MiB"))
        };
        self.names = self.names.checked_sub(path.split('/').count()).ok_or_else(over)?;
        let left = u64::try_from(bytes).ok().and_then(|bytes| self.written.checked_sub(bytes));
        self.written = left.ok_or_else(over)?;
        Ok(())
    }
}

/// A folder that a plugin may change.
pub(super) struct Workspace {
    /// What it is a copy of, by the plugin's name; "nothing" for an empty one.
    name: String,
    room: Arc<Room>,
    root: Root,
}

impl Workspace {
    fn empty(name: String) -> Result<Self, Failure> {
        let room = Room::new().map_err(|error| failure::of_io(&error))?;
        let root = Root::open(room.path().to_owned())?;
        Ok(Self { name, room: Arc::new(room), root })
    }

    /// The folder, for programs that run in it.
    pub(super) fn room(&self) -> Arc<Room> {
        self.room.clone()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.root.read(path, &parts(WORDS, path)?, 0, u64::MAX)
    }

    /// Makes the file, and the folders it lies in, or replaces what it holds.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let parts = parts(WORDS, path)?;
        let Some((name, folders)) = parts.split_last() else {
            return Err(Failure::Other("the root is a directory, not a file".to_owned()));
        };
        if folders.len() >= DEPTH {
            return Err(Failure::OverLimit(format!("a path that is written to may have {DEPTH} names")));
        }
        let fault = |error| of_errno(path, error);
        // A program in it may have put a FIFO there, which would wait for a reader.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let folder = self.root.make_folder(folders).map_err(fault)?;
        let file = openat(folder.fd(), *name, flags, Mode::from_raw_mode(0o644)).map_err(fault)?;
        let mut file = File::from(file);
        let io = |error: std::io::Error| failure::of_io(&error);
        if !file.metadata().map_err(io)?.is_file() {
            return Err(Failure::Other(format!("{path:?} is not a regular file")));
        }
        file.set_len(0).map_err(io)?;
        file.write_all(bytes).map_err(io)
    }

    /// Removes a file, a link, or a folder with everything in it.
    fn remove(&self, path: &str) -> Result<(), Failure> {
        let parts = parts(WORDS, path)?;
        let Some((name, folders)) = parts.split_last() else {
            return Err(Failure::Other("the workspace itself is removed after the run".to_owned()));
        };
        let name = std::ffi::CString::new(*name).map_err(|_| of_errno(path, Errno::INVAL))?;
        let folder = self.root.folder(folders).map_err(|error| of_errno(path, error))?;
        removal::remove(folder.fd(), &name).map_err(|error| of_errno(path, error))
    }
}

impl State {
    async fn workspace(&mut self, target: Option<&str>) -> Result<Workspace, Failure> {
        let source = match target {
            None => {
                let some = |capability: &Capability| {
                    matches!(capability, Capability::Scratch(_) | Capability::Process(_))
                };
                if !self.allowed.iter().any(some) {
                    return Err(failure::denied(&self.plugin, &"scratch:TARGET or process:TARGET"));
                }
                None
            }
            Some(name) => match self.bound(name, Capability::Scratch)? {
                (name, Endpoint::Dir(path)) => Some((name, path)),
                (name, _) => {
                    return Err(Failure::Unbound(format!("the target \"{name}\" is not a directory")));
                }
            },
        };
        self.scratch.open()?;
        let (name, common) = (target.unwrap_or("nothing").to_owned(), self.common.clone());
        let mut quota = self.scratch;
        let (workspace, quota) = blocking(move || {
            let workspace = Workspace::empty(name)?;
            if let Some((target, path)) = source {
                let tree = Tree::open(target, path, common)?;
                copy::copy(&tree, workspace.room.path(), &mut quota)?;
            }
            Ok((workspace, quota))
        })
        .await?;
        self.scratch = quota;
        Ok(workspace)
    }

    async fn on_workspace<T: Send + 'static>(
        &mut self,
        workspace: &Resource<WorkspaceHandle>,
        what: &str,
        path: String,
        act: impl FnOnce(&Workspace, &str) -> Result<T, Failure> + Send + 'static,
    ) -> wasmtime::Result<Result<T, Failure>> {
        let workspace = self.table.get(workspace)?.clone();
        let at = Instant::now();
        let words = format!("scratch {what} {} {path}", workspace.name);
        self.accesses.begin(at, words.clone());
        let result = blocking(move || act(&workspace, &path)).await;
        self.accesses.note(at, || words, result.as_ref().err());
        Ok(result)
    }
}

impl Host for State {
    async fn open(
        &mut self,
        target: Option<String>,
    ) -> wasmtime::Result<Result<Resource<WorkspaceHandle>, Failure>> {
        let at = Instant::now();
        let words = format!("scratch open {}", target.as_deref().unwrap_or("nothing"));
        self.accesses.begin(at, words.clone());
        let opened = self.workspace(target.as_deref()).await;
        self.accesses.note(at, || words, opened.as_ref().err());
        match opened {
            Ok(workspace) => Ok(Ok(self.keep(Arc::new(workspace))?)),
            Err(refused) => Ok(Err(refused)),
        }
    }
}

impl HostWorkspace for State {
    async fn read(
        &mut self,
        workspace: Resource<WorkspaceHandle>,
        path: String,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        self.on_workspace(&workspace, "read", path, Workspace::read).await
    }

    async fn write(
        &mut self,
        workspace: Resource<WorkspaceHandle>,
        path: String,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let quota = self.scratch.write(&path, bytes.len());
        self.on_workspace(&workspace, "write", path, move |workspace, path| {
            quota?;
            workspace.write(path, &bytes)
        })
        .await
    }

    async fn remove(
        &mut self,
        workspace: Resource<WorkspaceHandle>,
        path: String,
    ) -> wasmtime::Result<Result<(), Failure>> {
        self.on_workspace(&workspace, "remove", path, Workspace::remove).await
    }

    fn drop(&mut self, workspace: Resource<WorkspaceHandle>) -> wasmtime::Result<()> {
        self.release(workspace)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn refused<T>(result: &Result<T, Failure>) -> bool {
        matches!(result, Err(Failure::Denied(_)))
    }

    #[test]
    fn what_is_written_is_read_and_removed() {
        let workspace = Workspace::empty("nothing".to_owned()).unwrap();
        workspace.write("a/b/c.txt", b"longer than the next").unwrap();
        workspace.write("a/b/c.txt", b"next").unwrap();
        assert_eq!(workspace.read("a/b/c.txt").unwrap(), b"next");
        workspace.write("a/d", b"").unwrap();
        assert!(matches!(workspace.write("a", b""), Err(Failure::Other(_))));
        assert!(matches!(workspace.write("a/d/e", b""), Err(Failure::Unreachable(_))));
        workspace.remove("a/d").unwrap();
        workspace.remove("a").unwrap();
        assert!(matches!(workspace.read("a/b/c.txt"), Err(Failure::Unreachable(_))));
        assert!(matches!(workspace.remove("a"), Err(Failure::Unreachable(_))));
        assert!(workspace.remove("").is_err() && workspace.write("", b"").is_err());
    }

    #[test]
    fn nothing_leads_out_of_it() {
        let outside = tempfile::tempdir().unwrap();
        File::create(outside.path().join("kept")).unwrap();
        let workspace = Workspace::empty("nothing".to_owned()).unwrap();
        let room = workspace.room();
        // What a program that runs in it may have made.
        symlink(outside.path(), room.path().join("folder")).unwrap();
        symlink(outside.path().join("kept"), room.path().join("file")).unwrap();
        symlink(outside.path().join("new"), room.path().join("dangling")).unwrap();
        for path in ["../kept", "/etc/passwd", "a/../../kept", "a//b", "./a", "a\0b"] {
            assert!(refused(&workspace.read(path)) && refused(&workspace.write(path, b"x")), "{path}");
            assert!(refused(&workspace.remove(path)), "{path}");
        }
        for path in ["file", "folder/kept", "dangling", "folder/new"] {
            assert!(workspace.read(path).is_err() && workspace.write(path, b"x").is_err(), "{path}");
        }
        assert!(workspace.remove("folder/kept").is_err());
        // A link is removed, and not what it leads to; also inside a folder.
        symlink(outside.path(), {
            workspace.write("deep/x", b"").unwrap();
            room.path().join("deep/out")
        })
        .unwrap();
        for path in ["folder", "file", "dangling", "deep"] {
            workspace.remove(path).unwrap();
        }
        assert_eq!(room.path().read_dir().unwrap().count(), 0);
        assert_eq!(outside.path().join("kept").metadata().unwrap().len(), 0);
        assert_eq!(outside.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn neither_a_fifo_nor_depth_holds_it_up() {
        let workspace = Workspace::empty("nothing".to_owned()).unwrap();
        let room = workspace.room();
        assert!(Command::new("mkfifo").arg(room.path().join("pipe")).status().unwrap().success());
        assert!(workspace.write("pipe", b"x").is_err() && workspace.read("pipe").is_err());
        std::fs::create_dir_all(room.path().join("d/".repeat(DEPTH + 10))).unwrap();
        workspace.remove("d").unwrap();
        assert!(matches!(workspace.remove("d"), Err(Failure::Unreachable(_))));
    }

    #[test]
    fn endless_path_is_refused_before_anything_is_made() {
        let workspace = Workspace::empty("nothing".to_owned()).unwrap();
        let over = |result: Result<(), Failure>| matches!(result, Err(Failure::OverLimit(_)));
        let long = format!("{}x", "d/".repeat(2 << 20));
        assert!(over(workspace.write(&long, b"")));
        assert!(over(workspace.read(&long).map(drop)) && over(workspace.remove(&long)));
        assert!(over(workspace.write(&format!("{}x", "d/".repeat(DEPTH)), b"")));
        assert_eq!(workspace.room().path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn every_limit_is_one_of_its_own() {
        let over = |result: Result<(), Failure>| matches!(result, Err(Failure::OverLimit(_)));
        let mut quota = Quota::default();
        assert!(quota.copy(COPIED_BYTES).is_ok() && over(quota.copy(1)) && quota.write("a", 1).is_ok());
        let mut quota = Quota::default();
        assert!((0..COPIED_ENTRIES).all(|_| quota.copy(0).is_ok()) && over(quota.copy(0)));
        assert!((0..WORKSPACES).all(|_| quota.open().is_ok()) && over(quota.open()));
        let bytes = usize::try_from(WRITTEN_BYTES).unwrap();
        assert!(quota.write("a", bytes).is_ok() && over(quota.write("a", 1)));
        let mut quota = Quota::default();
        assert!((0..WRITTEN_NAMES / 2).all(|_| quota.write("a/b", 0).is_ok()) && over(quota.write("a", 0)));
    }
}
