//! The reference programs as processes.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
    time::SystemTime,
};

/// The example `reference`, which `cargo test` builds beside the tests. Panics when it is missing or older than its
/// sources: asked for one test binary only, cargo leaves examples alone.
pub(crate) fn reference() -> &'static str {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().unwrap().parent().unwrap().join("examples/reference");
        let built = modified(&program);
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
        assert!(
            built.is_some_and(|built| newest(&sources).is_some_and(|newest| newest <= built)),
            "the reference programs are not built, or are older than their sources: cargo build --example reference"
        );
        program
    });
    PROGRAM.to_str().unwrap()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// When a file below `folder` was changed last.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter_map(|path| if path.is_dir() { newest(&path) } else { modified(&path) }).max()
}
