//! `mustdo update`: new versions of checklists from mustdo, a path or a repository, and what the user changed in them.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{Printed, Sandbox};

const GROUP: &str = "[[group]]\nid = \"team\"\ntitle = { zh = \"组\", en = \"Team\" }\n";

fn item(id: &str, more: &str) -> String {
    format!(
        "\n[[item]]\nid = \"{id}\"\n{more}group = \"team\"\ntitle = {{ zh = \"{id}\", en = \"{id}\" }}\n\
         level = \"must\"\nweight = 2\n"
    )
}

fn list(version: &str, items: &str) -> String {
    format!(
        "# What the team expects.\nformat = 1\nid = \"team\"\nversion = \"{version}\"\n\
         title = {{ zh = \"团队\", en = \"Team\" }}\n\n{GROUP}{items}"
    )
}

fn check(with: &str) -> String {
    format!(
        "\n[[item.check]]\nuses = \"http-idempotency/safe-get\"\ntarget = {{ api = \"web\" }}\nwith = {{ {with} }}\n"
    )
}

/// Three items, one of them with a check.
fn first() -> String {
    let check = check("n = 4");
    list("1.0.0", &(item("team.a", "") + &item("team.b", "") + &check + &item("team.c", "")))
}

/// A stricter check, an item that was renamed and one that is new.
fn second() -> String {
    let check = check("n = 6");
    let items = [
        item("team.a", ""),
        item("team.b", ""),
        check,
        item("team.see", "formerly = [\"team.c\"]\n"),
        item("team.d", ""),
    ];
    list("2.0.0", &items.concat())
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A workspace with the first version, taken from a folder beside it.
fn taken() -> Sandbox {
    let sandbox = Sandbox::workspace();
    publish(&sandbox, &first());
    sandbox.run(&["update", "--from", "../team"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), first());
    sandbox
}

fn publish(sandbox: &Sandbox, text: &str) {
    write(sandbox.path().join("../team/checklists/team.toml"), text);
}

#[track_caller]
fn says(printed: &Printed, words: &[&str]) {
    for words in words {
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(all.contains(words), "no {words:?} in\n{all}");
    }
}

/// Every file that an update can touch, and what stands in it.
fn state(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let touched = |name: &String| !name.starts_with(".mustdo/");
    let read = |name: String| (name.clone(), fs::read(sandbox.path().join(name)).unwrap());
    sandbox.files().into_iter().filter(touched).map(read).collect()
}

/// Fails with these words, and changes nothing.
#[track_caller]
fn refuses(sandbox: &Sandbox, arguments: &[&str], exit: i32, words: &[&str]) {
    let before = state(sandbox);
    let printed = sandbox.run(&[&["update"], arguments].concat()).ends(exit);
    says(&printed, words);
    assert!(before == state(sandbox), "something was written by update {arguments:?}");
}

#[test]
fn copied_checklists_are_written_down_and_as_new_as_mustdo() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "--copy-checklists"]).ends(0);
    let lock = sandbox.read("mustdo.lock");
    assert_eq!(lock.matches("source = \"embedded\"").count(), 10, "{lock}");
    let before = state(&sandbox);
    let printed = sandbox.run(&["update"]).ends(0);
    assert_eq!(printed.stdout.matches("nothing is new, from embedded").count(), 10, "{}", printed.stdout);
    sandbox.run(&["update", "--check"]).ends(0);
    assert!(state(&sandbox) == before);
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn workspace_without_checklists_of_its_own_is_told_that_there_is_nothing_to_do() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["update"]).ends(0);
    says(&printed, &["uses the shipped checklists as they are"]);
    refuses(&sandbox, &["team"], 2, &["there is no checklist \"team\" in mustdo.lock", "--from SOURCE"]);
    refuses(&sandbox, &["grund", "--from", "embedded"], 2, &["did you mean \"ground\"?"]);
}

#[test]
fn copies_that_an_older_mustdo_made_are_taken_into_the_lock() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "--copy-checklists", "--quiet"]).ends(0);
    let lock = sandbox.read("mustdo.lock");
    fs::remove_file(sandbox.path().join("mustdo.lock")).unwrap();
    fs::remove_dir_all(sandbox.path().join("checklists/.base")).unwrap();
    says(&sandbox.run(&["update"]).ends(0), &["mustdo update ground --from embedded keeps it up to date"]);
    sandbox.run(&["update", "--from", "embedded"]).ends(0);
    assert_eq!(sandbox.read("mustdo.lock"), lock);
}

#[test]
fn old_shipped_checklist_with_edits_is_brought_up_to_date() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "--copy-checklists", "--quiet"]).ends(0);
    let now = sandbox.read("checklists/07-redis.toml");
    // What an older mustdo had copied, and what the learner made of it.
    let old = now.replacen("weight = ", "weight = 5 # ", 1).replace("version = \"1", "version = \"0");
    assert_ne!(old, now);
    let lock = sandbox.read("mustdo.lock");
    let digest = |text: &str| mustdo::model::Digest::of(text.as_bytes()).to_string();
    sandbox.write("mustdo.lock", &lock.replace(&digest(&now), &digest(&old)));
    sandbox.write("checklists/.base/redis.toml", &old);
    let edited = old.replacen("[[item]]", "# mine\n[[item]]", 1);
    sandbox.write("checklists/07-redis.toml", &edited);
    let printed = sandbox.run(&["update", "redis"]).ends(0);
    says(&printed, &["with your changes, from embedded", "Content", "weight"]);
    assert_eq!(sandbox.read("checklists/07-redis.toml"), now.replacen("[[item]]", "# mine\n[[item]]", 1));
    assert_eq!(sandbox.read("mustdo.lock"), lock);
    assert_eq!(sandbox.read("checklists/.base/redis.toml"), now);
}

#[test]
fn new_version_shows_what_is_different_and_carries_progress_over_a_rename() {
    let sandbox = taken();
    sandbox.write("mustdo.toml", "[item.\"team.c\"]\nfresh-for = \"9d\"\n");
    sandbox.run(&["tick", "team.c", "--note", "read it twice"]).ends(0);
    publish(&sandbox, &second());
    let before = state(&sandbox);
    let words = [
        "team         1.0.0 → 2.0.0, from file:",
        "the work tree → updated",
        "team 1.0.0 → 2.0.0",
        "+  team.d",
        "~  team.see",
        "was team.c",
        "another proof",
        "mustdo.toml binds \"team.c\", which is called \"team.see\" now",
    ];
    says(&sandbox.run(&["update", "--check"]).ends(1), &words);
    let json = |code| {
        let printed = sandbox.run(&["update", "--check", "--format", "json"]).ends(code).stdout;
        let told: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let [schema, difference] = [mustdo::report::UPDATE_SCHEMA, mustdo::report::DIFFERENCE_SCHEMA]
            .map(|schema| jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap());
        assert!(schema.is_valid(&told), "{told:#}");
        assert!(told["difference"].is_null() || difference.is_valid(&told["difference"]), "{told:#}");
        told
    };
    let told = json(1);
    let team = &told["checklists"][0];
    assert_eq!(
        (&team["id"], &team["outcome"], &team["file"]),
        (&"team".into(), &"updated".into(), &"checklists/team.toml".into())
    );
    assert_eq!(
        (&team["before"], &team["after"], &told["checked"]),
        (&"1.0.0".into(), &"2.0.0".into(), &true.into())
    );
    assert!(
        told["difference"]["items"].as_array().unwrap().iter().any(|item| item["id"] == "team.d"),
        "{told:#}"
    );
    assert!(state(&sandbox) == before, "a check writes nothing");
    says(&sandbox.run(&["update"]).ends(0), &words);
    assert_eq!(sandbox.read("checklists/team.toml"), second());
    assert!(sandbox.read("mustdo.lock").contains("version = \"2.0.0\""));
    sandbox.write("mustdo.toml", "");
    let shown = sandbox.run(&["show", "team.see"]).ends(0);
    says(&shown, &["read it twice"]);
    says(&sandbox.run(&["update"]).ends(0), &["2.0.0, nothing is new"]);
    let told = json(0);
    assert_eq!(
        (&told["checklists"][0]["outcome"], &told["difference"]),
        (&"same".into(), &serde_json::Value::Null)
    );
}

#[test]
fn stricter_proof_turns_what_was_proven_stale_and_the_difference_says_why() {
    let sandbox = taken();
    sandbox.write(
        "mustdo.toml",
        &format!(
            "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\n\
             run = [{:?}, \"demo\", \"serve\", \"--port\", \"{{port}}\"]\nready = \"/healthz\"\n",
            env!("CARGO_BIN_EXE_mustdo")
        ),
    );
    let with = |ops: &str| {
        let items = item("team.b", "")
            + "\n[[item.check]]\nuses = \"http-idempotency/safe-get\"\n\
            target = { api = \"web\" }\n"
            + ops;
        list("1.0.0", &items)
    };
    publish(&sandbox, &with(""));
    sandbox.run(&["update"]).ends(0);
    sandbox.run(&["verify", "team.b"]).ends(0);
    says(&sandbox.run(&["list", "--status", "proven"]).ends(0), &["team.b"]);
    publish(&sandbox, &with("watch = [\"**/*.py\"]\n").replace("1.0.0", "2.0.0"));
    let printed = sandbox.run(&["update"]).ends(0);
    says(&printed, &["Progress", "proven → stale", "other watched files"]);
    says(&sandbox.run(&["list", "--status", "stale"]).ends(0), &["team.b"]);
}

#[test]
fn changes_of_both_sides_stay_and_the_layout_is_the_users() {
    let sandbox = taken();
    let ours = first()
        .replacen("weight = 2\n", "weight = 4   # we count it more\n", 1)
        .replace("# What the team expects.", "# What the team expects, and I.")
        + "\n# My own.\n"
        + &item("team.mine", "");
    sandbox.write("checklists/team.toml", &ours);
    publish(&sandbox, &second().replacen("level = \"must\"", "level = \"should\"", 1));
    let printed = sandbox.run(&["update"]).ends(0);
    says(&printed, &["1.0.0 → 2.0.0, with your changes", "team.d", "level"]);
    let merged = sandbox.read("checklists/team.toml");
    for kept in [
        "# What the team expects, and I.",
        "level = \"should\"\nweight = 4   # we count it more",
        "# My own.\n\n[[item]]\nid = \"team.mine\"",
        "id = \"team.see\"\nformerly",
        "id = \"team.d\"",
        "n = 6",
    ] {
        assert!(merged.contains(kept), "{kept}\n{merged}");
    }
    sandbox.run(&["lint"]).ends(0);
    let before = state(&sandbox);
    says(&sandbox.run(&["update"]).ends(0), &["nothing is new"]);
    assert!(state(&sandbox) == before, "a second update changes nothing");
    // The next version is held against the one that was taken, not against what the user made of it.
    publish(
        &sandbox,
        &second().replace("2.0.0", "2.0.1").replacen("level = \"must\"", "level = \"challenge\"", 1),
    );
    sandbox.run(&["update"]).ends(0);
    assert!(
        sandbox
            .read("checklists/team.toml")
            .contains("level = \"challenge\"\nweight = 4   # we count it more")
    );
}

#[test]
fn contradiction_writes_nothing_until_the_user_decides() {
    let sandbox = taken();
    let ours = first().replacen("weight = 2", "weight = 3", 1);
    let theirs = second().replacen("weight = 2", "weight = 5", 1);
    publish(&sandbox, &theirs);
    sandbox.write("checklists/team.toml", &ours);
    let words = [
        "E0801",
        "weight of item \"team.a\"",
        "checklists/team.toml:",
        "yours",
        "theirs",
        "team/checklists/team.toml:",
        "mustdo update --resolve ours",
        "nothing was written",
    ];
    refuses(&sandbox, &[], 2, &words);
    refuses(&sandbox, &["--check"], 2, &words);
    let again = ["mustdo update team --from file:../team --resolve theirs"];
    refuses(&sandbox, &["team", "--from", "../team"], 2, &again);
    let before = state(&sandbox);
    let restore = || {
        for (name, bytes) in &before {
            fs::write(sandbox.path().join(name), bytes).unwrap();
        }
    };
    sandbox.run(&["update", "--resolve", "ours"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), theirs.replacen("weight = 5", "weight = 3", 1));
    says(&sandbox.run(&["update"]).ends(0), &["nothing is new"]);
    restore();
    sandbox.run(&["update", "--resolve", "theirs"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), theirs);
    restore();
    let printed = sandbox.run(&["update", "--resolve", "both"]).ends(1);
    says(&printed, &["both versions of what contradicts", "delete one of each"]);
    let marked = sandbox.read("checklists/team.toml");
    let marks = "<<<<<<< yours\nweight = 3\n=======\nweight = 5\n>>>>>>> ";
    assert!(marked.contains(marks), "{marked}");
    sandbox.run(&["lint"]).ends(2);
    // The user takes the one that was there; the update is done.
    let (head, rest) = marked.split_once("<<<<<<< yours\n").unwrap();
    let rest = rest.split_once(">>>>>>> ").unwrap().1.split_once('\n').unwrap().1;
    sandbox.write("checklists/team.toml", &format!("{head}weight = 4\n{rest}"));
    says(&sandbox.run(&["update"]).ends(0), &["nothing is new"]);
    assert_eq!(sandbox.read("checklists/team.toml"), theirs.replacen("weight = 5", "weight = 4", 1));
}

#[test]
fn base_that_is_gone_is_looked_for_and_else_asked_for() {
    let sandbox = taken();
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "taken"]);
    let ours = first().replacen("weight = 2", "weight = 3", 1);
    sandbox.write("checklists/team.toml", &ours);
    publish(&sandbox, &second());
    fs::remove_dir_all(sandbox.path().join("checklists/.base")).unwrap();
    // Git has it, in the work tree of the commit.
    says(&sandbox.run(&["update", "--check"]).ends(1), &["with your changes"]);
    // One that is another than the lock says is none.
    sandbox.write("checklists/.base/team.toml", &second());
    says(&sandbox.run(&["update", "--check"]).ends(1), &["with your changes"]);
    fs::remove_dir_all(sandbox.path().join(".git")).unwrap();
    let words = ["E0802", "what it was changed from is not known", "--resolve ours", "nothing was written"];
    refuses(&sandbox, &[], 2, &words);
    sandbox.run(&["update", "--resolve", "ours"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), ours);
    // From now on it is known again.
    publish(&sandbox, &second().replace("2.0.0", "2.1.0"));
    says(&sandbox.run(&["update"]).ends(0), &["with your changes"]);
    assert_eq!(sandbox.read("checklists/team.toml"), ours.replace("1.0.0", "2.1.0"));
}

#[test]
fn checklist_that_nobody_took_is_written_down_where_it_is_the_same() {
    let sandbox = taken();
    fs::remove_file(sandbox.path().join("mustdo.lock")).unwrap();
    fs::remove_dir_all(sandbox.path().join("checklists/.base")).unwrap();
    says(&sandbox.run(&["update"]).ends(0), &["mustdo.lock names no checklist: there is nothing to update"]);
    refuses(&sandbox, &["team"], 2, &["mustdo update team --from SOURCE"]);
    says(&sandbox.run(&["update", "--from", "../team"]).ends(0), &["nothing is new"]);
    assert!(sandbox.read("mustdo.lock").contains("id = \"team\""));
    assert_eq!(sandbox.read("checklists/.base/team.toml"), first());
}

#[test]
fn kill_between_two_files_is_finished_by_the_next_update() {
    let sandbox = taken();
    let more = first().replace("team", "more");
    write(sandbox.path().join("../team/checklists/more.toml"), &more);
    sandbox.run(&["update", "--from", "../team"]).ends(0);
    let edit = |text: &str| text.replacen("weight = 2", "weight = 3", 1);
    for (name, text) in [("team", first()), ("more", more)] {
        sandbox.write(&format!("checklists/{name}.toml"), &edit(&text));
    }
    let before = state(&sandbox);
    publish(&sandbox, &second());
    write(sandbox.path().join("../team/checklists/more.toml"), &second().replace("team", "more"));
    sandbox.run(&["update"]).ends(0);
    let done = state(&sandbox);
    // The order in which they are written: the checklists, the lock, the bases.
    let order = [
        "checklists/more.toml",
        "checklists/team.toml",
        "mustdo.lock",
        "checklists/.base/more.toml",
        "checklists/.base/team.toml",
    ];
    let changed: Vec<_> =
        done.iter().filter(|file| !before.contains(file)).map(|(name, _)| &**name).collect();
    assert_eq!(changed.len(), order.len(), "{changed:?}");
    for written in 0..=order.len() {
        for (name, bytes) in &before {
            let new = order[..written].contains(&&**name);
            let done = done.iter().find(|(other, _)| other == name).unwrap();
            fs::write(sandbox.path().join(name), if new { &done.1 } else { bytes }).unwrap();
        }
        sandbox.run(&["update"]).ends(0);
        assert!(state(&sandbox) == done, "killed after {written} files");
    }
}

#[cfg(unix)]
#[test]
fn write_that_fails_leaves_everything_as_it_was() {
    let sandbox = taken();
    publish(&sandbox, &(second() + &"# a long comment of theirs\n".repeat(200)));
    write(sandbox.path().join("../team/checklists/aaa.toml"), &first().replace("team", "aaa"));
    let before = state(&sandbox);
    // The first file fits below the limit, the second does not.
    let limit = "trap '' XFSZ; ulimit -f 4; exec \"$@\"";
    let output = sandbox
        .command("sh")
        .args(["-c", limit, "sh", env!("CARGO_BIN_EXE_mustdo"), "update", "--from", "../team"])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("can not write") && words.contains("nothing was changed"), "{words}");
    assert!(state(&sandbox) == before, "{:?}", sandbox.files());
}

#[cfg(unix)]
#[test]
fn link_in_the_place_of_the_bases_is_not_followed() {
    let sandbox = taken();
    let (bases, loot) = (sandbox.path().join("checklists/.base"), sandbox.path().join("../loot"));
    fs::remove_dir_all(&bases).unwrap();
    fs::create_dir(&loot).unwrap();
    std::os::unix::fs::symlink(&loot, &bases).unwrap();
    publish(&sandbox, &second());
    says(&sandbox.run(&["update"]).ends(2), &["it is a link: remove it"]);
    assert_eq!(fs::read_dir(&loot).unwrap().count(), 0);
    fs::remove_file(&bases).unwrap();
    sandbox.run(&["update"]).ends(0);
    assert_eq!(sandbox.read("checklists/.base/team.toml"), second());
}

#[test]
fn what_does_not_fit_is_told_and_nothing_written() {
    let sandbox = taken();
    let newer = second().replace("format = 1", "format = 2");
    publish(&sandbox, &newer);
    refuses(&sandbox, &[], 2, &["E0102", "update mustdo", "nothing was written"]);
    publish(&sandbox, &second().replace("weight = 2", "weight = 9"));
    refuses(&sandbox, &[], 2, &["E0108", "team.toml:", "nothing was written"]);
    // An item of another checklist of the workspace.
    sandbox.write("checklists/own.toml", &first().replace("\"team\"", "\"own\"").replace("team.", "own."));
    publish(&sandbox, &second().replace("team.d", "own.a"));
    refuses(
        &sandbox,
        &[],
        2,
        &["E0201", "two items are called \"own.a\"", "team.toml (updated)", "nothing was written"],
    );
    // An item of the workspace needs one that is called something else there.
    let own = first().replace("\"team\"", "\"own\"").replace("team.", "own.");
    sandbox.write("checklists/own.toml", &own.replacen("level = ", "needs = [\"team.c\"]\nlevel = ", 1));
    publish(&sandbox, &second());
    refuses(&sandbox, &[], 2, &["E0203", "it is called \"team.see\" now", "put it back under the new id"]);
    sandbox.write("checklists/own.toml", &own);
    write(sandbox.path().join("../team/checklists/twin.toml"), &second());
    refuses(&sandbox, &[], 2, &["are both called \"team\""]);
    refuses(&sandbox, &["--from", "../nowhere"], 2, &["can not read"]);
    refuses(&sandbox, &["--from", "git@example.org:x"], 2, &["git+ssh://git@example.org/x"]);
    fs::create_dir(sandbox.path().join("empty")).unwrap();
    refuses(&sandbox, &["--from", "empty"], 2, &["there is no checklist in empty"]);
    // Broken already: mended first.
    sandbox.write("checklists/own.toml", "format = 1\n");
    refuses(&sandbox, &[], 2, &["E0104"]);
}

#[test]
fn lower_version_is_told_and_taken_only_when_it_is_asked_for() {
    let sandbox = taken();
    publish(&sandbox, &first().replace("1.0.0", "0.9.0"));
    let before = state(&sandbox);
    let printed = sandbox.run(&["update"]).ends(0);
    says(
        &printed,
        &["has team 0.9.0, which is lower than the 1.0.0 that was taken: mustdo update team --from file:"],
    );
    assert!(state(&sandbox) == before);
    says(&sandbox.run(&["update", "--from", "../team"]).ends(0), &["1.0.0 → 0.9.0, which is lower, from"]);
    assert_eq!(sandbox.read("checklists/team.toml"), first().replace("1.0.0", "0.9.0"));
}

#[test]
fn removed_and_renamed_files_are_the_users_choice() {
    let sandbox = taken();
    fs::rename(sandbox.path().join("checklists/team.toml"), sandbox.path().join("checklists/50-team.toml"))
        .unwrap();
    publish(&sandbox, &second());
    sandbox.run(&["update"]).ends(0);
    assert_eq!(sandbox.read("checklists/50-team.toml"), second());
    assert!(!sandbox.path().join("checklists/team.toml").exists());
    sandbox.write("checklists/own.toml", &first().replace("team", "own"));
    fs::remove_file(sandbox.path().join("checklists/50-team.toml")).unwrap();
    says(&sandbox.run(&["update"]).ends(0), &["team was removed here: mustdo update team takes it again"]);
    assert!(!sandbox.path().join("checklists/team.toml").exists());
    sandbox.run(&["update", "team"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), second());
    write(sandbox.path().join("../team/checklists/other.toml"), &second().replace("team", "other"));
    fs::remove_file(sandbox.path().join("../team/checklists/team.toml")).unwrap();
    let printed = sandbox.run(&["update"]).ends(0);
    says(&printed, &["has no team any more: yours stays", "has other too: mustdo update other --from"]);
    assert_eq!(sandbox.read("checklists/team.toml"), second());
}

#[test]
fn new_file_goes_where_no_other_is() {
    let sandbox = taken();
    write(sandbox.path().join("../else/team.toml"), &first().replace("team", "else"));
    sandbox.run(&["update", "--from", "../else", "--commit"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), first());
    assert!(sandbox.read("checklists/else.toml").contains("id = \"else\""));
    let committed = sandbox.git(&["show", "--name-only", "--format=%s"]);
    for name in
        ["mustdo: update checklists", "checklists/else.toml", "checklists/.base/else.toml", "mustdo.lock"]
    {
        assert!(committed.contains(name), "{committed}");
    }
    write(sandbox.path().join("../third/team.toml"), &first().replace("team", "third"));
    sandbox.write("checklists/third.toml", &first().replace("team", "x"));
    refuses(&sandbox, &["--from", "../third"], 2, &["checklists/third.toml is another checklist"]);
}

/// A repository beside the workspace, published with tags.
struct Remote<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Remote<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let remote = Self { sandbox };
        sandbox.git(&["init", "--quiet", "--bare", "../remote.git"]);
        sandbox.git(&["clone", "--quiet", "../remote.git", "../author"]);
        remote
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.sandbox.git(&[&["-C", "../author"], arguments].concat())
    }

    fn url(&self) -> String {
        format!("git+file://{}", self.sandbox.path().parent().unwrap().join("remote.git").display())
    }

    /// Commits the files as they are and gives them a tag, which may be another commit's.
    fn tag(&self, tag: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
        self.git(&["tag", "--force", "--annotate", "--message", tag, tag]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD:main", tag]);
    }

    fn publish(&self, text: &str, tag: &str) {
        write(self.sandbox.path().join("../author/checklists/team.toml"), text);
        self.tag(tag);
    }
}

#[test]
fn repository_is_taken_at_a_tag_and_stays_there() {
    let sandbox = Sandbox::workspace();
    let remote = Remote::new(&sandbox);
    remote.publish(&first(), "v1.0.0");
    let at = |tag: &str| format!("{}#{tag}", remote.url());
    let printed = sandbox.run(&["update", "--from", &at("v1.0.0")]).ends(0);
    says(&printed, &["1.0.0, new, from git+file://", "from now on those in checklists/ alone are used"]);
    let commit = remote.git(&["rev-parse", "HEAD"]);
    let lock = sandbox.read("mustdo.lock");
    let source = format!("source = \"{}\"", at("v1.0.0"));
    for line in ["tag = \"v1.0.0\"", &format!("commit = \"{}\"", commit.trim()), &source] {
        assert!(lock.contains(line), "{line}\n{lock}");
    }
    sandbox.write("checklists/team.toml", &first().replacen("weight = 2", "weight = 3", 1));
    remote.publish(&second(), "v2.0.0");
    let printed = sandbox.run(&["update"]).ends(0);
    says(&printed, &["nothing is new", "v2.0.0 is newer: mustdo update --from git+file://"]);
    assert_eq!(sandbox.read("mustdo.lock"), lock);
    // The text that was taken is found where it was taken from.
    fs::remove_dir_all(sandbox.path().join("checklists/.base")).unwrap();
    let printed = sandbox.run(&["update", "--from", &at("v2.0.0")]).ends(0);
    says(&printed, &["1.0.0 → 2.0.0, with your changes"]);
    assert_eq!(sandbox.read("checklists/team.toml"), second().replacen("weight = 2", "weight = 3", 1));
    refuses(&sandbox, &["--from", &at("v2.0")], 2, &["has no tag \"v2.0\"", "did you mean"]);
    refuses(&sandbox, &["--from", &at("--upload-pack=x")], 2, &["a tag has up to 128"]);
}

#[test]
fn repository_without_a_tag_is_followed_to_its_newest_release() {
    let sandbox = Sandbox::workspace();
    let remote = Remote::new(&sandbox);
    remote.publish(&first(), "draft");
    refuses(&sandbox, &["--from", &remote.url()], 2, &["has no tag that is a version"]);
    remote.publish(&first(), "v1.9.0");
    sandbox.run(&["update", "--from", &remote.url()]).ends(0);
    assert!(sandbox.read("mustdo.lock").contains("tag = \"v1.9.0\""));
    remote.publish(&second(), "v1.10.0");
    remote.publish("nonsense", "v3.0.0-rc.1");
    sandbox.run(&["update", "--check"]).ends(1);
    sandbox.run(&["update"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), second());
    assert!(sandbox.read("mustdo.lock").contains("tag = \"v1.10.0\""));
}

#[test]
fn tag_that_was_moved_is_refused_until_it_is_accepted() {
    let sandbox = Sandbox::workspace();
    let remote = Remote::new(&sandbox);
    remote.publish(&first(), "v1.0.0");
    sandbox.run(&["update", "--from", &format!("{}#v1.0.0", remote.url())]).ends(0);
    remote.publish(&second(), "v1.0.0");
    refuses(
        &sandbox,
        &[],
        2,
        &["the tag v1.0.0 of", "when team was taken it led to", "mustdo update --accept-moved"],
    );
    sandbox.run(&["update", "--accept-moved"]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), second());
    sandbox.run(&["update"]).ends(0);
}

#[cfg(unix)]
#[test]
fn hostile_repository_gets_nowhere() {
    let sandbox = Sandbox::workspace();
    let remote = Remote::new(&sandbox);
    let author = sandbox.path().join("../author");
    let (loot, from) = (sandbox.path().join("../loot"), |tag: &str| format!("{}#{tag}", remote.url()));
    // Hooks and settings of the repository, and filters that a checkout would run.
    for hook in ["post-checkout", "reference-transaction", "pre-auto-gc", "post-update"] {
        let path = sandbox.path().join("../remote.git/hooks").join(hook);
        write(path.clone(), &format!("#!/bin/sh\ntouch {}\n", loot.display()));
        if hook != "post-update" {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    write(author.join(".gitattributes"), "*.toml filter=evil\n");
    write(author.join("checklists/.gitattributes"), "*.toml ident eol=crlf\n");
    remote.publish(&first(), "v1.0.0");
    fs::remove_file(&loot).ok();
    sandbox.run(&["update", "--from", &from("v1.0.0")]).ends(0);
    assert_eq!(sandbox.read("checklists/team.toml"), first());
    assert!(!loot.exists(), "a hook ran");
    fs::remove_dir_all(sandbox.path().join("../remote.git/hooks")).unwrap();

    std::os::unix::fs::symlink("/etc/passwd", author.join("checklists/link.toml")).unwrap();
    remote.tag("v1.1.0");
    refuses(&sandbox, &["--from", &from("v1.1.0")], 2, &["link.toml is not taken", "a link"]);
    fs::remove_file(author.join("checklists/link.toml")).unwrap();

    write(author.join("checklists/large.toml"), &"# large\n".repeat(200_000));
    remote.tag("v1.2.0");
    refuses(&sandbox, &["--from", &from("v1.2.0")], 2, &["large.toml has more than 1 MiB"]);
    fs::remove_file(author.join("checklists/large.toml")).unwrap();

    // A name that leads out of its folder, which git itself would not make.
    let blob = remote.git(&["hash-object", "-w", "checklists/team.toml"]);
    let raw: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap()).collect();
    let tree = [b"100644 ../../out.toml\0".as_slice(), &raw].concat();
    fs::write(author.join("tree"), tree).unwrap();
    let tree = remote.git(&["hash-object", "-w", "-t", "tree", "--literally", "tree"]);
    let commit = remote.git(&["commit-tree", tree.trim(), "-m", "out"]);
    remote.git(&["tag", "v1.3.0", commit.trim()]);
    remote.git(&["push", "--quiet", "origin", "v1.3.0"]);
    refuses(&sandbox, &["--from", &from("v1.3.0")], 2, &["there is no checklist in"]);
    assert!(!sandbox.path().join("../out.toml").exists());

    // A folder of checklists that is none.
    let link = remote.git(&["hash-object", "-w", "tree"]);
    fs::write(author.join("listing"), format!("120000 blob {}\tchecklists\n", link.trim())).unwrap();
    let made =
        sandbox.command("sh").args(["-c", "git -C ../author mktree < ../author/listing"]).output().unwrap();
    let tree = String::from_utf8(made.stdout).unwrap();
    let commit = remote.git(&["commit-tree", tree.trim(), "-m", "link"]);
    remote.git(&["tag", "v1.4.0", commit.trim()]);
    remote.git(&["push", "--quiet", "origin", "v1.4.0"]);
    refuses(&sandbox, &["--from", &from("v1.4.0")], 2, &["checklists is not taken: it is no folder"]);

    // A tag that leads to no commit.
    remote.git(&["tag", "v1.5.0", blob.trim()]);
    remote.git(&["push", "--quiet", "origin", "v1.5.0"]);
    refuses(&sandbox, &["--from", &from("v1.5.0")], 2, &["there is no commit"]);

    // Programs as protocols, and what git would take for an option.
    for source in
        ["git+ext::sh -c id", "git+ext://sh", "git+ssh://-oProxyCommand=id/x", "git+--upload-pack=id"]
    {
        refuses(&sandbox, &["--from", source], 2, &["error:"]);
    }
    assert!(!loot.exists());
}

#[test]
fn settings_that_rewrite_an_address_do_not_lead_to_a_program() {
    let sandbox = Sandbox::workspace();
    let loot = sandbox.path().join("../loot");
    let rewrite = format!("url.ext::sh -c touch% {} .insteadOf", loot.display());
    sandbox.git(&["config", "--global", "protocol.ext.allow", "always"]);
    sandbox.git(&["config", "--global", &rewrite, "https://example.org/"]);
    refuses(&sandbox, &["--from", "git+https://example.org/x#v1"], 3, &["git could not list the tags"]);
    assert!(!loot.exists());
}

#[test]
fn repository_that_is_not_there_is_no_verdict_and_nothing_is_asked() {
    let sandbox = Sandbox::workspace();
    let source = "git+file:///nowhere/at/all.git#v1";
    refuses(&sandbox, &["--from", source], 3, &["git could not list the tags", "give --from the folder"]);
    let folder = tempfile::tempdir().unwrap();
    let printed =
        sandbox.run_with(&[("PATH", folder.path().to_str().unwrap())], &["update", "--from", source]);
    says(&printed.ends(3), &["there is no program \"git\""]);
}

#[test]
fn git_that_calls_mustdo_does_not_lend_it_its_repository() {
    let sandbox = Sandbox::workspace();
    let remote = Remote::new(&sandbox);
    remote.publish(&first(), "v1.0.0");
    let source = format!("{}#v1.0.0", remote.url());
    let own = sandbox.path().join(".git");
    let variables =
        [("GIT_DIR", own.to_str().unwrap()), ("GIT_INDEX_FILE", "/nowhere"), ("GIT_WORK_TREE", "/")];
    sandbox.run_with(&variables, &["update", "--from", &source]).ends(0);
    assert!(!own.join("refs/taken").exists());
    assert_eq!(sandbox.read("checklists/team.toml"), first());
}
