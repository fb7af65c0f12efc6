//! The history on a terminal.

use std::collections::BTreeMap;

use super::super::bar::bar;
use super::super::grid::{Column, grid};
use super::super::paint::{Ink, symbol};
use super::super::phrase;
use super::super::word::{self, Word};
use super::super::wrap::{width, wrap};
use super::spark::spark;
use super::{History, View};
use crate::model::{Change, ItemId, Language, Point, Status, Tally};

/// Where nobody knows the width: what fits a CI log and a mail.
const USUAL_WIDTH: u16 = 100;
/// Below this, no layout helps.
const LEAST_WIDTH: u16 = 24;
/// Columns of the curve at most.
const CURVE: usize = 60;
/// Columns of a bar.
const BAR: usize = 8;
/// From how many columns on the counts have columns of their own.
const COUNTS: usize = 80;
/// Digits of a commit's id: what git itself shows.
const SHORT: usize = 9;

/// The history as text whose lines are at most as wide as the view, 24 columns at least.
pub(super) fn table(history: &History, view: View, last: usize) -> String {
    let View { language, color, width, items, why: _ } = view;
    let width = usize::from(width.unwrap_or(USUAL_WIDTH).max(LEAST_WIDTH));
    let mut page = Page { history, language, color, width, text: String::new() };
    page.subject();
    if history.points.is_empty() {
        page.paragraph(nothing(language), Ink::Plain);
        return page.text;
    }
    page.curve();
    page.versions(last);
    if items {
        page.items();
    }
    page.text
}

struct Page<'a> {
    history: &'a History,
    language: Language,
    color: bool,
    width: usize,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str, ink: Ink) {
        self.below("", text, ink);
    }

    fn below(&mut self, indent: &str, text: &str, ink: Ink) {
        for line in wrap(text, self.width.saturating_sub(indent.len()).max(2)) {
            self.line(&format!("{indent}{}", ink.paint(&line, self.color)));
        }
    }

    fn subject(&mut self) {
        let History { version, generated, workspace, narrowed, points, titles: _ } = self.history;
        let mut parts = vec![format!("mustdo {version}")];
        parts.extend((!workspace.is_empty()).then(|| workspace.clone()));
        parts.extend(narrowed.then(|| Word::Selection.get(self.language).to_owned()));
        parts.push(versions(points.len(), self.language));
        parts.push(phrase::moment(*generated));
        self.paragraph(&parts.join(" · "), Ink::Faint);
        self.line("");
    }

    fn curve(&mut self) {
        let readiness = |point: &Point| point.tally.as_ref().ok().and_then(Tally::readiness);
        let values: Vec<_> = self.history.points.iter().map(readiness).collect();
        let label = Word::Readiness.get(self.language);
        let known = || values.iter().flatten();
        let ends = match (known().next(), known().next_back()) {
            (Some(first), Some(last)) => format!("  {first}% → {last}%"),
            _ => String::new(),
        };
        let room = self.width.saturating_sub(width(label) + width(&ends) + 2).clamp(1, CURVE);
        let curve = Ink::Good.paint(&spark(&values, room), self.color);
        self.line(&format!("{label}  {curve}{ends}"));
        self.line("");
    }

    /// Versions in which something stands elsewhere than before, and those that can not be read.
    fn versions(&mut self, last: usize) {
        let points = &self.history.points;
        let telling = |(index, point): &(usize, &Point)| {
            *index == 0 || *index + 1 == points.len() || !point.changes.is_empty() || point.tally.is_err()
        };
        let telling: Vec<_> = points.iter().enumerate().filter(telling).map(|(_, point)| point).collect();
        let left_out = telling.len().saturating_sub(last);
        let counts = self.width >= COUNTS;
        let columns = columns(counts);
        let heading = heading(counts, self.language);
        let heading = heading.iter().map(|word| Ink::Faint.paint(word, self.color)).collect();
        for line in grid(&columns, 2, &[heading]) {
            self.line(&line);
        }
        if left_out > 0 {
            self.paragraph(&earlier(left_out, self.language), Ink::Faint);
        }
        for point in &telling[left_out..] {
            match &point.tally {
                Ok(tally) => {
                    for line in grid(&columns, 2, &[self.row(point, tally, counts)]) {
                        self.line(&line);
                    }
                }
                Err(trouble) => {
                    let head = format!("{}  {}", phrase::moment(point.at), revision(point, self.language));
                    self.line(&Ink::Unsure.paint(&head, self.color));
                    self.below("  ", &unreadable(trouble, self.language), Ink::Unsure);
                }
            }
        }
    }

    fn row(&self, point: &Point, tally: &Tally, counts: bool) -> Vec<String> {
        let percent = phrase::percent(tally.readiness());
        let mut row = vec![
            point.at.strftime("%Y-%m-%d %H:%M").to_string(),
            revision(point, self.language),
            format!("{} {percent:>4}", bar(tally, BAR, self.color)),
        ];
        if counts {
            let count = |(status, count): (Status, u32)| match count {
                0 => Ink::Faint.paint("·", self.color),
                count => Ink::of(status).paint(&count.to_string(), self.color),
            };
            row.extend(COUNTED.map(|status| (status, counted(tally, status))).map(count));
        }
        row.push(self.moves(&point.changes));
        row
    }

    /// How many items went where: `✔3 ✘1`, and `−2` for two that are gone.
    fn moves(&self, changes: &[Change]) -> String {
        let went = |to: Option<Status>| changes.iter().filter(|change| change.to == to).count();
        let mut shown = vec![];
        for status in Status::ALL {
            let count = went(Some(status));
            let text = format!("{}{count}", symbol(status));
            shown.extend((count > 0).then(|| Ink::of(status).paint(&text, self.color)));
        }
        let gone = went(None);
        shown.extend((gone > 0).then(|| Ink::Faint.paint(&format!("−{gone}"), self.color)));
        shown.join(" ")
    }

    /// Each item's own story: when it was proven, failed or went stale.
    fn items(&mut self) {
        let mut stories: BTreeMap<&ItemId, Vec<(&Point, &Change)>> = BTreeMap::new();
        for point in &self.history.points {
            for change in &point.changes {
                stories.entry(&change.item).or_default().push((point, change));
            }
        }
        for (id, story) in stories {
            self.line("");
            let title = self.history.titles.get(id).map(|title| title.get(self.language));
            let name = Ink::Strong.paint(id.as_str(), self.color);
            let beside = width(id.as_str()) + 2 + title.map_or(0, width) <= self.width;
            match title {
                Some(title) if beside => self.line(&format!("{name}  {title}")),
                Some(title) => {
                    self.line(&name);
                    self.below("  ", title, Ink::Plain);
                }
                None => self.line(&name),
            }
            for (point, change) in story {
                self.event(point, change);
            }
        }
    }

    fn event(&mut self, point: &Point, change: &Change) {
        let when = phrase::moment(change.at);
        let (sign, status) = match change.to {
            Some(to) => {
                let text = format!("{} {}", symbol(to), word::status(to, self.language));
                (Ink::of(to), text)
            }
            None => (Ink::Faint, gone(self.language).to_owned()),
        };
        let status = sign.paint(&status, self.color);
        self.line(&format!(
            "  {when}  {status}  {}",
            Ink::Faint.paint(&revision(point, self.language), self.color)
        ));
        for (check, why) in &change.staleness {
            self.below("      ", &phrase::reason(check, why, self.language), Ink::Plain);
        }
    }
}

/// What the table counts beside readiness.
const COUNTED: [Status; 4] = [Status::Proven, Status::Claimed, Status::Failing, Status::Stale];

fn counted(tally: &Tally, status: Status) -> u32 {
    match status {
        Status::Proven => tally.proven,
        Status::Claimed => tally.claimed,
        Status::Failing => tally.failing,
        Status::Stale => tally.stale,
        Status::Open => tally.open,
        Status::Waived => tally.waived,
    }
}

fn columns(counts: bool) -> Vec<Column> {
    let left = |width| Column { width, right: false };
    let right = |width| Column { width, right: true };
    let mut columns = vec![left(16), left(SHORT), left(BAR + 5)];
    if counts {
        columns.extend([right(7); COUNTED.len()]);
    }
    columns.push(left(12));
    columns
}

fn heading(counts: bool, language: Language) -> Vec<String> {
    let (date, commit, moved) = match language {
        Language::En => ("date (UTC)", "commit", "changed"),
        Language::Zh => ("日期 (UTC)", "提交", "变化"),
    };
    let mut heading = vec![date.to_owned(), commit.to_owned(), Word::Readiness.get(language).to_owned()];
    if counts {
        heading.extend(COUNTED.map(|status| word::status(status, language).to_owned()));
    }
    heading.push(moved.to_owned());
    heading
}

fn revision(point: &Point, language: Language) -> String {
    match (&point.revision, language) {
        (Some(id), _) => id[..id.len().min(SHORT)].to_owned(),
        (None, Language::En) => "now".to_owned(),
        (None, Language::Zh) => "现在".to_owned(),
    }
}

fn versions(count: usize, language: Language) -> String {
    match language {
        Language::En if count == 1 => "1 version".to_owned(),
        Language::En => format!("{count} versions"),
        Language::Zh => format!("{count} 个版本"),
    }
}

fn earlier(count: usize, language: Language) -> String {
    match language {
        Language::En => format!("… and {count} before"),
        Language::Zh => format!("……之前还有 {count} 个"),
    }
}

fn unreadable(trouble: &str, language: Language) -> String {
    match language {
        Language::En => format!("can not be read: {trouble}"),
        Language::Zh => format!("无法读取：{trouble}"),
    }
}

fn gone(language: Language) -> &'static str {
    match language {
        Language::En => "removed",
        Language::Zh => "已移除",
    }
}

fn nothing(language: Language) -> &'static str {
    match language {
        Language::En => "There is no version yet.",
        Language::Zh => "还没有任何版本。",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn history_reads_the_same_in_both_languages_and_fits() {
        for language in Language::ALL {
            for (width, last) in [(100, 20), (60, 2)] {
                let view = View { language, color: false, width: Some(width), items: true, why: false };
                let text = table(&sample::history(), view, last);
                assert!(text.lines().all(|line| super::width(line) <= usize::from(width)), "{text}");
                insta::assert_snapshot!(format!("history-{language}-{width}"), text);
            }
        }
    }

    #[test]
    fn colour_adds_nothing() {
        let view = View { language: Language::En, color: true, width: Some(100), items: true, why: false };
        let painted = table(&sample::history(), view, 20);
        let bare = table(&sample::history(), View { color: false, ..view }, 20);
        assert_ne!(painted, bare);
        assert_eq!(super::super::super::paint::bare(&painted), bare);
    }
}
