//! The pages in a real browser: `tests/browser/drive.mjs` drives the system's Chromium over them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cached::{RUN, with_script};
use crate::cohort::Class;
use crate::retry::{SAFE_GET, Sleepy};
use crate::sandbox::Sandbox;
use crate::verify::{REPEAT, shop};

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

/// Uses pages as a reader does: what `act` of the driver asks of `pages`; what it said.
#[track_caller]
fn drive(sandbox: &Sandbox, act: &str, pages: &[PathBuf]) -> String {
    let mut command = sandbox.command("node");
    command.arg(root().join("tests/browser/drive.mjs")).arg("chromium").arg(axe()).arg(act).args(pages);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
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

    let pages = [&sandbox, &crowd].map(|sandbox| sandbox.path().join("page.html"));
    let said = drive(&sandbox, "report", &pages);
    assert!(said.contains("\"frame\""), "nothing was measured");
}

#[test]
fn page_of_an_item_has_the_attempts_of_a_flaky_one_and_of_when_a_kept_one_is() {
    let flaky = Sandbox::workspace();
    let sleepy = Sleepy::new(&flaky, 1);
    flaky.write("mustdo.toml", &sleepy.settings(""));
    flaky.run(&["verify", SAFE_GET, "--retries", "2", "--report", "html=page.html", "--quiet"]).ends(1);
    let kept = with_script(RUN, true);
    for _ in 0..2 {
        kept.run(&["verify", REPEAT, "--cached", "--commit", "--report", "html=page.html", "--quiet"])
            .ends(0);
    }
    let pages = [&flaky, &kept].map(|sandbox| sandbox.path().join("page.html"));
    drive(&flaky, "items", &pages);
}

#[test]
fn page_of_a_cohort_is_searched_and_sorted_by_keyboard_in_both_languages() {
    let class = Class::new();
    class.learner("ada", &["must-do.xss", "must-do.mq"]);
    class.learner("bo", &["must-do.xss"]);
    class.learner("cy", &[]);
    let homes = [("Ada", "path = \"ada\""), ("Bo", "path = \"bo\""), (HOSTILE, "path = \"cy\"")];
    class.file(&[&homes[..], &[("Di", "path = \"nowhere\"")]].concat());
    class.run(&["--report", "html=page.html", "--quiet"]).ends(3);
    drive(&class.sandbox, "cohort", &[class.sandbox.path().join("page.html")]);
}
