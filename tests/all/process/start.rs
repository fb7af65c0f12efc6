//! What a program gets, and what is told of how it ends.

use std::fs;

use super::bench::Bench;
use super::remains::OWN;
use super::script::Script;
use crate::sandbox::Sandbox;

#[tokio::test]
async fn program_sees_what_the_user_allows_and_nothing_else() {
    let script = Script::new().start_with(&["a b"], &[("GIVEN", "here")], false).read(4_000);
    let text = "echo \"$1|$GIVEN|$(ls -A | wc -l)|$(test \"$PWD\" = \"$HOME\" && test \"$PWD\" = \"$TMPDIR\" && echo home)|\
                $(env | cut -d= -f1 | sort | tr '\\n' ' ')\"";
    let bench = Bench::new(script).await.tool(text, &["*"]);
    let run = bench.verify().await.unwrap();
    assert_eq!(run.verdict.summary.en.trim_end(), "a b|here|0|home|GIVEN HOME LANG PATH PWD TMPDIR");
    assert_eq!(run.accesses[0].what, "process start tool [\"a b\"]");
    assert_eq!(run.accesses[0].refused, None);
}

#[test]
fn program_has_no_terminal() {
    let guest = Script::new().start(&[]).read(100).guest().asks("process:tool", true);
    let sandbox = Sandbox::workspace();
    fs::create_dir(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/test-guest.wasm"), guest.build()).unwrap();
    sandbox.write("checklists/own.toml", OWN);
    // What it says stands nowhere in how it is started.
    let script = "(: >/dev/tty) 2>/dev/null && echo some $((6 + 7)) || echo none $((6 + 7))";
    let settings =
        format!("[targets.tool]\nkind = \"command\"\nprogram = \"sh\"\nargs = [\"-c\", \"{script}\"]\n");
    sandbox.write("mustdo.toml", &settings);
    sandbox.run(&["grant", "test-guest", "process:tool"]).ends(0);
    assert_eq!(sandbox.at_terminal("verify own.probe", "").0, Some(0));
    let seen = sandbox.run(&["show", "own.probe", "--transcript"]).ends(0).stdout;
    assert!(seen.contains("none 13"), "{seen}");
}

#[tokio::test]
async fn program_that_is_not_granted_is_refused_with_the_command_that_grants_it() {
    let mut bench = Bench::new(Script::new().start(&[])).await.tool("exit 0", &[]);
    bench.task.allowed.clear();
    let run = bench.verify().await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest process:tool");
    assert_eq!(run.accesses[0].refused.as_deref(), Some("denied: mustdo grant test-guest process:tool"));
}

#[tokio::test]
async fn argument_and_variable_outside_the_pattern_are_refused_and_nothing_starts() {
    for (script, why) in [
        (Script::new().start(&["--config=/etc/passwd"]), "does not match \"--port=*\""),
        (Script::new().start(&["--port=1", "; rm -rf /"]), "is one more than the target's `args` allow"),
        (Script::new().start(&[]), "an argument that matches \"--port=*\" is missing"),
        (Script::new().start_with(&["--port=1"], &[("LD_PRELOAD", "/tmp/x.so")], false), "LD_PRELOAD"),
        (Script::new().start_with(&["--port=1"], &[("PATH", "/tmp")], false), "PATH"),
    ] {
        let bench = Bench::new(script).await;
        let started = bench.path("started");
        let bench = bench.tool(&format!("touch {}", started.display()), &["--port=*"]);
        let summary = bench.summary().await;
        assert!(summary.contains(why) && summary.contains("in mustdo.toml if it is meant"), "{summary}");
        assert!(!started.exists());
    }
}

#[tokio::test]
async fn exit_and_signal_are_told_apart() {
    let ends = |text: &'static str| async move {
        Bench::new(Script::new().start(&[]).wait(15_000)).await.tool(text, &[]).summary().await
    };
    assert_eq!(ends("exit 3").await, "exit 3");
    assert_eq!(ends("kill -9 $$").await, "signal 9");
    let running = Bench::new(Script::new().start(&[]).wait(100)).await.tool("sleep 60", &[]);
    assert_eq!(running.summary().await, "still running");
    let killed = Bench::new(Script::new().start(&[]).signal(2).wait(15_000)).await.tool("sleep 60", &[]);
    assert_eq!(killed.summary().await, "signal 9");
}

#[tokio::test]
async fn flood_of_output_waits_for_its_reader() {
    // Without a reader the program stands still; a read gives a bounded part of what it says.
    let script = Script::new().start(&[]).wait(500).read(8 << 20);
    let bench = Bench::new(script).await.tool("yes", &[]);
    let summary = bench.summary().await;
    assert!(summary.len() <= 2_100 && summary.starts_with('y'), "{}", summary.len());
    let script = Script::new().start(&[]).wait(500);
    assert_eq!(Bench::new(script).await.tool("yes", &[]).summary().await, "still running");
}
