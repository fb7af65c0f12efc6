//! Components that are work for a compiler.

use std::time::{Duration, Instant};

use super::workspace;
use crate::guest::Guest;
use crate::sandbox::Sandbox;

/// A plugin with functions of many branches whose values all live to the end: registers are hard to give out.
fn heavy(functions: usize, branches: usize) -> Guest {
    let branch = "(if (i32.rem_u (local.get 0) (local.get 1))
        (then (local.set 1 (i32.add (local.get 0) (local.get 2))))
        (else (local.set 2 (i32.mul (local.get 1) (local.get 3)))))";
    let function = format!(
        "(func (param i32 i32 i32 i32) (result i32) {} (i32.add (local.get 1) (local.get 2)))",
        branch.repeat(branches)
    );
    Guest::new().more(function.repeat(functions))
}

/// The plugin can not be used, and these are among the words that say why.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &[&str]) {
    let printed = sandbox.run(&["plugin", "info", "test-guest"]).ends(2);
    assert!(words.iter().all(|words| printed.stderr.contains(words)), "{}", printed.stderr);
}

#[test]
fn component_that_takes_too_long_is_stopped_and_told() {
    let sandbox = workspace::with(&heavy(6, 8_000), "[limits]\ncompile-seconds = 1\n");
    let began = Instant::now();
    refused(&sandbox, &["takes longer than 1 s to compile", "compile-seconds under [limits]"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn component_that_needs_too_much_memory_is_stopped_and_told() {
    let sandbox = workspace::with(&heavy(1, 40_000), "[limits]\ncompile-memory-mib = 512\n");
    refused(&sandbox, &["needs more than 512 MiB to be compiled", "compile-memory-mib under [limits]"]);
}

#[test]
fn foreign_plugin_compiles_in_a_process_with_and_without_a_cache() {
    for cache in ["", "off"] {
        let sandbox = workspace::with(&Guest::new(), "");
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        command.env("MUSTDO_CWASM_CACHE", cache).env("XDG_CACHE_HOME", sandbox.path().join("../cache"));
        let output = command.args(["plugin", "info", "test-guest"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("test-guest 1.2.3: A guest"));
        let kept = sandbox.path().join("../cache/mustdo/cwasm-v1").read_dir().map_or(0, Iterator::count);
        assert_eq!(kept, usize::from(cache.is_empty()));
    }
}

#[test]
fn limit_holds_for_the_user_and_the_workspace_has_the_last_word() {
    let sandbox = workspace::with(&heavy(6, 8_000), "");
    sandbox.write("../home/config/mustdo/config.toml", "[limits]\ncompile-seconds = 1\n");
    refused(&sandbox, &["takes longer than 1 s to compile"]);
}
