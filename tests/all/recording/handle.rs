//! Runs that held connections, sockets, files, copies and programs, repeated with none of them there.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mustdo::model::{Authority, Endpoint, Mask};
use mustdo::plugin::{CachePolicy, Comparison, Host, HostOptions, Recording, Replayed, Replayer, Unplayable};
use mustdo::verify::{RunFault, Task, Verifier};

use super::{add, forged, recorder, replay};
use crate::guest::{Guest, silent, task};
use crate::process;
use crate::process::script::Script;

/// A run with a summary that came from what it held, and its recording.
struct Recorded {
    guest: Guest,
    summary: String,
    text: String,
}

impl Recorded {
    /// Records one run of `guest`, bound by `bind`.
    async fn of(guest: Guest, bind: impl FnOnce(&mut Task)) -> Self {
        let mut host = Host::new(HostOptions::new(CachePolicy::Off)).unwrap();
        let (recorder, shelf) = recorder(Mask::default());
        host.record(recorder);
        let mut task = task(add(&host, &guest).await);
        bind(&mut task);
        let summary = host.verify(&task, silent()).await.unwrap().verdict.summary.en;
        let text = shelf.lock().unwrap().pop().unwrap();
        Self { guest, summary, text }
    }

    /// The calls that were recorded, sorted and each once.
    fn calls(&self) -> Vec<String> {
        let calls: std::collections::BTreeSet<String> = self
            .text
            .lines()
            .filter_map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["call"].as_str().map(str::to_owned)
            })
            .collect();
        calls.into_iter().collect()
    }

    /// Repeats it on a host that has nothing, and holds what was found against what was recorded. Then tampers: an answer
    /// that says `other` where it said `said`.
    async fn repeats_and_tells_tampering(&self, said: &str, other: &str) {
        let host = Host::new(HostOptions::new(CachePolicy::Off)).unwrap();
        let plugin = add(&host, &self.guest).await;
        let Replayed { run, comparison, left } = replay(&host, &self.text, plugin).await;
        let run = run.unwrap();
        assert_eq!(
            (run.verdict.summary.en.as_str(), comparison, left),
            (&*self.summary, Comparison::Same, 0)
        );
        assert!(run.accesses.is_empty(), "{:?}", run.accesses);

        let edited = self.text.replacen(said, other, 1);
        assert_ne!(edited, self.text, "{said} is not in {}", self.text);
        let recording = Arc::new(Recording::read(&edited).unwrap());
        let refused = Replayer::new(&host, recording, Mask::default()).err();
        assert_eq!(refused, Some(Unplayable::Changed));

        // By somebody who computes the digest as well: it concludes something else, and that is told.
        let replayed = replay(&host, &forged(&self.text, said, other), plugin).await;
        assert!(
            matches!(&replayed.comparison, Comparison::Different { place, .. } if place == "returned.ok.summary"),
            "{:?}",
            replayed.comparison
        );
        // A handle that the recording does not give out is asked for by nobody.
        let swapped = forged(&self.text, "{\"handle\":", "{\"handle\":9");
        let Replayed { run, comparison, .. } = replay(&host, &swapped, plugin).await;
        assert!(matches!(run.unwrap_err().fault, RunFault::Replay(_)));
        assert_eq!(comparison, Comparison::Astray);
    }
}

fn bind(task: &mut Task, capabilities: &[&str], endpoint: Endpoint) {
    task.targets = BTreeMap::from([("socket".parse().unwrap(), endpoint)]);
    task.allowed = capabilities.iter().map(|capability| capability.parse().unwrap()).collect();
}

fn authority(address: SocketAddr) -> Authority {
    Authority { host: address.ip().to_string(), port: address.port() }
}

/// Fails the run where the result at 0 is an error.
const OR_ELSE: &str = "(if (i32.load8_u (i32.const 0)) (then unreachable))";

/// Makes the list in the result at 0 the verdict's summary.
const SUMMARY: &str = "(i32.store (global.get $summary) (i32.load (i32.const 4)))
    (i32.store offset=4 (global.get $summary) (i32.load (i32.const 8)))";

#[tokio::test]
async fn streams_are_repeated_without_their_server() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let mut streams: Vec<TcpStream> = (0..3).map(|_| server.accept().unwrap().0).collect();
        let mut heard = [0; 4];
        // Each says the same; whoever is heard first is the one that is answered.
        for stream in &mut streams {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            if stream.read_exact(&mut heard).is_ok() && &heard == b"ping" {
                stream.write_all(b"pong, and welcome").unwrap();
            }
        }
    });
    // The three results lie where 4 says, 16 bytes each; a handle is 4 bytes into its own. The first talks and is read
    // once it is ready, the second is reset, the third given back.
    let handle = |index: u32| format!("(i32.load offset={} (local.get $i))", 16 * index + 4);
    let (first, second, third) = (handle(0), handle(1), handle(2));
    let guest = Guest::new()
        .import("tcp", "connect-many", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .import("tcp", "wait-readable", "(param i32 i32 i32 i32)")
        .import("tcp", "[method]connection.read", "(param i32 i32 i32 i32)")
        .import("tcp", "[method]connection.write", "(param i32 i32 i32 i32 i32)")
        .import("tcp", "[method]connection.write-some", "(param i32 i32 i32 i32)")
        .import("tcp", "[method]connection.shutdown-write", "(param i32 i32)")
        .import("tcp", "[method]connection.peer", "(param i32 i32)")
        .import("tcp", "[method]connection.local", "(param i32 i32)")
        .import("tcp", "[method]connection.reset", "(param i32)")
        .import("tcp", "[resource-drop]connection", "(param i32)")
        .more("(data (i32.const 100) \"socket ping\")")
        .run(format!(
            "(call $connect-many (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 4096) (i32.const 1) (i32.const 2000) (i32.const 3) (i32.const 0)) {OR_ELSE}
             (local.set $i (i32.load (i32.const 4)))
             (call $write {first} (i32.const 107) (i32.const 2) (i32.const 2000) (i32.const 0)) {OR_ELSE}
             (call $write-some {first} (i32.const 109) (i32.const 2) (i32.const 0)) {OR_ELSE}
             (call $shutdown-write {first} (i32.const 0)) {OR_ELSE}
             (i32.store (i32.const 64) {first})
             (call $wait-readable (i32.const 64) (i32.const 1) (i32.const 10000) (i32.const 0))
             (if (i32.ne (i32.load (i32.const 4)) (i32.const 1)) (then unreachable))
             (call $peer {first} (i32.const 0))
             (call $local {first} (i32.const 0))
             (call $reset {second})
             (call $connection {third})
             (call $read {first} (i32.const 64) (i32.const 10000) (i32.const 0)) {OR_ELSE} {SUMMARY}"
        ));
    let recorded =
        Recorded::of(guest, |task| bind(task, &["tcp:socket"], Endpoint::Tcp(authority(address)))).await;
    peer.join().unwrap();
    assert_eq!(recorded.summary, "pong, and welcome");
    assert_eq!(
        recorded.calls(),
        [
            "tcp.connect-many",
            "tcp.connection.drop",
            "tcp.connection.local",
            "tcp.connection.peer",
            "tcp.connection.read",
            "tcp.connection.reset",
            "tcp.connection.shutdown-write",
            "tcp.connection.write",
            "tcp.connection.write-some",
            "tcp.wait-readable",
        ]
    );
    recorded.repeats_and_tells_tampering("pong, and welcome", "pong, and goodbye").await;
}

#[tokio::test]
async fn taken_connection_is_repeated_without_the_caller() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    // It is told a port, in two bytes, and calls back there.
    let peer = thread::spawn(move || {
        let mut port = [0; 2];
        server.accept().unwrap().0.read_exact(&mut port).unwrap();
        let mut back = TcpStream::connect((Ipv4Addr::LOCALHOST, u16::from_le_bytes(port))).unwrap();
        back.write_all(b"called back").unwrap();
    });
    let guest = Guest::new()
        .import("tcp", "listen", "(param i32)")
        .import("tcp", "connect", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .import("tcp", "[method]listener.local", "(param i32 i32)")
        .import("tcp", "[method]listener.accept", "(param i32 i32 i32)")
        .import("tcp", "[method]connection.read", "(param i32 i32 i32 i32)")
        .import("tcp", "[method]connection.write", "(param i32 i32 i32 i32 i32)")
        .more("(data (i32.const 100) \"socket\")")
        .run(format!(
            "(call $listen (i32.const 0)) {OR_ELSE}
             (local.set $i (i32.load (i32.const 4)))
             (call $local (local.get $i) (i32.const 16))
             (call $connect (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 0) (i32.const 2000) (i32.const 0)) {OR_ELSE}
             (call $write (i32.load (i32.const 4)) (i32.const 24) (i32.const 2) (i32.const 2000) (i32.const 0)) {OR_ELSE}
             (call $accept (local.get $i) (i32.const 10000) (i32.const 0)) {OR_ELSE}
             (call $read (i32.load (i32.const 4)) (i32.const 64) (i32.const 10000) (i32.const 0)) {OR_ELSE} {SUMMARY}"
        ));
    let bind = |task: &mut Task| bind(task, &["listen", "tcp:socket"], Endpoint::Tcp(authority(address)));
    let recorded = Recorded::of(guest, bind).await;
    peer.join().unwrap();
    assert_eq!(recorded.summary, "called back");
    recorded.repeats_and_tells_tampering("called back", "called names").await;
}

#[tokio::test]
async fn datagrams_are_repeated_without_their_server() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let mut heard = [0; 16];
        let (count, client) = server.recv_from(&mut heard).unwrap();
        server.send_to(&[&heard[..count], b" to you"].concat(), client).unwrap();
    });
    let guest = Guest::new()
        .import("udp", "open", "(param i32 i32 i32 i32 i32 i32)")
        .import("udp", "[method]socket.send", "(param i32 i32 i32 i32)")
        .import("udp", "[method]socket.receive", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"socket ping\")")
        .run(format!(
            "(call $open (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) {OR_ELSE}
             (local.set $i (i32.load (i32.const 4)))
             (call $send (local.get $i) (i32.const 107) (i32.const 4) (i32.const 0)) {OR_ELSE}
             (call $receive (local.get $i) (i32.const 10000) (i32.const 0)) {OR_ELSE} {SUMMARY}"
        ));
    let recorded =
        Recorded::of(guest, |task| bind(task, &["udp:socket"], Endpoint::Udp(authority(address)))).await;
    peer.join().unwrap();
    assert_eq!(recorded.summary, "ping to you");
    recorded.repeats_and_tells_tampering("ping to you", "ping to them").await;
}

#[tokio::test]
async fn files_are_repeated_without_their_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.txt"), "as the learner wrote it").unwrap();
    let guest = Guest::new()
        .import("files", "open", "(param i32 i32 i32)")
        .import("files", "[method]tree.read", "(param i32 i32 i32 i64 i32 i32)")
        .more("(data (i32.const 100) \"socket app.txt\")")
        .run(format!(
            "(call $open (i32.const 100) (i32.const 6) (i32.const 0)) {OR_ELSE}
             (call $read (i32.load (i32.const 4)) (i32.const 107) (i32.const 7) (i64.const 0) (i32.const 64)
               (i32.const 0)) {OR_ELSE} {SUMMARY}"
        ));
    let path = folder.path().canonicalize().unwrap();
    let recorded = Recorded::of(guest, |task| bind(task, &["read:socket"], Endpoint::Dir(path))).await;
    folder.close().unwrap();
    assert_eq!(recorded.summary, "as the learner wrote it");
    recorded.repeats_and_tells_tampering("as the learner", "as nobody").await;
}

#[tokio::test]
async fn programs_in_a_copy_are_repeated_without_program_copy_or_guard() {
    let script = || {
        Script::new()
            .scratch(Some("src"))
            .write("new.txt", "from the plugin, ")
            .write("old.txt", "gone")
            .remove("old.txt")
            .start_with(&["a word"], &[("GIVEN", "here")], true)
            .feed("fed")
            .read(4_000)
            .step("(local.set $w (i64.load (global.get $summary)))")
            .wait(15_000)
            .signal(0)
            .step("(i64.store (global.get $summary) (local.get $w))")
    };
    let text = "echo \"$1, $GIVEN, $(cat app.txt), $(cat new.txt)$(ls | wc -l) files, $(cat)\"";
    let mut bench = process::bench::Bench::new(script()).await.src().tool(text, &["*"]);
    let (recorder, shelf) = recorder(Mask::default());
    bench.host.record(recorder);
    let summary = bench.summary().await;
    assert_eq!(summary, "a word, here, as the learner wrote it, from the plugin, 2 files, fed");
    let text = shelf.lock().unwrap().pop().unwrap();
    drop(bench);
    let recorded = Recorded { guest: script().guest(), summary, text };
    assert_eq!(
        recorded.calls(),
        [
            "process.child.close-stdin",
            "process.child.read",
            "process.child.send-signal",
            "process.child.wait",
            "process.child.write-stdin",
            "process.start",
            "scratch.open",
            "scratch.workspace.remove",
            "scratch.workspace.write",
        ]
    );
    // Where it lay is nobody's affair later.
    assert!(!recorded.text.contains(Path::new("/bin/sh").to_str().unwrap()), "{}", recorded.text);
    recorded.repeats_and_tells_tampering("here, as the learner", "here, as nobody").await;
}
