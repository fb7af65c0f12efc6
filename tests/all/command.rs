//! Commands as a learner types them, from end to end.

use crate::sandbox::Sandbox;

#[test]
fn init_makes_a_workspace_and_a_second_one_changes_nothing() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init"]).ends(0);
    let files = [".gitattributes", ".gitignore", ".mustdo/.gitignore", ".mustdo/lock", "mustdo.toml"];
    assert_eq!(sandbox.files(), files);
    assert!(sandbox.git(&["status", "--porcelain"]).contains("mustdo.toml"));
    sandbox.write("mustdo.toml", "[workspace]\nlang = \"zh\"\n");
    sandbox.run(&["init"]).ends(0);
    assert_eq!(sandbox.read("mustdo.toml"), "[workspace]\nlang = \"zh\"\n");
}

#[test]
fn init_adopts_a_repository_and_copies_checklists_when_asked() {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write(".gitignore", "node_modules");
    sandbox.run(&["init", "--copy-checklists", "--commit"]).ends(0);
    assert_eq!(sandbox.read(".gitignore"), "node_modules\n/.mustdo/\n");
    assert_eq!(sandbox.files().iter().filter(|name| name.starts_with("checklists/")).count(), 20);
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn settings_that_init_writes_are_valid_with_every_line_uncommented() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["lint"]).ends(0);
    let settings = sandbox.read("mustdo.toml");
    let is_code = |line: &&str| line.contains('=') || line.trim_start().starts_with('[');
    let uncommented: Vec<_> =
        settings.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).filter(is_code).collect();
    assert!(uncommented.len() > 20);
    sandbox.write("mustdo.toml", &uncommented.join("\n"));
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn reading_commands_write_nothing() {
    let sandbox = Sandbox::workspace();
    let before = sandbox.files();
    for command in [&["list"][..], &["show", "xss"], &["report"], &["lint"], &["plugin", "list"]] {
        sandbox.run(command).ends(0);
    }
    assert_eq!(sandbox.files(), before);
}

#[test]
fn content_can_be_read_outside_any_workspace_and_progress_can_not() {
    let sandbox = Sandbox::empty();
    for command in [&["list"][..], &["show", "xss"], &["lint"], &["plugin", "list"]] {
        sandbox.run(command).ends(0);
    }
    for command in [
        &["tick", "xss"][..],
        &["report"],
        &["verify"],
        &["waive", "xss", "--why", "x", "--until", "2026-07-01"],
    ] {
        let printed = sandbox.run(command).ends(2);
        assert!(printed.stderr.contains("mustdo init"), "{}", printed.stderr);
    }
    assert!(sandbox.files().is_empty());
}

#[test]
fn folder_above_the_workspace_is_outside_it() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["-C", "..", "report"]).ends(2);
    assert!(printed.stderr.contains("there is no mustdo.toml"), "{}", printed.stderr);
    sandbox.write("app/shop.py", "");
    sandbox.run(&["-C", "app/../app", "report"]).ends(0);
}

#[test]
fn broken_plugin_does_not_hide_what_is_wrong_elsewhere() {
    let sandbox = Sandbox::workspace();
    sandbox.write("plugins/junk.wasm", "junk");
    sandbox.write("mustdo.toml", "[polcy]\n");
    let printed = sandbox.run(&["lint"]).ends(2);
    assert!(printed.stderr.contains("E0103"), "{}", printed.stderr);
    assert!(printed.stderr.contains("plugins/junk.wasm"), "{}", printed.stderr);
}

#[test]
fn wrong_flaw_of_the_demo_lists_them_all() {
    let sandbox = Sandbox::empty();
    let printed = sandbox.run(&["demo", "--flaw", "nowhere"]).ends(2);
    assert!(printed.stderr.contains("double-submit/check-then-insert"), "{}", printed.stderr);
}

#[test]
fn tick_is_a_claim_in_one_file_and_untick_takes_it_back() {
    let sandbox = Sandbox::workspace();
    let printed =
        sandbox.run(&["tick", "xss", "--note", "see the shop", "--link", "https://example.org"]).ends(0);
    assert!(printed.stdout.contains("must-do.xss"), "{}", printed.stdout);
    let progress = sandbox.read("progress/must-do.toml");
    assert!(progress.contains("see the shop") && progress.contains("2026-06-01T12:00:00"), "{progress}");
    let listed = sandbox.run(&["list", "--status", "claimed"]).ends(0);
    assert!(listed.stdout.contains("must-do.xss"));
    sandbox.run(&["untick", "must-do.xss"]).ends(0);
    assert_eq!(sandbox.run(&["list", "--status", "claimed"]).ends(0).stdout, "");
}

#[test]
fn wrong_names_are_all_told_at_once_and_nothing_is_ticked() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["tick", "xss", "xsss", "nowhere.at.all"]).ends(2);
    assert!(printed.stderr.contains("\"xss\""), "{}", printed.stderr);
    assert!(printed.stderr.contains("nowhere.at.all"), "{}", printed.stderr);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("progress/")));
}

#[test]
fn commit_takes_progress_and_nothing_else_that_is_staged() {
    let sandbox = Sandbox::workspace();
    sandbox.write("app.py", "print('hello')\n");
    sandbox.git(&["add", "app.py"]);
    sandbox.run(&["tick", "xss", "--commit"]).ends(0);
    assert_eq!(sandbox.git(&["log", "-1", "--format=%s"]), "mustdo: tick must-do.xss\n");
    assert_eq!(sandbox.git(&["show", "--name-only", "--format="]), "progress/must-do.toml\n");
    assert!(sandbox.git(&["status", "--porcelain"]).contains("A  app.py"));
}

#[test]
fn settings_can_ask_for_a_commit_each_time() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", "[git]\ncommit = true\n");
    sandbox.run(&["tick", "xss", "register-login"]).ends(0);
    let message = sandbox.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains("2 items") && message.contains("must-do.register-login"), "{message}");
}

#[test]
fn waiver_needs_a_reason_and_a_day_to_come() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["waive", "xss", "--until", "2026-07-01"]).ends(2);
    sandbox.run(&["waive", "xss", "--why", "", "--until", "2026-07-01"]).ends(2);
    sandbox.run(&["waive", "xss", "--why", "no web work", "--until", "2026-05-01"]).ends(2);
    sandbox.run(&["waive", "xss", "--why", "no web work", "--until", "2026-07-01"]).ends(0);
    assert!(sandbox.run(&["list", "--status", "waived"]).ends(0).stdout.contains("must-do.xss"));
}

#[test]
fn broken_progress_is_an_error_and_is_not_overwritten() {
    let sandbox = Sandbox::workspace();
    sandbox.write("progress/must-do.toml", "format = 1\nchecklist = \"must-do\"\n[item.\"must-do.xss\"\n");
    let printed = sandbox.run(&["tick", "xss"]).ends(2);
    assert!(printed.stderr.contains("progress/must-do.toml:3"), "{}", printed.stderr);
    assert!(sandbox.read("progress/must-do.toml").ends_with("[item.\"must-do.xss\"\n"));
}

#[test]
fn file_that_is_not_utf8_is_one_problem_among_the_others_and_is_not_written() {
    let sandbox = Sandbox::workspace();
    let broken = b"format = 1\nchecklist = \"must-do\"\n# \xd4\xff\n";
    sandbox.write("progress/ground.toml", "nonsense = 1\n");
    std::fs::write(sandbox.path().join("progress/must-do.toml"), broken).unwrap();
    let printed = sandbox.run(&["lint"]).ends(2);
    assert!(
        printed.stderr.contains("E0117") && printed.stderr.contains("progress/must-do.toml:3:3"),
        "{}",
        printed.stderr
    );
    assert!(printed.stderr.contains("progress/ground.toml"), "{}", printed.stderr);
    sandbox.run(&["tick", "xss"]).ends(2);
    assert_eq!(std::fs::read(sandbox.path().join("progress/must-do.toml")).unwrap(), broken);
}

#[test]
fn progress_of_a_newer_mustdo_survives_a_tick() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["tick", "xss"]).ends(0);
    let text = sandbox.read("progress/must-do.toml") + "\n[item.\"must-do.mq\"]\nfuture = \"kept\"\n";
    sandbox.write("progress/must-do.toml", &text);
    sandbox.run(&["tick", "must-do.celery"]).ends(0);
    let text = sandbox.read("progress/must-do.toml");
    assert!(text.contains("future = \"kept\"") && text.contains("must-do.celery"), "{text}");
}

#[test]
fn processes_that_tick_at_once_lose_nothing() {
    let sandbox = Sandbox::workspace();
    let listed = |status: &str| -> Vec<String> {
        let listed =
            sandbox.run(&["list", "ground", "network", "--lang", "en", "--status", status]).ends(0).stdout;
        let items = listed.lines().filter(|line| line.starts_with("  "));
        items.map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    let ids: Vec<_> = listed("open").into_iter().take(32).collect();
    assert_eq!(ids.len(), 32);
    let children: Vec<_> = ids
        .iter()
        .map(|id| {
            sandbox
                .command(env!("CARGO_BIN_EXE_mustdo"))
                .args(["tick", id])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(listed("claimed"), ids);
}

#[test]
fn policy_decides_the_exit_code_of_a_report() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["report"]).ends(0);
    sandbox.write("mustdo.toml", "[policy]\nreadiness = 1\n");
    sandbox.run(&["report"]).ends(1);
    sandbox.write("mustdo.toml", "[policy]\nmust = \"claimed\"\n");
    sandbox.run(&["report", "must-do"]).ends(1);
    sandbox
        .run(&[
            "tick",
            "must-do.xss",
            "must-do.mq",
            "must-do.celery",
            "network-programming",
            "register-login",
        ])
        .ends(0);
    sandbox.run(&["report", "must-do"]).ends(0);
}

#[test]
fn reports_are_written_in_every_form_and_a_bad_path_fails_first() {
    let sandbox = Sandbox::workspace();
    sandbox
        .run(&[
            "report",
            "--report",
            "json=out/report.json",
            "--report",
            "junit=out/report.xml",
            "--report",
            "markdown=r.md",
        ])
        .ends(0);
    let json: serde_json::Value = serde_json::from_str(&sandbox.read("out/report.json")).unwrap();
    assert_eq!(json["format"], 1);
    assert!(sandbox.read("out/report.xml").contains("<testsuites"));
    sandbox.run(&["report", "--report", "json=out"]).ends(2);
    sandbox.run(&["report", "--report", "pdf=out.pdf"]).ends(2);
}

#[test]
fn both_languages_are_spoken() {
    let sandbox = Sandbox::workspace();
    assert!(sandbox.run(&["show", "must-do.celery", "--lang", "zh"]).ends(0).stdout.contains("Celery"));
    assert!(sandbox.run(&["list", "must-do", "--lang", "zh"]).ends(0).stdout.contains("用户注册登录模块"));
    assert!(sandbox.run(&["list", "must-do"]).ends(0).stdout.contains("User registration"));
}

#[test]
fn every_command_has_help_and_the_exit_codes_are_in_it() {
    let sandbox = Sandbox::empty();
    let help = sandbox.run(&["--help"]).ends(0).stdout;
    assert!(help.contains("Exit codes:") && help.contains("130"), "{help}");
    for command in [
        "init", "list", "show", "tick", "untick", "waive", "verify", "report", "ci", "lint", "plugin",
        "explain", "schema", "demo",
    ] {
        assert!(help.contains(command), "{command}");
        sandbox.run(&[command, "--help"]).ends(0);
    }
    assert!(sandbox.run(&["completions", "bash"]).ends(0).stdout.contains("mustdo"));
    assert!(sandbox.run(&["man"]).ends(0).stdout.starts_with(".ie"));
}

#[test]
fn unknown_code_suggests_and_every_code_explains_itself() {
    let sandbox = Sandbox::empty();
    let codes = sandbox.run(&["explain"]).ends(0).stdout;
    assert!(codes.lines().count() > 10);
    for line in codes.lines() {
        let code = line.split_whitespace().next().unwrap();
        assert!(sandbox.run(&["explain", code]).ends(0).stdout.len() > 100, "{code}");
    }
    sandbox.run(&["explain", "E9999"]).ends(2);
}
