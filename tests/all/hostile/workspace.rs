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
