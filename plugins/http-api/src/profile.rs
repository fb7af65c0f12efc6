//! How much a check asks for.

use mustdo_plugin::Parameter;
use mustdo_plugin::serde_json::{Value, json};
use serde::{Deserialize, Serialize};

/// How much a check asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Profile {
    /// What every service needs.
    Minimal,
    /// What a service for the public needs.
    Full,
}

impl Parameter for Profile {
    fn schema() -> Value {
        json!({ "enum": ["minimal", "full"] })
    }
}
