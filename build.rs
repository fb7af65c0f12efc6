//! Lists the files that `mustdo plugin new` writes, so that they are embedded as they stand in the repository: each
//! template is a project that is built and tested where it lies.

#![expect(clippy::disallowed_methods, reason = "the fences are for the tool; this runs before there is one")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders, relative to this one.
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
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
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
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("authoring.rs"), list)
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
