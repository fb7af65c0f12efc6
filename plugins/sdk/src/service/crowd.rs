//! Clients that begin and never finish, and what becomes of others meanwhile.

use std::time::Duration;

use super::probe::TARGET;
use crate::http::{Client, Request};
use crate::statistics::percentile;
use crate::tcp::{Connection, Options};
use crate::verdict::{Finding, Severity};
use crate::{Context, Failure, Fault, Text};

/// Connections that are opened in one go: a listen queue of the usual length holds them.
const BATCH: u32 = 64;

/// The wait of a slow client for its connection. A server that takes no more leaves it waiting.
const CONNECT: Duration = Duration::from_secs(2);

/// The wait of an ordinary client: longer counts as no answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an ordinary client may wait beside slow ones, unless it waits as long without them.
const BEARABLE: Duration = Duration::from_secs(1);

/// How many times as long as before is too long, beside [`BEARABLE`]: two signals, since one is noise on a busy machine.
const FACTOR: f64 = 4.0;

/// Unanswered requests after which the rest is not asked.
const ENOUGH: usize = 3;

/// Connections for each that is to be held: whoever is turned away comes again so often.
const TRIES: u32 = 4;

/// Until a server has turned away whom it does not want.
const SETTLE: Duration = Duration::from_millis(30);

/// Connections that say little, or nothing more. Whoever is turned away comes again, as those come again who mean harm:
/// a server with two processes is full when both are, and chance decides which of them a connection meets.
pub struct Crowd {
    connections: Vec<Connection>,
    beginning: Vec<u8>,
    drip: &'static [u8],
    options: Options,
    wanted: usize,
    /// How many may still come.
    tries: u32,
    opened: usize,
    most: usize,
    refused: Option<Failure>,
}

impl Crowd {
    /// Opens connections until `count` are held, and sends `beginning` on each. `drip` is what each says from time to time:
    /// who is turned away is known by not being able to, so where it is empty nobody comes again.
    pub fn gather(
        context: &Context<'_>,
        count: u32,
        receive_buffer: u32,
        beginning: &[u8],
        drip: &'static [u8],
    ) -> Result<Self, Failure> {
        let mut crowd = Self {
            connections: Vec::new(),
            beginning: beginning.to_vec(),
            drip,
            options: Options { receive_buffer, no_delay: true, timeout: CONNECT, ..Options::default() },
            wanted: count as usize,
            tries: count.saturating_mul(TRIES),
            opened: 0,
            most: 0,
            refused: None,
        };
        while crowd.comes(context)? {
            context.sleep(SETTLE);
            crowd.speak();
        }
        Ok(crowd)
    }

    /// Opens as many as are missing; says whether any came.
    fn comes(&mut self, context: &Context<'_>) -> Result<bool, Failure> {
        let before = self.opened;
        let missing = u32::try_from(self.wanted.saturating_sub(self.connections.len())).unwrap_or(u32::MAX);
        let mut left = missing.min(self.tries);
        // One that is turned away is no reason to stop. Whoever is left waiting, or is held back by mustdo, is.
        while left > 0 && matches!(self.refused, None | Some(Failure::Unreachable(_))) {
            let batch = left.min(BATCH);
            left -= batch;
            self.tries -= batch;
            for opened in context.connect_many(TARGET, &self.options, batch)? {
                match opened.and_then(|connection| connection.send(&self.beginning).map(|()| connection)) {
                    Ok(connection) => {
                        self.opened += 1;
                        self.connections.push(connection);
                    }
                    Err(failure) => self.refused = Some(failure),
                }
            }
        }
        Ok(self.opened > before)
    }

    /// Each says a little more; those that were closed leave.
    fn speak(&mut self) {
        let drip = self.drip;
        self.connections.retain(|connection| connection.write_some(drip).is_ok());
        self.most = self.most.max(self.connections.len());
    }

    /// Each says a little more, and those that were turned away come again.
    pub fn dribble(&mut self, context: &Context<'_>) {
        self.speak();
        if let Err(failure) = self.comes(context) {
            self.refused = Some(failure);
        }
    }

    /// How many were opened, those that came again included.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened
    }

    /// How many there were at most at the same time.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// Why the service took no more.
    #[must_use]
    pub fn refused(&self) -> Option<&Failure> {
        self.refused.as_ref()
    }

    /// How many are still held, neither answered nor closed by the service.
    pub fn held(&mut self, context: &Context<'_>) -> usize {
        let all: Vec<&Connection> = self.connections.iter().collect();
        let spoken = context.wait_readable(&all, Duration::ZERO);
        let mut place = 0;
        self.connections.retain(|_| {
            place += 1;
            spoken.binary_search(&(place - 1)).is_err()
        });
        self.connections.len()
    }
}

/// What ordinary clients got.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// Milliseconds of each answer that came and was the expected one.
    pub millis: Vec<f64>,
    /// Requests that had no answer, or another one.
    pub missed: usize,
    /// The first of those, in words.
    pub first: Option<String>,
}

impl Served {
    /// Asks `times` times, one after the other, and calls `between` before each; an answer counts that has the status
    /// `expected`. Gives up early when nothing comes.
    pub fn ask(
        context: &Context<'_>,
        client: &Client,
        request: &Request,
        expected: u16,
        times: u32,
        mut between: impl FnMut(),
    ) -> Self {
        let mut served = Self::default();
        for _ in 0..times {
            between();
            let left = context.time_left().saturating_sub(Duration::from_millis(500));
            let patience = PATIENCE.min(left).max(Duration::from_millis(1));
            match client.send(&request.clone().timeout(patience)) {
                Ok(answer) if answer.status == expected => {
                    served.millis.push(answer.timing.total.as_secs_f64() * 1_000.0);
                }
                Ok(answer) => served.miss(format!("it was answered {}", answer.status)),
                Err(Failure::TimedOut) => served.miss(format!("no answer in {} s", patience.as_secs())),
                Err(failure) => served.miss(failure.explain().en),
            }
            if served.missed == ENOUGH {
                break;
            }
        }
        served
    }

    /// The time that 95 of 100 did not exceed, in milliseconds.
    #[must_use]
    pub fn p95(&self) -> f64 {
        percentile(&self.millis, 0.95).unwrap_or_default()
    }

    fn miss(&mut self, why: String) {
        self.missed += 1;
        self.first.get_or_insert(why);
    }
}

/// Passes when ordinary clients were served beside the others as they were before: everyone, and without a wait that is
/// both long and many times longer.
pub fn unharmed(before: &Served, during: &Served, code: &str, beside: &Text) -> Result<(), Fault> {
    let (was, is) = (before.p95(), during.p95());
    let slow = is > BEARABLE.as_secs_f64() * 1_000.0 && is > was * FACTOR;
    if during.missed == 0 && !slow {
        return Ok(());
    }
    let asked = during.missed + during.millis.len();
    let (summary, seen) = if during.missed > 0 {
        let missed = during.missed;
        let first = during.first.as_deref().unwrap_or_default();
        (
            Text::new(
                format!("beside {}, {missed} of {asked} ordinary requests were not served", beside.en),
                format!("在{}的同时，{asked} 个普通请求里有 {missed} 个没有得到服务", beside.zh),
            ),
            first.to_owned(),
        )
    } else {
        (
            Text::new(
                format!("beside {}, ordinary requests took {is:.0} ms instead of {was:.0} ms", beside.en),
                format!("在{}的同时，普通请求从 {was:.0} 毫秒变成 {is:.0} 毫秒", beside.zh),
            ),
            format!("95 of 100 took up to {is:.0} ms, before that {was:.0} ms"),
        )
    };
    let message = Text::new(
        format!(
            "asked {asked} times for the same page as before: {seen}. Whoever sends slowly holds a worker or a thread, and a few of those hold all"
        ),
        format!("用和之前相同的请求问了 {asked} 次：{seen}。慢慢发送的客户端会占住进程或线程，几个就能占满"),
    );
    let hint = Text::new(
        "let something wait for slow clients that needs no worker for it: nginx in front, or an event loop (gunicorn -k gevent)",
        "让不占用工作进程的东西去等慢客户端：前面放 nginx，或使用事件循环（gunicorn -k gevent）",
    );
    let finding = Finding::new(Severity::Problem, code, message).hint(hint);
    Err(Fault::fail(summary).with(finding))
}
