//! The plugins a workspace can use: the shipped ones and its own, held against `mustdo.lock`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::failure::Failure;
use crate::model::{Digest, Lock, LockedPlugin, PluginId};
use crate::store::{PLUGINS, Workspace};
use crate::syntax::{self, Diagnostic, LockFile, Severity, Source};

/// Plugins by id, unopened: nothing here needs the wasm engine.
#[derive(Debug)]
pub(crate) struct Shelf {
    plugins: BTreeMap<PluginId, PluginFile>,
    lock: Option<Arc<LockFile>>,
}

/// The bytes of one plugin. What takes reading them through is found out when it is first asked for: most commands that
/// have a shelf ask nothing of most of its plugins, and one with an interpreter in it has 18 MiB.
#[derive(Debug, Clone)]
pub(crate) struct PluginFile {
    /// By its place: the file name, with "." for the ":" after a namespace.
    pub(crate) id: PluginId,
    /// The component.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Where it comes from, for people.
    pub(crate) place: String,
    /// Whether it ships inside mustdo.
    pub(crate) embedded: bool,
    digest: OnceLock<Digest>,
    provenance: OnceLock<Provenance>,
    lock: Option<Arc<LockFile>>,
}

/// What is known of where a plugin's bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Provenance {
    /// From mustdo itself.
    Shipped,
    /// Nobody added it: somebody put the file there.
    Unlocked,
    /// As it was added.
    Locked(Box<LockedPlugin>),
    /// Other bytes were added: nothing may run these.
    Changed(Box<Diagnostic>),
}

impl Shelf {
    /// Collects the shipped plugins and, where there is a workspace, its own; its own wins where both have an id. Fails
    /// where a file is not named like a plugin: left out without a word, it would be missed.
    pub(crate) fn open(workspace: Option<&Workspace>) -> Result<Self, Failure> {
        let (shelf, misnamed) = Self::gather(workspace)?;
        if misnamed.is_empty() { Ok(shelf) } else { Err(content(&misnamed)) }
    }

    /// The same, with what is wrong with the names of files told beside it.
    pub(crate) fn gather(workspace: Option<&Workspace>) -> Result<(Self, Vec<Diagnostic>), Failure> {
        let mut plugins = BTreeMap::new();
        for shipped in PLUGINS {
            let id: PluginId = shipped.id.parse().map_err(Failure::bug)?;
            let file = PluginFile {
                digest: OnceLock::from(shipped.digest),
                bytes: Cow::Borrowed(shipped.bytes),
                place: "embedded".to_owned(),
                embedded: true,
                provenance: OnceLock::from(Provenance::Shipped),
                lock: None,
                id: id.clone(),
            };
            plugins.insert(id, file);
        }
        let mut misnamed = vec![];
        let Some(workspace) = workspace else { return Ok((Self { plugins, lock: None }, misnamed)) };
        let lock = read_lock(workspace)?.map(|(_, lock)| Arc::new(lock));
        for (place, bytes) in workspace.plugins()? {
            let stem =
                place.rsplit('/').next().and_then(|name| name.strip_suffix(".wasm")).unwrap_or_default();
            let id: PluginId = match stem.replace('.', ":").parse() {
                Ok(id) => id,
                Err(error) => {
                    misnamed.push(syntax::misnamed_plugin(&place, &error));
                    continue;
                }
            };
            let file = PluginFile {
                embedded: PLUGINS.iter().any(|shipped| shipped.bytes == bytes),
                bytes: Cow::Owned(bytes),
                place,
                digest: OnceLock::new(),
                provenance: OnceLock::new(),
                lock: lock.clone(),
                id: id.clone(),
            };
            plugins.insert(id, file);
        }
        Ok((Self { plugins, lock }, misnamed))
    }

    /// The plugin of that id.
    pub(crate) fn find(&self, id: &PluginId) -> Option<&PluginFile> {
        self.plugins.get(id)
    }

    /// Every plugin, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PluginFile> {
        self.plugins.values()
    }

    /// What `mustdo.lock` says.
    pub(crate) fn lock(&self) -> Cow<'_, Lock> {
        self.lock.as_deref().map_or_else(|| Cow::Owned(Lock::default()), |file| Cow::Borrowed(file.lock()))
    }

    /// What is wrong, or worth knowing, between `mustdo.lock` and the files.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let own = || self.plugins.values().filter(|file| !matches!(file.provenance(), Provenance::Shipped));
        let present: BTreeSet<_> = own().map(|file| &file.id).collect();
        let missing = self.lock.iter().flat_map(|lock| lock.missing(&present));
        let told = own().filter_map(|file| match file.provenance() {
            Provenance::Changed(diagnostic) => Some((**diagnostic).clone()),
            Provenance::Unlocked => Some(syntax::unlocked_plugin(&file.place, &file.id)),
            Provenance::Shipped | Provenance::Locked(_) => None,
        });
        missing.chain(told).collect()
    }
}

impl PluginFile {
    /// Of the bytes.
    pub(crate) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.bytes))
    }

    /// The digest, where these bytes ship inside mustdo.
    pub(crate) fn shipped(&self) -> Option<Digest> {
        self.embedded.then(|| self.digest())
    }

    /// What is known of where they come from.
    pub(crate) fn provenance(&self) -> &Provenance {
        self.provenance.get_or_init(|| self.held_against_the_lock())
    }

    fn held_against_the_lock(&self) -> Provenance {
        let Some(lock) = &self.lock else { return Provenance::Unlocked };
        let Some(locked) = lock.lock().plugins.get(&self.id) else { return Provenance::Unlocked };
        match lock.changed(&self.id, &self.place, &self.digest()) {
            Some(diagnostic) => Provenance::Changed(Box::new(diagnostic)),
            None => Provenance::Locked(Box::new(locked.clone())),
        }
    }

    /// Fails where these are not the bytes that were added.
    pub(crate) fn trusted(&self) -> Result<&Self, Failure> {
        match self.provenance() {
            Provenance::Changed(diagnostic) => Err(content(std::slice::from_ref(diagnostic))
                .hint(format!("mustdo explain {}    tells how that can happen", diagnostic.code))),
            Provenance::Shipped | Provenance::Unlocked | Provenance::Locked(_) => Ok(self),
        }
    }

    /// What it comes from, in words.
    pub(crate) fn origin(&self) -> String {
        match self.provenance() {
            Provenance::Shipped => "shipped with mustdo".to_owned(),
            Provenance::Unlocked => format!("{}, not in {}", self.place, Workspace::LOCK),
            Provenance::Locked(locked) => locked.source.to_string(),
            Provenance::Changed(_) => format!("{}, which is not what was added", self.place),
        }
    }
}

/// The text of `mustdo.lock` and what it says; none where there is none. Fails with everything that is wrong with it.
pub(crate) fn read_lock(workspace: &Workspace) -> Result<Option<(String, LockFile)>, Failure> {
    let Some(file) = workspace.locked()? else { return Ok(None) };
    let source = Source::of_bytes(file.name, &file.bytes);
    let read = syntax::read_lock(&source);
    let broken = read.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match read.value.filter(|_| !broken) {
        Some(lock) => Ok(Some((source.text.to_string(), lock))),
        None => {
            Err(content(&read.diagnostics)
                .hint("git checkout -- mustdo.lock    takes back what was committed"))
        }
    }
}

fn content(diagnostics: &[Diagnostic]) -> Failure {
    Failure::content(syntax::render(diagnostics, false))
}
