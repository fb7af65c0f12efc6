//! What a plugin offers: its name and its checks.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::verdict::Verdict;
use crate::{Context, Parameter, Report, Text};

/// A check: a struct of its parameters and what it does with them.
///
/// The struct, declared with [`parameters!`](crate::parameters!), is the one source of the parameters: serde reads
/// them, and the host validates a checklist against their JSON Schema, so that a typing error is found before the run.
pub trait Check: DeserializeOwned + Parameter {
    /// Unique inside the plugin, kebab-case.
    const ID: &'static str;

    /// Title, description and needs. It must touch nothing outside.
    fn info() -> CheckInfo;

    /// Judges the learner's work.
    fn run(&self, context: &mut Context<'_>) -> Report;
}

/// The static facts of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInfo {
    /// A short question or name.
    pub title: Text,
    /// What it sends, what passes, what it cannot tell.
    pub description: Text,
    /// What it asks to be allowed to do.
    pub capabilities: Vec<CapabilityRequest>,
    /// The usual length of a run; shapes the default deadline.
    pub typical: Duration,
    /// Must run alone on its targets.
    pub exclusive: bool,
}

/// One thing a check may ask to do, by target name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Talk HTTP to an http target.
    Http(String),
    /// Open TCP streams to a tcp or http target.
    Tcp(String),
    /// Exchange datagrams with a udp target.
    Udp(String),
    /// Listen on an ephemeral loopback port, as a server that the learner's program connects to.
    Listen,
    /// Read a directory target.
    Read(String),
    /// Work in a private copy of a directory target.
    Scratch(String),
    /// Start a command target, or signal, watch and restart the program behind any target.
    Process(String),
}

/// A capability and why it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityRequest {
    /// What.
    pub capability: Capability,
    /// Shown verbatim when the user is asked.
    pub reason: String,
    /// When false the check still runs if refused.
    pub required: bool,
}

/// A plugin: who it is and which checks it has.
#[derive(Debug)]
pub struct Plugin {
    id: &'static str,
    version: &'static str,
    title: Text,
    description: Text,
    license: &'static str,
    homepage: &'static str,
    checks: Vec<Registration>,
}

impl Plugin {
    /// A plugin without checks. `id` is kebab-case, `version` is the plugin's own semantic version.
    #[must_use]
    pub fn new(id: &'static str, version: &'static str, title: Text, description: Text) -> Self {
        Self { id, version, title, description, license: "", homepage: "", checks: Vec::new() }
    }

    /// Names the licence, as an SPDX expression.
    #[must_use]
    pub fn license(mut self, license: &'static str) -> Self {
        self.license = license;
        self
    }

    /// Names where to read on.
    #[must_use]
    pub fn homepage(mut self, homepage: &'static str) -> Self {
        self.homepage = homepage;
        self
    }

    /// Adds a check.
    #[must_use]
    pub fn check<C: Check>(mut self) -> Self {
        self.checks.push(Registration { id: C::ID, info: C::info, schema: schema::<C>, run: run::<C> });
        self
    }

    /// The id, unique among plugins.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The plugin's own semantic version.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// A short name.
    #[must_use]
    pub fn title(&self) -> &Text {
        &self.title
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> &Text {
        &self.description
    }

    /// An SPDX expression; empty when not said.
    #[must_use]
    pub fn licence(&self) -> &'static str {
        self.license
    }

    /// An address; empty when not said.
    #[must_use]
    pub fn website(&self) -> &'static str {
        self.homepage
    }

    /// Every check with its facts and its JSON Schema (2020-12), in the order they were added.
    pub fn checks(&self) -> impl Iterator<Item = (&'static str, CheckInfo, String)> + '_ {
        self.checks.iter().map(|check| (check.id, (check.info)(), (check.schema)()))
    }

    /// Runs one check with its parameters as JSON text; empty text means none.
    pub fn run(&self, check: &str, params: &str, context: &mut Context<'_>) -> Result<Verdict, RunError> {
        let known = self.checks.iter().find(|known| known.id == check);
        let known = known.ok_or_else(|| RunError::UnknownCheck(check.to_owned()))?;
        (known.run)(if params.trim().is_empty() { "{}" } else { params }, context)
    }
}

/// Why a run brought no verdict. Never the learner's failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunError {
    /// The plugin has no such check.
    UnknownCheck(String),
    /// The parameters do not fit; says where.
    BadParams(String),
}

/// A check with its type erased.
#[derive(Debug)]
struct Registration {
    id: &'static str,
    info: fn() -> CheckInfo,
    schema: fn() -> String,
    run: fn(&str, &mut Context<'_>) -> Result<Verdict, RunError>,
}

fn schema<C: Check>() -> String {
    C::schema().to_string()
}

fn run<C: Check>(params: &str, context: &mut Context<'_>) -> Result<Verdict, RunError> {
    let fault = |error: serde_json::Error| RunError::BadParams(error.to_string());
    // By way of a value, the reader of JSON text is compiled once and not for every check.
    let params: Value = serde_json::from_str(params).map_err(fault)?;
    let check: C = serde_json::from_value(params).map_err(fault)?;
    Ok(check.run(context).verdict())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::NativeHost;
    use crate::verdict::{Need, Status};

    crate::parameters! {
        /// Whether the greeting is polite.
        struct Polite {
            /// What is said.
            greeting: String = "good morning".to_owned(),
            /// How often it is said.
            #[range(1..=5)]
            times: u32 = 1,
        }
    }

    impl Check for Polite {
        const ID: &'static str = "polite";

        fn info() -> CheckInfo {
            CheckInfo {
                title: Text::new("Polite?", "有礼貌吗？"),
                description: Text::same(""),
                capabilities: Vec::new(),
                typical: Duration::from_millis(1),
                exclusive: false,
            }
        }

        fn run(&self, _: &mut Context<'_>) -> Report {
            let mut report = Report::new(Text::same("polite"));
            let outcome = if self.times == 1 && self.greeting.starts_with("good") {
                Ok(())
            } else {
                Err(crate::Fault::fail(Text::same("rude")))
            };
            report.judge("greeting", Need::Must, outcome, |()| Text::same("heard"));
            report
        }
    }

    fn run_polite(check: &str, params: &str) -> Result<Verdict, RunError> {
        let plugin = Plugin::new("manners", "1.0.0", Text::same("Manners"), Text::same("")).check::<Polite>();
        let host = NativeHost::new();
        plugin.run(check, params, &mut Context::new(&host, Vec::new(), 1))
    }

    #[test]
    fn absent_parameters_take_their_defaults() {
        assert_eq!(run_polite("polite", "").map(|verdict| verdict.status), Ok(Status::Pass));
        assert_eq!(
            run_polite("polite", r#"{"greeting":"hey"}"#).map(|verdict| verdict.status),
            Ok(Status::Fail)
        );
    }

    #[test]
    fn an_unknown_check_or_parameter_is_a_run_error() {
        assert_eq!(run_polite("rude", ""), Err(RunError::UnknownCheck("rude".to_owned())));
        assert!(matches!(run_polite("polite", r#"{"greting":""}"#), Err(RunError::BadParams(_))));
    }

    #[test]
    fn the_schema_follows_the_struct() {
        let schema: Value = serde_json::from_str(&schema::<Polite>()).unwrap();
        assert_eq!(schema["properties"]["greeting"]["default"], "good morning");
        assert_eq!(schema["properties"]["greeting"]["description"], "What is said.");
        assert_eq!(schema["properties"]["times"]["minimum"], 1);
        assert_eq!(schema["additionalProperties"], false);
    }
}
