//! A workspace as a commit holds it, and what is asked about it.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::project::Files;
use crate::model::{Digest, PluginId, Record};
use crate::store::{PLUGINS, Repository, Revision, StoreError, StoredFile, TextFile, Watch, Workspace};

/// One commit of a workspace.
#[derive(Debug)]
pub(crate) struct Past {
    /// Which.
    pub(crate) revision: Revision,
    /// Whether its shipped plugins are taken to be those of today's mustdo, and not those that gave the verdicts.
    pub(crate) today: bool,
    repository: Repository,
    plugins: OwnPlugins,
}

/// The plugins that a commit holds, by id.
pub(crate) type OwnPlugins = BTreeMap<PluginId, Digest>;

impl Past {
    /// The commit that `name` stands for.
    pub(crate) fn of(workspace: &Workspace, name: &str) -> Result<Self, Failure> {
        let repository = repository(workspace)?;
        let revision = repository.revision(workspace.root(), name)?;
        let mut plugins = OwnPlugins::new();
        for file in &*revision.plugins {
            if let Some(id) = plugin_id(file) {
                plugins.insert(id, Digest::of(&repository.stored(file)?));
            }
        }
        Ok(Self { revision, today: false, repository, plugins })
    }

    /// What the workspace is read from.
    pub(crate) fn files(&self) -> Result<Files, StoreError> {
        let Revision { settings, checklists, progress, .. } = &self.revision;
        // Diagnostics are to tell this file from the one in the work tree.
        let read = |file: &StoredFile| {
            let name = format!("{}:{}", &self.revision.id[..9], file.name);
            Ok(TextFile { name, bytes: self.repository.stored(file)? })
        };
        Ok(Files {
            settings: settings.as_ref().map(read).transpose()?,
            checklists: checklists.iter().map(read).collect::<Result<_, StoreError>>()?,
            progress: progress.iter().map(read).collect::<Result<_, StoreError>>()?,
        })
    }

    /// The plugin that answered then: [`plugin_then`].
    pub(crate) fn plugin(&self, id: &PluginId, record: Option<&Record>) -> Option<Digest> {
        plugin_then(&self.plugins, id, record.filter(|_| !self.today))
    }

    /// Digests the watched files as the commit holds them.
    pub(crate) fn watched(&self, globs: &[String]) -> Result<Option<Digest>, StoreError> {
        Watch::new(globs)?.digest(&self.repository, &self.revision)
    }
}

/// The plugin of a commit. The workspace's own stands in the commit; which mustdo was installed stands nowhere, so a shipped
/// one is taken to be the one that gave the verdict.
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
