//! What judges an answer.

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::Value;

use super::wire::{Answer, Op, shown};

/// The state that a right program would be in.
///
/// It must bear any list of operations, in any order: a counter-example is shrunk by leaving operations out.
pub(crate) trait Model {
    /// Goes on by one operation, and says whether the program's answer is right.
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong>;
}

/// Why an answer is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The rule that is broken: the last word of the finding's code.
    pub(crate) rule: &'static str,
    /// What would have been right.
    pub(crate) expected: Text,
    /// What to look at, where more can be said than what the operation is to do.
    pub(crate) hint: Option<Text>,
}

impl Wrong {
    pub(crate) fn new(rule: &'static str, expected: Text) -> Self {
        Self { rule, expected, hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// Nothing but this answer is right.
pub(crate) fn expect(answer: &Answer, right: &Answer) -> Result<(), Wrong> {
    if same(answer, right) { Ok(()) } else { Err(Wrong::new("answer", Text::same(shown(right)))) }
}

/// `{"ok": value}`.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the two kinds of answers")]
pub(crate) fn value(value: impl Into<Value>) -> Answer {
    Ok(value.into())
}

/// `{"err": code}`.
pub(crate) fn error(code: &str) -> Answer {
    Err(code.to_owned())
}

/// Equal as JSON; `2.0` is the number 2, as languages with one kind of number write it.
fn same(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => same_value(one, other),
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same_value(value, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_a_number_however_it_is_written() {
        assert_eq!(expect(&Ok(json!([2.0, "2"])), &Ok(json!([2, "2"]))), Ok(()));
        for wrong in [json!([2, 2]), json!([2]), json!({"2": 2}), json!(null)] {
            assert_eq!(expect(&Ok(wrong), &Ok(json!([2, "2"]))).unwrap_err().rule, "answer");
        }
        assert_eq!(expect(&error("KEY"), &value(1)).unwrap_err().expected, Text::same(r#"{"ok":1}"#));
    }
}
