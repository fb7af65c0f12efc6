//! One run on several machines: what each of them stands on and takes, and what it hands over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::context::Context;
use super::failure::Failure;
use super::output::select;
use super::project::Project;
use super::shelf::{PluginFile, Shelf};
use super::verification::{Outcomes, Recorded};
use crate::model::{
    Basis, CheckRecord, Cost, Digest, Division, Hasher, Item, ItemId, Partition, PartitionResult, PluginId,
    Selection, Settings,
};
use crate::store::{CHECKLISTS, TextFile, Workspace};

/// What this machine does of a run.
#[derive(Debug)]
pub(crate) struct Part {
    partition: Partition,
    selection: Selection,
    basis: Basis,
    division: Division,
}

impl Part {
    /// The part of what `selection` selects.
    pub(crate) fn new(
        context: &Context,
        project: &Project,
        shelf: &Shelf,
        selection: &Selection,
        partition: Partition,
    ) -> Result<Self, Failure> {
        let items = select(context, project, shelf, selection)?;
        Ok(Self {
            partition,
            selection: selection.clone(),
            basis: basis(project, shelf, &project.effective_settings(), &items)?,
            division: divide(project, &items, partition.of()),
        })
    }

    /// Its items, by id.
    pub(crate) fn items(&self) -> impl Iterator<Item = &ItemId> {
        self.division.share(self.partition)
    }

    /// What it hands over.
    pub(crate) fn result(&self, context: &Context, outcome: &Outcomes) -> PartitionResult {
        let mut checks: BTreeMap<_, BTreeMap<_, CheckRecord>> = BTreeMap::new();
        for Recorded { item, check, record } in &outcome.records {
            let known = checks.entry(item.clone()).or_default().entry(check.clone()).or_default();
            known.remember(record.clone());
        }
        PartitionResult {
            partition: self.partition,
            basis: self.basis.clone(),
            started: context.environment.now,
            selection: self.selection.clone(),
            division: self.division.digest(),
            items: self.items().cloned().collect(),
            missed: outcome.missed,
            checks,
        }
    }
}

/// What a run of `items` in this workspace stands on.
pub(crate) fn basis(
    project: &Project,
    shelf: &Shelf,
    settings: &Settings,
    items: &[&Item],
) -> Result<Basis, Failure> {
    let workspace =
        project.workspace.as_ref().ok_or_else(|| Failure::bug("a partition outside a workspace"))?;
    let commit = match workspace.repository()? {
        Some(repository) => repository.head(&workspace.root().join(Workspace::PROGRESS))?,
        None => None,
    };
    let mut content = Hasher::default();
    for TextFile { name, bytes } in workspace.checklists()? {
        content.field(name).field(bytes);
    }
    if project.shipped {
        for (name, text) in CHECKLISTS {
            content.field(name).field(text);
        }
    }
    content.field(workspace.settings()?.map(|file| file.bytes).unwrap_or_default());
    // The one setting of the user's own that a question has in it.
    content.field(settings.fresh_for.map(|span| span.to_string()).unwrap_or_default());
    let mut progress = Hasher::default();
    for TextFile { name, bytes } in workspace.progress()? {
        progress.field(name).field(bytes);
    }
    let used: BTreeSet<_> =
        items.iter().flat_map(|item| &item.checks).map(|check| &check.uses.plugin).collect();
    let digest = |id: &&PluginId| shelf.find(id).map(PluginFile::digest);
    let plugins: BTreeMap<_, Digest> =
        used.into_iter().filter_map(|id| Some((id.clone(), digest(&id)?))).collect();
    Ok(Basis {
        version: version(),
        commit: commit.map(|commit| commit.to_string()),
        content: content.finish(),
        policy: settings.policy.digest(),
        progress: progress.finish(),
        plugins,
    })
}

/// How the selected items are divided, by how long their checks took the last time.
fn divide(project: &Project, items: &[&Item], of: u16) -> Division {
    let cost = |item: &Item| {
        let entry = project.entry(item);
        let took =
            item.checks.iter().filter_map(|check| Some(entry?.checks.get(&check.uses)?.latest()?.elapsed));
        let took: Vec<Duration> = took.collect();
        match (item.checks.is_empty(), took.is_empty()) {
            (true, _) => Cost::Nothing,
            (false, true) => Cost::Unknown,
            (false, false) => Cost::Last(took.into_iter().sum()),
        }
    };
    Division::new(items.iter().map(|item| (item.id.clone(), cost(item))), of)
}

/// The version of this program.
fn version() -> semver::Version {
    // Cargo takes no other versions.
    env!("CARGO_PKG_VERSION").parse().unwrap_or_else(|_| semver::Version::new(0, 0, 0))
}
