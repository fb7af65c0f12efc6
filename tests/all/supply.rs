//! `mustdo plugin add`, `update`, `remove`, `info` and what the other commands make of `mustdo.lock`.

use std::fs;

use mustdo::model::Digest;

use crate::guest::{Guest, Status};
use crate::sandbox::{Printed, Sandbox};
use crate::web::{Reply, Web, certificates};

const ID: &str = "acme:probe";
const FILE: &str = "plugins/acme.probe.wasm";

fn plugin(version: &'static str) -> Guest {
    Guest::new().called(ID, version).asks("http:web", true)
}

fn put(sandbox: &Sandbox, name: &str, bytes: &[u8]) {
    sandbox.write(name, "");
    fs::write(sandbox.path().join(name), bytes).unwrap();
}

fn bytes(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    fs::read(sandbox.path().join(name)).unwrap()
}

/// A workspace with version 1.0.0 added from `build/probe.wasm`.
fn added() -> Sandbox {
    let sandbox = Sandbox::workspace();
    put(&sandbox, "build/probe.wasm", &plugin("1.0.0").build());
    sandbox.run(&["plugin", "add", "build/probe.wasm"]).ends(0);
    sandbox
}

#[track_caller]
fn says(printed: &Printed, words: &[&str]) {
    for words in words {
        let all = format!("{}{}", printed.stdout, printed.stderr);
        assert!(all.contains(words), "no {words:?} in\n{all}");
    }
}

/// Fails, and leaves no trace in the workspace.
#[track_caller]
fn refuses(sandbox: &Sandbox, source: &str, exit: i32, words: &[&str]) {
    let before = sandbox.files();
    let printed = sandbox.run(&["plugin", "add", source]).ends(exit);
    says(&printed, words);
    assert_eq!(printed.stdout, "");
    let mut after = sandbox.files();
    after.retain(|name| !name.starts_with(".mustdo"));
    let before: Vec<_> = before.into_iter().filter(|name| !name.starts_with(".mustdo")).collect();
    assert_eq!(after, before);
}

#[test]
fn added_file_is_shown_written_and_locked_and_granted_nothing() {
    let sandbox = Sandbox::workspace();
    let component = plugin("1.0.0").build();
    put(&sandbox, "build/probe.wasm", &component);
    let settings = sandbox.read("mustdo.toml");
    // From a folder inside it, so that what was typed and what is locked differ.
    let printed = sandbox.run(&["-C", "build", "plugin", "add", "probe.wasm"]).ends(0);
    let digest = Digest::of(&component).to_string();
    says(
        &printed,
        &["acme:probe 1.0.0: A guest", &digest, "mustdo:verifier@0.1.0", "http:web: to look at it"],
    );
    says(&printed, &["file:build/probe.wasm", "nothing is granted", "uses = \"acme:probe/probe\""]);
    assert_eq!(bytes(&sandbox, FILE), component);
    let lock = sandbox.read("mustdo.lock");
    for line in [
        "version = 1",
        "id = \"acme:probe\"",
        "version = \"1.0.0\"",
        "source = \"file:build/probe.wasm\"",
        &format!("digest = \"{digest}\""),
        "contract = \"0.1.0\"",
        "describe-digest = \"sha256:",
    ] {
        assert!(lock.contains(line), "no {line} in\n{lock}");
    }
    assert_eq!(sandbox.read("mustdo.toml"), settings);
    let printed = sandbox.run(&["lint"]).ends(0);
    assert!(!printed.stderr.contains("W0605"), "{}", printed.stderr);
    says(
        &sandbox.run(&["plugin", "info", ID]).ends(0),
        &["file:build/probe.wasm", &digest, "probe: Does it hold?"],
    );
    says(&sandbox.run(&["plugin", "list"]).ends(0), &["acme:probe 1.0.0  A guest (file:build/probe.wasm)"]);
    let again = sandbox.run(&["plugin", "add", "build/probe.wasm"]).ends(0);
    says(&again, &["was there already"]);
    assert_eq!(sandbox.read("mustdo.lock"), lock);
}

#[test]
fn lock_follows_its_schema() {
    let sandbox = added();
    let schema = sandbox.run(&["schema", "lock"]).ends(0).stdout;
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let lock = |text: &str| toml::from_str::<serde_json::Value>(text).unwrap();
    let text = sandbox.read("mustdo.lock");
    assert!(validator.is_valid(&lock(&text)), "{text}");
    for (right, wrong) in [
        ("version = 1", "version = 2"),
        ("id = \"acme:probe\"\n", ""),
        ("id = \"acme:probe\"", "id = \"Acme\""),
        ("file:", "ftp://"),
        ("contract = \"0.1.0\"", "contract = \"0.1\""),
        ("digest = \"sha256:", "digest = \"sha1:"),
    ] {
        assert!(!validator.is_valid(&lock(&text.replacen(right, wrong, 1))), "{wrong}");
    }
}

#[test]
fn documented_lock_is_one() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plugin-sources.md")).unwrap();
    let block = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let read = mustdo::syntax::read_lock(&mustdo::syntax::Source::new("mustdo.lock", block));
    assert_eq!(read.diagnostics, []);
    assert_eq!(mustdo::syntax::write_lock(block, read.value.unwrap().lock()).unwrap(), block);
}

#[test]
fn digest_that_was_given_is_held_against_the_file() {
    let sandbox = Sandbox::workspace();
    let component = plugin("1.0.0").build();
    put(&sandbox, "probe.wasm", &component);
    let (right, wrong) = (Digest::of(&component), Digest::of(b"other"));
    refuses(&sandbox, &format!("probe.wasm@{wrong}"), 2, &["has the digest", &format!("probe.wasm@{right}")]);
    sandbox.run(&["plugin", "add", &format!("probe.wasm@{right}")]).ends(0);
    assert!(sandbox.read("mustdo.lock").contains(&format!("file:probe.wasm@{right}")));
}

#[test]
fn what_is_no_plugin_is_refused_and_nothing_is_written() {
    let sandbox = Sandbox::workspace();
    let mut config = wasmtime::Config::new();
    let engine = wasmtime::Engine::new(config.wasm_component_model(true)).unwrap();
    let empty = wat::parse_str("(component)").unwrap();
    let compiled = engine.precompile_component(&empty).unwrap();
    let mut shipped = mustdo::store::PLUGINS[0].bytes.to_vec();
    // A custom section "x" without contents: other bytes, the same plugin.
    shipped.extend(b"\0\x02\x01x");
    for (name, component, words) in [
        ("text.wasm", b"hello".to_vec(), "is not WebAssembly"),
        ("core.wasm", wat::parse_str("(module)").unwrap(), "core WebAssembly module"),
        ("other.wasm", empty.clone(), "is not a mustdo plugin"),
        ("native.wasm", compiled, "already compiled"),
        ("broken.wasm", b"\0asm\x0d\0\x01\0\x07\x7fjunk".to_vec(), "not a valid component"),
        ("newer.wasm", plugin("1.0.0").contract("0.2.0").build(), "needs mustdo ≥ 0.2.0"),
        ("older.wasm", plugin("1.0.0").contract("0.0.9").build(), "rebuild the plugin"),
        ("named.wasm", Guest::new().called("Acme", "1.0.0").build(), "the plugin's id"),
        ("shipped.wasm", shipped, "ships with mustdo"),
        ("large.wasm", vec![0; (32 << 20) + 1], "may have 32 MiB"),
        ("hang.wasm", plugin("1.0.0").describe("(loop $again (br $again))").build(), "describe"),
    ] {
        put(&sandbox, name, &component);
        refuses(&sandbox, name, 2, &[words]);
    }
    refuses(&sandbox, "nowhere.wasm", 2, &["can not read", "nowhere.wasm"]);
    refuses(&sandbox, "/dev/zero", 2, &["not a file"]);
    refuses(&sandbox, "ftp://example.org/x", 2, &["is not spoken"]);
    refuses(&sandbox, "oci://ghcr.io/acme/probe", 2, &["name a tag or a digest"]);
    sandbox.run(&["plugin", "add"]).ends(2);
}

#[test]
fn plugin_for_a_later_patch_of_the_contract_is_taken_where_it_uses_nothing_new() {
    let sandbox = Sandbox::workspace();
    put(&sandbox, "later.wasm", &plugin("1.0.0").contract("0.1.9").build());
    sandbox.run(&["plugin", "add", "later.wasm"]).ends(0);
    assert!(sandbox.read("mustdo.lock").contains("contract = \"0.1.9\""));
}

#[test]
fn file_that_is_not_in_the_lock_runs_and_is_told() {
    let sandbox = Sandbox::workspace();
    put(&sandbox, FILE, &plugin("1.0.0").build());
    says(&sandbox.run(&["lint"]).ends(0), &["W0605", FILE]);
    says(&sandbox.run(&["plugin", "info", ID]).ends(0), &["plugins/acme.probe.wasm, not in mustdo.lock"]);
    // Another plugin of that name does not silently take its place.
    put(&sandbox, "other.wasm", &plugin("2.0.0").build());
    refuses(&sandbox, "other.wasm", 2, &["is there already", "mustdo plugin remove acme:probe"]);
    sandbox.run(&["plugin", "add", FILE]).ends(0);
    assert!(!sandbox.run(&["lint"]).ends(0).stderr.contains("W0605"));
}

#[test]
fn file_that_is_not_what_was_added_is_run_by_nobody() {
    let sandbox = added();
    put(
        &sandbox,
        FILE,
        &plugin("1.0.0").says(Status::Pass, Status::Pass).more("(data (i32.const 0) \"x\")").build(),
    );
    for command in [&["plugin", "info", ID][..], &["plugin", "list"], &["lint"]] {
        says(&sandbox.run(command).ends(2), &["E0602", "mustdo.lock:"]);
    }
    sandbox.write("checklists/own.toml", CHECKLIST);
    says(&sandbox.run(&["verify"]).ends(2), &["E0602", "mustdo plugin update acme:probe"]);
    // What runs nothing is not held up.
    for command in [&["list"][..], &["report"], &["show", "own.probe"]] {
        sandbox.run(command).ends(0);
    }
    sandbox.run(&["plugin", "update"]).ends(0);
    sandbox.run(&["plugin", "info", ID]).ends(0);
    assert_eq!(bytes(&sandbox, FILE), plugin("1.0.0").build());
}

const CHECKLIST: &str = "format = 1\nid = \"own\"\nversion = \"1.0.0\"\ntitle = { zh = \"甲\", en = \"A\" }\n\
    [[group]]\nid = \"own\"\ntitle = { zh = \"组\", en = \"G\" }\n\
    [[item]]\nid = \"own.probe\"\ngroup = \"own\"\ntitle = { zh = \"项\", en = \"I\" }\nlevel = \"must\"\nweight = 1\n\
    kind = \"verify\"\n[[item.check]]\nuses = \"acme:probe/probe\"\ntarget = { web = \"web\" }\n";

#[test]
fn file_that_is_gone_is_told_and_fetched_again() {
    let sandbox = added();
    fs::remove_file(sandbox.path().join(FILE)).unwrap();
    says(&sandbox.run(&["lint"]).ends(2), &["E0603", ID]);
    says(&sandbox.run(&["plugin", "update", "--check"]).ends(0), &["is not what was added"]);
    assert!(!sandbox.path().join(FILE).exists());
    says(&sandbox.run(&["plugin", "update"]).ends(0), &["is again what was added"]);
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn wrong_file_name_has_a_code_and_adding_gives_the_right_one() {
    let sandbox = Sandbox::workspace();
    put(&sandbox, "plugins/HTTP_Extra.wasm", &plugin("1.0.0").build());
    for command in [&["plugin", "list"][..], &["lint"]] {
        says(&sandbox.run(command).ends(2), &["E0604", "plugins/HTTP_Extra.wasm"]);
    }
    sandbox.run(&["plugin", "add", "plugins/HTTP_Extra.wasm"]).ends(0);
    fs::remove_file(sandbox.path().join("plugins/HTTP_Extra.wasm")).unwrap();
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn broken_lock_stops_what_would_run_or_write_and_stays_as_it_is() {
    let sandbox = added();
    let broken = sandbox.read("mustdo.lock").replace("sha256:", "sha1:");
    sandbox.write("mustdo.lock", &broken);
    for command in [
        &["plugin", "info", ID][..],
        &["plugin", "update"],
        &["plugin", "remove", ID],
        &["plugin", "add", "build/probe.wasm"],
        &["lint"],
    ] {
        says(&sandbox.run(command).ends(2), &["E0116", "mustdo.lock:"]);
    }
    assert_eq!(sandbox.read("mustdo.lock"), broken);
    assert!(sandbox.path().join(FILE).exists());
    sandbox.write("mustdo.lock", "<<<<<<< ours\n");
    says(&sandbox.run(&["plugin", "info", ID]).ends(2), &["E0101"]);
}

#[test]
fn update_tells_what_is_new_and_check_writes_nothing() {
    let sandbox = added();
    says(&sandbox.run(&["plugin", "update"]).ends(0), &["acme:probe 1.0.0 is what its source has"]);
    sandbox.run(&["plugin", "update", "--check"]).ends(0);
    let old = Digest::of(&plugin("1.0.0").build()).to_string();
    let newer = Guest::new().called(ID, "1.1.0").asks("read:src", false).build();
    put(&sandbox, "build/probe.wasm", &newer);
    let new = Digest::of(&newer).to_string();
    let words = ["acme:probe 1.0.0 → 1.1.0", &old, &new, "+ read:src: to look at it", "- http:web"];
    let lock = sandbox.read("mustdo.lock");
    says(&sandbox.run(&["plugin", "update", "--check"]).ends(1), &words);
    assert_eq!(sandbox.read("mustdo.lock"), lock);
    assert_eq!(Digest::of(&bytes(&sandbox, FILE)).to_string(), old);
    says(&sandbox.run(&["plugin", "update", ID]).ends(0), &words);
    assert_eq!(bytes(&sandbox, FILE), newer);
    assert!(sandbox.read("mustdo.lock").contains(&new));
    sandbox.run(&["plugin", "update", "--check"]).ends(0);
    sandbox.run(&["plugin", "info", ID]).ends(0);
}

#[test]
fn pinned_plugin_changes_only_when_the_user_says_so() {
    let sandbox = Sandbox::workspace();
    let old = plugin("1.0.0").build();
    put(&sandbox, "probe.wasm", &old);
    sandbox.run(&["plugin", "add", &format!("probe.wasm@{}", Digest::of(&old))]).ends(0);
    says(&sandbox.run(&["plugin", "update"]).ends(0), &["is pinned to"]);
    let newer = plugin("1.1.0").build();
    put(&sandbox, "probe.wasm", &newer);
    let way_out = format!("mustdo plugin add file:probe.wasm@{}", Digest::of(&newer));
    says(&sandbox.run(&["plugin", "update", "--check"]).ends(1), &[&way_out]);
    says(&sandbox.run(&["plugin", "update"]).ends(0), &[&way_out]);
    assert_eq!(bytes(&sandbox, FILE), old);
    sandbox.run(&["plugin", "add", &format!("file:probe.wasm@{}", Digest::of(&newer))]).ends(0);
    assert_eq!(bytes(&sandbox, FILE), newer);
}

#[test]
fn one_update_that_fails_does_not_keep_others_from_it() {
    let sandbox = added();
    put(&sandbox, "other.wasm", &Guest::new().called("acme:another", "1.0.0").build());
    sandbox.run(&["plugin", "add", "other.wasm"]).ends(0);
    put(&sandbox, "other.wasm", b"junk");
    put(&sandbox, "build/probe.wasm", &plugin("1.1.0").build());
    let printed = sandbox.run(&["plugin", "update"]).ends(2);
    says(
        &printed,
        &["acme:another: error:", "acme:probe 1.0.0 → 1.1.0", "asks for what it asked for before"],
    );
    put(&sandbox, "other.wasm", &Guest::new().called("acme:third", "1.0.0").build());
    says(&sandbox.run(&["plugin", "update", "acme:another"]).ends(2), &["calls itself acme:third"]);
    says(&sandbox.run(&["plugin", "update", "acme:prob"]).ends(2), &["did you mean \"acme:probe\"?"]);
    says(&sandbox.run(&["plugin", "update", "http-idempotency"]).ends(2), &["ships with mustdo"]);
}

#[test]
fn kill_between_the_two_writes_is_mended_by_the_same_command() {
    // While it was added: the file is there, and the lock does not name it.
    let sandbox = added();
    let lock = sandbox.read("mustdo.lock");
    fs::remove_file(sandbox.path().join("mustdo.lock")).unwrap();
    says(&sandbox.run(&["lint"]).ends(0), &["W0605"]);
    sandbox.run(&["plugin", "add", "build/probe.wasm"]).ends(0);
    assert_eq!(sandbox.read("mustdo.lock"), lock);
    // While it was updated: the file is new, and the lock names the old one.
    let newer = plugin("1.1.0").build();
    put(&sandbox, "build/probe.wasm", &newer);
    put(&sandbox, FILE, &newer);
    says(&sandbox.run(&["plugin", "info", ID]).ends(2), &["E0602"]);
    sandbox.run(&["plugin", "update"]).ends(0);
    says(&sandbox.run(&["plugin", "info", ID]).ends(0), &["acme:probe 1.1.0"]);
    // While it was removed: the grants and the entry are gone, the file is not.
    fs::remove_file(sandbox.path().join("mustdo.lock")).unwrap();
    sandbox.run(&["plugin", "remove", ID]).ends(0);
    assert!(!sandbox.path().join(FILE).exists());
}

#[test]
fn removed_plugin_leaves_neither_file_nor_entry_nor_grant() {
    let sandbox = added();
    let settings = sandbox.read("mustdo.toml");
    sandbox.write(
        "mustdo.toml",
        &format!("{settings}\n[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:1\"\n"),
    );
    sandbox.run(&["grant", ID, "http:web"]).ends(0);
    assert!(sandbox.read("mustdo.toml").contains("[grants.\"acme:probe\"]"));
    let printed = sandbox.run(&["plugin", "remove", ID]).ends(0);
    says(&printed, &["its grants in mustdo.toml", "its entry in mustdo.lock", FILE]);
    assert!(!sandbox.read("mustdo.toml").contains("grants.\"acme:probe\""));
    assert!(!sandbox.read("mustdo.lock").contains("acme"));
    assert!(!sandbox.path().join(FILE).exists());
    says(&sandbox.run(&["plugin", "remove", ID]).ends(2), &["there is no plugin"]);
    says(&sandbox.run(&["plugin", "remove", "http-idempotency"]).ends(2), &["ships with mustdo"]);
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn plugin_that_can_not_be_used_can_be_removed() {
    let sandbox = Sandbox::workspace();
    put(&sandbox, "plugins/junk.wasm", b"junk");
    sandbox.run(&["plugin", "remove", "junk"]).ends(0);
    sandbox.run(&["lint"]).ends(0);
}

#[test]
fn plugins_added_at_once_are_all_locked() {
    let sandbox = Sandbox::workspace();
    let ids = ["acme:a", "acme:b", "acme:c", "acme:d"];
    for id in ids {
        put(&sandbox, &format!("{}.wasm", &id[5..]), &Guest::new().called(id, "1.0.0").build());
    }
    std::thread::scope(|scope| {
        for id in ids {
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.run(&["plugin", "add", &format!("{}.wasm", &id[5..])]).ends(0));
        }
    });
    let lock = sandbox.read("mustdo.lock");
    assert_eq!(lock.matches("[[plugin]]").count(), ids.len(), "{lock}");
    let printed = sandbox.run(&["lint"]).ends(0);
    assert!(!printed.stderr.contains("W0605"), "{}", printed.stderr);
}

#[test]
fn plugin_is_added_and_updated_from_an_address() {
    let sandbox = Sandbox::workspace();
    let (old, newer) = (plugin("1.0.0").build(), plugin("1.1.0").build());
    let files = [old.clone(), newer.clone()];
    let web = Web::start(move |asked| Reply::file(&files[usize::from(asked.path() != "/old.wasm")]));
    sandbox.run(&["plugin", "add", &web.url("/old.wasm")]).ends(0);
    assert_eq!(bytes(&sandbox, FILE), old);
    says(&sandbox.run(&["plugin", "update"]).ends(0), &["is what its source has"]);
    says(&sandbox.run(&["plugin", "add", &web.url("/new.wasm")]).ends(0), &["replaced acme:probe 1.0.0"]);
    assert_eq!(bytes(&sandbox, FILE), newer);
    drop(web);
    says(&sandbox.run(&["plugin", "update"]).ends(3), &["can not connect to 127.0.0.1"]);
    // What runs, lists and reports never looks at the source.
    for command in [&["plugin", "info", ID][..], &["list"], &["lint"]] {
        sandbox.run(command).ends(0);
    }
}

/// Adds a plugin on a system that trusts this authority alone.
fn add_trusting(sandbox: &Sandbox, source: &str, authority: &str) -> (Option<i32>, String) {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
    command.env("SSL_CERT_FILE", certificates().join(authority));
    let output = command.args(["plugin", "add", source]).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn web_page_is_not_a_plugin_and_the_words_say_what_to_look_for() {
    let sandbox = Sandbox::workspace();
    let web = Web::start(|_| {
        Reply::Whole(200, vec!["Content-Type: text/html; charset=utf-8".to_owned()], b"<html>".to_vec())
    });
    refuses(&sandbox, &web.url("/x.wasm"), 2, &["is not WebAssembly", "a web page"]);
}

#[test]
fn encrypted_address_is_believed_only_with_a_trusted_certificate() {
    let sandbox = Sandbox::workspace();
    let component = plugin("1.0.0").build();
    let file = component.clone();
    let plain = Web::start(move |_| Reply::file(&file));
    let (file, downgrade) = (component.clone(), plain.url("/x.wasm"));
    let web = Web::encrypted(move |asked| match asked.path() {
        "/down" => Reply::elsewhere(&downgrade),
        _ => Reply::file(&file),
    });
    let add = |path: &str, authority: &str| add_trusting(&sandbox, &web.url(path), authority);
    let (code, words) = add("/x.wasm", "key.pem");
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("ca-certificates"), "{words}");
    refuses(&sandbox, &web.url("/x.wasm"), 3, &[]);
    let (code, words) = add("/down", "authority.pem");
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("gives encryption up") && plain.asked().is_empty(), "{words}");
    let (code, words) = add("/x.wasm", "authority.pem");
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(bytes(&sandbox, FILE), component);
}
