//! Servers that are none: what a target turns out to be when a learner has bound the wrong one.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use mustdo::model::Outcome;

use super::{Column, Examiner, Subject};

/// What stands behind an address by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Nobody listens.
    Closed,
    /// Connections are taken and nothing is ever said.
    Silent,
    /// Bytes that mean nothing, for ever, as fast as they are taken.
    Garbage,
    /// Says this on connection, and once more for whatever it is sent.
    Says(&'static [u8]),
    /// A web server: answers everything that ends a line twice with a small page.
    Web,
}

/// A wrong server on loopback; it ends when dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Peer {
    pub(crate) fn start(wrong: Wrong) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        if wrong != Wrong::Closed {
            let stopped = Arc::clone(&stop);
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let stopped = Arc::clone(&stopped);
                    thread::spawn(move || serve(wrong, stream, &stopped));
                }
            });
        }
        Self { address, stop }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Whoever waits for a connection wakes up and sees it; nobody may be there any more.
        drop(TcpStream::connect(self.address));
    }
}

/// Until the other side goes or the peer is dropped. That a client breaks off is no business of a server's.
fn serve(wrong: Wrong, mut stream: TcpStream, stopped: &AtomicBool) {
    let moment = Some(Duration::from_millis(100));
    stream.set_read_timeout(moment).unwrap();
    stream.set_write_timeout(moment).unwrap();
    if let Wrong::Says(bytes) = wrong {
        drop(stream.write_all(bytes));
    }
    let mut heard = [0; 4096];
    let mut noise = [0_u8; 4096];
    while !stopped.load(Ordering::Relaxed) {
        if wrong == Wrong::Garbage {
            getrandom::fill(&mut noise).unwrap();
            match stream.write(&noise) {
                Err(error) if !is_only_late(error.kind()) => return,
                Ok(_) | Err(_) => continue,
            }
        }
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(count) => answer(wrong, &mut stream, &heard[..count]),
            Err(error) if is_only_late(error.kind()) => {}
            Err(_) => return,
        }
    }
}

fn is_only_late(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn answer(wrong: Wrong, stream: &mut TcpStream, heard: &[u8]) {
    const PAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<p>no</p>\r\n\r\n";
    match wrong {
        Wrong::Says(bytes) => drop(stream.write_all(bytes)),
        Wrong::Web if heard.ends_with(b"\n") => drop(stream.write_all(PAGE)),
        Wrong::Web | Wrong::Closed | Wrong::Silent | Wrong::Garbage => {}
    }
}

/// Asks every column about a wrong server; nothing is told, within `within`, in words that hold one of `words`.
pub(crate) async fn expect_nothing_told(
    plugin: &str,
    columns: &[Column],
    wrong: Wrong,
    subject: impl Fn(SocketAddr) -> Subject,
    within: Duration,
    words: &[&str],
) {
    let examiner = Examiner::new(plugin).await;
    for column in columns {
        let peer = Peer::start(wrong);
        let subject = subject(peer.address());
        let answer = examiner.ask(column, &subject).await;
        let label = column.label;
        assert_eq!(answer.outcome(), Outcome::Inconclusive, "{label}, {wrong:?}: {answer}");
        assert!(answer.elapsed < within, "{label}, {wrong:?}: {answer}");
        let said = answer.to_string();
        assert!(words.iter().any(|word| said.contains(word)), "{label}, {wrong:?}: {said}");
    }
}
