//! Folders that go away.

use std::path::Path;

use tempfile::TempDir;

use super::StoreError;

/// A folder for the life of this value, among the system's temporary files.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes an empty folder whose name begins with `name`.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir();
        let folder = folder.map_err(|source| StoreError::Write { path: std::env::temp_dir(), source })?;
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}
