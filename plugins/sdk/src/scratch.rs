//! A private, writable copy of a directory target, removed after the run. The learner's tree is never changed.

use crate::process::{Child, Command, Program};
use crate::{Failure, Host};

/// The host's side of a [`Workspace`]. Paths are relative to its root.
pub trait Folder {
    /// The whole content of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, Failure>;
    /// Makes a file, with the folders that it needs, or replaces it.
    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure>;
    /// Removes a file.
    fn remove(&self, path: &str) -> Result<(), Failure>;
    /// Starts a program inside.
    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure>;
}

/// A copy to work in; from [`Context::scratch`](crate::Context::scratch).
pub struct Workspace<'host> {
    host: &'host dyn Host,
    folder: Box<dyn Folder>,
}

impl<'host> Workspace<'host> {
    pub(crate) fn new(host: &'host dyn Host, folder: Box<dyn Folder>) -> Self {
        Self { host, folder }
    }

    /// The whole content of a file; `path` is relative to the root and cannot leave it.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.folder.read(path)
    }

    /// Makes a file, with the folders that it needs, or replaces it.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.folder.write(path, bytes)
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> Result<(), Failure> {
        self.folder.remove(path)
    }

    /// Starts a program of a command target, with this copy as its current folder.
    pub fn start(&self, command: &Command) -> Result<Child<'host>, Failure> {
        self.folder.start(command).map(|program| Child::new(self.host, program))
    }
}
