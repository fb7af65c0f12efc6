//! Learners side by side: each workspace read as `report` reads one, without trust in whoever wrote it.
//!
//! Nothing of a learner's is run, opened as a plugin or written to. Several are read at a time; of each only where its items
//! stand is kept.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::context::Context;
use super::failure::Failure;
use super::mirror::Mirrors;
use super::past::Past;
use super::project::{Contents, Foreign, Project};
use super::shelf::Shelf;
use super::timeline::first;
use crate::model::{ChecklistId, Cohort, Home, Learner, Tally};
use crate::report::{LearnerInput, Seen, SeenChecklist, Stand};
use crate::store::{Mirror, Repository, Workspace};

/// How many are read, or fetched, at a time: reading wants processors, fetching waits for others.
const AT_A_TIME: usize = 8;

/// Items of one learner: mustdo ships two hundred. What has more is made to be slow.
const MOST_ITEMS: usize = 10_000;

/// Whoever looks at learners.
pub(crate) struct Viewer<'a> {
    context: &'a Context,
    cohort: &'a Cohort,
    /// What paths are relative to.
    folder: &'a Path,
    mirrors: Mirrors,
    contents: Contents,
    /// The shipped plugins, for workspaces that are read from a commit, where their own stand beside it.
    shelf: Shelf,
}

impl<'a> Viewer<'a> {
    /// Of a cohort whose file lies in `folder`; `offline` fetches nothing.
    pub(crate) fn new(
        context: &'a Context,
        cohort: &'a Cohort,
        folder: &'a Path,
        offline: bool,
    ) -> Result<Self, Failure> {
        let contents = Contents::default();
        // Most learners have these; nobody waits for another who reads them at the same time.
        contents.of(vec![]);
        let shelf = Shelf::open(None)?;
        Ok(Self { context, cohort, folder, mirrors: Mirrors::new(offline), contents, shelf })
    }

    /// What is seen of every learner, in the cohort's order.
    pub(crate) fn look(&self) -> Vec<LearnerInput> {
        let learners = &self.cohort.learners;
        let next = AtomicUsize::new(0);
        let seen = Mutex::new(Vec::with_capacity(learners.len()));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(learner) = learners.get(index) else { break };
                let input = self.input(learner);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push((index, input));
            }
        };
        thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(learners.len()) {
                scope.spawn(work);
            }
        });
        let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.sort_by_key(|(index, _)| *index);
        seen.into_iter().map(|(_, input)| input).collect()
    }

    fn input(&self, learner: &Learner) -> LearnerInput {
        let place = match &learner.home {
            Home::Folder { path, rev: None } => path.clone(),
            Home::Folder { path, rev: Some(rev) } => format!("{path} {}", rev.as_str()),
            Home::Remote { url, rev, folder } => {
                let rev = rev.as_ref().map(|rev| format!(" {}", rev.as_str())).unwrap_or_default();
                let folder = if folder.is_empty() { String::new() } else { format!(" {folder}") };
                format!("{url}{rev}{folder}")
            }
        };
        // Whoever is shown the table need not know where on this machine the folders lie.
        let above = format!("{}/", self.folder.display());
        let seen = self.seen(&learner.home).map_err(|failure| failure.line().replace(&above, ""));
        LearnerInput { name: learner.name.clone(), place, seen }
    }

    fn seen(&self, home: &Home) -> Result<Seen, Failure> {
        let home = self.home(home)?;
        let own = match &home {
            Foreign::Folder(workspace) => Some(Shelf::open(Some(workspace))?),
            Foreign::Commit(_) => None,
        };
        let (project, content) = Project::foreign(self.context, home, &self.contents)?
            .map_err(|found| Failure::usage(first(&found)))?;
        if project.catalog.items().nth(MOST_ITEMS).is_some() {
            return Err(Failure::usage(format!("its checklists have more than {MOST_ITEMS} items")));
        }
        let settings = project.effective_settings();
        let shelf = own.as_ref().unwrap_or(&self.shelf);
        let mut tally = Tally::default();
        let mut checklists = vec![];
        for checklist in project.catalog.checklists().iter().filter(|checklist| self.counts(&checklist.id)) {
            let mut stands = Vec::with_capacity(checklist.items.len());
            for item in &checklist.items {
                let standing = project.standing(self.context, item, &settings, shelf)?;
                tally.add(item, &standing);
                stands.push(Stand::from(&standing));
            }
            let digest = content.digests.get(&checklist.id).copied();
            let digest = digest.ok_or_else(|| Failure::bug("a checklist that no file has"))?;
            checklists.push(SeenChecklist { id: checklist.id.clone(), digest, stands });
        }
        Ok(Seen {
            revision: project.past.as_ref().map(|past| past.revision.id.clone()),
            activity: project.last_record(self.context.environment.now),
            tally,
            catalog: project.catalog,
            checklists,
        })
    }

    fn counts(&self, checklist: &ChecklistId) -> bool {
        self.cohort.checklists.is_empty() || self.cohort.checklists.contains(checklist)
    }

    fn home(&self, home: &Home) -> Result<Foreign, Failure> {
        match home {
            Home::Folder { path, rev: None } => {
                let root = self.folder.join(path);
                if root.join(Workspace::SETTINGS).symlink_metadata().is_err() {
                    return Err(Failure::usage(format!("there is no {} in {path}", Workspace::SETTINGS)));
                }
                Ok(Foreign::Folder(Workspace::foreign(root)?))
            }
            Home::Folder { path, rev: Some(rev) } => {
                let root = self.folder.join(path);
                let repository = Repository::discover(&root)?
                    .ok_or_else(|| Failure::usage(format!("{} is in no git repository", root.display())))?;
                let revision = repository.revision(&root, rev.as_str())?;
                Ok(Foreign::Commit(Box::new(Past::foreign(repository, revision)?)))
            }
            Home::Remote { url, rev, folder } => {
                let repository = self.mirrors.repository(self.context, url, rev.as_ref())?;
                let revision = repository.revision_in(Path::new(folder), Mirror::TIP)?;
                Ok(Foreign::Commit(Box::new(Past::foreign(repository, revision)?)))
            }
        }
    }
}
