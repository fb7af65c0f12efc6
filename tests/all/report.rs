//! Reports for those who are not at a terminal: where they are written, and what others make of them.

use crate::sandbox::Sandbox;
use crate::verify::{REPEAT, shop};

/// A workspace in a folder of a repository, with its own checklists and an item that fails.
fn failing() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "--quiet"]);
    sandbox.write("shop/.keep", "");
    sandbox.run(&["-C", "shop", "init", "--copy-checklists", "--quiet"]).ends(0);
    sandbox.write("shop/mustdo.toml", &shop(Some("repeat-effect/put-appends")));
    sandbox.run(&["-C", "shop", "verify", REPEAT, "--quiet"]).ends(1);
    sandbox
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

#[test]
fn annotations_point_at_the_items_line_in_the_checklist() {
    let sandbox = failing();
    let file = "shop/checklists/03-stack.toml";
    let mut lists = sandbox
        .files()
        .into_iter()
        .filter(|name| name.starts_with("shop/checklists/") && !name.contains("/.base/"));
    let text = lists.find_map(|name| {
        let line = sandbox.read(&name).lines().position(|line| line == format!("id = \"{REPEAT}\""))? + 1;
        Some((name, line))
    });
    let (file, line) = text.unwrap_or_else(|| panic!("{REPEAT} is not in {file}"));

    let sarif = json(&sandbox.run(&["-C", "shop", "report", "--format", "sarif"]).ends(1).stdout);
    let place = "/runs/0/results/0/locations/0/physicalLocation";
    assert_eq!(sarif.pointer(&format!("{place}/artifactLocation/uri")).unwrap(), &file);
    assert_eq!(sarif.pointer(&format!("{place}/region/startLine")).unwrap(), line);

    let gitlab = json(&sandbox.run(&["-C", "shop", "report", "--format", "gitlab"]).ends(1).stdout);
    assert_eq!(gitlab.pointer("/0/location/path").unwrap(), &file);
    assert_eq!(gitlab.pointer("/0/location/lines/begin").unwrap(), line);

    // Orders to the build server are the one thing that is printed as it is.
    let github = sandbox.run(&["-C", "shop", "report", "--format", "github"]).ends(1).stdout;
    assert!(github.lines().all(|line| line.starts_with("::")), "{github}");
    assert!(github.contains(&format!("::error file={file},line={line},title=")), "{github}");
}

#[test]
fn shipped_checklists_lie_in_no_repository_and_are_annotated_in_the_settings() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(Some("repeat-effect/put-appends")));
    sandbox.run(&["verify", REPEAT, "--quiet"]).ends(1);
    let github = sandbox.run(&["report", "--format", "github"]).ends(1).stdout;
    assert!(github.contains("::error file=mustdo.toml,line=1,title="), "{github}");
}

#[test]
fn one_report_goes_to_standard_output_and_one_to_each_file() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["report", "--report", "json"]).ends(0);
    assert_eq!(json(&printed.stdout)["format"], 1);
    let twice: [&[&str]; 4] = [
        &["--report", "json", "--format", "table"],
        &["--report", "json", "--report", "junit"],
        &["--report", "json=a", "--report", "junit=./a"],
        &["--report", "json=out/a", "--report", "junit=out/../out/a"],
    ];
    for arguments in twice {
        let printed = sandbox.run(&[&["report"], arguments].concat()).ends(2);
        assert!(printed.stderr.contains("two reports to "), "{}", printed.stderr);
        assert_eq!(printed.stdout, "");
    }
    assert!(!sandbox.path().join("a").exists() && !sandbox.path().join("out/a").exists());
}

#[test]
fn bad_path_is_told_before_anything_is_started() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    let before = sandbox.files();
    let printed = sandbox.run(&[
        "verify",
        REPEAT,
        "--report",
        "json=good.json",
        "--report",
        "junit=progress/../mustdo.toml/x",
    ]);
    let printed = printed.ends(2);
    assert!(!printed.stderr.contains("starting"), "{}", printed.stderr);
    assert_eq!(sandbox.files(), before);
}

/// xmllint(1) holds the report against the schema that Jenkins reads by.
#[cfg(feature = "live-servers")]
#[test]
fn junit_fits_the_published_schema_and_the_schema_refuses_another() {
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemas/junit-10.xsd");
    let sandbox = failing();
    let lint = |name: &str| {
        let mut command = sandbox.command("xmllint");
        let output = command.arg("--noout").arg("--schema").arg(&schema).arg(name).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    for language in ["en", "zh"] {
        sandbox.run(&["-C", "shop", "--lang", language, "report", "--report", "junit=r.xml"]).ends(1);
        let (fits, said) = lint("shop/r.xml");
        assert!(fits, "{said}");
    }
    let broken = sandbox.read("shop/r.xml").replace("<failure", "<broken").replace("</failure", "</broken");
    sandbox.write("shop/broken.xml", &broken);
    assert!(!lint("shop/broken.xml").0);
}
