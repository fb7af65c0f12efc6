//! Requests and answers on the wire: HTTP/1.1 as RFC 9112 has it, and the ways to get it wrong.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::flaw::Flaw;

/// The longest head.
const HEAD_BYTES: usize = 16 << 10;

/// Bodies up to this leave together with their head.
const SMALL: usize = 64 << 10;

/// How long a client may take to say its request; with [`Flaw::Unbounded`] as long as it likes.
const HEAD_TIME: Duration = Duration::from_secs(3);

/// A request that was understood.
#[derive(Debug, Clone, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query, decoded.
    pub(super) path: String,
    /// With the `?`, or empty.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Whether the client, or its version, asks for the end of the connection.
    pub(super) closes: bool,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Cow<'static, [u8]>,
}

impl Answer {
    pub(super) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", kind.to_owned())], body: Cow::Owned(body.into()) }
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Cow::Borrowed(&[]) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One connection.
pub(super) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    flaw: Option<Flaw>,
}

/// What came of waiting for a request.
pub(super) enum Next {
    Request(Request),
    /// It was not understood; the connection is to be closed after this status.
    Refused(u16),
    /// The client is gone, or took too long.
    Gone,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, flaw: Option<Flaw>) -> Self {
        Self { stream, unread: Vec::new(), flaw }
    }

    /// The next request. A client that says nothing, or too little, is let go.
    pub(super) fn next(&mut self) -> Next {
        let until = Instant::now() + HEAD_TIME;
        let mut first = true;
        let end = loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                break end;
            }
            if self.unread.len() > HEAD_BYTES {
                self.drain();
                return Next::Refused(431);
            }
            if !first && self.flaw == Some(Flaw::FirstSegment) {
                return Next::Refused(400);
            }
            match self.more(until) {
                Ok(true) => first = self.unread.is_empty(),
                Ok(false) | Err(_) => return Next::Gone,
            }
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        self.unread.drain(..end + 4);
        let mut request = match understand(&head, self.flaw) {
            Ok(request) => request,
            Err(status) => return Next::Refused(status),
        };
        match self.read_body(&mut request, until) {
            Ok(()) => Next::Request(request),
            Err(Some(status)) => Next::Refused(status),
            Err(None) => Next::Gone,
        }
    }

    fn read_body(&mut self, request: &mut Request, until: Instant) -> Result<(), Option<u16>> {
        let coding = request.header("transfer-encoding").map(str::to_ascii_lowercase);
        let length = request.header("content-length").map(str::to_owned);
        if coding.is_some() && length.is_some() && self.flaw != Some(Flaw::TakesTwoLengths) {
            return Err(Some(400));
        }
        let expects =
            request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        if expects {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| None)?;
        }
        if let (Some(coding), None) = (&coding, &length) {
            if coding != "chunked" {
                return Err(Some(501));
            }
            return self.read_chunks(request, until);
        }
        let length: usize = length.map_or(Ok(0), |length| length.parse()).map_err(|_| Some(400))?;
        if length > 16 << 20 {
            return Err(Some(413));
        }
        if length > 0 && coding.is_some() {
            // By its length, as the flaw has it: of the chunks nothing is kept.
            let chunks = self.take(5.min(length), until).map_err(|_| None)?;
            request.body = chunks;
            return Ok(());
        }
        request.body = self.take(length, until).map_err(|_| None)?;
        Ok(())
    }

    fn read_chunks(&mut self, request: &mut Request, until: Instant) -> Result<(), Option<u16>> {
        loop {
            let end = loop {
                match find(&self.unread, b"\r\n") {
                    Some(end) => break end,
                    None if self.more(until).unwrap_or(false) => {}
                    None => return Err(None),
                }
            };
            let line = String::from_utf8_lossy(&self.unread[..end]).into_owned();
            self.unread.drain(..end + 2);
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| Some(400))?;
            let chunk = self.take(size, until).map_err(|_| None)?;
            request.body.extend(chunk);
            self.take(2, until).map_err(|_| None)?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, length: usize, until: Instant) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            if !self.more(until)? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    /// Reads once; false at the end.
    fn more(&mut self, until: Instant) -> io::Result<bool> {
        if self.flaw == Some(Flaw::Unbounded) {
            self.stream.set_read_timeout(None)?;
        } else {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
        }
        let mut bytes = [0; 8192];
        let count = self.stream.read(&mut bytes)?;
        self.unread.extend(&bytes[..count]);
        Ok(count > 0)
    }

    /// Reads what is on the way, so that closing does not reset what was answered.
    fn drain(&mut self) {
        let until = Instant::now() + Duration::from_millis(200);
        while self.more(until).unwrap_or(false) {
            self.unread.clear();
        }
    }

    /// Writes an answer; true when the connection goes on.
    pub(super) fn answer(&mut self, method: &str, answer: &Answer, closes: bool) -> io::Result<bool> {
        let version = if self.flaw == Some(Flaw::OldVersion) { "1.0" } else { "1.1" };
        let mut head =
            format!("HTTP/{version} {} {}\r\nDate: {}\r\n", answer.status, reason(answer.status), date());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !matches!(answer.status, 204 | 304) {
            head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        let silent = self.flaw == Some(Flaw::ClosesSilently);
        if closes && !silent {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        let has_body = method != "HEAD" || self.flaw == Some(Flaw::HeadBody);
        if has_body && answer.body.len() <= SMALL {
            bytes.extend(answer.body.iter());
            if self.flaw == Some(Flaw::LongBody) && !answer.body.is_empty() {
                bytes.extend(b"\r\n");
            }
        }
        self.stream.write_all(&bytes)?;
        if has_body && answer.body.len() > SMALL {
            self.stream.write_all(&answer.body)?;
        }
        Ok(!closes && !silent && self.flaw != Some(Flaw::OldVersion))
    }
}

/// The status line and headers of a request, or the status that refuses it.
fn understand(head: &str, flaw: Option<Flaw>) -> Result<Request, u16> {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = parts[..] else { return Err(400) };
    if !version.starts_with("HTTP/1.") {
        return Err(505);
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(400_u16)?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let hosts = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).count();
    let lenient = matches!(flaw, Some(Flaw::NoHostNeeded | Flaw::OldVersion | Flaw::AlwaysOk));
    if hosts != 1 && !lenient {
        return Err(400);
    }
    let origin = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = origin.find('?').map_or((origin, ""), |at| origin.split_at(at));
    let mut request = Request {
        method: method.to_owned(),
        path: decode(path),
        query: query.to_owned(),
        headers,
        ..Request::default()
    };
    let option = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    request.closes = option.contains("close") || (version == "HTTP/1.0" && !option.contains("keep-alive"));
    Ok(request)
}

fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = Vec::new();
    let mut place = 0;
    while place < bytes.len() {
        let hex = path.get(place + 1..place + 3).filter(|_| bytes[place] == b'%');
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            place += 3;
        } else {
            decoded.push(bytes[place]);
            place += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        _ => "Status",
    }
}

/// The time of now as RFC 9110, section 5.6.7 writes it. Civil date from days: Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
fn date() -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let days = seconds / 86_400;
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = (month_of_year + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    let name = |names: &[&'static str], place: u64| names[usize::try_from(place).unwrap_or_default()];
    let time = seconds % 86_400;
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        name(&DAYS, days % 7),
        name(&MONTHS, month),
        time / 3_600,
        time / 60 % 60,
        time % 60
    )
}
