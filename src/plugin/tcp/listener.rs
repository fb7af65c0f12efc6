//! A plugin as the server that the learner's program connects to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};

use crate::model::Capability;
use crate::plugin::contract::Failure;
use crate::plugin::failure;
use crate::plugin::network::{Network, Slot, Traffic, within};
use crate::plugin::state::State;

use super::Connection;

/// Connections that wait to be accepted: as many as servers of this kind queue.
const BACKLOG: u32 = 1_024;

/// A port of 127.0.0.1 that a plugin listens on. Dropping it closes the port.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Listener {
    /// Where it listens.
    pub(super) local: SocketAddr,
    listener: TcpListener,
    _slot: Slot,
}

impl State {
    /// Listens on a port of the system's choice, which only this machine reaches.
    pub(super) fn listener(&mut self) -> Result<Listener, Failure> {
        self.permit(&Capability::Listen)?;
        self.network.listen()?;
        let slot = self.network.take_one()?;
        let (local, listener) = listen().map_err(|error| failure::of_io(&error))?;
        Ok(Listener { local, listener, _slot: slot })
    }
}

fn listen() -> std::io::Result<(SocketAddr, TcpListener)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    Ok((listener.local_addr()?, listener))
}

impl Listener {
    /// The next connection.
    pub(super) async fn accept(
        &self,
        network: &mut Network,
        millis: u32,
        traffic: Arc<Traffic>,
    ) -> Result<Connection, Failure> {
        // Before a connection is taken off the queue, so that a refusal loses none.
        network.room(1)?;
        let stream = within(millis, async {
            loop {
                let (stream, peer) = self.listener.accept().await.map_err(|error| failure::of_io(&error))?;
                if peer.ip().is_loopback() {
                    return Ok(stream);
                }
            }
        })
        .await?;
        let slot = network.take_one()?;
        // A server's answers leave at once.
        stream.set_nodelay(true).map_err(|error| failure::of_io(&error))?;
        Connection::new(stream, slot, traffic)
    }
}
