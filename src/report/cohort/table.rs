//! A cohort on a terminal.

use super::super::View;
use super::super::bar::bar;
use super::super::grid::{self, Column as Cells, grid};
use super::super::paint::{Ink, symbol};
use super::super::phrase::percent;
use super::super::word::{self, Word};
use super::super::wrap::{width, wrap};
use super::phrase::{self, COUNTED, Column};
use super::{CohortReport, ItemLine, LearnerLine, SeenLine};
use crate::model::{Language, Status};

/// Where nobody knows the width: what fits a CI log and a mail.
const USUAL_WIDTH: u16 = 100;
/// Below this, no layout helps.
const LEAST_WIDTH: u16 = 24;
/// Columns of a name at least and at most; a longer one is broken.
const NAME: (usize, usize) = (8, 28);
/// Columns of a bar.
const BAR: usize = 8;
const GAP: usize = 2;

/// The cohort as text whose lines are at most as wide as the view, 24 columns at least.
pub(super) fn table(report: &CohortReport, view: View) -> String {
    let View { language, color, width, items, why: _ } = view;
    let width = usize::from(width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH));
    let waived = phrase::has_waived(report);
    let mut page = Page { report, language, color, width, waived, text: String::new() };
    page.subject();
    page.learners();
    if items {
        page.line("");
        page.items();
    }
    page.line("");
    page.below("", &phrase::totals(report, language), Ink::Plain);
    page.text
}

struct Page<'a> {
    report: &'a CohortReport,
    language: Language,
    color: bool,
    width: usize,
    /// Whether anything is waived: then it has a column.
    waived: bool,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn below(&mut self, indent: &str, text: &str, ink: Ink) {
        for line in wrap(text, self.width.saturating_sub(indent.len()).max(2)) {
            self.line(&format!("{indent}{}", ink.paint(&line, self.color)));
        }
    }

    fn subject(&mut self) {
        let mut parts = vec![format!("mustdo {}", self.report.version)];
        parts.extend(self.report.title.clone());
        parts.extend(phrase::subject(self.report, self.language));
        self.below("", &parts.join(" · "), Ink::Faint);
        self.line("");
    }

    fn learners(&mut self) {
        let heads = self.heads();
        let counts = heads[2..heads.len() - 1].iter().map(|head| lines_width(head).max(4));
        let mut columns = vec![Cells { width: NAME.0, right: false }, Cells { width: BAR + 5, right: false }];
        columns.extend(counts.map(|width| Cells { width, right: true }));
        columns.push(Cells { width: 11, right: false });
        let names = self.report.learners.iter().map(|learner| width(&learner.name));
        let wanted = names.chain([width(&heads[0])]).max().unwrap_or_default().clamp(NAME.0, NAME.1);
        let spare = self.width.saturating_sub(grid::width(&columns, GAP));
        let name = wanted.min(NAME.0 + spare);
        columns[0].width = name;
        let narrow = grid::width(&columns, GAP) > self.width;
        if !narrow {
            let heads = heads.iter().map(|head| painted(head, Ink::Faint, self.color)).collect();
            for line in grid(&columns, GAP, &[heads]) {
                self.line(&line);
            }
        }
        for learner in &self.report.learners {
            match &learner.seen {
                Ok(seen) if narrow => self.entry(learner, seen),
                Ok(seen) => {
                    for line in grid(&columns, GAP, &[self.row(learner, seen, name)]) {
                        self.line(&line);
                    }
                }
                Err(reason) => {
                    self.below("", &learner.name, Ink::Plain);
                    let text = format!("? {}", phrase::unreadable(reason, self.language));
                    self.below("  ", &text, Ink::Unsure);
                }
            }
            let Ok(seen) = &learner.seen else { continue };
            if let Some(text) = phrase::unproven(seen, self.language) {
                self.below("  ", &format!("! {text}"), Ink::Unsure);
            }
            for mark in &seen.marks {
                self.below("  ", &format!("≠ {}", phrase::mark(mark, self.language)), Ink::Old);
            }
        }
    }

    fn heads(&self) -> Vec<String> {
        let language = self.language;
        let mut heads =
            vec![Column::Learner.get(language).to_owned(), phrase::readiness(language).to_owned()];
        heads.extend(COUNTED.map(|status| word::status(status, language).to_owned()));
        heads.push(Word::Inconclusive.narrow(language).to_owned());
        heads.extend(self.waived.then(|| word::status(Status::Waived, language).to_owned()));
        heads.push(Column::Activity.get(language).to_owned());
        heads
    }

    fn row(&self, learner: &LearnerLine, seen: &SeenLine, name: usize) -> Vec<String> {
        let tally = &seen.tally;
        let share = percent(tally.readiness());
        let mut cells =
            vec![wrap(&learner.name, name).join("\n"), format!("{} {share:>4}", bar(tally, BAR, self.color))];
        cells.extend(COUNTED.map(|status| self.count(phrase::counted(seen, status), Ink::of(status))));
        cells.push(self.count(tally.inconclusive, Ink::Unsure));
        cells.extend(self.waived.then(|| self.count(tally.waived, Ink::Plain)));
        cells.push(phrase::activity(seen));
        cells
    }

    /// The same in lines, where columns would not fit.
    fn entry(&mut self, learner: &LearnerLine, seen: &SeenLine) {
        self.below("", &learner.name, Ink::Strong);
        let tally = &seen.tally;
        self.line(&format!("  {} {}", bar(tally, BAR, self.color), percent(tally.readiness())));
        let mut parts: Vec<_> = COUNTED
            .map(|status| {
                format!("{} {}", word::status(status, self.language), phrase::counted(seen, status))
            })
            .into();
        parts.push(format!("{} {}", Word::Inconclusive.get(self.language), tally.inconclusive));
        if tally.waived > 0 {
            parts.push(format!("{} {}", word::status(Status::Waived, self.language), tally.waived));
        }
        parts.push(format!("{} {}", Column::Activity.get(self.language), phrase::activity(seen)));
        self.below("  ", &parts.join(" · "), Ink::Plain);
    }

    fn count(&self, count: u32, ink: Ink) -> String {
        match count {
            0 => Ink::Faint.paint("·", self.color),
            count => ink.paint(&count.to_string(), self.color),
        }
    }

    /// Each item, and how many stand where with it.
    fn items(&mut self) {
        for item in &self.report.items {
            let shares = self.shares(item);
            let title = item.title.get(self.language);
            self.line(&format!("{}  {shares}", Ink::Strong.paint(item.id.as_str(), self.color)));
            self.below("  ", title, Ink::Plain);
        }
    }

    /// `✔3 ✎1 ?1 /5`.
    fn shares(&self, item: &ItemLine) -> String {
        let mut shown: Vec<_> = Status::ALL
            .into_iter()
            .filter(|&status| status != Status::Open && item.count(status) > 0)
            .map(|status| {
                Ink::of(status).paint(&format!("{}{}", symbol(status), item.count(status)), self.color)
            })
            .collect();
        let unsure = item.inconclusive();
        shown.extend((unsure > 0).then(|| Ink::Unsure.paint(&format!("?{unsure}"), self.color)));
        let weak = item.unproven();
        shown.extend((weak > 0).then(|| Ink::Unsure.paint(&format!("!{weak}"), self.color)));
        shown.push(Ink::Faint.paint(&format!("/{}", item.known()), self.color));
        shown.join(" ")
    }
}

/// The widest of the lines of a cell.
fn lines_width(cell: &str) -> usize {
    cell.split('\n').map(width).max().unwrap_or_default()
}

fn painted(cell: &str, ink: Ink, color: bool) -> String {
    cell.split('\n').map(|line| ink.paint(line, color)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn table_fits_and_reads_in_both_languages() {
        for language in Language::ALL {
            for width in [100, 50] {
                let view = View { language, color: false, width: Some(width), items: true, why: false };
                let text = table(&sample::cohort(), view);
                assert!(text.lines().all(|line| super::width(line) <= usize::from(width)), "{text}");
                insta::assert_snapshot!(format!("cohort-{language}-{width}"), text);
            }
        }
    }

    #[test]
    fn colour_adds_nothing() {
        let view = View { language: Language::En, color: true, width: Some(100), items: true, why: false };
        let painted = table(&sample::cohort(), view);
        let bare = table(&sample::cohort(), View { color: false, ..view });
        assert_ne!(painted, bare);
        assert_eq!(super::super::super::paint::bare(&painted), bare);
    }
}
