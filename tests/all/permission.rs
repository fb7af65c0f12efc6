//! What a plugin may do, from end to end: asking, granting, revoking, secrets, and the account of what was opened.

use std::fs;

use crate::guest::Guest;
use crate::host::file_reader;
use crate::sandbox::Sandbox;

const ITEM: &str = "probe.only";

/// What nobody may see: as it is, behind a name in base64, in a query, and in JSON.
const PASSWORD: &str = "tr0ub4dor \"&3\"";
const BASIC: &str = "c2hvcDp0cjB1YjRkb3IgIiYzIg==";
const QUERY: &str = "tr0ub4dor+%22%263%22";
/// What of each a mask may leave: never this.
const TELLING: [&str; 4] = ["tr0ub4dor", "R5MHViNGRvc", "0cjB1YjRkb3", "ViNGRvciAi"];

/// A workspace with one item whose one check is the guest's, and these settings.
fn workspace(guest: &Guest, settings: &str) -> Sandbox {
    let sandbox = Sandbox::workspace();
    sandbox.write(
        "checklists/probe.toml",
        "format = 1\nid = \"probe\"\nversion = \"1.0.0\"\ntitle = { zh = \"探\", en = \"Probe\" }\n\
         [[group]]\nid = \"g\"\ntitle = { zh = \"组\", en = \"G\" }\n\
         [[item]]\nid = \"probe.only\"\ngroup = \"g\"\ntitle = { zh = \"项\", en = \"Only\" }\nlevel = \"must\"\n\
         weight = 1\n[[item.check]]\nuses = \"test-guest/probe\"\n\
         target = { web = \"web\", worker = \"worker\", src = \"src\" }\n",
    );
    sandbox.write("mustdo.toml", settings);
    install(&sandbox, guest);
    sandbox
}

fn install(sandbox: &Sandbox, guest: &Guest) {
    fs::create_dir_all(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/test-guest.wasm"), guest.build()).unwrap();
}

/// Writes its parameters everywhere a plugin can write: summary, log, progress.
fn chatterbox(then: &str) -> Guest {
    Guest::new()
        .schema("{\"type\": \"object\"}")
        .import("control", "log", "(param i32 i32 i32)")
        .import("control", "report-progress", "(param i32 f32 i32 i32)")
        .run(format!(
            "(call $log (i32.const 3) (local.get 2) (local.get 3))
             (call $report-progress (i32.const 0) (f32.const 0) (local.get 2) (local.get 3))
             (i32.store (global.get $summary) (local.get 2))
             (i32.store offset=4 (global.get $summary) (local.get 3))
             {then}"
        ))
}

fn leaking() -> String {
    format!(
        "[item.\"{ITEM}\".with]\npassword = {{ env = \"SHOP_PASSWORD\" }}\nheader = \"Basic {BASIC}\"\n\
         query = \"/login?p={QUERY}\"\n"
    )
}

#[track_caller]
fn tells_nothing(what: &str, text: &str) {
    for part in TELLING {
        assert!(!text.contains(part), "{part} is in {what}:\n{text}");
    }
}

/// Every file that mustdo wrote, and what it was told to report.
#[track_caller]
fn nothing_is_written(sandbox: &Sandbox) -> usize {
    let mut seen = 0;
    for name in sandbox.files().iter().filter(|name| *name != "mustdo.toml" && !name.starts_with("plugins/"))
    {
        tells_nothing(name, &String::from_utf8_lossy(&fs::read(sandbox.path().join(name)).unwrap()));
        seen += 1;
    }
    seen
}

#[test]
fn a_secret_leaves_by_no_exit_in_no_encoding() {
    let sandbox = workspace(&chatterbox(""), &leaking());
    let secret = [("SHOP_PASSWORD", PASSWORD)];
    let reports = ["table", "markdown", "json", "junit", "sarif", "github", "gitlab", "badge", "html"];
    let reports: Vec<String> = reports.iter().map(|name| format!("--report={name}=out/{name}")).collect();
    let arguments: Vec<&str> =
        ["verify", ITEM].into_iter().chain(reports.iter().map(String::as_str)).collect();
    let printed = sandbox.run_with(&secret, &arguments).ends(0);
    // The plugin really got it, and really said it.
    assert!(printed.stderr.contains("\"password\":\"***\""), "{}", printed.stderr);
    assert!(printed.stderr.contains("Basic c2hvcD***"), "{}", printed.stderr);
    assert!(sandbox.read("progress/probe.toml").contains("***"));
    assert!(sandbox.read("out/json").contains("\"proven\": 1"));
    for text in [&printed.stdout, &printed.stderr] {
        tells_nothing("what is printed", text);
    }
    assert!(nothing_is_written(&sandbox) >= 7, "{:?}", sandbox.files());
    for arguments in [&["show", ITEM][..], &["show", ITEM, "--transcript"], &["report", "--format", "json"]] {
        let printed = sandbox.run_with(&secret, arguments).ends(0);
        // What the user wrote into mustdo.toml is shown as it stands there.
        let told = printed.stdout.lines().filter(|line| !line.starts_with("  with {"));
        tells_nothing("what is printed", &told.map(|line| format!("{line}\n")).collect::<String>());
        tells_nothing("what is printed", &printed.stderr);
    }
    let transcript = sandbox.run(&["show", ITEM, "--transcript"]).ends(0).stdout;
    assert!(transcript.contains("error: ") && transcript.contains("***"), "{transcript}");
}

#[test]
fn a_secret_leaves_with_no_error() {
    let crash = chatterbox("unreachable");
    for (guest, word) in [(&crash, "crashed"), (&chatterbox("").refuses(1, BASIC), "did not accept")] {
        let sandbox = workspace(guest, &leaking());
        let printed = sandbox.run_with(&[("SHOP_PASSWORD", PASSWORD)], &["verify", ITEM]).ends(3);
        assert!(printed.stderr.contains(word) && printed.stderr.contains("***"), "{}", printed.stderr);
        tells_nothing("what is printed", &(printed.stdout + &printed.stderr));
        assert!(nothing_is_written(&sandbox) >= 3);
        // A run without a verdict is accounted for too.
        let transcript = sandbox.run(&["show", ITEM, "--transcript"]).ends(0).stdout;
        assert!(transcript.contains(word) && transcript.contains("log (1)"), "{transcript}");
    }
}

#[test]
fn what_a_target_prints_when_it_fails_is_masked() {
    let guest = Guest::new().asks("http:web", true);
    let sandbox = workspace(
        &guest,
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}\"\nenv = { DATABASE = \"shop:s3cret-pw@db\" }\n\
         run = [\"sh\", \"-c\", \"echo can not reach $DATABASE with $TOKEN on {port}; exit 7\"]\n\
         [secrets]\nenv = [\"TOKEN\"]\n",
    );
    sandbox.run(&["grant", "test-guest"]).ends(0);
    let printed = sandbox.run_with(&[("TOKEN", "tok-123456")], &["verify", ITEM]).ends(3);
    assert!(printed.stderr.contains("can not reach *** with *** on "), "{}", printed.stderr);
}

#[test]
fn variable_that_is_not_set_keeps_the_check_from_running_and_a_short_one_is_told() {
    let sandbox = workspace(&chatterbox(""), &leaking());
    let printed = sandbox.run(&["verify", ITEM]).ends(3);
    let words = "the environment variable SHOP_PASSWORD is not set";
    assert!(printed.stderr.contains(words), "{}", printed.stderr);
    let printed = sandbox.run_with(&[("SHOP_PASSWORD", "abc")], &["verify", ITEM]).ends(0);
    assert!(printed.stderr.contains("the value of SHOP_PASSWORD is shorter than 4"), "{}", printed.stderr);
    // The value is no part of what was asked: another password leaves the proof fresh.
    let definition =
        |text: &str| text.lines().find(|line| line.starts_with("definition")).unwrap().to_owned();
    let first = definition(&sandbox.read("progress/probe.toml"));
    sandbox.run_with(&[("SHOP_PASSWORD", "another one")], &["verify", ITEM]).ends(0);
    assert_eq!(definition(&sandbox.read("progress/probe.toml")), first);
}

/// Asks for the variable and says what is in it.
fn reader() -> Guest {
    Guest::new()
        .asks("env:WORD", true)
        .import("environment", "get", "(param i32 i32 i32)")
        .import("control", "log", "(param i32 i32 i32)")
        .more("(data (i32.const 100) \"WORDHOME\")")
        .run(
            "(call $get (i32.const 104) (i32.const 4) (i32.const 16))
             (call $get (i32.const 100) (i32.const 4) (i32.const 0))
             (if (i32.eqz (i32.load8_u (i32.const 0)))
               (then (call $log (i32.const 1) (i32.load (i32.const 8)) (i32.load (i32.const 12)))))",
        )
}

#[test]
fn variable_is_read_once_it_is_granted_and_no_other() {
    let sandbox = workspace(&reader(), "");
    let word = [("WORD", "swordfish")];
    let printed = sandbox.run_with(&word, &["verify", ITEM]).ends(3);
    assert!(printed.stderr.contains("try: mustdo grant test-guest env:WORD\n"), "{}", printed.stderr);
    assert!(sandbox.run(&["grant", "test-guest"]).ends(0).stdout.contains("may use env:WORD"));
    let printed = sandbox.run_with(&word, &["verify", ITEM]).ends(0);
    tells_nothing("what is printed", &printed.stderr);
    let transcript = sandbox.run(&["show", ITEM, "--transcript"]).ends(0).stdout;
    assert!(transcript.contains("env WORD\n"), "{transcript}");
    assert!(transcript.contains("env HOME  ✗ denied: mustdo grant test-guest env:HOME"), "{transcript}");
    assert!(transcript.contains("info: ***") && !transcript.contains("swordfish"), "{transcript}");
    assert!(transcript.contains("allowed    env:WORD\n"), "{transcript}");
}

#[test]
fn grants_are_listed_and_revoked() {
    let web = "[targets.web]\nkind = \"http\"\nurl = \"http://192.0.2.1:80\" # mine\n";
    let sandbox = workspace(&Guest::new().asks("http:web", true), web);
    let listed = sandbox.run(&["grants"]).ends(0).stdout;
    assert!(
        listed.contains("http-idempotency ") && listed.contains("without a grant: http, tcp"),
        "{listed}"
    );
    assert!(listed.contains("(plugins/test-guest.wasm)\n  nothing\n"), "{listed}");

    sandbox.run(&["grant", "test-guest", "http:web", "listen"]).ends(0);
    let listed = sandbox.run(&["grants", "test-guest"]).ends(0).stdout;
    assert!(listed.contains("  http:web           attached: http://192.0.2.1:80\n"), "{listed}");
    assert!(listed.contains("  listen") && !listed.contains("http-idempotency"), "{listed}");

    let printed = sandbox.run(&["revoke", "test-guest", "listen", "udp:web"]).ends(2);
    assert!(printed.stderr.contains("was not granted udp:web; nothing was revoked"), "{}", printed.stderr);
    let printed = sandbox.run(&["revoke", "test-guest", "listen"]).ends(0);
    assert_eq!(printed.stdout, "test-guest may no longer use listen\n");
    assert!(sandbox.read("mustdo.toml").contains("allow = [\"http:web\"]"));
    sandbox.run(&["revoke", "test-guest"]).ends(0);
    assert_eq!(sandbox.read("mustdo.toml"), web);
    let printed = sandbox.run(&["revoke", "test-guest"]).ends(2);
    assert!(printed.stderr.contains("was granted nothing"), "{}", printed.stderr);
    sandbox.run(&["revoke"]).ends(2);
    sandbox.run(&["revoke", "--all"]).ends(0);

    // What was granted to a plugin that is gone can be taken back.
    sandbox.run(&["grant", "test-guest", "http:web"]).ends(0);
    fs::remove_file(sandbox.path().join("plugins/test-guest.wasm")).unwrap();
    let listed = sandbox.run(&["grants"]).ends(0).stdout;
    assert!(listed.contains("test-guest: there is no such plugin"), "{listed}");
    assert_eq!(sandbox.run(&["revoke", "--all"]).ends(0).stdout, "test-guest may no longer use http:web\n");
    assert_eq!(sandbox.read("mustdo.toml"), web);
    let printed = sandbox.run(&["grants", "test-gest"]).ends(2);
    assert!(printed.stderr.contains("there is no plugin \"test-gest\""), "{}", printed.stderr);
}

/// A folder of programs in the workspace, each called `tool`.
fn tool(sandbox: &Sandbox, folder: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    sandbox.write(&format!("{folder}/tool"), "#!/bin/sh\n");
    let path = sandbox.path().join(folder);
    fs::set_permissions(path.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn program_is_granted_by_its_absolute_path_and_to_the_bytes_that_were_seen() {
    let guest = Guest::new().asks("process:worker", true).asks("http:web", false);
    let settings = "[targets.worker]\nkind = \"command\"\nprogram = \"tool\"\n\
                    [targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\n";
    let sandbox = workspace(&guest, settings);
    let printed = sandbox.run(&["grant", "test-guest", "process:worker"]).ends(2);
    assert!(
        printed.stderr.contains("the program of the target \"worker\" was not found"),
        "{}",
        printed.stderr
    );
    let printed = sandbox.run(&["grant", "test-guest", "process:other"]).ends(2);
    assert!(printed.stderr.contains("[targets.other]"), "{}", printed.stderr);

    let (one, two) = (tool(&sandbox, "one"), tool(&sandbox, "two"));
    let (one_first, two_first) = (format!("{one}:{two}:/usr/bin:/bin"), format!("{two}:{one}:/usr/bin:/bin"));
    let run = |path: &str, arguments: &[&str]| sandbox.run_with(&[("PATH", path)], arguments);
    let printed = run(&one_first, &["grant", "test-guest", "process:worker"]).ends(0);
    assert!(printed.stdout.contains(&format!("({one}/tool)")), "{}", printed.stdout);
    let written = sandbox.read("mustdo.toml");
    assert!(written.contains(&format!("programs = {{ worker = \"{one}/tool\" }}")), "{written}");
    // An embedded plugin has http on this machine; this one is not embedded and does without.
    run(&one_first, &["verify", ITEM]).ends(0);
    let transcript = run(&one_first, &["show", ITEM, "--transcript"]).ends(0).stdout;
    assert!(transcript.contains("worker = worker: program: tool;"), "{transcript}");
    assert!(transcript.contains("allowed    process:worker\n"), "{transcript}");

    // PATH leads to another program now.
    let printed = run(&two_first, &["verify", ITEM]).ends(3);
    assert!(printed.stderr.contains("mustdo grant test-guest process:worker"), "{}", printed.stderr);
    let listed = run(&two_first, &["grants", "test-guest"]).ends(0).stdout;
    assert!(
        listed.contains(&format!("asked for again: granted for this program, which is {two}/tool now")),
        "{listed}"
    );
    run(&two_first, &["grant", "test-guest", "process:worker"]).ends(0);
    run(&two_first, &["verify", ITEM]).ends(0);

    // Other bytes of the plugin: what stays in the sandbox stays granted, starting programs does not.
    run(&two_first, &["grant", "test-guest", "http:web"]).ends(0);
    install(&sandbox, &guest.more("(global $other i32 (i32.const 1))"));
    let printed = run(&two_first, &["verify", ITEM]).ends(3);
    assert!(printed.stderr.contains("try: mustdo grant test-guest process:worker\n"), "{}", printed.stderr);
    let listed = run(&two_first, &["grants", "test-guest"]).ends(0).stdout;
    assert!(listed.contains("asked for again: granted to other bytes"), "{listed}");
    run(&two_first, &["grant", "test-guest", "process:worker"]).ends(0);
    assert!(sandbox.read("mustdo.toml").contains("allow = [\"http:web\", \"process:worker\"]"));
}

#[test]
fn one_question_lists_every_request_and_what_is_optional_can_be_refused() {
    let settings = "[targets.web]\nkind = \"http\"\nurl = \"http://192.0.2.1:80\"\n\
                    [targets.worker]\nkind = \"command\"\nprogram = \"sh\"\n\
                    [targets.src]\nkind = \"dir\"\npath = \".\"\n";
    let guest = || Guest::new().asks("env:WORD", true).asks("process:worker", true).asks("read:src", false);
    let sandbox = workspace(&guest(), settings);
    let asked = |answer: &str| sandbox.at_terminal(&format!("verify {ITEM}"), answer);
    let (code, words) = asked("n\n");
    assert_eq!(code, Some(3), "{words}");
    for part in [
        "test-guest ",
        "(plugins/test-guest.wasm)",
        "env:WORD",
        "process:worker     program: sh; which is /",
        "read:src           directory: .; can do without",
        "to look at it",
        "it can do whatever you can",
        "[y/a/N]",
    ] {
        assert!(words.contains(part), "{part} is not in:\n{words}");
    }
    assert!(!sandbox.read("mustdo.toml").contains("grants"));

    let (code, words) = asked("y\n");
    assert_eq!(code, Some(0), "{words}");
    let written = sandbox.read("mustdo.toml");
    assert!(written.contains("allow = [\"env:WORD\", \"process:worker\"]"), "{written}");
    // What was refused is offered in a line, never asked for again.
    let (code, words) = asked("");
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("could see more: mustdo grant test-guest read:src") && !words.contains("Allow"),
        "{words}"
    );

    // Bytes that ask for more are asked about that alone, and about starting programs.
    install(&sandbox, &guest().asks("listen", true));
    let (code, words) = asked("a\n");
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("listen") && words.contains("allowed before, to other bytes"), "{words}");
    assert!(!words.contains("env:WORD"), "{words}");
    let written = sandbox.read("mustdo.toml");
    assert!(
        written.contains("allow = [\"listen\", \"read:src\", \"env:WORD\", \"process:worker\"]"),
        "{written}"
    );
}

#[test]
fn account_of_a_run_is_kept_also_without_a_record_and_cleared_with_its_check() {
    let sandbox = workspace(&Guest::new().run("unreachable"), "");
    let printed = sandbox.run(&["show", ITEM, "--transcript"]).ends(2);
    assert!(printed.stderr.contains("mustdo verify probe.only"), "{}", printed.stderr);
    sandbox.run(&["verify", ITEM, "--no-record", "--seed", "0x2a"]).ends(3);
    let transcript = sandbox.run(&["show", ITEM, "--transcript"]).ends(0).stdout;
    for part in [
        "probe.only  test-guest/probe",
        "ended      2026-06-01T12:00:00Z",
        "test-guest 1.2.3 sha256:",
        "(plugins/test-guest.wasm)",
        "seed       000000000000002a",
        "verdict    none: crashed",
        "accesses (0)",
    ] {
        assert!(transcript.contains(part), "{part} is not in:\n{transcript}");
    }
    let file = ".mustdo/transcripts.jsonl";
    let kept = || sandbox.read(file).lines().count();
    assert_eq!(kept(), 1);
    install(&sandbox, &Guest::new());
    sandbox.run(&["verify", ITEM]).ends(0);
    assert_eq!(kept(), 1);
    let old = "{\"item\":\"gone.item\",\"check\":\"test-guest/probe\",\"text\":\"old\"}\n";
    sandbox.write(file, &(old.to_owned() + &sandbox.read(file)));
    sandbox.run(&["verify", ITEM]).ends(0);
    assert_eq!(kept(), 1);
    assert!(!sandbox.read(file).contains("gone.item"));
}

#[test]
fn a_checklist_can_not_name_a_variable_of_the_user() {
    let sandbox = workspace(&chatterbox(""), "");
    let text = sandbox.read("checklists/probe.toml") + "with = { password = { env = \"HOME\" } }\n";
    sandbox.write("checklists/probe.toml", &text);
    let printed = sandbox.run(&["verify", ITEM]).ends(2);
    assert!(printed.stderr.contains("error[E0118]"), "{}", printed.stderr);
}

#[test]
fn pass_on_a_directory_is_kept_while_nothing_in_it_changes_and_it_may_do_the_same() {
    let settings =
        format!("[targets.src]\nkind = \"dir\"\npath = \"app\"\n[item.\"{ITEM}\"]\nwatch = [\"app/**\"]\n");
    let sandbox = workspace(&file_reader().asks("read:src", true), &settings);
    sandbox.write("app/a.txt", "1");
    sandbox.write("app/.gitignore", "/built\n");
    sandbox.write("app/built", "1");
    sandbox.run(&["grant", "test-guest"]).ends(0);
    let verify = || sandbox.run(&["verify", ITEM, "--cached"]).ends(0).stderr;
    let runs_for = |why: &str| {
        let said = verify();
        assert!(said.contains(why) && !said.contains("kept from"), "{said}");
        let said = verify();
        assert!(said.contains("kept from"), "{said}");
    };
    runs_for("");
    // What git ignores is not watched, and read all the same.
    sandbox.write("app/built", "2");
    runs_for("not what it was");
    sandbox.write("app/a.txt", "2");
    runs_for("");
    let settings = sandbox.read("mustdo.toml");
    sandbox.write("mustdo.toml", &format!("{settings}[secrets]\nfiles = [\"*.key\"]\n"));
    runs_for("not what it was");
}

#[test]
fn files_that_the_user_keeps_are_not_read() {
    let settings = "[targets.src]\nkind = \"dir\"\npath = \"app\"\n";
    let sandbox = workspace(&file_reader().asks("read:src", true), settings);
    sandbox.write("app/a.txt", "what the file says");
    sandbox.run(&["grant", "test-guest"]).ends(0);
    sandbox.run(&["verify", ITEM]).ends(0);
    let transcript = || sandbox.run(&["show", ITEM, "--transcript"]).ends(0).stdout;
    assert!(transcript().contains("read src a.txt\n") && transcript().contains("what the file says"));
    let kept = sandbox.read("mustdo.toml") + "[secrets]\nfiles = [\"*.txt\"]\n";
    sandbox.write("mustdo.toml", &kept);
    sandbox.run(&["verify", ITEM]);
    assert!(transcript().contains("read src a.txt  ✗") && !transcript().contains("what the file says"));
}
