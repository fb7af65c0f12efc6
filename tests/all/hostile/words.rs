//! One text with everything in it that has ever steered a reader, in every place where a plugin or a checklist may put
//! words, and every output of the program searched for what is left of it.
//!
//! Bytes that are not UTF-8 need no test: the component model lifts strings only from valid UTF-8, and traps on others.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::workspace::{self, ITEM};
use crate::guest::{Guest, Status};
use crate::sandbox::{Printed, Sandbox};

/// Escape sequences (7 and 8 bit), a title, a link, directions, what draws nothing, what XML does not allow, and the
/// syntax of Markdown, HTML, XML and of build servers.
const WORDS: &str = "beg\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}]8;;http://evil.example/\u{1b}\\link\u{1b}]8;;\u{1b}\\ \
    \u{9b}31m\u{9d}0;t\u{9c}\u{202e}txet\u{202c}\u{2066}i\u{2069}\u{200b}\u{feff}\u{fffe}\u{e0041}\u{0}\u{8}\u{7f} \
    a|b `c` <script>alert(1)</script> <img src=x> ]]> &amp; ##[add-mask]x ##vso[task.complete] \r\n\
    ::error file=x::owned\n  ::stop-commands::y\n| x | y |\n# head\u{85}\u{2028}end";

const SETTINGS: &str = "[targets.src]\nkind = \"dir\"\npath = \"src\"\n";

fn guest(says: Status) -> Guest {
    let data: String = WORDS.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = WORDS.len();
    Guest::new()
        .words(WORDS)
        .says(says, says)
        .import("control", "log", "(param i32 i32 i32)")
        .import("control", "report-progress", "(param i32 f32 i32 i32)")
        .more(format!("(data (i32.const 100) \"{data}\")"))
        .run(format!(
            "(call $report-progress (i32.const 1) (f32.const nan) (i32.const 100) (i32.const {length}))
             (call $log (i32.const 3) (i32.const 100) (i32.const {length}))"
        ))
}

/// The workspace, and the plugin may read what it asks for.
fn sandbox(guest: &Guest) -> Sandbox {
    let sandbox = workspace::with_words(guest, SETTINGS, WORDS);
    sandbox.write("src/a.txt", "a");
    sandbox
}

/// Nothing in `text` steers a terminal, a log of a build server, or whoever reads it.
#[track_caller]
fn assert_tame(text: &str, what: &str) {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(
                c,
                '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2028}'..='\u{2029}' | '\u{2066}'..='\u{2069}'
                    | '\u{feff}' | '\u{fffe}' | '\u{e0000}'..='\u{e007f}'
            )
    };
    if let Some(at) = text.find(steers) {
        let from = text.floor_char_boundary(at.saturating_sub(80));
        panic!("{what}: {:?}", &text[from..text.ceil_char_boundary(at + 20)]);
    }
    assert!(
        !text.contains("owned\u{7}") && !text.contains("##[") && !text.contains("##vso"),
        "{what}:\n{text}"
    );
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{what}: {line}");
    }
}

#[track_caller]
fn tame(printed: Printed, what: &str) -> Printed {
    assert_tame(&printed.stdout, what);
    assert_tame(&printed.stderr, what);
    printed
}

#[test]
fn description_is_tame_before_anything_is_granted() {
    let sandbox = sandbox(&guest(Status::Pass));
    let printed = tame(sandbox.run(&["plugin", "info", "test-guest"]).ends(0), "info");
    assert!(
        printed.stdout.contains("beg") && printed.stdout.contains("needs read:src: beg"),
        "{}",
        printed.stdout
    );
    tame(sandbox.run(&["plugin", "list"]).ends(0), "list");
    tame(sandbox.run(&["--lang", "zh", "plugin", "info", "test-guest"]).ends(0), "info zh");
    tame(sandbox.run(&["lint"]), "lint");
    let refused = tame(sandbox.run(&["verify"]).ends(3), "verify");
    assert!(refused.stderr.contains("mustdo grant test-guest read:src"), "{}", refused.stderr);
}

#[test]
fn question_at_a_terminal_is_tame() {
    let sandbox = sandbox(&guest(Status::Pass));
    let program = format!("'{}' verify", env!("CARGO_BIN_EXE_mustdo"));
    let mut command = sandbox.command("script");
    command.args(["--quiet", "--return", "--command", &program, "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"n\n").unwrap();
    let seen = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let asked = seen.find("Allow this?").unwrap_or_else(|| panic!("{seen}"));
    let question = &seen[seen[..asked].find("Plugins ask").unwrap_or(0)..asked];
    assert!(question.contains("read:src") && question.contains("beg"), "{question}");
    assert_tame(&question.replace('\r', ""), "question");
}

#[test]
fn verdict_is_tame_in_every_output() {
    for (status, code) in [(Status::Fail, 1), (Status::Inconclusive, 3), (Status::Pass, 0)] {
        let sandbox = sandbox(&guest(status));
        tame(sandbox.run(&["grant", "test-guest", "read:src"]).ends(0), "grant");
        let printed = tame(sandbox.run(&["verify", "--items"]).ends(code), "verify");
        assert!(printed.stdout.contains("beg"), "{}", printed.stdout);
        let progress = sandbox.read("progress/trial.toml");
        assert_tame(&progress, "progress");
        for language in ["en", "zh"] {
            for format in ["table", "markdown", "json", "junit", "sarif", "gitlab", "badge", "html"] {
                let what = format!("{format} {language} {code}");
                let arguments = ["--lang", language, "report", "--items", "--format", format];
                let text = tame(sandbox.run(&arguments).ends(code), &what).stdout;
                match format {
                    "json" | "sarif" | "gitlab" => {
                        drop(serde_json::from_str::<serde_json::Value>(&text).unwrap());
                    }
                    "junit" => drop(quick_junit::Report::deserialize_from_str(&text).unwrap()),
                    "markdown" => {
                        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
                        let broken = |line: &str| line.starts_with("| x") || line.starts_with("# head");
                        assert!(!text.lines().any(broken), "{text}");
                    }
                    _ => {}
                }
            }
            tame(sandbox.run(&["--lang", language, "show", ITEM, "--hints", "1"]).ends(0), "show");
            tame(sandbox.run(&["--lang", language, "list"]).ends(0), "list");
        }
    }
}

#[test]
fn refusal_and_crash_are_tame() {
    for guest in [
        guest(Status::Pass).refuses(0, WORDS),
        guest(Status::Pass).refuses(1, WORDS),
        guest(Status::Pass).refuses(2, WORDS),
        // What it logged last is told as the likely cause.
        guest(Status::Pass).run(format!(
            "(call $log (i32.const 3) (i32.const 100) (i32.const {})) unreachable",
            WORDS.len()
        )),
    ] {
        let sandbox = sandbox(&guest);
        sandbox.run(&["grant", "test-guest", "read:src"]).ends(0);
        let printed = tame(sandbox.run(&["verify", "--items"]).ends(3), "verify");
        assert!(printed.stdout.contains("beg"), "{}", printed.stdout);
        tame(sandbox.run(&["report", "--items"]).ends(3), "report");
        assert_tame(&sandbox.read("progress/trial.toml"), "progress");
    }
}

#[test]
fn file_that_calls_itself_anything_is_tame() {
    let sandbox = sandbox(&guest(Status::Pass));
    fs::write(sandbox.path().join("plugins/a\u{1b}[2J\u{202e}.wasm"), b"x").unwrap();
    tame(sandbox.run(&["plugin", "list"]).ends(2), "plugin list");
    sandbox.write("mustdo.toml", "[targets.\"\u{9b}31m\"]\nkind = \"\\u001b[2J\u{202e}\"\n\u{9b} = 1\n");
    tame(sandbox.run(&["lint"]).ends(2), "lint");
}
