//! One conversation at the level of bytes: requests written out, answers read, and a record of both.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mustdo_plugin::service::TARGET;
use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Context, Failure, Fault, Report, Text};

use crate::wire::{Answer, Broken, Peer};

/// Exchanges in the record; the rest is counted.
const RECORDED: usize = 100;

/// Speaks to the service and remembers what was said.
pub(crate) struct Talk<'run, 'host> {
    pub(crate) context: &'run mut Context<'host>,
    headers: &'run BTreeMap<String, String>,
    lines: Vec<String>,
    exchanges: u32,
}

/// A request that is written out byte by byte.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) method: String,
    /// The request line, without its end.
    pub(crate) line: String,
    pub(crate) bytes: Vec<u8>,
}

impl<'run, 'host> Talk<'run, 'host> {
    pub(crate) fn new(context: &'run mut Context<'host>, headers: &'run BTreeMap<String, String>) -> Self {
        Self { context, headers, lines: Vec::new(), exchanges: 0 }
    }

    /// Opens a connection.
    pub(crate) fn open(&self) -> Result<Peer, Failure> {
        Peer::open(self.context)
    }

    /// A request with one Host, the learner's headers and `more` lines, each without its end.
    pub(crate) fn write(&self, method: &str, target: &str, more: &[&str], body: &[u8]) -> Written {
        let mut lines = vec!["Host: localhost"];
        lines.extend(more);
        self.write_bare(method, target, &lines, body)
    }

    /// The same without a Host of its own.
    pub(crate) fn write_bare(&self, method: &str, target: &str, more: &[&str], body: &[u8]) -> Written {
        let line = format!("{method} {target} HTTP/1.1");
        let mut head = format!("{line}\r\n");
        for line in more {
            let _ = write!(head, "{line}\r\n");
        }
        for (name, value) in self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        Written { method: method.to_owned(), line, bytes: [head.as_bytes(), body].concat() }
    }

    /// Sends on a connection and reads the answer.
    pub(crate) fn ask(&mut self, peer: &mut Peer, request: &Written) -> Result<Answer, Broken> {
        peer.send(&request.bytes).map_err(Broken::Unheard)?;
        self.hear(peer, request)
    }

    /// Reads the answer to a request that was sent.
    pub(crate) fn hear(&mut self, peer: &mut Peer, request: &Written) -> Result<Answer, Broken> {
        let answer = peer.answer(self.context, &request.method);
        self.record(request, &answer);
        answer
    }

    /// Asks on a connection of its own.
    pub(crate) fn ask_anew(&mut self, request: &Written) -> Result<(Answer, Peer), Broken> {
        let mut peer = self.open().map_err(Broken::Unheard)?;
        let answer = self.ask(&mut peer, request)?;
        Ok((answer, peer))
    }

    /// Adds what was said to the report.
    pub(crate) fn finish(self, report: &mut Report) {
        report.measure("requests", f64::from(self.exchanges), "1");
        report.evidence("exchanges", self.lines.join("\n"));
    }

    fn record(&mut self, request: &Written, answer: &Result<Answer, Broken>) {
        self.exchanges += 1;
        if self.lines.len() < RECORDED {
            let told = answer.as_ref().map_or_else(Broken::told, Answer::told);
            self.lines.push(format!("{} -> {told}", request.line));
        }
    }
}

/// A requirement that was seen not to hold: what was sent, what came back, why that is wrong and what to do.
pub(crate) fn wrong(code: &str, sent: &str, came: &str, why: Text, hint: Text) -> Fault {
    let message = Text::new(
        format!("sent `{sent}` and got {came}. {}", why.en),
        format!("发送 `{sent}`，得到 {came}。{}", why.zh),
    );
    let finding = Finding::new(Severity::Problem, format!("http-api.{code}"), message)
        .at(Location::Exchange(TARGET.to_owned(), sent.to_owned()))
        .hint(hint);
    Fault::fail(why).with(finding)
}
