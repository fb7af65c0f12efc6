//! The report's page in a real browser: `tests/browser/drive.mjs` drives the system's Chromium over it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;
use crate::verify::shop;

const ITEMS: usize = 10_000;
/// Ends the element that it stands in, if anything in a page lets it.
const HOSTILE: &str =
    "</script></style></title><script>window.owned = 1</script><img src=x onerror='owned=1'>";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `tests/run` puts what the driver needs beside Node.js and Chromium.
fn axe() -> PathBuf {
    let path = root().join("target/browser/node_modules/axe-core/axe.min.js");
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// What fails, what is proven, what is open, and a title that tries to leave its place.
fn small(sandbox: &Sandbox) {
    let checklist = format!(
        "format = 1\nid = \"own\"\nversion = \"1.0.0\"\ntitle = {{ zh = \"我的\", en = \"Own\" }}\n\n\
         [[group]]\nid = \"own\"\ntitle = {{ zh = \"接口\", en = \"Interfaces\" }}\n\n\
         [[item]]\nid = \"own.hostile\"\ngroup = \"own\"\ntitle = {{ zh = {HOSTILE:?}, en = {HOSTILE:?} }}\n\
         level = \"challenge\"\nweight = 1\nkind = \"verify\"\n"
    );
    sandbox.run(&["init", "--copy-checklists", "--quiet"]).ends(0);
    sandbox.write("checklists/20-own.toml", &checklist);
    sandbox.write("mustdo.toml", &shop(Some("safe-get/get-deletes")));
    sandbox.run(&["tick", "own.hostile", "--note", HOSTILE, "--quiet"]).ends(0);
    sandbox.run(&["verify", "frontend", "idempotence.definition", "--quiet", "--no-input"]).ends(1);
}

/// Ten thousand items in a hundred groups: a third fails, a third is proven, the rest is open.
fn big(sandbox: &Sandbox, record: &str) {
    let mut checklist = String::from(
        "format = 1\nid = \"big\"\nversion = \"1.0.0\"\ntitle = { zh = \"大\", en = \"Big\" }\n",
    );
    for group in 0..100 {
        let _written = write!(
            checklist,
            "\n[[group]]\nid = \"big.g{group}\"\ntitle = {{ zh = \"第 {group} 组\", en = \"Group {group}\" }}\n"
        );
    }
    let mut progress = String::from("format = 1\nchecklist = \"big\"\n");
    for item in 0..ITEMS {
        let _written = write!(
            checklist,
            "\n[[item]]\nid = \"big.i{item}\"\ngroup = \"big.g{}\"\nlevel = \"should\"\nweight = 1\nkind = \"verify\"\n\
             title = {{ zh = \"第 {item} 个条目，说明它的要求\", en = \"Item {item}: what it asks for\" }}\n\
             [[item.check]]\nuses = \"http-idempotency/safe-get\"\ntarget = {{ api = \"web\" }}\n",
            item / 100
        );
        if item % 3 < 2 {
            let own = record.replace("\"frontend.idempotent-request\"", &format!("\"big.i{item}\""));
            let passed = || own.replace("outcome = \"fail\"", "outcome = \"pass\"");
            progress.push_str(&if item % 3 == 0 { own.clone() } else { passed() });
        }
    }
    sandbox.write("checklists/big.toml", &checklist);
    sandbox.write("progress/big.toml", &progress);
}

#[test]
fn page_is_used_by_keyboard_in_both_languages_and_bears_ten_thousand_items() {
    let sandbox = Sandbox::empty();
    small(&sandbox);
    sandbox.run(&["report", "--report", "html=page.html", "--quiet"]).ends(1);
    let recorded = sandbox.read("progress/frontend.toml");
    let record = recorded.find("[item.").map(|from| recorded[from..].to_owned()).unwrap();

    let crowd = Sandbox::empty();
    crowd.run(&["init", "--quiet"]).ends(0);
    crowd.write("mustdo.toml", &shop(Some("safe-get/get-deletes")));
    big(&crowd, &record);
    crowd.run(&["report", "--report", "html=page.html", "--quiet"]).ends(1);

    let output = sandbox
        .command("node")
        .arg(root().join("tests/browser/drive.mjs"))
        .arg("chromium")
        .arg(axe())
        .arg(sandbox.path().join("page.html"))
        .arg(crowd.path().join("page.html"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"frame\""), "nothing was measured");
}
