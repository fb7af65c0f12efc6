//! Each way to break the conversation has words of its own, and only what a program did at work is its failure.

use std::process::Command;
use std::time::Duration;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Status, Verdict};

const HELLO: &str = r#"read hello; echo '{"hello":"mlp/1","impl":"a shell","has":[]}'; "#;

/// Asks about a stack that is this script.
fn asked(script: &str) -> Verdict {
    let script = script.to_owned();
    let host = NativeHost::new().limit(Duration::from_secs(50)).program("program", move || {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", "/usr/bin:/bin").arg("-c").arg(&script);
        shell
    });
    judge::plugin().run("linear", r#"{"kind":"stack","n":200}"#, &mut host.context(7)).unwrap()
}

#[track_caller]
fn expect(script: &str, status: Status, words: [&str; 2], code: &str) {
    let verdict = asked(script);
    let summary = &verdict.summary;
    assert_eq!(verdict.status, status, "{script}: {summary:?}");
    assert!(summary.en.contains(words[0]) && summary.zh.contains(words[1]), "{script}: {summary:?}");
    assert!(verdict.findings.iter().any(|finding| finding.code == code), "{script}: {:?}", verdict.findings);
    assert!(
        verdict.findings.iter().any(|finding| finding.hint.is_some()),
        "{script}: {:?}",
        verdict.findings
    );
}

#[test]
fn what_does_not_speak_the_protocol_is_not_judged() {
    use Status::Inconclusive;
    expect("exit 0", Inconclusive, ["ended with code 0 before", "还没回答 hello"], "judge.ended-at-hello");
    expect("echo oh no >&2; exit 4", Inconclusive, ["hello: oh no", "：oh no"], "judge.ended-at-hello");
    expect(
        "echo HTTP/1.1 400 Bad Request",
        Inconclusive,
        ["does not speak MLP/1", "不是 MLP/1"],
        "judge.protocol",
    );
    expect("cat", Inconclusive, ["does not speak MLP/1", "不是 MLP/1"], "judge.protocol");
    expect("cat /dev/zero", Inconclusive, ["does not speak MLP/1", "不是 MLP/1"], "judge.protocol");
    let talks = format!("{HELLO} read op; echo working; cat >/dev/null");
    expect(&talks, Inconclusive, ["more than it was asked", "没有问的话"], "judge.talkative");
    let prints = format!("{HELLO} read op || exit 0; echo working; cat >/dev/null");
    expect(&prints, Inconclusive, ["is no JSON: working", "不是 JSON：working"], "judge.not-json");
    let numbers = format!("{HELLO} read op || exit 0; echo '{{\"i\":9,\"ok\":1}}'; cat >/dev/null");
    expect(&numbers, Inconclusive, ["should answer operation 1", "回答第 1 个操作"], "judge.not-an-answer");
}

#[test]
fn what_went_wrong_at_work_is_a_failure() {
    use Status::Fail;
    let crashes = format!("{HELLO} read op || exit 0; kill -SEGV $$");
    expect(&crashes, Fail, ["crashed by signal 11 (SIGSEGV)", "信号 11 (SIGSEGV)"], "judge.crash");
    let raises = format!("{HELLO} read op || exit 0; echo KeyError: 7 >&2; exit 1");
    expect(
        &raises,
        Fail,
        ["ended with code 1 in the middle of operations: KeyError: 7", "KeyError: 7"],
        "judge.exit",
    );
    let ends_badly = format!("{HELLO} cat >/dev/null; exit 3");
    expect(&ends_badly, Fail, ["ended with code 3 after its input", "代码 3 退出"], "judge.exit");
    let answers = format!("{HELLO} read op || exit 0; echo '{{\"i\":1,\"ok\":7}}'; cat >/dev/null");
    expect(
        &answers,
        Fail,
        [r#"POP answered {"ok":7}; expected: {"err":"EMPTY"}"#, "应当是"],
        "judge.stack.answer",
    );
}

#[test]
fn what_is_kept_back_until_the_end_was_not_flushed() {
    let keeps = format!(
        "{HELLO} n=0; while read op; do n=$((n+1)); done; i=1; while [ $i -le $n ]; do echo \"{{\\\"i\\\":$i,\\\"err\\\":\\\"EMPTY\\\"}}\"; i=$((i+1)); done"
    );
    expect(&keeps, Status::Inconclusive, ["does not flush", "没有刷新"], "judge.not-flushed");
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let host = NativeHost::new();
    let verdict = judge::plugin().run("dict", "{}", &mut host.context(1)).unwrap();
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.summary.en.contains("[targets]"), "{}", verdict.summary.en);
}

#[test]
fn a_parameter_that_means_nothing_is_told_and_nothing_is_started() {
    for (check, params) in [
        ("linear", r#"{"kind":"heap"}"#),
        ("dict", r#"{"profile":"fast"}"#),
        ("tree", r#"{"kind":"oak"}"#),
        ("btree", r#"{"orders":[2]}"#),
    ] {
        let host = NativeHost::new().program("program", || Command::new("/bin/cat"));
        let verdict = judge::plugin().run(check, params, &mut host.context(1)).unwrap();
        assert_eq!(verdict.status, Status::Inconclusive, "{check}");
    }
}
