//! A program that is talked to line by line.
//!
//! What no line says, the system does: whether a silent program works, sleeps, or had no turn on a busy machine.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mustdo_plugin::process::{Child, Facts, Signal, Sleepers, Socket};
use mustdo_plugin::{Context, Failure};

use crate::trouble::{Stall, Trouble};

/// How long the output is waited for before it is the turn of the standard error, which must not fill up.
const TURN: Duration = Duration::from_millis(50);

/// How many times as long is waited for a program that neither sleeps nor gets its processor time.
const BUSY: u32 = 6;

/// How long a program may take to end.
const END: Duration = Duration::from_secs(2);

/// Kept of the run's time for what the check still has to say.
const RESERVE: Duration = Duration::from_secs(2);

/// The longest line, and what is kept of a program's standard error.
const LINE_BYTES: usize = 8 << 20;
const ERROR_BYTES: usize = 4 << 10;

/// A running program.
pub(crate) struct Conversation<'a, 'host> {
    context: &'a Context<'host>,
    child: Child<'host>,
    pending: Vec<u8>,
    ended: bool,
    errors: Vec<u8>,
}

impl<'a, 'host> Conversation<'a, 'host> {
    pub(crate) fn new(context: &'a Context<'host>, child: Child<'host>) -> Self {
        Self { context, child, pending: Vec::new(), ended: false, errors: Vec::new() }
    }

    /// Writes all of it to the program's input. Where it takes nothing any more, its end is the trouble.
    pub(crate) fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Trouble> {
        match self.child.stdin(patience).write_all(bytes) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Trouble::Late(patience, Stall::Unknown)),
            Err(_) => Err(self.ended()?),
        }
    }

    /// The next line without its end; none at the end of the output.
    pub(crate) fn line(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, Trouble> {
        let began = self.context.monotonic();
        let mut scanned = 0;
        let mut before = None;
        let mut sleepers = Sleepers::default();
        loop {
            if let Some(length) = self.pending[scanned..].iter().position(|byte| *byte == b'\n') {
                let rest = self.pending.split_off(scanned + length + 1);
                let mut line = std::mem::replace(&mut self.pending, rest);
                line.pop();
                return Ok(Some(line));
            }
            scanned = self.pending.len();
            if self.ended {
                return Ok(None);
            }
            if scanned > LINE_BYTES {
                return Err(Trouble::Foreign(String::from_utf8_lossy(&self.pending[..200]).into_owned()));
            }
            if self.receive()? {
                continue;
            }
            let waited = self.context.monotonic().saturating_sub(began);
            let used = *before.get_or_insert_with(|| self.processor_time());
            if waited >= patience
                && let Some(stall) = self.stall(waited, patience, used, &mut sleepers)
                && !self.receive()?
            {
                return Err(Trouble::Late(waited, stall));
            }
            if self.context.time_left() <= RESERVE {
                return Err(Trouble::OutOfTime);
            }
        }
    }

    /// Takes what comes of the output within a moment, or its end; false when nothing did.
    fn receive(&mut self) -> Result<bool, Trouble> {
        let mut buffer = vec![0; 64 << 10];
        match self.child.stdout(TURN).read(&mut buffer) {
            Ok(count) => {
                self.ended = count == 0;
                self.pending.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.drain_errors();
                Ok(false)
            }
            Err(error) => Err(Trouble::Host(Failure::Other(error.to_string()))),
        }
    }

    /// What the program did since nothing came; none while it may still be at work. What counts is the processor time that
    /// it got: on a busy machine an answer may take a while.
    fn stall(
        &self,
        waited: Duration,
        patience: Duration,
        before: Option<Duration>,
        sleepers: &mut Sleepers,
    ) -> Option<Stall> {
        let (Some(before), Some(after)) = (before, self.processor_time()) else {
            return Some(Stall::Unknown);
        };
        let used = after.saturating_sub(before);
        if sleepers.look(&self.processes()) && used < waited / 20 {
            Some(Stall::Sleeping)
        } else if used >= patience * 9 / 10 {
            Some(Stall::Computing)
        } else {
            (waited >= patience * BUSY).then_some(Stall::Unknown)
        }
    }

    /// Ends the input; whether a line comes of it within a moment. What comes only now was not flushed.
    pub(crate) fn speaks_at_the_end(&mut self) -> bool {
        self.child.close_stdin();
        let end = self.context.monotonic() + END;
        while !self.ended && self.context.monotonic() < end {
            match self.receive() {
                Ok(_) if self.pending.contains(&b'\n') => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// How it ended, once it has closed its streams.
    pub(crate) fn ended(&mut self) -> Result<Trouble, Trouble> {
        let exit = self.child.wait(END).map_err(Trouble::Host)?;
        self.drain_errors();
        Ok(exit.map_or(Trouble::Late(END, Stall::Unknown), |exit| Trouble::Ended(exit, self.errors())))
    }

    /// Whether it has ended by now.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.child.wait(Duration::ZERO), Ok(Some(_)))
    }

    /// Sends it a signal; one that has ended already needs none.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = self.child.signal(signal);
    }

    /// What it has written so far: to its standard error, or else to its standard output.
    pub(crate) fn said(&mut self) -> String {
        self.drain_errors();
        if self.errors.is_empty() {
            return String::from_utf8_lossy(&self.child.printed().unwrap_or_default()).into_owned();
        }
        self.errors()
    }

    /// The end of what it wrote to its standard error.
    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.errors).into_owned()
    }

    /// The program and what it started, as the system sees them; nothing where it does not tell.
    pub(crate) fn processes(&self) -> Vec<Facts> {
        self.child.tree().unwrap_or_default()
    }

    /// The sockets of these processes.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.child.sockets().unwrap_or_default()
    }

    /// The processor time that these processes have used; none where the system does not tell.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        let facts = self.processes();
        (!facts.is_empty()).then(|| facts.iter().map(Facts::processor_time).sum())
    }

    fn drain_errors(&mut self) {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = self.child.stderr(Duration::from_millis(1)).read(&mut buffer) {
            self.errors.extend_from_slice(&buffer[..count]);
            let over = self.errors.len().saturating_sub(ERROR_BYTES);
            self.errors.drain(..over);
        }
    }
}
