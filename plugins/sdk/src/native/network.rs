//! Real sockets behind the native double.

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use super::{DEFAULT_TIMEOUT, NativeHost, failure};
use crate::Failure;
use crate::host::{Attempt, Network};
use crate::tcp::{Endpoint, Options, Port, Stream};
use crate::udp::Datagrams;

impl Network for NativeHost {
    fn connect(&self, target: &str, options: &Options) -> Result<Box<dyn Stream>, Failure> {
        let address = self.address(target)?;
        let opened = connect(address, options).map(Plain::new).map_err(|error| failure(&error))?;
        Ok(Box::new(opened))
    }

    fn connect_many(&self, target: &str, options: &Options, count: u32) -> Result<Vec<Attempt>, Failure> {
        self.address(target)?;
        Ok((0..count).map(|_| self.connect(target, options)).collect())
    }

    fn listen(&self) -> Result<Box<dyn Port>, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failure(&error))?;
        Ok(Box::new(listener))
    }

    fn wait_readable(&self, streams: &[&dyn Stream], timeout: Duration) -> Vec<usize> {
        let known: Vec<_> =
            streams.iter().filter_map(|stream| stream.as_any().downcast_ref::<Plain>()).collect();
        let open: Vec<_> = known.iter().map(|plain| plain.stream.borrow()).collect();
        let closed = |place: &usize| open[*place].is_none();
        let streams: Vec<(usize, &TcpStream)> =
            open.iter().enumerate().filter_map(|(place, stream)| Some((place, stream.as_ref()?))).collect();
        let timeout = if streams.len() < open.len() { Duration::ZERO } else { timeout };
        let fds: Vec<_> = streams.iter().map(|(_, stream)| stream.as_fd()).collect();
        let ready = ready(&fds, timeout);
        (0..open.len())
            .filter(|place| {
                closed(place) || streams.iter().zip(&ready).any(|(s, ready)| s.0 == *place && *ready)
            })
            .collect()
    }

    fn open_udp(&self, target: &str, source: Option<&str>) -> Result<Box<dyn Datagrams>, Failure> {
        let address = self.address(target)?;
        let source = source.map(loopback).transpose().map_err(|error| failure(&error))?;
        let opened = UdpSocket::bind((source.unwrap_or(Ipv4Addr::UNSPECIFIED), 0)).and_then(|socket| {
            socket.connect(address)?;
            Ok(socket)
        });
        Ok(Box::new(opened.map_err(|error| failure(&error))?))
    }
}

/// Opens a stream as its options say.
pub(super) fn connect(address: SocketAddr, options: &Options) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(source) = &options.source {
        socket.bind(&SocketAddr::new(loopback(source)?.into(), 0).into())?;
    }
    if options.receive_buffer > 0 {
        socket.set_recv_buffer_size(options.receive_buffer as usize)?;
    }
    socket.connect_timeout(&address.into(), host_time(options.timeout))?;
    let stream = TcpStream::from(socket);
    if stream.local_addr()? == stream.peer_addr()? {
        // Nobody listens, and the system gave this end the port that it asked for.
        return Err(ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(options.no_delay)?;
    Ok(stream)
}

fn loopback(source: &str) -> io::Result<Ipv4Addr> {
    let source = source.parse().ok().filter(Ipv4Addr::is_loopback);
    source.ok_or_else(|| io::Error::other("a source address is one of 127.0.0.0/8"))
}

fn host_time(timeout: Duration) -> Duration {
    if timeout.is_zero() { DEFAULT_TIMEOUT } else { timeout }
}

/// Which of the sockets can be read or have ended, as soon as one can or the time is over.
fn ready(fds: &[impl AsFd], timeout: Duration) -> Vec<bool> {
    let mut asked: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let time = Timespec::try_from(timeout).ok();
    match poll(&mut asked, time.as_ref()) {
        Ok(_) => asked.iter().map(|answer| !answer.revents().is_empty()).collect(),
        Err(_) => vec![false; fds.len()],
    }
}

fn endpoint(address: io::Result<SocketAddr>) -> Endpoint {
    let address = address.unwrap_or_else(|_| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
    Endpoint { address: address.ip().to_string(), port: address.port() }
}

/// A stream, gone once it was reset.
struct Plain {
    stream: RefCell<Option<TcpStream>>,
    local: Endpoint,
    peer: Endpoint,
}

impl Plain {
    fn new(stream: TcpStream) -> Self {
        let (local, peer) = (endpoint(stream.local_addr()), endpoint(stream.peer_addr()));
        Self { stream: RefCell::new(Some(stream)), local, peer }
    }

    fn with<T>(&self, act: impl FnOnce(&TcpStream) -> io::Result<T>) -> Result<T, Failure> {
        match &*self.stream.borrow() {
            Some(stream) => act(stream).map_err(|error| failure(&error)),
            None => Err(Failure::Other("the plugin has reset this connection".to_owned())),
        }
    }
}

impl Stream for Plain {
    fn read(&self, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure> {
        if max == 0 {
            return Err(Failure::Other("a read of 0 bytes: ask for at least one".to_owned()));
        }
        self.with(|mut stream| {
            stream.set_read_timeout(Some(host_time(timeout)))?;
            let mut bytes = vec![0; max as usize];
            let count = stream.read(&mut bytes)?;
            bytes.truncate(count);
            Ok(bytes)
        })
    }

    fn write(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure> {
        self.with(|mut stream| {
            let (began, limit) = (Instant::now(), host_time(timeout));
            let mut rest = bytes;
            while !rest.is_empty() {
                let left = limit.saturating_sub(began.elapsed());
                if left.is_zero() {
                    return Err(ErrorKind::TimedOut.into());
                }
                stream.set_write_timeout(Some(left))?;
                rest = &rest[stream.write(rest)?..];
            }
            Ok(())
        })
    }

    fn write_some(&self, bytes: &[u8]) -> Result<usize, Failure> {
        self.with(|mut stream| {
            stream.set_nonblocking(true)?;
            let written = stream.write(bytes);
            stream.set_nonblocking(false)?;
            match written {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                written => written,
            }
        })
    }

    fn shutdown_write(&self) -> Result<(), Failure> {
        self.with(|stream| stream.shutdown(std::net::Shutdown::Write))
    }

    fn reset(&self) {
        if let Some(stream) = self.stream.take() {
            // It fails only where the connection is gone already.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }

    fn local(&self) -> Endpoint {
        self.local.clone()
    }

    fn peer(&self) -> Endpoint {
        self.peer.clone()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Port for TcpListener {
    fn local(&self) -> Endpoint {
        endpoint(self.local_addr())
    }

    fn accept(&self, timeout: Duration) -> Result<Box<dyn Stream>, Failure> {
        if ready(&[self], host_time(timeout)) != [true] {
            return Err(Failure::TimedOut);
        }
        let accepted = TcpListener::accept(self).and_then(|(stream, _)| {
            stream.set_nodelay(true)?;
            Ok(Plain::new(stream))
        });
        Ok(Box::new(accepted.map_err(|error| failure(&error))?))
    }
}

impl Datagrams for UdpSocket {
    fn send(&self, datagram: &[u8]) -> Result<(), Failure> {
        UdpSocket::send(self, datagram).map(|_| ()).map_err(|error| failure(&error))
    }

    fn receive(&self, timeout: Duration) -> Result<Vec<u8>, Failure> {
        let mut datagram = vec![0; 65_535];
        let received = self
            .set_read_timeout(Some(host_time(timeout)))
            .and_then(|()| self.recv(&mut datagram))
            .map_err(|error| failure(&error))?;
        datagram.truncate(received);
        Ok(datagram)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::thread;

    use super::*;
    use crate::tcp::Connection;

    /// A host with the target "socket", and the server behind it.
    fn bench() -> (NativeHost, TcpListener) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        (NativeHost::new().bind("socket", server.local_addr().unwrap()), server)
    }

    fn open(host: &NativeHost, options: &Options) -> Connection {
        host.context(1).tcp("socket", options).unwrap()
    }

    #[test]
    fn protocol_code_reads_and_writes_a_connection_as_any_stream() {
        let (host, server) = bench();
        let echo = thread::spawn(move || {
            let (mut stream, peer) = server.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            stream.write_all(format!("you said {line}").as_bytes()).unwrap();
            peer
        });
        let options = Options { source: Some("127.0.0.6".to_owned()), no_delay: true, ..Options::default() };
        let mut connection = open(&host, &options);
        assert_eq!(connection.local().address, "127.0.0.6");
        writeln!(connection, "hello").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "you said hello\n");
        assert_eq!(echo.join().unwrap().ip().to_string(), "127.0.0.6");
    }

    #[test]
    fn times_and_ends_are_told_apart() {
        let (host, server) = bench();
        let mut connection = open(&host, &Options::default());
        let (peer, _) = server.accept().unwrap();
        connection.set_read_timeout(Duration::from_millis(30));
        assert_eq!(connection.receive(10), Err(Failure::TimedOut));
        assert_eq!(connection.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::TimedOut);
        connection.shutdown_write().unwrap();
        assert_eq!((&peer).read(&mut [0; 10]).unwrap(), 0);
        drop(peer);
        assert_eq!(connection.receive(10), Ok(Vec::new()));
        assert!(matches!(connection.receive(0), Err(Failure::Other(_))));
    }

    #[test]
    fn write_some_fills_what_the_system_has_and_a_full_write_times_out() {
        let (host, server) = bench();
        let mut connection = open(&host, &Options::default());
        let _peer = server.accept().unwrap();
        let block = vec![1; 1 << 20];
        let mut written = 0;
        while let count @ 1.. = connection.write_some(&block).unwrap() {
            written += count;
        }
        assert!(written > 0);
        connection.set_write_timeout(Duration::from_millis(30));
        assert_eq!(connection.send(&block), Err(Failure::TimedOut));
    }

    #[test]
    fn reset_is_seen_as_one() {
        let (host, server) = bench();
        let connection = open(&host, &Options::default());
        let (peer, _) = server.accept().unwrap();
        connection.reset();
        assert_eq!((&peer).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn those_that_can_be_read_are_named() {
        let (host, server) = bench();
        let context = host.context(1);
        let opened = context.connect_many("socket", &Options::default(), 50).unwrap();
        let connections: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
        let mut peers: Vec<_> = connections.iter().map(|_| server.accept().unwrap()).collect();
        let all: Vec<_> = connections.iter().collect();
        assert!(context.wait_readable(&all, Duration::ZERO).is_empty());
        peers[7].0.write_all(b"here").unwrap();
        let port = peers[7].1.port();
        let place = connections.iter().position(|connection| connection.local().port == port).unwrap();
        assert_eq!(context.wait_readable(&all, Duration::from_secs(2)), [place]);
        assert!(context.wait_readable(&[], Duration::from_secs(2)).is_empty());
    }

    #[test]
    fn plugin_is_a_server() {
        let (host, _) = bench();
        let listener = host.context(1).listen().unwrap();
        assert_eq!(listener.accept(Duration::from_millis(20)).err(), Some(Failure::TimedOut));
        let address = listener.local().to_string();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"ping").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let connection = listener.accept(Duration::from_secs(5)).unwrap();
        assert_eq!(connection.receive(10).unwrap(), b"ping");
        connection.send(b"pong").unwrap();
        drop(connection);
        assert_eq!(client.join().unwrap(), "pong");
    }

    #[test]
    fn datagrams_come_back_and_a_closed_port_is_unreachable() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let host = NativeHost::new().bind("dns", server.local_addr().unwrap());
        let socket = host.context(1).udp("dns", Some("127.0.0.5")).unwrap();
        socket.send(b"who").unwrap();
        let mut heard = [0; 10];
        let (count, client) = server.recv_from(&mut heard).unwrap();
        assert_eq!((&heard[..count], client.ip().to_string().as_str()), (&b"who"[..], "127.0.0.5"));
        server.send_to(b"", client).unwrap();
        assert_eq!(socket.receive(Duration::from_secs(2)), Ok(Vec::new()));
        assert_eq!(socket.receive(Duration::from_millis(20)), Err(Failure::TimedOut));
        drop(server);
        socket.send(b"anybody").unwrap();
        assert!(matches!(socket.receive(Duration::from_secs(2)), Err(Failure::Unreachable(_))));
    }

    #[test]
    fn what_is_not_bound_or_not_loopback_is_refused() {
        let (host, _server) = bench();
        let context = host.context(1);
        let unbound = Some(Failure::Unbound("other".to_owned()));
        assert_eq!(context.tcp("other", &Options::default()).err(), unbound);
        assert_eq!(context.connect_many("other", &Options::default(), 0).err(), unbound);
        assert_eq!(context.udp("other", None).err(), unbound);
        let elsewhere = Options { source: Some("10.0.0.1".to_owned()), ..Options::default() };
        assert!(context.tcp("socket", &elsewhere).is_err());
    }
}
