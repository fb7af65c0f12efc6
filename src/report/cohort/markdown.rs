//! A cohort as GitHub-flavoured Markdown.

use super::super::View;
use super::super::bar::bar;
use super::super::markdown::{escape, row};
use super::super::paint::symbol;
use super::super::phrase::percent;
use super::super::word::{self, Word};
use super::phrase::{self, COUNTED, Column};
use super::{CohortReport, LearnerLine};
use crate::model::{Language, Status};

/// The cohort; `view` says its language and whether every item is listed.
pub(super) fn markdown(report: &CohortReport, view: View) -> String {
    let CohortReport { version, generated: _, title, checklists: _, learners, items: _ } = report;
    let View { language, color: _, width: _, items, why: _ } = view;
    let mut text = format!("## {}\n\n", escape(title.as_deref().unwrap_or("mustdo")));
    let subject = phrase::subject(report, language).join(" · ");
    text.push_str(&format!("{}\n\n", escape(&format!("mustdo {version} · {subject}"))));
    let waived = phrase::has_waived(report);
    let mut heading = vec![Column::Learner.get(language).to_owned(), phrase::readiness(language).to_owned()];
    heading.extend(COUNTED.map(|status| word::status(status, language).to_owned()));
    heading.push(Word::Inconclusive.get(language).to_owned());
    heading.extend(waived.then(|| word::status(Status::Waived, language).to_owned()));
    heading.push(Column::Activity.get(language).to_owned());
    row(&mut text, &heading);
    let last = heading.len() - 1;
    let rule = |column| if column < 2 || column == last { ":--" } else { "--:" }.to_owned();
    row(&mut text, &(0..heading.len()).map(rule).collect::<Vec<_>>());
    for learner in learners {
        row(&mut text, &cells(learner, waived, heading.len(), language));
    }
    text.push('\n');
    if items {
        item_table(&mut text, report, language);
    }
    text.push_str(&escape(&phrase::totals(report, language)));
    text.push('\n');
    text
}

fn cells(learner: &LearnerLine, waived: bool, width: usize, language: Language) -> Vec<String> {
    let mut name = format!("**{}**", escape(&learner.name));
    let seen = match &learner.seen {
        Ok(seen) => seen,
        Err(reason) => {
            let mut cells = vec![name, format!("? {}", escape(&phrase::unreadable(reason, language)))];
            cells.resize(width, String::new());
            return cells;
        }
    };
    if let Some(text) = phrase::unproven(seen, language) {
        name.push_str(&format!("<br>! {}", escape(&text)));
    }
    for mark in &seen.marks {
        name.push_str(&format!("<br>≠ {}", escape(&phrase::mark(mark, language))));
    }
    let tally = &seen.tally;
    let mut cells = vec![name, format!("{} {}", bar(tally, 10, false), percent(tally.readiness()))];
    cells.extend(COUNTED.map(|status| phrase::counted(seen, status).to_string()));
    cells.push(tally.inconclusive.to_string());
    cells.extend(waived.then(|| tally.waived.to_string()));
    cells.push(phrase::activity(seen));
    cells
}

fn item_table(text: &mut String, report: &CohortReport, language: Language) {
    let mut heading = vec![Word::Item.get(language).to_owned(), String::new()];
    heading.extend(COUNTED.map(|status| format!("{} {}", symbol(status), word::status(status, language))));
    heading.push(Word::Inconclusive.get(language).to_owned());
    row(text, &heading);
    let rule = |column| if column < 2 { ":--" } else { "--:" }.to_owned();
    row(text, &(0..heading.len()).map(rule).collect::<Vec<_>>());
    for item in &report.items {
        let mut cells = vec![format!("`{}`", item.id), escape(item.title.get(language))];
        cells.extend(COUNTED.map(|status| item.count(status).to_string()));
        cells.push(item.inconclusive().to_string());
        row(text, &cells);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_row_of_a_table_has_the_cells_of_its_heading() {
        for language in Language::ALL {
            let view = View { language, color: false, width: None, items: true, why: false };
            let text = markdown(&sample::cohort(), view);
            for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
                let bars: Vec<_> =
                    table.lines().map(|line| line.replace("\\|", "").matches('|').count()).collect();
                assert!(bars.iter().all(|count| *count == bars[0]), "{table}");
            }
            insta::assert_snapshot!(format!("cohort-markdown-{language}"), text);
        }
    }
}
