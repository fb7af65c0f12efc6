//! What the gate asks beyond single items: checklists, levels, a base that nothing may be worse than, and `--soft`.

use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Printed, Sandbox};
use crate::verify::{REPEAT, shop};

const SAFE_GET: &str = "frontend.idempotent-request";

/// A workspace in which both items are proven, all of it committed and tagged `before`.
fn proven(settings: &str) -> Sandbox {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", settings);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "--quiet", "-m", "shop"]);
    sandbox.run(&["verify", SAFE_GET, REPEAT, "--commit"]).ends(0);
    sandbox.git(&["tag", "before"]);
    sandbox
}

/// Everything in one line: where lines break is no matter.
fn flat(printed: &Printed) -> String {
    printed.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Value {
    let printed = sandbox.run(&[arguments, &["--format", "json"]].concat()).ends(code);
    serde_json::from_str(&printed.stdout).unwrap()
}

#[test]
fn nothing_is_worse_where_nothing_changed_and_the_report_says_what_it_was_compared_with() {
    let sandbox = proven(&shop(None));
    let printed = sandbox.run(&["report", "--base", "before"]).ends(0);
    assert!(flat(&printed).contains("nothing is worse than at before ("), "{}", printed.stdout);
    let report = json(&sandbox, &["report", "--base", "before"], 0);
    let commit = sandbox.git(&["rev-parse", "before"]);
    assert_eq!(report["judgement"]["compared"]["base"]["commit"], commit.trim());
    // A must item that came since is no step back, whatever it is.
    sandbox.run(&["init", "--copy-checklists", "--quiet"]).ends(0);
    let list = sandbox.read("checklists/02-must-do.toml");
    let added = "\n[[item]]\nid = \"must-do.added\"\ngroup = \"must-do\"\ntitle = { zh = \"新\", en = \"New\" }\n\
                 level = \"must\"\nweight = 5\n";
    sandbox.write("checklists/02-must-do.toml", &(list + added));
    sandbox.run(&["report", "--base", "before"]).ends(0);
}

#[test]
fn proof_that_is_lost_is_a_violation_in_every_form() {
    let bound = shop(None);
    let sandbox = proven(&bound);
    // Another way to start the service makes both proofs stale.
    sandbox.write("mustdo.toml", &bound.replace("\"--port\"", "\"--quiet\", \"--port\""));
    sandbox.run(&["report"]).ends(0);
    let files = [("junit", "r.xml"), ("sarif", "r.sarif"), ("markdown", "r.md"), ("gitlab", "r.gitlab")];
    let reports: Vec<_> = files.iter().map(|(format, file)| format!("{format}={file}")).collect();
    let mut arguments = vec!["report", "--base", "HEAD"];
    arguments.extend(reports.iter().flat_map(|report| ["--report", report.as_str()]));
    let printed = sandbox.run(&arguments).ends(1);
    let said = flat(&printed);
    assert!(said.contains("2 items were proven at HEAD (") && said.contains("(now stale)"), "{said}");
    assert!(said.contains("frontend: readiness fell from"), "{said}");
    assert!(sandbox.read("r.xml").contains("type=\"worse\""));
    assert!(sandbox.read("r.sarif").contains("mustdo/worse"));
    assert!(sandbox.read("r.md").contains("were proven at HEAD"));
    assert!(sandbox.read("r.gitlab").contains("mustdo/worse"));
    let printed = sandbox.run_with(&[("GITHUB_ACTIONS", "true")], &["report", "--base", "HEAD"]).ends(1);
    assert!(printed.stdout.contains("::error title=mustdo::2 items were proven at HEAD"));
    let report = json(&sandbox, &["report", "--base", "HEAD"], 1);
    let worse = &report["judgement"]["violations"][0];
    assert_eq!((&worse["kind"], &worse["items"][0]["is"]), (&Value::from("worse"), &Value::from("stale")));

    // Proven again, nothing is worse.
    sandbox.run(&["verify", "--stale", "--base", "HEAD"]).ends(0);
    // What was not selected is not looked at.
    sandbox.write("mustdo.toml", &bound);
    sandbox.run(&["report", SAFE_GET, "--base", "HEAD"]).ends(1);
    sandbox.run(&["report", "must-do", "--base", "HEAD"]).ends(0);
}

#[test]
fn failure_flaw_and_removal_against_the_base_of_the_settings() {
    let bound = format!("{}\n[policy]\nbase = \"before\"\n", shop(None));
    let sandbox = proven(&shop(None));
    sandbox.write("mustdo.toml", &bound);
    sandbox.run(&["report"]).ends(0);
    let broken = shop(Some("repeat-effect/put-appends"));
    sandbox.write("mustdo.toml", &format!("{broken}\n[policy]\nbase = \"before\"\n"));
    let printed = sandbox.run(&["verify", REPEAT]).ends(1);
    assert!(flat(&printed).contains(&format!("{REPEAT} (now failing)")), "{}", printed.stdout);
    // What is removed is told; a proof that goes with it is a checklist that has fallen.
    sandbox.write("mustdo.toml", &bound);
    sandbox.run(&["verify", REPEAT]).ends(0);
    sandbox.run(&["init", "--copy-checklists", "--quiet"]).ends(0);
    let is_list = |name: &String| {
        name.starts_with("checklists/") && name.ends_with("frontend.toml") && !name.contains("/.base/")
    };
    let name = sandbox.files().into_iter().find(is_list).unwrap();
    let list = sandbox.read(&name);
    let of = |id: &str| {
        let start = list.find(&format!("[[item]]\nid = \"{id}\"")).unwrap();
        let end = list[start + 8..].find("\n[[item]]").map_or(list.len(), |end| start + 9 + end);
        format!("{}{}", &list[..start], &list[end..])
    };
    sandbox.write(&name, &of("frontend.node"));
    let printed = sandbox.run(&["report"]).ends(0);
    assert!(flat(&printed).contains("1 item: frontend.node"), "{}", printed.stdout);
    sandbox.write(&name, &of(SAFE_GET));
    let printed = sandbox.run(&["report"]).ends(1);
    assert!(flat(&printed).contains("frontend: readiness fell from"), "{}", printed.stdout);
    // A new name is the same item.
    let renamed = list.replace(
        &format!("id = \"{SAFE_GET}\""),
        &format!("id = \"frontend.safe\"\nformerly = [\"{SAFE_GET}\"]"),
    );
    sandbox.write(&name, &renamed);
    let printed = sandbox.run(&["report"]).ends(0);
    assert!(!printed.stdout.contains("removed since"), "{}", printed.stdout);
}

#[test]
fn base_is_where_both_parted_where_that_is_asked() {
    let sandbox = proven(&shop(None));
    sandbox.git(&["branch", "topic", "HEAD~1"]);
    sandbox.git(&["checkout", "--quiet", "topic"]);
    // The proofs came on the other branch.
    sandbox.run(&["report", "--base", "main"]).ends(1);
    sandbox.run(&["report", "--base", "main..."]).ends(0);
    sandbox.run(&["report", "--rev", "main", "--base", "topic..."]).ends(0);
    // Before there was a workspace, nothing was proven.
    let tree = sandbox.git(&["mktree"]);
    let empty = sandbox.git(&["commit-tree", "-m", "empty", tree.trim()]);
    sandbox.run(&["report", "--rev", "main", "--base", empty.trim()]).ends(0);
    let printed = sandbox.run(&["report", "--base", &format!("{}...", empty.trim())]).ends(2);
    assert!(printed.stderr.contains("have no commit in common"), "{}", printed.stderr);
}

/// What GitHub checks out for a pull request is its merge, which begins with what it would be merged into.
#[test]
fn first_parent_of_a_merge_is_a_base() {
    let sandbox = proven(&shop(None));
    sandbox.git(&["checkout", "--quiet", "-b", "topic", "HEAD~1"]);
    sandbox.write("notes.txt", "1\n");
    sandbox.git(&["add", "notes.txt"]);
    sandbox.git(&["commit", "--quiet", "-m", "topic"]);
    sandbox.git(&["checkout", "--quiet", "--detach", "main"]);
    sandbox.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "topic"]);
    sandbox.run(&["report", "--base=HEAD^1"]).ends(0);
    sandbox.git(&["rm", "--quiet", "-r", "progress"]);
    sandbox.run(&["report", "--base=HEAD^1"]).ends(1);
    // The items that were not proven before the merge are no matter of it.
    sandbox.run(&["report", "--base=HEAD^2"]).ends(0);
}

#[test]
fn why_says_what_decided_and_what_is_to_be_proven_first() {
    let sandbox = proven(&shop(None));
    let commit = sandbox.git(&["rev-parse", "HEAD~1"]);
    let printed = sandbox.run(&["report", SAFE_GET, "--why"]).ends(0);
    let said = flat(&printed);
    for part in [
        "why proven: its check passed, and nothing has changed since",
        "http-idempotency/safe-get: decided: pass, 2026-06-01 12:00 UTC, by http-idempotency",
        &format!("at commit {}", &commit[..12]),
        "to be proven first: frontend.cdn (open)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let markdown =
        sandbox.run(&["report", "frontend", "--why", "--format", "markdown", "--lang", "zh"]).ends(0);
    assert!(
        markdown.stdout.contains("为何已证实") && markdown.stdout.contains("应先证实"),
        "{}",
        markdown.stdout
    );
    for line in
        sandbox.run_with(&[("COLUMNS", "60")], &["report", "frontend", "--why"]).ends(0).stdout.lines()
    {
        assert!(line.chars().count() <= 60 || line.contains("run = "), "{line}");
    }
}

#[test]
fn base_that_is_not_there_is_an_error_that_says_how_to_get_it() {
    let sandbox = proven(&shop(None));
    let printed = sandbox.run(&["report", "--base", "origin/main"]).ends(2);
    assert!(printed.stderr.contains("there is no commit \"origin/main\""), "{}", printed.stderr);
    assert!(printed.stderr.contains("git fetch origin"), "{}", printed.stderr);
    assert_eq!(printed.stdout, "");
    let clone = sandbox.path().parent().unwrap().join("shallow");
    let from = format!("file://{}", sandbox.path().display());
    sandbox.git(&["clone", "--quiet", "--depth", "1", &from, clone.to_str().unwrap()]);
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command: Command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        let output =
            command.current_dir(&clone).envs(variables.iter().copied()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [
        &["report", "--base", "HEAD~1"][..],
        &["report", "--base", "nowhere..."],
        &["report", "--soft", "--base", "HEAD~1"],
        &["verify", "--base", "HEAD~1"],
    ] {
        let (code, said) = run(arguments, &[]);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains("git fetch --unshallow"), "{said}");
    }
    let (_, said) = run(&["report", "--base", "HEAD~1"], &[("GITHUB_ACTIONS", "true")]);
    assert!(said.contains("fetch-depth: 0"), "{said}");
    assert_eq!(run(&["report", "--base", "HEAD"], &[]).0, Some(0));
}

#[test]
fn soft_keeps_the_policy_out_of_the_exit_code_and_nothing_else() {
    let sandbox = Sandbox::workspace();
    sandbox.write(
        "mustdo.toml",
        &format!("{}\n[policy]\nmust = \"proven\"\n", shop(Some("repeat-effect/put-appends"))),
    );
    sandbox.run(&["verify", REPEAT]).ends(1);
    let printed = sandbox.run(&["verify", REPEAT, "--soft"]).ends(0);
    let said = flat(&printed);
    assert!(said.contains("✘ 1 item is failing") && said.contains("does not hold; --soft"), "{said}");
    assert!(!said.contains("✔ holds"), "{said}");
    sandbox.run(&["report"]).ends(1);
    sandbox.run(&["report", "--soft"]).ends(0);
    // What could not be looked at at all is no matter of the policy.
    sandbox.run(&["verify", "idempotence.unique-key", "--soft"]).ends(3);
    sandbox.write("mustdo.toml", "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n");
    sandbox.run(&["verify", REPEAT, "--soft"]).ends(3);
    sandbox.run(&["verify", "nowhere", "--soft"]).ends(2);
    sandbox.write("mustdo.toml", "[polcy]\n");
    sandbox.run(&["report", "--soft"]).ends(2);
}

#[test]
fn checklists_and_levels_are_asked_for_what_the_settings_say() {
    let sandbox = proven(&shop(None));
    let ask = |policy: &str| sandbox.write("mustdo.toml", &format!("{}\n{policy}", shop(None)));
    ask("[policy.checklist.frontend]\nreadiness = 1\n");
    let printed = sandbox.run(&["report"]).ends(0);
    assert!(flat(&printed).contains("in frontend readiness is at least 1%"), "{}", printed.stdout);
    ask("[policy.checklist.frontend]\nreadiness = 99\n");
    let printed = sandbox.run(&["report"]).ends(1);
    assert!(flat(&printed).contains("✘ frontend: readiness is"), "{}", printed.stdout);
    // A selection without it does not speak of it, and says so.
    let printed = sandbox.run(&["report", "must-do"]).ends(0);
    assert!(
        flat(&printed).contains("not judged, as nothing of it was selected: frontend"),
        "{}",
        printed.stdout
    );
    // Another way to start the service makes both proofs stale.
    let other = shop(None).replace("\"--port\"", "\"--quiet\", \"--port\"");
    for (policy, code) in [
        ("[policy]\nstale = 2\n", 0),
        ("[policy]\nstale = 1\n", 1),
        ("[policy.checklist.frontend]\nstale = 1\n", 0),
        ("[policy.checklist.frontend]\nstale = 0\n", 1),
        ("[policy.checklist.must-do]\nstale = 0\n", 0),
    ] {
        sandbox.write("mustdo.toml", &format!("{other}\n{policy}"));
        sandbox.run(&["report"]).ends(code);
    }
    ask("[policy.level.must]\nclaimed = 0\n");
    sandbox.run(&["report"]).ends(0);
    sandbox.run(&["tick", "must-do.celery"]).ends(0);
    let printed = sandbox.run(&["report"]).ends(1);
    assert!(flat(&printed).contains("✘ level must: 1 item is only claimed"), "{}", printed.stdout);
    let report = json(&sandbox, &["report"], 1);
    assert_eq!(report["judgement"]["violations"][0]["level"], "must");
    ask("[policy.checklist.fronted]\nreadiness = 1\n");
    let printed = sandbox.run(&["report"]).ends(2);
    assert!(printed.stderr.contains("did you mean \"frontend\""), "{}", printed.stderr);
}
