//! Datagrams to a named target. A socket hears its target only.

use std::time::Duration;

use crate::Failure;

/// A socket that is connected to one target. Dropping it closes it.
pub struct Socket {
    datagrams: Box<dyn Datagrams>,
}

impl Socket {
    pub(crate) fn new(datagrams: Box<dyn Datagrams>) -> Self {
        Self { datagrams }
    }

    /// Sends one datagram, of at most 65,507 bytes. That it was sent does not mean that it arrived.
    pub fn send(&self, datagram: &[u8]) -> Result<(), Failure> {
        self.datagrams.send(datagram)
    }

    /// The next datagram, whole; it may be empty. Zero leaves the time to the host. [`Failure::Unreachable`] where nobody
    /// listens, which the system learns from the answer to an earlier datagram.
    pub fn receive(&self, timeout: Duration) -> Result<Vec<u8>, Failure> {
        self.datagrams.receive(timeout)
    }
}

/// The host's side of a [`Socket`].
pub trait Datagrams {
    /// Sends one.
    fn send(&self, datagram: &[u8]) -> Result<(), Failure>;
    /// The next one.
    fn receive(&self, timeout: Duration) -> Result<Vec<u8>, Failure>;
}
