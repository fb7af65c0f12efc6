//! Annotations as SARIF, for code scanning and editors.
//!
//! Static Analysis Results Interchange Format (SARIF) 2.1.0, OASIS Standard, 27 March 2020; the sections are named beside
//! what follows them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::annotation::{Annotation, annotations};
use super::gate;
use super::phrase;
use super::place::Place;
use super::tree::Report;
use crate::model::{Language, Severity, Status};

/// The log, in `language`.
pub(super) fn sarif(report: &Report, language: Language) -> String {
    let annotations = annotations(report, language);
    // Strings and numbers, written to memory: there is nothing that could fail.
    let mut text =
        serde_json::to_string_pretty(&Log::new(report, &annotations, language)).expect("a log is plain data");
    text.push('\n');
    text
}

/// Section 3.13.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

/// Section 3.14. No columns are counted in anything but characters, no file lies outside the repository's root.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    language: &'static str,
    column_kind: &'static str,
    automation_details: AutomationDetails,
    invocations: [Invocation; 1],
    results: Vec<Outcome<'a>>,
    properties: RunProperties,
}

/// Section 3.8: how the policy was judged, which no result says.
#[derive(Serialize)]
struct RunProperties {
    policy: &'static str,
    /// Whether the exit code says nothing of it.
    soft: bool,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

/// Section 3.19.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule<'a>>,
}

/// Section 3.49.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Message>,
}

/// Section 3.17: several runs of one kind are told apart by what they are about.
#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

/// Section 3.20.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

/// Section 3.58: what could not be told is no result.
#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Spot>,
}

/// Section 3.27.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Spot>,
    partial_fingerprints: Fingerprints,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "mustdo/v1")]
    first: String,
}

#[derive(Serialize)]
struct Properties<'a> {
    item: &'a str,
}

/// Section 3.11.
#[derive(Serialize)]
struct Message {
    text: String,
}

impl Message {
    /// Braces are doubled, as they would name an argument (3.11.5), and nothing becomes a link (3.11.6).
    fn new(text: &str) -> Self {
        Self { text: text.replace('{', "{{").replace('}', "}}").replace("](", "\\](") }
    }
}

/// Section 3.28.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spot {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

/// Section 3.4: a relative reference, below whatever the reader takes for the root of the sources.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

/// Section 3.30.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
}

impl<'a> Log<'a> {
    fn new(report: &Report, annotations: &'a [Annotation<'a>], language: Language) -> Self {
        let mut places = BTreeMap::new();
        let mut rules = vec![];
        let mut results = Vec::with_capacity(annotations.len());
        for annotation in annotations {
            let rule_index = *places.entry(&*annotation.rule).or_insert_with(|| {
                rules.push(Rule::new(annotation, language));
                rules.len() - 1
            });
            results.push(Outcome::new(annotation, rule_index));
        }
        let driver = Driver { name: "mustdo", semantic_version: report.version, rules };
        let run = Run {
            tool: Tool { driver },
            language: match language {
                Language::En => "en",
                Language::Zh => "zh",
            },
            column_kind: "unicodeCodePoints",
            // A category ends in "/" where it is not that of one run alone.
            automation_details: AutomationDetails { id: format!("mustdo/{}/", segment(&report.workspace)) },
            invocations: [Invocation::new(report, language)],
            results,
            properties: RunProperties { policy: gate::outcome(&report.judgement), soft: report.soft },
        };
        Self { schema: SCHEMA, version: "2.1.0", runs: [run] }
    }
}

/// Where the schema of the standard is published, for editors.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

impl<'a> Rule<'a> {
    fn new(annotation: &'a Annotation<'a>, language: Language) -> Self {
        Self {
            id: &annotation.rule,
            short_description: Message::new(annotation.row.title.get(language)),
            help: annotation.hint.as_deref().map(Message::new),
        }
    }
}

impl Invocation {
    fn new(report: &Report, language: Language) -> Self {
        let mut successful = true;
        let mut notifications = vec![];
        for row in report.rows().filter(|row| row.standing.status != Status::Waived) {
            for check in &row.checks {
                let Some(record) = &check.undecided else { continue };
                successful &= !record.fault;
                notifications.push(Notification {
                    level: if record.fault { "error" } else { "warning" },
                    message: Message::new(&phrase::attempt(&check.id, record, language)),
                    locations: Place::of_item(report, row).iter().map(Spot::new).collect(),
                });
            }
        }
        Self { execution_successful: successful, tool_execution_notifications: notifications }
    }
}

impl<'a> Outcome<'a> {
    fn new(annotation: &'a Annotation<'a>, rule_index: usize) -> Self {
        Self {
            rule_id: &annotation.rule,
            rule_index,
            level: match annotation.severity {
                Severity::Problem => "error",
                Severity::Warning => "warning",
                Severity::Info => "note",
            },
            message: Message::new(&annotation.message),
            locations: annotation.place.iter().map(Spot::new).collect(),
            partial_fingerprints: Fingerprints { first: annotation.fingerprint.hex() },
            properties: Properties { item: annotation.row.id.as_str() },
        }
    }
}

impl Spot {
    fn new(place: &Place) -> Self {
        let Place { path, line, column, end_line, end_column } = place;
        let uri = path.split('/').map(segment).collect::<Vec<_>>().join("/");
        Self {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri, uri_base_id: "%SRCROOT%" },
                region: Region {
                    start_line: *line,
                    start_column: *column,
                    end_line: *end_line,
                    end_column: *end_column,
                },
            },
        }
    }
}

/// A segment of a path in a URI reference: everything but the unreserved characters is percent-encoded (RFC 3986, 2.3).
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the published schema is a fixture")]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::report::sample;

    fn validator() -> jsonschema::Validator {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemas/sarif-2.1.0.json");
        let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        // As published, the pattern of a language is no ECMA-262 expression: a bracket too many.
        for owner in ["run", "toolComponent"] {
            let pattern = schema.pointer_mut(&format!("/definitions/{owner}/properties/language/pattern"));
            *pattern.unwrap() = Value::from("^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
        }
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }

    #[test]
    fn every_log_fits_the_published_schema() {
        let validator = validator();
        for report in sample::all() {
            for language in Language::ALL {
                let log: Value = serde_json::from_str(&sarif(&report, language)).unwrap();
                let errors: Vec<_> = validator
                    .iter_errors(&log)
                    .map(|error| format!("{error} at {}", error.instance_path()))
                    .collect();
                assert_eq!(errors, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn published_schema_refuses_what_is_no_log() {
        let validator = validator();
        let good: Value = serde_json::from_str(&sarif(&sample::placed(), Language::En)).unwrap();
        for (pointer, value) in [
            ("/version", Value::from("2.0.0")),
            ("/runs/0/results/0/level", Value::from("problem")),
            ("/runs/0/results/0/message", Value::from("text")),
            ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", Value::from(0)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert!(!validator.is_valid(&bad), "{pointer}");
        }
    }

    #[test]
    fn every_result_names_its_rule_and_a_place() {
        let log: Value = serde_json::from_str(&sarif(&sample::placed(), Language::En)).unwrap();
        let results = log.pointer("/runs/0/results").unwrap().as_array().unwrap();
        assert!(results.len() > 2);
        for result in results {
            let index = result["ruleIndex"].as_u64().unwrap();
            assert_eq!(log.pointer(&format!("/runs/0/tool/driver/rules/{index}/id")), result.get("ruleId"));
            // GitHub refuses a log with a result that has no location.
            assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn what_is_worse_than_at_the_base_is_a_result_of_its_own() {
        let log: Value = serde_json::from_str(&sarif(&sample::worse(), Language::En)).unwrap();
        let results = log.pointer("/runs/0/results").unwrap().as_array().unwrap();
        let worse: Vec<_> = results.iter().filter(|result| result["ruleId"] == "mustdo/worse").collect();
        let [worse] = worse[..] else { panic!("{worse:?}") };
        assert_eq!(worse["properties"]["item"], "must-do.safe-get");
        assert_eq!(log.pointer("/runs/0/properties/policy"), Some(&Value::from("fails")));
    }

    #[test]
    fn results_stand_on_the_line_they_are_about() {
        insta::assert_snapshot!("sarif", sarif(&sample::placed(), Language::En));
    }

    #[test]
    fn words_are_neither_arguments_nor_links() {
        assert_eq!(Message::new("{\"a\":[1]} [x](1)").text, "{{\"a\":[1]}} [x\\](1)");
    }

    #[test]
    fn path_is_a_relative_reference() {
        assert_eq!(segment("a b:c%"), "a%20b%3Ac%25");
        assert_eq!(segment("订单.py"), "%E8%AE%A2%E5%8D%95.py");
    }
}
