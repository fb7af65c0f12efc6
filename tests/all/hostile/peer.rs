//! Plugins and services that work against the host together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mustdo::model::{Limit, Limits, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::host::{Bench, SEND, SUMMARY_FROM_FAILURE, echo, opener, sender, web};

/// A server that does `serve` with every connection, and counts them.
async fn server<F>(serve: fn(TcpStream) -> F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, connections)
}

async fn request(stream: &mut TcpStream) {
    let mut head = [0; 1024];
    let _ = stream.read(&mut head).await;
}

/// One byte of a head that never ends, forty times a second.
async fn drip(mut stream: TcpStream) {
    request(&mut stream).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Headers without end, as fast as they go.
async fn headers(mut stream: TcpStream) {
    request(&mut stream).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
    let line = format!("X: {}\r\n", "x".repeat(1_000));
    while stream.write_all(line.as_bytes()).await.is_ok() {}
}

/// "Continue" for ever.
async fn interim(mut stream: TcpStream) {
    request(&mut stream).await;
    while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {}
}

async fn ok(mut stream: TcpStream) {
    request(&mut stream).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
}

#[tokio::test]
async fn peer_without_an_end_costs_the_time_of_one_request() {
    // The words of a failure, or nothing where it has none: `timed-out` is the fourth case.
    let guest = sender(&format!(
        "{SEND}
         (if (i32.ne (i32.load8_u (i32.const 24)) (i32.const 3)) (then
            (i32.store (global.get $summary) (i32.load (i32.const 28)))
            (i32.store offset=4 (global.get $summary) (i32.load (i32.const 32)))))"
    ));
    let bench = Bench::new();
    let task = bench.add(&guest).await;
    for (peer, expected) in [
        (server(drip).await.0, "timed out"),
        (server(headers).await.0, "over the limit"),
        (server(interim).await.0, ""),
    ] {
        let mut task = task.clone();
        web(&mut task, peer);
        let began = Instant::now();
        let run = bench.verify(&task).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let refused = run.accesses[0].refused.as_deref().unwrap_or_default();
        assert!(refused.contains(expected) && !refused.is_empty(), "{refused}");
    }
}

#[tokio::test]
async fn dripping_peer_does_not_outlive_the_deadline_of_the_run() {
    let guest = sender(&format!("(loop $again {SEND} (br $again))"));
    let bench = Bench::new();
    let mut task = bench.add(&guest).await;
    web(&mut task, server(drip).await.0);
    task.deadline = Duration::from_millis(700);
    let began = Instant::now();
    assert!(bench.verify(&task).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn redirect_to_another_port_is_told_and_not_followed() {
    static ELSEWHERE: std::sync::OnceLock<SocketAddr> = std::sync::OnceLock::new();
    async fn redirect(mut stream: TcpStream) {
        request(&mut stream).await;
        let to = ELSEWHERE.get().unwrap();
        let answer = format!("HTTP/1.1 307 Go\r\nLocation: http://{to}/\r\nContent-Length: 5\r\n\r\nmoved");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
    let (elsewhere, visits) = server(ok).await;
    ELSEWHERE.set(elsewhere).unwrap();
    let bench = Bench::new();
    let mut task = bench.add(&echo()).await;
    web(&mut task, server(redirect).await.0);
    assert_eq!(bench.verify(&task).await.unwrap().verdict.summary.en, "moved");
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn flood_of_requests_ends_at_the_limit_that_the_user_set() {
    let guest = sender(&format!(
        "(loop $again {SEND} (br_if $again (i32.eqz (i32.load8_u (i32.const 16)))))
         (i32.store (global.get $summary) (i32.load (i32.const 28)))
         (i32.store offset=4 (global.get $summary) (i32.load (i32.const 32)))"
    ));
    let mut limits = Limits::default();
    assert!(limits.choose(Limit::Requests, 30));
    let bench = Bench::with(limits);
    let mut task = bench.add(&guest).await;
    let (address, connections) = server(ok).await;
    web(&mut task, address);
    let run = bench.verify(&task).await.unwrap();
    assert_eq!(
        run.verdict.summary.en,
        "a run may send 30 requests; requests under [limits] in mustdo.toml allows up to 1000000"
    );
    assert!(connections.load(Ordering::SeqCst) <= 30);
    assert_eq!(run.accesses.len(), 31);
}

#[tokio::test]
async fn metadata_address_is_refused_in_every_spelling() {
    let bench = Bench::new();
    let mut task = bench.add(&opener(SUMMARY_FROM_FAILURE)).await;
    for address in ["169.254.169.254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "fd00:ec2::254"] {
        web(&mut task, SocketAddr::new(address.parse().unwrap(), 80));
        let run = bench.verify(&task).await.unwrap();
        let why = run.verdict.summary.en;
        assert!(why.contains("clouds keep credentials there"), "{address}: {why}");
    }
    // The guest's summary stays its own where nothing is refused.
    let run = bench.verify(&bench.add(&opener("")).await).await.unwrap();
    assert_eq!(run.verdict.outcome, Outcome::Pass);
}
