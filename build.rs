//! What is known of embedded files before the program runs.
//!
//! - The list of what `mustdo plugin new` writes: embedded as it stands in the repository, because each template is a
//!   project that is built and tested where it lies.
//! - The digests of the shipped plugins, so that no command computes them at its start.
//! - How many known mistakes each of them is held against: counted on the pages that the tests keep.

#![expect(clippy::disallowed_methods, reason = "the fences are for the tool; this runs before there is one")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest as _, Sha256};

/// The folders of what `mustdo plugin new` writes, relative to this one.
const FOLDERS: [&str; 5] = [
    "plugins/sdk",
    "plugins/templates/js",
    "plugins/templates/python",
    "plugins/templates/rust",
    "plugins/wit",
];

/// What tools leave behind in them.
const LEFTOVERS: [&str; 5] = ["target", "node_modules", ".venv", "__pycache__", "vendor"];

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::ErrorKind::NotFound);
    let (root, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    authoring(&root, &out)?;
    digests(&root, &out)?;
    mistakes(&root, &out)
}

fn authoring(root: &Path, out: &Path) -> io::Result<()> {
    let mut files = vec![];
    for folder in FOLDERS {
        walk(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for path in files {
        let name = path.strip_prefix(root.join("plugins")).map_err(io::Error::other)?;
        // As Rust writes a string: quotes and backslashes in a path of this machine stay what they are.
        let [name, path] = [name, &path].map(|path| format!("{:?}", path.to_string_lossy()));
        // Writing to a string can not fail.
        let _ = writeln!(list, "    ({name}, include_bytes!({path})),");
    }
    list.push_str("]\n");
    fs::write(out.join("authoring.rs"), list)
}

/// The components that `store::embedded` names: those between `plugins![` and the next `]`.
fn components(root: &Path) -> io::Result<Vec<String>> {
    let list = root.join("src/store/embedded.rs");
    println!("cargo::rerun-if-changed={}", list.display());
    let text = fs::read_to_string(list)?;
    let named = text.split_once("plugins![").and_then(|(_, rest)| rest.split_once(']'));
    let (named, _) = named.ok_or_else(|| io::Error::other("src/store/embedded.rs has no list of plugins"))?;
    Ok(named.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Writes the 32 bytes of each component's SHA-256 beside one another, as `NAME.sha256`.
fn digests(root: &Path, out: &Path) -> io::Result<()> {
    for name in components(root)? {
        let path = root.join("plugins").join(&name).with_extension("wasm");
        // One that is not there yet is looked for at every build; the program itself can not do without it.
        println!("cargo::rerun-if-changed={}", path.display());
        if path.exists() {
            fs::write(out.join(&name).with_extension("sha256"), Sha256::digest(fs::read(&path)?))?;
        }
    }
    Ok(())
}

/// Writes how many rows the tables of known mistakes have for each component, as the expression `NAME.mistakes`. Its pages
/// are `docs/proof/NAME.md` and, for other references, `NAME-….md`; a mistake that two of them have counts once.
fn mistakes(root: &Path, out: &Path) -> io::Result<()> {
    let pages = root.join("docs/proof");
    println!("cargo::rerun-if-changed={}", pages.display());
    let pages: Vec<PathBuf> =
        fs::read_dir(pages)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    for name in components(root)? {
        let mut known = BTreeSet::new();
        for page in &pages {
            let stem = page.file_stem().unwrap_or_default().to_string_lossy();
            let rest = stem.strip_prefix(&name);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
                println!("cargo::rerun-if-changed={}", page.display());
                known.extend(rows_of_known_mistakes(&fs::read_to_string(page)?));
            }
        }
        fs::write(out.join(&name).with_extension("mistakes"), known.len().to_string())?;
    }
    Ok(())
}

/// The names in the first column of the section.
fn rows_of_known_mistakes(page: &str) -> BTreeSet<String> {
    let sections = page.split("\n## ").filter(|section| section.starts_with("Known mistakes"));
    let rows = sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if LEFTOVERS.iter().any(|leftover| name == *leftover) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_none_or(|extension| extension != "wasm") {
            files.push(path);
        }
    }
    Ok(())
}
