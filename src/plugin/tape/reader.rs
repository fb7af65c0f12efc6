//! Answers the calls of one run from a recording, in its order.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{Mask, plain_line};
use crate::plugin::contract::{RunError, types};
use crate::plugin::fault::OverLimit;
use crate::verify::RunFault;

use super::line::Ending;
use super::recording::Recording;
use super::written::{Arguments, Written};

/// Characters of a value that are shown where two differ.
const SHOWN: usize = 120;

/// Where a replay stands.
pub(in crate::plugin) struct Reader {
    recording: Arc<Recording>,
    mask: Mask,
    /// The place of the next call.
    next: usize,
    /// Why the run is over, whatever the plugin makes of it.
    fault: Option<RunFault>,
    returned: Value,
}

impl Reader {
    /// At the beginning of a recording. What the plugin says now is masked as what it said then was.
    pub(super) fn new(recording: Arc<Recording>, mask: Mask) -> Self {
        Self { recording, mask, next: 0, fault: None, returned: Value::Null }
    }

    /// The recorded answer to a call, which must be the one that comes next.
    pub(super) fn answer<T: Written>(
        &mut self,
        call: &'static str,
        arguments: impl FnOnce(Arguments<'_>) -> Arguments<'_>,
    ) -> wasmtime::Result<T> {
        if self.fault.is_none() {
            let arguments = reread(Arguments::write(&self.mask, arguments));
            match self.next(call, &arguments) {
                Ok(Ending::Answer(value)) => match T::read(&value) {
                    Ok(answer) => return Ok(answer),
                    // The call before `next` is the one that was just taken.
                    Err(why) => self.astray(&format!(
                        "line {}: the result of {call} can not be read: {why}",
                        self.next + 1
                    )),
                },
                Ok(Ending::OverLimit(what)) => return Err(OverLimit(what).into()),
                Ok(Ending::Trap(words)) => return Err(wasmtime::Error::msg(words)),
                Ok(Ending::Stopped) => {
                    self.fault = Some(self.stopped());
                }
                // The deadline passed before that call was made, and a replay comes to it sooner.
                Err(_) if self.left() == 0 && self.was_stopped() => self.fault = Some(self.stopped()),
                Err(why) => self.astray(&why),
            }
        }
        Err(wasmtime::Error::msg("the replay is over"))
    }

    fn stopped(&self) -> RunFault {
        RunFault::TimedOut { limit: self.recording.header.deadline }
    }

    /// Whether the recorded run was stopped at its deadline.
    fn was_stopped(&self) -> bool {
        self.recording.end.fault.as_ref().is_some_and(|fault| *fault == self.stopped().to_string())
    }

    fn next(&mut self, call: &str, arguments: &Value) -> Result<Ending, String> {
        let asked = || format!("{call}{}", shown(arguments));
        let Some((line, recorded)) = self.recording.call(self.next) else {
            return Err(format!(
                "it ends after {} calls, and the plugin then asked for {}",
                self.recording.calls(),
                asked()
            ));
        };
        if recorded.name != call {
            return Err(format!(
                "line {line} has {}{}, and the plugin asked for {}",
                recorded.name,
                shown(&recorded.arguments),
                asked()
            ));
        }
        if let Some(Difference { place, recorded, found }) = difference(&recorded.arguments, arguments) {
            return Err(format!(
                "line {line} has {call} with {recorded} at args{place}, and the plugin asked with {found}"
            ));
        }
        self.next += 1;
        Ok(recorded.ending)
    }

    /// That the host answers a call otherwise than it did: one that reaches nothing, so that it is made in a replay, too.
    pub(super) fn confirm<T: Written>(&mut self, call: &'static str, recorded: &T, live: &T) {
        let (recorded, live) = (recorded.write(&self.mask), live.write(&self.mask));
        if recorded != live {
            self.astray(&format!(
                "line {} has {} as the result of {call}, and this mustdo answers {}",
                self.next + 1,
                shown(&recorded),
                shown(&live)
            ));
        }
    }

    /// The run and its recording part here.
    fn astray(&mut self, why: &str) {
        self.fault.get_or_insert(RunFault::Replay(plain_line(why, 1_000)));
    }

    /// Why the run is over, if it is.
    pub(super) fn fault(&self) -> Option<RunFault> {
        self.fault.clone()
    }

    /// What the plugin returned.
    pub(super) fn returned(&mut self, answer: &Result<types::Verdict, RunError>) {
        self.returned = reread(answer.write(&self.mask));
    }

    /// Calls of the recording that the plugin did not make.
    pub(super) fn left(&self) -> usize {
        self.recording.calls() - self.next
    }

    /// Where what the plugin returned is not what it returned then.
    pub(super) fn difference(&self) -> Option<Difference> {
        difference(&self.recording.end.returned, &self.returned)
    }
}

/// The value as it comes out of a file: a number that loses its last digit there has lost it here, too.
fn reread(value: Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(value)
}

/// Where two values part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The way to it: `[1].headers[0]`; empty where they differ as a whole.
    pub(super) place: String,
    /// What the recording has, cut to be shown.
    pub(super) recorded: String,
    /// What there is now.
    pub(super) found: String,
}

/// The first place in which two values differ.
pub(super) fn difference(recorded: &Value, found: &Value) -> Option<Difference> {
    if recorded == found {
        return None;
    }
    let inside = match (recorded, found) {
        (Value::Array(recorded), Value::Array(found)) if recorded.len() == found.len() => {
            let mut pairs = recorded.iter().zip(found).enumerate();
            pairs.find_map(|(index, (one, other))| {
                difference(one, other).map(|inner| (format!("[{index}]"), inner))
            })
        }
        (Value::Object(recorded), Value::Object(found)) if recorded.keys().eq(found.keys()) => {
            let mut pairs = recorded.iter().zip(found.values());
            pairs.find_map(|((name, one), other)| {
                difference(one, other).map(|inner| (format!(".{name}"), inner))
            })
        }
        _ => None,
    };
    Some(match inside {
        Some((step, inner)) => Difference { place: format!("{step}{}", inner.place), ..inner },
        None => Difference { place: String::new(), recorded: shown(recorded), found: shown(found) },
    })
}

/// A value in short; the arguments of a call in round brackets.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            format!("({})", plain_line(&items.join(", "), SHOWN))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            plain_line(&value.to_string(), SHOWN)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plugin::contract::process;
    use crate::plugin::tape::sample::recorded;

    fn reader(text: &str) -> Reader {
        Reader::new(Arc::new(Recording::read(text).unwrap()), Mask::default())
    }

    fn ask(reader: &mut Reader, call: &'static str) -> Option<u64> {
        reader.answer::<u64>(call, |arguments| arguments).ok()
    }

    #[test]
    fn calls_are_answered_in_order() {
        let mut reader = reader(&recorded(2));
        assert_eq!(ask(&mut reader, "clock.millis-left"), Some(1));
        assert_eq!(reader.left(), 1);
        assert_eq!(ask(&mut reader, "clock.millis-left"), Some(2));
        assert_eq!(reader.fault(), None);
    }

    #[test]
    fn another_call_is_astray_and_nothing_is_answered_afterwards() {
        let mut reader = reader(&recorded(2));
        assert_eq!(ask(&mut reader, "clock.unix-millis"), None);
        let words = "line 2 has clock.millis-left(), and the plugin asked for clock.unix-millis()";
        assert_eq!(reader.fault(), Some(RunFault::Replay(words.to_owned())));
        assert_eq!(ask(&mut reader, "clock.millis-left"), None);
    }

    #[test]
    fn other_arguments_are_shown_with_their_place() {
        let mut reader = reader(
            &recorded(1).replace("\"args\":[]", "\"args\":[7,{\"code\":1,\"signal\":null,\"wall_nanos\":0}]"),
        );
        let exit = |code| process::Exit { code: Some(code), signal: None, wall_nanos: 0 };
        assert!(reader.answer::<u64>("clock.millis-left", |list| list.with(&7_u32).with(&exit(2))).is_err());
        let RunFault::Replay(words) = reader.fault().unwrap() else { panic!() };
        assert_eq!(words, "line 2 has clock.millis-left with 1 at args[1].code, and the plugin asked with 2");
    }

    #[test]
    fn calls_past_the_end_are_astray() {
        let mut reader = reader(&recorded(1));
        ask(&mut reader, "clock.millis-left");
        assert_eq!(ask(&mut reader, "clock.millis-left"), None);
        let words = "it ends after 1 calls, and the plugin then asked for clock.millis-left()";
        assert_eq!(reader.fault(), Some(RunFault::Replay(words.to_owned())));
    }

    #[test]
    fn result_of_another_type_is_astray() {
        let mut reader = reader(&recorded(1).replace("\"result\":1", "\"result\":\"one\""));
        assert_eq!(ask(&mut reader, "clock.millis-left"), None);
        assert!(
            matches!(reader.fault(), Some(RunFault::Replay(words)) if words.starts_with("line 2: the result"))
        );
    }

    #[test]
    fn run_that_was_stopped_while_it_waited_is_stopped_there() {
        let mut reader = reader(&recorded(1).replace("\"result\":1", "\"stopped\":true"));
        assert_eq!(ask(&mut reader, "clock.millis-left"), None);
        assert!(matches!(reader.fault(), Some(RunFault::TimedOut { .. })));
    }

    #[test]
    fn numbers_that_a_file_can_not_hold_exactly_do_not_differ() {
        let value = json!(0.1 + 0.2);
        let read: Value = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(difference(&read, &reread(value)), None);
    }
}
