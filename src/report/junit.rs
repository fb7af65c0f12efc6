//! The report as JUnit XML, for CI systems: a suite a checklist, a test case an item.
//!
//! Only a proven item is a success. What could not be told is an error, never a success or a skip that nobody looks at.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::gate;
use super::note::foremost;
use super::phrase;
use super::tree::{Check, Heading, Report, Row, Section};
use super::word::{self, Word};
use crate::model::{
    Flaky, Judgement, Language, Outcome, PluginId, Policy, Record, Status, TargetName, Undecided, Unproven,
};

/// The report, in `language`.
pub(super) fn junit(report: &Report, language: Language) -> String {
    let Report {
        version,
        generated,
        workspace,
        revision,
        narrowed: _,
        sections,
        total: _,
        policy,
        judgement,
        soft,
        files: _,
        past: _,
    } = report;
    let gate = gate_properties(judgement, *soft, language);
    let mut document = quick_junit::Report::new(format!("mustdo {version}"));
    for section in sections {
        let Section { id, version, title, tally, headings } = section;
        let mut suite = TestSuite::new(format!("{id} · {}", title.get(language)));
        suite.add_property(Property::new("checklist.version", version.to_string()));
        suite.add_property(Property::new("workspace", workspace));
        suite.add_property(Property::new("generated", generated.to_string()));
        if let Some(revision) = revision {
            suite.add_property(Property::new("revision", revision));
        }
        if let Some(readiness) = tally.readiness() {
            suite.add_property(Property::new("readiness", format!("{readiness}%")));
        }
        for (name, value) in &gate {
            suite.add_property(Property::new(name, value));
        }
        let mut elapsed = Duration::ZERO;
        for Heading { id: group, rows, .. } in headings {
            for row in rows {
                let mut case = TestCase::new(
                    format!("{} · {}", row.id, row.title.get(language)),
                    worse(report, row, language).unwrap_or_else(|| status(row, policy, language)),
                );
                case.set_classname(format!("{id}.{group}"));
                if let Some(time) = time(row) {
                    case.set_time(time);
                    elapsed += time;
                }
                suite.add_test_case(case);
            }
        }
        for (check, at) in section.rows().flat_map(Row::kept) {
            suite.add_property(Property::new("kept", phrase::kept(check, at, language)));
        }
        for (plugin, proven) in proven(section) {
            suite.add_property(Property::new(format!("plugin.{plugin}.proven"), proven.to_string()));
        }
        suite.set_time(elapsed);
        document.add_test_suite(suite);
    }
    // Writing XML to memory: there is nothing that could fail.
    let text = document.to_string().expect("a report is plain data");
    let Some(root) = text.find("<testsuites") else { return text };
    let (before, rest) = text.split_at(root);
    let (root, rest) = rest.split_at(rest.find('>').unwrap_or(0));
    format!("{before}{}{rest}", without_skipped(root))
}

/// The tag without its attribute `skipped`: only a suite has one in the schema that CI systems read by.
fn without_skipped(root: &str) -> String {
    let attributes = root.split(' ').filter(|attribute| !attribute.starts_with("skipped=\""));
    attributes.collect::<Vec<_>>().join(" ")
}

/// The plugins whose word stands in a checklist, and whether each was proven itself whenever it gave it. A test case has no
/// properties in the schema that CI systems read by.
fn proven(section: &Section) -> BTreeMap<&PluginId, bool> {
    let mut plugins = BTreeMap::new();
    for check in section.rows().flat_map(|row| &row.checks) {
        if let Some(proven) = check.latest().and_then(|record| record.proven) {
            *plugins.entry(&check.id.plugin).or_insert(true) &= proven;
        }
    }
    plugins
}

/// How long the latest attempts took; none where there was none.
fn time(row: &Row) -> Option<Duration> {
    row.checks
        .iter()
        .filter_map(Check::latest)
        .map(|record| record.elapsed)
        .reduce(|sum, elapsed| sum + elapsed)
}

/// How the policy was judged, which no test case says: `policy`, what does not hold as `policy.1` and so on.
fn gate_properties(judgement: &Judgement, soft: bool, language: Language) -> Vec<(String, String)> {
    let mut properties = vec![("policy".to_owned(), gate::outcome(judgement).to_owned())];
    if soft && !judgement.holds() {
        properties.push(("policy.soft".to_owned(), gate::soft_line(judgement, language)));
    }
    let violations = judgement.violations.iter().map(|violation| gate::violation(violation, language).0);
    let undecided =
        (!judgement.undecided.is_empty()).then(|| gate::undecided(&judgement.undecided, language).0);
    let told = judgement.compared.iter().flat_map(|compared| gate::compared(compared, language));
    let told = violations.chain(undecided).chain(told).chain(gate::outside(judgement, language));
    properties.extend((1..).zip(told).map(|(number, told)| (format!("policy.{number}"), told)));
    properties
}

/// An item that was proven at the base and is not any more is a failure, though no check failed.
fn worse(report: &Report, row: &Row, language: Language) -> Option<TestCaseStatus> {
    let (base, worse) = report.worse(&row.id)?;
    if row.standing.status == Status::Failing {
        return None;
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let message = gate::declined(base, worse, language);
    status.set_type("worse").set_description(format!("{message}\n{}", reason(row, language)));
    status.set_message(message);
    Some(status)
}

fn status(row: &Row, policy: &Policy, language: Language) -> TestCaseStatus {
    let standing = &row.standing;
    if standing.status == Status::Waived {
        return skipped("waived", &reason(row, language));
    }
    if standing.status == Status::Failing {
        return failing(row, language);
    }
    let only_flaky = standing.flaky.len() == standing.inconclusive.len();
    let let_through = standing.flaky.is_empty() || policy.flaky == Flaky::Allow;
    let last_stands = policy.inconclusive == Undecided::Allow && standing.status == Status::Proven;
    let stands = let_through && (only_flaky || last_stands);
    if !standing.inconclusive.is_empty() && !stands {
        return untold(row, language);
    }
    if policy.unproven == Unproven::Deny && standing.status == Status::Proven && !standing.unproven.is_empty()
    {
        return denied(row, language);
    }
    match standing.status {
        Status::Proven => TestCaseStatus::success(),
        Status::Waived | Status::Failing | Status::Stale | Status::Claimed | Status::Open => {
            let kind = if standing.unbound.is_empty() { standing.status.word() } else { "not-bound" };
            skipped(kind, &reason(row, language))
        }
    }
}

fn skipped(kind: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(kind).set_message(message);
    status
}

fn failing(row: &Row, language: Language) -> TestCaseStatus {
    let decided = row.checks.iter().filter_map(|check| Some((check, check.decided.as_ref()?)));
    let failed: Vec<_> = decided.filter(|(_, record)| record.verdict.outcome == Outcome::Fail).collect();
    non_success(NonSuccessKind::Failure, &failed, "fail", language)
}

fn denied(row: &Row, language: Language) -> TestCaseStatus {
    let unproven = row.checks.iter().filter(|check| row.standing.unproven.contains(&check.id));
    let records: Vec<_> = unproven.filter_map(|check| Some((check, check.decided.as_ref()?))).collect();
    non_success(NonSuccessKind::Error, &records, "unproven", language)
}

fn untold(row: &Row, language: Language) -> TestCaseStatus {
    let untold = row.checks.iter().filter_map(|check| Some((check, check.undecided.as_ref()?)));
    let untold: Vec<_> = untold.collect();
    let any = |of: fn(&Record) -> bool| untold.iter().any(|(_, record)| of(record));
    let kind = if any(|record| record.fault) {
        "fault"
    } else if any(|record| record.verdict.outcome == Outcome::Inconclusive) {
        Outcome::Inconclusive.word()
    } else if any(|record| record.verdict.outcome == Outcome::Flaky) {
        Outcome::Flaky.word()
    } else {
        Outcome::Skip.word()
    };
    non_success(NonSuccessKind::Error, &untold, kind, language)
}

fn non_success(
    kind: NonSuccessKind,
    records: &[(&Check, &Record)],
    ty: &str,
    language: Language,
) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let messages = records.iter().map(|(check, record)| phrase::attempt(&check.id, record, language));
    status.set_message(messages.collect::<Vec<_>>().join("; "));
    let code = records.iter().find_map(|(_, record)| foremost(&record.verdict.findings));
    let code = code.filter(|finding| kind == NonSuccessKind::Failure && !finding.code.is_empty());
    status.set_type(code.map_or(ty, |finding| &finding.code));
    let bodies = records.iter().map(|(check, record)| body(check, record, language));
    status.set_description(bodies.collect::<Vec<_>>().join("\n"));
    status
}

/// Everything of one attempt, a line each: findings with hints, steps, figures, and what repeats it.
fn body(check: &Check, record: &Record, language: Language) -> String {
    let verdict = &record.verdict;
    let mut lines = vec![phrase::attempt(&check.id, record, language)];
    for (number, attempt) in (1..).zip(&record.attempts) {
        lines.push(format!("[attempt {number}] {}", attempt.summary.get(language)));
    }
    for finding in &verdict.findings {
        let place = finding.at.as_ref().map_or(String::new(), |at| format!(" ({})", phrase::location(at)));
        let message = finding.message.get(language);
        lines.push(format!("[{}] {}: {message}{place}", finding.severity.word(), finding.code));
        if let Some(hint) = &finding.hint {
            lines.push(format!("  {}: {}", Word::Hint.get(language), hint.get(language)));
        }
    }
    if !verdict.steps.is_empty() {
        lines.push(format!("{}:", Word::Steps.get(language)));
        lines.extend(verdict.steps.iter().map(|step| format!("  {}", phrase::step(step, language))));
    }
    if !verdict.measurements.is_empty() {
        lines.push(format!("{}:", Word::Figures.get(language)));
        lines.extend(
            verdict.measurements.iter().map(|figure| format!("  {}", phrase::figure(figure, language))),
        );
    }
    let commit = record.commit.as_deref().map_or(String::new(), |commit| format!(", commit {commit}"));
    lines.push(format!(
        "plugin {} ({}{}), seed {:016x}{commit}",
        record.version,
        record.plugin.short(),
        if record.proven == Some(false) { ", unproven" } else { "" },
        record.seed
    ));
    lines.join("\n")
}

/// Why an item is no success although nothing speaks against it.
fn reason(row: &Row, language: Language) -> String {
    let standing = &row.standing;
    let status = word::status(standing.status, language);
    let mut reasons: Vec<String> =
        standing.staleness.iter().map(|(check, why)| phrase::reason(check, why, language)).collect();
    match &row.waiver {
        Some(waiver) if standing.status == Status::Waived => {
            reasons.push(phrase::waived(waiver.until, &waiver.why, language));
        }
        Some(_) | None => {}
    }
    if !standing.unbound.is_empty() {
        let targets: Vec<_> = standing.unbound.iter().map(TargetName::as_str).collect();
        reasons.push(phrase::not_bound(&targets, language));
    }
    if row.checks.is_empty() && standing.status != Status::Waived {
        reasons.push(phrase::no_check(language).to_owned());
    }
    phrase::because(status, &reasons, language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn read(report: &Report) -> quick_junit::Report {
        quick_junit::Report::deserialize_from_str(&junit(report, Language::En)).unwrap()
    }

    fn case<'a>(document: &'a quick_junit::Report, id: &str) -> &'a TestCaseStatus {
        let cases = document.test_suites.iter().flat_map(|suite| &suite.test_cases);
        &cases.into_iter().find(|case| case.name.starts_with(&format!("{id} "))).unwrap().status
    }

    #[test]
    fn only_what_is_proven_is_a_success() {
        let report = sample::mixed();
        let document = read(&report);
        let cases = document.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let successes = cases.filter(|case| matches!(case.status, TestCaseStatus::Success { .. }));
        assert_eq!(successes.count(), 2);
        assert_eq!(document.tests, usize::try_from(report.total.items).unwrap());
        assert_eq!(document.failures, 1);
    }

    #[test]
    fn what_could_not_be_told_is_an_error_even_where_it_was_proven() {
        let document = read(&sample::mixed());
        for (id, kind) in
            [("must-do.csrf", "inconclusive"), ("stack.tests-bite", "fault"), ("stack.rollback", "skip")]
        {
            let status = case(&document, id);
            assert!(
                matches!(status, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, ty: Some(ty), .. } if ty == kind),
                "{status:?}"
            );
        }
    }

    #[test]
    fn what_was_proven_at_the_base_is_a_failure_and_what_fails_stays_its_own() {
        let document = read(&sample::worse());
        let kind = |id| {
            let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, ty, .. } = case(&document, id)
            else {
                panic!("{id} is no failure");
            };
            ty.clone().unwrap()
        };
        assert_eq!(kind("must-do.safe-get").as_str(), "worse");
        assert_eq!(kind("must-do.double-submit").as_str(), "idempotency.twice");
        let properties: Vec<_> =
            document.test_suites[0].properties.iter().map(|one| one.name.as_str()).collect();
        for name in ["policy", "policy.soft", "policy.1"] {
            assert!(properties.contains(&name), "{properties:?}");
        }
    }

    #[test]
    fn failure_carries_finding_hint_steps_and_figures() {
        let document = read(&sample::mixed());
        let TestCaseStatus::NonSuccess { ty, message, description, .. } =
            case(&document, "must-do.double-submit")
        else {
            panic!("it fails");
        };
        assert_eq!(ty.as_deref(), Some("idempotency.twice"));
        assert!(message.as_ref().unwrap().contains("two orders"));
        for part in
            ["hint: ", "[fail] same-key (must)", "latency p95 = 12.5 ms (of 40)", "seed 0000000000000007"]
        {
            assert!(description.as_ref().unwrap().contains(part), "{part}");
        }
    }

    #[test]
    fn hostile_text_is_well_formed_xml() {
        let report = sample::hostile();
        let document = read(&report);
        assert_eq!(document.tests, usize::try_from(report.total.items).unwrap());
        let text = junit(&report, Language::En);
        let legal = |c: char| matches!(c, '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
        assert_eq!(text.chars().find(|c| !legal(*c)), None);
    }

    #[test]
    fn junit_in_both_languages() {
        for language in Language::ALL {
            insta::assert_snapshot!(format!("junit-{language}"), junit(&sample::mixed(), language));
        }
    }
}
