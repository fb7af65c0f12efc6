//! What a JSON answer shows of what was sent.

use mustdo_plugin::serde_json::Value;
use mustdo_plugin::service::WRAPPERS;

/// The row that an answer tells of, taken out of an envelope.
pub(crate) fn row(body: &Value) -> &Value {
    let wrapped = WRAPPERS.iter().filter_map(|name| body.get(name)).find(|inner| inner.is_object());
    wrapped.unwrap_or(body)
}

/// The rows of a list: the answer itself, or the first list in it.
pub(crate) fn rows(body: &Value) -> Option<&Vec<Value>> {
    match body {
        Value::Array(rows) => Some(rows),
        Value::Object(fields) => fields.values().find_map(Value::as_array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The first field that was sent and is not shown as it was; numbers are compared as numbers.
pub(crate) fn difference(sent: &Value, shown: &Value) -> Option<String> {
    let Value::Object(fields) = sent else {
        return (!same(sent, shown)).then(|| format!("{shown} instead of {sent}"));
    };
    fields.iter().find_map(|(name, value)| match row(shown).get(name) {
        None => Some(format!("`{name}` is missing")),
        Some(other) if same(value, other) => None,
        Some(other) => Some(format!("`{name}` is {other} instead of {value}")),
    })
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() < 1e-9,
        _ => match (one, other) {
            (Value::Object(fields), Value::Object(_)) => {
                fields.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
            }
            _ => one == other,
        },
    }
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

    use super::*;

    #[test]
    fn a_row_may_be_wrapped_and_have_more_fields() {
        let sent = json!({"name": "a", "price": 7});
        assert_eq!(difference(&sent, &json!({"data": {"id": 1, "name": "a", "price": 7.0}})), None);
        assert_eq!(difference(&sent, &json!({"name": "a"})).as_deref(), Some("`price` is missing"));
        assert_eq!(
            difference(&sent, &json!({"name": "b", "price": 7})).as_deref(),
            Some("`name` is \"b\" instead of \"a\"")
        );
    }

    #[test]
    fn rows_are_found_in_an_envelope() {
        assert_eq!(rows(&json!({"total": 1, "items": [1]})).map(Vec::len), Some(1));
        assert_eq!(rows(&json!([1, 2])).map(Vec::len), Some(2));
        assert_eq!(rows(&json!({"total": 1})), None);
    }
}
