//! Where things stand in the learner's repository, for the formats that point at a line of a file.

use std::collections::BTreeMap;

use super::tree::{Report, Row};
use crate::model::{Finding, ItemId, Location, TargetName};

/// Files of the learner's repository that a report can point into. Every path is relative to the repository's root, "/"
/// between parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// The settings file: what stands nowhere else is shown there. Empty where there is no workspace.
    pub settings: String,
    /// Where items are written: file, and line counted from 1. Only those of the workspace's own checklists.
    pub items: BTreeMap<ItemId, (String, u32)>,
    /// Directory targets inside the repository; empty for its root.
    pub folders: BTreeMap<TargetName, String>,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to the repository's root, "/" between parts.
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: u32,
    /// Counted from 1, in characters.
    pub(super) column: Option<u32>,
    /// Not before `line`.
    pub(super) end_line: Option<u32>,
    /// One past the last character; only beside an `end_line`.
    pub(super) end_column: Option<u32>,
}

impl Place {
    fn line(path: &str, line: u32) -> Self {
        Self { path: path.to_owned(), line: line.max(1), column: None, end_line: None, end_column: None }
    }

    /// Where a finding was seen, if that is a file of the repository.
    pub(super) fn of_finding(report: &Report, finding: &Finding) -> Option<Self> {
        let Some(Location::Source { target, path, line, column, end_line, end_column }) = &finding.at else {
            return None;
        };
        let path = join(report.files.folders.get(target)?, path)?;
        let from = line.unwrap_or(1).max(1);
        let column = column.filter(|&column| column > 0 && line.is_some());
        let end_line = end_line.filter(|&end| end >= from && line.is_some());
        // A region that ends before it begins is refused by whoever reads it.
        let after = |end: &u32| end_line.is_some_and(|to| to > from) || *end > column.unwrap_or(1);
        let end_column = end_column.filter(|_| column.is_some() && end_line.is_some()).filter(after);
        Some(Self { path, line: from, column, end_line, end_column })
    }

    /// Where an item is written, else the settings; none where there is neither.
    pub(super) fn of_item(report: &Report, row: &Row) -> Option<Self> {
        let settings = &report.files.settings;
        match report.files.items.get(&row.id) {
            Some((path, line)) => Some(Self::line(path, *line)),
            None => (!settings.is_empty()).then(|| Self::line(settings, 1)),
        }
    }
}

/// `path` below `folder`, without ".": none where it leads out, as a plugin's word may.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts = vec![];
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!path.starts_with('/') && !parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_below_a_folder_stays_in_the_repository() {
        assert_eq!(join("", "app.py").unwrap(), "app.py");
        assert_eq!(join("shop/.", "./src//app.py").unwrap(), "shop/src/app.py");
        assert_eq!(join("shop", "../lib/a.py").unwrap(), "lib/a.py");
        for out in ["../../etc/passwd", "/etc/passwd", "..", "."] {
            assert_eq!(join("shop", out).filter(|path| path != "shop"), None, "{out}");
        }
    }
}
