//! The difference as JSON, for programs. Its shape has a number and a schema: `schema/difference.json`.

use serde::Serialize;

use super::super::json::{StalenessView, TallyView, TextView};
use super::{ChecklistRow, ContentChange, Difference, DifferenceInput, ItemRow};
use crate::model::{ItemId, Status};

/// The number of the shape: keys may be added under it; removing or changing one is the next.
const FORMAT: u32 = 1;

/// The difference.
pub(super) fn json(difference: &Difference) -> String {
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    let mut text =
        serde_json::to_string_pretty(&DifferenceView::new(difference)).expect("a difference is plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
pub(in crate::report) struct DifferenceView<'a> {
    format: u32,
    tool: String,
    at: String,
    workspace: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    before: TallyView,
    after: TallyView,
    checklists: Vec<ChecklistView<'a>>,
    items: Vec<ItemView<'a>>,
}

impl<'a> DifferenceView<'a> {
    pub(in crate::report) fn new(difference: &'a Difference) -> Self {
        let Difference { version, workspace, input } = difference;
        let DifferenceInput { at, from, to, before, after, checklists, items } = input;
        Self {
            format: FORMAT,
            tool: format!("mustdo {version}"),
            at: at.to_string(),
            workspace,
            from: from.as_deref(),
            to: to.as_deref(),
            before: TallyView::new(before),
            after: TallyView::new(after),
            checklists: checklists.iter().map(ChecklistView::new).collect(),
            items: items.iter().map(ItemView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ChecklistView<'a> {
    id: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

impl<'a> ChecklistView<'a> {
    fn new(row: &'a ChecklistRow) -> Self {
        let ChecklistRow { id, before, after } = row;
        Self { id, before: before.as_deref(), after: after.as_deref() }
    }
}

#[derive(Serialize)]
struct ItemView<'a> {
    id: &'a str,
    formerly: Option<&'a str>,
    title: TextView<'a>,
    content: &'static str,
    aspects: Vec<&'static str>,
    rebound: bool,
    before: Option<&'static str>,
    after: Option<&'static str>,
    staleness: Vec<StalenessView>,
    failures: Vec<TextView<'a>>,
    recorded: bool,
}

impl<'a> ItemView<'a> {
    fn new(row: &'a ItemRow) -> Self {
        let ItemRow { id, formerly, title, content, rebound, before, after, staleness, failures, recorded } =
            row;
        let (word, aspects) = match content {
            ContentChange::Added => ("added", vec![]),
            ContentChange::Removed => ("removed", vec![]),
            ContentChange::Aspects(aspects) if aspects.is_empty() => ("same", vec![]),
            ContentChange::Aspects(aspects) => {
                ("changed", aspects.iter().map(|aspect| aspect.word()).collect())
            }
        };
        Self {
            id: id.as_str(),
            formerly: formerly.as_ref().map(ItemId::as_str),
            title: TextView::new(title),
            content: word,
            aspects,
            rebound: *rebound,
            before: before.map(Status::word),
            after: after.map(Status::word),
            staleness: staleness.iter().map(|(check, why)| StalenessView::new(check, why)).collect(),
            failures: failures.iter().map(TextView::new).collect(),
            recorded: *recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DIFFERENCE_SCHEMA, sample};
    use super::*;

    #[test]
    fn difference_is_what_its_schema_says() {
        let schema = serde_json::from_str(DIFFERENCE_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        for difference in [sample::difference(), sample::same()] {
            let value = serde_json::from_str(&json(&difference)).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        insta::assert_snapshot!("json", json(&sample::difference()));
    }
}
