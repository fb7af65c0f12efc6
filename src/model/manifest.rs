//! What a plugin says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use semver::Version;

use super::{Capability, CapabilityRequest, Digest, Hasher, PluginId, Text};

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

    /// The digest of everything it says: another one means that a plugin says something else of itself.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Self { id, version, title, license, homepage, checks } = self;
        let mut hasher = Hasher::default();
        hasher.field(id.as_str()).field(version.to_string()).field(&title.en).field(&title.zh);
        hasher.field(license).field(homepage);
        for check in checks {
            let CheckInfo { id, title, description, params_schema, capabilities, typical, exclusive } = check;
            hasher.field("check").field(id.as_bytes()).field(&title.en).field(&title.zh);
            hasher.field(&description.en).field(&description.zh);
            hasher.field(params_schema.as_deref().unwrap_or_default());
            hasher.field(typical.as_millis().to_le_bytes()).field([u8::from(*exclusive)]);
            for CapabilityRequest { capability, reason, required } in capabilities {
                hasher.field("capability").field(capability.to_string()).field(&reason.en).field(&reason.zh);
                hasher.field([u8::from(*required)]);
            }
        }
        hasher.finish()
    }

    /// Every capability that its checks ask for, each once, in the order of the alphabet.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<&Capability, &CapabilityRequest> {
        let all = self.checks.iter().flat_map(|check| &check.capabilities);
        let mut requests = BTreeMap::new();
        for request in all {
            let known = requests.entry(&request.capability).or_insert(request);
            // A check that can not do without it decides.
            if request.required && !known.required {
                *known = request;
            }
        }
        requests
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
