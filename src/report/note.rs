//! What is said below the numbers: what fails, what could not be told, what is out of date, what a pass left out, what is
//! missing, and the policy.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::binding::binding;
use super::gate;
use super::paint::{Ink, symbol};
use super::phrase;
use super::tree::{Check, Report, Row};
use super::word::Word;
use crate::model::{Finding, ItemId, Language, Need, Outcome, Severity, Status, TargetName, plain_text};

/// Lines of a finding's message that are shown.
const MESSAGE_LINES: usize = 8;

/// Characters of them.
const MESSAGE_CHARS: usize = 600;

/// A paragraph with a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
    /// What to do about all of them.
    pub(super) advice: Option<String>,
}

/// One thing a note is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) symbol: &'static str,
    pub(super) ink: Ink,
    /// An id; empty where there is none.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
}

/// A line below an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// What is so.
    Text(String),
    /// What to do.
    Advice(String),
    /// Lines to copy as they are.
    Code(Vec<String>),
}

/// What is said about the items; a note that would be empty is left out.
pub(super) fn notes(report: &Report, language: Language) -> Vec<Note> {
    let notes = [
        about(report, Word::Failing, Ink::Bad, language, |row| failing(row, language)),
        about(report, Word::Untold, Ink::Unsure, language, |row| untold(row, language)),
        stale(report, language),
        about(report, Word::LeftOut, Ink::Faint, language, |row| left_out(row, language)),
        about(report, Word::Unproven, Ink::Unsure, language, |row| unproven(row, language)),
        about(report, Word::Kept, Ink::Faint, language, |row| kept(row, language)),
        unbound(report, language),
    ];
    notes.into_iter().filter(|note| !note.entries.is_empty()).collect()
}

/// How the policy was judged.
pub(super) fn policy(report: &Report, language: Language) -> Note {
    let said = |symbol, ink, (title, advice): (String, String)| Entry {
        symbol,
        ink,
        name: String::new(),
        title,
        lines: vec![Line::Advice(advice)],
    };
    let plain = |symbol, ink, title| Entry { symbol, ink, name: String::new(), title, lines: vec![] };
    let judgement = &report.judgement;
    let mut entries: Vec<_> = judgement
        .violations
        .iter()
        .map(|violation| said("✘", Ink::Bad, gate::violation(violation, language)))
        .collect();
    if !judgement.undecided.is_empty() {
        entries.push(said("?", Ink::Unsure, gate::undecided(&judgement.undecided, language)));
    }
    if entries.is_empty() {
        entries.push(plain("✔", Ink::Good, gate::holds(&report.policy, judgement, language)));
    } else if report.soft {
        entries.push(plain("!", Ink::Unsure, gate::soft_line(judgement, language)));
    }
    let told = judgement.compared.iter().flat_map(|compared| gate::compared(compared, language));
    let told = told.chain(gate::outside(judgement, language));
    entries.extend(told.map(|told| plain("–", Ink::Faint, told)));
    Note { title: Word::Policy.get(language).to_owned(), entries, advice: None }
}

/// What is said of an item in a list of all: its latest attempts, and why it is not proven.
pub(super) fn details(row: &Row, now: Timestamp, language: Language) -> Vec<(Ink, String)> {
    let mut details = vec![];
    for check in &row.checks {
        if let Some(record) = check.latest() {
            let attempt = phrase::attempt(&check.id, record, language);
            let ink = if record.fault { Ink::Unsure } else { Ink::of_outcome(record.verdict.outcome) };
            details.push((ink, format!("{attempt} · {}", phrase::ago(record.at, now, language))));
        }
        if check.plugin.is_none() {
            details.push((Ink::Unsure, phrase::no_plugin(&check.id, language)));
        }
    }
    let staleness = &row.standing.staleness;
    details.extend(staleness.iter().map(|(_, why)| (Ink::Old, phrase::staleness(why, language))));
    if !row.standing.unbound.is_empty() {
        let targets: Vec<_> = row.standing.unbound.iter().map(TargetName::as_str).collect();
        details.push((Ink::Faint, phrase::not_bound(&targets, language)));
    }
    if let Some(note) = row.claim.as_ref().and_then(|claim| claim.note.as_ref()) {
        details.push((Ink::Faint, format!("✎ {note}")));
    }
    match (&row.waiver, row.standing.waiver_ended) {
        (_, Some(until)) => details.push((Ink::Old, phrase::waiver_ended(until, language))),
        (Some(waiver), None) => {
            details.push((Ink::Faint, phrase::waived(waiver.until, &waiver.why, language)));
        }
        (None, None) => {}
    }
    details
}

/// The finding a learner should read first: the first problem, else the first of all.
pub(super) fn foremost(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.severity == Severity::Problem).or(findings.first())
}

fn about(
    report: &Report,
    title: Word,
    ink: Ink,
    language: Language,
    lines: impl Fn(&Row) -> Vec<Line>,
) -> Note {
    let entries = report.rows().filter(|row| row.standing.status != Status::Waived).filter_map(|row| {
        let lines = lines(row);
        let symbol = if ink == Ink::Unsure {
            "?"
        } else if ink == Ink::Faint {
            "–"
        } else {
            symbol(row.standing.status)
        };
        (!lines.is_empty()).then(|| entry(row, symbol, ink, language, lines))
    });
    note(title, entries.collect(), None, language)
}

fn entry(row: &Row, symbol: &'static str, ink: Ink, language: Language, lines: Vec<Line>) -> Entry {
    Entry { symbol, ink, name: row.id.to_string(), title: row.title.get(language).to_owned(), lines }
}

fn note(title: Word, entries: Vec<Entry>, advice: Option<String>, language: Language) -> Note {
    Note { title: format!("{} ({})", title.get(language), entries.len()), entries, advice }
}

fn failing(row: &Row, language: Language) -> Vec<Line> {
    let mut lines = vec![];
    for check in &row.checks {
        let Some(record) = &check.decided else { continue };
        if record.verdict.outcome != Outcome::Fail {
            continue;
        }
        lines.push(Line::Text(phrase::attempt(&check.id, record, language)));
        let finding = foremost(&record.verdict.findings);
        if let Some(finding) = finding {
            lines.extend(seen(finding, record.verdict.summary.get(language), language));
        }
        let hint = finding.and_then(|finding| finding.hint.as_ref()).or(row.hint.as_ref());
        lines.extend(hint.into_iter().flat_map(|hint| advice(hint.get(language))));
    }
    lines
}

/// A hint: words on its first line, and below them, where there are more, lines to paste.
fn advice(hint: &str) -> Vec<Line> {
    let mut parts = hint.lines().map(str::to_owned);
    let mut lines: Vec<_> = parts.next().map(Line::Advice).into_iter().collect();
    let code: Vec<_> = parts.collect();
    if !code.is_empty() {
        lines.push(Line::Code(code));
    }
    lines
}

/// A finding's message and place, where they add to the summary. Of a long one the beginning: what a program dumped stands
/// whole in the transcript and in the JSON report.
fn seen(finding: &Finding, summary: &str, language: Language) -> Option<Line> {
    let message = beginning(added(finding.message.get(language), summary));
    let message = (!message.is_empty()).then_some(message);
    let place = finding.at.as_ref().map(phrase::location);
    Some(Line::Text(match (message, place) {
        (Some(message), Some(place)) => format!("{message} ({place})"),
        (Some(message), None) => message,
        (None, Some(place)) => place,
        (None, None) => return None,
    }))
}

/// What a message says beyond the summary, where it begins with it.
fn added<'a>(message: &'a str, summary: &str) -> &'a str {
    match message.strip_prefix(summary) {
        Some("") => "",
        // Elsewhere it is another word or number that begins in the same way.
        Some(rest) => rest.strip_prefix([';', '；', '\n']).map_or(message, str::trim_start),
        None => message,
    }
}

/// The first lines of a message, cut where it goes on.
fn beginning(message: &str) -> String {
    let mut lines = message.lines();
    let first: Vec<_> = lines.by_ref().take(MESSAGE_LINES).collect();
    let mut text = first.join("\n");
    if lines.next().is_some() {
        text.push_str("\n…");
    }
    plain_text(&text, MESSAGE_CHARS)
}

fn untold(row: &Row, language: Language) -> Vec<Line> {
    let mut lines = vec![];
    for (check, record) in row.checks.iter().filter_map(|check| Some((check, check.undecided.as_ref()?))) {
        lines.push(Line::Text(phrase::attempt(&check.id, record, language)));
        let hint = foremost(&record.verdict.findings).and_then(|finding| finding.hint.as_ref());
        lines.extend(hint.into_iter().flat_map(|hint| advice(hint.get(language))));
    }
    if !lines.is_empty() {
        lines.push(Line::Text(phrase::stays(row.standing.status, language)));
    }
    lines
}

fn unproven(row: &Row, language: Language) -> Vec<Line> {
    let decided = row.checks.iter().filter_map(|check| Some((check, check.decided.as_ref()?)));
    let unproven = decided
        .filter(|(_, record)| record.verdict.outcome == Outcome::Pass && record.proven == Some(false))
        .map(|(check, record)| Line::Text(phrase::attempt(&check.id, record, language)));
    unproven.collect()
}

fn stale(report: &Report, language: Language) -> Note {
    let reasons = |row: &Row| {
        let staleness = row.standing.staleness.iter();
        staleness.map(|(check, why)| Line::Text(phrase::reason(check, why, language))).collect::<Vec<_>>()
    };
    let mut note = about(report, Word::Stale, Ink::Old, language, reasons);
    note.advice = Some(phrase::run("mustdo verify --status stale", language));
    note
}

/// The must steps that a check which passed has skipped: its pass says nothing of them.
fn left_out(row: &Row, language: Language) -> Vec<Line> {
    let records = row.checks.iter().filter_map(|check| Some((&check.id, check.decided.as_ref()?)));
    let passed = records.filter(|(_, record)| record.verdict.outcome == Outcome::Pass);
    let skipped = passed.flat_map(|(check, record)| {
        let steps = record.verdict.steps.iter();
        let skipped = steps.filter(|step| step.need == Need::Must && step.outcome == Outcome::Skip);
        skipped.map(move |step| Line::Text(phrase::left_out(check, step, language)))
    });
    skipped.collect()
}

/// The checks whose pass was kept, and of when it is.
fn kept(row: &Row, language: Language) -> Vec<Line> {
    row.kept().map(|(check, at)| Line::Text(phrase::kept(check, at, language))).collect()
}

/// Targets that checks name and nothing is bound to, with the lines to paste.
pub(super) fn unbound(report: &Report, language: Language) -> Note {
    let mut needed: BTreeMap<&TargetName, Vec<&ItemId>> = BTreeMap::new();
    for row in report.rows().filter(|row| row.standing.status != Status::Waived) {
        for target in row.checks.iter().flat_map(|Check { unbound, .. }| unbound) {
            let items = needed.entry(target).or_default();
            if items.last() != Some(&&row.id) {
                items.push(&row.id);
            }
        }
    }
    let entries = needed.into_iter().map(|(target, items)| Entry {
        symbol: "–",
        ink: Ink::Faint,
        name: target.to_string(),
        title: phrase::needed_by(&items, language),
        lines: vec![Line::Text(phrase::paste(language).to_owned()), Line::Code(binding(target, &[]))],
    });
    note(Word::Unbound, entries.collect(), None, language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_adds_what_the_summary_does_not_say() {
        let cases = [
            ("it ended", "it ended", ""),
            ("it ended; it wrote: no", "it ended", "it wrote: no"),
            ("没有答案；它写了：不", "没有答案", "它写了：不"),
            ("1 of 20 are lost", "1 of 2", "1 of 20 are lost"),
            ("two orders", "it ended", "two orders"),
        ];
        for (message, summary, more) in cases {
            assert_eq!(added(message, summary), more, "{message}");
        }
    }

    #[test]
    fn what_a_program_dumped_is_cut() {
        assert_eq!(beginning("a\n  b"), "a\n  b");
        let frames: Vec<_> = (0..30).map(|frame| format!("#{frame} in main")).collect();
        assert_eq!(beginning(&frames.join("\n")), format!("{}\n…", frames[..MESSAGE_LINES].join("\n")));
        let long = beginning(&"x".repeat(5_000));
        assert!(long.ends_with('…') && long.chars().count() == MESSAGE_CHARS, "{long}");
    }
}
