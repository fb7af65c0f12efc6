//! Who listens on a port.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::ProcessId;
use super::table::{self, Row};

/// The kernel hands out its tables in pieces, and what changes between two of them can hide a row: so an answer other
/// than the owner is only believed when it was got this often.
const LOOKS: usize = 5;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Why the process behind a port can not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OwnerError {
    /// The address is not one of this machine's.
    #[error("it is not on this machine")]
    Elsewhere,
    /// No socket is bound there, or the system does not tell which are.
    #[error("no process of this machine listens there")]
    Nobody,
    /// Its process is another user's, or hidden in a container.
    #[error("the process that listens there belongs to another user")]
    Stranger,
    /// It is this process.
    #[error("mustdo itself listens there")]
    Ourselves,
    /// It is not the program that was started for it.
    #[error("the process that listens there is not the program that mustdo started for it")]
    NotWithin,
}

/// The process of this user that listens on one of `addresses`, for datagrams or for connections. Where a socket is
/// shared, as between a master and its workers, the one that the others come from. With `within`, only what is below that
/// process.
///
/// Looks through the whole table of processes: milliseconds, which an asynchronous caller spends elsewhere.
pub fn owner(
    datagrams: bool,
    addresses: &[SocketAddr],
    within: Option<u32>,
) -> Result<ProcessId, OwnerError> {
    let here: Vec<SocketAddr> = addresses.iter().copied().filter(|address| is_here(address.ip())).collect();
    if here.is_empty() {
        return Err(OwnerError::Elsewhere);
    }
    let mut found = look(datagrams, &here, within);
    for _ in 1..LOOKS {
        if found.is_ok() {
            break;
        }
        thread::sleep(PAUSE);
        found = look(datagrams, &here, within);
    }
    found
}

fn look(datagrams: bool, here: &[SocketAddr], within: Option<u32>) -> Result<ProcessId, OwnerError> {
    let bound = table::bound(datagrams);
    let exact = |one: SocketAddr| here.iter().any(|address| same(one, *address));
    let any = |one: SocketAddr| here.iter().any(|address| covers(one, *address));
    // The kernel prefers the socket that is bound to the very address.
    let mut sockets: Vec<_> = bound.iter().filter(|socket| exact(socket.address)).collect();
    if sockets.is_empty() {
        sockets = bound.iter().filter(|socket| any(socket.address)).collect();
    }
    if sockets.is_empty() {
        return Err(OwnerError::Nobody);
    }
    let inodes: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let holders = table::holders(&inodes);
    if holders.iter().any(|row| row.id.pid == std::process::id()) {
        return Err(OwnerError::Ourselves);
    }
    let ours: Vec<Row> = holders.into_iter().filter(|row| table::is_ours(row.id)).collect();
    let found = first(&ours).ok_or(OwnerError::Stranger)?;
    let Some(root) = within else { return Ok(found) };
    let inside: Vec<Row> = ours.into_iter().filter(|row| table::is_below(row.id, root)).collect();
    first(&inside).ok_or(OwnerError::NotWithin)
}

/// Of processes that share a socket the one that no other of them started; the oldest where there are several.
fn first(rows: &[Row]) -> Option<ProcessId> {
    let pids: BTreeSet<u32> = rows.iter().map(|row| row.id.pid).collect();
    let tops = rows.iter().filter(|row| !pids.contains(&row.parent));
    tops.map(|row| row.id).min_by_key(|id| (id.began, id.pid))
}

/// Whether an address is one of this machine's: then, and only then, a socket can be bound to it.
fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// Whether a socket bound to `one`, which may stand for every address, receives what is sent to `other`.
fn covers(one: SocketAddr, other: SocketAddr) -> bool {
    let any = match other.ip().to_canonical() {
        IpAddr::V4(_) => {
            [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)].contains(&one.ip())
        }
        IpAddr::V6(_) => one.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    one.port() == other.port() && any
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const SERVER: &str = "
import os, socket, sys, time
kind = socket.SOCK_DGRAM if sys.argv[1] == 'udp' else socket.SOCK_STREAM
server = socket.socket(socket.AF_INET, kind)
server.bind((sys.argv[2], 0))
if kind == socket.SOCK_STREAM: server.listen()
if sys.argv[1] == 'fork':
    for _ in range(2): os.fork() or time.sleep(60)
print(server.getsockname()[1], flush=True)
sys.stdout.close()
time.sleep(60)
";

    struct Server {
        child: Child,
        port: u16,
    }

    impl Server {
        fn start(kind: &str, host: &str) -> Self {
            let mut command = Command::new("python3");
            command.args(["-c", SERVER, kind, host]).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut output = child.stdout.take().unwrap();
            let mut text = vec![];
            let mut byte = [0];
            while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
                text.push(byte[0]);
            }
            Self { child, port: String::from_utf8(text).unwrap().trim().parse().unwrap() }
        }

        fn at(&self, host: &str) -> [SocketAddr; 1] {
            [SocketAddr::new(host.parse().unwrap(), self.port)]
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            for row in table::below(self.child.id()) {
                drop(row.id.signal(rustix::process::Signal::KILL));
            }
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }

    #[test]
    fn whoever_listens_is_found_whatever_the_protocol() {
        for (kind, host) in [("tcp", "127.0.0.1"), ("udp", "127.0.0.1"), ("tcp", "0.0.0.0")] {
            let server = Server::start(kind, host);
            let found = owner(kind == "udp", &server.at("127.0.0.1"), None).unwrap();
            assert_eq!(found.pid, server.child.id(), "{kind} {host}");
            assert_eq!(owner(kind != "udp", &server.at("127.0.0.1"), None), Err(OwnerError::Nobody));
        }
    }

    #[test]
    fn of_a_master_and_its_workers_the_master_is_found() {
        let server = Server::start("fork", "127.0.0.1");
        assert_eq!(owner(false, &server.at("127.0.0.1"), None).unwrap().pid, server.child.id());
        assert_eq!(
            owner(false, &server.at("127.0.0.1"), Some(server.child.id())).unwrap().pid,
            server.child.id()
        );
        assert_eq!(owner(false, &server.at("127.0.0.2"), None), Err(OwnerError::Nobody));
        let other = Server::start("tcp", "127.0.0.1");
        let within = owner(false, &server.at("127.0.0.1"), Some(other.child.id()));
        assert_eq!(within, Err(OwnerError::NotWithin));
    }

    #[test]
    fn this_process_and_other_machines_are_refused() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert_eq!(owner(false, &[listener.local_addr().unwrap()], None), Err(OwnerError::Ourselves));
        // TEST-NET-1 (RFC 5737) is nobody's.
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], listener.local_addr().unwrap().port()));
        assert_eq!(owner(false, &[elsewhere], None), Err(OwnerError::Elsewhere));
    }
}
