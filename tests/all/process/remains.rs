//! Nothing of a run is left, however it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use mustdo::verify::RunFault;

use super::bench::Bench;
use super::census::{all_end, anybody_left, escape_artists, nobody_left, pids, runs};
use super::script::Script;
use crate::guest::Guest;
use crate::sandbox::Sandbox;

#[tokio::test]
async fn nothing_is_left_of_a_run_however_it_ends() {
    for end in ["the deadline", "a trap", "an answer", "the handle"] {
        let script = Script::new().start(&[]).wait(1_500);
        let script = match end {
            "the deadline" => script.step("(loop $again (br $again))"),
            "a trap" => script.step("unreachable"),
            "the handle" => script.step("(call $child (local.get $i))"),
            _ => script,
        };
        let mut bench = Bench::new(script).await;
        bench.task.deadline = Duration::from_secs(if end == "the deadline" { 3 } else { 60 });
        let path = bench.path("pids");
        let bench = bench.tool(&escape_artists(&path), &[]);
        let ended = bench.verify().await;
        match end {
            "the deadline" => assert!(matches!(ended.unwrap_err().fault, RunFault::TimedOut { .. })),
            "a trap" => assert!(matches!(ended.unwrap_err().fault, RunFault::Trapped(_))),
            _ => assert!(ended.is_ok()),
        }
        assert_eq!(pids(&path, 4).len(), 4, "{end}");
        // By the time the run has ended, not some time later.
        assert_eq!(anybody_left(&path), [""; 0], "{end}");
    }
}

#[tokio::test]
async fn guard_that_its_program_holds_up_or_kills_leaves_nothing() {
    let again = "(setsid sh -c 'while :; do kill -STOP \"$1\"; done' sh $PPID &)";
    for (attack, escapes) in [("kill -STOP $PPID", true), (again, true), ("kill -KILL $PPID", false)] {
        // With its first breath, before the guard has told that it runs, and later.
        for moment in ["", "sleep 0.5; "] {
            let bench = Bench::new(Script::new().start(&[]).wait(2_000)).await;
            let path = bench.path("pids");
            let family = if escapes {
                escape_artists(&path)
            } else {
                // What has left the guard's session as well is nobody's to find.
                let path = path.display();
                format!("sh -c 'trap \"\" TERM; echo $$ >>{path}; while :; do sleep 1; done' & wait")
            };
            let bench = bench.tool(&format!("{moment}{attack}; {family}"), &[]);
            assert!(bench.verify().await.is_ok(), "{moment}{attack}");
            assert_eq!(anybody_left(&path), [""; 0], "{moment}{attack}");
            assert!(moment.is_empty() || path.exists(), "it did not run: {attack}");
        }
    }
}

#[tokio::test]
async fn run_that_is_cancelled_leaves_nothing() {
    let bench = Bench::new(Script::new().start(&[]).wait(60_000)).await;
    let path = bench.path("pids");
    let bench = bench.tool(&escape_artists(&path), &[]);
    let waits = async {
        while fs::read_to_string(&path).unwrap_or_default().lines().count() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = bench.verify() => panic!("it waits for a minute"),
        () = waits => {}
    }
    assert_eq!(anybody_left(&path), [""; 0]);
}

#[tokio::test]
async fn fork_bomb_is_counted_and_killed() {
    // It waits for nothing and forks as fast as it can, but stops at a thousand should nobody stop it.
    let text = "python3 -c 'import os, time, sys
for _ in range(1000):
    if os.fork() == 0: os.setsid(); time.sleep(60); os._exit(0)
time.sleep(60)' \"$1\"";
    let bench = Bench::new(Script::new().start(&["mark"]).wait(30_000)).await;
    let mark = bench.path("bomb");
    let mark = mark.to_str().unwrap();
    let script = Script::new().start(&[mark]).wait(30_000);
    let bench = Bench::new(script).await.tool(text, &["*"]);
    assert_eq!(bench.summary().await, "signal 9");
    assert!(nobody_left(Path::new(mark)));
}

/// The private folders that are left below `temporary`.
fn rooms(temporary: &Path) -> Vec<PathBuf> {
    let users = fs::read_dir(temporary).into_iter().flatten().flatten();
    users
        .filter_map(|user| fs::read_dir(user.path()).ok())
        .flatten()
        .map(|room| room.unwrap().path())
        .collect()
}

/// A checklist whose one item asks the guest about `tool`.
pub(super) const OWN: &str = r#"format = 1
id = "own"
version = "1.0.0"
title = { en = "Own", zh = "自己" }
[[group]]
id = "own"
title = { en = "Own", zh = "自己" }
[[item]]
id = "own.probe"
group = "own"
title = { en = "Probe", zh = "探测" }
level = "must"
weight = 1
[[item.check]]
uses = "test-guest/probe"
target = { tool = "tool" }
"#;

/// A workspace whose one item asks the guest, with `tool` and a started target, everything granted. What each program does
/// first is `before`.
fn workspace(guest: &Guest, path: &Path, before: &str) -> Sandbox {
    let sandbox = Sandbox::workspace();
    let file = sandbox.path().join("plugins/test-guest.wasm");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, guest.build()).unwrap();
    sandbox.write(
        "checklists/own.toml",
        &OWN.replace("target = { tool = \"tool\" }", "target = { tool = \"tool\", web = \"web\" }"),
    );
    let script = format!("{before}{}", escape_artists(path)).replace('\\', "\\\\").replace('"', "\\\"");
    sandbox.write(
        "mustdo.toml",
        &format!(
            r#"[targets.tool]
kind = "command"
program = "sh"
args = ["-c", "{script}"]
[targets.web]
kind = "http"
url = "http://127.0.0.1:{{port}}"
run = ["sh", "-c", "{script} & exec python3 -m http.server --bind 127.0.0.1 {{port}}"]
"#
        ),
    );
    sandbox.run(&["lint"]).ends(0);
    sandbox.run(&["grant", "test-guest", "process:tool", "process:web"]).ends(0);
    sandbox
}

#[test]
fn killing_mustdo_leaves_no_process_and_after_the_next_start_no_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("pids");
    let script = Script::new().scratch(None).start_with(&[], &[], true).wait(600_000);
    let guest = script.guest().asks("process:tool", true).asks("process:web", true).exclusive();
    let sandbox = workspace(&guest, &path, "");
    let verify = || {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        command.env("TMPDIR", temporary.path()).args(["verify", "own.probe", "--timeout", "2m"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut mustdo = verify().spawn().unwrap();
    // Four of the target, and four of the plugin's program.
    let started = pids(&path, 8);
    assert!(anybody_left(&path).len() >= 8, "{:?}", anybody_left(&path));
    assert_eq!(rooms(temporary.path()).len(), 2, "the workspace, and the home of its program");
    mustdo.kill().unwrap();
    mustdo.wait().unwrap();
    assert!(all_end(&started) && nobody_left(&path), "{:?}", anybody_left(&path));
    assert_eq!(rooms(temporary.path()).len(), 2, "nobody was left to remove them");
    let listed = sandbox
        .command(env!("CARGO_BIN_EXE_mustdo"))
        .env("TMPDIR", temporary.path())
        .args(["plugin", "list"])
        .output();
    assert!(listed.unwrap().status.success());
    assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from));

    // Asked to end, it clears away itself.
    fs::remove_file(&path).unwrap();
    let mut mustdo = verify().spawn().unwrap();
    let started = pids(&path, 8);
    let pid = rustix::process::Pid::from_raw(i32::try_from(mustdo.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(mustdo.wait().unwrap().code(), Some(130));
    assert!(!started.iter().any(|&pid| runs(pid)) && anybody_left(&path).is_empty());
    assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn killing_mustdo_at_any_moment_leaves_no_process_and_after_the_next_start_no_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("pids");
    let script = Script::new().scratch(Some("src")).start_with(&[], &[], true).wait(600_000);
    let guest = script.guest().asks("process:tool", true).asks("process:web", true).asks("scratch:src", true);
    // Its guards can not see that mustdo is gone.
    let sandbox = workspace(&guest.exclusive(), &path, "sleep 0.3; kill -STOP $PPID; ");
    let bind = |text: &str| text.replace("web = \"web\" }", "web = \"web\", src = \"src\" }");
    sandbox.write("checklists/own.toml", &bind(&sandbox.read("checklists/own.toml")));
    let settings = sandbox.read("mustdo.toml");
    sandbox.write("mustdo.toml", &format!("[targets.src]\nkind = \"dir\"\npath = \"src\"\n{settings}"));
    for number in 0..2_000 {
        sandbox.write(&format!("src/{number}.txt"), "something to copy");
    }
    sandbox.run(&["grant", "test-guest", "scratch:src"]).ends(0);
    let command = |arguments: &[&str]| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        // Without a cache it compiles every time.
        command.env("TMPDIR", temporary.path()).env("MUSTDO_CWASM_CACHE", "off").args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let moments: Vec<_> = (0..3_200).step_by(400).map(Some).chain([None]).collect();
    for moment in moments {
        let mut mustdo = command(&["verify", "own.probe", "--timeout", "2m"]).spawn().unwrap();
        match moment {
            Some(millis) => sleep(Duration::from_millis(millis)),
            // As soon as it copies.
            None => {
                while rooms(temporary.path()).is_empty() {
                    assert_eq!(mustdo.try_wait().unwrap(), None);
                    sleep(Duration::from_millis(1));
                }
            }
        }
        mustdo.kill().unwrap();
        mustdo.wait().unwrap();
        assert!(nobody_left(&path), "{moment:?}: {:?}", anybody_left(&path));
        assert!(command(&["plugin", "list"]).status().unwrap().success());
        assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from), "{moment:?}");
    }
    assert!(path.exists(), "its programs never ran");
}
