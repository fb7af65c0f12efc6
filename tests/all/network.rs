//! Plugins that open streams and datagram sockets, as components: what they reach, and what is left when they end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mustdo::model::{Authority, Endpoint, Outcome};
use mustdo::verify::{RunFault, Task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::guest::Guest;
use crate::host::{Bench, SUMMARY_FROM_FAILURE};

/// Opens a stream to the target "socket"; what came of it is at 0, the handle at 4.
const CONNECT: &str = "(call $connect (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 2000) (i32.const 0))";

/// Reads up to 64 bytes of that stream; the list is at 20.
const READ: &str = "(call $read (i32.load (i32.const 4)) (i32.const 64) (i32.const 2000) (i32.const 16))";

/// Makes the list at 20 the verdict's summary.
const SUMMARY_FROM_LIST: &str = "
    (i32.store (global.get $summary) (i32.load (i32.const 20)))
    (i32.store offset=4 (global.get $summary) (i32.load (i32.const 24)))";

fn connector(then: &str) -> Guest {
    Guest::new()
        .import("tcp", "connect", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .more("(data (i32.const 100) \"socket ping\")")
        .run(format!("{CONNECT} {then}"))
}

/// As [`connector`], with the functions of a connection.
fn talker(then: &str) -> Guest {
    connector(then).import("tcp", "[method]connection.read", "(param i32 i32 i32 i32)").import(
        "tcp",
        "[method]connection.write",
        "(param i32 i32 i32 i32 i32)",
    )
}

/// Opens `count` streams at once.
fn crowd(count: u32, then: &str) -> Guest {
    Guest::new()
        .import("tcp", "connect-many", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .memory(16)
        .more("(data (i32.const 100) \"socket\")")
        .run(format!(
            "(call $connect-many (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 0) (i32.const 2000) (i32.const {count}) (i32.const 0)) {then}"
        ))
}

fn authority(address: SocketAddr) -> Authority {
    Authority { host: address.ip().to_string(), port: address.port() }
}

fn bind(task: &mut Task, capability: &str, endpoint: Endpoint) {
    task.targets.insert("socket".parse().unwrap(), endpoint);
    task.allowed.insert(format!("{capability}:socket").parse().unwrap());
}

async fn listen() -> (TcpListener, SocketAddr) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

#[tokio::test]
async fn stream_needs_a_grant_a_binding_and_the_right_kind() {
    let bench = Bench::new();
    let mut task = bench.add(&connector(SUMMARY_FROM_FAILURE)).await;
    let (_server, address) = listen().await;
    bind(&mut task, "http", Endpoint::Tcp(authority(address)));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest tcp:socket");
    assert_eq!(run.accesses[0].what, "tcp connect socket");
    assert!(run.accesses[0].refused.as_deref().unwrap().starts_with("denied"));
    bind(&mut task, "tcp", Endpoint::Udp(authority(address)));
    let run = bench.verify(&task).await.unwrap();
    assert!(run.verdict.summary.en.contains("bound to a udp target"), "{}", run.verdict.summary.en);
    for host in ["169.254.169.254", "::ffff:169.254.169.254"] {
        bind(&mut task, "tcp", Endpoint::Tcp(Authority { host: host.to_owned(), port: 80 }));
        let run = bench.verify(&task).await.unwrap();
        assert!(run.verdict.summary.en.contains("link-local"), "{host}: {}", run.verdict.summary.en);
    }
}

#[tokio::test]
async fn granted_stream_carries_bytes_both_ways() {
    let bench = Bench::new();
    let write = "(call $write (i32.load (i32.const 4)) (i32.const 107) (i32.const 4) (i32.const 2000) (i32.const 16))";
    let mut task = bench.add(&talker(&format!("{write} {READ} {SUMMARY_FROM_LIST}"))).await;
    let (server, address) = listen().await;
    bind(&mut task, "tcp", Endpoint::Tcp(authority(address)));
    let peer = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(b"pong, and welcome").await.unwrap();
        // The run's end is the connection's.
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        heard
    });
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "pong, and welcome");
    assert_eq!(run.accesses[0].what, "tcp connect socket, 4 bytes sent, 17 received");
    assert_eq!(run.accesses[0].refused, None);
    assert_eq!(&peer.await.unwrap(), b"ping");
}

#[tokio::test]
async fn peer_that_drips_bytes_ends_at_the_deadline() {
    let bench = Bench::new();
    let mut task = bench.add(&talker(&format!("(loop $again {READ} (br $again))"))).await;
    task.deadline = Duration::from_millis(300);
    let (server, address) = listen().await;
    bind(&mut task, "tcp", Endpoint::Tcp(authority(address)));
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let began = Instant::now();
    let error = bench.verify(&task).await.unwrap_err();
    assert_eq!(error.fault, RunFault::TimedOut { limit: task.deadline });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn hoarded_connections_are_closed_with_the_run() {
    const COUNT: u32 = 500;
    let bench = Bench::new();
    let mut task = bench.add(&crowd(COUNT, "(if (i32.load8_u (i32.const 0)) (then unreachable))")).await;
    let (server, address) = listen().await;
    bind(&mut task, "tcp", Endpoint::Http { authority: authority(address), prefix: "/v1".to_owned() });
    let ended = tokio::spawn(async move {
        let mut peers = Vec::new();
        for _ in 0..COUNT {
            peers.push(server.accept().await.unwrap().0);
        }
        for peer in &mut peers {
            assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
        }
        peers.len()
    });
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.outcome, Outcome::Pass);
    assert_eq!(run.accesses[0].what, "tcp connect socket, 500 times");
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
    assert_eq!(ended, COUNT as usize);
}

#[tokio::test]
async fn crowd_that_is_too_large_is_over_a_limit() {
    let bench = Bench::new();
    let mut task = bench.add(&crowd(8_001, SUMMARY_FROM_FAILURE)).await;
    bind(&mut task, "tcp", Endpoint::Tcp(authority(([127, 0, 0, 1], 1).into())));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "a run may have 8000 connections open; close some first");
    assert_eq!(run.accesses[0].what, "tcp connect socket, 8001 times");
}

#[tokio::test]
async fn listening_needs_its_own_grant() {
    let bench = Bench::new();
    let guest = Guest::new()
        .import("tcp", "listen", "(param i32)")
        .run(format!("(call $listen (i32.const 0)) {SUMMARY_FROM_FAILURE}"));
    let mut task = bench.add(&guest).await;
    bind(&mut task, "tcp", Endpoint::Tcp(authority(([127, 0, 0, 1], 1).into())));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest listen");
    let open = Guest::new()
        .import("tcp", "listen", "(param i32)")
        .run("(call $listen (i32.const 0)) (if (i32.load8_u (i32.const 0)) (then unreachable))");
    let mut task = bench.add(&open).await;
    task.allowed.insert("listen".parse().unwrap());
    let run = bench.verify(&task).await.unwrap();
    let address = run.accesses[0].what.strip_prefix("tcp listen ").unwrap();
    // The port is gone with the run.
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "{address}");
}

#[tokio::test]
async fn datagrams_go_to_the_target_and_back() {
    let bench = Bench::new();
    let guest = Guest::new()
        .import("udp", "open", "(param i32 i32 i32 i32 i32 i32)")
        .import("udp", "[method]socket.send", "(param i32 i32 i32 i32)")
        .import("udp", "[method]socket.receive", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"socket ping\")")
        .run(format!(
            "(call $open (i32.const 100) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
             (if (i32.load8_u (i32.const 0)) (then {SUMMARY_FROM_FAILURE})
             (else
               (call $send (i32.load (i32.const 4)) (i32.const 107) (i32.const 4) (i32.const 16))
               (call $receive (i32.load (i32.const 4)) (i32.const 2000) (i32.const 16))
               {SUMMARY_FROM_LIST}))"
        ));
    let mut task = bench.add(&guest).await;
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        let mut heard = [0; 16];
        let (count, client) = server.recv_from(&mut heard).await.unwrap();
        server.send_to(&[&heard[..count], b"!"].concat(), client).await.unwrap();
    });
    bind(&mut task, "tcp", Endpoint::Udp(authority(address)));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest udp:socket");
    bind(&mut task, "udp", Endpoint::Udp(authority(address)));
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(run.verdict.summary.en, "ping!");
    assert_eq!(run.accesses[0].what, "udp open socket, 4 bytes sent, 5 received");
}
