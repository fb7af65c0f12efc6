//! Writing `progress/<checklist>.toml` over what is there.

use jiff::Timestamp;
use toml_edit::{Array, Item, Table, TableLike, Value};

use super::edit::{bilingual, child, edit, inline, line, lines, put};
use super::progress::RECORD;
use super::table::FORMAT;
use super::{BrokenText, Source, read_progress};
use crate::model::{
    Attempt, CheckId, CheckRecord, Claim, Entry, Exhibit, Finding, Location, Measurement, Progress, Record,
    Score, Step, Verdict, Waiver,
};

/// The text of a progress file: `old` with everything changed that `progress` says otherwise. Items are sorted; items
/// that did not change keep every byte; comments and keys of a newer version survive. Times are kept to the
/// millisecond; of evidence, the bytes are not kept. [`BrokenText`] where `old` is not empty and [`read_progress`] gives no value for
/// it: then nothing may be written over it.
pub fn write_progress(old: &str, progress: &Progress) -> Result<String, BrokenText> {
    edit(old, |document| {
        let known = if document.as_table().is_empty() {
            Progress::new(progress.checklist.clone())
        } else {
            read_progress(&Source::new("", old)).value.ok_or(BrokenText)?
        };
        let root = document.as_table_mut();
        if !root.contains_key("format") {
            put(root, "format", Some(FORMAT.into()));
        }
        if known.checklist != progress.checklist || !root.contains_key("checklist") {
            put(root, "checklist", Some(progress.checklist.as_str().into()));
        }
        let nothing = Entry::default();
        let mut ids: Vec<_> = known.entries.keys().chain(progress.entries.keys()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let old = known.entries.get(id).unwrap_or(&nothing);
            let new = progress.entries.get(id).unwrap_or(&nothing);
            if old != new {
                let items = child(root, "item")?;
                let table = items.entry(id.as_str()).or_insert_with(|| Item::Table(Table::new()));
                let table = table.as_table_like_mut().ok_or(BrokenText)?;
                entry(table, old, new)?;
                if table.is_empty() {
                    items.remove(id.as_str());
                }
            }
        }
        settle(root);
        Ok(())
    })
}

/// Puts the items in order, and takes the table of items away where there is none.
pub(super) fn settle(root: &mut Table) {
    match root.get_mut("item") {
        Some(items) if items.as_table_like().is_some_and(TableLike::is_empty) => {
            root.remove("item");
        }
        Some(Item::Table(items)) => {
            items.sort_values_by(|left, _, right, _| left.get().cmp(right.get()));
            in_order(items);
        }
        Some(_) | None => {}
    }
}

/// Lets tables stand in the order of their keys and not in the one they were read in.
pub(super) fn in_order(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        if let Item::Table(table) = item {
            in_order(table);
        }
    }
}

/// Writes what is different between two entries into an item's table.
pub(super) fn entry(table: &mut dyn TableLike, old: &Entry, new: &Entry) -> Result<(), BrokenText> {
    let Entry { claim, waiver, checks } = new;
    if old.claim != *claim {
        put(table, "claim", claim.as_ref().map(self::claim));
    }
    if old.waiver != *waiver {
        put(table, "waiver", waiver.as_ref().map(self::waiver));
    }
    let nothing = CheckRecord::default();
    let mut ids: Vec<&CheckId> = old.checks.keys().chain(checks.keys()).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let (old, new) = (old.checks.get(id).unwrap_or(&nothing), checks.get(id).unwrap_or(&nothing));
        if old != new {
            let name = id.to_string();
            let checks = child(table, "check")?;
            let table = child(checks, &name)?;
            check(table, old, new)?;
            if table.is_empty() {
                checks.remove(&name);
            }
        }
    }
    if table.get("check").and_then(Item::as_table_like).is_some_and(TableLike::is_empty) {
        table.remove("check");
    }
    if let Some(Item::Table(checks)) = table.get_mut("check") {
        checks.sort_values_by(|left, _, right, _| left.get().cmp(right.get()));
    }
    Ok(())
}

fn check(table: &mut dyn TableLike, old: &CheckRecord, new: &CheckRecord) -> Result<(), BrokenText> {
    let CheckRecord { decided, undecided } = new;
    if old.decided != *decided {
        record(table, decided.as_ref());
    }
    if old.undecided != *undecided {
        if undecided.is_none() {
            table.remove("undecided");
        } else {
            record(child(table, "undecided")?, undecided.as_ref());
        }
    }
    Ok(())
}

/// Writes the keys of a record, in their order, or takes them all away.
fn record(table: &mut dyn TableLike, record: Option<&Record>) {
    let mut values = record.map(values).unwrap_or_default().into_iter();
    for key in RECORD {
        put(table, key, values.next().flatten());
    }
}

/// The values of a record, in the order of [`RECORD`].
fn values(record: &Record) -> Vec<Option<Value>> {
    let Record {
        verdict,
        fault,
        at,
        plugin,
        version,
        proven,
        definition,
        seed,
        commit,
        watched,
        targets,
        elapsed,
        evidence,
        attempts,
    } = record;
    let Verdict { outcome, summary, score, steps, findings, evidence: _, measurements } = verdict;
    let named = targets.iter().map(|(name, identity)| (name.as_str(), Some(line(identity))));
    vec![
        Some(outcome.word().into()),
        Some(time(*at)),
        Some(bilingual(summary)),
        fault.then(|| true.into()),
        Some(plugin.to_string().into()),
        Some(version.to_string().into()),
        proven.map(Into::into),
        Some(definition.to_string().into()),
        Some(format!("{seed:016x}").into()),
        commit.as_deref().map(line),
        watched.map(|digest| digest.to_string().into()),
        (!targets.is_empty()).then(|| inline(named)),
        Some(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).into()),
        some_lines(attempts.iter().map(attempt)),
        score.map(|Score { earned, possible }| {
            inline([("earned", Some(earned.into())), ("possible", Some(possible.into()))])
        }),
        some_lines(steps.iter().map(step)),
        some_lines(findings.iter().map(finding)),
        some_lines(measurements.iter().map(figure)),
        some_lines(evidence.iter().map(exhibit)),
    ]
}

fn some_lines(values: impl ExactSizeIterator<Item = Value>) -> Option<Value> {
    (values.len() > 0).then(|| lines(values))
}

fn claim(claim: &Claim) -> Value {
    let Claim { at, note, links } = claim;
    let links =
        (!links.is_empty()).then(|| Value::Array(links.iter().map(|link| line(link)).collect::<Array>()));
    inline([("at", Some(time(*at))), ("note", note.as_deref().map(line)), ("links", links)])
}

fn waiver(waiver: &Waiver) -> Value {
    let Waiver { at, why, until } = waiver;
    inline([("at", Some(time(*at))), ("why", Some(line(why))), ("until", Some(until.to_string().into()))])
}

fn attempt(attempt: &Attempt) -> Value {
    let Attempt { summary, fault, elapsed } = attempt;
    inline([
        ("summary", Some(bilingual(summary))),
        ("fault", fault.then(|| true.into())),
        ("millis", Some(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).into())),
    ])
}

fn step(step: &Step) -> Value {
    let Step { id, need, outcome, summary } = step;
    inline([
        ("id", Some(line(id))),
        ("need", Some(need.word().into())),
        ("outcome", Some(outcome.word().into())),
        ("summary", Some(bilingual(summary))),
    ])
}

fn finding(finding: &Finding) -> Value {
    let Finding { severity, code, message, at, hint } = finding;
    inline([
        ("severity", Some(severity.word().into())),
        ("code", Some(line(code))),
        ("message", Some(bilingual(message))),
        ("at", at.as_ref().map(location)),
        ("hint", hint.as_ref().map(bilingual)),
    ])
}

fn location(location: &Location) -> Value {
    let kind = |kind: &str| ("kind", Some(Value::from(kind)));
    let count = |count: &Option<u32>| count.map(|count| Value::from(i64::from(count)));
    match location {
        Location::Source { target, path, line: from, column, end_line, end_column } => inline([
            kind("source"),
            ("target", Some(target.as_str().into())),
            ("path", Some(line(path))),
            ("line", count(from)),
            ("column", count(column)),
            ("end-line", count(end_line)),
            ("end-column", count(end_column)),
        ]),
        Location::Exchange { target, request } => inline([
            kind("exchange"),
            ("target", Some(target.as_str().into())),
            ("request", Some(line(request))),
        ]),
        Location::Endpoint(target) => inline([kind("endpoint"), ("target", Some(target.as_str().into()))]),
        Location::Process(target) => inline([kind("process"), ("target", Some(target.as_str().into()))]),
        Location::Note(text) => inline([kind("note"), ("text", Some(line(text)))]),
    }
}

fn figure(figure: &Measurement) -> Value {
    let Measurement { name, value, unit, samples, statistic } = figure;
    inline([
        ("name", Some(line(name))),
        ("value", Some((*value).into())),
        ("unit", Some(line(unit))),
        ("samples", Some(i64::from(*samples).into())),
        ("statistic", Some(line(statistic))),
    ])
}

fn exhibit(exhibit: &Exhibit) -> Value {
    let Exhibit { label, media_type, size, digest } = exhibit;
    inline([
        ("label", Some(line(label))),
        ("type", Some(line(media_type))),
        ("size", Some(i64::try_from(*size).unwrap_or(i64::MAX).into())),
        ("digest", Some(digest.to_string().into())),
    ])
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn time(at: Timestamp) -> Value {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at).to_string().into()
}
