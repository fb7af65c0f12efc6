//! `docs/limits.md`, held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mustdo::model::Limit;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/limits.md")).unwrap()
}

/// The cells of every row whose last cell or first cell is code.
fn rows(page: &str) -> Vec<Vec<String>> {
    let row = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).map(row).collect()
}

#[test]
fn limits_that_can_be_moved_are_told_as_they_are() {
    let page = page();
    let told: BTreeMap<_, _> = rows(&page)
        .into_iter()
        .filter(|row| row.len() == 4)
        .map(|row| (row[0].clone(), (row[1].clone(), row[2].clone())))
        .collect();
    let real = Limit::ALL.map(|limit| {
        let (least, most) = limit.range().into_inner();
        (format!("`{}`", limit.key()), (limit.usual().to_string(), format!("{least}–{most}")))
    });
    assert_eq!(told, BTreeMap::from(real));
}

#[test]
fn every_other_limit_is_told_with_its_value() {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&page()).iter().filter(|row| row.len() == 3 && row[2].contains("`: `")) {
        let (file, constant) = row[2].trim_matches('`').split_once("`: `").unwrap();
        assert!(told.entry(file.to_owned()).or_default().insert(constant.to_owned()), "{constant} twice");
    }
    assert!(told.values().map(BTreeSet::len).sum::<usize>() > 40);
    for (file, told) in told {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugin").join(&file);
        let text = fs::read_to_string(&path).unwrap();
        let shipped = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
        // A file of which one limit is told has all of them told.
        let real: BTreeSet<_> = shipped.lines().filter_map(constant).collect();
        assert_eq!(told, real, "docs/limits.md and {file}");
    }
}

/// `NAME = VALUE` of a number or a span of time that is declared at the top of a file.
fn constant(line: &str) -> Option<String> {
    let rest = ["const ", "pub const ", "pub(super) const ", "pub(in crate::plugin) const "]
        .iter()
        .find_map(|declared| line.strip_prefix(declared))?;
    let (name, rest) = rest.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    let number = ["usize", "u64", "u32", "Duration"].contains(&kind);
    number.then(|| format!("{name} = {}", value.trim_end_matches(';')))
}
