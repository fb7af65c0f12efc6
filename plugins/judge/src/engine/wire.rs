//! MLP/1 on the wire: one JSON value a line.

use mustdo_plugin::serde_json::{self, Value, json};
use serde::Deserialize;

/// The protocol's name, in both hellos.
pub(crate) const PROTOCOL: &str = "mlp/1";

/// One operation of a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Op {
    /// Its name, in capitals.
    pub(crate) name: &'static str,
    /// What stands under `a`.
    pub(crate) args: Vec<Value>,
}

impl Op {
    pub(crate) fn new(name: &'static str, args: Vec<Value>) -> Self {
        Self { name, args }
    }

    /// The line that asks for it, with its end.
    pub(crate) fn line(&self, number: u64) -> String {
        format!("{}\n", json!({ "i": number, "op": self.name, "a": self.args }))
    }

    /// An argument that this side has put in as a text.
    pub(crate) fn text(&self, place: usize) -> &str {
        self.args.get(place).and_then(Value::as_str).unwrap_or_default()
    }

    /// An argument that this side has put in as an integer.
    pub(crate) fn integer(&self, place: usize) -> i64 {
        self.args.get(place).and_then(Value::as_i64).unwrap_or_default()
    }
}

/// An operation with its arguments: `op!("PUT", "key", 7)`.
macro_rules! op {
    ($name:literal $(, $argument:expr)* $(,)?) => {
        $crate::engine::Op::new($name, vec![$(mustdo_plugin::serde_json::json!($argument)),*])
    };
}
pub(crate) use op;

/// What a program answers: the value under `ok`, or the code under `err`.
pub(crate) type Answer = Result<Value, String>;

/// The answer as the program would write it, without its number.
pub(crate) fn shown(answer: &Answer) -> String {
    match answer {
        Ok(value) => json!({ "ok": value }).to_string(),
        Err(code) => json!({ "err": code }).to_string(),
    }
}

/// The first line.
pub(crate) fn hello(task: &str, params: &Value) -> String {
    format!("{}\n", json!({ "hello": PROTOCOL, "task": task, "params": params }))
}

/// What a program says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(crate = "mustdo_plugin::serde")]
pub(crate) struct Hello {
    #[serde(rename = "hello")]
    protocol: String,
    /// What it calls itself. An echo of our own line has none.
    #[serde(rename = "impl")]
    pub(crate) implementation: String,
    /// The optional operations that it offers.
    #[serde(default)]
    pub(crate) has: Vec<String>,
}

impl Hello {
    /// Reads the answer to the first line; none when it is anything else.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok().filter(|hello: &Self| hello.protocol == PROTOCOL)
    }
}

/// Why a line is no answer to the operation of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is no JSON.
    NotJson,
    /// It is JSON, but neither an object with `i` and `ok` or `err`, nor for this number.
    NotAnswer,
}

/// Reads the answer to the operation `number`.
pub(crate) fn read_answer(line: &[u8], number: u64) -> Result<Answer, Unfit> {
    let value: Value = serde_json::from_slice(line).map_err(|_| Unfit::NotJson)?;
    let Value::Object(mut members) = value else { return Err(Unfit::NotAnswer) };
    if members.get("i").and_then(Value::as_u64) != Some(number) {
        return Err(Unfit::NotAnswer);
    }
    match (members.remove("ok"), members.remove("err")) {
        (Some(value), None) => Ok(Ok(value)),
        (None, Some(Value::String(code))) => Ok(Err(code)),
        _ => Err(Unfit::NotAnswer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_one_line() {
        let line = op!("PUT", "a\nb", 7).line(3);
        assert_eq!(line, "{\"a\":[\"a\\nb\",7],\"i\":3,\"op\":\"PUT\"}\n");
    }

    #[test]
    fn an_answer_is_a_value_or_a_code() {
        assert_eq!(read_answer(b"{\"i\":1,\"ok\":null}", 1), Ok(Ok(Value::Null)));
        assert_eq!(read_answer(b"{\"err\":\"KEY\",\"i\":1,\"more\":2}\r", 1), Ok(Err("KEY".to_owned())));
        for line in ["7", "{}", "{\"i\":2,\"ok\":1}", "{\"i\":1}", "{\"i\":1,\"ok\":1,\"err\":\"K\"}"] {
            assert_eq!(read_answer(line.as_bytes(), 1), Err(Unfit::NotAnswer), "{line}");
        }
        assert_eq!(read_answer(b"Traceback", 1), Err(Unfit::NotJson));
    }

    #[test]
    fn an_echo_of_our_hello_is_none() {
        let ours = hello("dict", &json!({}));
        assert_eq!(Hello::read(ours.as_bytes()), None);
        let theirs = Hello::read(br#"{"hello":"mlp/1","impl":"mine","has":["STATS"]}"#).unwrap();
        assert_eq!(
            (theirs.implementation.as_str(), theirs.has.as_slice()),
            ("mine", &["STATS".to_owned()][..])
        );
        assert_eq!(Hello::read(br#"{"hello":"mlp/2","impl":"mine"}"#), None);
    }
}
