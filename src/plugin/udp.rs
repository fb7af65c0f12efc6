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
    connected: UdpSocket,
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
        Ok(Socket { connected: destination.datagrams(source).await?, traffic, _slot: slot })
    }
}

impl Socket {
    async fn send(&self, network: &mut Network, datagram: &[u8]) -> Result<(), Failure> {
        if datagram.len() > DATAGRAM_BYTES {
            return Err(Failure::OverLimit(format!("a datagram has at most {DATAGRAM_BYTES} bytes")));
        }
        network.room_for_bytes(datagram.len())?;
        network.datagram()?;
        let sent = async { self.connected.send(datagram).await.map_err(|error| failure::of_io(&error)) };
        network.sent(within(0, sent).await?, &self.traffic);
        Ok(())
    }

    async fn receive(&self, network: &mut Network, millis: u32) -> Result<Vec<u8>, Failure> {
        network.bytes_left()?;
        let mut datagram = Vec::with_capacity(RECEIVED_BYTES);
        let received =
            async { self.connected.recv_buf(&mut datagram).await.map_err(|error| failure::of_io(&error)) };
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
        self.accesses.begin(at, what());
        match self.socket(&target, source.as_deref(), traffic.clone()).await {
            Ok(socket) => {
                self.accesses.note_open(at, what, &traffic);
                Ok(Ok(self.table.push(socket)?))
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
        self.table.delete(socket)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use crate::model::{Authority, Endpoint};

    use super::*;

    fn bound(address: SocketAddr) -> Endpoint {
        Endpoint::Udp(Authority { host: address.ip().to_string(), port: address.port() })
    }

    async fn open(run: &mut State, source: Option<&str>) -> Result<Resource<Socket>, Failure> {
        run.open("dns".to_owned(), source.map(str::to_owned)).await.unwrap()
    }

    fn again(socket: &Resource<Socket>) -> Resource<Socket> {
        Resource::new_borrow(socket.rep())
    }

    /// A run with a socket, and the server that it is connected to.
    async fn pair(source: Option<&str>) -> (State, Resource<Socket>, UdpSocket) {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut run = State::with(&["udp:dns"], &[("dns", bound(server.local_addr().unwrap()))]);
        let socket = open(&mut run, source).await.unwrap();
        (run, socket, server)
    }

    #[tokio::test]
    async fn datagrams_come_back_whole() {
        let (mut run, socket, server) = pair(Some("127.0.0.8")).await;
        let mut heard = vec![0; 70_000];
        for datagram in [vec![], b"who".to_vec(), vec![7; 60_000]] {
            run.send(again(&socket), datagram.clone()).await.unwrap().unwrap();
            let (count, client) = server.recv_from(&mut heard).await.unwrap();
            assert_eq!((&heard[..count], client.ip().to_string().as_str()), (&datagram[..], "127.0.0.8"));
            server.send_to(&datagram, client).await.unwrap();
            assert_eq!(run.receive(again(&socket), 1_000).await.unwrap().unwrap(), datagram);
        }
        assert_eq!(run.accesses.finish()[0].what, "udp open dns, 60003 bytes sent, 60003 received");
    }

    #[tokio::test]
    async fn datagrams_of_others_do_not_arrive() {
        let (mut run, socket, server) = pair(None).await;
        run.send(again(&socket), b"who".to_vec()).await.unwrap().unwrap();
        let (_, client) = server.recv_from(&mut [0; 8]).await.unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        other.send_to(b"forged", client).await.unwrap();
        assert!(matches!(run.receive(again(&socket), 50).await.unwrap(), Err(Failure::TimedOut)));
        server.send_to(b"true", client).await.unwrap();
        assert_eq!(run.receive(again(&socket), 1_000).await.unwrap().unwrap(), b"true");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn closed_port_is_unreachable() {
        let (mut run, socket, server) = pair(None).await;
        drop(server);
        run.send(again(&socket), b"anybody".to_vec()).await.unwrap().unwrap();
        let failure = run.receive(again(&socket), 1_000).await.unwrap().unwrap_err();
        assert!(matches!(&failure, Failure::Unreachable(why) if why == "connection refused"), "{failure:?}");
    }

    #[tokio::test]
    async fn what_is_not_granted_not_bound_or_of_another_kind_is_refused() {
        let address = ([127, 0, 0, 1], 9).into();
        let mut run = State::with(&["tcp:dns"], &[("dns", bound(address))]);
        let refused = open(&mut run, None).await.unwrap_err();
        assert_eq!(failure::words(&refused), "denied: mustdo grant probe udp:dns");
        let mut run = State::with(&["udp:dns"], &[]);
        assert!(matches!(open(&mut run, None).await, Err(Failure::Unbound(_))));
        let tcp = Endpoint::Tcp(Authority { host: "127.0.0.1".to_owned(), port: 9 });
        let mut run = State::with(&["udp:dns"], &[("dns", tcp)]);
        let refused = open(&mut run, None).await.unwrap_err();
        assert!(matches!(&refused, Failure::Unbound(why) if why.contains("needs udp")), "{refused:?}");
        let mut run = State::with(&["udp:dns"], &[("dns", bound("169.254.169.254:53".parse().unwrap()))]);
        assert!(matches!(open(&mut run, None).await, Err(Failure::Denied(_))));
        assert_eq!(run.network.open(), 0);
    }

    #[tokio::test]
    async fn datagram_that_can_not_be_one_is_over_a_limit() {
        let (mut run, socket, _server) = pair(None).await;
        assert!(run.send(again(&socket), vec![0; DATAGRAM_BYTES]).await.unwrap().is_ok());
        let refused = run.send(again(&socket), vec![0; DATAGRAM_BYTES + 1]).await.unwrap().unwrap_err();
        assert!(matches!(&refused, Failure::OverLimit(why) if why.contains("65507")), "{refused:?}");
    }

    #[tokio::test]
    async fn dropped_socket_gives_its_place_back() {
        let (mut run, socket, _server) = pair(None).await;
        assert_eq!(run.network.open(), 1);
        HostSocket::drop(&mut run, socket).unwrap();
        assert_eq!(run.network.open(), 0);
    }
}
