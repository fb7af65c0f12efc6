//! What a plugin says of itself.

use std::time::Duration;

use semver::Version;

use super::{CapabilityRequest, PluginId, Text};

/// A plugin's own description, the same for one digest always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    /// Its name in `uses = "plugin/check"`.
    pub id: PluginId,
    /// Of the plugin, not of the contract.
    pub version: Version,
    /// One line.
    pub title: Text,
    /// SPDX expression; may be empty.
    pub license: String,
    /// URL; may be empty.
    pub homepage: String,
    /// At least one, ids unique, in the plugin's order.
    pub checks: Vec<CheckInfo>,
}

impl PluginInfo {
    /// The check of that name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&CheckInfo> {
        self.checks.iter().find(|check| &*check.id == name)
    }
}

/// One question a plugin can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInfo {
    /// Unique inside the plugin, kebab-case.
    pub id: Box<str>,
    /// One line: the question.
    pub title: Text,
    /// What is done and what a good answer looks like.
    pub description: Text,
    /// JSON Schema (2020-12) of the parameters as JSON text; none when it takes none.
    pub params_schema: Option<String>,
    /// What it asks for.
    pub capabilities: Vec<CapabilityRequest>,
    /// How long it usually takes, by the plugin's guess.
    pub typical: Duration,
    /// Must run alone on its targets: it loads, kills or restarts them.
    pub exclusive: bool,
}
