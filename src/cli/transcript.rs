//! Keeping the account of each check's last run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::environment::now;
use super::printer;
use super::project::Project;
use super::recording;
use super::shelf::Shelf;
use crate::model::{Endpoint, Mask, TargetName, Verdict};
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

/// The last thing that is said of a run that was stopped from outside.
const STOPPED: &str = "it was stopped before it ended, as mustdo was asked to stop";

/// Keeps an account of every run that ended or was stopped, and takes away those of checks that there are no more. Nothing that was
/// verified is lost where it can not be kept: that is said and nothing else.
pub(crate) fn keep(
    workspace: &Workspace,
    project: &Project,
    plan: &Plan,
    ended: &[Ended],
    stopped: &[(TaskId, Box<Trace>)],
    told: &Told<'_>,
) {
    let mut texts = BTreeMap::new();
    let mut tell = |id: TaskId, trace: &Trace, conclusion: Result<&Verdict, String>, told: &Told<'_>| {
        if let Some(task) = plan.tasks.get(id.0) {
            let key = (task.item.clone(), task.definition.uses.clone());
            texts.insert(key, account(task, trace, conclusion, told));
        }
    };
    // A run that is stopped leaves no recording.
    let unrecorded = Told { recordings: None, ..*told };
    for (id, trace) in stopped {
        tell(*id, trace, Err(STOPPED.to_owned()), &unrecorded);
    }
    for (id, result) in ended {
        match result {
            Ok(run) => {
                let (accesses, log) = (run.accesses.clone(), run.log.clone());
                let trace = Trace { elapsed: run.elapsed, accesses, log, attempts: vec![] };
                tell(*id, &trace, Ok(&run.verdict), told);
            }
            Err(error) => tell(*id, &error.trace, Err(error.fault.to_string()), told),
        }
    }
    let known = project
        .catalog
        .items()
        .flat_map(|item| item.checks.iter().map(|check| (item.id.clone(), check.uses.clone())));
    let kept = || -> Result<(), StoreError> {
        let lock = workspace.lock()?;
        workspace.keep_transcripts(&lock, texts, &known.collect())
    };
    if let Err(error) = kept() {
        printer::warn(&format!("warning: what the plugins opened can not be kept: {error}"));
    }
}

fn account(task: &Planned, trace: &Trace, conclusion: Result<&Verdict, String>, told: &Told<'_>) -> String {
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
