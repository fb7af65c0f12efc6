//! Datagrams to named targets.
//!
//! A socket is connected to its target, so it sends to nobody else and takes nothing from anybody else; and the system
//! tells it when nobody listens there.

use std::sync::Arc;
use std::time::Instant;

use tokio::net::UdpSocket;
use wasmtime::component::Resource;

use crate::model::Capability;

use super::contract::Failure;
use super::contract::udp::{Host, HostSocket};
use super::failure;
use super::network::{self, Network, Slot, Traffic, within};
use super::state::State;

/// Bytes of the largest datagram over IPv4 (RFC 768 and RFC 791: 65,535 without both headers).
const DATAGRAM_BYTES: usize = 65_507;

/// Bytes of the largest datagram that can be received at all.
const RECEIVED_BYTES: usize = 65_535;

/// A socket of a plugin's. Dropping it closes it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Socket {
    socket: UdpSocket,
    traffic: Arc<Traffic>,
    _slot: Slot,
}

impl State {
    async fn socket(
        &mut self,
        target: &str,
        source: Option<&str>,
        traffic: Arc<Traffic>,
    ) -> Result<Socket, Failure> {
        let endpoint = self.endpoint(target, Capability::Udp)?;
        let Some(authority) = endpoint.authority() else {
            return Err(Failure::Unbound(format!("the target \"{target}\" has no address")));
        };
        let source = source.map(network::source).transpose()?;
        let destination = self.destination(authority).await?;
        let slot = self.network.take_one()?;
        Ok(Socket { socket: destination.datagrams(source).await?, traffic, _slot: slot })
    }
}

impl Socket {
    async fn send(&self, network: &mut Network, datagram: &[u8]) -> Result<(), Failure> {
        if datagram.len() > DATAGRAM_BYTES {
            return Err(Failure::OverLimit(format!("a datagram has at most {DATAGRAM_BYTES} bytes")));
        }
        network.room_for_bytes(datagram.len())?;
        network.datagram()?;
        let sent = async { self.socket.send(datagram).await.map_err(|error| failure::of_io(&error)) };
        network.sent(within(0, sent).await?, &self.traffic);
        Ok(())
    }

    async fn receive(&self, network: &mut Network, millis: u32) -> Result<Vec<u8>, Failure> {
        network.bytes_left()?;
        let mut datagram = Vec::with_capacity(RECEIVED_BYTES);
        let received =
            async { self.socket.recv_buf(&mut datagram).await.map_err(|error| failure::of_io(&error)) };
        network.received(within(millis, received).await?, &self.traffic);
        Ok(datagram)
    }
}

impl Host for State {
    async fn open(
        &mut self,
        target: String,
        source: Option<String>,
    ) -> wasmtime::Result<Result<Resource<Socket>, Failure>> {
        let (at, traffic) = (Instant::now(), Arc::<Traffic>::default());
        let what = || format!("udp open {target}");
        match self.socket(&target, source.as_deref(), traffic.clone()).await {
            Ok(socket) => {
                self.accesses.note_open(at, what, &traffic);
                Ok(Ok(self.keep_socket(socket)?))
            }
            Err(refused) => {
                self.accesses.note(at, what, Some(&refused));
                Ok(Err(refused))
            }
        }
    }
}

impl HostSocket for State {
    async fn send(
        &mut self,
        socket: Resource<Socket>,
        datagram: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Failure>> {
        Ok(self.table.get_mut(&socket)?.send(&mut self.network, &datagram).await)
    }

    async fn receive(
        &mut self,
        socket: Resource<Socket>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        Ok(self.table.get_mut(&socket)?.receive(&mut self.network, timeout_millis).await)
    }

    fn drop(&mut self, socket: Resource<Socket>) -> wasmtime::Result<()> {
        self.close_socket(socket)
    }
}
