//! Two versions of a project side by side: what is different in content and in progress.

use super::context::Context;
use super::failure::Failure;
use super::project::Project;
use super::shelf::Shelf;
use crate::model::{
    Entry, Item, ItemChange, Outcome, Settings, Standing, Status, Tally, Text, compare, compare_checklists,
    earlier,
};
use crate::report::{ChecklistRow, ContentChange, Difference, DifferenceInput, ItemRow};
use crate::store::Workspace;

/// Holds `new` against `old`, both judged at the moment of `context`.
pub(crate) fn difference(
    context: &Context,
    workspace: &Workspace,
    old: &Project,
    new: &Project,
) -> Result<Difference, Failure> {
    let shelf = Shelf::open(Some(workspace))?;
    let side =
        |project| Side { project, settings: Project::effective_settings(project), shelf: &shelf, context };
    let (before, after) = (side(old), side(new));
    let id = |project: &Project| project.past.as_ref().map(|past| past.revision.id.clone());
    let version = |checklist: Option<&crate::model::Checklist>| {
        checklist.map(|checklist| checklist.version.to_string())
    };
    let checklists = compare_checklists(&old.catalog, &new.catalog).into_iter().filter_map(|change| {
        let row = ChecklistRow {
            id: change.id.to_string(),
            before: version(change.before),
            after: version(change.after),
        };
        (row.before != row.after).then_some(row)
    });
    let input = DifferenceInput {
        at: context.environment.now,
        from: id(old),
        to: id(new),
        before: before.tally()?,
        after: after.tally()?,
        checklists: checklists.collect(),
        items: items(&before, &after)?,
    };
    Ok(Difference::new(&workspace.name(), input))
}

/// One side, with what it takes to judge it.
struct Side<'a> {
    project: &'a Project,
    settings: Settings,
    shelf: &'a Shelf,
    context: &'a Context,
}

impl Side<'_> {
    fn standing(&self, item: &Item) -> Result<Standing, Failure> {
        Ok(self.project.standing(self.context, item, &self.settings, self.shelf)?)
    }

    fn tally(&self) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for item in self.project.catalog.items() {
            tally.add(item, &self.standing(item)?);
        }
        Ok(tally)
    }
}

fn items(before: &Side<'_>, after: &Side<'_>) -> Result<Vec<ItemRow>, Failure> {
    let (old, new) = (&before.project.catalog, &after.project.catalog);
    let changes = compare(old, new);
    let changed =
        |item: &Item| changes.iter().find(|change| change.item().is_some_and(|it| it.id == item.id));
    let mut rows = vec![];
    for item in new.items() {
        rows.extend(row(before, after, earlier(old, item), Some(item), changed(item))?);
    }
    for gone in changes.iter().filter(|change| change.after.is_none()) {
        rows.extend(row(before, after, gone.before, None, Some(gone))?);
    }
    Ok(rows)
}

/// An item of both sides; none where nothing is different about it.
fn row(
    before: &Side<'_>,
    after: &Side<'_>,
    old: Option<&Item>,
    new: Option<&Item>,
    change: Option<&ItemChange<'_>>,
) -> Result<Option<ItemRow>, Failure> {
    let Some(item) = new.or(old) else { return Ok(None) };
    let was = old.map(|old| before.standing(old)).transpose()?;
    let is = new.map(|new| after.standing(new)).transpose()?;
    let then = old.and_then(|old| before.project.entry(old));
    let now = new.and_then(|new| after.project.entry(new));
    let content = match change {
        None => ContentChange::Aspects(vec![]),
        Some(ItemChange { before: None, .. }) => ContentChange::Added,
        Some(ItemChange { after: None, .. }) => ContentChange::Removed,
        Some(ItemChange { aspects, .. }) => ContentChange::Aspects(aspects.clone()),
    };
    // The same question in the checklist, another one with the bindings.
    let asked = |side: &Side<'_>, item: &Item| {
        side.settings.definitions(item).iter().map(crate::model::Definition::digest).collect::<Vec<_>>()
    };
    let rebound = match (old, new) {
        (Some(old), Some(new)) if old.checks == new.checks => asked(before, old) != asked(after, new),
        _ => false,
    };
    let status = |standing: &Option<Standing>| standing.as_ref().map(|standing| standing.status);
    let row = ItemRow {
        id: item.id.clone(),
        formerly: old.map(|old| old.id.clone()).filter(|old| *old != item.id),
        title: item.title.clone(),
        content,
        rebound,
        before: status(&was),
        after: status(&is),
        failures: if status(&is) == Some(Status::Failing) { failures(now) } else { vec![] },
        staleness: is.map(|standing| standing.staleness).unwrap_or_default(),
        recorded: then != now,
    };
    let same = ContentChange::Aspects(vec![]);
    let differs = row.recorded || row.rebound || row.before != row.after || row.content != same;
    Ok(differs.then_some(row))
}

fn failures(entry: Option<&Entry>) -> Vec<Text> {
    let checks = entry.into_iter().flat_map(|entry| entry.checks.values());
    let decided = checks.filter_map(|check| check.decided.as_ref());
    let failed = decided.filter(|record| record.verdict.outcome == Outcome::Fail);
    failed.map(|record| record.verdict.summary.clone()).collect()
}
