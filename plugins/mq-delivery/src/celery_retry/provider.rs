//! What the learner's task calls: a small service of HTTP/1.1 in the plugin that fails as often as it was planned, and
//! counts.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::tcp::{Connection, Listener};
use mustdo_plugin::{Context, Failure};

/// Bytes of a request that are read.
const REQUEST_BYTES: usize = 64 << 10;

/// How long a caller may take to send its request.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service on a port of its own.
pub(crate) struct Provider {
    listener: Listener,
    plans: BTreeMap<String, Plan>,
    calls: BTreeMap<String, Vec<Duration>>,
    /// Those that are never answered.
    silent: Vec<Connection>,
}

/// What becomes of the calls of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) first: First,
    /// What stands in the answer, once there is one.
    pub(crate) value: u64,
}

/// What becomes of the first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// So many are answered 503.
    Fail(usize),
    /// All are answered 503.
    AllFail,
    /// The first is never answered.
    Silent,
}

impl Provider {
    pub(crate) fn open(context: &Context<'_>) -> Result<Self, Failure> {
        let listener = context.listen()?;
        Ok(Self { listener, plans: BTreeMap::new(), calls: BTreeMap::new(), silent: Vec::new() })
    }

    /// Where the task `id` calls.
    pub(crate) fn address(&self, id: &str) -> String {
        format!("http://{}/{id}", self.listener.local())
    }

    pub(crate) fn expect(&mut self, id: &str, plan: Plan) {
        self.plans.insert(id.to_owned(), plan);
    }

    /// When the calls of a task came, in their order.
    pub(crate) fn calls(&self, id: &str) -> &[Duration] {
        self.calls.get(id).map_or(&[], Vec::as_slice)
    }

    /// Answers whoever calls within this time.
    pub(crate) fn serve(&mut self, context: &Context<'_>, time: Duration) {
        let end = context.monotonic() + time;
        loop {
            let left = end.saturating_sub(context.monotonic());
            if left.is_zero() {
                return;
            }
            // None came, or it was gone again; whatever is wrong with the port shows as calls that never come.
            let Ok(connection) = self.listener.accept(left) else { continue };
            self.answer(context, connection);
        }
    }

    fn answer(&mut self, context: &Context<'_>, mut connection: Connection) {
        connection.set_read_timeout(PATIENCE);
        let Some(id) = asked(&connection) else { return };
        let Some(plan) = self.plans.get(&id) else {
            respond(&connection, "404 Not Found", "{}");
            return;
        };
        let calls = self.calls.entry(id).or_default();
        calls.push(context.monotonic());
        match plan.first {
            First::Silent if calls.len() == 1 => self.silent.push(connection),
            First::Fail(count) if calls.len() > count => respond(&connection, "200 OK", &plan.answer()),
            First::Silent => respond(&connection, "200 OK", &plan.answer()),
            First::Fail(_) | First::AllFail => {
                respond(&connection, "503 Service Unavailable", "{\"error\": \"try again\"}");
            }
        }
    }
}

impl Plan {
    fn answer(&self) -> String {
        format!("{{\"value\": {}}}", self.value)
    }
}

/// The last part of the path that is asked for; none where no whole request came.
fn asked(connection: &Connection) -> Option<String> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(connection, &mut bytes)?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    // A body that nobody reads would make the end of the connection an error for whoever sent it.
    let length = body_length(&text);
    while bytes.len() < (head + 4 + length).min(REQUEST_BYTES) {
        more(connection, &mut bytes)?;
    }
    path_end(&text).map(str::to_owned)
}

fn more(connection: &Connection, bytes: &mut Vec<u8>) -> Option<()> {
    let came = connection.receive(16 << 10).ok()?;
    bytes.extend_from_slice(&came);
    (!came.is_empty() && bytes.len() <= REQUEST_BYTES).then_some(())
}

fn body_length(head: &str) -> usize {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}

/// The last part of the path in `GET /a/b?c HTTP/1.1`.
fn path_end(head: &str) -> Option<&str> {
    let path = head.lines().next()?.split(' ').nth(1)?.split('?').next()?;
    path.rsplit('/').find(|part| !part.is_empty())
}

fn respond(connection: &Connection, status: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // A caller that is gone has been counted all the same.
    let _ = connection.send(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_known_by_the_end_of_the_path() {
        assert_eq!(path_end("GET /i1 HTTP/1.1\r\nHost: a"), Some("i1"));
        assert_eq!(path_end("POST /pay/i1/?n=2 HTTP/1.1"), Some("i1"));
        assert_eq!(path_end("GET / HTTP/1.1"), None);
        assert_eq!(path_end(""), None);
    }

    #[test]
    fn the_length_of_a_body_is_what_the_head_says() {
        assert_eq!(body_length("POST / HTTP/1.1\r\ncontent-length: 12\r\nHost: a"), 12);
        assert_eq!(body_length("GET / HTTP/1.1\r\nHost: a"), 0);
    }
}
