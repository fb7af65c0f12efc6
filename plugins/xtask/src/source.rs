//! The digest of everything that a plugin is built from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Besides the plugin's own folder: the contract, the SDK, the build itself and the locked dependencies.
const SHARED: [&str; 6] = ["Cargo.lock", "Cargo.toml", "build", "sdk", "wit", "xtask"];

/// A source that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`")]
pub(crate) struct SourceError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// SHA-256 in lowercase hex over every source file, sorted by relative path with `/` between its parts.
///
/// Each file contributes its path, a zero byte, its length as eight little-endian bytes, and its bytes; so neither a
/// rename nor a byte moved from one file to the next goes unseen.
pub(crate) fn digest(workspace: &Path, plugin: &str) -> Result<String, SourceError> {
    let mut files = Vec::new();
    for entry in SHARED.iter().copied().chain([plugin]) {
        collect(&workspace.join(entry), entry, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for (name, path) in files {
        let bytes = fs::read(&path).map_err(|cause| SourceError { path, cause })?;
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
    }
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Ok(hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), SourceError> {
    let fault = |cause| SourceError { path: path.to_owned(), cause };
    if fs::metadata(path).map_err(fault)?.is_file() {
        files.push((name.to_owned(), path.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        collect(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            for folder in ["sdk/src", "wit", "xtask", "one", "two"] {
                fs::create_dir_all(root.join(folder)).unwrap();
            }
            for file in ["Cargo.lock", "Cargo.toml", "build", "sdk/src/lib.rs", "one/lib.rs", "two/lib.rs"] {
                fs::write(root.join(file), file).unwrap();
            }
            Self(root)
        }

        fn digest(&self) -> String {
            digest(&self.0, "one").unwrap()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn only_what_the_plugin_is_built_from_counts() {
        let tree = Tree::new("counts");
        let before = tree.digest();
        assert_eq!(before.len(), 64);
        fs::write(tree.0.join("two/lib.rs"), "changed").unwrap();
        assert_eq!(tree.digest(), before);
        fs::write(tree.0.join("sdk/src/lib.rs"), "changed").unwrap();
        assert_ne!(tree.digest(), before);
    }

    #[test]
    fn a_renamed_file_counts() {
        let tree = Tree::new("renamed");
        let before = tree.digest();
        fs::rename(tree.0.join("one/lib.rs"), tree.0.join("one/mod.rs")).unwrap();
        assert_ne!(tree.digest(), before);
    }

    #[test]
    fn a_missing_file_is_named() {
        let tree = Tree::new("missing");
        fs::remove_file(tree.0.join("build")).unwrap();
        assert!(digest(&tree.0, "one").unwrap_err().to_string().ends_with("/build`"));
    }
}
