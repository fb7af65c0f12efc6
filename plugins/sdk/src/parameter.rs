//! The parameters of a check: declared once, read by serde, described to the host as JSON Schema.
//!
//! A derive of the full JSON Schema vocabulary would make a third of a plugin's bytes; this covers what parameters need.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A type that a parameter can have.
pub trait Parameter {
    /// The JSON Schema (2020-12) of its values.
    fn schema() -> Value;
}

impl Parameter for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl Parameter for u32 {
    fn schema() -> Value {
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    }
}

impl Parameter for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl<T: Parameter> Parameter for Option<T> {
    fn schema() -> Value {
        T::schema()
    }
}

impl<T: Parameter> Parameter for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

impl<T: Parameter> Parameter for BTreeMap<String, T> {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }
}

/// Any JSON.
impl Parameter for Value {
    fn schema() -> Value {
        json!({})
    }
}

/// One declared parameter, as [`parameters!`](crate::parameters!) hands it on.
#[doc(hidden)]
pub struct Declared {
    pub name: &'static str,
    pub words: &'static [&'static str],
    pub schema: Value,
    pub range: Option<(u32, u32)>,
    pub default: Value,
}

/// The schema of a struct of parameters, none of them required.
#[doc(hidden)]
#[must_use]
pub fn object(words: &[&str], declared: Vec<Declared>) -> Value {
    let mut properties = Map::new();
    for Declared { name, words, mut schema, range, default } in declared {
        if let Value::Object(schema) = &mut schema {
            schema.insert("description".to_owned(), Value::String(paragraph(words)));
            if let Some((low, high)) = range {
                schema.insert("minimum".to_owned(), Value::from(low));
                schema.insert("maximum".to_owned(), Value::from(high));
            }
            if !default.is_null() {
                schema.insert("default".to_owned(), default);
            }
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "description": paragraph(words),
        "properties": properties,
        "additionalProperties": false,
    })
}

fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Declares the parameters of a check, each with its words, type and default.
///
/// The struct gets `Default`, `Deserialize` (every parameter may be left out, an unknown one is an error) and
/// [`Parameter`]; the words become the descriptions in the schema, and `#[range(..)]` its bounds.
///
/// ```
/// mustdo_plugin::parameters! {
///     /// Whether the greeting is heard.
///     pub struct Greeting {
///         /// What is said.
///         pub words: String = "good morning".to_owned(),
///         /// How many times.
///         #[range(1..=9)]
///         pub times: u32 = 3,
///     }
/// }
///
/// use mustdo_plugin::Parameter;
/// assert_eq!(Greeting::default().times, 3);
/// assert_eq!(Greeting::schema()["properties"]["times"]["maximum"], 9);
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[doc = $about:literal])*
        $visible:vis struct $name:ident {
            $(
                $(#[doc = $words:literal])*
                $(#[range($low:literal..=$high:literal)])?
                $field_visible:vis $field:ident: $type:ty = $default:expr
            ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, $crate::serde::Deserialize)]
        #[serde(crate = "mustdo_plugin::serde", default, deny_unknown_fields)]
        $visible struct $name {
            $($(#[doc = $words])* $field_visible $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::Parameter for $name {
            fn schema() -> $crate::serde_json::Value {
                let default = Self::default();
                $crate::parameter::object(&[$($about),*], vec![$($crate::parameter::Declared {
                    name: stringify!($field),
                    words: &[$($words),*],
                    schema: <$type as $crate::Parameter>::schema(),
                    range: $crate::parameters!(@range $($low $high)?),
                    default: $crate::serde_json::to_value(&default.$field).unwrap_or_default(),
                }),*])
            }
        }
    };
    (@range $low:literal $high:literal) => { Some(($low, $high)) };
    (@range) => { None };
}
