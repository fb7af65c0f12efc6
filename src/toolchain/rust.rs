//! Rust: cargo builds a core module for `wasm32-unknown-unknown`.
//!
//! Where the compiler in use has no such target, Debian's `rustc-web` builds it with a standard library compiled from
//! its sources, as `plugins/build` in the repository does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::program::{Surroundings, ask, run};
use super::{Order, ToolchainError};

/// Without WASI: the host's is empty, and the contract offers what a check needs.
const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, whatever else is first on the search path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Builds the library of the package in the folder.
pub(super) fn build(order: &Order<'_>, around: &Surroundings) -> Result<PathBuf, ToolchainError> {
    let mut command = cargo(order.folder, around)?;
    let flags: Vec<_> = remapped(order.folder, around).iter().map(|flag| format!("{flag:?}")).collect();
    command
        .current_dir(order.folder)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .arg("--config")
        .arg(format!("target.{TARGET}.rustflags=[{}]", flags.join(",")));
    let messages = run(&mut command)?;
    let hint = "in Cargo.toml: [lib] crate-type = [\"cdylib\", \"rlib\"]";
    match &modules(&messages)[..] {
        [module] => Ok(module.clone()),
        [] => {
            let reason = "the package builds, and it is no WebAssembly module".to_owned();
            Err(ToolchainError::NoPlugin { reason, hint })
        }
        several => {
            let reason = format!("the package builds {} WebAssembly modules", several.len());
            Err(ToolchainError::NoPlugin { reason, hint: "build the folder of one package" })
        }
    }
}

/// A cargo that can build for the target.
fn cargo(folder: &Path, around: &Surroundings) -> Result<Command, ToolchainError> {
    let usual = around.find("rustc").zip(around.find("cargo"));
    if let Some((rustc, cargo)) = &usual {
        let library = ask(rustc, &["--print", "target-libdir", "--target", TARGET], folder);
        if library.is_some_and(|library| Path::new(&library).is_dir()) {
            return Ok(Command::new(cargo));
        }
    }
    debian(folder, around).ok_or_else(|| {
        let mut install = vec![];
        if around.find("rustup").is_some() {
            install.push(format!("rustup target add {TARGET}"));
        } else if usual.is_none() {
            install.push(format!("https://rustup.rs, then: rustup target add {TARGET}"));
        }
        if around.find("apt-get").is_some() {
            let llvm = llvm(folder).map_or_else(|| "lld-22".to_owned(), |version| format!("lld-{version}"));
            install.push(format!("apt-get install rustc-web cargo-web rust-web-src {llvm}"));
        }
        ToolchainError::Missing { what: format!("Rust's target {TARGET}"), install }
    })
}

/// Debian's compiler with the sources of its standard library, and the linker of its LLVM.
fn debian(folder: &Path, around: &Surroundings) -> Option<Command> {
    let linker = around.find(&format!("wasm-ld-{}", llvm(folder)?))?;
    let library = standard_library(folder)?;
    if !library.is_dir() || !Path::new(DEBIAN_CARGO).is_file() {
        return None;
    }
    let mut command = Command::new(DEBIAN_CARGO);
    command
        .env("RUSTC", DEBIAN_RUSTC)
        // A stable compiler builds its standard library only when it is told that it may.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
    Some(command)
}

fn llvm(folder: &Path) -> Option<String> {
    let version = ask(Path::new(DEBIAN_RUSTC), &["--verbose", "--version"], folder)?;
    let version = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next().map(str::to_owned)
}

fn standard_library(folder: &Path) -> Option<PathBuf> {
    let root = ask(Path::new(DEBIAN_RUSTC), &["--print", "sysroot"], folder)?;
    Some(Path::new(&root).join("lib/rustlib/src/rust/library"))
}

/// Flags that keep the paths of this machine out of the plugin.
fn remapped(folder: &Path, around: &Surroundings) -> Vec<String> {
    let registry = around.cargo_home.as_ref().map(|home| (home.join("registry/src"), "/registry"));
    let checkouts = around.cargo_home.as_ref().map(|home| (home.join("git/checkouts"), "/git"));
    let library = standard_library(folder).map(|library| (library, "/rust"));
    let places = [registry, checkouts, library].into_iter().flatten();
    places.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
}

/// The modules that cargo says it made (The Cargo Book, "External tools", artifact messages).
fn modules(messages: &str) -> Vec<PathBuf> {
    let mut modules = vec![];
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let kinds = message["target"]["kind"].as_array();
        let library = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"));
        if message["reason"] == "compiler-artifact" && library {
            let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            modules.extend(
                files.filter(|file| Path::new(file).extension() == Some("wasm".as_ref())).map(PathBuf::from),
            );
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_taken_from_what_cargo_says() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"]},"filenames":["/t/libserde.rlib"]}
{"reason":"compiler-artifact","target":{"kind":["cdylib","rlib"]},"filenames":["/t/plugin.wasm","/t/libplugin.rlib"]}
{"reason":"build-finished","success":true}
not json"#;
        assert_eq!(modules(messages), [PathBuf::from("/t/plugin.wasm")]);
        assert!(modules("").is_empty());
    }

    #[test]
    fn paths_of_the_home_stay_out() {
        let around = Surroundings { cargo_home: Some("/home/me/.cargo".into()), ..Surroundings::default() };
        let flags = remapped(Path::new("/"), &around);
        assert_eq!(flags[0], "--remap-path-prefix=/home/me/.cargo/registry/src=/registry");
    }
}
