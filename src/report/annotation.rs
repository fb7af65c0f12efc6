//! What a report has to say about a line of a file: the same for SARIF, GitHub and GitLab.

use super::gate;
use super::phrase;
use super::place::Place;
use super::tree::{Check, Report, Row};
use crate::model::{Digest, Finding, Hasher, Language, Level, Outcome, Record, Severity, Status};

/// Something seen by a check, and where it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Annotation<'a> {
    pub(super) row: &'a Row,
    pub(super) severity: Severity,
    /// The check, and the finding's code where it has one: `http-idempotency/double-submit/twice`.
    pub(super) rule: String,
    /// One line.
    pub(super) message: String,
    /// What to do; may have several lines.
    pub(super) hint: Option<String>,
    /// None only where there is no workspace.
    pub(super) place: Option<Place>,
    /// The same from run to run as long as it is about the same thing, wherever its line has moved to.
    pub(super) fingerprint: Digest,
}

impl Annotation<'_> {
    /// Whether it stands in the way of a must item.
    pub(super) fn is_urgent(&self) -> bool {
        self.severity == Severity::Problem && self.row.level == Level::Must
    }
}

/// Every annotation, in the order of the report.
///
/// What a failed check found is shown whether it has a place or not: on its own line, else on the item's, else in the
/// settings. What a check that passed has remarked is shown where it has a line of its own. What is waived is left out.
pub(super) fn annotations(report: &Report, language: Language) -> Vec<Annotation<'_>> {
    let mut annotations = vec![];
    for row in report.rows().filter(|row| row.standing.status != Status::Waived) {
        annotations.extend(worse(report, row, language));
        for check in &row.checks {
            let Some(record) = &check.decided else { continue };
            let from = annotations.len();
            let failed = record.verdict.outcome == Outcome::Fail;
            for finding in &record.verdict.findings {
                let own = Place::of_finding(report, finding);
                // A check that failed may have looked at more than what failed.
                if own.is_some() || (failed && finding.severity == Severity::Problem) {
                    annotations.push(seen(report, row, check, finding, own, language));
                }
            }
            let said = annotations[from..].iter().any(|said: &Annotation| said.severity == Severity::Problem);
            if failed && !said {
                annotations.push(failure(report, row, check, record, language));
            }
            number(&mut annotations[from..]);
        }
    }
    annotations
}

/// An item that was proven at the base; what a check has seen of one that fails says more.
fn worse<'a>(report: &Report, row: &'a Row, language: Language) -> Option<Annotation<'a>> {
    let (base, worse) = report.worse(&row.id)?;
    let place = Place::of_item(report, row);
    let reasons = row.standing.staleness.iter().map(|(check, why)| phrase::reason(check, why, language));
    let reasons: Vec<_> = reasons.collect();
    (row.standing.status != Status::Failing).then(|| Annotation {
        row,
        severity: Severity::Problem,
        rule: "mustdo/worse".to_owned(),
        message: phrase::because(&gate::declined(base, worse, language), &reasons, language),
        hint: Some(phrase::run(&format!("mustdo verify {}", row.id), language)),
        fingerprint: fingerprint(&[row.id.as_str(), "mustdo/worse", "", path(place.as_ref())]),
        place,
    })
}

fn seen<'a>(
    report: &Report,
    row: &'a Row,
    check: &Check,
    finding: &Finding,
    own: Option<Place>,
    language: Language,
) -> Annotation<'a> {
    let code = if finding.code.is_empty() { String::new() } else { format!("/{}", finding.code) };
    let message = finding.message.get(language);
    let message = match &finding.at {
        // The line of the file does not say where: the words must.
        Some(at) if own.is_none() => format!("{message} ({})", phrase::location(at)),
        Some(_) | None => message.to_owned(),
    };
    let place = own.or_else(|| Place::of_item(report, row));
    Annotation {
        row,
        severity: finding.severity,
        rule: format!("{}{code}", check.id),
        message,
        hint: finding.hint.as_ref().map(|hint| hint.get(language).to_owned()),
        fingerprint: fingerprint(&[
            row.id.as_str(),
            &check.id.to_string(),
            &finding.code,
            path(place.as_ref()),
        ]),
        place,
    }
}

/// A check that failed and found nothing that it could name.
fn failure<'a>(
    report: &Report,
    row: &'a Row,
    check: &Check,
    record: &Record,
    language: Language,
) -> Annotation<'a> {
    let place = Place::of_item(report, row);
    Annotation {
        row,
        severity: Severity::Problem,
        rule: check.id.to_string(),
        message: record.verdict.summary.get(language).to_owned(),
        hint: row.hint.as_ref().map(|hint| hint.get(language).to_owned()),
        fingerprint: fingerprint(&[row.id.as_str(), &check.id.to_string(), "", path(place.as_ref())]),
        place,
    }
}

fn path(place: Option<&Place>) -> &str {
    place.map_or("", |place| &place.path)
}

/// Neither the line nor the words: those move and change while the thing is the same.
fn fingerprint(parts: &[&str]) -> Digest {
    let mut hasher = Hasher::default();
    for part in parts {
        hasher.field(part);
    }
    hasher.finish()
}

/// Tells apart what is alike in everything a fingerprint is made of, by its order.
fn number(annotations: &mut [Annotation]) {
    let prints: Vec<_> = annotations.iter().map(|annotation| annotation.fingerprint).collect();
    for (place, annotation) in annotations.iter_mut().enumerate() {
        let alike = prints[..place].iter().filter(|&&print| print == prints[place]).count();
        if alike > 0 {
            annotation.fingerprint = fingerprint(&[&prints[place].to_string(), &alike.to_string()]);
        }
    }
}
