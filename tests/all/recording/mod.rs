//! Recordings: what was seen once is concluded again with nothing there, and what differs is told, never passed.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mustdo::model::{Authority, Digest, Endpoint, Mask, Outcome, Verdict};
use mustdo::plugin::{
    CachePolicy, Comparison, Host, HostOptions, Recorder, Recording, Replayed, Replayer, Unplayable,
};
use mustdo::reference::{Flaw, Options, Service};
use mustdo::verify::{Run, RunError, RunFault, Task, TaskId, Verifier};

use crate::guest::{Guest, Status, silent};
use crate::proof::http_idempotency::{FORM, HEADER, KEYS, PLUGIN, REPEAT, SAFE, SLOW, questions};
use crate::proof::{Examiner, Subject};

mod command;
mod handle;

/// Texts of recordings, in the order in which runs ended.
type Shelf = Arc<Mutex<Vec<String>>>;

fn recorder(mask: Mask) -> (Recorder, Shelf) {
    let shelf = Shelf::default();
    let kept = shelf.clone();
    let keep = Arc::new(move |_: &Task, text: &str| kept.lock().unwrap().push(text.to_owned()));
    (Recorder { mask, started: "2026-06-01T12:00:00Z".parse().unwrap(), keep }, shelf)
}

async fn replay(host: &Host, text: &str, plugin: Digest) -> Replayed {
    let recording = Arc::new(Recording::read(text).unwrap());
    Replayer::new(host, recording, Mask::default()).unwrap().replay(plugin, silent()).await
}

/// The recording with `from` replaced once, and the digest that makes it look as if it had been written so.
fn forged(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    let text = text.replacen(from, to, 1);
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    let (before, at) = (format!("{before}\n"), last.find("sha256:").unwrap());
    let last = last.replacen(&last[at..at + 71], &Digest::of(before.as_bytes()).to_string(), 1);
    format!("{before}{last}\n")
}

/// One check of a shop, recorded.
struct Seen {
    flaw: Option<Flaw>,
    question: &'static str,
    verdict: Verdict,
    log: Vec<String>,
    text: String,
}

/// Asks `question` of a shop that is gone when this returns.
async fn seen(flaw: Option<Flaw>, question: &'static str) -> Seen {
    let mut examiner = Examiner::new(PLUGIN).await;
    let (recorder, shelf) = recorder(Mask::default());
    examiner.host().record(recorder);
    let options = Options { slow: SLOW, flaw, ..Options::default() };
    let service = Service::bind(options, ([127, 0, 0, 1], 0).into()).unwrap().spawn();
    let column = questions().into_iter().find(|column| column.label == question).unwrap();
    let task = examiner.task_of(&column, &Subject::http("api", service.address()));
    let run = examiner.host().verify(&task, silent()).await.unwrap();
    service.stop().await.unwrap();
    let text = shelf.lock().unwrap().remove(0);
    Seen { flaw, question, verdict: run.verdict, log: run.log, text }
}

/// Every check of the good shop and of one with a mistake that it refuses.
async fn all_seen() -> Vec<Seen> {
    let asked = [
        (None, REPEAT),
        (None, HEADER),
        (None, FORM),
        (None, SAFE),
        (None, KEYS),
        (Some(Flaw::PutAppends), REPEAT),
        (Some(Flaw::CheckThenInsert), HEADER),
        (Some(Flaw::DedupeByBody), FORM),
        (Some(Flaw::GetDeletes), SAFE),
        (Some(Flaw::ReuseReplays), KEYS),
        (Some(Flaw::ConflictToAll), KEYS),
    ];
    let mut running = tokio::task::JoinSet::new();
    for (flaw, question) in asked {
        running.spawn(seen(flaw, question));
    }
    let seen = running.join_all().await;
    assert_eq!(seen.len(), asked.len());
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_concludes_the_same_without_its_service() {
    let seen = all_seen().await;
    for outcome in [Outcome::Pass, Outcome::Fail, Outcome::Inconclusive] {
        assert!(seen.iter().any(|seen| seen.verdict.outcome == outcome), "{outcome:?} is not among them");
    }
    let mut examiner = Examiner::new(PLUGIN).await;
    let plugin = examiner.plugin();
    for Seen { flaw, question, verdict, log, text } in seen {
        let began = Instant::now();
        let Replayed { run, comparison, left } = replay(examiner.host(), &text, plugin).await;
        let run = run.unwrap_or_else(|error| panic!("{flaw:?} asked {question:?}: {error}"));
        assert_eq!(run.verdict, verdict, "{flaw:?} asked {question:?}");
        assert_eq!((run.log, comparison, left), (log, Comparison::Same, 0), "{flaw:?} asked {question:?}");
        assert!(run.accesses.is_empty());
        // The checks wait for seconds; their replays for nothing.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forged_recording_of_a_failure_is_the_same_pass() {
    let seen = seen(Some(Flaw::GetDeletes), SAFE).await;
    assert_eq!(seen.verdict.outcome, Outcome::Fail);
    let mut examiner = Examiner::new(PLUGIN).await;
    let plugin = examiner.plugin();
    let edited = seen.text.replacen("\"status\":200", "\"status\":500", 1);
    let recording = Arc::new(Recording::read(&edited).unwrap());
    let refused = Replayer::new(examiner.host(), recording, Mask::default()).err();
    assert_eq!(refused, Some(Unplayable::Changed));

    // The same by somebody who knows about the digest: what was asked decides, then what was concluded.
    let calls: Vec<_> =
        seen.text.lines().filter(|line| line.contains("\"call\":\"http.client.send")).collect();
    assert!(calls.len() > 4, "{}", seen.text);
    for line in &calls {
        let other =
            forged(&seen.text, line, &line.replacen("\"path_and_query\":\"/", "\"path_and_query\":\"/x", 1));
        let Replayed { run, comparison, .. } = replay(examiner.host(), &other, plugin).await;
        let RunFault::Replay(words) = run.unwrap_err().fault else { panic!("{line}") };
        assert!(words.contains("path_and_query") && words.starts_with("line "), "{words}");
        assert_eq!(comparison, Comparison::Astray);
    }
    for line in &calls {
        let other = forged(&seen.text, line, &line.replacen("\"status\":200", "\"status\":404", 1));
        let Replayed { run, comparison, .. } = replay(examiner.host(), &other, plugin).await;
        let passed = run.is_ok_and(|run| run.verdict.outcome == Outcome::Pass);
        assert!(!(passed && comparison == Comparison::Same), "{line}");
    }
    let lie = forged(&seen.text, "\"fault\":null", "\"fault\":\"crashed\"");
    let comparison = replay(examiner.host(), &lie, plugin).await.comparison;
    assert!(matches!(comparison, Comparison::Different { place, .. } if place == "fault"));
}

/// A host with one guest, which may read one variable.
struct Bench {
    host: Host,
    task: Task,
    shelf: Shelf,
}

impl Bench {
    async fn new(guest: &Guest, mask: Mask) -> Self {
        let environment = BTreeMap::from([("WORD".to_owned(), "swordfish".to_owned())]);
        let mut host = Host::new(HostOptions { environment, ..HostOptions::new(CachePolicy::Off) }).unwrap();
        let (recorder, shelf) = recorder(mask);
        host.record(recorder);
        let plugin = add(&host, guest).await;
        let task = Task {
            id: TaskId(0),
            item: "must-do.probe".parse().unwrap(),
            check: "test-guest/probe".parse().unwrap(),
            plugin,
            params: "{}".to_owned(),
            targets: BTreeMap::new(),
            names: BTreeMap::new(),
            supervised: BTreeMap::new(),
            allowed: ["env:WORD".parse().unwrap()].into(),
            exclusive: false,
            seed: 7,
            deadline: Duration::from_secs(20),
        };
        Self { host, task, shelf }
    }

    async fn record(&self) -> (Result<Run, RunError>, String) {
        let run = self.host.verify(&self.task, silent()).await;
        let text = self.shelf.lock().unwrap().pop().unwrap();
        (run, text)
    }

    /// Records the guest and replays it: what came of both.
    async fn both(&self) -> (Result<Run, RunError>, Replayed) {
        let (run, text) = self.record().await;
        (run, replay(&self.host, &text, self.task.plugin).await)
    }
}

async fn add(host: &Host, guest: &Guest) -> Digest {
    let plugin = host.load(&guest.build()).unwrap().plugin;
    let digest = plugin.digest();
    let info = host.describe(&plugin).await.unwrap();
    host.add(plugin, &info);
    digest
}

/// Reads a variable whose name is at 100 and says its value as the summary.
fn reads_word() -> Guest {
    Guest::new()
        .import("environment", "get", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"WORD\")")
        .run(
            "(call $get (i32.const 100) (i32.const 4) (i32.const 0))
             (i32.store (global.get $summary) (i32.load (i32.const 8)))
             (i32.store offset=4 (global.get $summary) (i32.load (i32.const 12)))",
        )
}

#[tokio::test]
async fn secrets_are_in_no_recording_and_the_run_repeats_without_them() {
    let bench = Bench::new(&reads_word(), Mask::new(["swordfish"])).await;
    let (run, text) = bench.record().await;
    assert_eq!(run.unwrap().verdict.summary.en, "swordfish");
    assert!(!text.contains("swordfish") && text.contains("\"ok\":\"***\""), "{text}");
    let Replayed { run, comparison, .. } = replay(&bench.host, &text, bench.task.plugin).await;
    assert_eq!((run.unwrap().verdict.summary.en.as_str(), comparison), ("***", Comparison::Same));
}

#[tokio::test]
async fn replay_sees_the_recorded_world_and_not_this_one() {
    let bench = Bench::new(&reads_word(), Mask::default()).await;
    let (_, text) = bench.record().await;
    let bare = Host::new(HostOptions::new(CachePolicy::Off));
    let bare = bare.unwrap();
    let plugin = add(&bare, &reads_word()).await;
    let replayed = replay(&bare, &text, plugin).await;
    assert_eq!(replayed.run.unwrap().verdict.summary.en, "swordfish");
    assert_eq!(replayed.comparison, Comparison::Same);
}

#[tokio::test]
async fn replayed_sleep_takes_no_time_and_clocks_say_what_they_said() {
    let guest = Guest::new()
        .import("clock", "sleep-millis", "(param i64)")
        .import("clock", "monotonic-nanos", "(result i64)")
        .import("clock", "random-bytes", "(param i32 i32)")
        .more("(func $say (param i64) (i64.store (i32.const 200) (local.get 0)))")
        .run(
            "(call $sleep-millis (i64.const 700))
             (call $say (i64.or (call $monotonic-nanos) (i64.const 1)))
             (call $random-bytes (i32.const 8) (i32.const 0))
             ;; Fails where the clock says that no 700 ms have passed.
             (if (i64.lt_u (i64.load (i32.const 200)) (i64.const 700000000)) (then unreachable))",
        );
    let bench = Bench::new(&guest, Mask::default()).await;
    let (run, text) = bench.record().await;
    assert!(run.unwrap().elapsed >= Duration::from_millis(700));
    let Replayed { run, comparison, .. } = replay(&bench.host, &text, bench.task.plugin).await;
    assert!(run.unwrap().elapsed < Duration::from_millis(500));
    assert_eq!(comparison, Comparison::Same);
}

#[tokio::test]
async fn randomness_and_clocks_of_wasi_are_replayed() {
    // The random number, mixed with the time, is the summary, letter by letter.
    let guest = Guest::new()
        .import_wasi("random/random", "get-random-u64", "(result i64)")
        .import_wasi("clocks/monotonic-clock", "now", "(result i64)")
        .run(
            "(local.set $w (i64.xor (call $get-random-u64) (call $now)))
             (loop $again
               (i32.store8 (i32.add (i32.const 100) (local.get $i))
                 (i32.add (i32.const 97) (i32.and (i32.wrap_i64 (local.get $w)) (i32.const 15))))
               (local.set $w (i64.shr_u (local.get $w) (i64.const 4)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $i) (i32.const 16))))
             (i32.store (global.get $summary) (i32.const 100))
             (i32.store offset=4 (global.get $summary) (i32.const 16))",
        );
    let bench = Bench::new(&guest, Mask::default()).await;
    let (run, text) = bench.record().await;
    let (other, _) = bench.record().await;
    let (run, other) = (run.unwrap().verdict.summary, other.unwrap().verdict.summary);
    assert_ne!(run, other);
    assert!(text.contains("wasi.random-bytes") && text.contains("wasi.monotonic-clock"), "{text}");
    let replayed = replay(&bench.host, &text, bench.task.plugin).await;
    assert_eq!((replayed.run.unwrap().verdict.summary, replayed.comparison), (run, Comparison::Same));
    // A clock that can not fail can go astray all the same.
    let other = forged(&text, "wasi.monotonic-clock", "wasi.wall-clock");
    assert_eq!(replay(&bench.host, &other, bench.task.plugin).await.comparison, Comparison::Astray);
}

#[tokio::test]
async fn faults_repeat_too() {
    let crash = Guest::new()
        .import("control", "log", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"panicked at src/lib.rs:3\")")
        .run("(call $log (i32.const 3) (i32.const 100) (i32.const 24)) unreachable");
    let greedy = Guest::new()
        .import("clock", "random-bytes", "(param i32 i32)")
        .run("(call $random-bytes (i32.const -1) (i32.const 0))");
    let lying = Guest::new().says(Status::Pass, Status::Fail);
    let refusing = Guest::new().refuses(2, "a bug");
    for guest in [crash, greedy, lying, refusing] {
        let (run, replayed) = Bench::new(&guest, Mask::default()).await.both().await;
        assert_eq!(run.unwrap_err().fault, replayed.run.unwrap_err().fault);
        assert_eq!(replayed.comparison, Comparison::Same);
    }
}

#[tokio::test]
async fn run_that_was_stopped_while_it_slept_is_stopped_again_at_once() {
    let guest = Guest::new().import("clock", "sleep-millis", "(param i64)").run(
        "(call $sleep-millis (i64.const 1)) (loop $again (call $sleep-millis (i64.const -1)) (br $again))",
    );
    let mut bench = Bench::new(&guest, Mask::default()).await;
    bench.task.deadline = Duration::from_secs(1);
    let (run, text) = bench.record().await;
    let began = Instant::now();
    let Replayed { run: again, comparison, .. } = replay(&bench.host, &text, bench.task.plugin).await;
    assert!(began.elapsed() < Duration::from_millis(900));
    assert_eq!(run.unwrap_err().fault, again.unwrap_err().fault);
    assert_eq!(comparison, Comparison::Same);
}

#[tokio::test]
async fn call_that_was_never_answered_is_not_answered_in_a_replay() {
    // Connections wait in the queue of a listener that never takes them.
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let guest = Guest::new()
        .import("http", "open", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .import(
            "http",
            "[method]client.send",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .more("(data (i32.const 100) \"web GET /orders\")")
        .run(
            "(call $open (i32.const 100) (i32.const 3) (i32.const 1)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
             (call $send (i32.load (i32.const 4))
               (i32.const 104) (i32.const 3) (i32.const 108) (i32.const 7)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))",
        );
    let mut bench = Bench::new(&guest, Mask::default()).await;
    let authority = Authority { host: address.ip().to_string(), port: address.port() };
    bench.task.targets =
        BTreeMap::from([("web".parse().unwrap(), Endpoint::Http { authority, prefix: String::new() })]);
    bench.task.allowed = ["http:web".parse().unwrap()].into();
    bench.task.deadline = Duration::from_secs(1);
    let (run, text) = bench.record().await;
    assert_eq!(run.unwrap_err().fault, RunFault::TimedOut { limit: bench.task.deadline });
    assert!(text.contains("\"stopped\":true") && text.contains("\"targets\":{\"web\":\"http\"}"), "{text}");
    assert!(!text.contains(&address.port().to_string()), "{text}");
    let began = Instant::now();
    let Replayed { run, comparison, .. } = replay(&bench.host, &text, bench.task.plugin).await;
    assert_eq!(run.unwrap_err().fault, RunFault::TimedOut { limit: bench.task.deadline });
    assert_eq!(comparison, Comparison::Same);
    assert!(began.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn attachments_are_evidence_in_a_replay_as_well() {
    let guest = Guest::new()
        .import("attachments", "attach", "(param i32 i32 i32 i32 i32 i32 i32)")
        .more("(data (i32.const 100) \"text/plain\")")
        .run("(call $attach (i32.const 100) (i32.const 4) (i32.const 100) (i32.const 10) (i32.const 100) (i32.const 4) (i32.const 0))")
        .evidence(0);
    let (run, replayed) = Bench::new(&guest, Mask::default()).await.both().await;
    let (run, again) = (run.unwrap(), replayed.run.unwrap());
    assert_eq!(run.verdict.evidence[0].body, b"text");
    assert_eq!(run.verdict, again.verdict);
}

#[tokio::test]
async fn another_plugin_goes_astray_or_leaves_calls_over_and_both_are_told() {
    let sleep = |millis: u32| {
        Guest::new()
            .import("clock", "sleep-millis", "(param i64)")
            .run(format!("(call $sleep-millis (i64.const {millis}))"))
    };
    let bench = Bench::new(&sleep(1), Mask::default()).await;
    let (_, text) = bench.record().await;

    let other = add(&bench.host, &sleep(2)).await;
    let Replayed { run, comparison, .. } = replay(&bench.host, &text, other).await;
    let error = run.unwrap_err();
    assert_eq!(
        error.to_string(),
        "plugin test-guest 1.2.3 can not be replayed: the recording goes another way: line 2 has clock.sleep-millis \
         with 1 at args[0], and the plugin asked with 2"
    );
    assert_eq!(comparison, Comparison::Astray);

    let twice = Guest::new()
        .import("clock", "sleep-millis", "(param i64)")
        .run("(call $sleep-millis (i64.const 1)) (call $sleep-millis (i64.const 1))");
    let twice = add(&bench.host, &twice).await;
    let Replayed { run, comparison, .. } = replay(&bench.host, &text, twice).await;
    assert!(
        run.unwrap_err()
            .to_string()
            .contains("it ends after 1 calls, and the plugin then asked for clock.sleep-millis(1)")
    );
    assert_eq!(comparison, Comparison::Astray);

    let lazy = add(&bench.host, &Guest::new()).await;
    let Replayed { comparison, left, .. } = replay(&bench.host, &text, lazy).await;
    assert_eq!((comparison, left), (Comparison::Same, 1));

    let failing = Guest::new().says(Status::Fail, Status::Fail);
    let failing = add(&bench.host, &failing).await;
    let Replayed { comparison, .. } = replay(&bench.host, &text, failing).await;
    let expected = ("returned.ok.status".to_owned(), "\"pass\"".to_owned(), "\"fail\"".to_owned());
    let Comparison::Different { place, recorded, found } = comparison else { panic!("{comparison:?}") };
    assert_eq!((place, recorded, found), expected);
}
