//! The report on a terminal.

use super::View;
use super::bar::{bar, legend};
use super::grid::{self, Column, grid};
use super::note::{self, Line, Note};
use super::paint::{Ink, symbol};
use super::phrase;
use super::tree::{Report, Row, Section};
use super::why;
use super::word::{self, Word};
use super::wrap::{width, wrap};
use crate::model::{Language, Level, Status, Tally};

/// Where nobody knows the width: what fits a CI log and a mail.
const USUAL_WIDTH: u16 = 100;
/// Below this, no layout helps.
const LEAST_WIDTH: u16 = 24;
/// From here on an item's title stands beside its id instead of below.
const SIDE_BY_SIDE: usize = 110;

/// How many headings an item's path names, the nearest ones.
const PATH: usize = 4;

/// The report as text whose lines are at most as wide as the view, 24 columns at least. Lines to paste are as long as they
/// are: broken, they would not mean the same.
pub(super) fn table(report: &Report, view: View) -> String {
    let Report {
        version,
        generated: _,
        workspace: _,
        revision: _,
        narrowed: _,
        sections,
        total,
        policy: _,
        judgement: _,
        soft: _,
        files: _,
        past: _,
    } = report;
    let View { language, color, width, items, why } = view;
    let width = usize::from(width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH));
    let mut page = Page { report, language, color, width, why, text: String::new() };
    page.subject(version);
    if sections.is_empty() {
        page.paragraph("", phrase::nothing(language), Ink::Plain);
        return page.text;
    }
    page.summary(sections, total);
    if items || why {
        page.items(sections);
    }
    for note in note::notes(report, language) {
        page.note(&note);
    }
    page.note(&note::policy(report, language));
    page.blank();
    page.paragraph("", &phrase::totals(total, language), Ink::Plain);
    page.text
}

/// What is written so far, and how.
struct Page<'a> {
    report: &'a Report,
    language: Language,
    color: bool,
    width: usize,
    why: bool,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Writes `text` in lines that begin with `indent`.
    fn paragraph(&mut self, indent: &str, text: &str, ink: Ink) {
        for line in wrap(text, self.width.saturating_sub(indent.len()).max(2)) {
            self.line(&format!("{indent}{}", ink.paint(&line, self.color)));
        }
    }

    fn rule(&mut self, width: usize) {
        self.line(&Ink::Faint.paint(&"─".repeat(width), self.color));
    }

    fn subject(&mut self, version: &str) {
        let parts = phrase::subject(self.report, self.language).join(" · ");
        self.paragraph("", &format!("mustdo {version} · {parts}"), Ink::Faint);
        self.blank();
    }

    fn summary(&mut self, sections: &[Section], total: &Tally) {
        match Summary::fitting(sections, total, self.language, self.width) {
            Some(summary) => self.summary_table(&summary, sections, total),
            None => self.summary_list(sections, total),
        }
        // Where nothing is claimed, the bar explains itself.
        if total.claimed_weight > 0 {
            let [proven, claimed] =
                [Status::Proven, Status::Claimed].map(|status| word::status(status, self.language));
            self.paragraph("", &legend(proven, claimed), Ink::Faint);
        }
    }

    fn summary_table(&mut self, summary: &Summary, sections: &[Section], total: &Tally) {
        let columns = summary.columns();
        let whole = grid::width(&columns, summary.gap);
        let mut rows = vec![];
        for section in sections {
            rows.push(self.summary_row(
                summary,
                section.title.get(self.language),
                0,
                Ink::Strong,
                &section.tally,
            ));
            for (depth, heading) in section.telling() {
                let title = heading.title.get(self.language);
                rows.push(self.summary_row(summary, title, depth + 1, Ink::Plain, &heading.tally));
            }
        }
        for line in grid(&columns, summary.gap, &[summary.header(self.language, self.color)]) {
            self.line(&line);
        }
        self.rule(whole);
        for line in grid(&columns, summary.gap, &rows) {
            self.line(&line);
        }
        if sections.len() > 1 {
            self.rule(whole);
            let title = Word::Total.get(self.language);
            let row = self.summary_row(summary, title, 0, Ink::Strong, total);
            for line in grid(&columns, summary.gap, &[row]) {
                self.line(&line);
            }
        }
    }

    fn summary_row(
        &self,
        summary: &Summary,
        title: &str,
        depth: usize,
        ink: Ink,
        tally: &Tally,
    ) -> Vec<String> {
        let indent = "  ".repeat(depth);
        let room = summary.title.saturating_sub(indent.len()).max(2);
        let title =
            wrap(title, room).into_iter().map(|line| format!("{indent}{}", ink.paint(&line, self.color)));
        let percent = phrase::percent(tally.readiness());
        let mut row = vec![title.collect::<Vec<_>>().join("\n")];
        row.push(format!("{} {percent:>4}", bar(tally, summary.bar, self.color)));
        row.extend(summary.counts.iter().map(|count| match (count.of)(tally) {
            0 => Ink::Faint.paint("·", self.color),
            number => count.ink.paint(&number.to_string(), self.color),
        }));
        row
    }

    /// The same in lines, where columns would not fit.
    fn summary_list(&mut self, sections: &[Section], total: &Tally) {
        for section in sections {
            self.summary_entry(section.title.get(self.language), 0, &section.tally);
            for (depth, heading) in section.telling() {
                self.summary_entry(heading.title.get(self.language), depth + 1, &heading.tally);
            }
        }
        if sections.len() > 1 {
            self.summary_entry(Word::Total.get(self.language), 0, total);
        }
    }

    fn summary_entry(&mut self, title: &str, depth: usize, tally: &Tally) {
        let indent = "  ".repeat(depth);
        self.paragraph(&indent, title, if depth == 0 { Ink::Strong } else { Ink::Plain });
        let percent = phrase::percent(tally.readiness());
        self.line(&format!("{indent}  {} {percent}", bar(tally, 8, self.color)));
        self.paragraph(&format!("{indent}  "), &phrase::counts(tally, self.language), Ink::Faint);
    }

    fn items(&mut self, sections: &[Section]) {
        let layout = Items::fitting(self.report, self.language, self.width);
        self.blank();
        if let Some(layout) = &layout {
            let columns = layout.columns();
            for line in grid(&columns, Items::GAP, &[layout.header(self.language, self.color)]) {
                self.line(&line);
            }
            self.rule(grid::width(&columns, Items::GAP));
        }
        for (index, section) in sections.iter().enumerate() {
            if index > 0 {
                self.blank();
            }
            self.paragraph("", section.title.get(self.language), Ink::Strong);
            let repeated = section.repeated();
            let mut path: Vec<&str> = vec![];
            for heading in &section.headings {
                path.truncate(heading.depth);
                path.push(heading.title.get(self.language));
                if heading.rows.is_empty() {
                    continue;
                }
                if path.len() > repeated {
                    let above = path.len().saturating_sub(PATH).max(repeated);
                    let start = if above > repeated { "… › " } else { "" };
                    self.paragraph("", &format!("{start}{}", path[above..].join(" › ")), Ink::Faint);
                }
                self.rows(layout.as_ref(), &heading.rows);
            }
        }
    }

    fn rows(&mut self, layout: Option<&Items>, rows: &[Row]) {
        let Some(layout) = layout else {
            for row in rows {
                self.item_entry(row);
            }
            return;
        };
        let rows: Vec<_> = rows.iter().map(|row| self.item(layout, row)).collect();
        for line in grid(&layout.columns(), Items::GAP, &rows) {
            self.line(&line);
        }
    }

    /// An item in lines, where columns would not fit.
    fn item_entry(&mut self, row: &Row) {
        let status = row.standing.status;
        let word = word::status(status, self.language);
        self.paragraph("", &format!("{} {word}  {}", symbol(status), row.id), Ink::of(status));
        self.paragraph("  ", row.title.get(self.language), Ink::Plain);
        for (ink, detail) in self.details(row) {
            self.paragraph("  ", &detail, ink);
        }
        let (level, weight) = (word::level(row.level, self.language), Word::Weight.get(self.language));
        self.paragraph("  ", &format!("{level} · {weight} {}", row.weight.get()), Ink::Faint);
    }

    fn details(&self, row: &Row) -> Vec<(Ink, String)> {
        let mut details = note::details(row, self.report.generated, self.language);
        if self.why {
            details.extend(why::why(row, self.language));
        }
        details
    }

    fn item(&self, layout: &Items, row: &Row) -> Vec<String> {
        let status = row.standing.status;
        let color = self.color;
        let word = format!("{} {}", symbol(status), word::status(status, self.language));
        let lines = |text: &str, room: usize, ink: Ink| {
            wrap(text, room).into_iter().map(|line| ink.paint(&line, color)).collect::<Vec<_>>()
        };
        let mut text = lines(row.title.get(self.language), layout.text, Ink::Plain);
        for (ink, detail) in self.details(row) {
            text.extend(lines(&detail, layout.text, ink));
        }
        let id = lines(row.id.as_str(), layout.id.unwrap_or(layout.text), Ink::Strong);
        let mut cells = vec![Ink::of(status).paint(&word, color)];
        match layout.id {
            Some(_) => cells.extend([id.join("\n"), text.join("\n")]),
            None => cells.push([id, text].concat().join("\n")),
        }
        cells.push(word::level(row.level, self.language).to_owned());
        cells.push(row.weight.get().to_string());
        cells
    }

    fn note(&mut self, note: &Note) {
        let Note { title, entries, advice } = note;
        self.blank();
        self.paragraph("", title, Ink::Strong);
        for entry in entries {
            let head = [&*entry.name, &*entry.title].into_iter().filter(|part| !part.is_empty());
            let head = head.collect::<Vec<_>>().join("  ");
            for (index, line) in wrap(&head, self.width - 4).iter().enumerate() {
                let start =
                    if index == 0 { entry.ink.paint(entry.symbol, self.color) } else { " ".to_owned() };
                let (name, rest) =
                    line.strip_prefix(&*entry.name).map_or(("", &**line), |rest| (&*entry.name, rest));
                self.line(&format!("  {start} {}{rest}", Ink::Strong.paint(name, self.color)));
            }
            for line in &entry.lines {
                match line {
                    Line::Text(text) => self.paragraph("    ", text, Ink::Plain),
                    Line::Advice(text) => self.advice("    ", text),
                    Line::Code(lines) => {
                        for line in lines {
                            self.line(&format!("      {line}"));
                        }
                    }
                }
            }
        }
        if let Some(advice) = advice {
            self.advice("  ", advice);
        }
    }

    fn advice(&mut self, indent: &str, text: &str) {
        for (index, line) in wrap(text, self.width - indent.len() - 2).iter().enumerate() {
            let start = if index == 0 { "→" } else { " " };
            self.line(&format!("{indent}{}", Ink::Advice.paint(&format!("{start} {line}"), self.color)));
        }
    }
}

/// A column of the summary that counts.
struct Count {
    heading: &'static str,
    of: fn(&Tally) -> u32,
    ink: Ink,
}

/// How the summary is laid out.
struct Summary {
    title: usize,
    bar: usize,
    gap: usize,
    counts: Vec<Count>,
    digits: usize,
    language: Language,
}

impl Summary {
    /// The most generous layout that leaves the titles enough room; none where none does.
    fn fitting(sections: &[Section], total: &Tally, language: Language, room: usize) -> Option<Self> {
        let headings = sections.iter().flat_map(Section::telling);
        let longest = headings
            .map(|(depth, heading)| width(heading.title.get(language)) + 2 * (depth + 1))
            .chain(sections.iter().map(|section| width(section.title.get(language))))
            .max()?
            .max(width(Word::Checklist.get(language)));
        // How wide the bar and the gaps are, whether headings stay on one line, and what titles then get at least.
        let layouts =
            [(16, 3, true, 36), (12, 2, true, 32), (12, 2, false, 24), (8, 1, false, 16), (4, 1, false, 12)];
        layouts.into_iter().find_map(|(bar, gap, whole, least)| {
            let counts = Self::counts(total, language, whole);
            let digits = total.items.to_string().len();
            let mut summary = Self { title: 0, bar, gap, counts, digits, language };
            let left = room.checked_sub(grid::width(&summary.columns(), gap))?;
            summary.title = longest.min(left);
            (left >= least.min(longest)).then_some(summary)
        })
    }

    fn counts(total: &Tally, language: Language, whole: bool) -> Vec<Count> {
        let word = |word: Word| if whole { word.get(language) } else { word.narrow(language) };
        let status = |status| word::status(status, language);
        let mut counts = vec![
            Count { heading: word(Word::Items), of: |tally| tally.items, ink: Ink::Plain },
            Count { heading: status(Status::Proven), of: |tally| tally.proven, ink: Ink::Good },
            Count { heading: status(Status::Claimed), of: |tally| tally.claimed, ink: Ink::Claim },
            Count { heading: status(Status::Failing), of: |tally| tally.failing, ink: Ink::Bad },
            Count { heading: status(Status::Stale), of: |tally| tally.stale, ink: Ink::Old },
            Count { heading: word(Word::Inconclusive), of: |tally| tally.inconclusive, ink: Ink::Unsure },
        ];
        if total.unbound > 0 {
            counts.push(Count { heading: word(Word::NotBound), of: |tally| tally.unbound, ink: Ink::Plain });
        }
        counts
    }

    fn columns(&self) -> Vec<Column> {
        let bar = (self.bar + 5).max(width(Word::Readiness.get(self.language)));
        let mut columns =
            vec![Column { width: self.title, right: false }, Column { width: bar, right: false }];
        columns.extend(self.counts.iter().map(|count| {
            let heading = count.heading.lines().map(width).max().unwrap_or_default();
            Column { width: heading.max(self.digits), right: true }
        }));
        columns
    }

    fn header(&self, language: Language, color: bool) -> Vec<String> {
        let words = [Word::Checklist, Word::Readiness].map(|word| word.get(language));
        let words: Vec<_> = words.into_iter().chain(self.counts.iter().map(|count| count.heading)).collect();
        let height = words.iter().map(|word| word.lines().count()).max().unwrap_or_default();
        let heading = |word: &&str| {
            let above = "\n".repeat(height - word.lines().count());
            let lines: Vec<_> = word.lines().map(|line| Ink::Faint.paint(line, color)).collect();
            format!("{above}{}", lines.join("\n"))
        };
        words.iter().map(heading).collect()
    }
}

/// How the list of items is laid out.
struct Items {
    status: usize,
    /// None where the id stands above the title.
    id: Option<usize>,
    text: usize,
    level: usize,
    weight: usize,
}

impl Items {
    const GAP: usize = 2;
    /// With less room for text, its columns are more white than black.
    const LEAST_TEXT: usize = 28;

    /// None where the columns do not leave enough room for text.
    fn fitting(report: &Report, language: Language, room: usize) -> Option<Self> {
        let statuses = Status::ALL.map(|status| width(word::status(status, language)) + 2);
        let levels = Level::ALL.map(|level| width(word::level(level, language)));
        let heading = |word: Word| width(word.get(language));
        let longest = report.rows().map(|row| width(row.id.as_str())).max().unwrap_or_default();
        let mut items = Self {
            status: statuses.into_iter().max().unwrap_or_default().max(heading(Word::Status)),
            id: (room >= SIDE_BY_SIDE).then(|| longest.max(heading(Word::Item)).min(room / 3)),
            text: 0,
            level: levels.into_iter().max().unwrap_or_default().max(heading(Word::Level)),
            weight: heading(Word::Weight),
        };
        items.text = room.checked_sub(grid::width(&items.columns(), Self::GAP))?;
        (items.text >= Self::LEAST_TEXT).then_some(items)
    }

    fn columns(&self) -> Vec<Column> {
        let Self { status, id, text, level, weight } = *self;
        let left = |width| Column { width, right: false };
        let mut columns = vec![left(status)];
        columns.extend(id.map(left));
        columns.extend([left(text), left(level), Column { width: weight, right: true }]);
        columns
    }

    fn header(&self, language: Language, color: bool) -> Vec<String> {
        let mut words = vec![Word::Status.get(language), Word::Item.get(language)];
        words.extend(self.id.map(|_| ""));
        words.extend([Word::Level.get(language), Word::Weight.get(language)]);
        words.into_iter().map(|word| Ink::Faint.paint(word, color)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::model::plain;
    use crate::report::sample;

    #[test]
    fn no_line_is_wider_than_the_view() {
        for report in sample::all() {
            for language in Language::ALL {
                for width in [24, 40, 60, 80, 100, 120, 200] {
                    for items in [false, true] {
                        let view = View { language, width: Some(width), items, why: items, ..sample::VIEW };
                        for line in table(&report, view).lines() {
                            let fits = line.width() <= usize::from(width);
                            assert!(fits || code(&report, language).contains(line.trim()), "{width}: {line}");
                            assert_eq!(line, line.trim_end());
                        }
                    }
                }
            }
        }
    }

    /// The lines to paste.
    fn code(report: &Report, language: Language) -> BTreeSet<String> {
        let entries = note::notes(report, language).into_iter().flat_map(|note| note.entries);
        let lines = entries.flat_map(|entry| entry.lines).filter_map(|line| match line {
            Line::Code(lines) => Some(lines),
            Line::Text(_) | Line::Advice(_) => None,
        });
        lines.flatten().collect()
    }

    #[test]
    fn lines_to_paste_stay_whole_however_narrow_the_terminal() {
        let report = sample::mixed();
        let code = code(&report, Language::En);
        assert!(code.iter().any(|line| line.width() > 24), "{code:?}");
        let narrow = table(&report, View { width: Some(24), ..sample::VIEW });
        for line in code {
            assert!(narrow.lines().any(|shown| shown.trim() == line), "{line} is broken in\n{narrow}");
        }
    }

    #[test]
    fn text_is_the_same_with_and_without_colour() {
        for report in sample::all() {
            for width in [60, 120] {
                let view = View { width: Some(width), items: true, ..sample::VIEW };
                let painted = table(&report, View { color: true, ..view });
                let stripped: Vec<_> = painted.lines().map(|line| plain(line).into_owned()).collect();
                assert_eq!(stripped.join("\n"), table(&report, view).trim_end());
            }
        }
    }

    #[test]
    fn hostile_text_stays_in_its_line() {
        for width in [None, Some(40)] {
            let text = table(&sample::hostile(), View { items: true, width, ..sample::VIEW });
            assert!(text.lines().all(|line| plain(line) == line));
        }
    }

    #[test]
    fn ten_thousand_items_in_a_thousand_nested_groups_are_counted_once_each() {
        let report = sample::deep(10_000);
        assert_eq!(report.total().items, 10_000);
        assert_eq!(report.sections[0].headings[0].tally.items, 10_000);
        assert!(table(&report, View { items: true, ..sample::VIEW }).lines().count() > 10_000);
    }

    #[test]
    fn table_on_terminals_of_every_width() {
        for language in Language::ALL {
            for width in [60, 80, 120] {
                let view = View { language, width: Some(width), ..sample::VIEW };
                insta::assert_snapshot!(format!("table-{language}-{width}"), table(&sample::mixed(), view));
            }
        }
    }

    #[test]
    fn table_with_every_item() {
        for language in Language::ALL {
            for width in [40, 80, 120] {
                let view = View { language, width: Some(width), items: true, ..sample::VIEW };
                insta::assert_snapshot!(
                    format!("table-items-{language}-{width}"),
                    table(&sample::mixed(), view)
                );
            }
        }
    }

    #[test]
    fn table_in_colour() {
        let view = View { color: true, items: true, ..sample::VIEW };
        let text = table(&sample::mixed(), view).replace('\u{1b}', "␛");
        insta::assert_snapshot!("table-colour", text);
    }

    #[test]
    fn table_of_the_ends_of_the_road() {
        let view = |report: &Report, items| table(report, View { items, ..sample::VIEW });
        insta::assert_snapshot!("table-untouched", view(&sample::untouched(), true));
        insta::assert_snapshot!("table-proven", view(&sample::proven(), false));
        insta::assert_snapshot!("table-empty", view(&sample::empty(), true));
        insta::assert_snapshot!("table-hostile", view(&sample::hostile(), true));
    }
}
