//! What the host adds to a check: loading a plugin, and a store, an instance and a call for each run.

#![expect(clippy::unwrap_used, reason = "a bench that can not be set up has nothing to measure")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mustdo::model::Digest;
use mustdo::plugin::{CachePolicy, Host, HostOptions};
use mustdo::verify::{Reporter, Task, TaskId, Verifier};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;

/// The plugin that ships, as large as a plugin in Rust gets.
const SHIPPED: &[u8] = include_bytes!("../plugins/http-idempotency.wasm");

fn options(cache: CachePolicy) -> HostOptions {
    HostOptions { cache, environment: BTreeMap::new(), secrets: vec![] }
}

fn task(plugin: Digest) -> Task {
    Task {
        id: TaskId(0),
        item: "must-do.probe".parse().unwrap(),
        // A check that it does not know: what is left is what every run pays.
        check: "http-idempotency/nothing".parse().unwrap(),
        plugin,
        params: "{}".to_owned(),
        targets: BTreeMap::new(),
        allowed: BTreeSet::new(),
        seed: 7,
        deadline: Duration::from_secs(20),
    }
}

fn run(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let host = Host::new(options(CachePolicy::Off)).unwrap();
    let plugin = host.load(SHIPPED).unwrap().plugin;
    let digest = plugin.digest();
    let info = runtime.block_on(host.describe(&plugin)).unwrap();
    host.add(plugin, &info);
    let task = task(digest);
    criterion.bench_function("store, instance, call, drop", |bencher| {
        bencher.iter(|| {
            let reporter = Reporter::new(TaskId(0), unbounded_channel().0);
            black_box(runtime.block_on(host.verify(&task, reporter)))
        });
    });
}

fn load(criterion: &mut Criterion) {
    let root = tempfile::tempdir().unwrap();
    let cache = CachePolicy::Directory(root.path().join("cwasm"));
    let cached = Host::new(options(cache.clone())).unwrap();
    cached.load(SHIPPED).unwrap();
    let uncached = Host::new(options(CachePolicy::Off)).unwrap();
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("compiled before", |bencher| bencher.iter(|| black_box(cached.load(SHIPPED))));
    group.bench_function("compiled now", |bencher| bencher.iter(|| black_box(uncached.load(SHIPPED))));
    group.bench_function("engine and linker", |bencher| {
        bencher.iter(|| black_box(Host::new(options(CachePolicy::Off))));
    });
    group.finish();
}

criterion_group!(benches, run, load);
criterion_main!(benches);
