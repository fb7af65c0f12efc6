//! Changing progress: under the lock, on what stands on disk now, all files or none that can not be read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::Context;
use super::failure::Failure;
use super::project::Project;
use crate::model::{ChecklistId, Entry, Item, Progress};
use crate::store::Workspace;
use crate::syntax::{self, Severity, Source};

/// Changes the entries of `items` and writes the progress files that differ; commits them where `commit` says so.
///
/// Each file is read again under the lock, so that what another mustdo wrote meanwhile stays. Where one can not be read,
/// nothing is written.
pub(crate) fn edit(
    context: &Context,
    project: &Project,
    items: &[&Item],
    mut change: impl FnMut(&Item, &mut Entry),
    commit: Option<&str>,
) -> Result<(), Failure> {
    let workspace =
        project.workspace.as_ref().ok_or_else(|| Failure::bug("progress is edited outside a workspace"))?;
    let lock = workspace.lock()?;
    let mut by_checklist: BTreeMap<&ChecklistId, Vec<&Item>> = BTreeMap::new();
    for &item in items {
        if let Some(checklist) = project.catalog.checklist_of(&item.id) {
            by_checklist.entry(&checklist.id).or_default().push(item);
        }
    }
    let mut texts = Vec::with_capacity(by_checklist.len());
    for (checklist, items) in by_checklist {
        let (old, mut progress) = read(context, workspace, checklist)?;
        for item in items {
            let mut entry = take(&mut progress, project, item);
            change(item, &mut entry);
            if !entry.is_empty() {
                progress.entries.insert(item.id.clone(), entry);
            }
        }
        let new = syntax::write_progress(&old, &progress).map_err(Failure::usage)?;
        if new != old {
            texts.push((Workspace::progress_name(checklist), new));
        }
    }
    for (name, text) in &texts {
        workspace.write(&lock, name, text)?;
    }
    match commit {
        Some(message) if !texts.is_empty() => {
            let paths: Vec<_> = texts.iter().map(|(name, _)| workspace.root().join(name)).collect();
            commit_files(context, workspace, &paths, message)
        }
        _ => Ok(()),
    }
}

/// The entry of an item, no longer in `progress` afterwards: under its id, else under an id it had before, else what
/// another checklist's file knows. Where both ids have one, the former stays where it is.
fn take(progress: &mut Progress, project: &Project, item: &Item) -> Entry {
    if let Some(own) = progress.entries.remove(&item.id) {
        return own;
    }
    let former = item.formerly.iter().find_map(|id| progress.entries.remove(id));
    former.or_else(|| project.elsewhere(item).cloned()).unwrap_or_default()
}

fn read(
    context: &Context,
    workspace: &Workspace,
    checklist: &ChecklistId,
) -> Result<(String, Progress), Failure> {
    let Some(file) = workspace.progress_of(checklist)? else {
        return Ok((String::new(), Progress::new(checklist.clone())));
    };
    let source = Source::of_bytes(file.name, &file.bytes);
    let read = syntax::read_progress(&source);
    let broken = read.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match read.value.filter(|_| !broken) {
        Some(progress) => Ok((source.text.to_string(), progress)),
        None => Err(Failure::content(syntax::render(&read.diagnostics, context.printer.stderr_color))
            .hint("nothing was written; mend the file or take it from git: git checkout -- progress")),
    }
}

/// Commits files of the workspace, and nothing else that is staged.
pub(crate) fn commit_files(
    context: &Context,
    workspace: &Workspace,
    paths: &[PathBuf],
    message: &str,
) -> Result<(), Failure> {
    let saved = "what you asked for is saved in the workspace, only not committed";
    let Some(repository) = workspace.repository()? else {
        return Err(Failure::usage("this workspace is not in a git repository").hint(saved).hint("git init"));
    };
    let committed = repository.commit(paths, message).map_err(|error| Failure::from(error).hint(saved))?;
    if let Some(id) = committed {
        context.printer.note(&format!(
            "committed {}: {}",
            &id[..id.len().min(9)],
            message.lines().next().unwrap_or_default()
        ));
    }
    Ok(())
}
