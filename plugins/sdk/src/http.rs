//! Requests to a named target and their answers. Redirects are returned, cookies are the check's business.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use crate::Failure;
use crate::host::Connection;

/// Response bytes kept unless a request says otherwise.
const KEEP_BYTES: u32 = 1 << 20;

/// One request, built in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Origin form: begins with `/`, may carry a query.
    pub path: String,
    /// In order; names may repeat.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// Zero means the host's default.
    pub timeout: Duration,
    /// Response bytes to keep; the rest is counted, not kept.
    pub keep_bytes: u32,
    /// Starts this long after its batch does.
    pub after: Duration,
    /// Keeps the connection open when the time is over.
    pub hold: bool,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::ZERO,
            keep_bytes: KEEP_BYTES,
            after: Duration::ZERO,
            hold: false,
        }
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body as it is.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    /// Limits the wait for the whole answer.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps the connection open when the time is over without an answer, until the client is dropped: the service does
    /// not see its caller hang up. So a service can be stopped or killed in the middle of a request.
    #[must_use]
    pub fn hold(mut self) -> Self {
        self.hold = true;
        self
    }

    /// Delays the start inside a batch.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

/// When a request started and how long its answer took, by the host's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// On the monotonic clock of the run.
    pub started: Duration,
    /// Until the connection stood; zero when reused.
    pub connect: Duration,
    /// Until the first byte of the answer.
    pub first_byte: Duration,
    /// Until the last byte.
    pub total: Duration,
}

impl Timing {
    /// When the last byte came, on the same clock as `started`.
    #[must_use]
    pub fn ended(&self) -> Duration {
        self.started + self.total
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 100..=599.
    pub status: u16,
    /// In order; values that are not UTF-8 are mended.
    pub headers: Vec<(String, String)>,
    /// At most the bytes that the request keeps.
    pub body: Vec<u8>,
    /// All bytes that came.
    pub body_bytes: u64,
    /// Whether some were not kept.
    pub truncated: bool,
    /// When and how long.
    pub timing: Timing,
}

impl Response {
    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// Every header of that name, in any case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// 200..=299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The kept body as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON, whatever its content type says; none when it is cut off or no JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        if self.truncated { None } else { serde_json::from_slice(&self.body).ok() }
    }
}

/// How a client connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Reuse connections between requests of this client.
    pub keep_alive: bool,
    /// Loopback source address to connect from, to play several clients.
    pub source: Option<String>,
}

/// A client of one target.
pub struct Client {
    connection: Box<dyn Connection>,
}

impl Client {
    pub(crate) fn new(connection: Box<dyn Connection>) -> Self {
        Self { connection }
    }

    /// Sends one request.
    pub fn send(&self, request: &Request) -> Result<Response, Failure> {
        self.connection.send(request)
    }

    /// Sends all, with up to `concurrency` in flight; answers come in request order.
    ///
    /// A plugin is single-threaded: races and floods are the host's work.
    pub fn send_all(
        &self,
        requests: &[Request],
        concurrency: u32,
    ) -> Result<Vec<Result<Response, Failure>>, Failure> {
        self.connection.send_all(requests, concurrency)
    }
}
