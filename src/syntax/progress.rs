//! Reading `progress/<checklist>.toml`.
//!
//! The file is written by commands and merged by git, so it is strict about what it knows and keeps what it does not: a
//! key of a newer version is no problem.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::{Field, Table, document};
use super::{Code, Read, Severity, Source};
use crate::model::{
    Attempt, CheckRecord, ChecklistId, Claim, Entry, Exhibit, Finding, Location, Measurement, Need, Outcome,
    Progress, Record, Score, Step, TargetName, Text, Verdict, Waiver,
};

/// The keys of a record, in the order in which they are written.
pub(super) const RECORD: [&str; 19] = [
    "outcome",
    "at",
    "summary",
    "fault",
    "plugin",
    "version",
    "plugin-proven",
    "definition",
    "seed",
    "commit",
    "watched",
    "targets",
    "millis",
    "attempts",
    "score",
    "steps",
    "findings",
    "figures",
    "evidence",
];

/// Reads a progress file. Where anything is wrong there is no value, so that nothing is ever written over what could
/// not be read.
#[must_use]
pub fn read_progress(source: &Source) -> Read<Progress> {
    let mut read = document(source, |table| progress(table, source));
    if read.diagnostics.iter().any(|found| found.severity == Severity::Error) {
        read.value = None;
    }
    read
}

fn progress(mut table: Table<'_>, source: &Source) -> Option<Progress> {
    table.format()?;
    let checklist = table.required("checklist").and_then(|field| {
        let checklist: ChecklistId = field.parse(Code::BadName)?;
        if stem(source).is_some_and(|stem| stem != checklist.as_str()) {
            let message = format!("the progress of \"{checklist}\" belongs in progress/{checklist}.toml");
            field.report(Code::MisnamedFile, message, "rename the file, or remove the copy");
        }
        Some(checklist)
    });
    let mut entries = BTreeMap::new();
    let items = table.optional("item").and_then(|field| field.table("the items"));
    for field in items.iter().flat_map(Table::entries) {
        let id = field.parse_key(Code::BadName);
        let entry = entry(&field);
        if let (Some(id), Some(entry)) = (id, entry)
            && !entry.is_empty()
        {
            entries.insert(id, entry);
        }
    }
    table.close_open();
    Some(Progress { checklist: checklist?, entries })
}

/// What a file is named after; none for a text that is no file.
fn stem(source: &Source) -> Option<&str> {
    source.name.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"))
}

/// What is known of one item.
pub(super) fn entry(field: &Field<'_>) -> Option<Entry> {
    let mut table = field.table("an item's progress")?;
    let mut entry = Entry {
        claim: table.optional("claim").and_then(|field| claim(&field)),
        waiver: table.optional("waiver").and_then(|field| waiver(&field)),
        checks: BTreeMap::new(),
    };
    let checks = table.optional("check").and_then(|field| field.table("the checks"));
    for field in checks.iter().flat_map(Table::entries) {
        let id = field.parse_key(Code::BadName);
        let record = check(&field);
        if let (Some(id), Some(record)) = (id, record)
            && record != CheckRecord::default()
        {
            entry.checks.insert(id, record);
        }
    }
    table.close_open();
    Some(entry)
}

fn claim(field: &Field<'_>) -> Option<Claim> {
    let mut table = field.table("a claim")?;
    let at = time(table.required("at"));
    let note = string(table.optional("note"));
    let links = table.optional("links").map(|field| field.texts()).unwrap_or_default();
    table.close_open();
    Some(Claim { at: at?, note, links })
}

fn waiver(field: &Field<'_>) -> Option<Waiver> {
    let mut table = field.table("a waiver")?;
    let at = time(table.required("at"));
    let why = table.required("why").and_then(|field| field.words());
    let until = table.required("until").and_then(|field| {
        let day = field.text()?.parse();
        day.map_err(|_| field.report(Code::BadTime, "\"until\" must be a day", "write \"2026-03-01\"")).ok()
    });
    table.close_open();
    Some(Waiver { at: at?, why: why?.to_owned(), until: until? })
}

fn check(field: &Field<'_>) -> Option<CheckRecord> {
    let mut table = field.table("a check's record")?;
    let present = RECORD.into_iter().filter(|key| table.optional(key).is_some()).count();
    let decided = if present > 0 { record(&mut table) } else { None };
    let undecided = table.optional("undecided").and_then(|field| {
        let mut table = field.table("a record")?;
        let record = record(&mut table);
        table.close_open();
        let (record, outcome) = record?;
        if matches!(record.verdict.outcome, Outcome::Pass | Outcome::Fail) {
            let help = "write the record into the table above, without \".undecided\"";
            outcome.report(Code::MisplacedRecord, "a record that decided stands under \"undecided\"", help);
        }
        Some(record)
    });
    table.close_open();
    let decided = decided.map(|(record, outcome)| {
        if matches!(record.verdict.outcome, Outcome::Inconclusive | Outcome::Skip | Outcome::Flaky) {
            let help = "write the record into a table of its own that ends with \".undecided\"";
            outcome.report(Code::MisplacedRecord, "a record that did not decide stands as a decision", help);
        }
        record
    });
    Some(CheckRecord { decided, undecided })
}

/// A record, with the field of its outcome.
fn record<'a>(table: &mut Table<'a>) -> Option<(Record, Field<'a>)> {
    let outcome_field = table.required("outcome");
    let outcome = outcome_field.as_ref().and_then(|field| field.word(Outcome::ALL, Outcome::word));
    let at = time(table.required("at"));
    let summary = text(table.required("summary"));
    let fault = table.optional("fault").and_then(|field| field.boolean()).unwrap_or_default();
    let plugin = table.required("plugin").and_then(|field| field.parse(Code::BadDigest));
    let version = table.required("version").and_then(|field| field.version());
    let proven = table.optional("plugin-proven").and_then(|field| field.boolean());
    let definition = table.required("definition").and_then(|field| field.parse(Code::BadDigest));
    let seed = table.required("seed").and_then(|field| seed(&field));
    let commit = string(table.optional("commit"));
    let watched = table.optional("watched").and_then(|field| field.parse(Code::BadDigest));
    let targets = table.optional("targets").map(|field| targets(&field)).unwrap_or_default();
    let millis = table.required("millis").and_then(|field| field.integer_within(0, i64::MAX));
    let attempts = all(table.optional("attempts"), attempt);
    let score = table.optional("score").and_then(|field| score(&field));
    let steps = all(table.optional("steps"), step);
    let findings = all(table.optional("findings"), finding);
    let measurements = all(table.optional("figures"), figure);
    let evidence = all(table.optional("evidence"), exhibit);
    let outcome_field = outcome_field?;
    let verdict = Verdict {
        outcome: outcome?,
        summary: summary?,
        score,
        steps,
        findings,
        evidence: vec![],
        measurements,
    };
    let decided = matches!(verdict.outcome, Outcome::Pass | Outcome::Fail | Outcome::Flaky);
    let again = verdict.outcome == Outcome::Flaky && attempts.is_empty();
    let proof = verdict.outcome == Outcome::Pass && !attempts.is_empty();
    let broken = match verdict.validate() {
        Err(error) => Some(error.to_string()),
        Ok(()) if fault && decided => Some("a run that broke decides nothing".to_owned()),
        Ok(()) if again => Some("nothing is flaky that was asked once".to_owned()),
        Ok(()) if proof => Some("what passed only when it was asked again is flaky".to_owned()),
        Ok(()) => None,
    };
    if let Some(why) = broken {
        outcome_field.report(Code::BrokenRecord, why, "remove the table and verify again");
    }
    let record = Record {
        verdict,
        fault,
        at: at?,
        plugin: plugin?,
        version: version?,
        proven,
        definition: definition?,
        seed: seed?,
        commit,
        watched,
        targets,
        elapsed: Duration::from_millis(u64::try_from(millis?).ok()?),
        evidence,
        attempts,
    };
    Some((record, outcome_field))
}

fn seed(field: &Field<'_>) -> Option<u64> {
    let text = field.text()?;
    let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let seed = u64::from_str_radix(text, 16).ok().filter(|_| digits);
    if seed.is_none() {
        field.report(Code::BadDigest, "a seed has 16 lowercase hexadecimal digits", "");
    }
    seed
}

fn targets(field: &Field<'_>) -> BTreeMap<TargetName, String> {
    let entries = field.table("the targets");
    let entries = entries.iter().flat_map(Table::entries);
    entries.filter_map(|entry| Some((entry.parse_key(Code::BadName)?, entry.text()?.to_owned()))).collect()
}

fn score(field: &Field<'_>) -> Option<Score> {
    let mut table = field.table("a score")?;
    let earned = table.required("earned").and_then(|field| field.number());
    let possible = table.required("possible").and_then(|field| field.number());
    table.close_open();
    Some(Score { earned: earned?, possible: possible? })
}

fn attempt(field: &Field<'_>) -> Option<Attempt> {
    let mut table = field.table("an attempt")?;
    let summary = text(table.required("summary"));
    let fault = table.optional("fault").and_then(|field| field.boolean()).unwrap_or_default();
    let millis = table.required("millis").and_then(|field| field.integer_within(0, i64::MAX));
    table.close_open();
    let elapsed = Duration::from_millis(u64::try_from(millis?).ok()?);
    Some(Attempt { summary: summary?, fault, elapsed })
}

fn step(field: &Field<'_>) -> Option<Step> {
    let mut table = field.table("a step")?;
    let id = string(table.required("id"));
    let need = table.required("need").and_then(|field| field.word([Need::Must, Need::Should], Need::word));
    let outcome = table.required("outcome").and_then(|field| field.word(Outcome::TOLD, Outcome::word));
    let summary = text(table.required("summary"));
    table.close_open();
    Some(Step { id: id?, need: need?, outcome: outcome?, summary: summary? })
}

fn finding(field: &Field<'_>) -> Option<Finding> {
    use crate::model::Severity::{self, Info, Problem, Warning};
    let mut table = field.table("a finding")?;
    let severity = table.required("severity");
    let severity = severity.and_then(|field| field.word([Info, Warning, Problem], Severity::word));
    let code = string(table.required("code"));
    let message = text(table.required("message"));
    let at = table.optional("at").and_then(|field| location(&field));
    let hint = text(table.optional("hint"));
    table.close_open();
    Some(Finding { severity: severity?, code: code?, message: message?, at, hint })
}

fn location(field: &Field<'_>) -> Option<Location> {
    const KINDS: [&str; 5] = ["source", "exchange", "endpoint", "process", "note"];
    let mut table = field.table("a place")?;
    let kind = table.required("kind").and_then(|field| field.word(KINDS, |kind| kind));
    let location = kind.and_then(|kind| located(kind, &mut table));
    table.close_open();
    location
}

fn located(kind: &str, table: &mut Table<'_>) -> Option<Location> {
    let target =
        |table: &mut Table<'_>| table.required("target").and_then(|field| field.parse(Code::BadName));
    let count = |table: &mut Table<'_>, key| {
        let field: Option<Field<'_>> = table.optional(key);
        field
            .and_then(|field| field.integer_within(0, u32::MAX.into()))
            .and_then(|count| u32::try_from(count).ok())
    };
    Some(match kind {
        "source" => {
            let (target, path) = (target(table), string(table.required("path")));
            Location::Source {
                line: count(table, "line"),
                column: count(table, "column"),
                end_line: count(table, "end-line"),
                end_column: count(table, "end-column"),
                target: target?,
                path: path?,
            }
        }
        "exchange" => {
            let (target, request) = (target(table), string(table.required("request")));
            Location::Exchange { target: target?, request: request? }
        }
        "endpoint" => Location::Endpoint(target(table)?),
        "process" => Location::Process(target(table)?),
        _ => Location::Note(string(table.required("text"))?),
    })
}

fn figure(field: &Field<'_>) -> Option<Measurement> {
    let mut table = field.table("a figure")?;
    let name = string(table.required("name"));
    let value = table.required("value").and_then(|field| field.number());
    let unit = string(table.required("unit"));
    let samples = table.required("samples").and_then(|field| field.integer_within(0, u32::MAX.into()));
    let statistic = string(table.required("statistic"));
    table.close_open();
    let samples = u32::try_from(samples?).ok()?;
    Some(Measurement { name: name?, value: value?, unit: unit?, samples, statistic: statistic? })
}

fn exhibit(field: &Field<'_>) -> Option<Exhibit> {
    let mut table = field.table("a piece of evidence")?;
    let label = string(table.required("label"));
    let media_type = string(table.required("type"));
    let size = table.required("size").and_then(|field| field.integer_within(0, i64::MAX));
    let digest = table.required("digest").and_then(|field| field.parse(Code::BadDigest));
    table.close_open();
    let size = u64::try_from(size?).ok()?;
    Some(Exhibit { label: label?, media_type: media_type?, size, digest: digest? })
}

pub(super) fn time(field: Option<Field<'_>>) -> Option<jiff::Timestamp> {
    let field = field?;
    let time = field.text()?.parse();
    let help = "write \"2026-03-01T09:30:00Z\"";
    time.map_err(|_| field.report(Code::BadTime, format!("\"{}\" must be a moment", field.name()), help)).ok()
}

pub(super) fn string(field: Option<Field<'_>>) -> Option<String> {
    field?.text().map(str::to_owned)
}

/// A plain string where both languages say the same, else a table of both.
fn text(field: Option<Field<'_>>) -> Option<Text> {
    let field = field?;
    if matches!(field.raw(), toml::de::DeValue::String(_)) {
        return field.text().map(Text::same);
    }
    let mut table = field.table("a text")?;
    let (en, zh) = (string(table.required("en")), string(table.required("zh")));
    table.close_open();
    Some(Text { en: en?, zh: zh? })
}

fn all<T>(field: Option<Field<'_>>, read: impl Fn(&Field<'_>) -> Option<T>) -> Vec<T> {
    field.and_then(|field| field.list()).into_iter().flatten().filter_map(|element| read(&element)).collect()
}
