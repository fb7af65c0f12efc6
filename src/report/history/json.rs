//! The history as JSON, for programs. Its shape has a number and a schema: `schema/history.json`.

use serde::Serialize;

use super::super::json::{StalenessView, TallyView, TextView};
use super::History;
use crate::model::{Change, ItemId, Point, Status, Text};

/// The number of the shape: keys may be added under it; removing or changing one is the next.
const FORMAT: u32 = 1;

/// The history.
pub(super) fn json(history: &History) -> String {
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(&HistoryView::new(history)).expect("a history is plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct HistoryView<'a> {
    format: u32,
    tool: String,
    generated: String,
    workspace: &'a str,
    narrowed: bool,
    versions: Vec<VersionView<'a>>,
    items: Vec<ItemView<'a>>,
}

impl<'a> HistoryView<'a> {
    fn new(history: &'a History) -> Self {
        let History { version, generated, workspace, narrowed, points, titles } = history;
        Self {
            format: FORMAT,
            tool: format!("mustdo {version}"),
            generated: generated.to_string(),
            workspace,
            narrowed: *narrowed,
            versions: points.iter().map(VersionView::new).collect(),
            items: titles.iter().map(ItemView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct VersionView<'a> {
    revision: Option<&'a str>,
    at: String,
    summary: &'a str,
    readable: bool,
    trouble: Option<&'a str>,
    total: Option<TallyView>,
    changes: Vec<ChangeView<'a>>,
}

impl<'a> VersionView<'a> {
    fn new(point: &'a Point) -> Self {
        let Point { revision, at, summary, tally, changes } = point;
        Self {
            revision: revision.as_deref(),
            at: at.to_string(),
            summary,
            readable: tally.is_ok(),
            trouble: tally.as_ref().err().map(String::as_str),
            total: tally.as_ref().ok().map(TallyView::new),
            changes: changes.iter().map(ChangeView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ChangeView<'a> {
    item: &'a str,
    from: Option<&'static str>,
    to: Option<&'static str>,
    at: String,
    staleness: Vec<StalenessView>,
}

impl<'a> ChangeView<'a> {
    fn new(change: &'a Change) -> Self {
        let Change { item, from, to, at, staleness } = change;
        Self {
            item: item.as_str(),
            from: from.map(Status::word),
            to: to.map(Status::word),
            at: at.to_string(),
            staleness: staleness.iter().map(|(check, why)| StalenessView::new(check, why)).collect(),
        }
    }
}

#[derive(Serialize)]
struct ItemView<'a> {
    id: &'a str,
    title: TextView<'a>,
}

impl<'a> ItemView<'a> {
    fn new((id, title): (&'a ItemId, &'a Text)) -> Self {
        Self { id: id.as_str(), title: TextView::new(title) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HISTORY_SCHEMA, sample};
    use super::*;

    #[test]
    fn history_is_what_its_schema_says() {
        let schema = serde_json::from_str(HISTORY_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let history = serde_json::from_str(&json(&sample::history())).unwrap();
        let errors: Vec<_> = validator.iter_errors(&history).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        insta::assert_snapshot!("history-json", json(&sample::history()));
    }
}
