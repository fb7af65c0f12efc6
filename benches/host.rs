//! The wasm host: loading a plugin cold and warm, one instance, and whole checks beside a plain hyper client that sends
//! the same requests over as many connections.

mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use mustdo::model::{Authority, Capability, Endpoint, Outcome};
use mustdo::plugin::{Backend, Backends, CachePolicy, Host, HostOptions};
use mustdo::reference::{Options, Service};
use mustdo::store::PLUGINS;
use mustdo::verify::{Reporter, Task, TaskId, Verifier as _};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;
use wire::{Recorder, Script};

fn host(cache: CachePolicy) -> Host {
    Host::new(HostOptions::new(cache)).expect("the engine starts")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the runtime starts")
}

/// The shop with work that takes no time: what is left is what a check costs.
fn shop() -> Service {
    let options = Options { slow: Duration::ZERO, ..Options::default() };
    Service::bind(options, (Ipv4Addr::LOCALHOST, 0).into()).expect("there is a free port")
}

fn load(criterion: &mut Criterion) {
    let bytes = PLUGINS[0].bytes;
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let directory = folder.path().join("mustdo/cwasm");
    let warm = host(CachePolicy::Directory(directory));
    let plugin = warm.load(bytes).expect("the shipped plugin loads").plugin;
    let cold = [Backend::Winch, Backend::Cranelift].map(|backend| {
        let options = HostOptions { backends: Backends::Only(backend), ..HostOptions::new(CachePolicy::Off) };
        (backend, Host::new(options).expect("the engine starts"))
    });
    let runtime = runtime();

    let mut group = criterion.benchmark_group("plugin");
    group.sample_size(10);
    group.bench_function("engine and linker", |bencher| bencher.iter(|| host(CachePolicy::Off)));
    for (backend, cold) in &cold {
        group.bench_function(format!("load, compiling with {}", backend.name()), |bencher| {
            bencher.iter(|| cold.load(black_box(bytes)).expect("the shipped plugin compiles"));
        });
    }
    group.bench_function("load, compiled before", |bencher| {
        bencher.iter(|| warm.load(black_box(bytes)).expect("the shipped plugin loads"));
    });
    group.sample_size(50);
    group.bench_function("store, instance and describe", |bencher| {
        bencher
            .iter(|| runtime.block_on(warm.describe(&plugin)).expect("the shipped plugin describes itself"));
    });
    group.finish();
}

/// A host with the shipped plugin, and a task for its cheapest check.
struct Bench {
    runtime: Runtime,
    host: Host,
    task: Task,
}

impl Bench {
    fn new() -> Self {
        let runtime = runtime();
        let host = host(CachePolicy::Off);
        let plugin = host.load(PLUGINS[0].bytes).expect("the shipped plugin loads").plugin;
        let digest = plugin.digest();
        let info = runtime.block_on(host.describe(&plugin)).expect("the shipped plugin describes itself");
        host.add(plugin, &info);
        let target = "api".parse().expect("a name");
        let task = Task {
            id: TaskId(0),
            item: "frontend.idempotent-request".parse().expect("an item"),
            check: "http-idempotency/safe-get".parse().expect("a check"),
            plugin: digest,
            params: "{}".to_owned(),
            targets: BTreeMap::new(),
            names: BTreeMap::new(),
            supervised: BTreeMap::new(),
            allowed: BTreeSet::from([Capability::Http(target)]),
            exclusive: false,
            seed: 7,
            deadline: Duration::from_mins(1),
        };
        Self { runtime, host, task }
    }

    async fn check(&self, service: SocketAddr) {
        let mut task = self.task.clone();
        let authority = Authority { host: service.ip().to_string(), port: service.port() };
        let endpoint = Endpoint::Http { authority, prefix: String::new() };
        task.targets = BTreeMap::from([("api".parse().expect("a name"), endpoint)]);
        let reporter = Reporter::new(task.id, unbounded_channel().0);
        let run = self.host.verify(&task, reporter).await.expect("the check runs");
        assert_eq!(run.verdict.outcome, Outcome::Pass, "{}", run.verdict.summary.en);
    }

    fn script(&self) -> Script {
        self.runtime.block_on(async {
            let running = shop().spawn();
            let recorder = Recorder::start(running.address()).await.expect("there is a free port");
            self.check(recorder.address()).await;
            running.stop().await.expect("the shop stops");
            recorder.finish()
        })
    }

    /// The time of `work` against a shop of its own, `times` over: ids are given out anew, so the same requests get the
    /// same answers.
    fn timed(&self, times: u64, work: impl AsyncFn(SocketAddr)) -> Duration {
        self.runtime.block_on(async {
            let mut total = Duration::ZERO;
            for _ in 0..times {
                let running = shop().spawn();
                let began = Instant::now();
                work(running.address()).await;
                total += began.elapsed();
                running.stop().await.expect("the shop stops");
            }
            total
        })
    }
}

fn check(criterion: &mut Criterion) {
    let bench = Bench::new();
    let script = bench.script();
    let (requests, connections) = (script.requests(), script.connections());
    let mut group =
        criterion.benchmark_group(format!("safe-get, {requests} requests, {connections} connections"));
    group.sample_size(10);
    group.bench_function("hyper alone", |bencher| {
        bencher.iter_custom(|iterations| bench.timed(iterations, |service| script.replay(service)));
    });
    // Twice in it, the check lets the service settle for 200 ms; the client waits for nothing.
    group.bench_function("in the plugin", |bencher| {
        bencher.iter_custom(|iterations| bench.timed(iterations, |service| bench.check(service)));
    });
    group.finish();
}

criterion_group!(benches, load, check);
criterion_main!(benches);
