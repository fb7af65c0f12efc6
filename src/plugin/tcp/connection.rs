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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use wasmtime::component::Resource;

    use crate::plugin::contract::tcp::{HostConnection, Options};
    use crate::plugin::state::State;
    use crate::plugin::tcp::bench::{PLAIN, again, pair};

    use super::*;

    async fn read(
        run: &mut State,
        connection: &Resource<Connection>,
        millis: u32,
    ) -> Result<Vec<u8>, Failure> {
        run.read(again(connection), 1_024, millis).await.unwrap()
    }

    async fn write(
        run: &mut State,
        connection: &Resource<Connection>,
        bytes: &[u8],
        millis: u32,
    ) -> Result<(), Failure> {
        run.write(again(connection), bytes.to_vec(), millis).await.unwrap()
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_are_told() {
        let (mut run, connection, mut peer) = pair(&PLAIN).await;
        write(&mut run, &connection, b"hello", 1_000).await.unwrap();
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        peer.write_all(b"good day").await.unwrap();
        assert_eq!(run.read(again(&connection), 4, 1_000).await.unwrap().unwrap(), b"good");
        assert_eq!(read(&mut run, &connection, 1_000).await.unwrap(), b" day");
        assert_eq!(run.accesses.finish()[0].what, "tcp connect socket, 5 bytes sent, 8 received");
    }

    #[tokio::test]
    async fn silence_is_a_time_out_and_no_end() {
        let (mut run, connection, mut peer) = pair(&PLAIN).await;
        let began = Instant::now();
        assert!(matches!(read(&mut run, &connection, 50).await, Err(Failure::TimedOut)));
        assert!((50..2_000).contains(&began.elapsed().as_millis()));
        peer.write_all(b"late").await.unwrap();
        assert_eq!(read(&mut run, &connection, 1_000).await.unwrap(), b"late");
    }

    #[tokio::test]
    async fn end_of_the_stream_is_an_empty_list_and_a_reset_is_a_failure() {
        let (mut run, connection, peer) = pair(&PLAIN).await;
        drop(peer);
        assert!(read(&mut run, &connection, 1_000).await.unwrap().is_empty());
        assert!(read(&mut run, &connection, 1_000).await.unwrap().is_empty());

        let (mut run, connection, peer) = pair(&PLAIN).await;
        peer.set_zero_linger().unwrap();
        drop(peer);
        // Asking first must not use the error up.
        assert_eq!(
            crate::plugin::contract::tcp::Host::wait_readable(&mut run, vec![again(&connection)], 1_000)
                .await
                .unwrap(),
            [0]
        );
        let failure = read(&mut run, &connection, 1_000).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unreachable(why) if why.contains("reset")), "{failure:?}");
    }

    #[tokio::test]
    async fn read_of_nothing_is_refused_since_nothing_means_the_end() {
        let (mut run, connection, _peer) = pair(&PLAIN).await;
        assert!(matches!(run.read(connection, 0, 50).await.unwrap(), Err(Failure::Other(_))));
    }

    #[tokio::test]
    async fn half_close_leaves_the_other_half_open() {
        let (mut run, connection, mut peer) = pair(&PLAIN).await;
        write(&mut run, &connection, b"that is all", 1_000).await.unwrap();
        run.shutdown_write(again(&connection)).unwrap().unwrap();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "that is all");
        peer.write_all(b"thank you").await.unwrap();
        assert_eq!(read(&mut run, &connection, 1_000).await.unwrap(), b"thank you");
        let refused = write(&mut run, &connection, b"more", 1_000).await.unwrap_err();
        assert!(matches!(&refused, Failure::Other(why) if why.contains("has ended its side")), "{refused:?}");
    }

    #[tokio::test]
    async fn peer_that_never_reads_ends_a_write_at_its_time() {
        let (mut run, connection, peer) = pair(&PLAIN).await;
        let began = Instant::now();
        let block = vec![7; WRITE_BYTES];
        let mut result = Ok(());
        // Past what the system buffers on both sides.
        for _ in 0..20 {
            result = write(&mut run, &connection, &block, 200).await;
            if result.is_err() {
                break;
            }
        }
        assert!(matches!(result, Err(Failure::TimedOut)), "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(peer);
    }

    #[tokio::test]
    async fn write_some_tells_when_nothing_fits() {
        let (mut run, connection, mut peer) = pair(&Options { no_delay: true, ..PLAIN }).await;
        let block = vec![7; 1 << 20];
        let mut written = 0;
        loop {
            let count = run.write_some(again(&connection), block.clone()).unwrap().unwrap();
            if count == 0 {
                break;
            }
            written += count;
        }
        assert!(written > 0);
        let mut heard = 0;
        let mut buffer = vec![0; 1 << 20];
        while heard < written {
            heard += peer.read(&mut buffer).await.unwrap() as u64;
        }
        assert_eq!(heard, written);
        assert_eq!(run.write_some(again(&connection), b"on".to_vec()).unwrap().unwrap(), 2);
        assert_eq!(run.write_some(again(&connection), Vec::new()).unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn write_that_is_too_large_is_refused_before_a_byte_leaves() {
        let (mut run, connection, peer) = pair(&PLAIN).await;
        let block = vec![7; WRITE_BYTES + 1];
        let refused = write(&mut run, &connection, &block, 1_000).await.unwrap_err();
        assert!(matches!(&refused, Failure::OverLimit(why) if why.contains("4 MiB")), "{refused:?}");
        assert!(run.write_some(again(&connection), block).unwrap().is_err());
        assert_eq!(peer.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn reset_reaches_the_peer_as_one() {
        let (mut run, connection, mut peer) = pair(&PLAIN).await;
        run.reset(again(&connection)).unwrap();
        let error = peer.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let after = read(&mut run, &connection, 1_000).await.unwrap_err();
        assert!(matches!(&after, Failure::Other(why) if why.contains("has reset")), "{after:?}");
        assert!(write(&mut run, &connection, b"x", 1_000).await.is_err());
        assert!(run.shutdown_write(again(&connection)).unwrap().is_err());
        run.reset(again(&connection)).unwrap();
        assert_eq!(run.network.open(), 1);
        HostConnection::drop(&mut run, connection).unwrap();
        assert_eq!(run.network.open(), 0);
    }

    #[tokio::test]
    async fn dropped_connection_is_closed_with_an_end() {
        let (mut run, connection, mut peer) = pair(&PLAIN).await;
        HostConnection::drop(&mut run, connection).unwrap();
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    }
}
