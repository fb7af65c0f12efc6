//! One connection: what is read from it and written to it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BufMut;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use tokio::net::TcpStream;

use crate::plugin::contract::Failure;
use crate::plugin::failure;
use crate::plugin::network::{Network, Slot, Traffic, within};

use super::{READ_BYTES, WRITE_BYTES};

/// A connection of a plugin's, either way round. Dropping it closes it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    /// This side's address.
    pub(super) local: SocketAddr,
    /// The other side's.
    pub(super) peer: SocketAddr,
    /// None once the plugin has reset it.
    stream: Option<Arc<TcpStream>>,
    /// The plugin has said that it sends no more.
    finished: bool,
    traffic: Arc<Traffic>,
    _slot: Slot,
}

impl Connection {
    /// A connection that stands.
    pub(super) fn new(stream: TcpStream, slot: Slot, traffic: Arc<Traffic>) -> Result<Self, Failure> {
        let address = |address: std::io::Result<SocketAddr>| address.map_err(|error| failure::of_io(&error));
        Ok(Self {
            local: address(stream.local_addr())?,
            peer: address(stream.peer_addr())?,
            stream: Some(Arc::new(stream)),
            finished: false,
            traffic,
            _slot: slot,
        })
    }

    /// What it runs over; none once it was reset.
    pub(super) fn stream(&self) -> Option<Arc<TcpStream>> {
        self.stream.clone()
    }

    fn open(&self) -> Result<Arc<TcpStream>, Failure> {
        self.stream().ok_or_else(|| Failure::Other("the plugin has reset this connection".to_owned()))
    }

    fn sending(&self) -> Result<Arc<TcpStream>, Failure> {
        if self.finished {
            return Err(Failure::Other("the plugin has ended its side of this connection".to_owned()));
        }
        self.open()
    }

    /// Up to `max` bytes, at least one; none where the peer has ended its side.
    pub(super) async fn read(
        &self,
        network: &mut Network,
        max: u32,
        millis: u32,
    ) -> Result<Vec<u8>, Failure> {
        let stream = self.open()?;
        if max == 0 {
            // No bytes would look like the end of the stream.
            return Err(Failure::Other("a read of 0 bytes: ask for at least one".to_owned()));
        }
        let room = u64::from(max.min(READ_BYTES)).min(network.bytes_left()?);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let bytes = within(millis, receive(&stream, room)).await?;
        network.received(bytes.len(), &self.traffic);
        Ok(bytes)
    }

    /// Writes everything or fails; what was written before a failure stays written.
    pub(super) async fn write(
        &self,
        network: &mut Network,
        bytes: &[u8],
        millis: u32,
    ) -> Result<(), Failure> {
        let stream = self.sending()?;
        Self::fits(bytes)?;
        network.room_for_bytes(bytes.len())?;
        let mut written = 0;
        let result = within(millis, transmit(&stream, bytes, &mut written)).await;
        network.sent(written, &self.traffic);
        result
    }

    /// Writes what the system takes at this moment.
    ///
    /// It asks the system and not the runtime, which learns of room only when it looks.
    pub(super) fn write_some(&self, network: &mut Network, bytes: &[u8]) -> Result<u64, Failure> {
        let stream = self.sending()?;
        Self::fits(bytes)?;
        network.room_for_bytes(bytes.len())?;
        if bytes.is_empty() {
            return Ok(0);
        }
        match send(&*stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(written) => {
                network.sent(written, &self.traffic);
                Ok(written as u64)
            }
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            Err(error) => Err(failure::of_io(&error.into())),
        }
    }

    fn fits(bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > WRITE_BYTES {
            return Err(Failure::OverLimit(format!("one write takes {} MiB", WRITE_BYTES >> 20)));
        }
        Ok(())
    }

    /// Ends this side: the peer reads what was sent and then the end.
    pub(super) fn shutdown_write(&mut self) -> Result<(), Failure> {
        let stream = self.open()?;
        shutdown(&*stream, Shutdown::Write).map_err(|error| failure::of_io(&error.into()))?;
        self.finished = true;
        Ok(())
    }

    /// Closes with a reset. The place it had is free again when the plugin drops it.
    pub(super) fn reset(&mut self) {
        if let Some(stream) = self.stream.take() {
            // It fails only where the connection is gone already.
            let _ = stream.set_zero_linger();
        }
    }
}

async fn receive(stream: &TcpStream, room: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(room);
    loop {
        stream.readable().await.map_err(|error| failure::of_io(&error))?;
        match stream.try_read_buf(&mut (&mut bytes).limit(room)) {
            Ok(_) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failure::of_io(&error)),
        }
    }
}

async fn transmit(stream: &TcpStream, bytes: &[u8], written: &mut usize) -> Result<(), Failure> {
    while *written < bytes.len() {
        stream.writable().await.map_err(|error| failure::of_io(&error))?;
        match stream.try_write(&bytes[*written..]) {
            Ok(count) => *written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failure::of_io(&error)),
        }
    }
    Ok(())
}
