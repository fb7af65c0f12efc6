//! One run of a check: programs started, operations played, the first counter-example made short.

use std::cell::Cell;
use std::time::Duration;

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::Value;
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{Capability, CapabilityRequest, Context, Fault, Generator, Report, Text};

use super::breach::{Breach, cut};
use super::model::{Model, Wrong};
use super::session::{How, Session, Upset};
use super::shrink::{Attempt, shrink};
use super::wire::{Answer, Op, shown};

/// The command target of every check.
pub(crate) const TARGET: &str = "program";

/// How long one answer is waited for, in processor time or asleep; while a counter-example is shrunk, less.
const PATIENCE: Duration = Duration::from_secs(4);
const SHORT_PATIENCE: Duration = Duration::from_millis(1_500);

/// How long a counter-example is shrunk, and by how many starts of the program.
const SHRINKING: Duration = Duration::from_secs(5);
const SHRINKING_STARTS: u32 = 250;

/// Kept of the run's time when a counter-example is shrunk.
const RESERVE: Duration = Duration::from_secs(4);

/// Operations of a counter-example that a finding shows; the evidence has more.
const SHOWN_OPS: usize = 12;
const KEPT_OPS: usize = 400;

/// Where the program runs, and what it is told.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a, 'host> {
    /// What the hello names.
    pub(crate) task: &'static str,
    /// The private copy that it runs in; none for a folder of its own.
    pub(crate) inside: Option<&'a Workspace<'host>>,
}

/// One run of a check.
pub(crate) struct Exam<'a, 'host> {
    context: &'a Context<'host>,
    place: Place<'a, 'host>,
    params: Value,
    random: Generator,
    /// What the program offers; known after [`Exam::greet`].
    has: Vec<String>,
    played: Cell<u64>,
    starts: Cell<u32>,
    evidence: Vec<(&'static str, String)>,
}

impl<'a, 'host> Exam<'a, 'host> {
    pub(crate) fn new(
        context: &'a Context<'host>,
        random: Generator,
        place: Place<'a, 'host>,
        params: Value,
    ) -> Self {
        Self {
            context,
            place,
            params,
            random,
            has: Vec::new(),
            played: Cell::new(0),
            starts: Cell::new(0),
            evidence: Vec::new(),
        }
    }

    /// The seeded choices of this run.
    pub(crate) fn random(&mut self) -> &mut Generator {
        &mut self.random
    }

    /// Choices of their own, from the same seed.
    pub(crate) fn fork(&mut self) -> Generator {
        Generator::new(self.random.number(0..u64::MAX))
    }

    pub(crate) fn context(&self) -> &'a Context<'host> {
        self.context
    }

    /// Whether the program offers an optional operation.
    pub(crate) fn has(&self, operation: &str) -> bool {
        self.has.iter().any(|has| has == operation)
    }

    /// Counts operations that were not played by [`Exam::hold`].
    pub(crate) fn count(&self, operations: u64) {
        self.played.set(self.played.get() + operations);
    }

    /// Says hello with other parameters from now on.
    pub(crate) fn set_params(&mut self, params: Value) {
        self.params = params;
    }

    /// Starts the program and says hello.
    pub(crate) fn open(&self) -> Result<Session<'a, 'host>, Breach> {
        self.open_with(PATIENCE)
    }

    fn open_with(&self, patience: Duration) -> Result<Session<'a, 'host>, Breach> {
        self.starts.set(self.starts.get() + 1);
        let Place { task, inside } = self.place;
        Session::open(self.context, TARGET, inside, task, &self.params, patience)
    }

    /// The first step of every check: the program speaks the protocol, and ends when its input does. Its name.
    pub(crate) fn greet(&mut self) -> Result<String, Fault> {
        let session = self.open().map_err(|breach| breach.fault())?;
        let hello = session.hello().cloned().unwrap_or_default();
        session.finish().map_err(|breach| breach.fault())?;
        self.has = hello.has;
        Ok(cut(&hello.implementation))
    }

    /// Plays operations with a program of its own, which then has to end well. What went wrong is made short and told;
    /// else the model is handed on, with what it has seen.
    pub(crate) fn hold<M: Model>(&mut self, ops: &[Op], model: impl Fn() -> M) -> Result<M, Fault> {
        let mut held = model();
        let session = self.open().map_err(|breach| breach.fault())?;
        let Err(upset) = self.play(session, ops, &mut held) else { return Ok(held) };
        let (shortest, how) = self.shorten(&ops[..ops.len().min(upset.at + 1)], *upset.how, &model);
        Err(self.tell(&shortest, upset.at, &how))
    }

    /// Plays operations on with a program that runs already. What goes wrong is told as it is: from the middle of a
    /// conversation nothing can be left out.
    pub(crate) fn follow(
        &mut self,
        session: &mut Session,
        ops: &[Op],
        model: &mut impl Model,
    ) -> Result<(), Fault> {
        let played = session.play(ops, &mut self.random, model);
        self.count(ops.len() as u64);
        played.map_err(|Upset { at, how }| match *how {
            How::Broken(breach) => breach.fault(),
            How::Wrong(answer, wrong) => self.wrong(&ops[..=at], at, &answer, &wrong),
        })
    }

    /// What went wrong last is at the last place.
    fn play<M: Model>(&mut self, mut session: Session, ops: &[Op], model: &mut M) -> Result<(), Upset> {
        let played = session.play(ops, &mut self.random, model);
        let count = played.as_ref().map_or_else(|upset| upset.at, |()| ops.len());
        self.count(count as u64);
        played?;
        session.finish().map_err(|breach| Upset { at: ops.len(), how: Box::new(How::Broken(breach)) })
    }

    /// The shortest list found that fails in the same way, and how it does.
    fn shorten<M: Model>(&mut self, ops: &[Op], first: How, model: &impl Fn() -> M) -> (Vec<Op>, How) {
        let rule = first.rule();
        let mut latest = first;
        let end = self.context.monotonic() + SHRINKING;
        let last = self.starts.get() + SHRINKING_STARTS;
        let shortest = shrink(ops.to_vec(), |ops| {
            let over = self.context.monotonic() >= end || self.context.time_left() <= RESERVE;
            if over || self.starts.get() >= last {
                return Attempt::Stop;
            }
            let Ok(session) = self.open_with(SHORT_PATIENCE) else { return Attempt::Stop };
            match self.play(session, ops, &mut model()) {
                Err(upset) if upset.how.rule() == rule => {
                    // A breach is told as it was first: here less is waited for.
                    if let How::Wrong(..) = *upset.how {
                        latest = *upset.how;
                    }
                    Attempt::Fails(upset.at.min(ops.len().saturating_sub(1)))
                }
                _ => Attempt::Holds,
            }
        });
        (shortest, latest)
    }

    /// The fault in words, and the list as evidence.
    fn tell(&mut self, ops: &[Op], at: usize, how: &How) -> Fault {
        if !ops.is_empty() {
            self.keep("counter-example", lines(ops, KEPT_OPS));
        }
        match how {
            How::Wrong(answer, wrong) => self.wrong(ops, at, answer, wrong),
            How::Broken(breach) if ops.is_empty() => breach.fault(),
            How::Broken(breach) => {
                let list = lines(ops, SHOWN_OPS);
                let message = Text::new(
                    format!("the shortest list of operations found with which it happens:\n{list}"),
                    format!("能让它发生的最短的一串操作：\n{list}"),
                );
                breach.fault().with(self.finding("counter-example", message))
            }
        }
    }

    /// The fault of an answer that was given and is not right.
    ///
    /// `ops` ends with the operation; `at` is its place in what was played first.
    fn wrong(&self, ops: &[Op], at: usize, answer: &Answer, wrong: &Wrong) -> Fault {
        let Wrong { rule, expected, hint } = wrong;
        let (name, list) = (ops.last().map_or("an operation", |op| op.name), lines(ops, SHOWN_OPS));
        let came = cut(&shown(answer));
        let summary = Text::new(
            format!("{name} answered {came}; expected: {}", cut(&expected.en)),
            format!("{name} 返回 {came}；应当是：{}", cut(&expected.zh)),
        );
        let message = Text::new(
            format!(
                "operation {} went wrong; the shortest list found that does:\n{list}\ncame back: {came}\nexpected: {}",
                at + 1,
                expected.en
            ),
            format!(
                "第 {} 个操作出错；能出错的最短的一串：\n{list}\n返回：{came}\n应当是：{}",
                at + 1,
                expected.zh
            ),
        );
        let general = || {
            Text::new(
                format!("play these lines by hand; docs/judge.md says what {name} answers"),
                format!("把这几行手动跑一遍；{name} 应当怎么答，见 docs/judge.md"),
            )
        };
        Fault::fail(summary).with(self.finding(rule, message).hint(hint.clone().unwrap_or_else(general)))
    }

    /// A fault that stands at no single operation.
    pub(crate) fn fail(&self, rule: &str, summary: Text, message: Text, hint: Text) -> Fault {
        Fault::fail(summary).with(self.finding(rule, message).hint(hint))
    }

    fn finding(&self, rule: &str, message: Text) -> Finding {
        let code = format!("judge.{}.{rule}", self.place.task);
        Finding::new(Severity::Problem, code, message).at(Location::Process(TARGET.to_owned()))
    }

    /// Keeps text as evidence.
    pub(crate) fn keep(&mut self, label: &'static str, text: String) {
        self.evidence.push((label, text));
    }

    /// Adds what every check reports at its end.
    pub(crate) fn finish(self, report: &mut Report) {
        let played = u32::try_from(self.played.get()).unwrap_or(u32::MAX);
        report.measure("operations", f64::from(played), "1");
        report.measure("starts", f64::from(self.starts.get()), "1");
        for (label, text) in self.evidence {
            report.evidence(label, text);
        }
    }
}

/// Runs a check: the program's hello, then what `judge` records.
pub(crate) fn run(
    context: &mut Context<'_>,
    report: Report,
    task: &'static str,
    params: Value,
    judge: impl FnOnce(&mut Exam<'_, '_>, &mut Report),
) -> Report {
    let random = Generator::new(context.generator().number(0..u64::MAX));
    let mut report = report;
    let mut exam = Exam::new(context, random, Place { task, inside: None }, params);
    if greeted(&mut exam, &mut report) {
        judge(&mut exam, &mut report);
    }
    exam.finish(&mut report);
    report
}

/// The step `hello`.
pub(crate) fn greeted(exam: &mut Exam<'_, '_>, report: &mut Report) -> bool {
    let outcome = exam.greet();
    let greeted = report.judge("hello", Need::Must, outcome, |name| {
        Text::new(format!("{name} speaks MLP/1"), format!("{name} 会说 MLP/1"))
    });
    greeted.is_some()
}

/// What every check needs.
pub(crate) fn capability() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Process(TARGET.to_owned()),
        reason:
            "to start your program, send it operations line by line, and see how much processor time it uses"
                .to_owned(),
        required: true,
    }
}

/// One of the items, each equally likely. There is at least one.
pub(crate) fn pick<'items, T>(items: &'items [T], random: &mut Generator) -> &'items T {
    &items[usize::try_from(random.number(0..items.len() as u64)).unwrap_or_default()]
}

/// The last operations of a list, a line each.
fn lines(ops: &[Op], most: usize) -> String {
    let left_out = ops.len().saturating_sub(most);
    let first = if left_out > 0 { format!("… {left_out} …\n") } else { String::new() };
    let lines = ops.iter().zip(1..).skip(left_out).map(|(op, number)| cut(&op.line(number)));
    first + &lines.collect::<Vec<_>>().join("\n")
}
