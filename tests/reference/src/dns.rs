//! A small name server, with one flag per known mistake: the good one knows one name with three addresses, and gives them
//! in another order each time.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use simple_dns::{
    CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, RData},
};

use crate::named::named;

named! {
    /// One mistake of the server. The part of the name before the slash is the check that the mistake was written for;
    /// `trap/` stands for those that no check may take for a good server.
    pub enum Flaw is "flaw" {
        FixedOrder "dns-round-robin/fixed-order"
            "The addresses come in the same order each time."
        OneAddress "dns-round-robin/one-address"
            "Only one of the addresses is given."
        Subset "dns-round-robin/subset"
            "Two of the three addresses are given, others each time."
        Favourite "dns-round-robin/favourite"
            "The first address comes first in three of four answers."
        NoLife "dns-round-robin/ttl-zero"
            "Answers may not be kept: their TTL is 0."
        LongLife "dns-round-robin/ttl-day"
            "Answers may be kept for a day."
        WrongId "dns-round-robin/wrong-id"
            "Answers carry another id than the question."
        UnknownExists "dns-round-robin/unknown-exists"
            "Every name has these addresses."
        UnknownIsEmpty "dns-round-robin/unknown-is-empty"
            "A name that does not exist is answered without an error, and without an address."
        NoOtherType "dns-round-robin/no-other-type"
            "A question for AAAA is answered as if the name did not exist."

        Silent "trap/silent"
            "Nothing is ever answered."
        Echo "trap/echo"
            "Questions are sent back."
        Garbage "trap/garbage"
            "Answers are no DNS messages."
    }
}

/// The name that the server knows.
pub const NAME: &str = "www.shop.test";

/// Its addresses.
pub const ADDRESSES: [Ipv4Addr; 3] =
    [Ipv4Addr::new(127, 0, 0, 11), Ipv4Addr::new(127, 0, 0, 12), Ipv4Addr::new(127, 0, 0, 13)];

/// How often the server looks whether it is to stop.
const TICK: Duration = Duration::from_millis(50);

/// A server with two threads, one for each protocol; dropping it stops them.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

/// Starts a server of datagrams and of streams, on one port of the system's choice.
///
/// # Errors
///
/// The system has no such port to give.
pub fn start(flaw: Option<Flaw>) -> io::Result<Running> {
    let (datagrams, streams) = both()?;
    datagrams.set_read_timeout(Some(TICK))?;
    let running = Running { address: datagrams.local_addr()?, stop: Arc::default() };
    let server = Arc::new(Server { flaw, asked: AtomicUsize::new(0), stop: Arc::clone(&running.stop) });
    let other = Arc::clone(&server);
    thread::spawn(move || server.serve_datagrams(&datagrams));
    thread::spawn(move || other.serve_streams(&streams));
    Ok(running)
}

/// Two sockets on the same port: the one that the system chose for datagrams may be taken for streams.
fn both() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..20 {
        let datagrams = UdpSocket::bind("127.0.0.1:0")?;
        match TcpListener::bind(datagrams.local_addr()?) {
            Ok(streams) => return Ok((datagrams, streams)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

impl Running {
    /// Where it listens, for datagrams and for streams.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

struct Server {
    flaw: Option<Flaw>,
    /// Questions for the addresses so far.
    asked: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Server {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn serve_datagrams(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4_096];
        while !self.is_stopped() {
            let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(reply) = self.reply(&buffer[..length]) {
                // A client that has gone is no business of the others.
                let _ = socket.send_to(&reply, peer);
            }
        }
    }

    fn serve_streams(&self, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.is_stopped() {
                return;
            }
            // A client that breaks off is no business of the others.
            let _ = self.converse(stream);
        }
    }

    /// One question with its length in front (RFC 1035 4.2.2), and its answer.
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        let Some(reply) = self.reply(&question) else { return Ok(()) };
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length[..], &reply].concat())
    }

    fn reply(&self, question: &[u8]) -> Option<Vec<u8>> {
        match self.flaw {
            Some(Flaw::Silent) => return None,
            Some(Flaw::Echo) => return Some(question.to_vec()),
            Some(Flaw::Garbage) => return Some(b"what?".to_vec()),
            _ => {}
        }
        let query = Packet::parse(question).ok()?;
        let asked = query.questions.first()?;
        let id = if self.flaw == Some(Flaw::WrongId) { query.id().wrapping_add(1) } else { query.id() };
        let mut reply = Packet::new_reply(id);
        reply.set_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER);
        reply.questions.push(asked.clone());
        let is_known = asked.qname.to_string().eq_ignore_ascii_case(NAME);
        if !is_known && self.flaw != Some(Flaw::UnknownExists) {
            if self.flaw != Some(Flaw::UnknownIsEmpty) {
                *reply.rcode_mut() = RCODE::NameError;
            }
        } else if asked.qtype == QTYPE::TYPE(TYPE::A) {
            let life = match self.flaw {
                Some(Flaw::NoLife) => 0,
                Some(Flaw::LongLife) => 86_400,
                _ => 60,
            };
            let record = |address: Ipv4Addr| {
                let data = RData::A(A { address: address.into() });
                ResourceRecord::new(asked.qname.clone(), CLASS::IN, life, data)
            };
            reply.answers.extend(self.addresses().into_iter().map(record));
        } else if self.flaw == Some(Flaw::NoOtherType) {
            *reply.rcode_mut() = RCODE::NameError;
        }
        reply.build_bytes_vec_compressed().ok()
    }

    /// The addresses for the next question.
    fn addresses(&self) -> Vec<Ipv4Addr> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut addresses = ADDRESSES.to_vec();
        match self.flaw {
            Some(Flaw::FixedOrder) => {}
            Some(Flaw::OneAddress) => addresses.truncate(1),
            Some(Flaw::Subset) => {
                addresses.rotate_left(turn % 3);
                addresses.truncate(2);
            }
            Some(Flaw::Favourite) if !turn.is_multiple_of(4) => {}
            Some(Flaw::Favourite) => addresses.rotate_left(1 + turn / 4 % 2),
            _ => addresses.rotate_left(turn % 3),
        }
        addresses
    }
}
