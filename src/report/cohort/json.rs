//! A cohort as JSON, for programs. Its shape has a number and a schema: `schema/cohort.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::json::{TallyView, TextView};
use super::{ChecklistLine, CohortReport, ItemLine, LearnerLine, Mark, SeenLine};

/// The number of the shape: keys may be added under it; removing or changing one is the next.
const FORMAT: u32 = 1;

/// The cohort.
pub(super) fn json(report: &CohortReport) -> String {
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(&CohortView::new(report)).expect("a cohort is plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct CohortView<'a> {
    format: u32,
    tool: String,
    generated: String,
    title: Option<&'a str>,
    unreadable: usize,
    median_readiness: Option<u32>,
    checklists: Vec<ChecklistView<'a>>,
    items: Vec<ItemView<'a>>,
    learners: Vec<LearnerView<'a>>,
}

impl<'a> CohortView<'a> {
    fn new(report: &'a CohortReport) -> Self {
        let CohortReport { version, generated, title, checklists, learners, items } = report;
        let learner = |(column, learner)| LearnerView::new(learner, column, items);
        Self {
            format: FORMAT,
            tool: format!("mustdo {version}"),
            generated: generated.to_string(),
            title: title.as_deref(),
            unreadable: report.unreadable(),
            median_readiness: report.median(),
            checklists: checklists.iter().map(ChecklistView::new).collect(),
            items: items.iter().map(ItemView::new).collect(),
            learners: learners.iter().enumerate().map(learner).collect(),
        }
    }
}

#[derive(Serialize)]
struct ChecklistView<'a> {
    id: &'a str,
    title: TextView<'a>,
    version: Option<&'a str>,
    learners: usize,
}

impl<'a> ChecklistView<'a> {
    fn new(line: &'a ChecklistLine) -> Self {
        let ChecklistLine { id, title, version, learners } = line;
        let version = Some(&**version).filter(|version| !version.is_empty());
        Self { id: id.as_str(), title: TextView::new(title), version, learners: *learners }
    }
}

#[derive(Serialize)]
struct ItemView<'a> {
    id: &'a str,
    checklist: &'a str,
    title: TextView<'a>,
    level: &'static str,
    learners: usize,
    statuses: BTreeMap<&'static str, usize>,
    inconclusive: usize,
    proven_by_unproven_plugin: usize,
}

impl<'a> ItemView<'a> {
    fn new(line: &'a ItemLine) -> Self {
        let ItemLine { id, checklist, title, level, stands: _ } = line;
        let statuses = crate::model::Status::ALL.map(|status| (status.word(), line.count(status)));
        Self {
            id: id.as_str(),
            checklist: checklist.as_str(),
            title: TextView::new(title),
            level: level.word(),
            learners: line.known(),
            statuses: statuses.into(),
            inconclusive: line.inconclusive(),
            proven_by_unproven_plugin: line.unproven(),
        }
    }
}

#[derive(Serialize)]
struct LearnerView<'a> {
    name: &'a str,
    place: &'a str,
    readable: bool,
    trouble: Option<&'a str>,
    revision: Option<&'a str>,
    last_record: Option<String>,
    total: Option<TallyView>,
    proven_by_unproven_plugin: usize,
    differs: Vec<MarkView<'a>>,
    items: BTreeMap<&'a str, &'static str>,
    inconclusive: Vec<&'a str>,
}

impl<'a> LearnerView<'a> {
    fn new(line: &'a LearnerLine, column: usize, items: &'a [ItemLine]) -> Self {
        let LearnerLine { name, place, seen } = line;
        let mut view = Self {
            name,
            place,
            readable: seen.is_ok(),
            trouble: None,
            revision: None,
            last_record: None,
            total: None,
            proven_by_unproven_plugin: 0,
            differs: vec![],
            items: BTreeMap::new(),
            inconclusive: vec![],
        };
        match seen {
            Ok(SeenLine { revision, activity, tally, unproven, marks }) => {
                view.revision = revision.as_deref();
                view.last_record = activity.map(|at| at.to_string());
                view.total = Some(TallyView::new(tally));
                view.proven_by_unproven_plugin = *unproven;
                view.differs = marks.iter().map(MarkView::new).collect();
            }
            Err(trouble) => view.trouble = Some(trouble),
        }
        for item in items {
            if let Some(stand) = item.stands[column] {
                view.items.insert(item.id.as_str(), stand.status.word());
                view.inconclusive.extend(stand.inconclusive.then(|| item.id.as_str()));
            }
        }
        view
    }
}

#[derive(Serialize)]
struct MarkView<'a> {
    checklist: &'a str,
    how: &'static str,
    version: Option<&'a str>,
    usual: Option<&'a str>,
}

impl<'a> MarkView<'a> {
    fn new(mark: &'a Mark) -> Self {
        let (checklist, how, version, usual) = match mark {
            Mark::Version { checklist, own, usual } => (checklist, "version", Some(&**own), Some(&**usual)),
            Mark::Changed { checklist, version } => (checklist, "text", Some(&**version), Some(&**version)),
            Mark::Own { checklist } => (checklist, "own", None, None),
            Mark::Missing { checklist } => (checklist, "missing", None, None),
        };
        Self { checklist: checklist.as_str(), how, version, usual }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{COHORT_SCHEMA, sample};
    use super::*;

    #[test]
    fn cohort_is_what_its_schema_says() {
        let schema = serde_json::from_str(COHORT_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let cohort = serde_json::from_str(&json(&sample::cohort())).unwrap();
        let errors: Vec<_> = validator.iter_errors(&cohort).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        insta::assert_snapshot!("cohort-json", json(&sample::cohort()));
    }
}
