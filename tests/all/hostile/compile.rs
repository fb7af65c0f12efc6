//! Components that are work for a compiler.

use std::path::Path;
use std::time::{Duration, Instant};

use super::workspace;
use crate::guest::Guest;
use crate::sandbox::Sandbox;

/// A plugin that is too much for Cranelift, and that Winch does not take at all: it knows no tail calls.
fn heavy(functions: usize, branches: usize) -> Guest {
    Guest::new().more(code(functions, branches) + "(func $tail (return_call $tail))")
}

/// The same, which Winch takes.
fn lighter(functions: usize, branches: usize) -> Guest {
    Guest::new().more(code(functions, branches))
}

/// Functions of many branches whose values all live to the end: registers are hard to give out.
fn code(functions: usize, branches: usize) -> String {
    let branch = "(if (i32.rem_u (local.get 0) (local.get 1))
        (then (local.set 1 (i32.add (local.get 0) (local.get 2))))
        (else (local.set 2 (i32.mul (local.get 1) (local.get 3)))))";
    let function = format!(
        "(func (param i32 i32 i32 i32) (result i32) {} (i32.add (local.get 1) (local.get 2)))",
        branch.repeat(branches)
    );
    function.repeat(functions)
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

/// The entries of a cache by how they end: native code, and attempts to make it.
fn entries(cache: &Path) -> [usize; 2] {
    let names: Vec<_> = cache.join("mustdo/cwasm-v1").read_dir().map_or_else(
        |_| vec![],
        |entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
    );
    [".cwasm", ".tries"].map(|end| names.iter().filter(|name| name.ends_with(end)).count())
}

/// Opens a plugin with a cache of its own, and waits for what is made in the background.
fn open(sandbox: &Sandbox, plugin: &str, cache: &Path, awaited: [usize; 2]) {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
    let output = command.env("XDG_CACHE_HOME", cache).args(["plugin", "info", plugin]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let began = Instant::now();
    while entries(cache) != awaited {
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", entries(cache));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn large_plugin_gets_better_code_after_its_first_run() {
    for plugin in ["http-idempotency", "test-guest"] {
        let sandbox = workspace::with(&lighter(60, 200), "");
        let cache = sandbox.path().join("../cache");
        // One of each compiler, and no attempt that came to nothing.
        open(&sandbox, plugin, &cache, [2, 0]);
        let before = entries(&cache);
        open(&sandbox, plugin, &cache, before);
    }
}

#[test]
fn plugin_that_is_too_much_for_one_compiler_runs_on_the_code_of_the_other() {
    let sandbox = workspace::with(&lighter(1, 40_000), "[limits]\ncompile-memory-mib = 512\n");
    let cache = sandbox.path().join("../cache");
    for _ in 0..2 {
        open(&sandbox, "test-guest", &cache, [1, 1]);
    }
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
