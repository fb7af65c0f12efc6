//! Parameters as JSON, the form in which plugins and their schemas take them.

use std::collections::BTreeMap;

use serde_json::{Map, Number};

use crate::model::Value;

/// The parameters as one JSON object: keys sorted, nothing between tokens, the same text for the same parameters
/// always.
#[must_use]
pub fn params_json(with: &BTreeMap<String, Value>) -> String {
    object(with).to_string()
}

/// The parameters as a JSON value.
pub(super) fn object(with: &BTreeMap<String, Value>) -> serde_json::Value {
    let entries = with.iter().map(|(name, value)| (name.clone(), json(value)));
    serde_json::Value::Object(entries.collect::<Map<_, _>>())
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        // The model's floats are finite; JSON has no word for others.
        Value::Float(value) => Number::from_f64(*value).map_or(serde_json::Value::Null, Into::into),
        Value::Text(value) => value.as_str().into(),
        // As it is written; a plugin only gets values that were filled in.
        Value::Variable(name) => serde_json::json!({ "env": name }),
        Value::List(values) => values.iter().map(json).collect(),
        Value::Table(entries) => object(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_numbers_keep_their_type() {
        let with = [
            ("b".to_owned(), Value::Float(5.0)),
            (
                "a".to_owned(),
                Value::Table(
                    [("z".to_owned(), Value::Integer(5)), ("y".to_owned(), Value::List(vec![]))].into(),
                ),
            ),
            ("c".to_owned(), Value::Text("\"\n灰度".to_owned())),
        ];
        assert_eq!(params_json(&with.into()), r#"{"a":{"y":[],"z":5},"b":5.0,"c":"\"\n灰度"}"#);
        assert_eq!(params_json(&BTreeMap::new()), "{}");
    }
}
