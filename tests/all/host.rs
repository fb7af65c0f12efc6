//! Plugins that crash, hang, lie or flood end as clear errors, and the others go on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mustdo::model::{Authority, Capability, Endpoint, Limits, Outcome, VerdictError};
use mustdo::plugin::{Backend, Backends, CachePolicy, DescribeError, Host, HostOptions, LoadError, Plugin};
use mustdo::store::PLUGINS;
use mustdo::verify::{Event, Reporter, Run, RunError, RunFault, Task, TaskId, Verifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::guest::{Guest, Status, silent, task};

/// A host with the plugins it was given, and tasks for them.
pub(crate) struct Bench {
    pub(crate) host: Host,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    /// With limits that the user moved.
    pub(crate) fn with(limits: Limits) -> Self {
        Self::of(Backend::Cranelift, limits)
    }

    /// One for each compiler: what a plugin may do does not depend on who compiled it.
    pub(crate) fn each() -> [Self; 2] {
        [Backend::Winch, Backend::Cranelift].map(|backend| Self::of(backend, Limits::default()))
    }

    fn of(backend: Backend, limits: Limits) -> Self {
        let environment = BTreeMap::from([("WORD".to_owned(), "swordfish".to_owned())]);
        let backends = Backends::Only(backend);
        let options = HostOptions { environment, limits, backends, ..HostOptions::new(CachePolicy::Off) };
        Self { host: Host::new(options).unwrap() }
    }

    pub(crate) async fn add(&self, guest: &Guest) -> Task {
        let plugin = self.load(guest);
        let digest = plugin.digest();
        let info = self.host.describe(&plugin).await.unwrap();
        assert_eq!(info.checks.len(), 1);
        self.host.add(plugin, &info);
        task(digest)
    }

    pub(crate) fn load(&self, guest: &Guest) -> Plugin {
        self.host.load(&guest.build()).unwrap().plugin
    }

    pub(crate) async fn verify(&self, task: &Task) -> Result<Run, RunError> {
        self.host.verify(task, silent()).await
    }
}

/// Runs it on the code of both compilers, which must come to the same.
pub(crate) async fn run(guest: &Guest) -> Result<Run, RunError> {
    let mut runs = vec![];
    for bench in Bench::each() {
        let task = bench.add(guest).await;
        runs.push(bench.verify(&task).await);
    }
    let told = |run: &Result<Run, RunError>| match run {
        Ok(run) => format!("{:?} {:?}", run.verdict, run.log),
        // In words: what is not a number is not equal to itself.
        Err(error) => format!("{:?}", error.fault),
    };
    assert_eq!(told(&runs[0]), told(&runs[1]));
    runs.remove(1)
}

pub(crate) async fn fault(guest: &Guest) -> RunFault {
    run(guest).await.unwrap_err().fault
}

/// Writes the text of a failure that was returned at 0 as the verdict's summary.
pub(crate) const SUMMARY_FROM_FAILURE: &str = "
    (i32.store (global.get $summary) (i32.load (i32.const 8)))
    (i32.store offset=4 (global.get $summary) (i32.load (i32.const 12)))";

#[tokio::test]
async fn honest_guest_gives_its_verdict() {
    let run = run(&Guest::new()).await.unwrap();
    assert_eq!(run.verdict.outcome, Outcome::Pass);
    assert_eq!(run.verdict.summary.en, "it was seen");
    assert_eq!(run.verdict.steps[0].id, "only");
    assert!(run.accesses.is_empty() && run.log.is_empty());
}

#[tokio::test]
async fn error_names_the_plugin_and_its_version() {
    let error = run(&Guest::new().run("unreachable")).await.unwrap_err();
    assert_eq!(error.to_string(), "plugin test-guest 1.2.3 crashed: wasm `unreachable` instruction executed");
}

#[tokio::test]
async fn last_words_of_a_panic_are_kept() {
    let guest = Guest::new()
        .import("control", "log", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"panicked at src/lib.rs:3\")")
        .run("(call $log (i32.const 3) (i32.const 100) (i32.const 24)) unreachable");
    assert_eq!(
        fault(&guest).await,
        RunFault::Trapped("panicked at src/lib.rs:3 (wasm `unreachable` instruction executed)".to_owned())
    );
}

#[tokio::test]
async fn endless_recursion_is_a_crash() {
    let guest = Guest::new().more("(func $deep (call $deep))").run("(call $deep)");
    assert_eq!(fault(&guest).await, RunFault::OutOfStack { limit: 512 << 10 });
}

async fn times_out(guest: Guest) {
    for bench in Bench::each() {
        let mut task = bench.add(&guest).await;
        task.deadline = Duration::from_millis(200);
        let began = Instant::now();
        let error = bench.verify(&task).await.unwrap_err();
        assert_eq!(error.fault, RunFault::TimedOut { limit: task.deadline });
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn endless_loop_ends_at_the_deadline() {
    times_out(Guest::new().run("(loop $again (br $again))")).await;
}

#[tokio::test]
async fn endless_sleep_ends_at_the_deadline() {
    let guest = Guest::new()
        .import("clock", "sleep-millis", "(param i64)")
        .run("(loop $again (call $sleep-millis (i64.const -1)) (br $again))");
    times_out(guest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_one_hangs() {
    let bench = Bench::new();
    let mut hanging = bench.add(&Guest::new().run("(loop $again (br $again))")).await;
    hanging.deadline = Duration::from_secs(1);
    let honest = bench.add(&Guest::new()).await;
    let (hung, passed) = tokio::join!(bench.verify(&hanging), async {
        let began = Instant::now();
        for _ in 0..10 {
            bench.verify(&honest).await.unwrap();
        }
        began.elapsed()
    });
    assert!(matches!(hung.unwrap_err().fault, RunFault::TimedOut { .. }));
    assert!(passed < hanging.deadline, "{passed:?}");
}

#[tokio::test]
async fn dropped_run_stops_and_leaves_the_host_whole() {
    let bench = Bench::new();
    let hanging = bench.add(&Guest::new().run("(loop $again (br $again))")).await;
    let honest = bench.add(&Guest::new()).await;
    let began = Instant::now();
    assert!(tokio::time::timeout(Duration::from_millis(50), bench.verify(&hanging)).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(bench.verify(&honest).await.unwrap().verdict.outcome, Outcome::Pass);
}

#[tokio::test]
async fn memory_bomb_is_told_from_a_crash() {
    let grow = "(loop $again
        (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    assert_eq!(fault(&Guest::new().run(grow)).await, RunFault::OutOfMemory { limit: 64 << 20 });
}

#[tokio::test]
async fn memory_that_is_too_large_from_the_start_is_refused() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::new().memory(2_000));
    let error = bench.host.describe(&plugin).await.unwrap_err();
    assert!(matches!(error, DescribeError::Fault(RunFault::OutOfMemory { .. })), "{error}");
}

#[tokio::test]
async fn table_bomb_is_over_a_limit() {
    let guest = Guest::new().more("(table $table 1 funcref)").run(
        "(loop $again (br_if $again (i32.ne (i32.const -1)
                (table.grow $table (ref.null func) (i32.const 1000))))) unreachable",
    );
    assert!(matches!(fault(&guest).await, RunFault::OverLimit(why) if why.contains("tables")));
}

#[tokio::test]
async fn giant_string_is_over_a_limit() {
    let summary = |length: u32| format!("(i32.store offset=4 (global.get $summary) (i32.const {length}))");
    let guest = Guest::new().memory(900).run(summary(50 << 20));
    assert!(matches!(fault(&guest).await, RunFault::OverLimit(why) if why.contains("8 MiB")));
    let lie = Guest::new().run(summary(u32::MAX));
    assert!(matches!(fault(&lie).await, RunFault::Trapped(_) | RunFault::OverLimit(_)));
}

#[tokio::test]
async fn lying_verdict_never_reaches_the_learner() {
    let lie = fault(&Guest::new().says(Status::Pass, Status::Fail)).await;
    assert!(matches!(lie, RunFault::Verdict(VerdictError::FailedMust { .. })));
    let lie = fault(&Guest::new().says(Status::Pass, Status::Inconclusive)).await;
    assert!(matches!(lie, RunFault::Verdict(VerdictError::InconclusiveMust { .. })));
    let run = run(&Guest::new().says(Status::Fail, Status::Fail)).await.unwrap();
    assert_eq!(run.verdict.outcome, Outcome::Fail);
}

#[tokio::test]
async fn status_that_the_contract_does_not_have_is_a_crash() {
    let guest = Guest::new().run("(i32.store8 offset=8 (global.get $verdict) (i32.const 9))");
    assert!(matches!(fault(&guest).await, RunFault::Trapped(_)));
}

#[tokio::test]
async fn refusals_of_a_plugin_are_told_apart() {
    assert_eq!(fault(&Guest::new().refuses(0, "prob")).await, RunFault::UnknownCheck("prob".to_owned()));
    assert_eq!(fault(&Guest::new().refuses(1, "n is 0")).await, RunFault::Params("n is 0".to_owned()));
    assert_eq!(fault(&Guest::new().refuses(2, "a\u{1b}[2J")).await, RunFault::Internal("a".to_owned()));
}

#[tokio::test]
async fn other_contracts_are_refused_with_what_to_do() {
    let bench = Bench::new();
    let error = bench.host.load(&Guest::new().contract("0.2.0").build()).unwrap_err();
    assert!(matches!(error, LoadError::Newer { .. }), "{error}");
    let error = bench.host.load(&Guest::new().contract("0.0.4").build()).unwrap_err();
    assert!(matches!(error, LoadError::Older { .. }), "{error}");
    // Within a minor version functions may be added; one that uses none of them still runs.
    let task = bench.add(&Guest::new().contract("0.1.9")).await;
    assert!(bench.verify(&task).await.is_ok());
}

#[tokio::test]
async fn description_is_held_to_the_contract_and_to_time() {
    let bench = Bench::new();
    let described = bench.host.describe(&bench.load(&Guest::new().schema("{\"type\": 7}"))).await;
    assert!(matches!(described, Err(DescribeError::Contract(why)) if why.contains("schema")));
    let hanging = bench.load(&Guest::new().describe("(loop $again (br $again))"));
    let error = bench.host.describe(&hanging).await.unwrap_err();
    assert!(matches!(error, DescribeError::Fault(RunFault::TimedOut { .. })), "{error}");
}

#[tokio::test]
async fn only_added_plugins_run() {
    let bench = Bench::new();
    let plugin = bench.load(&Guest::new());
    let error = bench.verify(&task(plugin.digest())).await.unwrap_err();
    assert!(matches!(error.fault, RunFault::Host(why) if why.contains("is not loaded")));
}

#[tokio::test]
async fn log_flood_is_cut_and_counted() {
    let guest = Guest::new()
        .import("control", "log", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"all work and no play\")")
        .run(
            "(loop $again
               (call $log (i32.const 1) (i32.const 100) (i32.const 20))
               (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50000))))",
        );
    let log = run(&guest).await.unwrap().log;
    assert!(log.iter().map(String::len).sum::<usize>() < 260 << 10);
    assert!(log.last().unwrap().contains("more lines were left out"));
}

async fn drain(mut events: UnboundedReceiver<Event>) -> Vec<(Option<f32>, String)> {
    let mut seen = Vec::new();
    while let Some(Event::Progress { fraction, message, .. }) = events.recv().await {
        seen.push((fraction, message));
    }
    seen
}

#[tokio::test]
async fn progress_is_throttled_and_clean() {
    let guest = Guest::new()
        .import("control", "report-progress", "(param i32 f32 i32 i32)")
        .more("(data (i32.const 100) \"on\\1b[2Je\")")
        .run(
            "(loop $again
               (call $report-progress (i32.const 1) (f32.const 7) (i32.const 100) (i32.const 7))
               (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))",
        );
    let bench = Bench::new();
    let task = bench.add(&guest).await;
    let (sender, receiver) = unbounded_channel();
    bench.host.verify(&task, Reporter::new(TaskId(0), sender)).await.unwrap();
    let seen = drain(receiver).await;
    assert_eq!(seen[0], (Some(1.0), "one".to_owned()));
    assert!(seen.len() < 200, "{}", seen.len());
}

#[tokio::test]
async fn attachments_become_evidence() {
    let attach = "(call $attach (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 100) (i32.const 5) (i32.const 0))";
    let guest = |handle| {
        Guest::new()
            .import("attachments", "attach", "(param i32 i32 i32 i32 i32 i32 i32)")
            .more("(data (i32.const 100) \"hello\")")
            .run(attach)
            .evidence(handle)
    };
    let run = run(&guest(0)).await.unwrap();
    assert_eq!(run.verdict.evidence[0].body, b"hello");
    assert!(matches!(fault(&guest(1)).await, RunFault::Contract(why) if why.contains("attachment 1")));
}

fn environment_reader() -> Guest {
    // result<option<string>, failure>: the option's case is at 4, its string at 8.
    Guest::new()
        .import("environment", "get", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"WORD\")")
        .run(format!("(call $get (i32.const 100) (i32.const 4) (i32.const 0)) {SUMMARY_FROM_FAILURE}"))
}

#[tokio::test]
async fn variable_is_read_only_when_granted() {
    let bench = Bench::new();
    let mut task = bench.add(&environment_reader()).await;
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest env:WORD");
    assert_eq!(run.accesses[0].what, "env WORD");
    assert!(run.accesses[0].refused.as_deref().unwrap().starts_with("denied"));
    task.allowed.insert(Capability::Env("WORD".to_owned()));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "swordfish");
    assert_eq!(run.accesses[0].refused, None);
}

const OPEN: &str = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)";

/// Opens the http target "web"; what came of it is at 0.
const OPEN_WEB: &str = "(call $open (i32.const 100) (i32.const 3) (i32.const 1)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";

pub(crate) fn opener(then: &str) -> Guest {
    Guest::new()
        .import("http", "open", OPEN)
        .more("(data (i32.const 100) \"web\")")
        .run(format!("{OPEN_WEB} {then}"))
}

pub(crate) fn web(task: &mut Task, address: SocketAddr) {
    let authority = Authority { host: address.ip().to_string(), port: address.port() };
    task.allowed.insert("http:web".parse().unwrap());
    task.targets.insert("web".parse().unwrap(), Endpoint::Http { authority, prefix: String::new() });
}

#[tokio::test]
async fn target_needs_a_grant_and_then_a_binding() {
    let bench = Bench::new();
    let mut task = bench.add(&opener(SUMMARY_FROM_FAILURE)).await;
    web(&mut task, ([127, 0, 0, 1], 1).into());
    task.allowed.clear();
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest http:web");
    assert_eq!(run.accesses[0].what, "http open web");
    task.allowed.insert("http:web".parse().unwrap());
    task.targets.clear();
    let run = bench.verify(&task).await.unwrap();
    assert!(run.verdict.summary.en.contains("bind the target \"web\""), "{}", run.verdict.summary.en);
}

#[tokio::test]
async fn metadata_address_is_never_reached() {
    let bench = Bench::new();
    let mut task = bench.add(&opener(SUMMARY_FROM_FAILURE)).await;
    web(&mut task, ([169, 254, 169, 254], 80).into());
    let run = bench.verify(&task).await.unwrap();
    assert!(run.verdict.summary.en.contains("link-local"), "{}", run.verdict.summary.en);
}

#[tokio::test]
async fn hoarded_clients_are_over_a_limit() {
    let bench = Bench::new();
    let guest = opener("").run(format!("(loop $again {OPEN_WEB} (br $again))"));
    let mut task = bench.add(&guest).await;
    web(&mut task, ([127, 0, 0, 1], 1).into());
    let error = bench.verify(&task).await.unwrap_err();
    assert!(matches!(&error.fault, RunFault::OverLimit(why) if why.contains(" 1000 clients")), "{error}");
}

#[tokio::test]
async fn wasi_is_there_and_gives_nothing() {
    // Both lists are asked for; a guest that is given anything crashes.
    let guest = Guest::new()
        .import_wasi("cli/environment", "get-environment", "(param i32)")
        .import_wasi("filesystem/preopens", "get-directories", "(param i32)")
        .run(
            "(i32.store (i32.const 4) (i32.const 7)) (i32.store (i32.const 12) (i32.const 7))
             (call $get-environment (i32.const 0))
             (call $get-directories (i32.const 8))
             (if (i32.or (i32.load (i32.const 4)) (i32.load (i32.const 12))) (then unreachable))",
        );
    assert_eq!(run(&guest).await.unwrap().verdict.outcome, Outcome::Pass);
}

/// A server that answers every connection's first request with `body`.
async fn server(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// Sends one request that may take 300 ms. What came of it, `result<response, failure>`, is at 16: the response at 24, its
/// body at 36, or the words of the failure at 28.
pub(crate) const SEND: &str = "(call $send (i32.load (i32.const 4))
    (i32.const 104) (i32.const 3) (i32.const 108) (i32.const 7)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 300) (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))";

/// Opens the target "web" and does `then`, with [`SEND`] perhaps.
pub(crate) fn sender(then: &str) -> Guest {
    opener(then)
        .import(
            "http",
            "[method]client.send",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .more("(data (i32.const 100) \"web GET /orders\")")
}

/// Sends one request; the body of the answer is the summary.
pub(crate) fn echo() -> Guest {
    sender(&format!(
        "{SEND}
        (i32.store (global.get $summary) (i32.load (i32.const 36)))
        (i32.store offset=4 (global.get $summary) (i32.load (i32.const 40)))"
    ))
}

#[tokio::test]
async fn granted_target_is_talked_to() {
    let bench = Bench::new();
    let mut task = bench.add(&echo()).await;
    web(&mut task, server("hello from the shop").await);
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "hello from the shop");
    assert_eq!(run.accesses[0].what, "http GET web /orders");
    assert_eq!(run.accesses[0].refused, None);
}

#[tokio::test]
async fn batch_that_is_too_wide_is_refused() {
    let guest = opener(&format!(
        "(call $send-all (i32.load (i32.const 4)) (i32.const 0) (i32.const 0) (i32.const 257) (i32.const 0))
         {SUMMARY_FROM_FAILURE}"
    ))
    .import("http", "[method]client.send-all", "(param i32 i32 i32 i32 i32)");
    let bench = Bench::new();
    let mut task = bench.add(&guest).await;
    web(&mut task, ([127, 0, 0, 1], 1).into());
    let run = bench.verify(&task).await.unwrap();
    assert!(run.verdict.summary.en.starts_with("from 1 to 256 requests may be in flight; concurrency under"));
    assert_eq!(run.accesses[0].what, "http batch web");
}

/// Reads the file "a.txt" of the target "src"; what came of it is the summary.
pub(crate) fn file_reader() -> Guest {
    // result<list<u8>, failure>: the list is at 4.
    Guest::new()
        .import("files", "open", "(param i32 i32 i32)")
        .import("files", "[method]tree.read", "(param i32 i32 i32 i64 i32 i32)")
        .more("(data (i32.const 100) \"src a.txt\")")
        .run(format!(
            "(call $open (i32.const 100) (i32.const 3) (i32.const 0))
             (if (i32.load8_u (i32.const 0)) (then {SUMMARY_FROM_FAILURE})
             (else
               (call $read (i32.load (i32.const 4)) (i32.const 104) (i32.const 5) (i64.const 0) (i32.const 64)
                 (i32.const 16))
               (i32.store (global.get $summary) (i32.load (i32.const 20)))
               (i32.store offset=4 (global.get $summary) (i32.load (i32.const 24)))))"
        ))
}

#[tokio::test]
async fn directory_is_read_only_when_granted() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.txt"), "what the file says").unwrap();
    let bench = Bench::new();
    let mut task = bench.add(&file_reader()).await;
    task.targets.insert("src".parse().unwrap(), Endpoint::Dir(root.path().canonicalize().unwrap()));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest read:src");
    task.allowed.insert("read:src".parse().unwrap());
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "what the file says");
    assert_eq!(run.accesses[0].what, "read src a.txt");
}

#[tokio::test]
async fn compiled_plugin_is_found_again() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("cwasm");
    let bytes = Guest::new().build();
    for _ in 0..2 {
        let host = Host::new(HostOptions::new(CachePolicy::Directory(directory.clone()))).unwrap();
        let loaded = host.load(&bytes).unwrap();
        assert!(loaded.warning.is_none());
        let digest = loaded.plugin.digest();
        let info = host.describe(&loaded.plugin).await.unwrap();
        host.add(loaded.plugin, &info);
        assert!(host.verify(&task(digest), silent()).await.is_ok());
    }
    assert_eq!(directory.read_dir().unwrap().count(), 1);
}

#[tokio::test]
async fn every_shipped_plugin_describes_itself_on_winchs_code() {
    let [winch, _] = Bench::each();
    for shipped in PLUGINS {
        let plugin = winch.host.load_own(shipped.bytes, shipped.digest).unwrap().plugin;
        assert_eq!(winch.host.describe(&plugin).await.unwrap().id.as_str(), shipped.id);
    }
}
