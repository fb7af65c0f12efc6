//! What the placeholders of a request stand for in this plugin.

use mustdo_plugin::Generator;
use mustdo_plugin::template::Values as Placeholders;
use serde_json::Value;

pub(crate) use mustdo_plugin::template::Template;

/// `{token}` a fresh word, `{number}` a number of 1 to 99, `{key}` the idempotency key, `{id}` the id of the resource that
/// the check made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) token: String,
    pub(crate) number: u64,
    pub(crate) key: String,
    pub(crate) id: String,
}

impl Values {
    /// Fresh ones; the id as well, for a resource that the client names.
    pub(crate) fn fresh(generator: &mut Generator) -> Self {
        Self {
            token: generator.token(12),
            number: generator.number(1..100),
            key: generator.token(20),
            id: generator.token(12),
        }
    }

    /// The same under another key.
    pub(crate) fn with_key(&self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self.clone() }
    }

    /// The same for another resource.
    pub(crate) fn with_id(&self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self.clone() }
    }
}

impl Placeholders for Values {
    fn put_into(&self, text: &str) -> String {
        text.replace("{token}", &self.token)
            .replace("{number}", &self.number.to_string())
            .replace("{key}", &self.key)
            .replace("{id}", &self.id)
    }

    fn value_of(&self, placeholder: &str) -> Option<Value> {
        (placeholder == "{number}").then(|| Value::from(self.number))
    }
}
