//! The learner's interpreter with the harness in it: asked line by line, watched from outside.
//!
//! The harness shares its process with the learner's code, so it is believed as little as possible: it says what came out,
//! and what should have come out is decided here; memory and processor time are the system's word, not its own. Each
//! answer has to carry a seal of its own, which nothing but the harness was told.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mustdo_plugin::process::{Child, Command};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{self, Map, Value, json};
use mustdo_plugin::{Capability, CapabilityRequest, Context, Fault};

use crate::trouble::{Stall, Trouble};

/// The targets of every check that runs the learner's own modules.
pub(crate) const PYTHON: &str = "python";
pub(crate) const SOURCE: &str = "source";

/// What every harness begins with.
const CORE: &str = include_str!("../harness/core.py");

/// Reads the harness from the standard input, so that no file of it lies where the learner's code could change it.
const BOOTSTRAP: &str = "import os, sys; mustdo = os.fdopen(os.dup(0), 'rb'); exec(compile(mustdo.read(int(sys.argv[1])), 'mustdo', 'exec'), {'__name__': 'mustdo', 'LINES': mustdo})";

/// How long the output is waited for before it is the turn of the standard error, which must not fill up.
const TURN: Duration = Duration::from_millis(50);

/// How long an interpreter may take to its first answer.
const START: Duration = Duration::from_secs(15);

/// How long one answer may take, in processor time or asleep.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many times as long is waited for a program that neither sleeps nor gets its processor time.
const BUSY: u32 = 6;

/// How long a program may take to end.
const END: Duration = Duration::from_secs(2);

/// Kept of the run's time for what the check still has to say.
const RESERVE: Duration = Duration::from_secs(2);

/// The longest answer, and what is kept of a program's standard error.
const LINE_BYTES: usize = 8 << 20;
const ERROR_BYTES: usize = 4 << 10;

/// What a check that runs the learner's modules asks for.
pub(crate) fn capabilities() -> Vec<CapabilityRequest> {
    vec![
        CapabilityRequest {
            capability: Capability::Process(PYTHON.to_owned()),
            reason: "to run your modules in your own Python interpreter".to_owned(),
            required: true,
        },
        CapabilityRequest {
            capability: Capability::Scratch(SOURCE.to_owned()),
            reason: "to load your modules from a copy, which a wrong one may spoil".to_owned(),
            required: true,
        },
    ]
}

/// An exception that came out of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raised {
    /// The name of its class.
    pub(crate) class: String,
    /// What it says.
    pub(crate) text: String,
    /// File and line, where it came from the learner's code.
    pub(crate) place: Option<String>,
}

impl Raised {
    /// `TypeError: no such thing (shop.py:7)`.
    pub(crate) fn line(&self) -> String {
        let place = self.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{}: {}{place}", self.class, self.text)
    }
}

/// A running interpreter that has answered.
pub(crate) struct Session<'a, 'host> {
    context: &'a Context<'host>,
    child: Child<'host>,
    pending: Vec<u8>,
    ended: bool,
    errors: Vec<u8>,
    next: u64,
    /// What the interpreter said of itself.
    pub(crate) hello: Value,
}

impl<'a, 'host> Session<'a, 'host> {
    /// Starts the interpreter in the folder, with the core of the harness and `part`.
    pub(crate) fn open(
        context: &'a Context<'host>,
        folder: &Workspace<'host>,
        part: &str,
    ) -> Result<Self, Trouble> {
        let harness = format!("{CORE}\n{part}\nserve(LINES)\n");
        // Isolated: neither variables of Python's nor the user's own packages change what is loaded.
        let command = Command::new(PYTHON)
            .argument("-I")
            .argument("-c")
            .argument(BOOTSTRAP)
            .argument(harness.len().to_string());
        let child = folder.start(&command).map_err(Trouble::Host)?;
        let mut session = Self {
            context,
            child,
            pending: Vec::new(),
            ended: false,
            errors: Vec::new(),
            next: 1,
            hello: Value::Null,
        };
        session.hello = session.greet(&harness)?;
        Ok(session)
    }

    /// Starts the interpreter and has it load what `name` leads to, as `module:name`.
    pub(crate) fn load(
        context: &'a Context<'host>,
        folder: &Workspace<'host>,
        part: &str,
        (name, path): (&str, &str),
    ) -> Result<Self, Fault> {
        let mut session = Self::open(context, folder, part).map_err(|trouble| trouble.fault())?;
        match session.ask("load", &json!({ "name": name, "path": path })) {
            Ok(Ok(Value::Bool(true))) => Ok(session),
            Ok(Ok(_)) => Err(Trouble::NotCallable(name.to_owned()).fault()),
            Ok(Err(raised)) => Err(Trouble::NotLoaded(name.to_owned(), raised).fault()),
            // What ends or waits while it is loaded has not been judged.
            Err(Trouble::Late(waited, _)) => Err(Trouble::StuckAtLoad(waited).fault()),
            Err(Trouble::Ended(exit, errors)) => Err(Trouble::EndedAtLoad(exit, errors).fault()),
            Err(other) => Err(other.fault()),
        }
    }

    fn greet(&mut self, harness: &str) -> Result<Value, Trouble> {
        let written = self.child.stdin(START).write_all(harness.as_bytes());
        if written.is_err() {
            return Err(self.not_python());
        }
        match self.ask_within("hello", &json!({}), START) {
            Ok(Ok(hello)) => Ok(hello),
            Err(Trouble::Host(failure)) => Err(Trouble::Host(failure)),
            Err(Trouble::OutOfTime) => Err(Trouble::OutOfTime),
            Err(Trouble::Late(waited, Stall::Unknown)) => Err(Trouble::Late(waited, Stall::Unknown)),
            Err(Trouble::Foreign(line)) => Err(Trouble::NotPython(line)),
            Ok(Err(_)) | Err(_) => Err(self.not_python()),
        }
    }

    fn not_python(&mut self) -> Trouble {
        // Its end says why; whether it has one does not matter.
        let _ = self.child.wait(END);
        self.drain_errors();
        Trouble::NotPython(self.errors())
    }

    /// Asks for one operation: its value, or the exception that came out of it.
    pub(crate) fn ask(
        &mut self,
        operation: &str,
        arguments: &Value,
    ) -> Result<Result<Value, Raised>, Trouble> {
        self.ask_within(operation, arguments, PATIENCE)
    }

    /// As [`Session::ask`], where the harness itself never raises.
    pub(crate) fn value(&mut self, operation: &str, arguments: &Value) -> Result<Value, Trouble> {
        self.ask(operation, arguments)?.map_err(Trouble::Raised)
    }

    fn ask_within(
        &mut self,
        operation: &str,
        arguments: &Value,
        patience: Duration,
    ) -> Result<Result<Value, Raised>, Trouble> {
        let number = self.next;
        self.next += 1;
        let bytes = self.context.random_bytes(16).try_into().unwrap_or_default();
        let seal = format!("{:032x}", u128::from_le_bytes(bytes));
        let line = json!({ "n": number, "seal": seal, "op": operation, "a": arguments });
        let written = self.child.stdin(patience).write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written {
            if error.kind() == ErrorKind::TimedOut {
                return Err(Trouble::Late(patience, Stall::Unknown));
            }
            return Err(self.ended()?);
        }
        let Some(line) = self.line(patience)? else { return Err(self.ended()?) };
        read_answer(&line, number, &seal)
            .ok_or_else(|| Trouble::Foreign(String::from_utf8_lossy(&line).into_owned()))
    }

    /// The processor time that the interpreter has used; none where the system does not tell.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        let facts = self.child.tree().ok()?;
        (!facts.is_empty()).then(|| facts.iter().map(|process| process.user + process.system).sum())
    }

    /// The memory in use, in bytes; none where the system does not tell.
    pub(crate) fn resident(&self) -> Option<u64> {
        let facts = self.child.tree().ok()?;
        Some(facts.iter().map(|process| process.resident).sum()).filter(|bytes| *bytes > 0)
    }

    /// The next line without its end; none at the end of the output.
    fn line(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, Trouble> {
        let began = self.context.monotonic();
        let mut scanned = 0;
        let mut before = None;
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
                && let Some(stall) = self.stall(waited, patience, used)
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
            Err(error) => Err(Trouble::Host(mustdo_plugin::Failure::Other(error.to_string()))),
        }
    }

    /// What the program did since nothing came; none while it may still be at work. What counts is the processor time that
    /// it got: on a busy machine an answer may take a while.
    fn stall(&self, waited: Duration, patience: Duration, before: Option<Duration>) -> Option<Stall> {
        let (Some(before), Some(after)) = (before, self.processor_time()) else {
            return Some(Stall::Unknown);
        };
        let used = after.saturating_sub(before);
        let sleeps = self.child.tree().is_ok_and(|tree| tree.iter().all(|process| process.state == "S"));
        if sleeps && used < waited / 20 {
            Some(Stall::Sleeping)
        } else if used >= patience * 9 / 10 {
            Some(Stall::Computing)
        } else {
            (waited >= patience * BUSY).then_some(Stall::Unknown)
        }
    }

    /// How it ended, once it has closed its streams.
    fn ended(&mut self) -> Result<Trouble, Trouble> {
        let exit = self.child.wait(END).map_err(Trouble::Host)?;
        self.drain_errors();
        Ok(exit.map_or(Trouble::Late(END, Stall::Unknown), |exit| Trouble::Ended(exit, self.errors())))
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
        String::from_utf8_lossy(&self.errors).into_owned()
    }
}

/// The answer to the operation of a number, under its seal; none for any other line.
fn read_answer(line: &[u8], number: u64, seal: &str) -> Option<Result<Value, Raised>> {
    let mut members: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let is_ours = members.get("n").and_then(Value::as_u64) == Some(number)
        && members.get("seal").and_then(Value::as_str) == Some(seal);
    if !is_ours {
        return None;
    }
    match (members.remove("ok"), members.remove("err")) {
        (Some(value), None) => Some(Ok(value)),
        (None, Some(error)) => {
            let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Err(Raised { class: text("type")?, text: text("text")?, place: text("place") }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_its_number_and_its_seal() {
        let line = br#"{"n":3,"seal":"ab","ok":[1]}"#;
        assert_eq!(read_answer(line, 3, "ab"), Some(Ok(json!([1]))));
        assert_eq!(read_answer(line, 4, "ab"), None);
        assert_eq!(read_answer(line, 3, "cd"), None);
        assert_eq!(read_answer(b"Traceback", 3, "ab"), None);
        assert_eq!(read_answer(br#"{"n":3,"seal":"ab"}"#, 3, "ab"), None);
    }

    #[test]
    fn an_exception_is_told_in_one_line() {
        let line = br#"{"n":1,"seal":"s","err":{"type":"KeyError","text":"'x'","place":"shop.py:7"}}"#;
        let raised = read_answer(line, 1, "s").unwrap().unwrap_err();
        assert_eq!(raised.line(), "KeyError: 'x' (shop.py:7)");
    }
}
