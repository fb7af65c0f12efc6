//! A directory target, to be read: the learner's tree as it is, never changed.

use crate::Failure;

/// Bytes of one call, whatever a file's size.
const CHUNK: u32 = 1 << 20;

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file with bytes in it.
    File,
    /// A folder.
    Directory,
    /// A symbolic link; it is never followed.
    Symlink,
    /// Anything else.
    Other,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, with `/` between its parts.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file, 0 of anything else.
    pub size: u64,
}

/// The host's side of a [`Tree`].
pub trait Files {
    /// Entries below the root whose path matches the glob, sorted by path: the first `max`.
    fn walk(&self, glob: &str, all: bool, max: u32) -> Result<Vec<Entry>, Failure>;
    /// Up to `max` bytes from `offset`; fewer only where the file ends.
    fn read(&self, path: &str, offset: u64, max: u32) -> Result<Vec<u8>, Failure>;
}

/// A directory target; from [`Context::folder`](crate::Context::folder). Files that may hold secrets are not in it.
pub struct Tree {
    files: Box<dyn Files>,
}

impl Tree {
    pub(crate) fn new(files: Box<dyn Files>) -> Self {
        Self { files }
    }

    /// Entries whose path matches the glob, sorted by path, the first `max`; with `all` also those that git ignores.
    pub fn walk(&self, glob: &str, all: bool, max: u32) -> Result<Vec<Entry>, Failure> {
        self.files.walk(glob, all, max)
    }

    /// Hands a file over in pieces of up to 1 MiB, in order, until it ends or `take` says that it is enough.
    pub fn read(&self, path: &str, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Failure> {
        let mut offset = 0;
        loop {
            let piece = self.files.read(path, offset, CHUNK)?;
            offset += piece.len() as u64;
            if piece.is_empty() || !take(&piece) {
                return Ok(());
            }
        }
    }
}
