//! A cohort for a spreadsheet: RFC 4180, a line for each learner, and a column for each item where they are wanted.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula, and a formula can send
//! what stands in other cells elsewhere. Such a value gets an apostrophe in front of it (OWASP, "CSV Injection").

use super::{CohortReport, LearnerLine, SeenLine, phrase};
use crate::model::{Language, Tally};

const HEADING: [&str; 19] = [
    "learner",
    "place",
    "readable",
    "reason",
    "readiness",
    "items",
    "proven",
    "proven_by_unproven_plugin",
    "claimed",
    "failing",
    "stale",
    "open",
    "waived",
    "inconclusive",
    "weight",
    "proven_weight",
    "last_record",
    "commit",
    "differs",
];

/// The cohort; what is no number and no id is English.
pub(super) fn csv(report: &CohortReport, items: bool) -> String {
    let CohortReport { version: _, generated: _, title: _, checklists: _, learners, items: lines } = report;
    let lines = if items { &lines[..] } else { &[] };
    let mut text = String::new();
    let heading = HEADING.iter().map(|name| (*name).to_owned());
    record(&mut text, heading.chain(lines.iter().map(|line| line.id.to_string())));
    for (column, LearnerLine { name, place, seen }) in learners.iter().enumerate() {
        let mut cells = vec![name.clone(), place.clone()];
        match seen {
            Ok(seen) => cells.extend(figures(seen)),
            Err(reason) => {
                cells.extend(["no".to_owned(), reason.clone()]);
                cells.resize(HEADING.len(), String::new());
            }
        }
        let stand =
            |line: &super::ItemLine| line.stands[column].map_or("", |stand| stand.status.word()).to_owned();
        record(&mut text, cells.into_iter().chain(lines.iter().map(stand)));
    }
    text
}

/// Everything behind name and place.
fn figures(seen: &SeenLine) -> Vec<String> {
    let SeenLine { revision, activity, tally, unproven, marks } = seen;
    let Tally {
        items,
        proven,
        claimed,
        failing,
        stale,
        open,
        waived,
        inconclusive,
        weight,
        proven_weight,
        ..
    } = *tally;
    let mut cells = vec!["yes".to_owned(), String::new()];
    cells.push(tally.readiness().map(|percent| percent.to_string()).unwrap_or_default());
    cells.extend([items, proven].map(|count| count.to_string()));
    cells.push(unproven.to_string());
    let counts = [claimed, failing, stale, open, waived, inconclusive, weight, proven_weight];
    cells.extend(counts.map(|count| count.to_string()));
    cells.push(activity.map(|at| at.to_string()).unwrap_or_default());
    cells.push(revision.clone().unwrap_or_default());
    let marks: Vec<_> = marks.iter().map(|mark| phrase::mark(mark, Language::En)).collect();
    cells.push(marks.join("; "));
    cells
}

fn record(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<_> = cells.map(|cell| quoted(&harmless(cell))).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// What no spreadsheet takes for a formula.
fn harmless(cell: String) -> String {
    if cell.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
        || cell.starts_with(['\t', '\r', '\n'])
    {
        format!("'{cell}")
    } else {
        cell
    }
}

/// In quotes where it has to be (RFC 4180, section 2, 6 and 7).
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n', ';', '\t']) || cell != cell.trim() {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_line_has_as_many_cells_as_the_heading() {
        insta::assert_snapshot!("cohort-csv", csv(&sample::cohort(), true).replace("\r\n", "\n"));
        assert_eq!(csv(&sample::cohort(), false).lines().next().unwrap().split(',').count(), HEADING.len());
    }

    #[test]
    fn formula_is_only_a_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1"] {
            let cell = harmless(formula.to_owned());
            assert_eq!(cell, format!("'{formula}"));
        }
        assert_eq!(harmless("Ada = Bo".to_owned()), "Ada = Bo");
        assert_eq!(quoted("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(quoted("Ada"), "Ada");
    }
}
