//! What does not verify does not load the wasm engine: the plain case is instant.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::sandbox::Sandbox;

/// Signals that the engine handles for the whole process from the moment it starts, and that the standard library leaves
/// alone: `SIGILL` and `SIGFPE` (signal(7)). Handlers stay when the engine has gone.
const ENGINE: u64 = 1 << (4 - 1) | 1 << (8 - 1);

/// What a command left behind.
struct Trace {
    /// Whether it ever had the engine.
    engine: bool,
    /// Whether it made a folder for compiled plugins.
    cache: bool,
}

/// Runs mustdo to its end and looks at it before the kernel forgets it.
fn trace(sandbox: &Sandbox, arguments: &[&str]) -> Trace {
    let cache = sandbox.path().with_file_name("cache");
    let mut child = sandbox
        .command(env!("CARGO_BIN_EXE_mustdo"))
        .env("XDG_CACHE_HOME", &cache)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Ended and not yet waited for, it still has its entry in proc(5), with the signals it caught.
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(&child)), ended).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    Trace { engine: caught & ENGINE != 0, cache: cache.exists() }
}

#[test]
fn commands_that_do_not_verify_do_not_load_the_engine() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["tick", "xss"]).ends(0);
    let item = "frontend.idempotent-request";
    for arguments in [
        &["list"][..],
        &["list", "--status", "open"],
        &["show", item],
        &["report"],
        &["report", "--items"],
        &["report", "--format", "json"],
        &["tick", "xss"],
        &["untick", "xss"],
        &["explain", "E0101"],
        &["--help"],
    ] {
        let trace = trace(&sandbox, arguments);
        assert!(!trace.engine, "{arguments:?} loads the engine");
        assert!(!trace.cache, "{arguments:?} makes a cache");
    }
}

#[test]
fn a_loaded_engine_is_seen() {
    let trace = trace(&Sandbox::workspace(), &["plugin", "info", "http-idempotency"]);
    assert!(trace.engine && trace.cache);
}
