//! What an update makes of each checklist of a workspace, and writing all of it or nothing.
//!
//! The user's changes are changes of a text that was taken once: the base. Its digest stands in `mustdo.lock`, its text in
//! `checklists/.base/`. Where that text is gone, or another, it is looked for elsewhere; where it is nowhere, nothing is written
//! over what the user changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;

use super::acquisition::edited;
use super::context::Context;
use super::failure::Failure;
use super::origin::{NOTHING, Offer, Offered};
use crate::model::{ChecklistId, Digest, GitOrigin, Lock, LockedChecklist, Origin};
use crate::store::{StoreError, TextFile, Workspace, WriteLock};
use crate::syntax::{
    CombinedChecklist, Diagnostic, Prefer, Source, checklist_base, combine_checklists, read_checklist,
};

/// A checklist of the workspace as it stands on disk.
#[derive(Debug, Clone)]
pub(crate) struct Local {
    /// Its file, relative to the workspace.
    pub(crate) name: String,
    /// All of it.
    pub(crate) text: String,
    /// The version that it calls itself.
    pub(crate) version: Version,
}

/// What an update makes of one checklist.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Which.
    pub(crate) id: ChecklistId,
    /// Its file, relative to the workspace.
    pub(crate) name: String,
    /// As it stands there; none where it is new.
    pub(crate) before: Option<Local>,
    /// What it is to be.
    pub(crate) after: String,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// What the lock is to say.
    pub(crate) entry: LockedChecklist,
    /// The text that was taken.
    base: String,
}

/// What came of one checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its file stays as it is.
    Same,
    /// It was not there.
    New,
    /// It is what it is where it comes from.
    Updated,
    /// Changes of the user's stay in it.
    Merged,
    /// Both versions of what contradicts stand in it: it can not be read.
    Marked,
}

impl Outcome {
    /// The word that programs are told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Updated => "updated",
            Self::Merged => "merged",
            Self::Marked => "marked",
        }
    }
}

impl Renewal {
    /// A checklist that is taken as it is.
    pub(crate) fn first(name: String, offer: &Offer, offered: &Offered) -> Self {
        let base = checklist_base(&offered.source.text);
        Self {
            id: offered.checklist.id.clone(),
            name,
            before: None,
            after: offered.source.text.to_string(),
            outcome: Outcome::New,
            entry: LockedChecklist {
                version: offered.checklist.version.clone(),
                source: offer.origin.clone(),
                digest: Digest::of(base.as_bytes()),
                taken: offer.taken.clone(),
            },
            base,
        }
    }

    /// A checklist that is there already, with what is new in it. Everything that contradicts, where nothing is preferred.
    pub(crate) fn of(
        bases: &Bases<'_>,
        local: &Local,
        locked: Option<&LockedChecklist>,
        offer: &Offer,
        offered: &Offered,
        prefer: Option<Prefer>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut renewal = Self::first(local.name.clone(), offer, offered);
        let base = locked.and_then(|locked| bases.find(&renewal.id, locked, &local.text, &renewal.base));
        let ours = Source::new(local.name.clone(), local.text.as_str());
        let CombinedChecklist { text, conflicts, marked } =
            combine_checklists(renewal.id.as_str(), base.as_deref(), &ours, &offered.source, prefer);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let plain = checklist_base(&text);
        renewal.outcome = if marked {
            Outcome::Marked
        } else if plain == checklist_base(&local.text) {
            Outcome::Same
        } else if plain == renewal.base {
            Outcome::Updated
        } else {
            Outcome::Merged
        };
        renewal.after = if renewal.outcome == Outcome::Same { local.text.clone() } else { text };
        renewal.before = Some(local.clone());
        Ok(renewal)
    }

    /// Whether its file changes.
    pub(crate) fn changes(&self) -> bool {
        self.outcome != Outcome::Same
    }
}

/// The checklists of a workspace by id; those that can not be read are left out.
pub(crate) fn locals(workspace: &Workspace) -> Result<BTreeMap<ChecklistId, Local>, StoreError> {
    let mut locals = BTreeMap::new();
    for TextFile { name, bytes } in workspace.checklists()? {
        let source = Source::of_bytes(name.clone(), &bytes);
        let Some(read) = read_checklist(&source).value else { continue };
        let (id, version) = (read.checklist().id.clone(), read.checklist().version.clone());
        locals.insert(id, Local { name, text: source.text.to_string(), version });
    }
    Ok(locals)
}

/// The texts that were taken once.
#[derive(Debug)]
pub(crate) struct Bases<'a> {
    /// The world.
    pub(crate) context: &'a Context,
    /// Whose.
    pub(crate) workspace: &'a Workspace,
}

impl Bases<'_> {
    /// The text that the lock means: what is there, where the user changed nothing; what was kept; what is there where it
    /// comes from; in git's history; where it came from then. What can not be read is not there.
    fn find(&self, id: &ChecklistId, locked: &LockedChecklist, local: &str, theirs: &str) -> Option<String> {
        let fits = |text: &str| {
            let text = checklist_base(text);
            (Digest::of(text.as_bytes()) == locked.digest).then_some(text)
        };
        fits(local)
            .or_else(|| fits(&String::from_utf8(self.workspace.base(id).ok()??.bytes).ok()?))
            .or_else(|| fits(theirs))
            .or_else(|| self.history().ok()?.into_iter().find_map(|text| fits(&text)))
            .or_else(|| self.earlier(id, locked).and_then(|text| fits(&text)))
    }

    /// Every text that a checklist had in a commit.
    fn history(&self) -> Result<Vec<String>, StoreError> {
        let Some(repository) = self.workspace.repository()? else { return Ok(vec![]) };
        let mut files: Vec<_> = vec![];
        for revision in repository.revisions(self.workspace.root(), "HEAD")? {
            files.extend(revision.checklists.iter().cloned());
        }
        files.sort_by_key(|file| file.id);
        files.dedup_by_key(|file| file.id);
        let texts = files.iter().map(|file| repository.stored(file));
        Ok(texts.filter_map(|bytes| String::from_utf8(bytes.ok()?).ok()).collect())
    }

    /// The text that the repository had under the tag that it was taken from.
    fn earlier(&self, id: &ChecklistId, locked: &LockedChecklist) -> Option<String> {
        let (Origin::Git(git), Some(taken)) = (&locked.source, &locked.taken) else { return None };
        let then = Origin::Git(GitOrigin { url: git.url.clone(), tag: Some(taken.tag.clone()) });
        let offer = Offer::of(self.context, &then, self.workspace.root()).ok()?;
        Some(offer.checklists.get(id)?.source.text.to_string())
    }
}

/// Writes what changed, unless somebody else wrote since it was decided. Tells which files.
pub(crate) fn write(
    workspace: &Workspace,
    renewals: &[Renewal],
    lock_before: Option<&TextFile>,
) -> Result<Vec<PathBuf>, Failure> {
    let lock = workspace.lock()?;
    unchanged(workspace, renewals, lock_before)?;
    put(workspace, &lock, renewals)
}

/// Writes every checklist, then the lock, then the texts that were taken.
///
/// A kill in between is mended by the next update. Before the lock is written, it knows the old base still, and putting the
/// same changes together once more changes nothing. Afterwards the text that it means is the one where it came from. Where a write
/// fails, the checklists before it are taken back.
pub(crate) fn put(
    workspace: &Workspace,
    lock: &WriteLock,
    renewals: &[Renewal],
) -> Result<Vec<PathBuf>, Failure> {
    let mut written: Vec<&Renewal> = vec![];
    let mut paths = vec![];
    for renewal in renewals.iter().filter(|renewal| renewal.changes()) {
        workspace
            .write(lock, &renewal.name, &renewal.after)
            .map_err(|error| taken_back(workspace, lock, &written, error.into()))?;
        written.push(renewal);
        paths.push(workspace.root().join(&renewal.name));
    }
    let entries = |all: &mut Lock| {
        let entries = renewals.iter().map(|renewal| (renewal.id.clone(), renewal.entry.clone()));
        all.checklists.extend(entries);
    };
    let back = |failure| taken_back(workspace, lock, &written, failure);
    if let Some(text) = edited(workspace, entries).map_err(back)? {
        workspace.write(lock, Workspace::LOCK, &text).map_err(|error| back(error.into()))?;
        paths.push(workspace.root().join(Workspace::LOCK));
    }
    for renewal in renewals {
        let kept = workspace.base(&renewal.id)?;
        if kept.is_none_or(|kept| kept.bytes != renewal.base.as_bytes()) {
            paths.push(workspace.keep_base(lock, &renewal.id, &renewal.base)?);
        }
    }
    Ok(paths)
}

/// Fails where somebody wrote since it was decided what to write.
fn unchanged(
    workspace: &Workspace,
    renewals: &[Renewal],
    lock_before: Option<&TextFile>,
) -> Result<(), Failure> {
    let now = workspace.checklists()?;
    let there = |name: &str| now.iter().find(|file| file.name == *name).map(|file| &*file.bytes);
    let other = renewals
        .iter()
        .find(|renewal| there(&renewal.name) != renewal.before.as_ref().map(|before| before.text.as_bytes()));
    let other = match other {
        Some(renewal) => &*renewal.name,
        None if workspace.locked()?.as_ref() != lock_before => Workspace::LOCK,
        None => return Ok(()),
    };
    Err(Failure::usage(format!("{other} was changed by somebody else meanwhile"))
        .hint(format!("{NOTHING}: run it again")))
}

/// The failure, after the checklists that were written are again what they were.
fn taken_back(workspace: &Workspace, lock: &WriteLock, written: &[&Renewal], failure: Failure) -> Failure {
    for renewal in written {
        let back = match &renewal.before {
            Some(before) => workspace.write(lock, &renewal.name, &before.text),
            None => workspace.remove(lock, &renewal.name),
        };
        if let Err(error) = back {
            return failure.hint(format!("{} was written already: {error}", renewal.name));
        }
    }
    failure.hint("nothing was changed")
}
