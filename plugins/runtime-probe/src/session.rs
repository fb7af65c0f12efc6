//! The learner's interpreter with the harness in it: asked line by line, watched from outside.
//!
//! The harness shares its process with the learner's code, so it is believed as little as possible: it says what came out,
//! and what should have come out is decided here; memory and processor time are the system's word, not its own. Each
//! answer has to carry a seal of its own, which nothing but the harness was told.

use std::time::Duration;

use mustdo_plugin::process::{Command, Facts, Socket};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{self, Map, Value, json};
use mustdo_plugin::{Capability, CapabilityRequest, Context, Fault};

use crate::conversation::Conversation;
use crate::trouble::{Stall, Trouble};

/// The targets of every check that runs the learner's own modules.
pub(crate) const PYTHON: &str = "python";
pub(crate) const SOURCE: &str = "source";

/// What every harness begins with.
const CORE: &str = include_str!("../harness/core.py");

/// Reads the harness from the standard input, so that no file of it lies where the learner's code could change it.
const BOOTSTRAP: &str = "import os, sys; mustdo = os.fdopen(os.dup(0), 'rb'); exec(compile(mustdo.read(int(sys.argv[1])), 'mustdo', 'exec'), {'__name__': 'mustdo', 'LINES': mustdo})";

/// How long an interpreter may take to its first answer.
const START: Duration = Duration::from_secs(15);

/// How long one answer may take, in processor time or asleep.
const PATIENCE: Duration = Duration::from_secs(8);

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
    talk: Conversation<'a, 'host>,
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
        let talk = Conversation::new(context, child);
        let mut session = Self { context, talk, next: 1, hello: Value::Null };
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
        if self.talk.write(harness.as_bytes(), START).is_err() {
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
        let _ = self.talk.ended();
        Trouble::NotPython(self.talk.errors())
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
        self.talk.write(format!("{line}\n").as_bytes(), patience)?;
        let Some(line) = self.talk.line(patience)? else { return Err(self.talk.ended()?) };
        read_answer(&line, number, &seal)
            .ok_or_else(|| Trouble::Foreign(String::from_utf8_lossy(&line).into_owned()))
    }

    /// The processor time that the interpreter has used; none where the system does not tell.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        self.talk.processor_time()
    }

    /// The memory in use, in bytes; none where the system does not tell.
    pub(crate) fn resident(&self) -> Option<u64> {
        Some(self.processes().iter().map(|process| process.resident).sum()).filter(|bytes| *bytes > 0)
    }

    /// The interpreter and what it started, as the system sees them; nothing where it does not tell.
    pub(crate) fn processes(&self) -> Vec<Facts> {
        self.talk.processes()
    }

    /// The sockets of these processes.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        self.talk.sockets()
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
