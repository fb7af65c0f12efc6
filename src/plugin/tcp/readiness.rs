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
