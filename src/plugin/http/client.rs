//! Connections to one target, and one exchange over one of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::plugin::clock::nanos;
use crate::plugin::contract::{Failure, http as contract};
use crate::plugin::failure;

use super::outgoing::Outgoing;
use super::upstream::Upstream;
use super::{BODY_BYTES, HEAD_BYTES, HEADERS, HELD, IDLE, IDLE_CONNECTIONS, KEPT_BYTES, KEPT_HEAD_BYTES};

/// What a plugin opened: one target with one set of options. Its connections are shared with nobody.
pub(in crate::plugin) struct Client {
    /// Where it leads.
    pub(super) upstream: Arc<Upstream>,
    /// Whether connections are used again.
    pub(super) keep_alive: bool,
    /// What timings are counted from.
    pub(super) origin: Instant,
    /// The one that was used last is last.
    idle: Mutex<Vec<Idle>>,
    /// Exchanges whose time was over and whose connections stay open; the oldest is first.
    held: Mutex<VecDeque<Exchange>>,
}

/// A request on its way, on a connection of its own.
type Exchange = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

struct Idle {
    connection: Connection,
    since: Instant,
}

/// An open connection. Dropping it closes the socket, whatever is still on the way.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// What ended it, where that was an error.
    driver: JoinHandle<Option<hyper::Error>>,
}

impl Connection {
    /// Why no answer came. Where a server speaks before it is asked, hyper tells the driver so, and whoever asked only that
    /// the connection is gone.
    async fn refused(&mut self, error: hyper::Error) -> Failure {
        if error.is_canceled()
            && let Ok(Some(end)) = (&mut self.driver).await
            && failure::io_cause(&end).is_none()
            && !end.is_closed()
            && !end.is_incomplete_message()
        {
            return Failure::Protocol(
                "the server speaks before it is asked, which is not HTTP/1.1".to_owned(),
            );
        }
        of_hyper(&error)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer, and whether its connection can be used again.
struct Answer {
    response: contract::Response,
    connection: Connection,
}

impl Client {
    /// A client without connections.
    pub(super) fn new(upstream: Arc<Upstream>, keep_alive: bool, origin: Instant) -> Self {
        Self { upstream, keep_alive, origin, idle: Mutex::default(), held: Mutex::default() }
    }

    /// Sends one request and reads its answer to the end. `budget` is what all answers of a batch may keep together.
    pub(super) async fn send(
        &self,
        outgoing: Outgoing,
        budget: &Arc<Budget>,
    ) -> Result<contract::Response, Failure> {
        let Outgoing { request, timeout, keep, after: _, hold } = outgoing;
        let began = Began { at: Instant::now(), origin: self.origin };
        let answer = if hold {
            let mut exchange: Exchange =
                Box::pin(exchange(Arc::clone(&self.upstream), began, request, keep, Arc::clone(budget)));
            let Ok(answer) = tokio::time::timeout(timeout, &mut exchange).await else {
                self.hold(exchange);
                return Err(Failure::TimedOut);
            };
            answer?
        } else {
            let exchange = self.exchange(began, request, keep, budget);
            tokio::time::timeout(timeout, exchange).await.map_err(|_| Failure::TimedOut)??
        };
        if self.keep_alive {
            self.give_back(answer.connection);
        }
        Ok(answer.response)
    }

    async fn exchange(
        &self,
        began: Began,
        request: Request<Full<Bytes>>,
        keep: usize,
        budget: &Arc<Budget>,
    ) -> Result<Answer, Failure> {
        let Some(mut connection) = self.reuse().await else {
            let sent = send_on_new(&self.upstream, began, request).await?;
            return answer(sent, began, keep, budget).await;
        };
        let sent = match connection.sender.try_send_request(request).await {
            Ok(response) => Sent { connection, connect: Duration::ZERO, response },
            // The message comes back only when not one byte of it was written; anything else may have reached the
            // service, and sending it again would be a second request that the plugin never made.
            Err(mut refused) => match refused.take_message() {
                Some(unsent) => send_on_new(&self.upstream, began, unsent).await?,
                None => return Err(of_hyper(&refused.into_error())),
            },
        };
        answer(sent, began, keep, budget).await
    }

    /// Keeps a connection open whose time is over: nobody reads from it, and it closes with the client.
    fn hold(&self, exchange: Exchange) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() == HELD {
            held.pop_front();
        }
        held.push_back(exchange);
    }

    /// A connection that is open and at rest, as far as can be told without writing to it.
    async fn reuse(&self) -> Option<Connection> {
        while let Some(Idle { mut connection, since }) = self.latest() {
            if since.elapsed() < IDLE && connection.sender.ready().await.is_ok() {
                return Some(connection);
            }
        }
        None
    }

    fn latest(&self) -> Option<Idle> {
        self.idle().pop()
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < IDLE_CONNECTIONS && !connection.sender.is_closed() {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        // A list of connections is whole at any time.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a request began, and what timings are counted from.
#[derive(Clone, Copy)]
struct Began {
    at: Instant,
    origin: Instant,
}

/// A request that was sent, and the head of its answer.
struct Sent {
    connection: Connection,
    connect: Duration,
    response: http::Response<Incoming>,
}

/// One request over a connection of its own, which owns all it needs.
async fn exchange(
    upstream: Arc<Upstream>,
    began: Began,
    request: Request<Full<Bytes>>,
    keep: usize,
    budget: Arc<Budget>,
) -> Result<Answer, Failure> {
    let sent = send_on_new(&upstream, began, request).await?;
    answer(sent, began, keep, &budget).await
}

async fn send_on_new(
    upstream: &Upstream,
    began: Began,
    request: Request<Full<Bytes>>,
) -> Result<Sent, Failure> {
    let mut connection = connect(upstream).await?;
    let connect = began.at.elapsed();
    match connection.sender.send_request(request).await {
        Ok(response) => Ok(Sent { connection, connect, response }),
        Err(error) => Err(connection.refused(error).await),
    }
}

async fn connect(upstream: &Upstream) -> Result<Connection, Failure> {
    let stream = upstream.connect().await?;
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| of_hyper(&error))?;
    let driver = tokio::spawn(async move { driver.await.err() });
    Ok(Connection { sender, driver })
}

/// Reads an answer to its end.
async fn answer(sent: Sent, began: Began, keep: usize, budget: &Budget) -> Result<Answer, Failure> {
    let Sent { connection, connect, response } = sent;
    let first_byte = began.at.elapsed();
    let (head, body) = response.into_parts();
    let head_bytes = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if take(&budget.heads, head_bytes) < head_bytes {
        let most = KEPT_HEAD_BYTES >> 20;
        return Err(Failure::OverLimit(format!("the heads of a call's answers are kept up to {most} MiB")));
    }
    let body = read(body, keep, budget).await?;
    let total = began.at.elapsed();
    let response = contract::Response {
        status: head.status.as_u16(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect(),
        truncated: body.count > body.kept.len() as u64,
        body: body.kept,
        body_bytes: body.count,
        timing: contract::Timing {
            started_nanos: nanos(began.at.saturating_duration_since(began.origin)),
            connect_nanos: nanos(connect),
            first_byte_nanos: nanos(first_byte),
            total_nanos: nanos(total),
        },
        extras: Vec::new(),
    };
    Ok(Answer { response, connection })
}

/// A body: its first bytes, and how many there were.
struct Read {
    kept: Vec<u8>,
    count: u64,
}

async fn read(mut body: Incoming, keep: usize, budget: &Budget) -> Result<Read, Failure> {
    let mut read = Read { kept: Vec::new(), count: 0 };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_hyper_body(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = keep.saturating_sub(read.kept.len()).min(data.len());
        let granted = take(&budget.bodies, room);
        read.kept.extend_from_slice(&data[..granted]);
        read.count += data.len() as u64;
        if granted < room {
            // What comes after a gap is not kept either: the kept bytes are the first ones.
            return count_rest(body, read).await;
        }
        limit(read.count)?;
    }
    Ok(read)
}

async fn count_rest(mut body: Incoming, mut read: Read) -> Result<Read, Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_hyper_body(&error))?;
        read.count += frame.data_ref().map_or(0, |data| data.len() as u64);
        limit(read.count)?;
    }
    Ok(read)
}

fn limit(count: u64) -> Result<(), Failure> {
    if count > BODY_BYTES {
        return Err(Failure::OverLimit(format!("an answer is read up to {} MiB", BODY_BYTES >> 20)));
    }
    Ok(())
}

/// What all answers of one call may keep together, and what is left of it.
pub(super) struct Budget {
    bodies: AtomicUsize,
    heads: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bodies: AtomicUsize::new(KEPT_BYTES), heads: AtomicUsize::new(KEPT_HEAD_BYTES) }
    }
}

/// Takes up to `wanted` out of `budget`.
fn take(budget: &AtomicUsize, wanted: usize) -> usize {
    let mut left = budget.load(Ordering::Relaxed);
    loop {
        let granted = wanted.min(left);
        match budget.compare_exchange_weak(left, left - granted, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return granted,
            Err(now) => left = now,
        }
    }
}

/// What went wrong before the head of an answer was there.
fn of_hyper(error: &hyper::Error) -> Failure {
    if let Some(io) = failure::io_cause(error) {
        failure::of_io(io)
    } else if error.is_parse_too_large() {
        Failure::OverLimit(format!(
            "the head of an answer is read up to {} KiB and {HEADERS} headers",
            HEAD_BYTES >> 10
        ))
    } else if error.is_parse() || error.is_parse_status() {
        Failure::Protocol(format!("the answer is not HTTP/1.1: {error}"))
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Failure::Unreachable("the connection was closed before an answer came".to_owned())
    } else {
        Failure::Protocol(error.to_string())
    }
}

/// What went wrong while the body of an answer was read.
fn of_hyper_body(error: &hyper::Error) -> Failure {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match failure::io_cause(error) {
        // So the HTTP library reports bytes that are no chunks.
        Some(io) if matches!(io.kind(), InvalidData | InvalidInput) => {
            Failure::Protocol(format!("the body of the answer is broken: {io}"))
        }
        Some(io) if io.kind() != UnexpectedEof => failure::of_io(io),
        _ => Failure::Protocol("the answer ended before its body was complete".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::AtomicU32;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use crate::model::Authority;
    use crate::plugin::network::Dial;

    use super::*;

    /// A server that counts what it is asked and does what a test tells it to.
    struct Server {
        address: SocketAddr,
        connections: Arc<AtomicU32>,
        requests: Arc<Mutex<Vec<String>>>,
    }

    /// What happens to one connection: each request is answered with these bytes, in turn; then it is closed.
    type Script = fn(u32) -> &'static [&'static str];

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    impl Server {
        async fn start(script: Script) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Self {
                address: listener.local_addr().unwrap(),
                connections: Arc::default(),
                requests: Arc::default(),
            };
            let (connections, requests) = (server.connections.clone(), server.requests.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let answers = script(connections.fetch_add(1, Ordering::SeqCst));
                    tokio::spawn(serve(stream, answers, requests.clone()));
                }
            });
            server
        }

        async fn client(&self, keep_alive: bool) -> Client {
            self.client_from(None, keep_alive).await
        }

        async fn client_from(&self, source: Option<Ipv4Addr>, keep_alive: bool) -> Client {
            let authority = Authority { host: self.address.ip().to_string(), port: self.address.port() };
            let dial = Dial { source, no_delay: true, ..Dial::default() };
            Client::new(Arc::new(Upstream::web(&authority, "", dial).await), keep_alive, Instant::now())
        }

        fn requests(&self) -> Vec<String> {
            self.requests.lock().unwrap().clone()
        }

        fn connections(&self) -> u32 {
            self.connections.load(Ordering::SeqCst)
        }
    }

    async fn serve(
        mut stream: TcpStream,
        answers: &'static [&'static str],
        requests: Arc<Mutex<Vec<String>>>,
    ) {
        for answer in answers {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            requests.lock().unwrap().push(String::from_utf8(head).unwrap());
            // A NUL is a pause.
            for part in answer.split_inclusive('\0') {
                if stream.write_all(part.trim_end_matches('\0').as_bytes()).await.is_err() {
                    return;
                }
                if part.ends_with('\0') {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
            }
        }
    }

    fn request(method: &str, keep: u32, timeout_millis: u32) -> contract::Request {
        contract::Request {
            method: method.to_owned(),
            path_and_query: "/orders".to_owned(),
            headers: vec![],
            body: vec![],
            timeout_millis,
            max_body_bytes: keep,
            after_millis: 0,
            extras: vec![],
        }
    }

    async fn send(client: &Client, request: contract::Request) -> Result<contract::Response, Failure> {
        let outgoing = Outgoing::new(request, &client.upstream, client.keep_alive)?;
        client.send(outgoing, &Arc::default()).await
    }

    async fn post(client: &Client) -> Result<contract::Response, Failure> {
        send(client, request("POST", 100, 2_000)).await
    }

    #[tokio::test]
    async fn connection_is_used_again_only_with_keep_alive() {
        let server = Server::start(|_| &[OK, OK, OK]).await;
        let client = server.client(true).await;
        let first = post(&client).await.unwrap();
        let second = post(&client).await.unwrap();
        assert_eq!((first.status, first.body.as_slice(), first.truncated), (200, &b"ok"[..], false));
        assert!(first.timing.connect_nanos > 0);
        assert_eq!(second.timing.connect_nanos, 0);
        assert!(second.timing.started_nanos > first.timing.started_nanos);
        assert!(first.timing.first_byte_nanos <= first.timing.total_nanos);
        assert_eq!(server.connections(), 1);
        let client = server.client(false).await;
        post(&client).await.unwrap();
        post(&client).await.unwrap();
        assert_eq!(server.connections(), 3);
        assert!(server.requests()[2].contains("connection: close\r\n"));
        assert!(!server.requests()[1].contains("connection"));
    }

    #[tokio::test]
    async fn server_that_speaks_first_is_no_web_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
                open.push(stream);
            }
        });
        let authority = Authority { host: "127.0.0.1".to_owned(), port };
        let upstream = Arc::new(Upstream::web(&authority, "", Dial::default()).await);
        let client = Client::new(upstream, false, Instant::now());
        // Whether its words or the request are first is a matter of the moment.
        for _ in 0..100 {
            let answer = post(&client).await;
            assert!(matches!(answer, Err(Failure::Protocol(_))), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn request_that_may_have_arrived_is_never_sent_again() {
        // The second request on the first connection is read, and then the connection is closed.
        let server = Server::start(|connection| if connection == 0 { &[OK, ""] } else { &[OK] }).await;
        let client = server.client(true).await;
        post(&client).await.unwrap();
        assert!(matches!(post(&client).await, Err(Failure::Unreachable(_))));
        assert_eq!(server.requests().len(), 2);
        assert_eq!(server.connections(), 1);
        post(&client).await.unwrap();
        assert_eq!(server.requests().len(), 3);
    }

    #[tokio::test]
    async fn connection_that_was_closed_while_it_rested_is_replaced() {
        let server = Server::start(|_| &[OK]).await;
        let client = server.client(true).await;
        for _ in 0..5 {
            assert_eq!(post(&client).await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!((server.requests().len(), server.connections()), (5, 5));
    }

    #[tokio::test]
    async fn second_answer_to_one_request_is_never_taken_for_the_next() {
        const TWO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
                           HTTP/1.1 500 Forged\r\nContent-Length: 2\r\n\r\nno";
        // At once, and when the connection already rests.
        const LATE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\0\
                            HTTP/1.1 500 Forged\r\nContent-Length: 2\r\n\r\nno\0";
        for (script, pause) in [((|_| &[TWO, OK]) as Script, 0), (|_| &[LATE, OK], 80)] {
            let server = Server::start(script).await;
            let client = server.client(true).await;
            for _ in 0..10 {
                assert_eq!(post(&client).await.unwrap().status, 200);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
    }

    #[tokio::test]
    async fn connection_that_rested_too_long_is_not_trusted() {
        let server = Server::start(|_| &[OK, OK]).await;
        let client = server.client(true).await;
        post(&client).await.unwrap();
        client.idle()[0].since = Instant::now().checked_sub(IDLE).unwrap();
        post(&client).await.unwrap();
        assert_eq!(server.connections(), 2);
    }

    #[tokio::test]
    async fn redirect_is_handed_back() {
        let server = Server::start(|_| {
            &["HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"]
        })
        .await;
        let response = post(&server.client(true).await).await.unwrap();
        assert_eq!(response.status, 302);
        assert!(response.headers.contains(&("location".to_owned(), b"http://169.254.169.254/".to_vec())));
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn body_past_the_limit_is_counted_and_not_kept() {
        let server = Server::start(|_| &["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"; 2]).await;
        let client = server.client(true).await;
        let response = send(&client, request("GET", 4, 0)).await.unwrap();
        assert_eq!(
            (response.body.as_slice(), response.body_bytes, response.truncated),
            (&b"0123"[..], 10, true)
        );
        // What the batch may still keep is less than what the request asks for.
        let outgoing = Outgoing::new(request("GET", 100, 0), &client.upstream, true).unwrap();
        let budget = Arc::new(Budget { bodies: AtomicUsize::new(3), ..Budget::default() });
        let response = client.send(outgoing, &budget).await.unwrap();
        assert_eq!(
            (response.body.as_slice(), response.body_bytes, response.truncated),
            (&b"012"[..], 10, true)
        );
        assert_eq!(budget.bodies.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn heads_of_a_batch_have_a_limit_of_their_own() {
        let server = Server::start(|_| &[OK; 2]).await;
        let client = server.client(true).await;
        let budget = Arc::new(Budget {
            heads: AtomicUsize::new("content-length2".len()),
            bodies: AtomicUsize::new(0),
        });
        for fits in [true, false] {
            let outgoing = Outgoing::new(request("GET", 100, 0), &client.upstream, true).unwrap();
            let answer = client.send(outgoing, &budget).await;
            assert_eq!(answer.is_ok(), fits, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn answer_that_drips_ends_at_the_timeout() {
        let server = Server::start(|_| {
            &["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0"]
        })
        .await;
        let began = Instant::now();
        let sent = send(&server.client(true).await, request("GET", 100, 150)).await;
        assert!(matches!(sent, Err(Failure::TimedOut)));
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_held_request_keeps_its_connection_until_the_client_goes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let client = server.client(false).await;
        let mut patient = request("POST", 100, 50);
        patient.extras = vec![("mustdo.hold".to_owned(), "yes".to_owned())];
        let (accepted, sent) = tokio::join!(listener.accept(), send(&client, patient));
        assert!(matches!(sent, Err(Failure::TimedOut)));
        let (mut stream, _) = accepted.unwrap();
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        // The service does not see its caller hang up: neither an end nor a reset comes.
        let end = tokio::time::timeout(Duration::from_millis(150), stream.read(&mut head)).await;
        assert!(end.is_err(), "{end:?}");
        drop(client);
        let end = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut head)).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }

    #[tokio::test]
    async fn a_held_request_that_is_answered_in_time_is_like_any_other() {
        let server = Server::start(|_| &[OK, OK]).await;
        let client = server.client(true).await;
        let mut held = request("POST", 100, 2_000);
        held.extras = vec![("mustdo.hold".to_owned(), "yes".to_owned())];
        assert_eq!(send(&client, held).await.unwrap().body, b"ok");
        assert_eq!(post(&client).await.unwrap().status, 200);
        assert_eq!(server.connections(), 1);
        assert!(client.held.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn failures_say_what_the_peer_did() {
        let answered = async |script: Script| {
            let server = Server::start(script).await;
            post(&server.client(true).await).await.unwrap_err()
        };
        assert!(matches!(answered(|_| &["220 smtp ready\r\n\r\n"]).await, Failure::Protocol(_)));
        assert!(matches!(answered(|_| &["HTTP/1.1 abc\r\n\r\n"]).await, Failure::Protocol(_)));
        assert!(matches!(answered(|_| &[""]).await, Failure::Unreachable(_)));
        assert!(matches!(answered(|_| &[]).await, Failure::Unreachable(_)));
        let short = answered(|_| &["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123"]).await;
        assert!(matches!(short, Failure::Protocol(why) if why.contains("ended before")));
        let chunks = answered(|_| &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n"]).await;
        assert!(matches!(chunks, Failure::Protocol(why) if why.contains("is broken")));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let server = Server { address: closed, connections: Arc::default(), requests: Arc::default() };
        let refused = post(&server.client(true).await).await;
        assert!(matches!(refused, Err(Failure::Unreachable(why)) if why == "connection refused"));
    }

    #[tokio::test]
    async fn endless_head_is_over_a_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            while stream.write_all(b"X-Header: and another one, and another one\r\n").await.is_ok() {}
        });
        let failure = post(&server.client(true).await).await.unwrap_err();
        assert!(matches!(failure, Failure::OverLimit(_)), "{}", failure::words(&failure));
    }

    #[tokio::test]
    async fn endless_body_is_over_a_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let block = vec![b'x'; 1 << 20];
            while stream.write_all(&block).await.is_ok() {}
        });
        let failure = send(&server.client(true).await, request("GET", 10, 60_000)).await.unwrap_err();
        assert!(matches!(failure, Failure::OverLimit(_)), "{}", failure::words(&failure));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn source_address_is_what_the_server_sees() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let connected = server.client_from(Some(Ipv4Addr::new(127, 0, 0, 7)), false).await;
        let (peer, sent) = tokio::join!(
            async {
                let (mut stream, peer) = listener.accept().await.unwrap();
                stream.write_all(OK.as_bytes()).await.unwrap();
                peer
            },
            post(&connected)
        );
        assert_eq!(peer.ip().to_string(), "127.0.0.7");
        assert_eq!(sent.unwrap().status, 200);
    }
}
