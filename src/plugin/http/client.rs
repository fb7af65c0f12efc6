//! Connections to one target, and one exchange over one of them.

use std::net::Ipv4Addr;
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
use super::{BODY_BYTES, HEAD_BYTES, HEADERS, IDLE, IDLE_CONNECTIONS};

/// What a plugin opened: one target with one set of options. Its connections are shared with nobody.
pub(in crate::plugin) struct Client {
    /// Where it leads.
    pub(super) upstream: Arc<Upstream>,
    /// Whether connections are used again.
    pub(super) keep_alive: bool,
    /// Where connections come from.
    pub(super) source: Option<Ipv4Addr>,
    /// What timings are counted from.
    pub(super) origin: Instant,
    /// The one that was used last is last.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// An open connection. Dropping it closes the socket, whatever is still on the way.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
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
    pub(super) fn new(
        upstream: Arc<Upstream>,
        keep_alive: bool,
        source: Option<Ipv4Addr>,
        origin: Instant,
    ) -> Self {
        Self { upstream, keep_alive, source, origin, idle: Mutex::default() }
    }

    /// Sends one request and reads its answer to the end. `budget` is what all answers of a batch may keep together.
    pub(super) async fn send(
        &self,
        outgoing: Outgoing,
        budget: &AtomicUsize,
    ) -> Result<contract::Response, Failure> {
        let started = Instant::now();
        let exchange = self.exchange(started, outgoing.request, outgoing.keep, budget);
        let answer =
            tokio::time::timeout(outgoing.timeout, exchange).await.map_err(|_| Failure::TimedOut)??;
        if self.keep_alive {
            self.give_back(answer.connection);
        }
        Ok(answer.response)
    }

    async fn exchange(
        &self,
        started: Instant,
        request: Request<Full<Bytes>>,
        keep: usize,
        budget: &AtomicUsize,
    ) -> Result<Answer, Failure> {
        let (connection, connect, response) = match self.reuse().await {
            Some(mut connection) => match connection.sender.try_send_request(request).await {
                Ok(response) => (connection, Duration::ZERO, response),
                // The message comes back only when not one byte of it was written; anything else may have reached the
                // service, and sending it again would be a second request that the plugin never made.
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) => self.send_on_new(started, unsent).await?,
                    None => return Err(of_hyper(&refused.into_error())),
                },
            },
            None => self.send_on_new(started, request).await?,
        };
        let first_byte = started.elapsed();
        let (head, body) = response.into_parts();
        let body = read(body, keep, budget).await?;
        let total = started.elapsed();
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
                started_nanos: nanos(started.saturating_duration_since(self.origin)),
                connect_nanos: nanos(connect),
                first_byte_nanos: nanos(first_byte),
                total_nanos: nanos(total),
            },
            extras: Vec::new(),
        };
        Ok(Answer { response, connection })
    }

    async fn send_on_new(
        &self,
        started: Instant,
        request: Request<Full<Bytes>>,
    ) -> Result<(Connection, Duration, http::Response<Incoming>), Failure> {
        let mut connection = self.connect().await?;
        let connect = started.elapsed();
        let response = connection.sender.send_request(request).await.map_err(|error| of_hyper(&error))?;
        Ok((connection, connect, response))
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let stream = self.upstream.connect(self.source).await?;
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| of_hyper(&error))?;
        // How a connection ends is told to whoever waits for an answer on it.
        let driver = tokio::spawn(async move { drop(driver.await) });
        Ok(Connection { sender, driver })
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

/// A body: its first bytes, and how many there were.
struct Read {
    kept: Vec<u8>,
    count: u64,
}

async fn read(mut body: Incoming, keep: usize, budget: &AtomicUsize) -> Result<Read, Failure> {
    let mut read = Read { kept: Vec::new(), count: 0 };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_hyper_body(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = keep.saturating_sub(read.kept.len()).min(data.len());
        let granted = take(budget, room);
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
    match failure::io_cause(error) {
        Some(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => failure::of_io(io),
        _ => Failure::Protocol("the answer ended before its body was complete".to_owned()),
    }
}
