//! `mustdo diff`: what changed between two versions.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::view;
use crate::cli::past::repository;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::{
    Entry, Item, ItemChange, Outcome, Settings, Standing, Status, Tally, Text, compare, compare_checklists,
    earlier,
};
use crate::report::{
    ChecklistRow, ContentChange, Difference, DifferenceFormat, DifferenceInput, ItemRow, write_difference,
};
use crate::store::Workspace;

/// What can follow `mustdo diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Two commits: A..B, or A...B for what B has changed since they parted. Without B, the work tree
    #[arg(value_name = "A..B", default_value = "HEAD")]
    range: String,
    /// In which form: text, markdown or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: DifferenceFormat,
}

/// Two versions, as typed; none for the work tree.
#[derive(Debug, PartialEq, Eq)]
struct Range<'a> {
    from: &'a str,
    to: Option<&'a str>,
    /// From where both parted, not from the first.
    parted: bool,
}

impl<'a> Range<'a> {
    fn of(text: &'a str) -> Self {
        let (from, to, parted) = match (text.split_once("..."), text.split_once("..")) {
            (Some((from, to)), _) => (from, to, true),
            (None, Some((from, to))) => (from, to, false),
            (None, None) => (text, "", false),
        };
        Self { from: if from.is_empty() { "HEAD" } else { from }, to: (!to.is_empty()).then_some(to), parted }
    }
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

/// Prints what is different in content and in progress. Both are judged as of the second: what only time did is not what
/// somebody changed.
pub(crate) fn run(context: &Context, args: &DiffArgs) -> Result<Exit, Failure> {
    let workspace = context.workspace()?;
    let range = Range::of(&args.range);
    let base = match range.to {
        _ if !range.parted => range.from.to_owned(),
        to => repository(&workspace)?.merge_base(range.from, to.unwrap_or("HEAD"))?,
    };
    let old = Project::at(context, &base)?;
    let new = match range.to {
        Some(name) => Project::at(context, name)?,
        None => Project::of_workspace(context)?,
    };
    let moment = new.moment(context);
    let shelf = Shelf::open(Some(&workspace))?;
    let side = |project| Side {
        project,
        settings: Project::effective_settings(project),
        shelf: &shelf,
        context: &moment,
    };
    let (before, after) = (side(&old), side(&new));
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
        at: moment.environment.now,
        from: id(&old),
        to: id(&new),
        before: before.tally()?,
        after: after.tally()?,
        checklists: checklists.collect(),
        items: items(&before, &after)?,
    };
    let difference = Difference::new(&Workspace::name(&workspace), input);
    answer(&write_difference(&difference, args.format, &view(context, &new, false)))?;
    Ok(Exit::Holds)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_read_as_git_reads_it() {
        let range = |from, to, parted| Range { from, to, parted };
        assert_eq!(Range::of("a..b"), range("a", Some("b"), false));
        assert_eq!(Range::of("a...b"), range("a", Some("b"), true));
        assert_eq!(Range::of("v1.0..v1.1"), range("v1.0", Some("v1.1"), false));
        assert_eq!(Range::of("a.."), range("a", None, false));
        assert_eq!(Range::of("..b"), range("HEAD", Some("b"), false));
        assert_eq!(Range::of("a"), range("a", None, false));
    }
}
