//! A small server of datagrams, with one flag per known mistake: the good one sends each back.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::named::named;

named! {
    /// One mistake of the server. The part of the name before the slash is the check that the mistake was written for;
    /// `trap/` stands for those that no check may take for a good server.
    pub enum Flaw is "flaw" {
        Truncates "udp/truncates"
            "What is longer than 1024 bytes is cut off."
        AnswersPrevious "udp/answers-previous"
            "The reply goes to whoever sent the datagram before."
        Merges "udp/merges"
            "What comes together is taken for a stream, and sent back as one."
        EmptyStops "udp/empty-stops"
            "An empty datagram ends the loop."
        ConnectsFirst "udp/connects-first"
            "The socket is connected to its first client."
        UpperCase "udp/upper-case"
            "Datagrams come back in upper case."

        Silent "trap/silent"
            "Nothing is ever sent back."
        Constant "trap/constant"
            "Every datagram gets the same reply."
    }
}

/// How often the server looks whether it is to stop.
const TICK: Duration = Duration::from_millis(50);

/// How long [`Flaw::Merges`] waits for more.
const TOGETHER: Duration = Duration::from_millis(5);

/// A server with a thread of its own; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

/// Starts a server on a port of the system's choice.
///
/// # Errors
///
/// The system has no socket to give.
pub fn start(flaw: Option<Flaw>) -> io::Result<Running> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(TICK))?;
    let running = Running { address: socket.local_addr()?, stop: Arc::default() };
    let stop = Arc::clone(&running.stop);
    thread::spawn(move || serve(&socket, flaw, &stop));
    Ok(running)
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn serve(socket: &UdpSocket, flaw: Option<Flaw>, stop: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    let mut previous: Option<SocketAddr> = None;
    while !stop.load(Ordering::SeqCst) {
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
        let mut reply = buffer[..length].to_vec();
        let mut to = peer;
        match flaw {
            Some(Flaw::Truncates) => reply.truncate(1_024),
            Some(Flaw::AnswersPrevious) => to = previous.replace(peer).unwrap_or(peer),
            Some(Flaw::Merges) => reply.extend(more(socket, &mut buffer)),
            Some(Flaw::EmptyStops) if reply.is_empty() => return,
            // Whoever comes later is not heard any more; it fails only where the first one has gone.
            Some(Flaw::ConnectsFirst) => drop(socket.connect(peer)),
            Some(Flaw::UpperCase) => reply.make_ascii_uppercase(),
            Some(Flaw::Silent) => continue,
            Some(Flaw::Constant) => reply = b"welcome".to_vec(),
            Some(Flaw::EmptyStops) | None => {}
        }
        // A client that has gone is no business of the others.
        let _ =
            if flaw == Some(Flaw::ConnectsFirst) { socket.send(&reply) } else { socket.send_to(&reply, to) };
    }
}

/// What else comes within a moment, from whomever.
fn more(socket: &UdpSocket, buffer: &mut [u8]) -> Vec<u8> {
    let mut more = Vec::new();
    if socket.set_read_timeout(Some(TOGETHER)).is_ok() {
        while let Ok((length, _)) = socket.recv_from(buffer) {
            more.extend_from_slice(&buffer[..length]);
        }
    }
    // The socket took the same call before.
    let _ = socket.set_read_timeout(Some(TICK));
    more
}
