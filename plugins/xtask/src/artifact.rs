//! The component that is committed: made from a core module, marked with the digest of its sources.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wasm_encoder::{ComponentSection, CustomSection, Encode};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The custom section that holds the digest, in hex.
const SOURCES: &str = "mustdo:sources";

/// Why there is no component, or not the right one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    #[error("cannot read `{path}`: {cause}")]
    Read { path: PathBuf, cause: io::Error },
    #[error("cannot write `{path}`: {cause}")]
    Write { path: PathBuf, cause: io::Error },
    #[error("`{path}` does not become a component: {reason}")]
    Encode { path: PathBuf, reason: String },
    #[error("`{path}` is no valid component: {cause}")]
    Parse { path: PathBuf, cause: wasmparser::BinaryReaderError },
    #[error("`{path}` does not say which sources it is made from; run plugins/build")]
    Unmarked { path: PathBuf },
    #[error(
        "`{path}` is made from other sources ({marked}) than these ({digest}); run plugins/build and commit it"
    )]
    Stale { path: PathBuf, marked: String, digest: String },
}

/// Encodes and validates the component of a core module, without names, marked with the digest.
pub(crate) fn component(core: &Path, digest: &str) -> Result<Vec<u8>, ArtifactError> {
    let module = read(core)?;
    let fault = |reason: String| ArtifactError::Encode { path: core.to_owned(), reason };
    let mut bytes = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| fault(format!("{error:#}")))?;
    let mark = CustomSection { name: Cow::Borrowed(SOURCES), data: Cow::Borrowed(digest.as_bytes()) };
    bytes.push(ComponentSection::id(&mark));
    mark.encode(&mut bytes);
    wasmparser::validate(&bytes).map_err(|cause| ArtifactError::Parse { path: core.to_owned(), cause })?;
    Ok(bytes)
}

/// Fails when the committed component is not made from the sources of that digest; else tells whether the built one
/// has the same bytes.
pub(crate) fn check(digest: &str, committed: &Path, built: &Path) -> Result<bool, ArtifactError> {
    let bytes = read(committed)?;
    let marked = mark_of(&bytes)
        .map_err(|cause| ArtifactError::Parse { path: committed.to_owned(), cause })?
        .ok_or_else(|| ArtifactError::Unmarked { path: committed.to_owned() })?;
    if marked != digest {
        return Err(ArtifactError::Stale { path: committed.to_owned(), marked, digest: digest.to_owned() });
    }
    Ok(bytes == read(built)?)
}

/// Replaces the file as a whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ArtifactError> {
    let fault = |cause| ArtifactError::Write { path: path.to_owned(), cause };
    let fresh = path.with_extension("wasm.new");
    fs::write(&fresh, bytes).map_err(fault)?;
    fs::rename(&fresh, path).map_err(fault)
}

fn mark_of(bytes: &[u8]) -> Result<Option<String>, wasmparser::BinaryReaderError> {
    let mut mark = None;
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload?
            && section.name() == SOURCES
        {
            mark = Some(String::from_utf8_lossy(section.data()).into_owned());
        }
    }
    Ok(mark)
}

fn read(path: &Path) -> Result<Vec<u8>, ArtifactError> {
    fs::read(path).map_err(|cause| ArtifactError::Read { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(PathBuf);

    impl File {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{name}-{}.wasm", std::process::id()));
            fs::write(&path, bytes).unwrap();
            Self(path)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            fs::remove_file(&self.0).unwrap();
        }
    }

    fn empty_module() -> Vec<u8> {
        wasm_encoder::Module::new().finish()
    }

    #[test]
    fn a_component_carries_the_digest_of_its_sources() {
        let core = File::new("core", &empty_module());
        let made = component(&core.0, "abc").unwrap();
        let made = File::new("made", &made);
        assert!(check("abc", &made.0, &made.0).unwrap());
        assert!(matches!(check("abd", &made.0, &made.0), Err(ArtifactError::Stale { .. })));
    }

    #[test]
    fn other_bytes_of_the_same_sources_are_told_apart() {
        let core = File::new("core-bytes", &empty_module());
        let made = File::new("bytes", &component(&core.0, "abc").unwrap());
        assert!(!check("abc", &made.0, &core.0).unwrap());
    }

    #[test]
    fn a_component_without_the_mark_is_refused() {
        let bare = File::new("bare", &wasm_encoder::Component::new().finish());
        assert!(matches!(check("abc", &bare.0, &bare.0), Err(ArtifactError::Unmarked { .. })));
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let text = File::new("text", b"hello");
        assert!(matches!(component(&text.0, "abc"), Err(ArtifactError::Encode { .. })));
    }
}
