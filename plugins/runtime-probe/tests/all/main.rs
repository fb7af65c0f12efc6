//! The checks in the native double of the host, where the interpreter is something else.

#![cfg(test)]

use std::process::Command;
use std::time::Duration;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Status, Verdict};

/// Asks about a decorator with this shell script as the interpreter.
fn asked(script: &str) -> Verdict {
    let (script, folder) = (script.to_owned(), tempfile::tempdir().unwrap());
    let host = NativeHost::new().limit(Duration::from_secs(50)).folder("source", folder.path());
    let host = host.program("python", move || {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", "/usr/bin:/bin").args(["-c", &script, "python"]);
        shell
    });
    runtime_probe::plugin().run("decorator", "{}", &mut host.context(7)).unwrap()
}

#[track_caller]
fn expect_untold(script: &str, words: [&str; 2]) {
    let verdict = asked(script);
    assert_eq!(verdict.status, Status::Inconclusive, "{script}: {:?}", verdict.summary);
    let Verdict { summary, findings, .. } = verdict;
    assert!(summary.en.contains(words[0]) && summary.zh.contains(words[1]), "{script}: {summary:?}");
    assert!(findings.iter().any(|finding| finding.hint.is_some()), "{script}: {findings:?}");
}

#[test]
fn what_is_no_interpreter_is_not_judged() {
    let words = ["does not behave like a Python 3 interpreter", "不像是 Python 3 解释器"];
    expect_untold("exit 0", words);
    expect_untold("echo usage: tool >&2; exit 2", ["usage: tool", "usage: tool"]);
    expect_untold("cat", words);
    expect_untold("cat /dev/zero", words);
    expect_untold("echo '{\"n\":1,\"seal\":\"\",\"ok\":{}}'; cat >/dev/null", words);
    expect_untold("kill -SEGV $$", words);
}
