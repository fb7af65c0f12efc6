//! `--record` and `mustdo replay`, as a user types them.

use std::fs;
use std::path::Path;

use super::forged;
use crate::guest::Guest;
use crate::sandbox::Sandbox;

const SAFE_GET: &str = "frontend.idempotent-request";
const FILE: &str = "rec/frontend.idempotent-request--http-idempotency--safe-get.jsonl";

/// A workspace whose shop has a mistake, verified and recorded into `rec`.
fn recorded_workspace(flaw: Option<&str>, code: i32) -> Sandbox {
    let sandbox = Sandbox::workspace();
    let flaw = flaw.map_or(String::new(), |flaw| format!(", \"--flaw\", \"{flaw}\""));
    let settings = format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\nready = \"/healthz\"\n\
         run = [{:?}, \"demo\", \"serve\", \"--port\", \"{{port}}\"{flaw}]\n",
        env!("CARGO_BIN_EXE_mustdo")
    );
    sandbox.write("mustdo.toml", &settings);
    let printed = sandbox.run(&["verify", SAFE_GET, "--record", "rec"]).ends(code);
    assert!(printed.stderr.contains("mustdo replay rec"), "{}", printed.stderr);
    sandbox
}

#[test]
fn every_key_of_a_recording_is_documented() {
    let sandbox = recorded_workspace(None, 0);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/recording.md")).unwrap();
    let text = sandbox.read(FILE);
    let mut keys = std::collections::BTreeSet::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        keys.extend(line.as_object().unwrap().keys().cloned());
    }
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        assert!(page.contains(&format!("`{key}`")), "docs/recording.md does not tell what {key} is");
    }
}

#[test]
fn command_replays_a_folder_and_touches_no_progress() {
    let sandbox = recorded_workspace(None, 0);
    let (progress, files) = (sandbox.read("progress/frontend.toml"), sandbox.files());
    assert!(files.contains(&FILE.to_owned()), "{files:?}");
    let printed = sandbox.run(&["replay", "rec"]).ends(0);
    assert!(
        printed.stdout.starts_with("same  frontend.idempotent-request  http-idempotency/safe-get\n  pass: ")
    );
    assert_eq!((sandbox.read("progress/frontend.toml"), sandbox.files()), (progress, files));

    // The same plugin with other bytes: what plugin tests need.
    let shipped = mustdo::store::PLUGINS.iter().find(|plugin| plugin.id == "http-idempotency").unwrap();
    let mut bytes = shipped.bytes.to_vec();
    bytes.extend([0, 5, 4, b'm', b'o', b'r', b'e']);
    fs::write(sandbox.path().join("other.wasm"), bytes).unwrap();
    let printed = sandbox.run(&["replay", FILE, "--plugin", "other.wasm"]).ends(0);
    assert!(printed.stderr.contains("replayed with other bytes"), "{}", printed.stderr);
    assert!(printed.stdout.starts_with("same"), "{}", printed.stdout);

    // A recording is only of its own plugin.
    fs::write(sandbox.path().join("guest.wasm"), Guest::new().build()).unwrap();
    let printed = sandbox.run(&["replay", FILE, "--plugin", "guest.wasm"]).ends(3);
    assert!(printed.stderr.contains("a recording of the plugin http-idempotency, not of test-guest"));
}

#[test]
fn transcript_names_the_recording_and_secrets_are_in_neither() {
    let sandbox = recorded_workspace(None, 0);
    let shown = sandbox.run(&["show", SAFE_GET, "--transcript"]).ends(0).stdout;
    assert!(shown.contains("recording ") && shown.contains(FILE), "{shown}");
    // A word of the traffic itself as a secret: every call has it, and nothing but the mask takes it out.
    assert!(sandbox.read(FILE).contains("/session"));
    let settings = sandbox.read("mustdo.toml");
    sandbox.write("mustdo.toml", &format!("{settings}[secrets]\nenv = [\"WORD\"]\n"));
    let run = |arguments: &[&str], word: &str| {
        let output =
            sandbox.command(env!("CARGO_BIN_EXE_mustdo")).args(arguments).env("WORD", word).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["verify", SAFE_GET, "--record", "rec"], "session").0, Some(0));
    let text = sandbox.read(FILE);
    assert!(!text.contains("session") && text.contains("/***"), "{text}");
    // Where the secret is known, what the plugin asks now is masked as it was then; elsewhere nothing can be told.
    let (code, stdout) = run(&["replay", "rec"], "session");
    assert_eq!(code, Some(0), "{stdout}");
    let (code, stdout) = run(&["replay", "rec"], "another");
    assert_eq!(code, Some(3), "{stdout}");
    assert!(stdout.starts_with("could not tell  "), "{stdout}");
}

#[test]
fn plugin_that_is_not_what_was_added_is_run_by_no_replay_either() {
    let sandbox = recorded_workspace(None, 0);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/http-idempotency.wasm");
    fs::copy(&shipped, sandbox.path().join("own.wasm")).unwrap();
    sandbox.run(&["plugin", "add", "own.wasm"]).ends(0);
    sandbox.run(&["replay", FILE]).ends(0);
    // The same component with an empty custom section more.
    let other = [fs::read(&shipped).unwrap(), vec![0, 2, 1, b'x']].concat();
    fs::write(sandbox.path().join("plugins/http-idempotency.wasm"), other).unwrap();
    let printed = sandbox.run(&["replay", FILE]).ends(2);
    assert!(printed.stderr.contains("E0602") && printed.stdout.is_empty(), "{}", printed.stderr);
}

#[test]
fn failure_replays_as_a_failure_outside_any_workspace() {
    let sandbox = recorded_workspace(Some("safe-get/get-deletes"), 1);
    let elsewhere = Sandbox::empty();
    elsewhere.write("a.jsonl", &sandbox.read(FILE));
    let printed = elsewhere.run(&["replay", "a.jsonl"]).ends(0);
    assert!(printed.stdout.contains("\n  fail: "), "{}", printed.stdout);
    assert_eq!(elsewhere.files(), ["a.jsonl"]);
}

#[test]
fn recordings_that_can_not_be_replayed_say_why_and_where() {
    let sandbox = recorded_workspace(None, 0);
    let text = sandbox.read(FILE);
    let ends = |text: &str, code: i32, words: &str| {
        sandbox.write("bad.jsonl", text);
        let printed = sandbox.run(&["replay", "bad.jsonl"]).ends(code);
        assert!(printed.stderr.contains(words), "{words}: {}", printed.stderr);
        assert_eq!(printed.stdout, "");
        printed.stderr
    };
    ends(&text[..text.len() / 2], 2, "without its last line: it was cut");
    ends("", 2, "without its last line");
    ends(&text.replacen("\"status\":200", "\"status\":500", 1), 3, "changed after it was written");
    ends(
        &text.replacen("\"contract\":\"0.1.0\"", "\"contract\":\"0.2.0\"", 1),
        3,
        "recorded with contract 0.2.0",
    );
    ends(&text.replacen("\"format\":1", "\"format\":7", 1), 2, "it has the format 7");
    let shown = ends(&text.replacen("{\"n\":2,", "{\"n\":2;", 1), 2, "--> bad.jsonl:3:7");
    let caret = shown.lines().find(|line| line.trim_end().ends_with('^')).unwrap();
    assert_eq!(caret, "  |       ^", "{shown}");
    let stranger = forged(&text, "\"id\":\"http-idempotency\"", "\"id\":\"acme:other\"");
    let shown = ends(&stranger, 3, "the plugin acme:other is not here");
    assert!(shown.contains("--plugin"), "{shown}");

    let different = forged(&text, "\"returned\":{\"ok\":{", "\"returned\":{\"ok\":{\"zz\":1,");
    sandbox.write("bad.jsonl", &different);
    let printed = sandbox.run(&["replay", "bad.jsonl"]).ends(1);
    assert!(
        printed.stdout.starts_with("different  ") && printed.stdout.contains("recorded  "),
        "{}",
        printed.stdout
    );

    sandbox.write("none/a.txt", "");
    assert!(sandbox.run(&["replay", "none"]).ends(2).stderr.contains("has no recordings"));
    assert!(sandbox.run(&["replay", "nowhere"]).ends(2).stderr.contains("can not read"));
}

#[test]
fn folder_that_can_not_be_made_fails_before_anything_runs() {
    let sandbox = Sandbox::workspace();
    sandbox.write("rec", "a file");
    let printed = sandbox.run(&["verify", SAFE_GET, "--record", "rec/x"]).ends(2);
    assert!(printed.stderr.contains("can not write"), "{}", printed.stderr);
}
