//! One program, from its hello to its end.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mustdo_plugin::process::{Child, Command, Exit, Facts, Sleepers};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::Value;
use mustdo_plugin::{Context, Failure, Generator};

use super::breach::{Breach, Stall};
use super::lines::Lines;
use super::model::{Model, Wrong};
use super::wire::{self, Answer, Hello, Op, Unfit};

/// Operations that may be on the way at once, and their bytes: less than a pipe holds, so that neither side ever waits for
/// the other to read.
const AHEAD: u64 = 1_024;
const AHEAD_BYTES: usize = 32 << 10;

/// The longest answer: a dump of the largest structure, or a message of a mebibyte in hexadecimal digits.
const LINE_BYTES: usize = 8 << 20;

/// What is kept of a program's standard error.
const ERROR_BYTES: usize = 4 << 10;

/// How long the output is waited for before it is the turn of the standard error, which must not fill up.
const TURN: Duration = Duration::from_millis(50);

/// How long a program may take to its hello: an interpreter on a busy machine takes seconds.
const START: Duration = Duration::from_secs(10);

/// How long a program may take to end, and what is waited for answers that come when the input ends.
const END: Duration = Duration::from_secs(3);

/// How many times as long is waited for a program that neither sleeps nor gets its processor time.
const BUSY: u32 = 15;

/// Kept of the run's time for what the check still has to say.
const RESERVE: Duration = Duration::from_secs(2);

/// A running program that has said hello.
pub(crate) struct Session<'a, 'host> {
    context: &'a Context<'host>,
    child: Child<'host>,
    /// How long the next answer is waited for.
    patience: Duration,
    lines: Lines,
    ended: bool,
    errors: Vec<u8>,
    next: u64,
    /// What it said of itself, once it did.
    hello: Option<Hello>,
}

/// Where a program went wrong.
#[derive(Debug)]
pub(crate) struct Upset {
    /// The place of the operation.
    pub(crate) at: usize,
    /// How.
    pub(crate) how: Box<How>,
}

/// How a program went wrong.
#[derive(Debug)]
pub(crate) enum How {
    /// It gave this answer.
    Wrong(Answer, Wrong),
    /// It gave none.
    Broken(Breach),
}

impl How {
    /// Two failures with the same word are the same failure.
    pub(crate) fn rule(&self) -> &'static str {
        match self {
            Self::Wrong(_, wrong) => wrong.rule,
            Self::Broken(breach) => breach.rule(),
        }
    }
}

impl<'a, 'host> Session<'a, 'host> {
    /// Starts the program and says hello.
    pub(crate) fn open(
        context: &'a Context<'host>,
        target: &str,
        inside: Option<&Workspace<'host>>,
        task: &str,
        params: &Value,
        patience: Duration,
    ) -> Result<Self, Breach> {
        if context.time_left() <= RESERVE {
            return Err(Breach::OutOfTime);
        }
        let command = Command::new(target);
        let child = match inside {
            Some(folder) => folder.start(&command),
            None => context.start(&command),
        };
        let mut session = Self {
            context,
            child: child.map_err(Breach::Host)?,
            patience: START,
            lines: Lines::default(),
            ended: false,
            errors: Vec::new(),
            next: 1,
            hello: None,
        };
        session.hello = Some(session.greet(&wire::hello(task, params))?);
        session.patience = patience;
        Ok(session)
    }

    fn greet(&mut self, hello: &str) -> Result<Hello, Breach> {
        // One that has ended already is told by its end.
        let ended = match self.write(hello.as_bytes()) {
            Err(Breach::NotRead) => return Err(Breach::Silent),
            Err(Breach::Ended(exit, errors)) => Some((exit, errors)),
            Err(other) => return Err(other),
            Ok(()) => None,
        };
        match self.line() {
            Ok(Some(line)) => Hello::read(&line).ok_or_else(|| Breach::NotSpoken(lossy(&line))),
            Ok(None) => {
                let exit = self.exit()?.ok_or(Breach::Silent)?;
                let (exit, errors) = ended.unwrap_or_else(|| (exit, self.errors()));
                Err(Breach::EndedAtHello(exit, errors))
            }
            Err(Breach::Late(..)) => Err(Breach::Silent),
            Err(Breach::LongLine) => Err(Breach::NotSpoken(lossy(&self.lines.rest()[..512]))),
            Err(other) => Err(other),
        }
    }

    /// What the program said of itself.
    pub(crate) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Asks for one operation.
    pub(crate) fn ask(&mut self, op: &Op) -> Result<Answer, Breach> {
        self.send(std::slice::from_ref(op))?;
        self.answer()
    }

    /// Plays operations in batches of sizes that `random` draws, and holds each answer against the model.
    pub(crate) fn play(
        &mut self,
        ops: &[Op],
        random: &mut Generator,
        model: &mut dyn Model,
    ) -> Result<(), Upset> {
        let mut at = 0;
        while at < ops.len() {
            // The first one alone: a program that does not flush is found at once.
            let ahead = if at == 0 { 1 } else { 1 << random.number(0..11) };
            let batch = batch(&ops[at..], usize::try_from(AHEAD.min(ahead)).unwrap_or(1));
            self.send(batch).map_err(|breach| Upset { at, how: Box::new(How::Broken(breach)) })?;
            for op in batch {
                let upset = |how| Upset { at, how: Box::new(how) };
                let answer = self.answer().map_err(|breach| upset(How::Broken(breach)))?;
                if let Err(wrong) = model.judge(op, &answer) {
                    return Err(upset(How::Wrong(answer, wrong)));
                }
                at += 1;
            }
        }
        Ok(())
    }

    /// Ends the input and waits for the program to end, as it should: with code 0 and nothing more to say.
    pub(crate) fn finish(mut self) -> Result<(), Breach> {
        self.child.close_stdin();
        self.patience = END;
        match self.line() {
            Ok(None) => {}
            Ok(Some(line)) => return Err(Breach::Talkative(lossy(&line))),
            Err(Breach::Late(..)) => return Err(Breach::StillRunning),
            Err(other) => return Err(other),
        }
        let exit = self.exit()?.ok_or(Breach::StillRunning)?;
        if exit.is_success() { Ok(()) } else { Err(Breach::EndedBadly(exit, self.errors())) }
    }

    /// The processor time that the program and what it started have used; none where the system does not tell.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        processor_time(&self.processes())
    }

    /// The memory in use, in bytes; none where the system does not tell.
    pub(crate) fn resident(&self) -> Option<u64> {
        Some(self.processes().iter().map(|process| process.resident).sum()).filter(|bytes| *bytes > 0)
    }

    /// The program and what it started; nothing where the system does not tell.
    fn processes(&self) -> Vec<Facts> {
        self.child.tree().unwrap_or_default()
    }

    fn send(&mut self, batch: &[Op]) -> Result<(), Breach> {
        let lines: String = batch.iter().zip(self.next..).map(|(op, number)| op.line(number)).collect();
        self.write(lines.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Breach> {
        // What is longer than a pipe holds waits for the program's turn, too.
        let patience = (self.patience * BUSY).min(self.context.time_left().saturating_sub(RESERVE));
        let written = self.child.stdin(patience).write_all(bytes);
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Breach::NotRead),
            // It closed its input: its end says why.
            Err(_) => {
                self.exit()?.map_or(Err(Breach::NotRead), |exit| Err(Breach::Ended(exit, self.errors())))
            }
        }
    }

    fn answer(&mut self) -> Result<Answer, Breach> {
        let number = self.next;
        let Some(line) = self.line()? else {
            // It closed its output and goes on running.
            let exit = self.exit()?.ok_or(Breach::Late(END, Stall::Unknown))?;
            return Err(Breach::Ended(exit, self.errors()));
        };
        self.next += 1;
        wire::read_answer(&line, number).map_err(|unfit| match unfit {
            Unfit::NotJson => Breach::NotJson(lossy(&line)),
            Unfit::NotAnswer => Breach::NotAnswer(lossy(&line), number),
        })
    }

    /// The next line without its end; none at the end of the output.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Breach> {
        let mut last = self.context.monotonic();
        // The processor time when nothing had come for a moment, and who slept since.
        let mut quiet = None;
        let mut sleepers = Sleepers::default();
        loop {
            if let Some(line) = self.lines.next_line() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(Some(self.lines.take_rest()).filter(|rest| !rest.is_empty()));
            }
            if self.lines.rest().len() > LINE_BYTES {
                return Err(Breach::LongLine);
            }
            if self.receive(TURN)? {
                last = self.context.monotonic();
                quiet = None;
                continue;
            }
            let now = self.context.monotonic();
            let before = *quiet.get_or_insert_with(|| self.processor_time());
            let waited = now.saturating_sub(last);
            if waited >= self.patience
                && let Some(stall) = self.stall(waited, before, &mut sleepers)
            {
                // On a busy machine the answer may have come while this side had no turn.
                if self.receive(TURN)? {
                    last = self.context.monotonic();
                    quiet = None;
                    continue;
                }
                return Err(self.late(waited, stall));
            }
            if self.context.time_left() <= RESERVE {
                return Err(Breach::OutOfTime);
            }
        }
    }

    /// Takes what comes of the output within a time, or its end; false when nothing did.
    fn receive(&mut self, patience: Duration) -> Result<bool, Breach> {
        let mut buffer = vec![0; 64 << 10];
        match self.child.stdout(patience).read(&mut buffer) {
            Ok(count) => {
                self.ended = count == 0;
                self.lines.push(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.drain_errors();
                Ok(false)
            }
            Err(error) => Err(Breach::Host(Failure::Other(error.to_string()))),
        }
    }

    /// Why no line came. What comes from a program that waits, once its input has ended, was not flushed.
    fn late(&mut self, waited: Duration, stall: Stall) -> Breach {
        if stall == Stall::Computing {
            return Breach::Late(waited, stall);
        }
        self.child.close_stdin();
        let end = self.context.monotonic() + END;
        while !self.ended && self.context.monotonic() < end {
            if self.receive(TURN).is_err() {
                break;
            }
            let Some(line) = self.lines.next_line() else { continue };
            let is_the_answer = match self.hello {
                None => Hello::read(&line).is_some(),
                Some(_) => wire::read_answer(&line, self.next).is_ok(),
            };
            // What had no turn until now may just be slow.
            let flushes = !is_the_answer || stall == Stall::Unknown;
            return if flushes { Breach::Late(waited, stall) } else { Breach::NotFlushed };
        }
        Breach::Late(waited, stall)
    }

    /// What the program did since nothing came; none while it, or what it started, may still be at work. What counts is the
    /// processor time that it got: on a busy machine an answer may take a while.
    fn stall(&self, waited: Duration, before: Option<Duration>, sleepers: &mut Sleepers) -> Option<Stall> {
        let processes = self.processes();
        let (Some(before), Some(after)) = (before, processor_time(&processes)) else {
            return Some(Stall::Unknown);
        };
        let used = after.saturating_sub(before);
        if sleepers.look(&processes) && used < waited / 20 {
            Some(Stall::Sleeping)
        } else if used >= self.patience * 9 / 10 {
            Some(Stall::Computing)
        } else {
            (waited >= self.patience * BUSY).then_some(Stall::Unknown)
        }
    }

    fn exit(&mut self) -> Result<Option<Exit>, Breach> {
        let exit = self.child.wait(END).map_err(Breach::Host)?;
        self.drain_errors();
        Ok(exit)
    }

    fn drain_errors(&mut self) {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = self.child.stderr(Duration::from_millis(1)).read(&mut buffer) {
            self.errors.extend_from_slice(&buffer[..count]);
            let over = self.errors.len().saturating_sub(ERROR_BYTES);
            self.errors.drain(..over);
        }
    }

    fn errors(&self) -> String {
        lossy(&self.errors)
    }
}

/// What these have used of the processors together; none where nobody is seen.
fn processor_time(processes: &[Facts]) -> Option<Duration> {
    (!processes.is_empty()).then(|| processes.iter().map(Facts::processor_time).sum())
}

/// As many operations as may be sent at once, and at least one.
fn batch(ops: &[Op], most: usize) -> &[Op] {
    let mut bytes = 0;
    let fits = ops.iter().take(most).take_while(|op| {
        bytes += op.line(u64::MAX).len();
        bytes <= AHEAD_BYTES
    });
    &ops[..fits.count().max(1)]
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
