//! Where an http target is: resolved once a run, judged, and then held on to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use crate::model::{Authority, TargetName};
use crate::plugin::contract::Failure;
use crate::plugin::failure;

use super::address::{Reach, canonical, reach};

/// A name server that does not answer is not waited for longer than this.
const RESOLVE: Duration = Duration::from_secs(5);

/// A target's addresses. They are looked up once: a name that answers differently a second later leads nowhere new.
pub(super) struct Upstream {
    /// The plugin's name for it.
    pub(super) target: TargetName,
    /// Value of the Host header.
    pub(super) host: String,
    /// Put before every path.
    pub(super) prefix: String,
    /// Judged, at least one.
    addresses: Vec<SocketAddr>,
    /// The first that answered: "localhost" may be two servers, and one run talks to one of them.
    answering: OnceLock<SocketAddr>,
}

impl Upstream {
    /// Looks `authority` up and judges every address it has.
    pub(super) async fn resolve(
        target: TargetName,
        authority: &Authority,
        prefix: String,
    ) -> Result<Self, Failure> {
        let addresses = match authority.host.parse::<IpAddr>() {
            Ok(literal) => judge(&[literal], true, &authority.host)?,
            Err(_) => judge(&look_up(authority).await?, false, &authority.host)?,
        };
        let host = authority.to_string();
        Ok(Self {
            target,
            host: host.strip_suffix(":80").map_or_else(|| host.clone(), str::to_owned),
            prefix,
            addresses: addresses
                .into_iter()
                .map(|address| SocketAddr::new(address, authority.port))
                .collect(),
            answering: OnceLock::new(),
        })
    }

    /// A new connection, from `source` where one is given.
    pub(super) async fn connect(&self, source: Option<Ipv4Addr>) -> Result<TcpStream, Failure> {
        let candidates = match self.answering.get() {
            Some(address) => std::slice::from_ref(address),
            None => &self.addresses[..],
        };
        let mut last = None;
        for &address in candidates {
            match connect_to(address, source).await {
                Ok(stream) => {
                    // Another request may have been first; it met the same list in the same order.
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
}

async fn connect_to(address: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<TcpStream> {
    let stream = match source {
        None => TcpStream::connect(address).await?,
        Some(source) => {
            if !matches!(address.ip(), IpAddr::V4(address) if address.is_loopback()) {
                return Err(io::Error::other("a source address works only with a target on 127.0.0.0/8"));
            }
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(source.into(), 0))?;
            socket.connect(address).await?
        }
    };
    // Small requests must leave at once: what is timed is the service, not Nagle's algorithm.
    stream.set_nodelay(true)?;
    Ok(stream)
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
    use super::*;

    fn judged(found: &[&str], literal: bool) -> Result<Vec<String>, Failure> {
        let found: Vec<IpAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
        Ok(judge(&found, literal, "web")?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn name_may_lead_to_loopback_and_nowhere_else() {
        assert_eq!(judged(&["::1", "127.0.0.1"], false).unwrap(), ["::1", "127.0.0.1"]);
        assert!(matches!(judged(&["192.168.0.7"], false), Err(Failure::Denied(_))));
        assert!(matches!(judged(&["93.184.216.34"], false), Err(Failure::Denied(_))));
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
    async fn host_header_leaves_out_the_port_that_http_has_anyway() {
        for (host, port, header) in
            [("127.0.0.1", 80, "127.0.0.1"), ("127.0.0.1", 8080, "127.0.0.1:8080"), ("::1", 80, "[::1]")]
        {
            let authority = Authority { host: host.to_owned(), port };
            let upstream =
                Upstream::resolve("web".parse().unwrap(), &authority, String::new()).await.unwrap();
            assert_eq!(upstream.host, header);
        }
    }
}
