//! Looking whether something is there.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::{Address, Authority, TargetKind};

/// How long a running target may take to accept a connection: it is there, so it is quick.
const ANSWER: Duration = Duration::from_secs(2);

/// Whether somebody listens there now; none where it can not be told.
pub(super) async fn is_answered(kind: TargetKind, authority: &Authority) -> Option<bool> {
    if kind == TargetKind::Udp {
        let address = Address { host: authority.host.clone(), port: Some(authority.port) };
        return address.is_loopback().then(|| has_datagram_socket(authority.port)).flatten();
    }
    Some(matches!(timeout(ANSWER, accepts(authority)).await, Ok(Ok(_))))
}

/// Connects once; or says what is missing. Where nobody listens on a port that the system also gives out, a connection can
/// meet itself: that is nobody.
pub(super) async fn accepts(authority: &Authority) -> Result<TcpStream, String> {
    let nobody = || format!("nothing answers on {authority}");
    let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await.map_err(|_| nobody())?;
    if meets_itself(&stream) { Err(nobody()) } else { Ok(stream) }
}

fn meets_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

/// Asks for `path` once; or says why that was not answered with 2xx or 3xx. Redirects are not followed: a service that
/// redirects is up.
pub(super) async fn serves(authority: &Authority, path: &str) -> Result<(), String> {
    let stream = accepts(authority).await?;
    let silent = |error: hyper::Error| format!("GET {path} got no answer: {error}");
    let request = Request::get(path)
        .header(HOST, authority.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|_| format!("\"{path}\" is not a path: check `ready`"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(silent)?;
    // The answer comes through the connection, which may well end in the same moment.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    driver.abort();
    let status = answer.map_err(silent)?.status();
    if status.is_success() || status.is_redirection() {
        Ok(())
    } else {
        Err(format!("GET {path} answered {}", status.as_u16()))
    }
}

/// Whether a datagram socket of this machine has that port; none where the system does not tell. Datagrams can not be
/// asked for politely: an unexpected one may upset a server, and binding the port to find out would take it away.
pub(super) fn has_datagram_socket(port: u16) -> Option<bool> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    let mut known = tables.into_iter().filter_map(table).peekable();
    known.peek()?;
    Some(known.any(|table| lists(&table, port)))
}

#[expect(clippy::disallowed_methods, reason = "a table of the kernel, not a file of the workspace")]
fn table(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Whether a table as in `/proc/net/udp` has a socket on `port`: the second column is the local address and port in
/// hexadecimal, see proc(5).
fn lists(table: &str, port: u16) -> bool {
    table.lines().skip(1).any(|line| {
        let local = line.split_whitespace().nth(1).and_then(|local| local.rsplit_once(':'));
        local.is_some_and(|(_, digits)| u16::from_str_radix(digits, 16) == Ok(port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connection_that_meets_itself_is_nobody() {
        // As the system does by chance, with the port that it happens to choose.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let stream = socket.connect(address).await.unwrap();
        assert!(meets_itself(&stream));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(accepts(&Authority { host: "127.0.0.1".to_owned(), port }).await.is_ok());
    }

    #[test]
    fn sockets_are_found_in_the_kernel_table() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\
                     \x20 35: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n";
        assert!(lists(table, 8080));
        assert!(!lists(table, 80));
        assert!(!lists("", 80));
    }
}
