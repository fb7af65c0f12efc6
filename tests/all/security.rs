//! `SECURITY.md` claims nothing that no test holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every function that is marked as a test, in the tool and in its tests.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut marked = false;
            for line in text.lines().map(str::trim) {
                let name = line.trim_start_matches("pub(crate) ").trim_start_matches("async ");
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") || line == "proptest! {" {
                    marked = true;
                } else if let (true, Some(rest)) = (marked, name.strip_prefix("fn ")) {
                    found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                    marked = false;
                }
            }
        }
    }
}

/// The names of tests in a text: long words with "_" between backticks.
fn named(text: &str) -> Vec<&str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| word.matches('_').count() > 2 && !word.contains([' ', '=', '/', '.'])).collect()
}

#[test]
fn every_claim_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut known = BTreeSet::new();
    tests(&root.join("src"), &mut known);
    tests(&root.join("tests"), &mut known);
    assert!(known.len() > 300, "only {} tests were found", known.len());
    let unknown: Vec<_> = named(&text).into_iter().filter(|name| !known.contains(*name)).collect();
    assert!(unknown.is_empty(), "SECURITY.md names tests that there are not: {unknown:?}");

    let held = text.split("\n## What holds\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let claims: Vec<_> = held.split("\n- ").skip(1).collect();
    assert!(claims.len() > 20, "only {} claims were found", claims.len());
    for claim in claims {
        assert!(!named(claim).is_empty(), "no test holds this claim:\n{claim}");
    }
}
