//! Free ports, and the places that tell a program its own.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

use super::TargetError;
use crate::model::{Address, Launch, TargetKind};

/// What stands for the port in `mustdo.toml`.
const PLACEHOLDER: &str = "{port}";

/// A free port, kept from everybody, this process included, until it is dropped. Nothing is ever accepted on it, so a
/// program can bind it as soon as it is.
pub(super) struct Reserved {
    port: u16,
    _holder: Holder,
}

enum Holder {
    Stream { _listener: TcpListener },
    Datagram { _socket: UdpSocket },
}

impl Reserved {
    /// A port that is free on the host of `address`; on 127.0.0.1 where that is a name.
    pub(super) fn new(address: &Address, kind: TargetKind) -> Result<Self, TargetError> {
        let host: IpAddr = address.host.parse().unwrap_or(Ipv4Addr::LOCALHOST.into());
        let reserved = if kind == TargetKind::Udp {
            UdpSocket::bind((host, 0)).and_then(|socket| {
                Ok(Self { port: socket.local_addr()?.port(), _holder: Holder::Datagram { _socket: socket } })
            })
        } else {
            TcpListener::bind((host, 0)).and_then(|listener| {
                let port = listener.local_addr()?.port();
                Ok(Self { port, _holder: Holder::Stream { _listener: listener } })
            })
        };
        reserved.map_err(|source| TargetError::NoPort { host: address.host.clone(), source })
    }

    /// The number.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// `launch` with the port in every place that asks for it.
pub(super) fn told(launch: &Launch, port: u16) -> Launch {
    let port = port.to_string();
    let fill = |text: &String| text.replace(PLACEHOLDER, &port);
    Launch {
        run: launch.run.iter().map(fill).collect(),
        cwd: launch.cwd.as_ref().map(fill),
        env: launch.env.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
        ready: launch.ready.as_ref().map(fill),
        ready_timeout: launch.ready_timeout,
    }
}

/// Whether the program is told its port at all.
pub(super) fn tells(launch: &Launch) -> bool {
    launch.run.iter().chain(launch.env.values()).any(|text| text.contains(PLACEHOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        Launch {
            run: vec!["serve".to_owned(), "--port={port}".to_owned()],
            cwd: Some("run/{port}".to_owned()),
            env: [("URL".to_owned(), "http://127.0.0.1:{port}/{port}".to_owned())].into(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        }
    }

    #[test]
    fn the_port_is_told_everywhere() {
        let told = told(&launch(), 4000);
        assert_eq!(told.run, ["serve", "--port=4000"]);
        assert_eq!(told.cwd.as_deref(), Some("run/4000"));
        assert_eq!(told.env["URL"], "http://127.0.0.1:4000/4000");
        assert!(tells(&launch()));
        assert!(!tells(&told));
    }

    #[test]
    fn reserved_ports_are_free_and_different() {
        let address = Address { host: "localhost".to_owned(), port: None };
        let reserve = |kind| Reserved::new(&address, kind).unwrap();
        let (one, two) = (reserve(TargetKind::Http), reserve(TargetKind::Tcp));
        assert_ne!(one.port, two.port);
        let port = one.port();
        drop(one);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
        let datagrams = reserve(TargetKind::Udp).port();
        assert!(UdpSocket::bind(("127.0.0.1", datagrams)).is_ok());
    }
}
