//! Parameters of a check: what TOML and JSON have in common, and variables of the user's that stand for a text.

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
    /// The text in the user's environment variable of that name, known only when the check is asked: a password that
    /// belongs in no file. Never in a checklist, only in the user's own settings.
    Variable(String),
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

    /// The variables in it, by name.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Variable(name) => vec![name],
            Self::List(values) => values.iter().flat_map(Self::variables).collect(),
            Self::Table(entries) => entries.values().flat_map(Self::variables).collect(),
            Self::Boolean(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => vec![],
        }
    }

    /// The value with the texts of its variables in their places; one that `variable` does not know stays as it is.
    #[must_use]
    pub fn filled(&self, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        match self {
            Self::Variable(name) => variable(name).map_or_else(|| self.clone(), Self::Text),
            Self::List(values) => Self::List(values.iter().map(|value| value.filled(variable)).collect()),
            Self::Table(entries) => Self::Table(
                entries.iter().map(|(name, value)| (name.clone(), value.filled(variable))).collect(),
            ),
            Self::Boolean(_) | Self::Integer(_) | Self::Float(_) | Self::Text(_) => self.clone(),
        }
    }

    /// Adds the value to a digest, its type included: `5` and `5.0` are two values. A variable is its name: the digest is
    /// written down, and from the digest of a password the password can be guessed.
    pub(super) fn digest(&self, hasher: &mut Hasher) {
        match self {
            Self::Boolean(value) => hasher.field("boolean").field([u8::from(*value)]),
            Self::Integer(value) => hasher.field("integer").field(value.to_le_bytes()),
            Self::Float(value) => hasher.field("float").field(value.to_bits().to_le_bytes()),
            Self::Text(value) => hasher.field("text").field(value),
            Self::Variable(name) => hasher.field("variable").field(name),
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

    #[test]
    fn variables_are_filled_in_wherever_they_stand() {
        let variable = |name: &str| Value::Variable(name.to_owned());
        let value =
            table(&[("a", Value::List(vec![variable("ONE"), Value::Integer(1)])), ("b", variable("TWO"))]);
        assert_eq!(value.variables(), ["ONE", "TWO"]);
        let filled = value.filled(&|name| (name == "ONE").then(|| "hunter22".to_owned()));
        let one = Value::List(vec![Value::Text("hunter22".to_owned()), Value::Integer(1)]);
        assert_eq!(filled, table(&[("a", one), ("b", variable("TWO"))]));
    }

    #[test]
    fn digest_of_a_variable_is_that_of_its_name_and_not_of_a_text() {
        let digest = |value: &Value| {
            let mut hasher = Hasher::default();
            value.digest(&mut hasher);
            hasher.finish()
        };
        assert_ne!(digest(&Value::Variable("A".to_owned())), digest(&Value::Text("A".to_owned())));
        assert_ne!(digest(&Value::Variable("A".to_owned())), digest(&Value::Variable("B".to_owned())));
    }
}
