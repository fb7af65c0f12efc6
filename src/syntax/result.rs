//! What one partition of a run saw, as text: `mustdo verify --partition` writes it on one machine, `mustdo merge` reads it on
//! another. Records stand in it as in a progress file.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use toml_edit::{Array, DocumentMut, Item, Table as Written, Value};

use super::edit::{child, inline, line, lines, put};
use super::progress::{entry, string, time};
use super::table::{FORMAT, Field, Table, document};
use super::write::{entry as write_entry, in_order, time as write_time};
use super::{Code, Read, Severity, Source};
use crate::model::{Basis, Entry, Level, PartitionResult, Selection, Status};

/// Reads a result. Where anything is wrong there is no value: a part of a result is none.
#[must_use]
pub fn read_result(source: &Source) -> Read<PartitionResult> {
    let mut read = document(source, result);
    if read.diagnostics.iter().any(|found| found.severity == Severity::Error) {
        read.value = None;
    }
    read
}

fn result(mut table: Table<'_>) -> Option<PartitionResult> {
    table.format()?;
    let partition = table.required("partition").and_then(|field| field.parse(Code::OutOfRange));
    let version = table.required("mustdo").and_then(|field| field.version());
    let started = time(table.required("started"));
    let commit = string(table.optional("commit"));
    let mut digest = |key| table.required(key).and_then(|field| field.parse(Code::BadDigest));
    let (content, policy, progress) = (digest("content"), digest("policy"), digest("progress"));
    let division = digest("division");
    let missed = table.optional("missed").and_then(|field| field.boolean()).unwrap_or_default();
    let selection = table.optional("selection").map(|field| selection(&field)).unwrap_or_default();
    let plugins = table.required("plugins").map(|field| plugins(&field)).unwrap_or_default();
    let items = table.required("items").map(|field| items(&field)).unwrap_or_default();
    let mut checks = BTreeMap::new();
    let known = table.optional("item").and_then(|field| field.table("the items"));
    for field in known.iter().flat_map(Table::entries) {
        let id = field.parse_key(Code::BadName);
        let Some((id, Entry { claim, waiver, checks: own })) = id.zip(entry(&field)) else { continue };
        if claim.is_some() || waiver.is_some() {
            field.report_key(Code::UselessKey, "a result has verdicts alone: no claim and no waiver", "");
        }
        if !items.contains(&id) {
            let help = "a result has verdicts of its own items alone";
            field.report_key(Code::UnknownItem, format!("\"{id}\" is not among its items"), help);
        }
        for (check, record) in &own {
            if record.decided.is_some() && record.undecided.is_some() {
                let message = format!("\"{check}\" has two records, and was run once");
                field.report_key(Code::MisplacedRecord, message, "");
            }
        }
        if !own.is_empty() {
            checks.insert(id, own);
        }
    }
    table.close_open();
    let basis =
        Basis { version: version?, commit, content: content?, policy: policy?, progress: progress?, plugins };
    Some(PartitionResult {
        partition: partition?,
        basis,
        started: started?,
        selection,
        division: division?,
        items,
        missed,
        checks,
    })
}

fn selection(field: &Field<'_>) -> Selection {
    let Some(mut table) = field.table("the selection") else { return Selection::default() };
    let names = table.optional("names").map(|field| field.texts()).unwrap_or_default();
    let levels = parsed::<Level>(table.optional("level"), Code::UnknownWord);
    let tags = parsed(table.optional("tag"), Code::BadName);
    let statuses = parsed::<Status>(table.optional("status"), Code::UnknownWord);
    let changed = table.optional("changed").and_then(|field| field.boolean()).unwrap_or_default();
    // A selection of a newer version selects something else than what is left of it.
    table.close();
    Selection { names, levels, tags, statuses, changed }
}

fn parsed<T>(field: Option<Field<'_>>, code: Code) -> Vec<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let entries = field.and_then(|field| field.list()).into_iter().flatten();
    entries.filter_map(|entry| entry.parse(code)).collect()
}

fn plugins(field: &Field<'_>) -> BTreeMap<crate::model::PluginId, crate::model::Digest> {
    let table = field.table("the plugins");
    let entries = table.iter().flat_map(Table::entries);
    entries
        .filter_map(|entry| Some((entry.parse_key(Code::BadName)?, entry.parse(Code::BadDigest)?)))
        .collect()
}

fn items(field: &Field<'_>) -> BTreeSet<crate::model::ItemId> {
    let mut items = BTreeSet::new();
    for entry in field.list().into_iter().flatten() {
        if let Some(id) = entry.parse::<crate::model::ItemId>(Code::BadName)
            && !items.insert(id.clone())
        {
            entry.report(Code::DuplicateId, format!("\"{id}\" is there twice"), "");
        }
    }
    items
}

/// The text of a result. Times are kept to the millisecond; of evidence, the bytes are not kept.
#[must_use]
pub fn write_result(result: &PartitionResult) -> String {
    let PartitionResult { partition, basis, started, selection, division, items, missed, checks } = result;
    let Basis { version, commit, content, policy, progress, plugins } = basis;
    let mut document = DocumentMut::new();
    let root = document.as_table_mut();
    let mut set = |key, value: Option<Value>| {
        // A key that is not there needs no taking away.
        if value.is_some() {
            put(root, key, value);
        }
    };
    set("format", Some(FORMAT.into()));
    set("partition", Some(partition.to_string().into()));
    set("mustdo", Some(version.to_string().into()));
    set("started", Some(write_time(*started)));
    set("commit", commit.as_deref().map(line));
    set("content", Some(content.to_string().into()));
    set("policy", Some(policy.to_string().into()));
    set("progress", Some(progress.to_string().into()));
    set("division", Some(division.to_string().into()));
    set("missed", missed.then(|| true.into()));
    set("selection", (!selection.is_all()).then(|| write_selection(selection)));
    let digests: BTreeMap<_, _> =
        plugins.iter().map(|(id, digest)| (id.to_string(), digest.to_string())).collect();
    set(
        "plugins",
        Some(inline(digests.iter().map(|(id, digest)| (id.as_str(), Some(digest.as_str().into()))))),
    );
    set("items", Some(lines(items.iter().map(|id| id.as_str().into()))));
    let nothing = Entry::default();
    for (id, own) in checks {
        let known = Entry { checks: own.clone(), ..Entry::default() };
        // The document is new, so nothing else stands where tables belong.
        let written = child(root, "item").and_then(|items| {
            let table = items.entry(id.as_str()).or_insert_with(|| Item::Table(Written::new()));
            table.as_table_like_mut().map_or(Ok(()), |table| write_entry(table, &nothing, &known))
        });
        debug_assert!(written.is_ok());
    }
    if let Some(Item::Table(items)) = root.get_mut("item") {
        in_order(items);
    }
    document.to_string()
}

fn write_selection(selection: &Selection) -> Value {
    let Selection { names, levels, tags, statuses, changed } = selection;
    let list = |values: Vec<Value>| {
        (!values.is_empty()).then(|| Value::Array(values.into_iter().collect::<Array>()))
    };
    inline([
        ("names", list(names.iter().map(|name| line(name)).collect())),
        ("level", list(levels.iter().map(|level| level.word().into()).collect())),
        ("tag", list(tags.iter().map(|tag| tag.as_str().into()).collect())),
        ("status", list(statuses.iter().map(|status| status.word().into()).collect())),
        ("changed", changed.then(|| true.into())),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use semver::Version;

    use super::*;
    use crate::model::{CheckRecord, Digest, Outcome, Partition, Record, Text, Verdict};

    fn record(outcome: Outcome) -> Record {
        Record {
            verdict: Verdict { outcome, ..Verdict::undecided(Text::new("not \"there\"\n", "不在")) },
            fault: outcome == Outcome::Inconclusive,
            at: Timestamp::from_second(10).unwrap(),
            plugin: Digest::of(b"probe"),
            version: Version::new(1, 2, 3),
            proven: Some(true),
            definition: Digest::of(b"definition"),
            seed: 42,
            commit: None,
            watched: Some(Digest::of(b"watched")),
            targets: [("web".parse().unwrap(), "http://127.0.0.1:1".to_owned())].into(),
            elapsed: Duration::from_millis(7),
            evidence: vec![],
            attempts: vec![],
        }
    }

    pub(super) fn sample() -> PartitionResult {
        let undecided = |outcome| CheckRecord { decided: None, undecided: Some(record(outcome)) };
        PartitionResult {
            partition: Partition::new(2, 4).unwrap(),
            basis: Basis {
                version: Version::new(0, 1, 0),
                commit: Some("1".repeat(40)),
                content: Digest::of(b"content"),
                policy: Digest::of(b"policy"),
                progress: Digest::of(b"progress"),
                plugins: [("acme:probe".parse().unwrap(), Digest::of(b"probe"))].into(),
            },
            started: Timestamp::from_second(5).unwrap(),
            selection: Selection {
                names: vec!["tcp.*".to_owned(), "\"\n".to_owned()],
                levels: vec![Level::Must],
                tags: vec!["http".parse().unwrap()],
                statuses: vec![Status::Stale],
                changed: true,
            },
            division: Digest::of(b"division"),
            items: ["shop.one", "shop.two", "tcp.x"].map(|id| id.parse().unwrap()).into(),
            missed: true,
            checks: [
                (
                    "shop.two".parse().unwrap(),
                    [("acme:probe/b".parse().unwrap(), undecided(Outcome::Skip))].into(),
                ),
                (
                    "shop.one".parse().unwrap(),
                    [("acme:probe/a".parse().unwrap(), undecided(Outcome::Inconclusive))].into(),
                ),
            ]
            .into(),
        }
    }

    fn read(text: &str) -> Read<PartitionResult> {
        read_result(&Source::new("result.toml", text))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let sample = sample();
        let text = write_result(&sample);
        let Read { value, diagnostics } = read(&text);
        assert!(diagnostics.is_empty(), "{diagnostics:?}\n{text}");
        assert_eq!(value.as_ref(), Some(&sample), "{text}");
        let empty = PartitionResult {
            selection: Selection::default(),
            items: BTreeSet::new(),
            checks: BTreeMap::new(),
            missed: false,
            ..sample
        };
        assert_eq!(read(&write_result(&empty)).value, Some(empty));
    }

    #[test]
    fn result_that_contradicts_itself_is_none() {
        let text = write_result(&sample());
        for (right, wrong, code) in [
            ("partition = \"2/4\"", "partition = \"5/4\"", Code::OutOfRange),
            ("\"shop.two\",\n", "\"shop.three\",\n", Code::UnknownItem),
            ("\"shop.two\",\n", "\"shop.two\", \"shop.two\",\n", Code::DuplicateId),
            ("outcome = \"skip\"", "outcome = \"pass\"", Code::MisplacedRecord),
            ("status = [\"stale\"]", "status = [\"stale\"], later = true", Code::UnknownKey),
            (
                "[item.\"shop.two\"",
                "[item.\"shop.one\".claim]\nat = \"2026-01-01T00:00:00Z\"\n[item.\"shop.two\"",
                Code::UselessKey,
            ),
            ("division = ", "divisions = ", Code::MissingKey),
        ] {
            assert!(text.contains(right), "{right}:\n{text}");
            let Read { value, diagnostics } = read(&text.replacen(right, wrong, 1));
            assert_eq!(value, None, "{wrong}");
            assert!(diagnostics.iter().any(|found| found.code == code), "{wrong}: {diagnostics:?}");
        }
    }
}
