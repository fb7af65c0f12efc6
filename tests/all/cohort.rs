//! `mustdo cohort`: learners side by side, in folders and in repositories elsewhere, none of whom is trusted.

use std::fs;
use std::path::{Path, PathBuf};

use mustdo::model::Outcome;
use serde_json::Value;

use crate::history::Learner;
use crate::sandbox::{Printed, Sandbox};

/// A teacher's folder, with a cache of its own.
pub(crate) struct Class {
    pub(crate) sandbox: Sandbox,
}

impl Class {
    pub(crate) fn new() -> Self {
        Self { sandbox: Sandbox::empty() }
    }

    /// A learner with the shipped checklists who ticked `ticked`.
    pub(crate) fn learner(&self, name: &str, ticked: &[&str]) {
        self.sandbox.write(&format!("{name}/mustdo.toml"), "");
        let claims: String = ticked
            .iter()
            .map(|item| format!("\n[item.\"{item}\"]\nclaim = {{ at = \"2026-05-01T10:00:00Z\" }}\n"))
            .collect();
        let progress = format!("format = 1\nchecklist = \"must-do\"\n{claims}");
        self.sandbox.write(&format!("{name}/progress/must-do.toml"), &progress);
    }

    /// The cohort's file, of these learners: name, and the lines behind it.
    pub(crate) fn file(&self, learners: &[(&str, &str)]) {
        let entry = |(name, home): &(&str, &str)| format!("\n[[learner]]\nname = {name:?}\n{home}\n");
        let learners: String = learners.iter().map(entry).collect();
        self.sandbox.write("class.toml", &format!("format = 1\n[cohort]\ntitle = \"Class\"\n{learners}"));
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Printed {
        let cache = self.sandbox.path().join("cache");
        let variables = [("XDG_CACHE_HOME", cache.to_str().unwrap())];
        let arguments: Vec<_> = ["cohort", "class.toml"].iter().chain(arguments).copied().collect();
        self.sandbox.run_with(&variables, &arguments)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let printed = self.run(&[&["--quiet", "--format", "json"], arguments].concat()).ends(code);
        let report: Value = serde_json::from_str(&printed.stdout).unwrap();
        let schema: Value = serde_json::from_str(mustdo::report::COHORT_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        report
    }
}

fn learner<'a>(report: &'a Value, name: &str) -> &'a Value {
    let learners = report["learners"].as_array().unwrap();
    learners.iter().find(|learner| learner["name"] == name).unwrap()
}

/// Every file below a folder with its bytes, links as they are.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(everything(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}

#[test]
fn cohort_shows_what_a_report_of_each_workspace_says() {
    let proven = Learner::new();
    proven.record(Outcome::Pass, "2026-05-31T00:00:00Z");
    proven.claim("own.read", "2026-05-30T00:00:00Z");
    let failing = Learner::new();
    failing.record(Outcome::Fail, "2026-05-29T00:00:00Z");
    let class = Class::new();
    let home = |learner: &Learner| format!("path = {:?}", learner.sandbox.path());
    class.file(&[("Ada", &home(&proven)), ("Bo", &home(&failing))]);
    let before = [&proven, &failing].map(|learner| everything(&learner.sandbox.path()));
    let cohort = class.json(&[], 0);
    for (name, one) in [("Ada", &proven), ("Bo", &failing)] {
        let report = one.json(&["report", "--format", "json"]);
        let seen = learner(&cohort, name);
        assert_eq!(seen["total"], report["total"], "{name}");
        for checklist in report["checklists"].as_array().unwrap() {
            for group in checklist["groups"].as_array().unwrap() {
                for item in group["items"].as_array().unwrap() {
                    assert_eq!(seen["items"][item["id"].as_str().unwrap()], item["status"], "{item}");
                }
            }
        }
    }
    assert_eq!(learner(&cohort, "Ada")["items"]["own.get"], "proven");
    assert_eq!(learner(&cohort, "Ada")["last_record"], "2026-05-31T00:00:00Z");
    assert_eq!(learner(&cohort, "Bo")["items"]["own.get"], "failing");
    let get = &cohort["items"][0];
    assert_eq!((&get["statuses"]["proven"], &get["statuses"]["failing"]), (&1.into(), &1.into()));

    let table = class.run(&["--items"]).ends(0).stdout;
    assert!(
        table.contains("Ada") && table.contains(" 75%") && table.contains("own.get  ✔1 ✘1 /2"),
        "{table}"
    );
    assert!(!table.contains('!'), "{table}");
    let zh = class.run(&["--lang", "zh"]).ends(0).stdout;
    assert!(zh.contains("已证实") && zh.contains("2 位学习者"), "{zh}");
    // Nothing was written to whoever was looked at.
    assert_eq!(before, [&proven, &failing].map(|learner| everything(&learner.sandbox.path())));
}

#[test]
fn word_of_an_unproven_plugin_is_marked_as_one() {
    let learner = Learner::new();
    learner.record_unproven("2026-05-31T00:00:00Z");
    let class = Class::new();
    class.file(&[("Ada", &format!("path = {:?}", learner.sandbox.path()))]);
    let table = class.run(&["--items"]).ends(0).stdout;
    assert!(table.contains("! 1 of 1 proven by the word of an unproven plugin"), "{table}");
    assert!(table.contains("own.get  ✔1 !1 /1"), "{table}");
    let cohort = class.json(&[], 0);
    assert_eq!(cohort["learners"][0]["proven_by_unproven_plugin"], 1);
    assert_eq!(cohort["items"][0]["proven_by_unproven_plugin"], 1);
    let page = class.run(&["--format", "html"]).ends(0).stdout;
    assert!(page.contains("<td class=\"c s-proven\">✔!"), "{page}");
}

#[test]
fn commit_is_judged_as_of_today_as_the_files_are() {
    let one = Learner::new();
    one.record(Outcome::Pass, "2026-01-02T00:00:00Z");
    one.commit("2026-01-02T00:01:00Z", "verify");
    let class = Class::new();
    let path = one.sandbox.path();
    let (folder, commit) = (format!("path = {path:?}"), format!("path = {path:?}\nrev = \"main\""));
    class.file(&[("files", &folder), ("commit", &commit)]);
    // It was proven for thirty days when it was committed.
    let cohort = class.json(&[], 0);
    for name in ["files", "commit"] {
        assert_eq!(learner(&cohort, name)["items"]["own.get"], "stale", "{name}");
    }
    assert_eq!(learner(&cohort, "files")["revision"], Value::Null);
    one.record(Outcome::Fail, "2026-05-31T00:00:00Z");
    let cohort = class.json(&[], 0);
    assert_eq!(learner(&cohort, "files")["items"]["own.get"], "failing");
    assert_eq!(learner(&cohort, "commit")["items"]["own.get"], "stale");
}

#[test]
fn learner_who_can_not_be_read_is_told_and_the_others_are_shown() {
    let class = Class::new();
    class.learner("ada", &["must-do.xss"]);
    class.learner("broken", &[]);
    class.sandbox.write("broken/progress/must-do.toml", "format = 1\nchecklist = 7\n");
    class.file(&[
        ("Ada", "path = \"ada\""),
        ("Broken", "path = \"broken\""),
        ("Gone", "path = \"gone\""),
        ("Elsewhere", "git = \"file:///there/is/nothing\""),
        ("Commit", "path = \"ada\"\nrev = \"main\""),
    ]);
    let cohort = class.json(&[], 3);
    assert_eq!((&cohort["unreadable"], &learner(&cohort, "Ada")["total"]["claimed"]), (&4.into(), &1.into()));
    let trouble = |name| learner(&cohort, name)["trouble"].as_str().unwrap().to_owned();
    assert!(trouble("Broken").starts_with("progress/must-do.toml: "), "{}", trouble("Broken"));
    assert!(trouble("Gone") == "there is no mustdo.toml in gone", "{}", trouble("Gone"));
    assert!(trouble("Elsewhere").starts_with("git fetch: "), "{}", trouble("Elsewhere"));
    assert!(trouble("Commit").contains("in no git repository"), "{}", trouble("Commit"));
    let table = class.run(&[]).ends(3).stdout;
    assert!(table.contains("Broken\n  ? can not be read: progress/must-do.toml"), "{table}");
    assert!(table.contains("1 of 5 read, 4 can not be read"), "{table}");
}

#[test]
fn file_of_a_cohort_is_told_everything_that_is_wrong_with_it() {
    let class = Class::new();
    class.file(&[("Ada", "pth = \"ada\""), ("Ada", "path = \"b\""), ("Bo", "git = \"ext::sh\"")]);
    let said = class.run(&[]).ends(2).stderr;
    for part in ["E0103", "E0104", "E0201", "E0901", "class.toml:"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let missing = class.sandbox.run(&["cohort", "none.toml"]).ends(2).stderr;
    assert!(missing.contains("none.toml") && missing.contains("mustdo schema cohort"), "{missing}");
}

#[test]
fn repository_elsewhere_is_fetched_followed_and_read_again_offline() {
    let one = Learner::new();
    one.record(Outcome::Pass, "2026-05-31T00:00:00Z");
    let first = one.commit("2026-05-31T00:01:00Z", "verify");
    let bare = one.sandbox.path().parent().unwrap().join("bare.git");
    one.sandbox.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let class = Class::new();
    let git = format!("git = \"file://{}\"", bare.display());
    let other = format!("{git}\nrev = \"other\"");
    class.file(&[("Ada", &git), ("Twice", &git)]);
    // Nothing is there yet.
    let cohort = class.json(&["--offline"], 3);
    assert!(learner(&cohort, "Ada")["trouble"].as_str().unwrap().contains("--offline"));
    let cohort = class.json(&[], 0);
    assert_eq!(learner(&cohort, "Ada")["items"]["own.get"], "proven");
    assert_eq!(learner(&cohort, "Twice")["revision"], first.as_str());

    // The branch is put back and takes another way; there is another one as well.
    one.record(Outcome::Fail, "2026-05-31T12:00:00Z");
    one.sandbox.git(&["checkout", "--quiet", "--orphan", "moved"]);
    let moved = one.commit("2026-05-30T00:00:00Z", "begin anew");
    one.sandbox.git(&["push", "--quiet", "--force", bare.to_str().unwrap(), "HEAD:main", "HEAD:other"]);
    let cohort = class.json(&["--offline"], 0);
    assert_eq!(learner(&cohort, "Ada")["revision"], first.as_str());
    let cohort = class.json(&[], 0);
    assert_eq!(learner(&cohort, "Ada")["revision"], moved.as_str());
    assert_eq!(learner(&cohort, "Ada")["items"]["own.get"], "failing");
    class.file(&[("Ada", &other), ("Folder", &format!("{git}\nfolder = \"app\""))]);
    let cohort = class.json(&[], 3);
    assert_eq!(learner(&cohort, "Ada")["revision"], moved.as_str());
    assert!(learner(&cohort, "Folder")["trouble"].as_str().unwrap().contains("no mustdo.toml"));

    // What was fetched is not shown as today's where it can not be fetched any more.
    fs::rename(&bare, bare.with_extension("away")).unwrap();
    assert_eq!(learner(&class.json(&[], 3), "Ada")["readable"], false);
    assert_eq!(learner(&class.json(&["--offline"], 3), "Ada")["readable"], true);
}

#[cfg(unix)]
#[test]
fn hostile_workspaces_read_nothing_else_stop_nobody_and_steer_nothing() {
    use std::os::unix::fs::symlink;

    const SECRET: &str = "hunter2";
    let class = Class::new();
    let root = class.sandbox.path();
    class.sandbox.write("secret.toml", &format!("format = 1\nchecklist = {SECRET:?}\n"));
    for name in ["link", "folder", "pipe", "device", "large", "escape", "settings"] {
        class.learner(name, &[]);
    }
    let progress = |name: &str| root.join(name).join("progress/must-do.toml");
    for name in ["link", "device", "pipe"] {
        fs::remove_file(progress(name)).unwrap();
    }
    symlink(root.join("secret.toml"), progress("link")).unwrap();
    symlink("/dev/zero", progress("device")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(progress("pipe")).status().unwrap().success());
    symlink(&root, root.join("folder/checklists")).unwrap();
    fs::File::create(root.join("large/checklists.toml")).unwrap().set_len(1 << 30).unwrap();
    fs::remove_file(progress("large")).unwrap();
    fs::rename(root.join("large/checklists.toml"), progress("large")).unwrap();
    class.sandbox.write("escape/progress/\u{1b}[2J\n::error::x.toml", "=\n");
    fs::remove_file(root.join("settings/mustdo.toml")).unwrap();
    symlink("/etc/passwd", root.join("settings/mustdo.toml")).unwrap();
    let home = |name: &'static str| (name, format!("path = {name:?}"));
    let homes = ["link", "folder", "pipe", "device", "large", "escape", "settings"].map(home);
    let evil = ("=HYPERLINK(\"//x\")</script><b>\u{202e}", "path = \"escape\"");
    let all: Vec<_> = homes.iter().map(|(name, home)| (*name, home.as_str())).chain([evil]).collect();
    let mut text = String::from("format = 1\n");
    for (name, home) in all {
        text.push_str(&format!("[[learner]]\nname = '{name}'\n{home}\n"));
    }
    class.sandbox.write("class.toml", &text);
    let cohort = class.json(&[], 3);
    assert_eq!(cohort["unreadable"], 8);
    for (name, why) in [
        ("link", "leads out of its workspace"),
        ("folder", "leads out of its workspace"),
        ("device", "leads out of its workspace"),
        ("settings", "leads out of its workspace"),
        ("pipe", "not a file"),
        ("large", "than a workspace has"),
        ("escape", "::error::x.toml"),
    ] {
        let trouble = learner(&cohort, name)["trouble"].as_str().unwrap();
        assert!(trouble.contains(why), "{name}: {trouble}");
        assert!(!trouble.contains('\u{1b}') && !trouble.contains('\n'), "{name}: {trouble:?}");
    }
    for format in ["table", "markdown", "csv", "html", "json"] {
        let printed = class.run(&["--format", format]).ends(3);
        let shown = printed.stdout + &printed.stderr;
        let steers = |c: char| matches!(c, '\u{1b}' | '\u{202e}');
        assert!(!shown.contains(SECRET) && !shown.contains("root:") && !shown.contains(steers), "{format}");
        assert!(!shown.lines().any(|line| line.trim_start().starts_with("::error")), "{format}");
        match format {
            "csv" => assert!(shown.contains("\"'=HYPERLINK(\"\"//x\"\")</script><b>\""), "{shown}"),
            "html" => assert_eq!(shown.matches("</script").count(), 2),
            "markdown" => assert!(!shown.contains("<b>"), "{shown}"),
            _ => {}
        }
    }
}

#[test]
fn every_form_is_written_in_one_run_and_has_every_item() {
    let class = Class::new();
    class.learner("ada", &["must-do.xss"]);
    class.learner("bo", &[]);
    class.file(&[("Ada", "path = \"ada\""), ("Bo", "path = \"bo\"")]);
    let reports = ["csv=a.csv", "json=a.json", "html=a.html", "markdown=a.md"];
    let arguments: Vec<_> = reports.iter().flat_map(|report| ["--report", report]).collect();
    class.run(&arguments).ends(0);
    let csv = class.sandbox.read("a.csv");
    let lines: Vec<_> = csv.split("\r\n").collect();
    let column = lines[0].split(',').position(|name| name == "must-do.xss").unwrap();
    assert_eq!([1, 2].map(|line| lines[line].split(',').nth(column).unwrap()), ["claimed", "open"]);
    assert_eq!((lines.len(), lines[3]), (4, ""));
    let page = class.sandbox.read("a.html");
    let (markup, _) = page.split_once("<script type=\"application/json\"").unwrap();
    for outside in [" src=", " style=", "@import", "url(", "https://", " onclick="] {
        assert!(!markup.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<td class=\"c").count(), 2 * 197);
    assert!(class.sandbox.read("a.md").contains("must-do.xss"));
    let twice = class.run(&["--report", "csv=x", "--report", "json=x"]).ends(2);
    assert!(twice.stderr.contains("two reports to"), "{}", twice.stderr);
}

#[test]
fn easier_list_under_the_same_version_is_marked() {
    let (one, two, three) = (Learner::new(), Learner::new(), Learner::new());
    let text = three.sandbox.read("checklists/own.toml");
    three.sandbox.write("checklists/own.toml", &text.replace("weight = 3", "weight = 1"));
    let extra = text.replace("\"own\"", "\"extra\"").replace("own.", "extra.");
    two.sandbox.write("checklists/extra.toml", &extra);
    let class = Class::new();
    let home = |learner: &Learner| format!("path = {:?}", learner.sandbox.path());
    let homes = [&one, &two, &three].map(home);
    let [one, two, three] = homes.each_ref();
    class.file(&[("Ada", one), ("Bo", two), ("Cy", three)]);
    let cohort = class.json(&[], 0);
    let how = |name| {
        let differs = learner(&cohort, name)["differs"].as_array().unwrap();
        differs.iter().map(|mark| mark["how"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((how("Ada"), how("Bo"), how("Cy")), (vec![], vec!["own".to_owned()], vec!["text".to_owned()]));
    // What only one has is no row that others lack.
    assert_eq!(cohort["items"].as_array().unwrap().len(), 2);
    let file = class.sandbox.read("class.toml");
    class.sandbox.write("class.toml", &file.replace("title", "checklists = [\"own\"]\ntitle"));
    let narrowed = class.json(&[], 0);
    assert_eq!(learner(&narrowed, "Bo")["total"]["items"], 2);
    assert_eq!(learner(&narrowed, "Bo")["differs"], serde_json::json!([]));
}

#[test]
fn forty_learners_are_read_at_once_and_stand_in_their_order() {
    let class = Class::new();
    let names: Vec<_> = (0..40).map(|number| format!("learner-{number:02}")).collect();
    for (number, name) in names.iter().enumerate() {
        class.learner(name, if number % 4 == 0 { &["must-do.xss"] } else { &[] });
    }
    let homes: Vec<_> = names.iter().map(|name| format!("path = {name:?}")).collect();
    let learners: Vec<_> = names.iter().zip(&homes).map(|(name, home)| (&**name, &**home)).collect();
    class.file(&learners);
    let cohort = class.json(&[], 0);
    let shown: Vec<_> =
        cohort["learners"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(shown, names);
    let xss = cohort["items"].as_array().unwrap().iter().find(|item| item["id"] == "must-do.xss").unwrap();
    assert_eq!((&xss["learners"], &xss["statuses"]["claimed"]), (&40.into(), &10.into()));
}
