//! Progress over commits: `history`, `report --rev`, and what both tell of the past.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use mustdo::model::{
    CheckRecord, Claim, Digest, Entry, Item, Measurement, Need, Outcome, Progress, Record, Settings, Step,
    Text, Verdict,
};
use mustdo::store::{PLUGINS, Workspace};
use mustdo::syntax::{ProgressReader, Source, link, read_checklist, read_progress, write_progress};
use serde_json::Value;

use crate::sandbox::Sandbox;

const CHECKLIST: &str = r#"format = 1
id = "own"
version = "1.0.0"
title = { zh = "自己的", en = "Own" }

[[group]]
id = "own"
title = { zh = "组", en = "Group" }

[[item]]
id = "own.get"
group = "own"
title = { zh = "GET 安全", en = "GET is safe" }
level = "must"
weight = 3
kind = "verify"
fresh-for = "30d"
[[item.check]]
uses = "http-idempotency/safe-get"
target = { api = "web" }
watch = ["app/**/*.py"]

[[item]]
id = "own.read"
group = "own"
title = { zh = "读过", en = "Read it" }
level = "should"
weight = 1
kind = "evidence"
"#;

/// A workspace with a checklist of its own, an application that its proof watches, and a repository.
pub(crate) struct Learner {
    pub(crate) sandbox: Sandbox,
}

impl Learner {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::workspace();
        sandbox.write("checklists/own.toml", CHECKLIST);
        sandbox.write("app/shop.py", "first\n");
        Self { sandbox }
    }

    /// Commits everything at a moment; the commit's id.
    pub(crate) fn commit(&self, at: &str, message: &str) -> String {
        self.sandbox.git(&["add", "--all"]);
        let mut command = self.sandbox.command("git");
        command.args(["commit", "--quiet", "--allow-empty", "-m", message]);
        command.env("GIT_COMMITTER_DATE", at).env("GIT_AUTHOR_DATE", at);
        assert!(command.status().unwrap().success());
        self.sandbox.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Records a verdict of the check of `own.get`, as the files are now.
    pub(crate) fn record(&self, outcome: Outcome, at: &str) {
        let entry = Entry { checks: [self.check(outcome, at)].into(), ..Entry::default() };
        self.remember("own.get", entry);
    }

    /// Records that the check of `own.get` passed, by the word of a plugin that is unproven itself.
    pub(crate) fn record_unproven(&self, at: &str) {
        let (check, mut known) = self.check(Outcome::Pass, at);
        known.decided.as_mut().unwrap().proven = Some(false);
        self.remember("own.get", Entry { checks: [(check, known)].into(), ..Entry::default() });
    }

    fn check(&self, outcome: Outcome, at: &str) -> (mustdo::model::CheckId, CheckRecord) {
        let item = self.item();
        let definition = &Settings::default().definitions(&item)[0];
        let mut known = CheckRecord::default();
        known.remember(self.verdict(outcome, at, definition.digest()));
        (definition.uses.clone(), known)
    }

    fn item(&self) -> Item {
        let source = Source::new("checklists/own.toml", self.sandbox.read("checklists/own.toml"));
        let linked = link(vec![read_checklist(&source).value.unwrap()]);
        linked.catalog.item(&"own.get".parse().unwrap()).unwrap().clone()
    }

    fn verdict(&self, outcome: Outcome, at: &str, definition: Digest) -> Record {
        let plugin = PLUGINS.iter().find(|plugin| plugin.id == "http-idempotency").unwrap();
        let watched = Workspace::at(self.sandbox.path()).watched(&["app/**/*.py".to_owned()]).unwrap();
        let summary = Text::same("seen");
        let step = Step { id: "step".to_owned(), need: Need::Must, outcome, summary: summary.clone() };
        let verdict = Verdict {
            outcome,
            summary,
            score: None,
            steps: vec![step],
            findings: vec![],
            evidence: vec![],
            measurements: vec![Measurement {
                name: "requests".to_owned(),
                value: 7.0,
                unit: String::new(),
                samples: 1,
                statistic: String::new(),
            }],
        };
        Record {
            verdict,
            fault: false,
            at: at.parse().unwrap(),
            plugin: plugin.digest,
            version: semver::Version::new(0, 1, 0),
            proven: Some(true),
            definition,
            seed: 1,
            commit: None,
            watched,
            targets: BTreeMap::new(),
            elapsed: Duration::from_millis(5),
            evidence: vec![],
            attempts: vec![],
        }
    }

    /// Claims an item.
    pub(crate) fn claim(&self, item: &str, at: &str) {
        let claim = Claim { at: at.parse().unwrap(), note: None, links: vec![] };
        self.remember(item, Entry { claim: Some(claim), ..Entry::default() });
    }

    fn remember(&self, item: &str, entry: Entry) {
        let name = "progress/own.toml";
        let old =
            if self.sandbox.path().join(name).exists() { self.sandbox.read(name) } else { String::new() };
        let mut progress = match read_progress(&Source::new(name, old.clone())).value {
            Some(progress) if !old.is_empty() => progress,
            _ => Progress::new("own".parse().unwrap()),
        };
        progress.entries.insert(item.parse().unwrap(), entry);
        self.sandbox.write(name, &write_progress(&old, &progress).unwrap());
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.sandbox.run(arguments);
        serde_json::from_str(&printed.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", printed.stdout, printed.stderr))
    }
}

/// Each version's total of one status, and what changed: `item from to`.
fn told(history: &Value) -> Vec<(Value, Vec<String>)> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let change = |change: &Value| [&change["item"], &change["from"], &change["to"]].map(word).join(" ");
    let version = |version: &Value| {
        let changes = version["changes"].as_array().unwrap().iter().map(change).collect();
        (version["total"]["readiness"].clone(), changes)
    };
    history["versions"].as_array().unwrap().iter().map(version).collect()
}

#[test]
fn history_tells_when_an_item_was_proven_failed_and_went_stale() {
    let learner = Learner::new();
    learner.commit("2026-01-01T00:00:00Z", "begin");
    learner.record(Outcome::Fail, "2026-01-02T00:00:00Z");
    learner.commit("2026-01-02T00:01:00Z", "verify");
    learner.claim("own.read", "2026-01-03T00:00:00Z");
    learner.record(Outcome::Pass, "2026-01-03T00:00:00Z");
    learner.commit("2026-01-03T00:01:00Z", "verify");
    learner.sandbox.write("README", "nothing that a proof depends on\n");
    learner.commit("2026-01-04T00:00:00Z", "words");
    learner.sandbox.write("app/shop.py", "second\n");
    let broken = learner.commit("2026-01-05T00:00:00Z", "work");
    learner.sandbox.write("app/shop.py", "first\n");
    learner.commit("2026-01-06T00:00:00Z", "back");
    learner.sandbox.write("README", "later\n");
    learner.commit("2026-04-01T00:00:00Z", "words");

    let history = learner.json(&["history", "--format", "json"]);
    let seen = told(&history);
    let seen: Vec<_> =
        seen.iter().map(|(readiness, changes)| (readiness.as_i64(), changes.join(", "))).collect();
    let wanted = [
        (Some(0), ""),
        (Some(0), "own.get open failing"),
        (Some(75), "own.get failing proven, own.read open claimed"),
        (Some(75), ""),
        (Some(0), "own.get proven stale"),
        (Some(75), "own.get stale proven"),
        (Some(0), "own.get proven stale"),
        (Some(0), ""),
    ];
    assert_eq!(seen, wanted.map(|(readiness, changes)| (readiness, changes.to_owned())));
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions[4]["revision"], broken.as_str());
    assert_eq!(versions[4]["changes"][0]["staleness"][0]["reason"], "watched");
    // A proof that grew old did so when it ended, not when somebody committed something.
    assert_eq!(versions[6]["changes"][0]["at"], "2026-02-02T00:00:00Z");
    assert_eq!(versions[6]["changes"][0]["staleness"][0]["reason"], "age");

    let table = learner.sandbox.run(&["history", "--items"]).ends(0).stdout;
    for part in
        ["8 versions", "2026-01-05 00:00", "↻1", "own.get  GET is safe", "2026-02-02 00:00 UTC  ↻ stale"]
    {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let narrowed = learner.json(&["history", "own.read", "--format", "json"]);
    assert_eq!(told(&narrowed).iter().filter(|(_, changes)| !changes.is_empty()).count(), 1);
}

#[test]
fn difference_of_two_commits_tells_content_and_progress() {
    let learner = Learner::new();
    learner.record(Outcome::Pass, "2026-01-02T00:00:00Z");
    learner.claim("own.read", "2026-01-02T00:00:00Z");
    let base = learner.commit("2026-01-02T00:01:00Z", "verify");
    learner.sandbox.git(&["checkout", "--quiet", "-b", "other"]);
    learner.record(Outcome::Fail, "2026-01-03T00:00:00Z");
    let renamed = CHECKLIST
        .replace("id = \"own.read\"", "id = \"own.studied\"\nformerly = [\"own.read\"]")
        .replace("1.0.0", "1.1.0");
    learner.sandbox.write("checklists/own.toml", &renamed);
    let there = learner.commit("2026-01-03T00:01:00Z", "rename and break");
    learner.sandbox.git(&["checkout", "--quiet", "main"]);
    learner.sandbox.write("notes.txt", "nothing of progress\n");
    learner.commit("2026-04-09T00:01:00Z", "later");

    let found = learner.json(&["diff", "main...other", "--format", "json"]);
    assert_eq!((&found["from"], &found["to"]), (&base.into(), &there.into()));
    let rows: Vec<_> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            ["id", "formerly", "content", "before", "after"]
                .map(|key| item[key].as_str().unwrap_or("-").to_owned())
        })
        .collect();
    let wanted = [
        ["own.get", "-", "same", "proven", "failing"],
        ["own.studied", "own.read", "changed", "claimed", "claimed"],
    ];
    assert_eq!(rows, wanted.map(|row| row.map(str::to_owned)));
    assert_eq!(found["items"][0]["failures"][0]["en"], "seen");
    assert_eq!(found["checklists"][0]["after"], "1.1.0");
    // What time alone did is nobody's change: the proof of main has grown old, and is as old on both sides.
    let same = learner.sandbox.run(&["diff", "HEAD~1..HEAD"]).ends(0);
    assert!(same.stdout.contains("Nothing is different."), "{}", same.stdout);
    let text = learner.sandbox.run(&["diff", "main...other"]).ends(0).stdout;
    for part in
        ["readiness 75% → 0%", "own 1.0.0 → 1.1.0", "~  own.studied", "✘  own.get", "proven → failing"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let markdown = learner.sandbox.run(&["diff", "main...other", "--format", "markdown"]).ends(0).stdout;
    assert!(markdown.contains("- ✘ `own.get` GET is safe: proven → failing\n"), "{markdown}");
    learner.sandbox.run(&["diff", "main..nowhere"]).ends(2);
}

#[test]
fn only_what_is_stale_failing_or_changed_is_verified_when_asked() {
    let learner = Learner::new();
    learner.record(Outcome::Pass, "2026-05-31T00:00:00Z");
    // Without a target nothing runs, and whatever was to be run is named.
    let named = |flags: &[&str]| {
        let printed = learner.sandbox.run(&[&["verify"], flags].concat());
        (printed.code, printed.stderr.contains("not run: own.get"))
    };
    assert_eq!(named(&["--stale"]), (0, false));
    assert_eq!(named(&["--failed"]), (0, false));
    assert_eq!(named(&["--changed"]), (0, false));
    learner.sandbox.write("app/shop.py", "not committed\n");
    assert_eq!(named(&["--stale"]), (3, true));
    assert_eq!(named(&["--changed"]), (3, true));
    assert_eq!(named(&["--failed"]), (0, false));
    learner.record(Outcome::Fail, "2026-05-31T00:00:00Z");
    assert_eq!(named(&["--failed"]), (1, true));
    // Nothing was asked for, and what is recorded fails all the same.
    assert_eq!(named(&["--changed"]), (1, false));
    learner.sandbox.write("app/shop.py", "mended\n");
    assert_eq!(named(&["--changed"]), (1, true));
    assert_eq!(named(&["--stale"]), (1, false));
    assert_eq!(named(&["own.read", "--stale", "--failed", "--changed"]), (0, false));
}

#[test]
fn commit_is_reported_as_it_was_when_it_was_made() {
    let learner = Learner::new();
    learner.record(Outcome::Pass, "2026-01-03T00:00:00Z");
    let proven = learner.commit("2026-01-03T00:01:00Z", "verify");
    learner.sandbox.write("app/shop.py", "second\n");
    learner.commit("2026-01-05T00:00:00Z", "work");
    learner.record(Outcome::Fail, "2026-05-31T00:00:00Z");

    let status = |revision: Option<&str>| {
        let mut arguments = vec!["report", "--format", "json"];
        arguments.extend(revision.iter().flat_map(|revision| ["--rev", revision]));
        let report = learner.json(&arguments);
        let item = &report["checklists"][0]["groups"][0]["items"][0];
        (item["status"].as_str().unwrap().to_owned(), report["revision"].clone(), report["generated"].clone())
    };
    assert_eq!(status(Some("HEAD~1")), ("proven".to_owned(), proven.into(), "2026-01-03T00:01:00Z".into()));
    assert_eq!(status(Some("HEAD")).0, "stale");
    assert_eq!(status(None).0, "failing");
    learner.sandbox.run(&["report", "--rev", "HEAD~1"]).ends(0);
    let unknown = learner.sandbox.run(&["report", "--rev", "nowhere"]).ends(2);
    assert!(unknown.stderr.contains("there is no commit \"nowhere\""), "{}", unknown.stderr);
}

#[test]
fn version_that_can_not_be_read_is_told_and_not_guessed() {
    let learner = Learner::new();
    learner.claim("own.read", "2026-01-01T00:00:00Z");
    learner.commit("2026-01-01T00:01:00Z", "tick");
    let good = learner.sandbox.read("progress/own.toml");
    learner.sandbox.write("progress/own.toml", &format!("<<<<<<< ours\n{good}"));
    learner.commit("2026-01-02T00:01:00Z", "merge");
    learner.sandbox.write("progress/own.toml", &good);
    learner.commit("2026-01-03T00:01:00Z", "mend");
    let history = learner.json(&["history", "--format", "json", "--rev", "HEAD"]);
    let versions = history["versions"].as_array().unwrap();
    let readable: Vec<_> = versions.iter().map(|version| version["readable"].as_bool().unwrap()).collect();
    assert_eq!(readable, [true, false, true]);
    assert!(versions[1]["total"].is_null());
    assert!(versions[1]["trouble"].as_str().unwrap().contains("progress/own.toml"));
    assert_eq!(
        versions[2]["changes"].as_array().unwrap().len(),
        0,
        "nothing changed between the readable ones"
    );
    learner.sandbox.run(&["report", "--rev", "HEAD~1"]).ends(2);
}

#[test]
fn history_follows_an_item_to_its_new_id_and_another_folder_than_the_root() {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("study/mustdo.toml", "");
    sandbox.write("study/checklists/own.toml", CHECKLIST);
    sandbox.run(&["-C", "study", "tick", "own.read"]).ends(0);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "-m", "tick"]);
    let renamed = "id = \"own.studied\"\nformerly = [\"own.read\"]";
    sandbox.write("study/checklists/own.toml", &CHECKLIST.replace("id = \"own.read\"", renamed));
    sandbox.git(&["commit", "--quiet", "--all", "-m", "rename"]);
    let printed = sandbox.run(&["-C", "study", "history", "--format", "json"]).ends(0).stdout;
    let history: Value = serde_json::from_str(&printed).unwrap();
    let changes: Vec<_> = told(&history).into_iter().flat_map(|(_, changes)| changes).collect();
    assert_eq!(changes, ["own.studied - claimed"]);
}

#[test]
fn workspace_without_commits_or_without_a_repository_says_so() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["history"]).ends(0);
    let sandbox = Sandbox::empty();
    sandbox.write("mustdo.toml", "");
    let printed = sandbox.run(&["history"]).ends(2);
    assert!(printed.stderr.contains("not in a git repository"), "{}", printed.stderr);
}

#[test]
fn every_commit_is_told_as_its_report_tells_it() {
    let learner = Learner::new();
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    // A walk that keeps what it saw must not tell anything else than one that looks at each commit alone.
    for step in 0..24_i64 {
        let at = (start + jiff::SignedDuration::from_hours(step * 60)).to_string();
        match step % 6 {
            0 => learner.record(Outcome::Pass, &at),
            1 => learner.sandbox.write("app/shop.py", &format!("{step}\n")),
            2 => learner.claim("own.read", &at),
            3 => learner.record(if step % 4 == 3 { Outcome::Pass } else { Outcome::Fail }, &at),
            4 => {
                let fresh = format!("[item.\"own.get\"]\nfresh-for = \"{}d\"\n", step / 2);
                learner.sandbox.write("mustdo.toml", &fresh);
            }
            _ => {
                let weight = CHECKLIST.replace("weight = 3", &format!("weight = {}", step % 4 + 1));
                learner.sandbox.write("checklists/own.toml", &weight);
            }
        }
        learner.commit(&at, &format!("step {step}"));
    }
    let history = learner.json(&["history", "--format", "json", "--rev", "HEAD"]);
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 24);
    for version in versions {
        let report =
            learner.json(&["report", "--format", "json", "--rev", version["revision"].as_str().unwrap()]);
        assert_eq!(version["total"], report["total"], "{}", version["summary"]);
    }
    let seen: std::collections::BTreeSet<_> =
        versions.iter().map(|version| version["total"]["stale"].as_u64().unwrap()).collect();
    assert_eq!(seen, [0, 1].into());
}

#[test]
fn cut_file_reads_as_the_whole() {
    let learner = Learner::new();
    let mut reader = ProgressReader::default();
    for step in 0..6_i64 {
        let at = format!("2026-01-0{}T00:00:00Z", step + 1);
        learner.record(if step % 2 == 0 { Outcome::Pass } else { Outcome::Inconclusive }, &at);
        learner.claim("own.read", &at);
        let source = Source::new("progress/own.toml", learner.sandbox.read("progress/own.toml"));
        let whole = read_progress(&source).value.unwrap();
        let cut = reader.read(&source).unwrap();
        assert_eq!(cut.checklist, whole.checklist);
        let cut: BTreeMap<_, _> =
            cut.items.iter().map(|known| (known.id.clone(), known.entry.clone())).collect();
        assert_eq!(cut, whole.entries);
    }
}

#[test]
fn lint_against_a_commit_asks_for_the_version_that_the_change_deserves() {
    let learner = Learner::new();
    learner.commit("2026-01-01T00:00:00Z", "begin");
    let lint = |code: i32| learner.sandbox.run(&["lint", "--against", "HEAD"]).ends(code).stderr;
    lint(0);
    let without = CHECKLIST.split("\n[[item]]\nid = \"own.read\"").next().unwrap().to_owned();
    learner.sandbox.write("checklists/own.toml", &without);
    let told = lint(2);
    assert!(
        told.contains("E0209") && told.contains("2.0.0") && told.contains("own.read was removed"),
        "{told}"
    );
    learner.sandbox.write("checklists/own.toml", &without.replace("1.0.0", "2.0.0"));
    lint(0);
    learner.commit("2026-01-02T00:00:00Z", "remove");
    // The same item may come back, another one under its id may not.
    let back = CHECKLIST.replace("1.0.0", "2.1.0");
    learner.sandbox.write("checklists/own.toml", &back);
    lint(0);
    let other = back.replace(
        "title = { zh = \"读过\", en = \"Read it\" }",
        "title = { zh = \"写过\", en = \"Wrote it\" }",
    );
    learner.sandbox.write("checklists/own.toml", &other);
    let told = lint(2);
    assert!(told.contains("E0210") && told.contains("it was \"Read it\""), "{told}");
    learner.sandbox.run(&["lint", "--against", "nowhere"]).ends(2);
}

#[test]
fn what_was_told_once_is_told_again_and_goes_on() {
    let learner = Learner::new();
    let fresh = || {
        let elsewhere = tempfile::tempdir().unwrap();
        let cache = elsewhere.path().to_str().unwrap();
        learner
            .sandbox
            .run_with(&[("XDG_CACHE_HOME", cache)], &["history", "--format", "json"])
            .ends(0)
            .stdout
    };
    let cache = tempfile::tempdir().unwrap();
    let kept = |arguments: &[&str]| {
        let place = cache.path().to_str().unwrap();
        let arguments = [&["history", "--format", "json"], arguments].concat();
        learner.sandbox.run_with(&[("XDG_CACHE_HOME", place)], &arguments).ends(0).stdout
    };
    learner.commit("2026-01-01T00:00:00Z", "begin");
    for (day, outcome) in [(2, Outcome::Fail), (3, Outcome::Pass), (40, Outcome::Pass)] {
        let at = Timestamp::from_second(1_767_225_600 + day * 86_400).unwrap().to_string();
        learner.record(outcome, &at);
        learner.sandbox.write("notes.txt", &at);
        learner.commit(&at, "verify");
        for _ in 0..2 {
            assert_eq!(kept(&[]), fresh());
        }
        kept(&["own.read"]);
    }
    // Another line of commits: what was told of the old one does not count.
    learner.sandbox.git(&["checkout", "--quiet", "-b", "other", "HEAD~2"]);
    learner.claim("own.read", "2026-02-01T00:00:00Z");
    learner.commit("2026-02-01T00:00:00Z", "tick");
    assert_eq!(kept(&[]), fresh());
    learner.sandbox.git(&["checkout", "--quiet", "main"]);
    assert_eq!(kept(&[]), fresh());
    // A file that was tampered with is thrown away.
    let folder = cache.path().join("mustdo/history");
    let mut changed = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        changed += text.matches(" failing").count();
        std::fs::write(&path, text.replace(" failing", " proven")).unwrap();
    }
    assert!(changed > 0, "nothing was kept");
    assert_eq!(kept(&[]), fresh());
}
