//! The native double of the host: real HTTP over plain sockets, so that a check runs under `cargo test`.
//!
//! It is for tests: targets are loopback addresses, every request has a connection of its own (`keep_alive` is not
//! followed). Streams and datagrams are real ones (`network`). Programs are those that the test gives: [`NativeHost::serve`] one behind an
//! http target, [`NativeHost::program`] one for a command target, [`NativeHost::folder`] a directory.

mod files;
mod folder;
mod network;
mod program;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{process, thread};

use crate::host::{Connection, Folders, Host, Level, Network, Programs};
use crate::http::{Options, Request, Response, Timing};
use crate::process::{Command, Program};
use crate::scratch::Folder;
use crate::{Context, Failure, tcp};

/// The wait for an answer where the request names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A host for tests, with its targets and what the plugin told it.
#[derive(Debug)]
pub struct NativeHost {
    targets: HashMap<String, SocketAddr>,
    began: Instant,
    limit: Duration,
    lines: RefCell<Vec<String>>,
    blobs: RefCell<Vec<Vec<u8>>>,
    random: Cell<u64>,
    programs: program::Programs,
    folders: HashMap<String, PathBuf>,
}

impl Default for NativeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl NativeHost {
    /// A host without targets and a minute for the run.
    #[must_use]
    pub fn new() -> Self {
        Self {
            targets: HashMap::new(),
            began: Instant::now(),
            limit: Duration::from_mins(1),
            lines: RefCell::default(),
            blobs: RefCell::default(),
            random: Cell::new(0x9e37_79b9_7f4a_7c15),
            programs: program::Programs::default(),
            folders: HashMap::new(),
        }
    }

    /// Binds an http, tcp or udp target to an address.
    #[must_use]
    pub fn bind(mut self, target: &str, address: SocketAddr) -> Self {
        self.targets.insert(target.to_owned(), address);
        self
    }

    /// Binds an http target to an address and starts a program there, as often as a check asks for it. Fails when the
    /// program does not listen in time; it is stopped with the host.
    pub fn serve(
        self,
        target: &str,
        address: SocketAddr,
        start: impl Fn() -> process::Command + 'static,
    ) -> Result<Self, Failure> {
        self.programs.serve(target, address, start)?;
        Ok(self.bind(target, address))
    }

    /// Binds a command target to a program; the arguments and variables of a check are added to it.
    #[must_use]
    pub fn program(mut self, target: &str, start: impl Fn() -> process::Command + 'static) -> Self {
        self.programs.register(target, start);
        self
    }

    /// Binds a directory target, to be read and for private copies of it.
    #[must_use]
    pub fn folder(mut self, target: &str, path: impl Into<PathBuf>) -> Self {
        self.folders.insert(target.to_owned(), path.into());
        self
    }

    /// Changes how long the run may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A context over this host with every target granted.
    #[must_use]
    pub fn context(&self, seed: u64) -> Context<'_> {
        Context::new(self, self.targets.keys().chain(self.folders.keys()).cloned().collect(), seed)
    }

    fn address(&self, target: &str) -> Result<SocketAddr, Failure> {
        self.targets.get(target).copied().ok_or_else(|| Failure::Unbound(target.to_owned()))
    }

    /// Progress messages and log lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }
}

impl Host for NativeHost {
    fn open_http(&self, target: &str, options: &Options) -> Result<Box<dyn Connection>, Failure> {
        let address = self.address(target)?;
        let source = options.source.clone();
        Ok(Box::new(Plain { address, source, began: self.began, held: Mutex::default() }))
    }

    fn progress(&self, _fraction: Option<f32>, message: &str) {
        self.lines.borrow_mut().push(message.to_owned());
    }

    fn log(&self, _level: Level, message: &str) {
        self.lines.borrow_mut().push(message.to_owned());
    }

    fn time_left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration.min(self.time_left()));
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        (0..length)
            .map(|_| {
                let mut state = self.random.get();
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                self.random.set(state);
                state.to_le_bytes()[7]
            })
            .collect()
    }

    fn attach(&self, _label: &str, _media_type: &str, bytes: &[u8]) -> Result<u32, Failure> {
        let mut blobs = self.blobs.borrow_mut();
        blobs.push(bytes.to_vec());
        u32::try_from(blobs.len() - 1).map_err(|_| Failure::OverLimit("attachments".to_owned()))
    }

    fn network(&self) -> &dyn Network {
        self
    }

    fn programs(&self) -> &dyn Programs {
        self
    }

    fn folders(&self) -> &dyn Folders {
        self
    }
}

impl Programs for NativeHost {
    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure> {
        self.programs.start(command, None)
    }

    fn attached(&self, target: &str) -> Result<Box<dyn Program>, Failure> {
        self.programs.attached(target)
    }

    fn restart(&self, target: &str, timeout: Duration) -> Result<Box<dyn Program>, Failure> {
        self.programs.restart(target, timeout)
    }

    fn scratch(&self, target: Option<&str>) -> Result<Box<dyn Folder>, Failure> {
        let source = target
            .map(|name| self.folders.get(name).ok_or_else(|| Failure::Unbound(name.to_owned())))
            .transpose()?;
        folder::copy_of(source.map(PathBuf::as_path), &self.programs)
    }
}

/// A client that opens a connection for each request.
#[derive(Debug)]
struct Plain {
    address: SocketAddr,
    source: Option<String>,
    began: Instant,
    /// Connections of held requests whose time was over.
    held: Mutex<Vec<TcpStream>>,
}

impl Connection for Plain {
    fn send(&self, request: &Request) -> Result<Response, Failure> {
        thread::sleep(request.after);
        let started = self.began.elapsed();
        let stream = connect(self.address, self.source.clone(), request).map_err(|error| failure(&error))?;
        let answer = exchange(&stream, self.address, request).map_err(|error| failure(&error));
        if request.hold && answer == Err(Failure::TimedOut) {
            self.held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        }
        let mut response = answer?;
        let total = self.began.elapsed().saturating_sub(started);
        response.timing = Timing { started, connect: Duration::ZERO, first_byte: total, total };
        Ok(response)
    }

    fn send_all(
        &self,
        requests: &[Request],
        concurrency: u32,
    ) -> Result<Vec<Result<Response, Failure>>, Failure> {
        let workers = usize::try_from(concurrency).ok().and_then(NonZero::new);
        let workers = workers.ok_or_else(|| Failure::Other("concurrency is zero".to_owned()))?;
        let batch = Instant::now();
        let queue = Mutex::new(requests.iter().enumerate());
        let mut answers: Vec<(usize, Result<Response, Failure>)> = thread::scope(|scope| {
            let take = || {
                let mut done = Vec::new();
                loop {
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some((index, request)) = next else { return done };
                    thread::sleep(request.after.saturating_sub(batch.elapsed()));
                    let now = Request { after: Duration::ZERO, ..request.clone() };
                    done.push((index, self.send(&now)));
                }
            };
            let threads: Vec<_> = (0..workers.get().min(requests.len())).map(|_| scope.spawn(take)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        });
        answers.sort_by_key(|(index, _)| *index);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }
}

fn failure(error: &io::Error) -> Failure {
    if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) {
        Failure::TimedOut
    } else if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
        Failure::Protocol(error.to_string())
    } else {
        Failure::Unreachable(error.to_string())
    }
}

fn connect(address: SocketAddr, source: Option<String>, request: &Request) -> io::Result<TcpStream> {
    let timeout = if request.timeout.is_zero() { DEFAULT_TIMEOUT } else { request.timeout };
    let options = tcp::Options { source, no_delay: true, timeout, ..tcp::Options::default() };
    let stream = network::connect(address, &options)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

fn exchange(mut stream: &TcpStream, address: SocketAddr, request: &Request) -> io::Result<Response> {
    let mut head =
        format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        head.extend(["Content-Length: ", &request.body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), &request.body].concat())?;
    read_response(&mut BufReader::new(stream), request)
}

fn read_response(stream: &mut impl BufRead, request: &Request) -> io::Result<Response> {
    let status_line = read_line(stream)?;
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| invalid("no status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header without a colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: Vec::new(),
        body_bytes: 0,
        truncated: false,
        timing: Timing::default(),
    };
    if request.method != "HEAD" && !matches!(status, 204 | 304) {
        response.body = read_body(stream, &response)?;
    }
    response.body_bytes = response.body.len() as u64;
    let keep = usize::try_from(request.keep_bytes).unwrap_or(usize::MAX);
    response.truncated = response.body.len() > keep;
    response.body.truncate(keep);
    Ok(response)
}

fn read_body(stream: &mut impl BufRead, response: &Response) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if response.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        loop {
            let line = read_line(stream)?;
            let size = line.split(';').next().and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
            let size = size.ok_or_else(|| invalid("a chunk without a size"))?;
            if stream.by_ref().take(size).read_to_end(&mut body)? as u64 != size {
                return Err(invalid("a chunk cut short"));
            }
            read_line(stream)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = response.header("content-length") {
        let length: u64 = length.parse().map_err(|_| invalid("a length that is no number"))?;
        if stream.take(length).read_to_end(&mut body)? as u64 != length {
            return Err(invalid("a body cut short"));
        }
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(body)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.take(64 << 10).read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with the bytes and returns what was asked.
    fn answer_once(bytes: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (address, server)
    }

    fn client(host: &NativeHost) -> crate::http::Client {
        host.context(1).http("api", &Options::default()).unwrap()
    }

    #[test]
    fn an_answer_is_read_as_its_length_says() {
        let (address, server) =
            answer_once("HTTP/1.1 201 Created\r\nContent-Length: 2\r\nLocation: /7\r\n\r\n{}rest");
        let host = NativeHost::new().bind("api", address);
        let request = Request::new("POST", "/items").json(&serde_json::json!({"a": 1}));
        let response = client(&host).send(&request).unwrap();
        assert_eq!((response.status, response.header("location")), (201, Some("/7")));
        assert_eq!(response.json(), Some(serde_json::json!({})));
        assert!(server.join().unwrap().ends_with("\r\n\r\n{\"a\":1}"));
    }

    #[test]
    fn chunks_are_put_together() {
        let (address, _server) = answer_once(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        );
        let host = NativeHost::new().bind("api", address);
        assert_eq!(client(&host).send(&Request::get("/")).unwrap().text(), "abcd");
    }

    #[test]
    fn a_broken_answer_is_a_protocol_failure() {
        let (address, _server) = answer_once("hello\r\n");
        let host = NativeHost::new().bind("api", address);
        assert!(matches!(client(&host).send(&Request::get("/")), Err(Failure::Protocol(_))));
    }

    #[test]
    fn a_held_request_keeps_its_connection_until_the_client_goes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = NativeHost::new().bind("api", listener.local_addr().unwrap());
        for hold in [true, false] {
            let client = client(&host);
            let request = Request { hold, ..Request::get("/").timeout(Duration::from_millis(30)) };
            assert_eq!(client.send(&request), Err(Failure::TimedOut));
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut rest = [0; 1024];
            assert!(stream.read(&mut rest).unwrap() > 0);
            let end = stream.read(&mut rest).map_err(|error| failure(&error));
            assert_eq!(end, if hold { Err(Failure::TimedOut) } else { Ok(0) });
            drop(client);
            assert_eq!(stream.read(&mut rest).unwrap(), 0);
        }
    }

    #[test]
    fn an_unbound_target_is_named() {
        let host = NativeHost::new();
        let opened = host.context(1).http("api", &Options::default());
        assert_eq!(opened.err(), Some(Failure::Unbound("api".to_owned())));
    }
}
