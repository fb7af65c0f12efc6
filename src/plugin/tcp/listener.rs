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
    socket: TcpListener,
    _slot: Slot,
}

impl State {
    /// Listens on a port of the system's choice, which only this machine reaches.
    pub(super) fn listener(&mut self) -> Result<Listener, Failure> {
        self.permit(&Capability::Listen)?;
        self.network.listen()?;
        let slot = self.network.take_one()?;
        let (local, socket) = listen().map_err(|error| failure::of_io(&error))?;
        Ok(Listener { local, socket, _slot: slot })
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
                let (stream, peer) = self.socket.accept().await.map_err(|error| failure::of_io(&error))?;
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use crate::plugin::contract::tcp::{Host, HostConnection, HostListener};
    use crate::plugin::failure;
    use crate::plugin::tcp::bench::{again, run};

    use super::*;

    #[tokio::test]
    async fn plugin_is_a_server_on_loopback() {
        let mut run = run(([127, 0, 0, 1], 9).into());
        let listener = run.listen().unwrap().unwrap();
        let local = HostListener::local(&mut run, again(&listener)).unwrap();
        assert_eq!(local.address, "127.0.0.1");
        let client = tokio::spawn(async move {
            let mut stream = TcpStream::connect((local.address.as_str(), local.port)).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            (answer, stream.local_addr().unwrap())
        });
        let connection = run.accept(again(&listener), 2_000).await.unwrap().unwrap();
        assert_eq!(run.read(again(&connection), 100, 2_000).await.unwrap().unwrap(), b"ping");
        run.write(again(&connection), b"pong".to_vec(), 2_000).await.unwrap().unwrap();
        let peer = HostConnection::peer(&mut run, again(&connection)).unwrap();
        HostConnection::drop(&mut run, connection).unwrap();
        let (answer, client) = client.await.unwrap();
        assert_eq!(answer, "pong");
        assert_eq!((peer.address, peer.port), (client.ip().to_string(), client.port()));
        let accesses = run.accesses.finish();
        assert_eq!(accesses[0].what, format!("tcp listen 127.0.0.1:{}", local.port));
        assert_eq!(
            accesses[1].what,
            format!("tcp accept 127.0.0.1:{}, 4 bytes sent, 4 received", local.port)
        );
    }

    #[tokio::test]
    async fn listening_needs_its_own_grant() {
        let mut run = State::with(&["tcp:socket"], &[]);
        let refused = run.listen().unwrap().unwrap_err();
        assert_eq!(failure::words(&refused), "denied: mustdo grant probe listen");
        assert_eq!(run.accesses.finish()[0].what, "tcp listen");
        assert_eq!(run.network.open(), 0);
    }

    #[tokio::test]
    async fn nobody_who_connects_is_a_time_out_that_costs_no_place() {
        let mut run = run(([127, 0, 0, 1], 9).into());
        let listener = run.listen().unwrap().unwrap();
        for _ in 0..3 {
            let waited = run.accept(again(&listener), 20).await.unwrap();
            assert!(matches!(waited, Err(Failure::TimedOut)));
        }
        assert_eq!(run.network.open(), 1);
        assert_eq!(run.accesses.finish().len(), 1);
    }

    #[tokio::test]
    async fn dropped_listener_leaves_its_port_and_ports_have_a_limit() {
        let mut run = run(([127, 0, 0, 1], 9).into());
        let listener = run.listen().unwrap().unwrap();
        let port = HostListener::local(&mut run, again(&listener)).unwrap().port;
        HostListener::drop(&mut run, listener).unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        let refused = (0..64).find_map(|_| match run.listen().unwrap() {
            Ok(listener) => {
                HostListener::drop(&mut run, listener).unwrap();
                None
            }
            Err(refused) => Some(refused),
        });
        assert!(matches!(&refused, Some(Failure::OverLimit(why)) if why.contains("64 ports")), "{refused:?}");
    }
}
