//! What plugins and registries tell.

use std::time::Duration;

use jiff::Timestamp;
use semver::Version;

use crate::fetch::read_registry;
use crate::model::{
    Asked, Catalog, Digest, Entry, Exhibit, ItemId, Language, Need, Outcome, Policy, Progress, Record,
    Settings, Verdict,
};
use crate::plugin::{Recording, fuzz};
use crate::report::{self, Format, Input, Report, View};
use crate::syntax::{Source, link, read_checklist, read_progress, write_progress};

use super::assert_plain;

const CHECKLIST: &str = r#"
format = 1
id = "probe"
version = "1.0.0"
title = { en = "Probe", zh = "探" }
[[group]]
id = "probe"
title = { en = "Probe", zh = "探" }
[[item]]
id = "probe.one"
group = "probe"
title = { en = "One", zh = "一" }
level = "must"
weight = 1
[[item.check]]
uses = "test-guest/probe"
"#;

/// What is read of a recording is what stands in it, and what is wrong with one is told in plain words.
pub(super) fn recording(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Recording::read(text) {
        Ok(recording) => {
            assert_eq!(recording.calls() + 2, text.lines().count(), "{text}");
            let _ = recording.concluded();
        }
        Err(error) => assert_plain(&error.to_string(), "what is wrong with a recording"),
    }
}

/// Digest and size of a layer stand in its manifest; what is wrong with one is told in plain words of a bounded length; the
/// address that a challenge leads to is made of its own words.
pub(super) fn registry(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (layer, address) = read_registry(bytes);
    match layer {
        Ok((digest, size)) => {
            // JSON may write any of these characters as an escape.
            let escaped = text.contains('\\');
            assert!(escaped || text.contains(&digest.to_string()), "{digest} is not in {text}");
            assert!(escaped || text.contains(&size.to_string()), "{size} is not in {text}");
        }
        Err(why) => {
            assert_plain(&why, "what is wrong with a manifest");
            assert!(!why.contains('\n') && why.chars().count() < 1_000, "{why}");
        }
    }
    // An escape makes three characters of one.
    assert!(
        address.is_none_or(|address| address.len() <= 3 * text.len() + "?service=&scope=".len()),
        "{text}"
    );
}

pub(super) fn verdict(bytes: &[u8]) {
    let verdict = match fuzz::verdict(bytes) {
        None => return,
        Some(Err(fault)) => return assert_plain(&fault.to_string(), "a fault"),
        Some(Ok(verdict)) => verdict,
    };
    hold(&verdict);
    let record = Record {
        evidence: verdict.evidence.iter().map(Exhibit::from).collect(),
        verdict,
        fault: false,
        at: Timestamp::UNIX_EPOCH,
        plugin: Digest::of(b"plugin"),
        version: Version::new(1, 2, 3),
        proven: Some(false),
        definition: Digest::of(b"definition"),
        seed: 7,
        commit: None,
        watched: None,
        targets: [("web".parse().expect("a name"), "http://127.0.0.1:1".to_owned())].into(),
        elapsed: Duration::from_millis(5),
        attempts: vec![],
    };
    let mut entry = Entry::default();
    entry.checks.entry("test-guest/probe".parse().expect("an id")).or_default().remember(record);
    reported(&entry);
    recorded(entry);
}

/// The rule that keeps a verdict honest, said once more and in other words than the model's.
fn hold(verdict: &Verdict) {
    let musts: Vec<_> = verdict.steps.iter().filter(|step| step.need == Need::Must).collect();
    let any = |outcome| musts.iter().any(|step| step.outcome == outcome);
    match verdict.outcome {
        Outcome::Flaky => panic!("no plugin tells that it is flaky: {verdict:?}"),
        Outcome::Pass => {
            assert!(any(Outcome::Pass) && !any(Outcome::Fail) && !any(Outcome::Inconclusive), "{verdict:?}");
        }
        Outcome::Fail => assert!(any(Outcome::Fail), "{verdict:?}"),
        Outcome::Inconclusive | Outcome::Skip => assert!(!any(Outcome::Fail), "{verdict:?}"),
    }
    if let Some(score) = verdict.score {
        assert!(score.possible > 0.0 && score.earned >= 0.0 && score.earned <= score.possible);
    }
    assert!(verdict.measurements.iter().all(|figure| figure.value.is_finite()));
    assert!(!verdict.summary.en.is_empty() && !verdict.summary.en.contains('\n'));
    let shown = Verdict { evidence: vec![], ..verdict.clone() };
    assert_plain(&format!("{shown:#?}"), "a verdict");
}

fn catalog() -> Catalog {
    let read = read_checklist(&Source::new("probe.toml", CHECKLIST));
    link(vec![read.value.expect("the checklist above can be read")]).catalog
}

fn reported(entry: &Entry) {
    let catalog = catalog();
    let item = catalog.items().next().expect("one item");
    let asked = Settings::default().definitions(item).into_iter().map(|definition| Asked {
        plugin: Some(Digest::of(b"plugin")),
        unbound: std::collections::BTreeSet::new(),
        watched: None,
        targets: entry
            .checks
            .values()
            .filter_map(|known| known.latest())
            .flat_map(|record| record.targets.clone())
            .collect(),
        definition,
    });
    let report = Report::new(Input {
        catalog: &catalog,
        items: vec![item],
        entries: vec![Some(entry)],
        asked: vec![asked.collect()],
        policy: &Policy::default(),
        judgement: None,
        needed: std::collections::BTreeMap::new(),
        comparison: None,
        soft: false,
        now: Timestamp::UNIX_EPOCH,
        workspace: "fuzz".to_owned(),
        revision: None,
        narrowed: false,
        files: report::Files::default(),
    });
    for language in Language::ALL {
        for width in [None, Some(20), Some(80)] {
            let view = View { language, color: false, width, items: true, why: true };
            for format in Format::ALL {
                let text = report::write(&report, format, &view);
                assert_plain(&text, format.word());
                if format == Format::Json {
                    serde_json::from_str::<serde_json::Value>(&text).expect("the report is JSON");
                }
            }
        }
    }
}

/// What is written down is read back as it was.
fn recorded(entry: Entry) {
    let item: ItemId = "probe.one".parse().expect("an id");
    let mut progress = Progress::new("probe".parse().expect("an id"));
    progress.entries.insert(item, entry);
    for known in progress.entries.values_mut().flat_map(|entry| entry.checks.values_mut()) {
        for record in [&mut known.decided, &mut known.undecided].into_iter().flatten() {
            record.verdict.evidence.clear();
        }
    }
    let text = write_progress("", &progress).expect("nothing is in the way");
    let read = read_progress(&Source::new("progress/probe.toml", text.as_str()));
    assert!(read.diagnostics.is_empty(), "{:?}\n{text}", read.diagnostics);
    assert_eq!(read.value.as_ref(), Some(&progress), "{text}");
}

pub(super) fn description(bytes: &[u8]) {
    match fuzz::description(bytes) {
        None => {}
        Some(Err(why)) => assert_plain(&why, "a refusal"),
        Some(Ok(info)) => {
            assert!(!info.checks.is_empty());
            for check in &info.checks {
                assert!(!check.title.en.is_empty());
                assert!(check.capabilities.iter().all(|request| !request.reason.en.is_empty()));
            }
            assert_plain(&format!("{info:#?}"), "a description");
        }
    }
}
