//! A workspace with one foreign plugin in it.

use std::fs;

use crate::guest::Guest;
use crate::sandbox::Sandbox;

/// The item whose check the plugin answers.
pub(super) const ITEM: &str = "trial.probe";

const CHECKLIST: &str = r#"
format = 1
id = "trial"
version = "1.0.0"
title = { en = "Trial", zh = "试" }
[[group]]
id = "trial"
title = { en = "Trial", zh = "试" }
[[item]]
id = "trial.probe"
group = "trial"
title = { en = "Probe", zh = "探" }
level = "must"
weight = 1
[[item.check]]
uses = "test-guest/probe"
"#;

/// A workspace whose one item asks `guest`, with these settings.
pub(super) fn with(guest: &Guest, settings: &str) -> Sandbox {
    let sandbox = Sandbox::workspace();
    fs::remove_dir_all(sandbox.path().join("checklists")).ok();
    sandbox.write("checklists/trial.toml", CHECKLIST);
    sandbox.write("mustdo.toml", settings);
    fs::create_dir_all(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/test-guest.wasm"), guest.build()).unwrap();
    sandbox
}

/// The same, with every text of the checklist replaced by `words`.
pub(super) fn with_words(guest: &Guest, settings: &str, words: &str) -> Sandbox {
    let sandbox = with(guest, settings);
    let quoted = serde_json::Value::from(words).to_string().replace('\u{7f}', "\\u007f");
    let mut text = CHECKLIST.to_owned();
    for title in ["Trial", "试", "Probe", "探"] {
        text = text.replace(&format!("\"{title}\""), &quoted);
    }
    text = text.replace(
        "weight = 1\n",
        &format!("weight = 1\nsource = {quoted}\nhints = [{{ en = {quoted}, zh = {quoted} }}]\n"),
    );
    text.push_str("target = { src = \"src\" }\n");
    sandbox.write("checklists/trial.toml", &text);
    sandbox
}
