//! Parameters of a check: what TOML and JSON have in common.

use std::collections::BTreeMap;

use super::Hasher;

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

    /// Adds the value to a digest, its type included: `5` and `5.0` are two values.
    pub(super) fn digest(&self, hasher: &mut Hasher) {
        match self {
            Self::Boolean(value) => hasher.field("boolean").field([u8::from(*value)]),
            Self::Integer(value) => hasher.field("integer").field(value.to_le_bytes()),
            Self::Float(value) => hasher.field("float").field(value.to_bits().to_le_bytes()),
            Self::Text(value) => hasher.field("text").field(value),
            Self::List(values) => {
                hasher.field("list").field((values.len() as u64).to_le_bytes());
                for value in values {
                    value.digest(hasher);
                }
                hasher
            }
            Self::Table(entries) => {
                hasher.field("table").field((entries.len() as u64).to_le_bytes());
                for (key, value) in entries {
                    hasher.field(key);
                    value.digest(hasher);
                }
                hasher
            }
        };
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
