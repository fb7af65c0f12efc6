//! Annotations for GitLab: a code quality report.
//!
//! The fields are those that GitLab reads ("Code Quality report format" in its documentation): `description`,
//! `check_name`, `fingerprint`, `severity`, `location.path` and `location.lines.begin`.

use serde::Serialize;

use super::annotation::{Annotation, annotations};
use super::phrase;
use super::tree::Report;
use crate::model::{Language, Severity};

/// The report, in `language`. What has no place in the repository is left out: GitLab shows nothing without a file.
pub(super) fn gitlab(report: &Report, language: Language) -> String {
    let annotations = annotations(report, language);
    let issues: Vec<_> =
        annotations.iter().filter_map(|annotation| Issue::new(annotation, language)).collect();
    // Strings and numbers, written to memory: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(&issues).expect("issues are plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Spot<'a>,
}

#[derive(Serialize)]
struct Spot<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<u32>,
}

impl<'a> Issue<'a> {
    fn new(annotation: &'a Annotation, language: Language) -> Option<Self> {
        let place = annotation.place.as_ref()?;
        Some(Self {
            description: phrase::because(
                annotation.row.title.get(language),
                std::slice::from_ref(&annotation.message),
                language,
            ),
            check_name: &annotation.rule,
            fingerprint: annotation.fingerprint.hex(),
            severity: match annotation.severity {
                Severity::Problem if annotation.is_urgent() => "critical",
                Severity::Problem => "major",
                Severity::Warning => "minor",
                Severity::Info => "info",
            },
            location: Spot { path: &place.path, lines: Lines { begin: place.line, end: place.end_line } },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::report::sample;

    #[test]
    fn every_issue_has_what_gitlab_reads() {
        for report in sample::all() {
            let issues: Value = serde_json::from_str(&gitlab(&report, Language::En)).unwrap();
            let issues = issues.as_array().unwrap();
            let mut fingerprints = BTreeSet::new();
            for issue in issues {
                for field in ["/description", "/check_name", "/fingerprint", "/location/path"] {
                    assert!(
                        issue.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
                    );
                }
                let severity = issue["severity"].as_str().unwrap();
                assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity));
                assert!(issue.pointer("/location/lines/begin").unwrap().as_u64().unwrap() > 0);
                // GitLab shows the first of those that have one fingerprint.
                assert!(fingerprints.insert(issue["fingerprint"].as_str().unwrap()));
            }
        }
    }

    #[test]
    fn issues_stand_on_the_line_they_are_about() {
        insta::assert_snapshot!("gitlab", gitlab(&sample::placed(), Language::Zh));
    }
}
