//! One line of a recording after its header: a call, or the end.

use serde_json::{Map, Value};

use crate::model::Digest;

use super::written::{Unreadable, Written, entry};

/// One call, in the order in which the plugin made them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Its name: the interface, the resource where it is a method, and the function.
    pub(super) name: String,
    /// Handles, too.
    pub(super) arguments: Value,
    /// How it ended.
    pub(super) ending: Ending,
    /// Nanoseconds since the run began.
    pub(super) at: u64,
    /// Nanoseconds until the answer.
    pub(super) took: u64,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    /// With an answer.
    Answer(Value),
    /// With the end of the run, over a host limit.
    OverLimit(String),
    /// With the end of the run, for another reason.
    Trap(String),
    /// Never: the run was stopped while it waited.
    Stopped,
}

/// The last line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    /// How many calls stand before it.
    pub(super) calls: u64,
    /// The digest of everything before it. It tells an edit from a recording; who edits can compute it, too.
    pub(super) digest: Digest,
    /// Why calls after those are missing, where they are.
    pub(super) incomplete: Option<String>,
    /// What the plugin returned, a verdict or an error of its own; `null` where it returned nothing.
    pub(super) returned: Value,
    /// Why there is no verdict, in words.
    pub(super) fault: Option<String>,
    /// Nanoseconds that the run took.
    pub(super) took: u64,
}

impl Call {
    /// The line of the call with the number `number`, counted from 1.
    pub(super) fn write(&self, number: u64) -> String {
        let Self { name, arguments, ending, at, took } = self;
        let ending = match ending {
            Ending::Answer(value) => format!("\"result\":{value}"),
            Ending::OverLimit(what) => format!("\"over_limit\":{}", quoted(what)),
            Ending::Trap(what) => format!("\"trap\":{}", quoted(what)),
            Ending::Stopped => "\"stopped\":true".to_owned(),
        };
        format!(
            "{{\"n\":{number},\"call\":{},\"args\":{arguments},{ending},\"at_nanos\":{at},\"took_nanos\":{took}}}\n",
            quoted(name)
        )
    }

    /// The call that a line holds, and its number.
    pub(super) fn read(mut entries: Map<String, Value>) -> Result<(u64, Self), Unreadable> {
        let mut take = |name: &str| entries.remove(name);
        let mut ending = None;
        let mut endings = 0;
        for (name, read) in [
            ("result", (|value| Ok(Ending::Answer(value))) as fn(Value) -> Result<Ending, Unreadable>),
            ("over_limit", |value| String::read(&value).map(Ending::OverLimit)),
            ("trap", |value| String::read(&value).map(Ending::Trap)),
            ("stopped", |value| bool::read(&value).map(|_| Ending::Stopped)),
        ] {
            if let Some(value) = take(name) {
                ending = Some(read(value).map_err(|error| format!("{error} as \"{name}\""))?);
                endings += 1;
            }
        }
        let (Some(ending), 1) = (ending, endings) else {
            return Err("a call has one of \"result\", \"over_limit\", \"trap\" and \"stopped\"".to_owned());
        };
        let arguments = take("args").filter(Value::is_array).ok_or("a call has a list \"args\"")?;
        let entries = Value::Object(entries);
        let call = Self {
            name: String::read(entry(&entries, "call")?)?,
            arguments,
            ending,
            at: u64::read(entry(&entries, "at_nanos")?)?,
            took: u64::read(entry(&entries, "took_nanos")?)?,
        };
        Ok((u64::read(entry(&entries, "n")?)?, call))
    }
}

impl End {
    /// The line.
    pub(super) fn write(&self) -> String {
        let Self { calls, digest, incomplete, returned, fault, took } = self;
        let words = |words: &Option<String>| words.as_deref().map_or("null".to_owned(), quoted);
        format!(
            "{{\"end\":true,\"calls\":{calls},\"digest\":\"{digest}\",\"incomplete\":{},\"returned\":{returned},\"fault\":{},\
             \"took_nanos\":{took}}}\n",
            words(incomplete),
            words(fault)
        )
    }

    /// The end that a line holds.
    pub(super) fn read(mut entries: Map<String, Value>) -> Result<Self, Unreadable> {
        let returned = entries.remove("returned").ok_or("\"returned\" is missing")?;
        let entries = Value::Object(entries);
        Ok(Self {
            calls: u64::read(entry(&entries, "calls")?)?,
            digest: String::read(entry(&entries, "digest")?)?
                .parse()
                .map_err(|error| format!("\"digest\": {error}"))?,
            incomplete: Written::read(entry(&entries, "incomplete")?)?,
            returned,
            fault: Written::read(entry(&entries, "fault")?)?,
            took: u64::read(entry(&entries, "took_nanos")?)?,
        })
    }
}

/// A line of JSON, with escapes for what would steer a terminal that shows it: control characters that JSON leaves alone,
/// and directions of text. Outside of strings JSON has neither.
pub(super) fn harmless(line: String) -> String {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !line.contains(harmful) {
        return line;
    }
    line.chars().fold(String::with_capacity(line.len()), |mut text, c| {
        if harmful(c) {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
        text
    })
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_can_not_steer_a_terminal_and_reads_as_it_was() {
        let words = "a\u{1b}[2J\u{9b}2J\u{7f}\u{202e}b 价";
        let line = harmless(format!("{}\n", quoted(words)));
        assert_eq!(line, "\"a\\u001b[2J\\u009b2J\\u007f\\u202eb 价\"\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), words);
    }

    #[test]
    fn call_without_one_ending_is_none() {
        let read = |text: &str| Call::read(serde_json::from_str(text).unwrap()).map(|(number, _)| number);
        let call = |ending: &str| {
            read(&format!("{{\"n\":1,\"call\":\"a.b\",\"args\":[]{ending},\"at_nanos\":1,\"took_nanos\":1}}"))
        };
        assert_eq!(call(",\"result\":null"), Ok(1));
        assert_eq!(call(",\"stopped\":true"), Ok(1));
        assert!(call("").is_err());
        assert!(call(",\"result\":1,\"trap\":\"b\"").is_err());
        assert!(call(",\"trap\":7").is_err());
    }
}
