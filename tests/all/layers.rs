//! The layers of `docs/architecture.md`, held against every `use` in `src/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with the layers it may know, itself aside.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("process", &[]),
    ("syntax", &["model"]),
    ("verify", &["model", "process"]),
    ("report", &["model"]),
    ("store", &["model"]),
    ("target", &["model", "process"]),
    ("fetch", &["model", "process"]),
    ("toolchain", &["model", "syntax"]),
    ("plugin", &["model", "process", "verify"]),
    ("reference", &[]),
    ("fuzzing", &["model", "syntax", "report", "fetch", "plugin"]),
    (
        "cli",
        &[
            "model",
            "process",
            "syntax",
            "verify",
            "report",
            "store",
            "target",
            "fetch",
            "toolchain",
            "plugin",
            "reference",
        ],
    ),
];

/// Crates that only one layer may know, and which.
const OWNERS: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("etcetera", &["cli"]),
    ("git2", &["store"]),
    ("tempfile", &["store", "plugin", "target"]),
    ("comfy_table", &["report"]),
    ("quick_junit", &["report"]),
    ("serde", &["report", "reference"]),
    ("base64", &["plugin", "report"]),
    ("miniz_oxide", &["plugin"]),
    ("rand_core", &["plugin"]),
    ("procfs_core", &["process"]),
    ("tokio_rustls", &["fetch"]),
    ("rustls_native_certs", &["fetch"]),
    ("wasmtime", &["plugin"]),
    ("wasmtime_wasi", &["plugin"]),
    ("wit_component", &["plugin"]),
    ("toml", &["syntax"]),
    ("toml_edit", &["syntax"]),
    ("annotate_snippets", &["syntax"]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "only {} files: is this the right folder?", found.len());
    found
}

/// The layer a file belongs to; none for the crate's own two files.
fn layer(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
    (inside.components().count() > 1).then_some(first)
}

/// Code without tests: what stands before `#[cfg(test)] mod`, comments left out.
fn code(text: &str) -> String {
    let shipped = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
    shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every name that follows `prefix` in `code` where a path begins: `crate::model` gives `model`.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut names = vec![];
    for (index, _) in code.match_indices(prefix) {
        let before = code[..index].chars().next_back();
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
            let rest = &code[index + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            names.push(&rest[..end]);
        }
    }
    names
}

#[test]
fn each_layer_knows_only_the_layers_below_it() {
    let allowed: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut seen = BTreeMap::new();
    for (path, text) in sources() {
        let Some(own) = layer(&path) else { continue };
        let allowed =
            allowed.get(&*own).unwrap_or_else(|| panic!("{own} is in no layer: {}", path.display()));
        for used in names_after(&code(&text), "crate::") {
            *seen.entry(own.clone()).or_insert(0) += 1;
            let known = LAYERS.iter().any(|(layer, _)| *layer == used);
            assert!(
                used == own || !known || allowed.contains(&used),
                "{} uses {used}, which the layer {own} must not know",
                path.display()
            );
            // A group, `use crate::{a, b}`, has no name here: one line for each layer keeps it in sight of this test.
            assert!(known, "{} uses crate::{used}, which is no layer", path.display());
        }
    }
    assert!(seen["cli"] > 20, "the test does not see what cli uses");
}

#[test]
fn crates_that_reach_outside_have_one_owner() {
    let mut seen = 0;
    for (path, text) in sources() {
        let Some(own) = layer(&path) else { continue };
        let code = code(&text);
        for (owned, owners) in OWNERS {
            let uses =
                code.contains(&format!("{owned}::")) && !names_after(&code, &format!("{owned}::")).is_empty();
            seen += usize::from(uses);
            assert!(
                !uses || owners.contains(&&*own),
                "{} uses {owned}, which belongs to {owners:?}",
                path.display()
            );
        }
    }
    assert!(seen > 10, "the test does not see who uses what");
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} does not begin with module documentation", path.display());
    }
}

#[test]
fn module_names_are_nouns_with_a_meaning() {
    for path in sources().keys() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            !["util", "utils", "helper", "helpers", "common", "misc", "manager", "imp"].contains(&stem),
            "{} has a name that means nothing",
            path.display()
        );
    }
}
