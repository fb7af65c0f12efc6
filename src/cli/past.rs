//! A workspace as a commit holds it, and what is asked about it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use super::failure::Failure;
use super::project::Files;
use crate::model::{Digest, PluginId, Record};
use crate::store::{PLUGINS, Repository, Revision, Room, StoreError, StoredFile, TextFile, Watch, Workspace};

/// One commit of a workspace.
#[derive(Debug)]
pub(crate) struct Past {
    /// Which.
    pub(crate) revision: Revision,
    /// Whether its shipped plugins are taken to be those of today's mustdo, and not those that gave the verdicts.
    pub(crate) today: bool,
    repository: Repository,
    plugins: OwnPlugins,
    /// Where somebody else made it: then it is held against today, and no more of it is read than a workspace has.
    foreign: Option<RefCell<Watched>>,
}

/// What is known of the watched files of somebody else's commit.
#[derive(Debug)]
struct Watched {
    room: Room,
    /// By the globs: many checks watch the same files.
    digests: HashMap<Vec<String>, Option<Digest>>,
}

/// The plugins that a commit holds, by id.
pub(crate) type OwnPlugins = BTreeMap<PluginId, Digest>;

impl Past {
    /// The commit that `name` stands for.
    pub(crate) fn of(workspace: &Workspace, name: &str) -> Result<Self, Failure> {
        let repository = repository(workspace)?;
        let revision = repository.revision(workspace.root(), name)?;
        Self::new(repository, revision)
    }

    /// A commit of somebody else's repository, which must have a workspace.
    pub(crate) fn foreign(repository: Repository, revision: Revision) -> Result<Self, Failure> {
        let Revision { settings: Some(settings), checklists, progress, plugins, .. } = &revision else {
            return Err(Failure::usage(format!("the commit has no {} there", Workspace::SETTINGS)));
        };
        let within = |files: &mut dyn Iterator<Item = &StoredFile>, limit: usize| {
            let mut room = limit;
            for file in files {
                let left = room.checked_sub(repository.stored_size(file)?);
                room = left.ok_or_else(|| StoreError::TooMuch { path: file.name.clone().into() })?;
            }
            Ok::<_, StoreError>(())
        };
        let mut texts = checklists.iter().chain(&**progress).chain(std::iter::once(settings));
        within(&mut texts, Revision::FOREIGN_TEXT)?;
        within(&mut plugins.iter(), Revision::FOREIGN_PLUGINS)?;
        let mut past = Self::new(repository, revision)?;
        past.foreign = Some(RefCell::new(Watched { room: Room::FOREIGN, digests: HashMap::new() }));
        Ok(past)
    }

    fn new(repository: Repository, revision: Revision) -> Result<Self, Failure> {
        let mut plugins = OwnPlugins::new();
        for file in &*revision.plugins {
            if let Some(id) = plugin_id(file) {
                plugins.insert(id, Digest::of(&repository.stored(file)?));
            }
        }
        Ok(Self { revision, today: false, repository, plugins, foreign: None })
    }

    /// What the workspace is read from.
    pub(crate) fn files(&self) -> Result<Files, StoreError> {
        let Revision { settings, checklists, progress, .. } = &self.revision;
        // Diagnostics are to tell this file from the one in the work tree, where there is one.
        let read = |file: &StoredFile| {
            let name = match &self.foreign {
                Some(_) => file.name.clone(),
                None => format!("{}:{}", &self.revision.id[..9], file.name),
            };
            Ok(TextFile { name, bytes: self.repository.stored(file)? })
        };
        Ok(Files {
            settings: settings.as_ref().map(read).transpose()?,
            checklists: checklists.iter().map(read).collect::<Result<_, StoreError>>()?,
            progress: progress.iter().map(read).collect::<Result<_, StoreError>>()?,
        })
    }

    /// The plugin that answered then, as [`plugin_then`] has it; in a commit of somebody else's, the one that would answer
    /// today.
    pub(crate) fn plugin(&self, id: &PluginId, record: Option<&Record>) -> Option<Digest> {
        plugin_then(&self.plugins, id, record.filter(|_| !self.today && self.foreign.is_none()))
    }

    /// Digests the watched files as the commit holds them.
    pub(crate) fn watched(&self, globs: &[String]) -> Result<Option<Digest>, StoreError> {
        let Some(foreign) = &self.foreign else {
            return Watch::new(globs)?.digest(&self.repository, &self.revision);
        };
        let mut known = foreign.borrow_mut();
        if let Some(digest) = known.digests.get(globs) {
            return Ok(*digest);
        }
        let mut watch = Watch::within(globs, known.room)?;
        let digest = watch.digest(&self.repository, &self.revision)?;
        known.room = watch.room();
        known.digests.insert(globs.to_vec(), digest);
        Ok(digest)
    }
}

/// The plugin of a commit. The workspace's own stands in the commit; which mustdo was installed stands nowhere, so a shipped
/// one is taken to be the one that gave the verdict, and today's where there is none.
pub(crate) fn plugin_then(own: &OwnPlugins, id: &PluginId, record: Option<&Record>) -> Option<Digest> {
    let shipped = PLUGINS.iter().find(|shipped| shipped.id == id.to_string());
    let answered = shipped.map(|shipped| record.map_or(shipped.digest, |record| record.plugin));
    own.get(id).copied().or(answered)
}

/// The plugin that a file holds, by its place; none where it is not named like one.
pub(crate) fn plugin_id(file: &StoredFile) -> Option<PluginId> {
    let stem = file.name.rsplit('/').next()?.strip_suffix(".wasm")?;
    stem.replace('.', ":").parse().ok()
}

/// The repository that a workspace lies in, which must be there.
pub(crate) fn repository(workspace: &Workspace) -> Result<Repository, Failure> {
    workspace.repository()?.ok_or_else(|| {
        Failure::usage("this workspace is not in a git repository, so there is no earlier version of it")
            .hint("git init")
    })
}
