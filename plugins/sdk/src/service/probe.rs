//! The wire: sends a check's requests within the time that is left and keeps a record of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::http::{Client, Options, Request, Response};
use crate::process::Child;
use crate::verdict::Location;
use crate::{Context, Failure, Generator};

/// What checks call the one http target that they talk to.
pub const TARGET: &str = "api";

/// The longest wait for one answer: what a person at a browser would still bear.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kept back so that the check itself ends the run, with a verdict, and not the host without one.
const RESERVE: Duration = Duration::from_millis(500);

/// Requests in the record; the rest is counted.
const RECORDED: usize = 200;

/// A client that records.
pub struct Probe<'run, 'host> {
    context: &'run mut Context<'host>,
    client: Client,
    headers: BTreeMap<String, String>,
    lines: Vec<String>,
    sent: u32,
}

impl<'run, 'host> Probe<'run, 'host> {
    /// Opens the target; `headers` go with every request that does not set them itself.
    ///
    /// Each request gets a connection of its own, so that every worker behind the address is met.
    pub fn open(
        context: &'run mut Context<'host>,
        headers: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let client = context.http(TARGET, &Options::default())?;
        Ok(Self { context, client, headers: headers.clone(), lines: Vec::new(), sent: 0 })
    }

    /// The surroundings of the run.
    pub fn context(&mut self) -> &mut Context<'host> {
        self.context
    }

    /// The seeded choices of the run.
    pub fn generator(&mut self) -> &mut Generator {
        self.context.generator()
    }

    /// Shows progress.
    pub fn progress(&self, fraction: f32, message: &str) {
        self.context.progress(Some(fraction), message);
    }

    /// Waits.
    pub fn sleep(&self, duration: Duration) {
        self.context.sleep(duration);
    }

    /// Whether that much time is left, with enough to finish.
    #[must_use]
    pub fn has_time(&self, duration: Duration) -> bool {
        self.context.time_left() > duration + RESERVE
    }

    /// Sends one request.
    pub fn send(&mut self, request: Request) -> Result<Response, Failure> {
        let request = self.prepare(request);
        let answer = self.client.send(&request);
        self.record(&request, &answer);
        answer
    }

    /// Sends all at once; each may say how much later it starts.
    pub fn send_all(&mut self, requests: Vec<Request>) -> Result<Vec<Result<Response, Failure>>, Failure> {
        let requests: Vec<_> = requests.into_iter().map(|request| self.prepare(request)).collect();
        let answers = self.client.send_all(&requests, u32::try_from(requests.len()).unwrap_or(u32::MAX))?;
        for (request, answer) in requests.iter().zip(&answers) {
            self.record(request, answer);
        }
        Ok(answers)
    }

    /// Sends one request and waits no longer than `time` for its answer. Without one in that time the connection stays
    /// open, as long as what is returned beside it is kept.
    pub fn send_and_hold(
        &mut self,
        request: Request,
        time: Duration,
    ) -> Result<(Result<Response, Failure>, Client), Failure> {
        let client = self.context.http(TARGET, &Options::default())?;
        let request = self.prepare(request).timeout(time.max(Duration::from_millis(1))).hold();
        let answer = client.send(&request);
        self.record(&request, &answer);
        Ok((answer, client))
    }

    /// Kills what is left of the service and starts it once more.
    pub fn restart(&self, timeout: Duration) -> Result<Child<'host>, Failure> {
        let left = self.context.time_left().saturating_sub(RESERVE);
        self.context.restart(TARGET, timeout.min(left))
    }

    /// How long the run has lasted, on a clock that never goes back.
    #[must_use]
    pub fn clock(&self) -> Duration {
        self.context.monotonic()
    }

    /// How many requests were sent.
    #[must_use]
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// The record, one request a line: when it started, the request, a digest of its body, what came and how long it
    /// took. Headers are left out: they may hold credentials.
    #[must_use]
    pub fn record_text(&self) -> String {
        let mut text = self.lines.join("\n");
        let unrecorded = usize::try_from(self.sent).unwrap_or(usize::MAX).saturating_sub(self.lines.len());
        if unrecorded > 0 {
            let _ = write!(text, "\n… and {unrecorded} more");
        }
        text
    }

    fn prepare(&self, mut request: Request) -> Request {
        for (name, value) in &self.headers {
            if !request.headers.iter().any(|(set, _)| set.eq_ignore_ascii_case(name)) {
                request = request.header(name, value);
            }
        }
        let left = self.context.time_left().saturating_sub(RESERVE);
        // Zero would mean the host's default.
        request.timeout(PATIENCE.min(left).max(Duration::from_millis(1)))
    }

    fn record(&mut self, request: &Request, answer: &Result<Response, Failure>) {
        self.sent += 1;
        if self.lines.len() == RECORDED {
            return;
        }
        let mut line = line_of(request);
        if !request.body.is_empty() {
            let _ = write!(line, " body#{}", digest(&request.body));
        }
        let _ = match answer {
            Ok(response) => write!(
                line,
                " -> {} body#{} {} bytes, at {} ms, took {} ms",
                response.status,
                digest(&response.body),
                response.body_bytes,
                response.timing.started.as_millis(),
                response.timing.total.as_millis()
            ),
            Err(failure) => write!(line, " -> {failure:?}"),
        };
        self.lines.push(line);
    }
}

/// `PUT /items/7`, as a finding names it.
#[must_use]
pub fn line_of(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

/// Where a finding about this request was seen.
#[must_use]
pub fn place_of(request: &Request) -> Location {
    Location::Exchange(TARGET.to_owned(), line_of(request))
}

/// The beginning of a body on one line, for a message.
#[must_use]
pub fn excerpt(body: &[u8]) -> String {
    const LONGEST: usize = 160;
    let text = String::from_utf8_lossy(body);
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        line.push_str("(empty)");
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Eight hex digits that tell two bodies of the record apart (FNV-1a, 32 bits).
fn digest(bytes: &[u8]) -> String {
    let hash =
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b"{\n  \"a\": 1\n}"), "{ \"a\": 1 }");
        assert_eq!(excerpt(b" "), "(empty)");
        assert_eq!(excerpt("值".repeat(500).as_bytes()).chars().count(), 161);
    }

    #[test]
    fn different_bodies_have_different_digests() {
        assert_eq!(digest(b""), "811c9dc5");
        assert_ne!(digest(b"a"), digest(b"b"));
    }
}
