//! Directory targets behind the component's imports.

use super::bindings::mustdo::verifier::files;
use super::{Imports, failure};
use crate::Failure;
use crate::files::{Entry, Files, Kind};
use crate::host::Folders;

impl Folders for Imports {
    fn open_folder(&self, target: &str) -> Result<Box<dyn Files>, Failure> {
        let tree = files::open(target).map_err(failure)?;
        Ok(Box::new(tree))
    }
}

impl Files for files::Tree {
    fn walk(&self, glob: &str, all: bool, max: u32) -> Result<Vec<Entry>, Failure> {
        let found = files::Tree::walk(self, "", glob, all, max).map_err(failure)?;
        Ok(found.into_iter().map(entry).collect())
    }

    fn read(&self, path: &str, offset: u64, max: u32) -> Result<Vec<u8>, Failure> {
        files::Tree::read(self, path, offset, max).map_err(failure)
    }
}

fn entry(entry: files::Entry) -> Entry {
    let kind = match entry.kind {
        files::Kind::File => Kind::File,
        files::Kind::Directory => Kind::Directory,
        files::Kind::Symlink => Kind::Symlink,
        files::Kind::Other => Kind::Other,
    };
    Entry { path: entry.path, kind, size: entry.size }
}
