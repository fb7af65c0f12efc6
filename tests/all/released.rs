//! Old plugins go on working: what was released once links, describes itself and runs in today's host; and a plugin of a
//! contract that is yet to come says what it needs.
//!
//! `tests/fixtures/released/ID-VERSION.wasm` holds every component that was given out, byte for byte. A release adds its
//! own; none is ever changed or taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mustdo::model::Outcome;
use mustdo::plugin::{CachePolicy, Host, HostOptions, LoadError};
use mustdo::store::PLUGINS;
use mustdo::verify::{Reporter, Task, TaskId, Verifier};
use tokio::sync::mpsc::unbounded_channel;

use crate::guest::Guest;

fn released() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/released");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().all(|file| file.extension() == Some("wasm".as_ref())), "{files:?}");
    files
}

fn host() -> Host {
    let cache = CachePolicy::Directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/mustdo/cwasm-v1"));
    Host::new(HostOptions::new(cache)).unwrap()
}

#[tokio::test]
async fn every_released_plugin_goes_on_working() {
    let host = host();
    let mut ids = BTreeSet::new();
    for file in released() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let loaded = host.load(&fs::read(&file).unwrap());
        let plugin = loaded.unwrap_or_else(|error| panic!("{stem} {error}")).plugin;
        let digest = plugin.digest();
        let info = host.describe(&plugin).await.unwrap_or_else(|error| panic!("{stem} {error}"));
        assert_eq!(stem, format!("{}-{}", info.id.stem(), info.version));
        host.add(plugin, &info);
        for check in &info.checks {
            // Nothing is granted: a check that does its work all the same says that it could not tell.
            let task = Task {
                id: TaskId(0),
                item: "must-do.probe".parse().unwrap(),
                check: format!("{}/{}", info.id, check.id).parse().unwrap(),
                plugin: digest,
                params: "{}".to_owned(),
                targets: BTreeMap::new(),
                allowed: BTreeSet::new(),
                exclusive: check.exclusive,
                names: BTreeMap::new(),
                supervised: BTreeMap::new(),
                seed: 1,
                deadline: Duration::from_secs(20),
            };
            let run = host.verify(&task, Reporter::new(TaskId(0), unbounded_channel().0)).await;
            let verdict = run.unwrap_or_else(|error| panic!("{stem} {}: {error}", check.id)).verdict;
            assert_eq!(verdict.outcome, Outcome::Inconclusive, "{stem} {}: {verdict:?}", check.id);
        }
        ids.insert(info.id.to_string());
    }
    for shipped in PLUGINS {
        assert!(ids.contains(shipped.id), "{} ships, and no release of it is kept", shipped.id);
    }
}

fn refusal(guest: &Guest) -> String {
    match host().load(&guest.build()) {
        Ok(_) => panic!("it was taken"),
        Err(error @ LoadError::Newer { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn plugin_of_a_later_contract_says_what_it_needs() {
    let told = refusal(&Guest::new().contract("0.2.0"));
    assert!(told.starts_with("needs mustdo ≥ 0.2.0: "), "{told}");
    let later = Guest::new()
        .contract("0.1.1")
        .addition("clock", "leap-seconds: func() -> u32;")
        .import("clock", "leap-seconds", "(result i32)")
        .run("(drop (call $leap-seconds))");
    let told = refusal(&later);
    assert!(told.starts_with("needs mustdo ≥ 0.1.1: "), "{told}");
}

#[test]
fn plugin_of_a_later_patch_that_uses_nothing_new_is_taken() {
    let unused = Guest::new().contract("0.1.1").addition("clock", "leap-seconds: func() -> u32;");
    assert_eq!(host().load(&unused.build()).unwrap().plugin.contract().to_string(), "0.1.1");
}
