//! Progress that was recorded on several sides at once and comes together.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mustdo::model::{
    CheckRecord, Claim, Digest, Entry, Need, Outcome, Progress, Record, Step, Text, Verdict, Waiver,
};
use mustdo::syntax::{Source, merge_progress, read_progress, write_progress};
use proptest::prelude::*;

use crate::history::Learner;
use crate::sandbox::Sandbox;

/// What somebody does to an item.
#[derive(Debug, Clone)]
enum Deed {
    Claim(String),
    Unclaim,
    Waive,
    Record(u8, Outcome),
}

/// A deed on one of a few items, so that sides meet.
fn deed() -> impl Strategy<Value = (u8, Deed)> {
    let outcome = prop::sample::select(vec![Outcome::Pass, Outcome::Fail, Outcome::Inconclusive]);
    let deed = prop_oneof![
        3 => "[a-c]{1,2}".prop_map(Deed::Claim),
        1 => Just(Deed::Unclaim),
        1 => Just(Deed::Waive),
        4 => (0..2_u8, outcome).prop_map(|(check, outcome)| Deed::Record(check, outcome)),
    ];
    (0..5_u8, deed)
}

fn moment(step: u32) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + i64::from(step)).unwrap()
}

fn record(outcome: Outcome, step: u32) -> Record {
    let summary = Text::same(format!("seen in step {step}"));
    let judged = Step { id: "step".to_owned(), need: Need::Must, outcome, summary: summary.clone() };
    Record {
        verdict: Verdict {
            outcome,
            summary,
            score: None,
            steps: vec![judged],
            findings: vec![],
            evidence: vec![],
            measurements: vec![],
        },
        fault: false,
        at: moment(step),
        plugin: Digest::of(b"plugin"),
        version: semver::Version::new(0, 1, 0),
        proven: Some(true),
        definition: Digest::of(b"definition"),
        seed: u64::from(step),
        commit: None,
        watched: None,
        targets: BTreeMap::new(),
        elapsed: Duration::from_millis(1),
        evidence: vec![],
        attempts: vec![],
    }
}

/// Does one deed after another, from `first` on in the order of all that is done on any side.
fn after(text: &str, deeds: &[(u8, Deed)], first: u32) -> String {
    let mut text = text.to_owned();
    for (step, (item, deed)) in (first..).zip(deeds) {
        let mut progress = read(&text);
        let id: mustdo::model::ItemId = format!("own.{}", char::from(b'a' + item)).parse().unwrap();
        let mut entry = progress.entries.remove(&id).unwrap_or_default();
        match deed {
            Deed::Claim(note) => {
                let links = vec![format!("https://example.org/{note}")];
                entry.claim = Some(Claim { at: moment(step), note: Some(note.clone()), links });
            }
            Deed::Unclaim => entry.claim = None,
            Deed::Waive => {
                let why = format!("step {step}");
                entry.waiver = Some(Waiver { at: moment(step), why, until: jiff::civil::date(2027, 1, 1) });
            }
            Deed::Record(check, outcome) => {
                let uses = format!("plugin/check-{check}").parse().unwrap();
                let known: &mut CheckRecord = entry.checks.entry(uses).or_default();
                known.remember(record(*outcome, step));
            }
        }
        if entry != Entry::default() {
            progress.entries.insert(id, entry);
        }
        text = write_progress(&text, &progress).unwrap();
    }
    text
}

fn read(text: &str) -> Progress {
    if text.is_empty() {
        return Progress::new("own".parse().unwrap());
    }
    let read = read_progress(&Source::new("progress", text));
    assert!(read.diagnostics.is_empty(), "{:?}\n{text}", read.diagnostics);
    read.value.unwrap()
}

/// Every order of `sides` folded into one.
fn orders(base: &str, sides: &[String]) -> Vec<String> {
    match sides {
        [] => vec![base.to_owned()],
        [one] => vec![one.clone()],
        _ => (0..sides.len())
            .flat_map(|last| {
                let mut others = sides.to_vec();
                let side = others.remove(last);
                let merged = orders(base, &others).into_iter();
                merged.map(move |merged| merge_progress(base, &merged, &side).unwrap()).collect::<Vec<_>>()
            })
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever is done on whatever side, it comes together without a conflict, in any order the same, and nothing is lost.
    #[test]
    fn concurrent_histories_come_together(
        common in prop::collection::vec(deed(), 0..8),
        sides in prop::collection::vec(prop::collection::vec(deed(), 0..6), 2..4),
    ) {
        let base = after("", &common, 0);
        let mut first = 100;
        let mut texts = vec![];
        for (side, deeds) in sides.iter().enumerate() {
            // The sides take turns: each may be the newest about something.
            texts.push(after(&base, deeds, first));
            first += 7 + u32::try_from(side).unwrap();
        }
        let merged = orders(&base, &texts);
        let whole = read(&merged[0]);
        for other in &merged {
            prop_assert_eq!(&read(other), &whole);
        }
        let (old, sides): (Progress, Vec<Progress>) = (read(&base), texts.iter().map(|text| read(text)).collect());
        for side in &sides {
            for (id, entry) in &side.entries {
                let before = old.entries.get(id).cloned().unwrap_or_default();
                let now = whole.entries.get(id).cloned().unwrap_or_default();
                for (check, known) in &entry.checks {
                    let newest = sides.iter().filter_map(|side| side.entries.get(id)?.checks.get(check)?.decided.clone());
                    let newest = newest.max_by_key(|record| record.at);
                    let kept = now.checks.get(check).and_then(|check| check.decided.clone());
                    prop_assert_eq!(&kept, &newest, "the newest verdict wins");
                    if let Some(attempt) = &known.undecided {
                        let told = now.checks[check].latest().unwrap().at >= attempt.at;
                        prop_assert!(told, "an attempt is there, or something newer");
                    }
                }
                if let Some(claim) = entry.claim.as_ref().filter(|_| entry.claim != before.claim) {
                    let now = now.claim.expect("what was claimed on a side is claimed");
                    prop_assert!(now.note.unwrap().split("\n\n").any(|note| Some(note) == claim.note.as_deref()));
                    prop_assert!(claim.links.iter().all(|link| now.links.contains(link)));
                }
                if let Some(waiver) = &entry.waiver {
                    prop_assert!(now.waiver.is_some_and(|now| now.at >= waiver.at));
                }
            }
        }
        for id in whole.entries.keys() {
            prop_assert!(sides.iter().any(|side| side.entries.contains_key(id)), "nothing comes from nowhere");
        }
        // A side that knows everything already changes nothing.
        for text in &texts {
            prop_assert_eq!(&read(&merge_progress(text, &merged[0], text).unwrap()), &whole);
        }
    }
}

/// Commits what a side did, on a branch of its own.
fn branch(learner: &Learner, name: &str, deeds: &[(u8, Deed)], first: u32) {
    learner.sandbox.git(&["checkout", "--quiet", "-b", name, "start"]);
    let old = learner.sandbox.read("progress/own.toml");
    learner.sandbox.write("progress/own.toml", &after(&old, deeds, first));
    learner.commit("2026-03-01T00:00:00Z", name);
}

#[test]
fn git_merges_progress_item_by_item_once_init_told_it_how() {
    let learner = Learner::new();
    let claim = |note: &str| Deed::Claim(note.to_owned());
    learner.sandbox.write("progress/own.toml", &after("", &[(2, claim("begin"))], 0));
    learner.commit("2026-02-01T00:00:00Z", "start");
    learner.sandbox.git(&["tag", "start"]);
    branch(&learner, "one", &[(0, claim("one")), (2, Deed::Record(0, Outcome::Fail))], 10);
    branch(&learner, "two", &[(1, claim("two")), (2, Deed::Record(0, Outcome::Pass)), (0, claim("too"))], 20);
    learner.sandbox.git(&["merge", "--quiet", "--no-edit", "one"]);
    let merged = read(&learner.sandbox.read("progress/own.toml"));
    let entry = |id: &str| &merged.entries[id];
    assert_eq!(entry("own.a").claim.as_ref().unwrap().note.as_deref(), Some("one\n\ntoo"));
    assert_eq!(entry("own.b").claim.as_ref().unwrap().note.as_deref(), Some("two"));
    let check = &entry("own.c").checks[&"plugin/check-0".parse().unwrap()];
    assert_eq!(check.decided.as_ref().unwrap().verdict.outcome, Outcome::Pass);
    assert_eq!(learner.sandbox.git(&["status", "--porcelain"]), "");
}

#[test]
fn side_that_can_not_be_read_is_a_conflict() {
    let learner = Learner::new();
    learner.sandbox.write("progress/own.toml", &after("", &[(0, Deed::Waive)], 0));
    learner.commit("2026-02-01T00:00:00Z", "start");
    learner.sandbox.git(&["tag", "start"]);
    branch(&learner, "one", &[(1, Deed::Waive)], 10);
    learner.sandbox.git(&["checkout", "--quiet", "-b", "two", "start"]);
    learner
        .sandbox
        .write("progress/own.toml", "format = 1\nchecklist = \"own\"\n[item.\"own.a\"]\nclaim = 3\n");
    learner.commit("2026-03-01T00:00:00Z", "two");
    let status =
        learner.sandbox.command("git").args(["merge", "--quiet", "--no-edit", "one"]).output().unwrap();
    assert!(!status.status.success());
    assert!(learner.sandbox.git(&["status", "--porcelain"]).contains("UU progress/own.toml"));
}

#[test]
fn init_teaches_a_clone_too_and_says_nothing_the_second_time() {
    let sandbox = Sandbox::workspace();
    assert_eq!(sandbox.read(".gitattributes"), "/progress/*.toml merge=mustdo\n");
    let driver = || sandbox.git(&["config", "--local", "merge.mustdo.driver"]);
    assert!(driver().trim_end().ends_with("merge-driver %O %A %B %P"), "{}", driver());
    let again = sandbox.run(&["init"]).ends(0).stdout;
    assert!(again.contains("nothing to do"), "{again}");
    sandbox.git(&["config", "--local", "--unset", "merge.mustdo.driver"]);
    let cloned = sandbox.run(&["init"]).ends(0).stdout;
    assert!(cloned.contains("told git how") && !cloned.contains(".gitattributes"), "{cloned}");
    driver();
}
