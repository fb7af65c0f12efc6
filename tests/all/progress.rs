//! Progress files: what is written is read, and what is not touched stays.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use mustdo::model::{
    Attempt, CheckRecord, Claim, Digest, Entry, Exhibit, Finding, Location, Measurement, Need, Outcome,
    Progress, Record, Score, Severity, Step, TargetName, Text, Verdict, Waiver,
};
use mustdo::syntax::{
    Source, grant, link, read_checklist, read_progress, read_settings, read_user_settings, render,
    write_progress,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn read(text: &str) -> Progress {
    let read = read_progress(&Source::new("progress", text));
    assert!(read.diagnostics.is_empty(), "{}\n{text}", render(&read.diagnostics, false));
    read.value.unwrap()
}

fn write(old: &str, progress: &Progress) -> String {
    write_progress(old, progress).unwrap()
}

/// Strings that break what is careless with them.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,12}",
        2 => any::<String>(),
        1 => prop::sample::select(vec![
            "", "\"", "\\", "\"\"\"", "'''", "a\nb", "\r\n", "\t", "\u{0}", "\u{7f}", "\u{1b}[31m", "灰度发布", "# no",
            "[item]", "=", "\u{feff}", "\u{2028}", "\u{202e}", "e\u{301}", "{port}",
        ]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![words().prop_map(Text::same), (words(), words()).prop_map(|(en, zh)| Text::new(en, zh))]
}

fn name() -> impl Strategy<Value = TargetName> {
    "[a-z][a-z0-9]{0,3}".prop_map(|name| name.parse().unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_i64..253_402_207_200_000)
        .prop_map(|millis| Timestamp::from_millisecond(millis).unwrap())
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        (-1000_i32..1000).prop_map(f64::from)
    ]
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|number| Digest::of(&number.to_le_bytes()))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(Outcome::TOLD.to_vec())
}

fn step() -> impl Strategy<Value = Step> {
    let need = prop::sample::select(vec![Need::Must, Need::Should]);
    (words(), need, outcome(), text()).prop_map(|(id, need, outcome, summary)| Step {
        id,
        need,
        outcome,
        summary,
    })
}

fn location() -> impl Strategy<Value = Location> {
    let count = || prop::option::of(any::<u32>());
    prop_oneof![
        (name(), words(), count(), count(), count(), count()).prop_map(
            |(target, path, line, column, end_line, end_column)| Location::Source {
                target,
                path,
                line,
                column,
                end_line,
                end_column
            }
        ),
        (name(), words()).prop_map(|(target, request)| Location::Exchange { target, request }),
        name().prop_map(Location::Endpoint),
        name().prop_map(Location::Process),
        words().prop_map(Location::Note),
    ]
}

fn finding() -> impl Strategy<Value = Finding> {
    let severity = prop::sample::select(vec![Severity::Info, Severity::Warning, Severity::Problem]);
    (severity, words(), text(), prop::option::of(location()), prop::option::of(text()))
        .prop_map(|(severity, code, message, at, hint)| Finding { severity, code, message, at, hint })
}

fn figure() -> impl Strategy<Value = Measurement> {
    (words(), number(), words(), any::<u32>(), words()).prop_map(|(name, value, unit, samples, statistic)| {
        Measurement { name, value, unit, samples, statistic }
    })
}

fn exhibit() -> impl Strategy<Value = Exhibit> {
    (words(), words(), 0_u64..1 << 62, digest()).prop_map(|(label, media_type, size, digest)| Exhibit {
        label,
        media_type,
        size,
        digest,
    })
}

/// The verdict with whatever contradicts it changed: steps that bear it out, a score that can be.
fn honest(mut verdict: Verdict) -> Verdict {
    let decided = matches!(verdict.outcome, Outcome::Pass | Outcome::Fail | Outcome::Flaky);
    let outcome = if verdict.outcome == Outcome::Flaky { Outcome::Pass } else { verdict.outcome };
    if decided && verdict.steps.is_empty() {
        let summary = Text::default();
        verdict.steps.push(Step { id: String::new(), need: Need::Must, outcome, summary });
    }
    for (position, step) in verdict.steps.iter_mut().enumerate() {
        step.id.push_str(&format!("-{position}"));
        step.outcome = outcome;
        if decided && position == 0 {
            step.need = Need::Must;
        }
    }
    let can_be = |score: &Score| score.possible > 0.0 && (0.0..=score.possible).contains(&score.earned);
    verdict.score = verdict.score.filter(can_be);
    verdict.validate().expect("an honest verdict");
    verdict
}

fn record(outcome: impl Strategy<Value = Outcome>) -> impl Strategy<Value = Record> {
    let score =
        prop::option::of((number(), number()).prop_map(|(earned, possible)| Score { earned, possible }));
    let verdict = (
        outcome,
        text(),
        score,
        prop::collection::vec(step(), 0..3),
        prop::collection::vec(finding(), 0..3),
        prop::collection::vec(figure(), 0..3),
    )
        .prop_map(|(outcome, summary, score, steps, findings, measurements)| {
            honest(Verdict { outcome, summary, score, steps, findings, evidence: vec![], measurements })
        });
    let version = prop::sample::select(vec!["0.1.0", "1.2.3-rc.1+build.5", "10.20.30"]);
    let targets = prop::collection::btree_map(name(), words(), 0..3);
    let fault = any::<bool>();
    let run = (verdict, fault, time(), digest(), version, digest(), any::<u64>());
    let tree = (prop::option::of(words()), prop::option::of(digest()));
    let seen = (prop::collection::vec(exhibit(), 0..3), 0_u64..1 << 62);
    (run, tree, targets, seen).prop_map(
        |(
            (verdict, fault, at, plugin, version, definition, seed),
            (commit, watched),
            targets,
            (evidence, millis),
        )| {
            Record {
                // A run that broke decides nothing.
                fault: fault && !matches!(verdict.outcome, Outcome::Pass | Outcome::Fail | Outcome::Flaky),
                // One that was asked once is not flaky, and one that passed at once was asked once.
                attempts: match verdict.outcome {
                    Outcome::Pass => vec![],
                    Outcome::Flaky => vec![Attempt {
                        summary: verdict.summary.clone(),
                        fault,
                        elapsed: Duration::from_millis(millis),
                    }],
                    Outcome::Fail | Outcome::Inconclusive | Outcome::Skip => (0..millis % 3)
                        .map(|count| Attempt {
                            summary: verdict.summary.clone(),
                            fault,
                            elapsed: Duration::from_millis(count),
                        })
                        .collect(),
                },
                verdict,
                at,
                plugin,
                version: version.parse().unwrap(),
                proven: Some(false),
                definition,
                seed,
                commit,
                watched,
                targets,
                elapsed: Duration::from_millis(millis),
                evidence,
            }
        },
    )
}

fn check() -> impl Strategy<Value = CheckRecord> {
    let decided = record(prop::sample::select(vec![Outcome::Pass, Outcome::Fail]));
    let undecided = record(prop::sample::select(vec![Outcome::Inconclusive, Outcome::Skip, Outcome::Flaky]));
    (prop::option::of(decided), prop::option::of(undecided))
        .prop_map(|(decided, undecided)| CheckRecord { decided, undecided })
        .prop_filter("not empty", |check| *check != CheckRecord::default())
}

fn entry() -> impl Strategy<Value = Entry> {
    let claim = (time(), prop::option::of(words()), prop::collection::vec(words(), 0..3))
        .prop_map(|(at, note, links)| Claim { at, note, links });
    let day = (0_i16..=9999, 1_i8..=12, 1_i8..=28)
        .prop_map(|(year, month, day)| Date::new(year, month, day).unwrap());
    let waiver =
        (time(), words(), day).prop_map(|(at, why, until)| Waiver { at, why: format!("{why}."), until });
    let id = prop::sample::select(vec!["a/b", "http-idempotency/safe-get", "acme:http-extra/a-b"]);
    let checks = prop::collection::btree_map(id.prop_map(|id| id.parse().unwrap()), check(), 0..3);
    (prop::option::of(claim), prop::option::of(waiver), checks)
        .prop_map(|(claim, waiver, checks)| Entry { claim, waiver, checks })
        .prop_filter("not empty", |entry| !entry.is_empty())
}

fn progress() -> impl Strategy<Value = Progress> {
    let id = "[a-c]\\.[a-e](\\.x)?".prop_map(|id| id.parse().unwrap());
    prop::collection::btree_map(id, entry(), 0..5)
        .prop_map(|entries| Progress { checklist: "x".parse().unwrap(), entries })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn what_is_written_is_read(progress in progress()) {
        let text = write("", &progress);
        prop_assert_eq!(&read(&text), &progress, "{}", text);
        prop_assert_eq!(write(&text, &progress), text);
    }

    #[test]
    fn written_over_another_it_reads_the_same(old in progress(), new in progress()) {
        let text = write(&write("", &old), &new);
        prop_assert_eq!(&read(&text), &new, "{}", text);
        prop_assert_eq!(write(&text, &new), text);
    }

    #[test]
    fn only_the_tables_of_changed_items_change(old in progress(), changed in entry()) {
        let text = write("", &old);
        let id = "b.changed".parse().unwrap();
        let mut new = old.clone();
        new.entries.insert(id, changed);
        let added = write(&text, &new);
        let lines: Vec<_> = added.lines().collect();
        let start = lines.iter().position(|line| line.starts_with("[item.\"b.changed\"]")).unwrap();
        let rest = lines[start..].iter().position(|line| line.starts_with("[item") && !line.contains("b.changed"));
        let without = [&lines[..start], &lines[rest.map_or(lines.len(), |rest| start + rest)..]].concat().join("\n");
        prop_assert_eq!(without.trim_end(), text.trim_end());
        prop_assert_eq!(write(&added, &old), text);
    }

    #[test]
    fn no_text_makes_a_reader_panic(fragments in prop::collection::vec(prop_oneof![
        prop::sample::select(vec![
            "format = 1\n", "[[item]]\n", "[[group]]\n", "[item.\"a\"]\n", "[targets.web]\n", "[[item.check]]\n",
            "id = ", "\"a\"", "'", "\"\"\"", "{", "}", "[", "]", ",", "=", ".", "\n", "\r\n", "needs", "with", "kind",
            "url", "claim", "check", "title", "1e999", "nan", "0x", "2026-03-01", "true", "灰", "\u{feff}", "\u{0}",
            "uses = \"a/b\"\n", "run = []\n", "url = \"http://[::1]:{port}\"\n", "policy", "grants", "allow",
        ]).prop_map(str::to_owned),
        any::<String>(),
    ], 0..40)) {
        let source = Source::new("x", fragments.concat());
        let checklist = read_checklist(&source);
        let mut found = checklist.diagnostics;
        found.extend(link(checklist.value.into_iter().collect()).diagnostics);
        found.extend(read_settings(&source).diagnostics);
        found.extend(read_user_settings(&source).diagnostics);
        found.extend(read_progress(&source).diagnostics);
        prop_assert!(!render(&found, true).is_empty());
        let empty = Progress { checklist: "x".parse().unwrap(), entries: BTreeMap::new() };
        if let Ok(text) = write_progress(&source.text, &empty) {
            prop_assert_eq!(&read(&text), &empty);
        }
        let allow = ["listen".parse().unwrap()].into();
        let given = mustdo::model::Grant { allow, ..mustdo::model::Grant::new(Digest::of(b"")) };
        let plugin = "a".parse().unwrap();
        if let Ok(text) = grant(&source.text, &plugin, &given) {
            let read = read_settings(&Source::new("x", text.as_str())).value.unwrap();
            prop_assert_eq!(read.settings().grants.get(&plugin), Some(&given), "{}", text);
        }
    }
}

#[test]
fn what_is_written_fits_the_schema_for_editors() {
    let schema = serde_json::from_str(mustdo::syntax::schema::PROGRESS).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..32 {
        let mut progress = progress().new_tree(&mut runner).unwrap().current();
        for record in progress.entries.values_mut().flat_map(|entry| entry.checks.values_mut()) {
            for record in [&mut record.decided, &mut record.undecided].into_iter().flatten() {
                // What only a run can give, and a schema for editors is right to be narrow about.
                record.commit = Some(format!("{:040x}+", record.seed));
                record.verdict.score = Some(Score { earned: 1.0, possible: 2.0 });
                for (index, step) in record.verdict.steps.iter_mut().enumerate() {
                    step.id = format!("step-{index}");
                }
            }
        }
        for claim in progress.entries.values_mut().filter_map(|entry| entry.claim.as_mut()) {
            claim.links = vec!["https://example.com".to_owned()];
        }
        let text = write("", &progress);
        let json = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
        let wrong: Vec<_> =
            schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{text}");
    }
}

const SAMPLE: &str = r#"# Mine.
format = 1
checklist = "shop"
next = "of a newer version"

# I did this on a Sunday.
[item."shop.order"]
claim = { at = "2026-03-01T09:30:00Z", note = "see the tests" } # proud
mood = "good"

[item."shop.pay"]
waiver   =   { at = '2026-03-01T09:30:00Z', why = "no bank", until = "2026-12-31" }

[item."shop.pay".check."http-idempotency/safe-get"]
outcome = "pass"
at = "2026-03-01T09:30:00.125Z"
summary = { en = "reading changes nothing", zh = "读取不改变任何东西" }
plugin = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
version = "0.1.0"
definition = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
seed = "00000000c0ffee00"
millis = 12
steps = [
    { id = "reads", need = "must", outcome = "pass", summary = "ok" },
]
weather = "fine" # of a newer version

[later]
key = 1
# The end.
"#;

#[test]
fn nothing_changed_is_nothing_written() {
    assert_eq!(write(SAMPLE, &read(SAMPLE)), SAMPLE);
    let windows = SAMPLE.replace('\n', "\r\n");
    assert_eq!(write(&windows, &read(&windows)), windows);
}

#[test]
fn new_item_goes_to_its_place_and_everything_else_stays() {
    let mut progress = read(SAMPLE);
    let claim = Claim { at: Timestamp::UNIX_EPOCH, note: None, links: vec!["https://x.test".to_owned()] };
    progress
        .entries
        .insert("shop.order-list".parse().unwrap(), Entry { claim: Some(claim), ..Entry::default() });
    let new = "[item.\"shop.order-list\"]\nclaim = { at = \"1970-01-01T00:00:00Z\", links = [\"https://x.test\"] }\n\n";
    assert_eq!(
        write(SAMPLE, &progress),
        SAMPLE.replace("[item.\"shop.pay\"]", &format!("{new}[item.\"shop.pay\"]"))
    );
}

#[test]
fn what_a_newer_version_wrote_survives_a_change_and_a_removal() {
    let mut progress = read(SAMPLE);
    progress.entries.clear();
    let text = write(SAMPLE, &progress);
    assert_eq!(read(&text), progress);
    for kept in [
        "# Mine.",
        "next = \"of a newer version\"",
        "mood = \"good\"",
        "weather = \"fine\"",
        "[later]",
        "# The end.",
    ] {
        assert!(text.contains(kept), "{kept} is gone:\n{text}");
    }
    assert!(!text.contains("claim") && !text.contains("outcome"), "{text}");
}

#[test]
fn item_without_anything_left_is_removed_whole() {
    let one = read(SAMPLE).entries.remove("shop.pay").unwrap();
    let progress =
        Progress { checklist: "shop".parse().unwrap(), entries: [("a".parse().unwrap(), one)].into() };
    let text = write("", &progress);
    let empty = Progress::new("shop".parse().unwrap());
    assert_eq!(write(&text, &empty), "format = 1\nchecklist = \"shop\"\n");
}

#[test]
fn inconclusive_attempt_adds_a_table_and_changes_no_line() {
    let mut progress = read(SAMPLE);
    let check = progress.entries.get_mut("shop.pay").unwrap().checks.values_mut().next().unwrap();
    let mut record = check.decided.clone().unwrap();
    record.verdict.outcome = Outcome::Inconclusive;
    check.remember(record);
    let text = write(SAMPLE, &progress);
    assert_eq!(read(&text), progress);
    let (before, after) =
        text.split_once("\n[item.\"shop.pay\".check.\"http-idempotency/safe-get\".undecided]").unwrap();
    let end = after.find("\n[later]").unwrap();
    assert_eq!(format!("{before}{}", &after[end..]), SAMPLE);
}

#[test]
fn broken_file_is_never_written_over() {
    let progress = Progress::new("shop".parse().unwrap());
    for broken in
        ["[", "format = 2\nchecklist = \"shop\"", "item = 1", "format = 1\nchecklist = \"shop\"\nitem = []"]
    {
        assert!(write_progress(broken, &progress).is_err(), "{broken}");
    }
}
