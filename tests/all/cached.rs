//! `mustdo verify --cached`: which passes are kept, and every way in which one must not be.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{Printed, Sandbox};
use crate::verify::{REPEAT, shop};

const SAFE_GET: &str = "frontend.idempotent-request";

/// How the shop fails [`REPEAT`].
const FLAW: &str = "repeat-effect/put-appends";

/// A script that serves the shop, with a mistake where one is given.
fn script(flaw: Option<&str>) -> String {
    let flaw = flaw.map_or(String::new(), |flaw| format!(" --flaw {flaw}"));
    // FLAWED is a variable that only some runs have.
    format!(
        "#!/bin/sh\nexec '{}' demo serve --port \"$1\"{flaw} ${{FLAWED:+--flaw $FLAWED}}\n",
        env!("CARGO_BIN_EXE_mustdo")
    )
}

/// Settings whose target is started by `run`, and more.
fn started(run: &str, more: &str) -> String {
    format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\nready = \"/healthz\"\nrun = {run}\n{more}"
    )
}

/// A workspace with a script and a watched file; git ignores the script, as it would a program that is built.
pub(crate) fn with_script(run: &str, watched: bool) -> Sandbox {
    let sandbox = Sandbox::workspace();
    let watch = format!("[item.\"{REPEAT}\"]\nwatch = [\"app/**\"]\n");
    sandbox.write("mustdo.toml", &started(run, if watched { &watch } else { "" }));
    sandbox.write(".gitignore", "/.mustdo/\n/bin/\n");
    sandbox.write("app/shop.py", "1\n");
    write_script(&sandbox, None);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "--quiet", "-m", "shop"]);
    sandbox
}

fn write_script(sandbox: &Sandbox, flaw: Option<&str>) {
    sandbox.write("bin/serve", &script(flaw));
    let path = sandbox.path().join("bin/serve");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) const RUN: &str = "[\"bin/serve\", \"{port}\"]";

#[track_caller]
fn kept(printed: Printed) -> Printed {
    let printed = printed.ends(0);
    assert!(printed.stderr.contains("kept from 2026-06-01 12:00 UTC"), "{}", printed.stderr);
    assert!(!printed.stderr.contains("starting web"), "{}", printed.stderr);
    printed
}

/// That the check ran, ended so, and why its pass was not kept.
#[track_caller]
fn ran(printed: Printed, code: i32, why: &str) {
    let printed = printed.ends(code);
    assert!(printed.stderr.contains("starting web"), "{}", printed.stderr);
    assert!(printed.stderr.contains(why), "{}", printed.stderr);
    assert!(!printed.stderr.contains("kept from"), "{}", printed.stderr);
}

#[test]
fn pass_is_kept_while_nothing_changes_and_counts_as_what_it_is() {
    let sandbox = with_script(RUN, true);
    let verify = ["verify", REPEAT, "--cached"];
    ran(sandbox.run(&verify), 0, "");
    let progress = sandbox.read("progress/gateway.toml");
    let later = [("MUSTDO_NOW", "2026-06-02T12:00:00Z")];
    let printed = kept(sandbox.run_with(&later, &verify));
    let words = printed.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Kept, not run again (1)") && words.contains("✔ holds"), "{words}");
    assert_eq!(sandbox.read("progress/gateway.toml"), progress, "nothing is dated anew");
    let printed = kept(sandbox.run(&[&verify[..], &["--report", "json"]].concat()));
    let report: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    let text = report.to_string();
    assert!(text.contains("\"kept\":true") && text.contains("\"at\":\"2026-06-01T12:00:00Z\""), "{text}");
    // Beside one that runs.
    let printed = sandbox.run(&["verify", REPEAT, SAFE_GET, "--cached"]).ends(0);
    assert!(
        printed.stderr.contains(&format!("kept from 2026-06-01 12:00 UTC  {REPEAT}")),
        "{}",
        printed.stderr
    );
    assert!(printed.stdout.contains("Kept, not run again (1)"), "{}", printed.stdout);
    // Without the flag everything runs, and what is too old runs.
    ran(sandbox.run(&["verify", REPEAT]), 0, "");
    ran(sandbox.run_with(&[("MUSTDO_NOW", "2027-06-01T12:00:00Z")], &verify), 0, "");
    // What is asked to be repeated is not kept.
    sandbox.run(&["verify", REPEAT, "--cached", "--seed", "1"]).ends(2);
}

#[test]
fn whatever_the_service_is_made_of_ends_it() {
    let verify = ["verify", REPEAT, "--cached"];
    let sandbox = with_script(RUN, true);
    let fresh = || {
        sandbox.run(&["verify", REPEAT]).ends(0);
        kept(sandbox.run(&verify));
    };
    fresh();
    // The program, which nothing watches.
    write_script(&sandbox, Some(FLAW));
    ran(sandbox.run(&verify), 1, "not what it was");
    ran(sandbox.run(&verify), 1, "");
    write_script(&sandbox, None);
    fresh();
    // A watched file, committed or not.
    sandbox.write("app/shop.py", "2\n");
    ran(sandbox.run(&verify), 0, "");
    kept(sandbox.run(&verify));
    // The environment that the program inherits.
    ran(sandbox.run_with(&[("FLAWED", FLAW)], &verify), 1, "not what it was");
    fresh();
    kept(sandbox.run_with(&[("COLUMNS", "120"), ("TERM", "dumb")], &verify));
    // The way it is started, and the question.
    let settings = sandbox.read("mustdo.toml");
    sandbox.write("mustdo.toml", &settings.replace("\"{port}\"]", "\"{port}\", \"-\"]"));
    ran(sandbox.run(&verify), 0, "");
    kept(sandbox.run(&verify));
    sandbox.write("mustdo.toml", &settings.replace("watch =", "with = { repeats = 4 }\nwatch ="));
    ran(sandbox.run(&verify), 0, "");
}

#[test]
fn files_that_the_words_of_a_command_name_end_it() {
    let verify = ["verify", REPEAT, "--cached"];
    for run in ["[\"sh\", \"bin/serve\", \"{port}\"]", "[\"sh\", \"-c\", \"exec bin/serve {port}\"]"] {
        let sandbox = with_script(run, true);
        sandbox.run(&verify).ends(0);
        kept(sandbox.run(&verify));
        write_script(&sandbox, Some(FLAW));
        ran(sandbox.run(&verify), 1, "not what it was");
    }
}

#[test]
fn without_watched_files_only_a_clean_tree_shows_that_nothing_changed() {
    let verify = ["verify", REPEAT, "--cached"];
    let sandbox = with_script(RUN, false);
    sandbox.run(&verify).ends(0);
    kept(sandbox.run(&verify));
    // What mustdo commits itself is no change.
    sandbox.git(&["add", "progress"]);
    sandbox.git(&["commit", "--quiet", "-m", "progress"]);
    kept(sandbox.run(&verify));
    for (name, text) in [("app/shop.py", "2\n"), ("app/new.py", "")] {
        sandbox.write(name, text);
        ran(sandbox.run(&verify), 0, "the work tree is not what a commit holds");
        ran(sandbox.run(&verify), 0, "the work tree is not what a commit holds");
        sandbox.git(&["stash", "--quiet", "--include-untracked", "--", "app"]);
        // The pass was given to another tree.
        ran(sandbox.run(&verify), 0, "not seen on this machine");
        kept(sandbox.run(&verify));
    }
    // Nor is what git ignores looked at by anybody else.
    sandbox.write("bin/settings.ini", "debug = 1\n");
    ran(sandbox.run(&verify), 0, "not what it was");
    kept(sandbox.run(&verify));
    sandbox.write("app/shop.py", "3\n");
    sandbox.git(&["commit", "--quiet", "--all", "-m", "other"]);
    ran(sandbox.run(&verify), 0, "not what it was");
}

#[test]
fn service_that_mustdo_does_not_start_is_always_looked_at() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sandbox = Sandbox::workspace();
    let settings = format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}\"\n[item.\"{REPEAT}\"]\nwatch = [\"app/**\"]\n"
    );
    sandbox.write("mustdo.toml", &settings);
    sandbox.write("app/shop.py", "1\n");
    let serve = |flaw: &[&str]| {
        let port = port.to_string();
        let mut command: Command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        command
            .args(["demo", "serve", "--port", &port])
            .args(flaw)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    };
    let verify = ["verify", REPEAT, "--cached"];
    let mut good = serve(&[]);
    sandbox.run(&verify).ends(0);
    let printed = sandbox.run(&verify).ends(0);
    assert!(printed.stderr.contains("mustdo does not start web"), "{}", printed.stderr);
    good.kill().unwrap();
    good.wait().unwrap();
    // Nobody answers: nothing that was proven before hides it.
    sandbox.run(&verify).ends(3);
    let mut broken = serve(&["--flaw", FLAW]);
    sandbox.run(&verify).ends(1);
    broken.kill().unwrap();
    broken.wait().unwrap();
}

#[test]
fn record_alone_is_no_reason() {
    let verify = ["verify", REPEAT, "--cached"];
    let sandbox = with_script(RUN, true);
    sandbox.run(&["verify", REPEAT, "--commit"]).ends(0);
    kept(sandbox.run(&verify));
    // A clone has the record and did not see the pass.
    let clone = sandbox.path().parent().unwrap().join("clone/work");
    sandbox.git(&["clone", "--quiet", ".", clone.to_str().unwrap()]);
    std::fs::create_dir(clone.join("bin")).unwrap();
    std::fs::copy(sandbox.path().join("bin/serve"), clone.join("bin/serve")).unwrap();
    let output =
        sandbox.command(env!("CARGO_BIN_EXE_mustdo")).current_dir(&clone).args(verify).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("its pass was not seen on this machine"), "{said}");
    // Nor has a hand that wrote a pass.
    write_script(&sandbox, Some(FLAW));
    ran(sandbox.run(&verify), 1, "");
    let name = "progress/gateway.toml";
    let record = sandbox.read(name);
    sandbox.write(name, &record.replace("outcome = \"fail\"", "outcome = \"pass\""));
    sandbox.run(&verify).ends(1);
    // What could not be recorded can not be kept.
    write_script(&sandbox, None);
    sandbox.run(&["verify", REPEAT, "--no-record"]).ends(0);
    ran(sandbox.run(&verify), 0, "");
}

#[test]
fn pass_that_left_something_out_is_tried_again() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "--quiet", "-m", "shop"]);
    let verify = ["verify", "challenge.idempotent-api", "--cached"];
    sandbox.run(&verify).ends(0);
    ran(sandbox.run(&verify), 0, "left out a must step");
}
