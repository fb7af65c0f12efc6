//! Parameters of a check: what TOML and JSON have in common.

use std::collections::BTreeMap;

/// A parameter value, as a checklist or workspace writes it and a plugin reads it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction; always finite.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Table(BTreeMap<String, Value>),
}

impl Value {
    /// Lays `over` on top of `self`: tables merge key by key, anything else is replaced.
    #[must_use]
    pub fn overlaid(self, over: &Self) -> Self {
        match (self, over) {
            (Self::Table(mut below), Self::Table(above)) => {
                for (key, value) in above {
                    let merged = match below.remove(key) {
                        Some(old) => old.overlaid(value),
                        None => value.clone(),
                    };
                    below.insert(key.clone(), merged);
                }
                Self::Table(below)
            }
            (_, over) => over.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, Value)]) -> Value {
        Value::Table(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    }

    #[test]
    fn upper_layer_wins_key_by_key() {
        let below = table(&[("n", Value::Integer(5)), ("op", table(&[("path", Value::Text("/a".into()))]))]);
        let above = table(&[("op", table(&[("method", Value::Text("POST".into()))]))]);
        let op = table(&[("path", Value::Text("/a".into())), ("method", Value::Text("POST".into()))]);
        assert_eq!(below.overlaid(&above), table(&[("n", Value::Integer(5)), ("op", op)]));
    }

    #[test]
    fn lists_are_replaced_whole() {
        let below = Value::List(vec![Value::Integer(1), Value::Integer(2)]);
        let above = Value::List(vec![Value::Boolean(true)]);
        assert_eq!(below.overlaid(&above), above);
    }
}
