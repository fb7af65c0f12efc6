//! Where a target is: looked up once a run, judged, and then held on to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::model::Authority;
use crate::plugin::contract::Failure;
use crate::plugin::failure;

use super::address::{Reach, canonical, reach};

/// A name server that does not answer is not waited for longer than this.
const RESOLVE: Duration = Duration::from_secs(5);

/// A target's addresses. They are looked up once: a name that answers differently a second later leads nowhere new.
pub(in crate::plugin) struct Destination {
    /// Judged, at least one; all with the target's own port.
    addresses: Vec<SocketAddr>,
    /// The first that answered: "localhost" may be two servers, and one run talks to one of them.
    answering: OnceLock<SocketAddr>,
}

/// How a connection is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::plugin) struct Dial {
    /// Loopback address to come from.
    pub(in crate::plugin) source: Option<Ipv4Addr>,
    /// Bytes that the system buffers for the reader; it must be known before the handshake, which tells the peer.
    pub(in crate::plugin) receive_buffer: Option<u32>,
    /// Small writes leave at once.
    pub(in crate::plugin) no_delay: bool,
}

impl Destination {
    /// Looks `authority` up and judges every address it has.
    pub(in crate::plugin) async fn resolve(authority: &Authority) -> Result<Self, Failure> {
        let addresses = match authority.host.parse::<IpAddr>() {
            Ok(literal) => judge(&[literal], true, &authority.host)?,
            Err(_) => judge(&look_up(authority).await?, false, &authority.host)?,
        };
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, authority.port));
        Ok(Self { addresses: addresses.collect(), answering: OnceLock::new() })
    }

    /// Where it may be.
    pub(in crate::plugin) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A new connection.
    pub(in crate::plugin) async fn connect(&self, dial: Dial) -> Result<TcpStream, Failure> {
        let candidates = match self.answering.get() {
            Some(address) => std::slice::from_ref(address),
            None => &self.addresses[..],
        };
        let mut last = None;
        for &address in candidates {
            match connect_to(address, dial).await {
                Ok(stream) => {
                    // Another connection may have been first; it met the same list in the same order.
                    let _ = self.answering.set(address);
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) => failure::of_io(&error),
            None => Failure::Unreachable("no address to connect to".to_owned()),
        })
    }

    /// A socket that sends to the target and takes datagrams from nobody else.
    ///
    /// Whether somebody listens can not be told before something is sent, so of several addresses the IPv4 one is taken:
    /// that is what servers of datagrams bind to when they are told "localhost".
    pub(in crate::plugin) async fn datagrams(&self, source: Option<Ipv4Addr>) -> Result<UdpSocket, Failure> {
        let first = self.addresses.iter().find(|address| address.is_ipv4()).or(self.addresses.first());
        let Some(&address) = first else {
            return Err(Failure::Unreachable("no address to send to".to_owned()));
        };
        datagrams_to(address, source).await.map_err(|error| failure::of_io(&error))
    }
}

async fn connect_to(address: SocketAddr, dial: Dial) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = dial.source {
        socket.bind(bound(source, address)?)?;
    }
    if let Some(bytes) = dial.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = not_itself(socket.connect(address).await?)?;
    stream.set_nodelay(dial.no_delay)?;
    Ok(stream)
}

/// Refuses a connection to itself: where nobody listens on a port that the system also gives out, it may give out that very
/// port, and then both ends meet in one socket (RFC 9293, 3.5: simultaneous open). Nobody is there, and it would look as
/// if somebody were.
fn not_itself(stream: TcpStream) -> io::Result<TcpStream> {
    if stream.local_addr()? == stream.peer_addr()? {
        // Or else the port would stay taken for a minute, and the service that belongs there could not start.
        stream.set_zero_linger()?;
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

async fn datagrams_to(address: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<UdpSocket> {
    let local = match source {
        Some(source) => bound(source, address)?,
        None if address.is_ipv4() => SocketAddr::from(([0; 4], 0)),
        None => SocketAddr::from(([0_u16; 8], 0)),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(address).await?;
    if socket.local_addr()? == socket.peer_addr()? {
        // As with connections: it would hear itself.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(socket)
}

/// Where to come from on the way to `address`, on a port of the system's choice.
fn bound(source: Ipv4Addr, address: SocketAddr) -> io::Result<SocketAddr> {
    if matches!(address.ip(), IpAddr::V4(address) if address.is_loopback()) {
        Ok(SocketAddr::new(source.into(), 0))
    } else {
        Err(io::Error::other("a source address works only with a target on 127.0.0.0/8"))
    }
}

async fn look_up(authority: &Authority) -> Result<Vec<IpAddr>, Failure> {
    let lookup = tokio::net::lookup_host((authority.host.as_str(), authority.port));
    match tokio::time::timeout(RESOLVE, lookup).await {
        Err(_) => Err(Failure::TimedOut),
        Ok(Err(_)) => Err(Failure::Unreachable(format!("no such host: {}", authority.host))),
        Ok(Ok(found)) => Ok(found.map(|address| address.ip()).collect()),
    }
}

/// The addresses that may be connected to, in canonical form, each once; a failure where there are none.
fn judge(found: &[IpAddr], literal: bool, host: &str) -> Result<Vec<IpAddr>, Failure> {
    let mut judged = Vec::new();
    let mut refusal = None;
    for &address in found {
        let why = match reach(address) {
            Reach::Loopback => None,
            Reach::Private if literal => None,
            Reach::Private => Some("on a private network; bind the target to the address itself"),
            Reach::Never(why) => Some(why),
        };
        match why {
            None if !judged.contains(&canonical(address)) => judged.push(canonical(address)),
            None => {}
            Some(why) => {
                refusal.get_or_insert_with(|| format!("{host} is {address}, {why}"));
            }
        }
    }
    match refusal {
        _ if !judged.is_empty() => Ok(judged),
        Some(why) => Err(Failure::Denied(why)),
        None => Err(Failure::Unreachable(format!("no such host: {host}"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn judged(found: &[&str], literal: bool) -> Result<Vec<String>, Failure> {
        let found: Vec<IpAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
        Ok(judge(&found, literal, "web")?.iter().map(ToString::to_string).collect())
    }

    fn destination(addresses: &[SocketAddr]) -> Destination {
        Destination { addresses: addresses.to_vec(), answering: OnceLock::new() }
    }

    #[test]
    fn name_may_lead_to_loopback_and_nowhere_else() {
        assert_eq!(judged(&["::1", "127.0.0.1"], false).unwrap(), ["::1", "127.0.0.1"]);
        assert!(matches!(judged(&["192.168.0.7"], false), Err(Failure::Denied(_))));
        assert!(matches!(judged(&["93.184.216.34"], false), Err(Failure::Denied(_))));
    }

    #[test]
    fn name_that_resolves_to_a_metadata_address_is_refused() {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1"] {
            let refused = judged(&[address], false);
            assert!(
                matches!(&refused, Err(Failure::Denied(why)) if why.contains("credentials")),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn address_that_was_written_down_may_be_private() {
        assert_eq!(judged(&["192.168.0.7"], true).unwrap(), ["192.168.0.7"]);
        assert!(matches!(judged(&["169.254.169.254"], true), Err(Failure::Denied(_))));
        assert!(matches!(judged(&["0.0.0.0"], true), Err(Failure::Denied(_))));
    }

    #[test]
    fn bad_address_among_good_ones_is_never_tried() {
        assert_eq!(judged(&["169.254.169.254", "127.0.0.1"], false).unwrap(), ["127.0.0.1"]);
    }

    #[test]
    fn mapped_address_is_judged_and_used_as_what_it_is() {
        assert_eq!(judged(&["::ffff:127.0.0.1", "127.0.0.1"], false).unwrap(), ["127.0.0.1"]);
        assert!(matches!(judged(&["::ffff:169.254.169.254"], true), Err(Failure::Denied(_))));
    }

    #[tokio::test]
    async fn one_run_talks_to_the_address_that_answered_first() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let destination = destination(&[nobody, server.local_addr().unwrap()]);
        destination.connect(Dial::default()).await.unwrap();
        assert_eq!(destination.answering.get(), Some(&server.local_addr().unwrap()));
        drop(server);
        assert!(matches!(destination.connect(Dial::default()).await, Err(Failure::Unreachable(_))));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn connection_to_itself_is_nobody() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap();
        let stream = socket.connect(port).await.unwrap();
        assert_eq!(not_itself(stream).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        // The port is free at once.
        TcpListener::bind(port).await.unwrap();
    }

    #[tokio::test]
    async fn datagrams_go_to_the_ipv4_address_of_a_name() {
        let (v6, v4) =
            (SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9)), SocketAddr::from(([127, 0, 0, 1], 9)));
        let socket = destination(&[v6, v4]).datagrams(None).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), v4);
    }

    #[tokio::test]
    async fn source_needs_a_target_on_loopback() {
        for address in ["[::1]:9", "192.168.0.7:9"] {
            let destination = destination(&[address.parse().unwrap()]);
            let dial = Dial { source: Some(Ipv4Addr::new(127, 0, 0, 7)), ..Dial::default() };
            let refused = destination.connect(dial).await.map(|_| ());
            assert!(
                matches!(&refused, Err(Failure::Other(why)) if why.contains("127.0.0.0/8")),
                "{refused:?}"
            );
            assert!(destination.datagrams(dial.source).await.is_err());
        }
    }
}
