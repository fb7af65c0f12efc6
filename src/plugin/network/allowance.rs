//! What one run may use of the network, and what it has used.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::model::Authority;
use crate::plugin::contract::Failure;
use crate::plugin::state::State;

use super::{Descriptors, Destination};

/// Sockets that a run holds at once. Enough for the ten-thousand-connections exercise at a scale that a laptop with a
/// server and a plugin on it can do; systems allow a process 20,000 files or more.
pub(in crate::plugin) const SOCKETS: usize = 8_000;

/// Sockets that a run opens in all. Linux has 28,232 ephemeral ports for an address, and one stays taken for a minute after
/// its connection was closed: a run leaves some for the next.
const OPENED: usize = 20_000;

/// Ports that a run listens on: a plugin that stands in for a cluster needs a handful.
const LISTENERS: usize = 64;

/// Bytes that a run sends and receives over tcp and udp: about a second's work for loopback, and an end to a flood.
const BYTES: u64 = 1 << 30;

/// Datagrams that a run sends: several for each of the most clients it can play.
const DATAGRAMS: usize = 50_000;

/// Where a run's targets are, and what is left of its limits.
pub(in crate::plugin) struct Network {
    destinations: HashMap<Authority, Arc<Destination>>,
    /// Sockets held at this moment.
    open: Arc<AtomicUsize>,
    descriptors: Arc<Descriptors>,
    opened: usize,
    listeners: usize,
    bytes: u64,
    datagrams: usize,
}

/// The place of one open socket; dropped together with it.
#[derive(Debug)]
pub(in crate::plugin) struct Slot {
    open: Arc<AtomicUsize>,
    descriptors: Arc<Descriptors>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.descriptors.remove();
    }
}

/// Bytes that went over what one access opened.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// What was sent and received so far; none where it was nothing.
    pub(in crate::plugin) fn words(&self) -> Option<String> {
        let (sent, received) = (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed));
        (sent + received > 0).then(|| format!("{sent} bytes sent, {received} received"))
    }
}

impl Network {
    /// The whole allowance of a run that shares `descriptors` with others.
    pub(in crate::plugin) fn new(descriptors: Arc<Descriptors>) -> Self {
        Self {
            destinations: HashMap::new(),
            open: Arc::default(),
            descriptors,
            opened: 0,
            listeners: 0,
            bytes: 0,
            datagrams: 0,
        }
    }

    /// Sockets that are open.
    pub(in crate::plugin) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether `count` more sockets may be opened, by mustdo and by the system.
    pub(in crate::plugin) fn room(&self, count: usize) -> Result<(), Failure> {
        if self.open().saturating_add(count) > SOCKETS {
            return Err(Failure::OverLimit(format!(
                "a run may have {SOCKETS} connections open; close some first"
            )));
        }
        if self.opened.saturating_add(count) > OPENED {
            return Err(Failure::OverLimit(format!("a run may open {OPENED} connections in all")));
        }
        self.descriptors.make_room(count)
    }

    /// Places for `count` more sockets.
    pub(in crate::plugin) fn take(&mut self, count: usize) -> Result<Vec<Slot>, Failure> {
        self.room(count)?;
        self.opened += count;
        Ok((0..count).map(|_| self.slot()).collect())
    }

    /// A place for one more socket.
    pub(in crate::plugin) fn take_one(&mut self) -> Result<Slot, Failure> {
        self.room(1)?;
        self.opened += 1;
        Ok(self.slot())
    }

    fn slot(&self) -> Slot {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.descriptors.add();
        Slot { open: self.open.clone(), descriptors: self.descriptors.clone() }
    }

    /// Counts one more port to listen on.
    pub(in crate::plugin) fn listen(&mut self) -> Result<(), Failure> {
        if self.listeners == LISTENERS {
            return Err(Failure::OverLimit(format!("a run may listen on {LISTENERS} ports")));
        }
        self.listeners += 1;
        Ok(())
    }

    /// Bytes that may still be sent or received; a failure where there are none.
    pub(in crate::plugin) fn bytes_left(&self) -> Result<u64, Failure> {
        match BYTES - self.bytes {
            0 => Err(over_bytes()),
            left => Ok(left),
        }
    }

    /// Whether `count` bytes may still be sent.
    pub(in crate::plugin) fn room_for_bytes(&self, count: usize) -> Result<(), Failure> {
        if count as u64 > BYTES - self.bytes { Err(over_bytes()) } else { Ok(()) }
    }

    /// Counts bytes that were sent.
    pub(in crate::plugin) fn sent(&mut self, count: usize, traffic: &Traffic) {
        self.bytes = BYTES.min(self.bytes + count as u64);
        traffic.sent.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts bytes that were received.
    pub(in crate::plugin) fn received(&mut self, count: usize, traffic: &Traffic) {
        self.bytes = BYTES.min(self.bytes + count as u64);
        traffic.received.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts one more datagram to send.
    pub(in crate::plugin) fn datagram(&mut self) -> Result<(), Failure> {
        if self.datagrams == DATAGRAMS {
            return Err(Failure::OverLimit(format!("a run may send {DATAGRAMS} datagrams")));
        }
        self.datagrams += 1;
        Ok(())
    }
}

fn over_bytes() -> Failure {
    Failure::OverLimit(format!("a run may send and receive {} MiB", BYTES >> 20))
}

impl State {
    /// Where `authority` is; looked up when it is first asked for in a run.
    pub(in crate::plugin) async fn destination(
        &mut self,
        authority: &Authority,
    ) -> Result<Arc<Destination>, Failure> {
        if let Some(known) = self.network.destinations.get(authority) {
            return Ok(known.clone());
        }
        let destination = Arc::new(Destination::resolve(authority).await?);
        self.network.destinations.insert(authority.clone(), destination.clone());
        Ok(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network::new(Arc::default())
    }

    fn over(result: Result<impl Sized, Failure>, words: &str) -> bool {
        matches!(result.map(|_| ()), Err(Failure::OverLimit(why)) if why.contains(words))
    }

    #[test]
    fn closed_socket_makes_room_and_stays_counted() {
        let mut network = network();
        let slots = network.take(SOCKETS).unwrap();
        assert!(over(network.take_one(), "8000 connections open"));
        drop(slots);
        assert_eq!(network.open(), 0);
        let slots = network.take(SOCKETS).unwrap();
        drop(slots);
        assert!(over(network.take(SOCKETS), "20000 connections in all"));
        assert!(network.take(OPENED - 2 * SOCKETS).is_ok());
        assert!(over(network.take_one(), "in all"));
    }

    #[test]
    fn two_runs_share_the_count_of_descriptors() {
        let descriptors = Arc::<Descriptors>::default();
        let (mut one, mut two) = (Network::new(descriptors.clone()), Network::new(descriptors.clone()));
        let held = (one.take(3).unwrap(), two.take(4).unwrap());
        assert_eq!(descriptors.sockets(), 7);
        drop(held);
        assert_eq!(descriptors.sockets(), 0);
        assert_eq!((one.open(), two.open()), (0, 0));
    }

    #[test]
    fn run_has_a_number_of_ports_bytes_and_datagrams() {
        let mut network = network();
        for _ in 0..LISTENERS {
            network.listen().unwrap();
        }
        assert!(over(network.listen(), "64 ports"));
        for _ in 0..DATAGRAMS {
            network.datagram().unwrap();
        }
        assert!(over(network.datagram(), "50000 datagrams"));
        let traffic = Traffic::default();
        assert_eq!(traffic.words(), None);
        network.sent(1 << 29, &traffic);
        network.received((1 << 29) - 5, &traffic);
        assert_eq!(network.bytes_left().unwrap(), 5);
        assert!(network.room_for_bytes(5).is_ok());
        assert!(over(network.room_for_bytes(6), "1024 MiB"));
        network.sent(5, &traffic);
        assert!(over(network.bytes_left(), "1024 MiB"));
        assert_eq!(traffic.words().unwrap(), "536870917 bytes sent, 536870907 received");
    }
}
