//! HTTP/1.1 at the level of bytes: sends what a request says, however odd, and reads exactly one answer at a time.
//!
//! It retries nothing, follows nothing and hides nothing. The length of a body is read as RFC 9112, section 6.3 has it.

use std::time::Duration;

use httparse::Status;
use mustdo_plugin::service::{TARGET, excerpt};
use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Context, Failure, Fault, Text};

/// The wait for one whole answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The wait in which a peer that has said everything stays quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(250);

/// Bytes of a head, and of a whole answer, that are read before the peer counts as one that never ends.
const HEAD_BYTES: usize = 64 << 10;
const ANSWER_BYTES: usize = 8 << 20;

/// Headers of one answer.
const HEADERS: usize = 128;

/// A connection to the service, with what was read from it and not yet used.
pub(crate) struct Peer {
    connection: Connection,
    unread: Vec<u8>,
    ended: bool,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The digit after `HTTP/1.`.
    pub(crate) minor: u8,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether its end was told by its head, not by the end of the connection.
    pub(crate) framed: bool,
}

/// Why no answer could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The stream failed before an answer began, or nothing came in time.
    Unheard(Failure),
    /// The connection ended before an answer began.
    Ended,
    /// What came is no HTTP; the beginning of it.
    Foreign(Vec<u8>),
    /// An answer began and does not keep its own rules; says which.
    Misframed(String),
}

/// What was heard from a peer that should be quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    End,
    Bytes(Vec<u8>),
}

impl Peer {
    /// Opens a connection.
    pub(crate) fn open(context: &Context<'_>) -> Result<Self, Failure> {
        let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
        let connection = context.tcp(TARGET, &options)?;
        Ok(Self { connection, unread: Vec::new(), ended: false })
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.connection.send(bytes.as_ref())
    }

    /// The next final answer; interim ones are passed over.
    pub(crate) fn answer(&mut self, context: &Context<'_>, method: &str) -> Result<Answer, Broken> {
        loop {
            let answer = self.next(context, method)?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    /// The next answer, an interim one (1xx) as well.
    pub(crate) fn next(&mut self, context: &Context<'_>, method: &str) -> Result<Answer, Broken> {
        let end = context.monotonic() + PATIENCE;
        loop {
            if let Some((mut answer, length)) = head_of(&self.unread)? {
                self.unread.drain(..length);
                self.read_body(context, end, method, &mut answer)?;
                return Ok(answer);
            }
            if self.unread.len() > HEAD_BYTES {
                return Err(Broken::Foreign(std::mem::take(&mut self.unread)));
            }
            match self.more(context, end) {
                Ok(true) => {}
                Ok(false) if self.unread.is_empty() => return Err(Broken::Ended),
                Err(failure) if self.unread.is_empty() => return Err(Broken::Unheard(failure)),
                Ok(false) => {
                    return Err(Broken::Misframed("the connection ended inside the head".to_owned()));
                }
                Err(_) => return Err(Broken::Misframed("the head never came to its end".to_owned())),
            }
        }
    }

    /// What comes within [`QUIET`] after everything was said.
    pub(crate) fn overhear(&mut self, context: &Context<'_>) -> Heard {
        let end = context.monotonic() + QUIET;
        while self.unread.len() < HEAD_BYTES && !self.ended && self.more(context, end).is_ok_and(|more| more)
        {
        }
        if !self.unread.is_empty() {
            Heard::Bytes(std::mem::take(&mut self.unread))
        } else if self.ended {
            Heard::End
        } else {
            Heard::Nothing
        }
    }

    fn read_body(
        &mut self,
        context: &Context<'_>,
        end: Duration,
        method: &str,
        answer: &mut Answer,
    ) -> Result<(), Broken> {
        if method == "HEAD" || answer.status < 200 || matches!(answer.status, 204 | 304) {
            return Ok(());
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks(context, end, answer);
        }
        if let Some(length) = answer.header("content-length") {
            let length: usize =
                length.parse().map_err(|_| Broken::Misframed(format!("its Content-Length is `{length}`")))?;
            answer.body = self.take(context, end, length)?;
            return Ok(());
        }
        answer.framed = false;
        while self.unread.len() < ANSWER_BYTES {
            match self.more(context, end) {
                Ok(true) => {}
                // A reset ends it, too.
                Ok(false) | Err(Failure::Unreachable(_)) => {
                    answer.body = std::mem::take(&mut self.unread);
                    return Ok(());
                }
                Err(_) => break,
            }
        }
        let why = "it names no length and the connection does not end, so nobody can tell where it ends";
        Err(Broken::Misframed(why.to_owned()))
    }

    fn read_chunks(
        &mut self,
        context: &Context<'_>,
        end: Duration,
        answer: &mut Answer,
    ) -> Result<(), Broken> {
        loop {
            let (line, size) = match httparse::parse_chunk_size(&self.unread) {
                Ok(Status::Complete((line, size))) => (line, usize::try_from(size).unwrap_or(usize::MAX)),
                Ok(Status::Partial) => {
                    self.more_of_it(context, end)?;
                    continue;
                }
                Err(_) => return Err(Broken::Misframed("a chunk begins with no size".to_owned())),
            };
            self.unread.drain(..line);
            if size == 0 {
                return self.read_trailers(context, end);
            }
            let chunk = self.take(context, end, size)?;
            answer.body.extend(chunk);
            if self.take(context, end, 2)? != b"\r\n" {
                return Err(Broken::Misframed("a chunk is longer than its size says".to_owned()));
            }
        }
    }

    /// Trailer lines up to the empty one.
    fn read_trailers(&mut self, context: &Context<'_>, end: Duration) -> Result<(), Broken> {
        loop {
            match self.unread.windows(2).position(|pair| pair == b"\r\n") {
                Some(length) => {
                    self.unread.drain(..length + 2);
                    if length == 0 {
                        return Ok(());
                    }
                }
                None => self.more_of_it(context, end)?,
            }
        }
    }

    fn take(&mut self, context: &Context<'_>, end: Duration, length: usize) -> Result<Vec<u8>, Broken> {
        if length > ANSWER_BYTES {
            return Err(Broken::Misframed(format!(
                "it announces {length} bytes, more than this check reads"
            )));
        }
        while self.unread.len() < length {
            let here = self.unread.len();
            self.more_of_it(context, end).map_err(|broken| match broken {
                Broken::Misframed(why) => Broken::Misframed(format!("{here} of {length} bytes came; {why}")),
                Broken::Unheard(_) | Broken::Ended | Broken::Foreign(_) => broken,
            })?;
        }
        Ok(self.unread.drain(..length).collect())
    }

    /// Reads on inside an answer that has begun.
    fn more_of_it(&mut self, context: &Context<'_>, end: Duration) -> Result<(), Broken> {
        match self.more(context, end) {
            Ok(true) if self.unread.len() <= ANSWER_BYTES => Ok(()),
            Ok(true) => Err(Broken::Misframed("it never ends".to_owned())),
            Ok(false) => Err(Broken::Misframed("the connection ended inside it".to_owned())),
            Err(_) => Err(Broken::Misframed("then nothing more came".to_owned())),
        }
    }

    /// Reads once more; false at the end.
    fn more(&mut self, context: &Context<'_>, end: Duration) -> Result<bool, Failure> {
        let left = end.saturating_sub(context.monotonic());
        if left.is_zero() {
            return Err(Failure::TimedOut);
        }
        self.connection.set_read_timeout(left);
        let bytes = self.connection.receive(64 << 10)?;
        self.ended = bytes.is_empty();
        self.unread.extend(bytes);
        Ok(!self.ended)
    }
}

impl Answer {
    /// The first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// Whether the connection may carry another request (RFC 9112, section 9.3).
    pub(crate) fn keeps_open(&self) -> bool {
        let options = self.header("connection").unwrap_or_default();
        let says = |word: &str| options.split(',').any(|option| option.trim().eq_ignore_ascii_case(word));
        self.framed && !says("close") && (self.minor == 1 || says("keep-alive"))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `200 with: hello`, for a message.
    pub(crate) fn told(&self) -> String {
        format!("{} with: {}", self.status, excerpt(&self.body))
    }
}

impl Broken {
    /// What this means where a good answer was due and none was ever seen: it could not be told.
    pub(crate) fn before_anything(self) -> Fault {
        match self {
            Self::Unheard(failure) => failure.into(),
            Self::Ended => Fault::inconclusive(Text::new(
                "the connection was taken and closed without an answer; is this the port of a web service that is up?",
                "连接被接受后又直接关闭，没有任何回应；这是网站服务的端口吗？服务启动好了吗？",
            )),
            Self::Foreign(bytes) => {
                let (en, zh) = guess(&bytes);
                let said = excerpt(&bytes);
                Fault::inconclusive(Text::new(
                    format!("what came back is no HTTP ({said}); {en}"),
                    format!("收到的不是 HTTP（{said}）；{zh}"),
                ))
            }
            Self::Misframed(why) => Fault::fail(Text::new(
                format!("an answer does not keep the rules of HTTP/1.1: {why}"),
                format!("回应不符合 HTTP/1.1 的规则：{why}"),
            )),
        }
    }

    /// In words, for a message.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Unheard(Failure::TimedOut) => format!("no answer in {} s", PATIENCE.as_secs()),
            Self::Unheard(failure) => failure.explain().en,
            Self::Ended => "the connection was closed without an answer".to_owned(),
            Self::Foreign(bytes) => format!("bytes that are no HTTP: {}", excerpt(bytes)),
            Self::Misframed(why) => format!("a broken answer: {why}"),
        }
    }
}

/// Which service speaks first in this way, or in none.
fn guess(bytes: &[u8]) -> (&'static str, &'static str) {
    if bytes.get(4) == Some(&10) && bytes.len() > 5 && bytes[3] == 0 {
        (
            "that is how MySQL greets: name the port of the web service",
            "这是 MySQL 的问候：请写网站服务的端口",
        )
    } else if bytes.starts_with(b"-ERR") || bytes.starts_with(b"+") {
        (
            "that is how Redis answers: name the port of the web service",
            "这是 Redis 的回应：请写网站服务的端口",
        )
    } else if bytes.first() == Some(&0x15) {
        ("that is a TLS alert: name the plain HTTP port", "这是 TLS 警报：请写不加密的 HTTP 端口")
    } else {
        ("is this the port of a web service?", "这个端口上是网站服务吗？")
    }
}

/// A head that is all there, and how many bytes it takes; the body is still to be read.
fn head_of(bytes: &[u8]) -> Result<Option<(Answer, usize)>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let foreign = |_| {
        let begins = bytes.starts_with(b"HTTP/1.");
        let line = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default());
        if begins {
            Broken::Misframed(format!(
                "its head is no HTTP/1.1 head; it begins with `{}`",
                excerpt(line.as_bytes())
            ))
        } else {
            Broken::Foreign(bytes.to_vec())
        }
    };
    let Status::Complete(length) = parsed.parse(bytes).map_err(foreign)? else { return Ok(None) };
    let headers = parsed.headers.iter();
    let answer = Answer {
        minor: parsed.version.unwrap_or_default(),
        status: parsed.code.unwrap_or_default(),
        headers: headers
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
            .collect(),
        body: Vec::new(),
        framed: true,
    };
    Ok(Some((answer, length)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    use mustdo_plugin::native::NativeHost;

    use super::*;

    /// What is read of a peer that says these bytes and closes.
    fn read(bytes: &'static [u8], method: &str) -> (Result<Answer, Broken>, Heard) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = NativeHost::new().bind(TARGET, listener.local_addr().unwrap());
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        let context = host.context(1);
        let mut peer = Peer::open(&context).unwrap();
        let answer = peer.answer(&context, method);
        let rest = peer.overhear(&context);
        server.join().unwrap();
        (answer, rest)
    }

    #[test]
    fn a_length_ends_a_body_and_the_rest_is_heard() {
        let (answer, rest) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", "GET");
        assert_eq!(answer.unwrap().body, b"ok");
        assert_eq!(rest, Heard::Bytes(b"more".to_vec()));
    }

    #[test]
    fn chunks_and_trailers_are_read_to_their_end() {
        let (answer, rest) = read(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nSum: 1\r\n\r\n",
            "GET",
        );
        assert_eq!(answer.unwrap().body, b"abcd");
        assert_eq!(rest, Heard::End);
    }

    #[test]
    fn interim_answers_are_passed_over_and_head_has_no_body() {
        let (answer, rest) =
            read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD");
        assert_eq!((answer.unwrap().status, rest), (200, Heard::End));
    }

    #[test]
    fn what_is_cut_short_or_foreign_is_told_apart() {
        let (short, _) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "GET");
        assert!(matches!(short, Err(Broken::Misframed(why)) if why.starts_with("2 of 5 bytes came")));
        let (chunk, _) = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET");
        assert!(matches!(chunk, Err(Broken::Misframed(_))));
        let (foreign, _) = read(b"-ERR unknown command\r\n", "GET");
        assert!(matches!(foreign, Err(Broken::Foreign(_))));
        assert_eq!(read(b"", "GET").0, Err(Broken::Ended));
    }
}
