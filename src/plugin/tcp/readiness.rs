//! Which of many connections can be read.
//!
//! The system is asked about all of them in one call, and again after one of them woke the run: however many there are and
//! however often it is asked, each answer costs one look at each.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

/// Connections that the system is asked about at once: it refuses more than a process may have files open.
const CHUNK: usize = 512;

/// The indices of the connections that can be read or have ended, within the time; a connection without a stream was reset
/// and has ended. No time is a look at how things are.
pub(super) async fn readable(streams: &[Option<Arc<TcpStream>>], millis: u32) -> Vec<u32> {
    let found = look(streams);
    if !found.is_empty() || streams.is_empty() || millis == 0 {
        return found;
    }
    // Without the runtime's budget, which would call a ready connection pending after the first hundred.
    let wait = unconstrained(poll_fn(|context| wait(streams, context)));
    match tokio::time::timeout(Duration::from_millis(millis.into()), wait).await {
        Ok(()) | Err(_) => look(streams),
    }
}

/// Asks the system, without waiting.
fn look(streams: &[Option<Arc<TcpStream>>]) -> Vec<u32> {
    let mut found = Vec::new();
    for (chunk, streams) in streams.chunks(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        let (mut places, mut asked) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
        for (place, stream) in streams.iter().enumerate() {
            match stream {
                Some(stream) => {
                    places.push(first + place);
                    asked.push(PollFd::new(stream, PollFlags::IN));
                }
                None => found.push(first + place),
            }
        }
        ask(&mut asked);
        let answers = asked.iter().zip(places).filter(|(answer, _)| !answer.revents().is_empty());
        found.extend(answers.map(|(_, place)| place));
    }
    found.sort_unstable();
    found.into_iter().filter_map(|place| u32::try_from(place).ok()).collect()
}

fn ask(asked: &mut [PollFd<'_>]) {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Interrupted by a signal, it is asked again; no other refusal is possible for open files and a list of this length.
    while let Err(rustix::io::Errno::INTR) = poll(asked, Some(&NOW)) {}
}

/// Ready when one of them is; until then each wakes the run.
fn wait(streams: &[Option<Arc<TcpStream>>], context: &mut Context<'_>) -> Poll<()> {
    for stream in streams.iter().flatten() {
        while let Poll::Ready(woken) = stream.poll_read_ready(context) {
            if woken.is_err() || stream.try_io(Interest::READABLE, || now(stream)).is_ok() {
                return Poll::Ready(());
            }
        }
    }
    Poll::Pending
}

/// Whether it can be read at this moment: the runtime may remember a readiness that is used up. Reading ahead instead would
/// take an error from the read that it belongs to.
fn now(stream: &TcpStream) -> io::Result<()> {
    let mut asked = [PollFd::new(stream, PollFlags::IN)];
    ask(&mut asked);
    if asked[0].revents().is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};
    use wasmtime::component::Resource;

    use crate::plugin::contract::tcp::{Host, HostConnection};
    use crate::plugin::state::State;
    use crate::plugin::tcp::Connection;
    use crate::plugin::tcp::bench::{PLAIN, again, connect_many, run};

    use super::*;

    /// A run with many connections, and the other end of each.
    async fn pairs(count: u32) -> (State, Vec<Resource<Connection>>, Vec<TcpStream>) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut run = run(server.local_addr().unwrap());
        let accepted = tokio::spawn(async move {
            let mut accepted = Vec::new();
            while accepted.len() < count as usize {
                accepted.push(server.accept().await.unwrap().0);
            }
            accepted
        });
        let connected = connect_many(&mut run, &PLAIN, count).await.unwrap();
        let connections: Vec<_> = connected.into_iter().map(Result::unwrap).collect();
        let mut ends: std::collections::HashMap<_, _> =
            accepted.await.unwrap().into_iter().map(|end| (end.peer_addr().unwrap().port(), end)).collect();
        let mut peers = Vec::new();
        for connection in &connections {
            let local = HostConnection::local(&mut run, again(connection)).unwrap();
            peers.push(ends.remove(&local.port).unwrap());
        }
        (run, connections, peers)
    }

    async fn wait(run: &mut State, connections: &[Resource<Connection>], millis: u32) -> Vec<u32> {
        run.wait_readable(connections.iter().map(again).collect(), millis).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn exactly_those_that_can_be_read_are_named() {
        let (mut run, connections, mut peers) = pairs(2_000).await;
        assert!(wait(&mut run, &connections, 0).await.is_empty());
        for index in [1_999, 3, 700] {
            peers[index].write_all(b"here").await.unwrap();
        }
        assert_eq!(wait(&mut run, &connections, 1_000).await, [3, 700, 1_999]);
        // What is read is not ready any more, also where the runtime believes that it is.
        for index in [3, 700] {
            let bytes = run.read(again(&connections[index]), 4, 1_000).await.unwrap().unwrap();
            assert_eq!(bytes, b"here");
        }
        assert_eq!(wait(&mut run, &connections, 0).await, [1_999]);
        run.read(again(&connections[1_999]), 4, 1_000).await.unwrap().unwrap();
        let began = Instant::now();
        assert!(wait(&mut run, &connections, 100).await.is_empty());
        assert!(began.elapsed() >= Duration::from_millis(100));
        for peer in &mut peers {
            peer.write_all(b".").await.unwrap();
        }
        assert_eq!(wait(&mut run, &connections, 1_000).await.len(), 2_000);
    }

    #[tokio::test]
    async fn wait_ends_with_the_first_that_speaks() {
        let (mut run, connections, mut peers) = pairs(3).await;
        let began = Instant::now();
        let speaker = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            peers[1].write_all(b"now").await.unwrap();
            peers
        });
        assert_eq!(wait(&mut run, &connections, 10_000).await, [1]);
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(speaker.await.unwrap());
    }

    #[tokio::test]
    async fn ended_reset_and_closed_connections_are_ready() {
        let (mut run, connections, mut peers) = pairs(4).await;
        drop(peers.pop().unwrap());
        let reset = peers.pop().unwrap();
        reset.set_zero_linger().unwrap();
        drop(reset);
        run.reset(again(&connections[0])).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(wait(&mut run, &connections, 1_000).await, [0, 2, 3]);
        // One handle twice is one connection under two numbers.
        let twice = [again(&connections[1]), again(&connections[3]), again(&connections[3])];
        assert_eq!(wait(&mut run, &twice, 0).await, [1, 2]);
    }

    #[tokio::test]
    async fn list_that_is_longer_than_a_run_can_hold_is_a_fault() {
        let (mut run, connections, _peers) = pairs(1).await;
        let list = (0..8_001).map(|_| again(&connections[0])).collect();
        assert!(run.wait_readable(list, 0).await.is_err());
    }
}
