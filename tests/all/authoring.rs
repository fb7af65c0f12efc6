//! `mustdo plugin new` and `mustdo plugin build` without compilers: what is refused and how, and what becomes of what a
//! tool made. The tools here are scripts; the real ones are in `template`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::guest::Guest;
use crate::sandbox::{Printed, Sandbox};

/// A project in Python whose componentize-py is this script; `$last` in it is the file to write.
fn project(script: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("it/app.py", "");
    let tool = "it/.venv/bin/componentize-py";
    sandbox.write(tool, &format!("#!/bin/sh\nfor last; do :; done\n{script}\n"));
    fs::set_permissions(sandbox.path().join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

/// A project whose tool makes these bytes.
fn made(bytes: &[u8]) -> Sandbox {
    let sandbox = project("cp made.bin \"$last\"");
    fs::write(sandbox.path().join("it/made.bin"), bytes).unwrap();
    sandbox
}

fn says(printed: &Printed, words: &[&str]) {
    for word in words {
        assert!(printed.stderr.contains(word), "{word:?} is not in\n{}", printed.stderr);
    }
}

#[test]
fn new_plugin_never_replaces_anything() {
    let sandbox = Sandbox::empty();
    let printed = sandbox.run(&["plugin", "new", "acme:one", "--lang", "js"]).ends(0);
    assert_eq!(printed.stdout, "acme-one\n");
    says(&printed, &["cd acme-one\n", "  npm install\n", "  npm test\n", "  mustdo plugin build\n"]);
    sandbox.write("acme-one/check.js", "mine");
    let before = sandbox.files();
    let printed = sandbox.run(&["plugin", "new", "acme:one", "--lang", "python"]).ends(2);
    says(&printed, &["acme-one is there already", "mustdo plugin new acme:one --lang python OTHER-DIR"]);
    assert_eq!((sandbox.read("acme-one/check.js"), sandbox.files()), ("mine".to_owned(), before));
    sandbox.write("taken", "mine");
    sandbox.run(&["plugin", "new", "two", "--lang", "js", "taken"]).ends(2);
    fs::create_dir(sandbox.path().join("empty")).unwrap();
    sandbox.run(&["plugin", "new", "two", "--lang", "rust", "empty"]).ends(0);
    assert!(sandbox.read("empty/vendor/wit/verifier.wit").contains("package mustdo:verifier@"));
}

#[test]
fn names_that_no_package_can_have_are_refused() {
    let sandbox = Sandbox::empty();
    for (id, word) in [
        ("1st", "begin each part with a letter"),
        ("a--b", "no name for a package"),
        ("acme:", "empty part"),
        ("../up", "may not contain"),
        ("Up", "may not contain"),
    ] {
        says(&sandbox.run(&["plugin", "new", id, "--lang", "rust"]).ends(2), &[word]);
    }
    says(&sandbox.run(&["plugin", "new", "a"]).ends(2), &["--lang <LANG>"]);
    says(&sandbox.run(&["plugin", "new", "a", "--lang", "perl"]).ends(2), &["rust, python, js"]);
    assert!(sandbox.files().is_empty());
}

#[test]
fn language_of_code_is_no_language_of_content() {
    let sandbox = Sandbox::empty();
    says(&sandbox.run(&["list", "--lang", "rust"]).ends(2), &["\"en\" and \"zh\""]);
    let printed = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
    let mut command = printed;
    let output =
        command.args(["plugin", "new", "a", "--lang", "js"]).env("MUSTDO_LANG", "zh").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_is_missing_is_named_with_the_command_that_installs_it() {
    let sandbox = Sandbox::empty();
    let mustdo = env!("CARGO_BIN_EXE_mustdo");
    for (language, words) in [
        ("rust", "Rust's target wasm32-unknown-unknown is not installed"),
        ("python", "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
        ("js", "apt-get install nodejs npm"),
    ] {
        sandbox.run(&["plugin", "new", language, "--lang", language]).ends(0);
        // An empty search path: nothing is installed.
        let output = sandbox
            .command(mustdo)
            .args(["plugin", "build", language])
            .env("PATH", "/nowhere")
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    assert!(!sandbox.files().iter().any(|file| file.contains(".wasm")));
}

#[test]
fn folder_without_one_project_is_refused() {
    let sandbox = Sandbox::empty();
    says(&sandbox.run(&["plugin", "build", "nowhere"]).ends(2), &["there is no folder nowhere"]);
    says(&sandbox.run(&["plugin", "build"]).ends(2), &["holds no plugin", "mustdo plugin new"]);
    sandbox.write("Cargo.toml", "");
    sandbox.write("package.json", "");
    says(&sandbox.run(&["plugin", "build"]).ends(2), &["Cargo.toml and package.json"]);
    sandbox.write("py/pyproject.toml", "");
    sandbox.write("py/.venv/bin/componentize-py", "");
    says(&sandbox.run(&["plugin", "build", "py"]).ends(2), &["there is no app.py"]);
}

#[test]
fn component_is_stripped_named_and_told() {
    let mut component = Guest::new().called("acme:it", "1.0.0").build();
    // A custom section "zqzq" of two bytes.
    component.extend(b"\0\x07\x04zqzqab");
    let sandbox = made(&component);
    let printed = sandbox.run(&["plugin", "build", "it"]).ends(0);
    for row in
        ["acme:it 1.0.0", "contract  mustdo:verifier@0.1.0", "file      it/acme.it.wasm", "checks    probe"]
    {
        assert!(printed.stdout.contains(row), "{row:?} is not in\n{}", printed.stdout);
    }
    let bytes = fs::read(sandbox.path().join("it/acme.it.wasm")).unwrap();
    assert!(bytes.len() < component.len() && !bytes.windows(4).any(|window| window == b"zqzq"));
    let digest = mustdo::model::Digest::of(&bytes);
    assert!(printed.stdout.contains(&format!("digest    {digest}\n")), "{}", printed.stdout);
    assert!(printed.stdout.contains(&format!("size      {} bytes\n", bytes.len())), "{}", printed.stdout);
    sandbox.run(&["plugin", "build", "it", "-o", "other.wasm", "--quiet"]).ends(0);
    assert_eq!(fs::read(sandbox.path().join("other.wasm")).unwrap(), bytes);
}

#[test]
fn import_of_wasi_is_told() {
    let guest = Guest::new().import_wasi("cli/environment", "get-environment", "(param i32)");
    let printed = made(&guest.build()).run(&["plugin", "build", "it"]).ends(0);
    assert!(printed.stdout.contains("  and empty wasi:cli/environment@0.2.0\n"), "{}", printed.stdout);
}

#[test]
fn what_no_workspace_could_use_is_not_written() {
    let module = wat::parse_str("(module (import \"env\" \"f\" (func)))").unwrap();
    for (bytes, words) in [
        (b"hello".to_vec(), "is not WebAssembly"),
        (module, "does not become a component"),
        (wat::parse_str("(component)").unwrap(), "does not export \"mustdo:verifier/plugin\""),
        (Guest::new().contract("0.2.0").build(), "needs mustdo ≥ 0.2.0"),
        (Guest::new().called("No Name", "1.0.0").build(), "the plugin's id"),
    ] {
        let sandbox = made(&bytes);
        sandbox.write("it/test-guest.wasm", "the last good one");
        says(&sandbox.run(&["plugin", "build", "it"]).ends(2), &["what was built can not be used", words]);
        assert_eq!(sandbox.read("it/test-guest.wasm"), "the last good one");
    }
}

#[test]
fn errors_of_a_tool_are_shown_as_they_are() {
    let sandbox = project("echo 'app.py:3: on stdout'; echo 'app.py:4: on stderr' >&2; exit 7");
    let printed = sandbox.run(&["plugin", "build", "it"]).ends(1);
    says(
        &printed,
        &["app.py:3: on stdout\n", "app.py:4: on stderr\n", "componentize-py did not build the plugin"],
    );
    assert_eq!(printed.stdout, "");
    let sandbox = project("true");
    says(&sandbox.run(&["plugin", "build", "it"]).ends(2), &["can not read"]);
}

#[test]
fn core_module_becomes_a_component() {
    let module = Guest::new().called("acme:core", "1.0.0").module();
    let sandbox = made(&module);
    sandbox.run(&["plugin", "build", "it"]).ends(0);
    sandbox.run(&["init", "--quiet"]).ends(0);
    let printed = sandbox.run(&["plugin", "add", "it/acme.core.wasm"]).ends(0);
    assert!(printed.stdout.starts_with("acme:core 1.0.0"), "{}", printed.stdout);
}
