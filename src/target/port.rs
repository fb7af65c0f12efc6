//! Free ports, and the places that tell a program its own.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::TargetError;
use crate::model::{Address, Launch, TargetKind};

/// What stands for the port in `mustdo.toml`.
const PLACEHOLDER: &str = "{port}";

/// Where free ports are looked for. Linux takes the local ports of outgoing connections from 32768 upwards
/// (`ip_local_port_range` in ip(7)): one of the thousands that a check opens would otherwise, now and then, have a program's
/// port in the moment before the program binds it, or while the program is started again.
const PORTS: Range<u16> = 20_000..32_768;

/// A free port, kept from everybody, this process included, until it is dropped. Nothing is ever accepted on it, so a
/// program can bind it as soon as it is. This process gets no port twice, as long as there are others.
#[derive(Debug)]
pub struct Reserved {
    port: u16,
    _holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Stream { _listener: TcpListener },
    Datagram { _socket: UdpSocket },
}

impl Reserved {
    /// A port that is free on the host of `address`, for datagrams if `kind` is of them; on 127.0.0.1 where the host is a
    /// name.
    ///
    /// # Errors
    /// [`TargetError::NoPort`] where the host is not of this machine or none of its ports is free.
    pub fn new(address: &Address, kind: TargetKind) -> Result<Self, TargetError> {
        let host: IpAddr = address.host.parse().unwrap_or(Ipv4Addr::LOCALHOST.into());
        let hold = |port| {
            let (port, holder) = if kind == TargetKind::Udp {
                let socket = UdpSocket::bind((host, port))?;
                (socket.local_addr()?.port(), Holder::Datagram { _socket: socket })
            } else {
                let listener = TcpListener::bind((host, port))?;
                (listener.local_addr()?.port(), Holder::Stream { _listener: listener })
            };
            Ok(Self { port, _holder: holder })
        };
        first_free(hold).map_err(|source| TargetError::NoPort { host: address.host.clone(), source })
    }

    /// The number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// What `hold` makes of the first port that is not taken: from [`PORTS`], and where all of them are, any.
fn first_free<T>(hold: impl Fn(u16) -> io::Result<T>) -> io::Result<T> {
    // Where another process begins is its own affair: two that begin at the same place would meet all the time.
    static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| {
        AtomicUsize::new(getrandom::u32().map_or(0, |random| usize::try_from(random).unwrap_or_default()))
    });
    for _ in PORTS {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len();
        let port = PORTS.start.saturating_add(u16::try_from(next).unwrap_or_default());
        match hold(port) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            held => return held,
        }
    }
    hold(0)
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
    fn taken_ports_are_passed_over_and_the_system_chooses_when_all_are() {
        let taken = |port| match port {
            0 => Ok(0),
            _ => Err(io::Error::from(ErrorKind::AddrInUse)),
        };
        assert_eq!(first_free(taken).unwrap(), 0);
        let only_one = |port| if port == PORTS.end - 1 { Ok(port) } else { taken(port) };
        assert_eq!(first_free(only_one).unwrap(), PORTS.end - 1);
        let foreign = |_| Err::<(), _>(io::Error::from(ErrorKind::AddrNotAvailable));
        assert_eq!(first_free(foreign).unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn reserved_ports_are_free_and_different() {
        let address = Address { host: "localhost".to_owned(), port: None };
        let reserve = |kind| Reserved::new(&address, kind).unwrap();
        let (one, two) = (reserve(TargetKind::Http), reserve(TargetKind::Tcp));
        assert_ne!(one.port, two.port);
        let port = one.port();
        assert!(PORTS.contains(&port), "{port}");
        drop(one);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
        let datagrams = reserve(TargetKind::Udp).port();
        assert!(UdpSocket::bind(("127.0.0.1", datagrams)).is_ok());
    }
}
