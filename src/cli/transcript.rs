//! Keeping the account of each check's last run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::environment::now;
use super::printer;
use super::project::Project;
use super::recording;
use super::shelf::Shelf;
use crate::model::{Endpoint, Mask, TargetName};
use crate::report::{Transcript, TranscriptAccess, TranscriptTarget, transcript};
use crate::store::{StoreError, Workspace};
use crate::target::Started;
use crate::verify::{Plan, Planned, Run, RunError, TaskId, Trace};

/// What a run ended with.
type Ended = (TaskId, Result<Box<Run>, RunError>);

/// What is told of every run alike.
pub(crate) struct Told<'a> {
    /// Of the whole verification.
    pub(crate) seed: u64,
    /// The targets.
    pub(crate) started: &'a Started,
    /// Those that ended meanwhile.
    pub(crate) dead: &'a BTreeSet<TargetName>,
    /// The plugins' bytes.
    pub(crate) shelf: &'a Shelf,
    /// Where the calls of the runs were recorded; none where they were not.
    pub(crate) recordings: Option<&'a Path>,
    /// What is taken out of what the targets are called; the runs are masked already.
    pub(crate) mask: &'a Mask,
}

/// Keeps an account of every run that ended, and takes away those of checks that there are no more. Nothing that was
/// verified is lost where it can not be kept: that is said and nothing else.
pub(crate) fn keep(workspace: &Workspace, project: &Project, plan: &Plan, ended: &[Ended], told: &Told<'_>) {
    let mut texts = BTreeMap::new();
    for (id, result) in ended {
        let Some(task) = plan.tasks.get(id.0) else { continue };
        texts.insert((task.item.clone(), task.definition.uses.clone()), account(task, result, told));
    }
    let known = project
        .catalog
        .items()
        .flat_map(|item| item.checks.iter().map(|check| (item.id.clone(), check.uses.clone())));
    let kept = || -> Result<(), StoreError> {
        let lock = workspace.lock()?;
        for ((item, check), text) in &texts {
            workspace.write_transcript(&lock, item, check, text)?;
        }
        workspace.clear_transcripts(&lock, &known.collect())
    };
    if let Err(error) = kept() {
        printer::warn(&format!("warning: what the plugins opened can not be kept: {error}"));
    }
}

fn account(task: &Planned, result: &Result<Box<Run>, RunError>, told: &Told<'_>) -> String {
    let own;
    let (trace, conclusion) = match result {
        Ok(run) => {
            own = Trace { elapsed: run.elapsed, accesses: run.accesses.clone(), log: run.log.clone() };
            (&own, Ok(&run.verdict))
        }
        Err(error) => (&*error.trace, Err(error.fault.to_string())),
    };
    let doubt = task.targets.values().find(|name| told.dead.contains(*name));
    let targets = task.targets.iter().map(|(asked, bound)| {
        let facts = [
            told.started.identity(bound).map(str::to_owned),
            told.started.endpoints().get(bound).map(place),
            told.started.program(bound),
        ];
        let facts = facts.into_iter().flatten().map(|fact| told.mask.text(&fact)).collect();
        TranscriptTarget { asked, bound, facts }
    });
    transcript(&Transcript {
        at: now(),
        item: &task.item,
        check: &task.definition.uses,
        version: task.version.to_string(),
        plugin: task.plugin,
        place: told.shelf.find(&task.definition.uses.plugin).map_or(String::new(), |file| file.place.clone()),
        seed: told.seed,
        elapsed: trace.elapsed,
        targets: targets.collect(),
        allowed: task.allowed.iter().collect(),
        accesses: trace
            .accesses
            .iter()
            .map(|access| TranscriptAccess {
                at: access.at,
                what: &access.what,
                refused: access.refused.as_deref(),
            })
            .collect(),
        log: &trace.log,
        conclusion,
        doubt: doubt.map(|name| format!("not believed: the target {name} ended while it was checked")),
        recording: told.recordings.map(|folder| {
            let path = recording::place(folder, &task.item, &task.definition.uses);
            path.display().to_string()
        }),
    })
}

/// Where a target was during the run.
fn place(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Http { authority, prefix } => format!("http://{authority}{prefix}"),
        Endpoint::Tcp(authority) => format!("tcp {authority}"),
        Endpoint::Udp(authority) => format!("udp {authority}"),
        Endpoint::Dir(path) => path.display().to_string(),
        Endpoint::Command { program, .. } => program.display().to_string(),
    }
}
