//! Byte streams to a named target, and from whoever connects to a [`Listener`] of the plugin.
//!
//! A [`Connection`] reads and writes like any other stream ([`std::io::Read`], [`std::io::Write`]), so code that speaks a
//! protocol over one runs unchanged. A plugin is single-threaded: it opens thousands of connections with
//! [`Context::connect_many`](crate::Context::connect_many) and learns which of them speak with
//! [`Context::wait_readable`](crate::Context::wait_readable).

use std::any::Any;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use crate::Failure;

/// Bytes that one call carries at most; longer writes take several.
const CHUNK: usize = 1 << 20;

/// How connections are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Loopback source address to connect from (127.0.0.0/8), to play several clients.
    pub source: Option<String>,
    /// Bytes that the system buffers for the reader; zero leaves it to the system. Small values make short writes of the
    /// peer visible.
    pub receive_buffer: u32,
    /// Small writes leave at once.
    pub no_delay: bool,
    /// The wait for the connection; zero leaves it to the host. Reads and writes begin with the same.
    pub timeout: Duration,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// An IP address.
    pub address: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address.contains(':') {
            write!(formatter, "[{}]:{}", self.address, self.port)
        } else {
            write!(formatter, "{}:{}", self.address, self.port)
        }
    }
}

/// A byte stream. Dropping it closes it; what was sent still arrives.
pub struct Connection {
    stream: Box<dyn Stream>,
    read_timeout: Duration,
    write_timeout: Duration,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Stream>, timeout: Duration) -> Self {
        Self { stream, read_timeout: timeout, write_timeout: timeout }
    }

    pub(crate) fn stream(&self) -> &dyn Stream {
        &*self.stream
    }

    /// Limits each read from now on; zero leaves it to the host.
    pub fn set_read_timeout(&mut self, timeout: Duration) {
        self.read_timeout = timeout;
    }

    /// Limits each write from now on; zero leaves it to the host.
    pub fn set_write_timeout(&mut self, timeout: Duration) {
        self.write_timeout = timeout;
    }

    /// Waits for bytes and gives up to `max` of those that are there, at least one; none mean that the peer ended its
    /// side. Unlike [`Read`], it tells failures apart as the host does.
    pub fn receive(&self, max: u32) -> Result<Vec<u8>, Failure> {
        self.stream.read(max, self.read_timeout)
    }

    /// Sends all of `bytes`, or fails; what was sent before a failure stays sent.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        bytes.chunks(CHUNK).try_for_each(|chunk| self.stream.write(chunk, self.write_timeout))
    }

    /// Sends what the system takes at this moment and says how much that was; it may be nothing.
    pub fn write_some(&self, bytes: &[u8]) -> Result<usize, Failure> {
        self.stream.write_some(&bytes[..bytes.len().min(CHUNK)])
    }

    /// Ends this side: the peer reads what was sent, and then the end.
    pub fn shutdown_write(&self) -> Result<(), Failure> {
        self.stream.shutdown_write()
    }

    /// Closes with a reset, so that the peer sees an error and not an end.
    pub fn reset(self) {
        self.stream.reset();
    }

    /// This side's address.
    #[must_use]
    pub fn local(&self) -> Endpoint {
        self.stream.local()
    }

    /// The other side's.
    #[must_use]
    pub fn peer(&self) -> Endpoint {
        self.stream.peer()
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len().min(CHUNK)).unwrap_or(u32::MAX);
        let bytes = self.receive(max)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        self.stream.write(chunk, self.write_timeout)?;
        Ok(chunk.len())
    }

    /// Nothing is kept back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A port on loopback that the plugin listens on. Dropping it closes the port.
pub struct Listener {
    port: Box<dyn Port>,
}

impl Listener {
    pub(crate) fn new(port: Box<dyn Port>) -> Self {
        Self { port }
    }

    /// Where the learner's program connects to.
    #[must_use]
    pub fn local(&self) -> Endpoint {
        self.port.local()
    }

    /// The next connection; zero leaves the time to the host. Its reads and writes begin with the host's times.
    pub fn accept(&self, timeout: Duration) -> Result<Connection, Failure> {
        self.port.accept(timeout).map(|stream| Connection::new(stream, Duration::ZERO))
    }
}

/// The host's side of a [`Connection`].
pub trait Stream {
    /// Up to `max` bytes; none at the end.
    fn read(&self, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure>;
    /// Everything, or a failure.
    fn write(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure>;
    /// What fits now.
    fn write_some(&self, bytes: &[u8]) -> Result<usize, Failure>;
    /// Ends this side.
    fn shutdown_write(&self) -> Result<(), Failure>;
    /// Closes with a reset.
    fn reset(&self);
    /// This side's address.
    fn local(&self) -> Endpoint;
    /// The other side's.
    fn peer(&self) -> Endpoint;
    /// Itself, for the host that made it.
    fn as_any(&self) -> &dyn Any;
}

/// The host's side of a [`Listener`].
pub trait Port {
    /// Where it listens.
    fn local(&self) -> Endpoint;
    /// The next connection.
    fn accept(&self, timeout: Duration) -> Result<Box<dyn Stream>, Failure>;
}
