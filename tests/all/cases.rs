//! What a plugin is proven with: cases are run, recorded, carried and replayed, and whoever carries none, or lies, is
//! unproven wherever a plugin appears.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use miniz_oxide::deflate::compress_to_vec;
use mustdo::model::Digest;
use mustdo::plugin::Bundle;

use crate::guest::Guest;
use crate::sandbox::{Printed, Sandbox};

const PROVEN: &str = "proven: replayed here, 1 known-good and 3 known-bad";

/// Four cases of the guest's one check: what it is given decides.
const CASES: &str = r#"format = 1

[[case]]
name = "right"
check = "probe"
expect = "pass"

[[case]]
name = "first"
check = "probe"
expect = "fail"
step = "only"
with = { f = 1 }

[[case]]
name = "second"
check = "probe"
expect = "fail"
step = "only"
with = { f = 2 }

[[case]]
name = "third"
check = "probe"
expect = "fail"
step = "only"
with = { f = 3 }

[[case]]
name = "unclear"
check = "probe"
expect = "inconclusive"
with = { unclear = 1 }
"#;

/// A guest that passes without parameters, fails with short ones and can not tell with long ones.
fn guest(id: &'static str) -> Guest {
    telling(id, "(i32.const 7)")
}

/// The same, failing up to parameters of so many bytes.
fn telling(id: &'static str, fails: &str) -> Guest {
    Guest::new()
        .called(id, "1.0.0")
        .schema(r#"{"type":"object"}"#)
        .import("clock", "random-bytes", "(param i32 i32)")
        .run(format!(
            "(call $random-bytes (i32.const 8) (i32.const 0))
             (local.set $i (select (i32.const 2) (i32.const 1) (i32.gt_u (local.get 3) {fails})))
             (if (i32.gt_u (local.get 3) (i32.const 2)) (then
               (i32.store8 offset=8 (global.get $verdict) (local.get $i))
               (i32.store8 offset=9 (i32.load offset=48 (global.get $verdict)) (local.get $i))))"
        ))
}

/// A project in `it` whose tool makes this guest.
fn project(guest: &Guest, cases: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("it/app.py", "");
    let tool = "it/.venv/bin/componentize-py";
    sandbox.write(tool, "#!/bin/sh\nfor last; do :; done\ncp made.bin \"$last\"\n");
    fs::set_permissions(sandbox.path().join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(sandbox.path().join("it/made.bin"), guest.build()).unwrap();
    sandbox.write("it/cases.toml", cases);
    sandbox
}

#[track_caller]
fn says(printed: &Printed, words: &[&str]) {
    for words in words {
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(all.contains(words), "no {words:?} in\n{all}");
    }
}

/// The component of such a project, with its cases in it.
fn recorded(id: &'static str) -> Vec<u8> {
    let sandbox = project(&guest(id), CASES);
    says(&sandbox.run(&["plugin", "test", "it", "--record"]).ends(0), &[PROVEN]);
    fs::read(sandbox.path().join(format!("it/{}.wasm", id.replace(':', ".")))).unwrap()
}

/// A workspace with this plugin added, which it must be whatever it carries, and one item that uses it.
fn workspace(component: &[u8], id: &str) -> (Sandbox, Printed) {
    let sandbox = Sandbox::workspace();
    fs::write(sandbox.path().join("it.wasm"), component).unwrap();
    let added = sandbox.run(&["plugin", "add", "it.wasm"]).ends(0);
    sandbox.write(
        "checklists/own.toml",
        &format!(
            "format = 1\nid = \"own\"\nversion = \"1.0.0\"\ntitle = {{ en = \"Own\", zh = \"我们\" }}\n\n\
             [[group]]\nid = \"own\"\ntitle = {{ en = \"Own\", zh = \"我们\" }}\n\n\
             [[item]]\nid = \"own.it\"\ngroup = \"own\"\ntitle = {{ en = \"It\", zh = \"它\" }}\nlevel = \"must\"\n\
             weight = 1\n\n[[item.check]]\nuses = \"{id}/probe\"\n"
        ),
    );
    (sandbox, added)
}

/// What a component is that carries this bundle.
fn carrying(component: &[u8], change: impl FnOnce(&mut Bundle)) -> Vec<u8> {
    let mut bundle = Bundle::of(component).unwrap().unwrap();
    change(&mut bundle);
    Bundle::embed(Some(&bundle), component).unwrap()
}

/// The bare component with these bytes as its cases.
fn with_section(component: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut whole = Bundle::embed(None, component).unwrap();
    let name = b"\x0cmustdo:cases";
    whole.push(0);
    let mut size = name.len() + bytes.len();
    while size >= 0x80 {
        whole.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
        size >>= 7;
    }
    whole.push(u8::try_from(size).unwrap());
    whole.extend(name);
    whole.extend(bytes);
    whole
}

#[test]
fn cases_are_run_recorded_and_carried() {
    let sandbox = project(&guest("acme:run"), CASES);
    let printed = sandbox.run(&["plugin", "test", "it"]).ends(0);
    says(
        &printed,
        &["building with the tools of python", "✔ right", "fail, only", "✔ unclear  probe  inconclusive"],
    );
    says(&printed, &["acme:run 1.0.0: unproven: it carries no cases", "mustdo plugin test --record"]);
    assert!(!Path::new(&sandbox.path().join("it/cases")).exists());

    let printed = sandbox.run(&["plugin", "test", "it", "--record"]).ends(0);
    says(&printed, &[PROVEN, "recorded 5 of 5 cases in cases/, and put them into it/acme.run.wasm"]);
    assert!(!printed.stderr.contains("building"), "{}", printed.stderr);
    assert!(sandbox.read("it/cases/first.jsonl").starts_with("{\"format\":1"));
    assert!(sandbox.read("it/cases.toml").contains("expect = \"pass\"\nrecording = \"cases/right.jsonl\"\n"));

    // What is carried is all that is needed, also by what is built again.
    let printed = sandbox.run(&["plugin", "test", "it/acme.run.wasm"]).ends(0);
    says(&printed, &["✔ third", "replayed", PROVEN]);
    says(&sandbox.run(&["plugin", "build", "it"]).ends(0), &["  proof     proven: replayed here"]);

    let printed = sandbox.run(&["plugin", "test", "it", "--json", "--quiet"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!((&json["proven"], &json["cases"][1]["step"]), (&true.into(), &"only".into()));
    assert_eq!(json["cases"].as_array().unwrap().len(), 5);
}

#[test]
fn case_that_gives_something_else_is_told_and_not_recorded() {
    let wrong = CASES.replacen(
        "name = \"first\"\ncheck = \"probe\"\nexpect = \"fail\"\nstep = \"only\"",
        "name = \"first\"\ncheck = \"probe\"\nexpect = \"fail\"\nstep = \"other\"",
        1,
    );
    let sandbox = project(&guest("acme:wrong"), &wrong);
    let printed = sandbox.run(&["plugin", "test", "it", "--record"]).ends(1);
    says(&printed, &["✘ first    probe  fail, other   fail, only", "recorded 4 of 5 cases"]);
    says(&printed, &["acme:wrong 1.0.0: unproven: it carries no recording of the case first"]);
    assert!(!sandbox.path().join("it/cases/first.jsonl").exists());
    // A check that breaks could not tell.
    let broken = Guest::new().called("acme:broken", "1.0.0").schema("{}").run("unreachable");
    says(&project(&broken, CASES).run(&["plugin", "test", "it"]).ends(3), &["✘ right", "crashed"]);
}

#[test]
fn too_few_cases_are_named_and_prove_nothing() {
    let (few, _) = CASES.split_once("[[case]]\nname = \"third\"").unwrap();
    let sandbox = project(&guest("acme:few"), few);
    for arguments in [&["plugin", "test", "it"][..], &["plugin", "test", "it", "--record"]] {
        let printed = sandbox.run(arguments).ends(1);
        says(&printed, &["✔ second", "unproven: probe has 1 of 1 known-good and 2 of 3 known-bad cases"]);
    }
    let component = fs::read(sandbox.path().join("it/acme.few.wasm")).unwrap();
    let (_, added) = workspace(&component, "acme:few");
    says(&added, &["  proof     unproven: probe has 1 of 1 known-good and 2 of 3 known-bad cases"]);
}

#[test]
fn folder_that_can_not_be_tested_says_what_is_missing() {
    let sandbox = project(&guest("acme:missing"), CASES);
    fs::remove_file(sandbox.path().join("it/cases.toml")).unwrap();
    says(&sandbox.run(&["plugin", "test", "it"]).ends(2), &["it has no cases.toml", "docs/plugins.md"]);
    says(&sandbox.run(&["plugin", "test", "nowhere"]).ends(2), &["there is no nowhere"]);
    sandbox.write("it/cases.toml", &CASES.replacen("\"probe\"", "\"prob\"", 1));
    says(&sandbox.run(&["plugin", "test", "it"]).ends(2), &["error[E0402]", "did you mean \"probe\"?"]);
    sandbox.write("it/cases.toml", CASES);
    sandbox.run(&["plugin", "build", "it", "--quiet"]).ends(0);
    says(
        &sandbox.run(&["plugin", "test", "it/acme.missing.wasm"]).ends(1),
        &["unproven: it carries no cases"],
    );
    let refused = sandbox.run(&["plugin", "test", "it/acme.missing.wasm", "--record"]).ends(2);
    says(&refused, &["is a component: there is nothing to record"]);
    let needs = guest("acme:needs").asks("http:api", true);
    let sandbox = project(&needs, CASES);
    let printed = sandbox.run(&["plugin", "test", "it"]).ends(2);
    says(&printed, &["the case right has neither a recording nor every target", "[targets.NAME]"]);
}

#[test]
fn component_is_built_again_when_its_sources_are_newer() {
    let sandbox = project(&guest("acme:newer"), CASES);
    sandbox.run(&["plugin", "build", "it"]).ends(0);
    let touch = |name: &str, seconds: u64| {
        let at = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
        let file = fs::File::options().append(true).open(sandbox.path().join(name)).unwrap();
        file.set_modified(at).unwrap();
    };
    // What it is proven with is no source of it.
    touch("it/cases.toml", 100);
    let printed = sandbox.run(&["plugin", "test", "it"]).ends(0);
    assert!(!printed.stderr.contains("building"), "{}", printed.stderr);
    touch("it/app.py", 100);
    let printed = sandbox.run(&["plugin", "test", "it"]).ends(0);
    says(&printed, &["it/acme.newer.wasm is older than its sources", "building"]);
}

#[test]
fn proven_plugin_is_called_so_everywhere() {
    let (sandbox, added) = workspace(&recorded("acme:proven"), "acme:proven");
    says(&added, &["  proof     proven: replayed here, 1 known-good and 3 known-bad\n"]);
    let shipped = mustdo::store::PLUGINS.iter().find(|shipped| shipped.id == "http-idempotency").unwrap();
    let held = format!("proven: held against {} known mistakes, docs/proof.md", shipped.mistakes);
    says(&sandbox.run(&["plugin", "list"]).ends(0), &[PROVEN, &held]);
    says(&sandbox.run(&["plugin", "info", "acme:proven"]).ends(0), &[PROVEN]);
    let never_run = sandbox.run(&["show", "own.it"]).ends(0);
    assert!(!never_run.stdout.contains("acme:proven is"), "{}", never_run.stdout);
    let elsewhere = sandbox.path().with_file_name("another-cache");
    let elsewhere = sandbox.run_with(&[("XDG_CACHE_HOME", elsewhere.to_str().unwrap())], &["show", "own.it"]);
    says(
        &elsewhere.ends(0),
        &["acme:proven was not held against its cases here yet: mustdo plugin info acme:proven"],
    );
    let verified = sandbox.run(&["verify", "own.it"]).ends(0);
    assert!(!verified.stderr.contains("unproven"), "{}", verified.stderr);
    assert!(sandbox.read("progress/own.toml").contains("plugin-proven = true\n"));
    says(&sandbox.run(&["report", "own", "--format", "json"]).ends(0), &["\"plugin_proven\": true"]);
    let junit = sandbox.run(&["report", "own", "--format", "junit"]).ends(0);
    says(&junit, &["<property name=\"plugin.acme:proven.proven\" value=\"true\"/>"]);
    for format in ["table", "markdown"] {
        let report = sandbox.run(&["report", "own", "--format", format]).ends(0);
        assert!(!report.stdout.contains("unproven"), "{}", report.stdout);
    }
    sandbox.write("mustdo.toml", "[policy]\nunproven = \"deny\"\n");
    says(&sandbox.run(&["report", "own"]).ends(0), &["no plugin is unproven"]);
}

#[test]
fn unproven_plugin_is_called_so_everywhere() {
    let unproven = "unproven: it carries no cases";
    let component = guest("acme:unproven").build();
    let (sandbox, added) = workspace(&component, "acme:unproven");
    says(&added, &["  proof     unproven: it carries no cases\n"]);
    says(&sandbox.run(&["plugin", "list"]).ends(0), &[unproven]);
    says(&sandbox.run(&["plugin", "info", "acme:unproven"]).ends(0), &[unproven]);
    let never_run = sandbox.run(&["show", "own.it"]).ends(0);
    says(&never_run, &["  acme:unproven is unproven: it carries no cases\n", "  never run\n"]);
    says(&sandbox.run(&["verify", "own.it"]).ends(0), &["acme:unproven is unproven: it carries no cases"]);
    assert!(sandbox.read("progress/own.toml").contains("plugin-proven = false\n"));
    says(&sandbox.run(&["show", "own.it"]).ends(0), &[", unproven), seed"]);
    says(&sandbox.run(&["report", "own", "--format", "json"]).ends(0), &["\"plugin_proven\": false"]);
    let junit = sandbox.run(&["report", "own", "--format", "junit"]).ends(0);
    says(&junit, &["<property name=\"plugin.acme:unproven.proven\" value=\"false\"/>"]);
    for format in ["table", "markdown"] {
        let report = sandbox.run(&["report", "own", "--format", format]).ends(0);
        says(&report, &["Passed by an unproven plugin (1)", "acme:unproven/probe (unproven plugin) passed"]);
        let why = sandbox.run(&["report", "own", "--why", "--format", format]).ends(0);
        says(&why, &[", unproven)"]);
    }
    sandbox.write("mustdo.toml", "[policy]\nunproven = \"deny\"\n");
    let denied = sandbox.run(&["report", "own"]).ends(1);
    says(&denied, &["1 item passed by the word of a plugin that is unproven: own.it"]);
    says(&sandbox.run(&["report", "own", "--format", "junit"]).ends(1), &["type=\"unproven\""]);
    says(&sandbox.run(&["report", "own", "--format", "json"]).ends(1), &["\"kind\": \"unproven\""]);
    sandbox.run(&["verify", "own.it"]).ends(1);
}

#[test]
fn update_and_the_question_say_it_too() {
    let unproven = "unproven: it carries no cases";
    let asking = || guest("acme:asks").asks("http:web", true);
    let (sandbox, _) = workspace(&asking().build(), "acme:asks");
    sandbox.write("mustdo.toml", "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\n[item.\"own.it\"]\ntarget = { web = \"web\" }\n");
    let (_, said) = sandbox.at_terminal("verify own.it", "n\n");
    assert!(said.contains("acme:asks") && said.contains(unproven), "{said}");

    let component = recorded("acme:later");
    let (sandbox, _) = workspace(&Bundle::embed(None, &component).unwrap(), "acme:later");
    fs::write(sandbox.path().join("it.wasm"), &component).unwrap();
    let updated = sandbox.run(&["plugin", "update"]).ends(0);
    says(&updated, &["  proof     unproven: it carries no cases → proven: replayed here"]);
}

#[test]
fn section_that_lies_proves_nothing_and_says_why() {
    let component = recorded("acme:lies");
    let swapped = carrying(&component, |bundle| {
        let right = bundle.recordings["cases/right.jsonl"].clone();
        let first = bundle.recordings.insert("cases/first.jsonl".to_owned(), right).unwrap();
        bundle.recordings.insert("cases/right.jsonl".to_owned(), first);
    });
    let edited = carrying(&component, |bundle| {
        let text = bundle.recordings.get_mut("cases/first.jsonl").unwrap();
        *text = text.replacen("{\\\"f\\\":1}", "{\\\"f\\\":9}", 1);
    });
    let twice = carrying(&component, |bundle| {
        let second = "recording = \"cases/second.jsonl\"";
        bundle.cases =
            bundle.cases.replace("recording = \"cases/third.jsonl\"", second).replace("f = 3", "f = 2");
    });
    let torn = carrying(&component, |bundle| {
        let text = bundle.recordings.get_mut("cases/first.jsonl").unwrap();
        text.truncate(text.trim_end().rfind('\n').unwrap() + 1);
    });
    let missing = carrying(&component, |bundle| drop(bundle.recordings.remove("cases/third.jsonl")));
    let other = carrying(&component, |bundle| bundle.cases = bundle.cases.replace("\"probe\"", "\"none\""));
    // The same cases on a plugin that can not tell where the other one fails, and on one that asks for more.
    let bundle = Bundle::of(&component).unwrap();
    let blunt = telling("acme:lies", "(i32.const 1)").build();
    let blunt = Bundle::embed(bundle.as_ref(), &blunt).unwrap();
    let astray = Guest::new()
        .called("acme:lies", "1.0.0")
        .schema(r#"{"type":"object"}"#)
        .import("clock", "monotonic-nanos", "(result i64)")
        .run("(drop (call $monotonic-nanos))");
    let astray = Bundle::embed(bundle.as_ref(), &astray.build()).unwrap();
    let bomb = compress_to_vec(&vec![b' '; 65 << 20], 9);
    for (component, why) in [
        (swapped, "of its case right came \"its recording was made with other parameters\", not \"pass\""),
        (edited, "of its case first came \"its recording"),
        (twice, "the cases second and third have one recording"),
        (torn, "of its case first came \"its recording is none: it ends after line"),
        (missing, "it carries no recording of the case third"),
        (other, "its cases are wrong: the plugin \"acme:lies\" 1.0.0 has no check \"none\""),
        (blunt, "of its case first came \"inconclusive, only\", not \"fail, only\""),
        (astray, "of its case right came \"plugin acme:lies 1.0.0"),
        (
            with_section(&component, b"garbage"),
            "its cases can not be read: it is not compressed as it should be",
        ),
        (with_section(&component, &compress_to_vec(b"{}", 9)), "its cases can not be read: it has no format"),
        (with_section(&component, &bomb), "its cases have more than 64 MiB"),
    ] {
        let (sandbox, added) = workspace(&component, "acme:lies");
        // However long the line is that it stands in.
        let words: Vec<&str> = added.stdout.split_whitespace().collect();
        let said = words.join(" ");
        assert!(said.contains(&format!("proof unproven: {why}")), "{said}");
        let tested = sandbox.run(&["plugin", "test", "it.wasm"]);
        assert_ne!(tested.code, 0, "{why}: {}", tested.stdout);
    }
}

#[test]
fn proof_is_found_out_once_and_kept_beside_the_compiled_plugin() {
    let component = recorded("acme:kept");
    let (sandbox, _) = workspace(&component, "acme:kept");
    let name = format!("{}.0.1.0-1.proof", Digest::of(&component).hex());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/mustdo/cwasm-v1").join(name);
    assert_eq!(fs::read_to_string(&cache).unwrap(), r#"{"bad":3,"good":1}"#);
    fs::write(&cache, r#"{"bad":8,"good":7}"#).unwrap();
    says(&sandbox.run(&["plugin", "list"]).ends(0), &["replayed here, 7 known-good and 8 known-bad"]);
    // What nobody understands is found out again, and what others may write to is not believed.
    for (text, mode) in [("{", 0o600), (r#"{"bad":8,"good":7}"#, 0o666)] {
        fs::write(&cache, text).unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
        says(&sandbox.run(&["plugin", "list"]).ends(0), &[PROVEN]);
    }
    assert_eq!(fs::read_to_string(&cache).unwrap(), r#"{"bad":3,"good":1}"#);
    fs::remove_file(cache).unwrap();
}
