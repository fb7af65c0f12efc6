//! A workspace's project, settings and progress, read and linked; every problem told at once.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::Timestamp;

use super::context::Context;
use super::failure::Failure;
use super::past::Past;
use super::shelf::{PluginFile, Shelf};
use super::verification::Recorded;
use crate::model::{
    Asked, Catalog, ChecklistId, Digest, Entry, Hasher, Item, ItemId, Language, Progress, Settings, Standing,
    TargetName,
};
use crate::store::{CHECKLISTS, StoreError, TextFile, Workspace};
use crate::syntax::{self, ChecklistFile, Diagnostic, Linked, Places, SettingsFile, Severity, Source};
use crate::target;

/// Everything a command may want to know, as it stands on disk.
#[derive(Debug)]
pub(crate) struct Project {
    /// Where it comes from; none outside any workspace, where only shipped content is shown.
    pub(crate) workspace: Option<Workspace>,
    /// Whether the checklists are the shipped ones.
    pub(crate) shipped: bool,
    /// All checklists.
    pub(crate) catalog: Arc<Catalog>,
    /// Where things are written.
    pub(crate) places: Arc<Places>,
    /// What `mustdo.toml` says, with its places.
    pub(crate) settings: SettingsFile,
    /// What the user's own settings file says.
    user: Settings,
    progress: BTreeMap<ChecklistId, Progress>,
    /// Progress under former ids and in other checklists' files, by the id of today.
    moved: BTreeMap<ItemId, Entry>,
    /// The commit it stands in; none for the work tree.
    pub(crate) past: Option<Past>,
}

/// A project with the checklists that were read for it, or what is wrong where it can not be used.
type Usable = Result<(Project, Arc<Content>), Vec<Diagnostic>>;

/// Where somebody else's workspace is read.
#[derive(Debug)]
pub(crate) enum Foreign {
    /// In its folder.
    Folder(Workspace),
    /// In a commit.
    Commit(Box<Past>),
}

/// The files that a project is read from.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// `mustdo.toml`.
    pub(crate) settings: Option<TextFile>,
    /// The workspace's own; none of them for the shipped ones.
    pub(crate) checklists: Vec<TextFile>,
    /// Whatever is recorded.
    pub(crate) progress: Vec<TextFile>,
}

impl Files {
    /// As they stand now.
    pub(crate) fn on_disk(workspace: &Workspace) -> Result<Self, StoreError> {
        Ok(Self {
            settings: workspace.settings()?,
            checklists: workspace.checklists()?,
            progress: workspace.progress()?,
        })
    }
}

/// Checklists as they were read, whether they can be used or not.
#[derive(Debug)]
pub(crate) struct Content {
    catalog: Arc<Catalog>,
    places: Arc<Places>,
    diagnostics: Vec<Diagnostic>,
    shipped: bool,
    /// Of each file, by the checklist in it.
    pub(crate) digests: BTreeMap<ChecklistId, Digest>,
}

impl Content {
    /// Reads a workspace's own checklists, and the shipped ones where it has none.
    fn read(own: Vec<TextFile>) -> Self {
        let shipped = own.is_empty();
        let sources: Vec<Source> = if shipped {
            CHECKLISTS.iter().map(|&(name, text)| Source::new(name, text)).collect()
        } else {
            own.into_iter().map(source).collect()
        };
        let (mut files, mut diagnostics) = (Vec::with_capacity(sources.len()), vec![]);
        let mut digests = BTreeMap::new();
        for (source, read) in sources.iter().zip(read_all(&sources)) {
            let file = taken(read, &mut diagnostics);
            digests.extend(
                file.iter().map(|file| (file.checklist().id.clone(), Digest::of(source.text.as_bytes()))),
            );
            files.extend(file);
        }
        let Linked { catalog, places, diagnostics: found } = syntax::link(files);
        diagnostics.extend(found);
        Self { catalog: catalog.into(), places: places.into(), diagnostics, shipped, digests }
    }
}

/// Checklists that several workspaces have, each read once.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    known: Mutex<HashMap<Digest, Arc<Content>>>,
}

impl Contents {
    /// How many are kept: whoever reads five hundred workspaces, each with lists of its own, can not keep them all.
    const MOST: usize = 16;

    /// What these files say.
    pub(crate) fn of(&self, own: Vec<TextFile>) -> Arc<Content> {
        let mut hasher = Hasher::default();
        for file in &own {
            hasher.field(&file.name).field(&file.bytes);
        }
        let key = hasher.finish();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = known().get(&key) {
            return Arc::clone(content);
        }
        let content = Arc::new(Content::read(own));
        let mut known = known();
        if known.len() < Self::MOST {
            return Arc::clone(known.entry(key).or_insert(content));
        }
        content
    }
}

/// What was read, whether it can be used or not.
struct Reading {
    project: Project,
    diagnostics: Vec<Diagnostic>,
}

impl Project {
    /// Reads the workspace around the current folder; outside any, the shipped checklists alone. Fails with every error
    /// in every file; warnings are printed.
    pub(crate) fn read(context: &Context) -> Result<Self, Failure> {
        let workspace = context.find_workspace()?;
        Self::of(context, workspace)
    }

    /// Reads the workspace around the current folder, which must be there.
    pub(crate) fn of_workspace(context: &Context) -> Result<Self, Failure> {
        let workspace = context.workspace()?;
        Self::of(context, Some(workspace))
    }

    /// Reads the workspace around the current folder as the commit that `name` stands for holds it.
    pub(crate) fn at(context: &Context, name: &str) -> Result<Self, Failure> {
        let workspace = context.workspace()?;
        let past = Past::of(&workspace, name)?;
        let files = past.files()?;
        let mut reading = Reading::new(context, Some(workspace), files)?;
        reading.project.past = Some(past);
        reading.told(context)
    }

    fn of(context: &Context, workspace: Option<Workspace>) -> Result<Self, Failure> {
        let files = workspace.as_ref().map(Files::on_disk).transpose()?.unwrap_or_default();
        Reading::new(context, workspace, files)?.told(context)
    }

    /// What is read from these files; every error in it where it can not be used.
    pub(crate) fn content(
        context: &Context,
        workspace: Workspace,
        files: Files,
    ) -> Result<Result<Self, Vec<Diagnostic>>, Failure> {
        let Reading { project, diagnostics } = Reading::new(context, Some(workspace), files)?;
        let errors: Vec<_> =
            diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect();
        Ok(if errors.is_empty() { Ok(project) } else { Err(errors) })
    }

    /// Somebody else's workspace: in its folder, or in a commit. Nothing of the user's own settings counts for it. Gives
    /// what is wrong where it can not be used.
    pub(crate) fn foreign(context: &Context, home: Foreign, contents: &Contents) -> Result<Usable, Failure> {
        let (workspace, past, files) = match home {
            Foreign::Folder(workspace) => {
                let files = Files::on_disk(&workspace)?;
                (Some(workspace), None, files)
            }
            Foreign::Commit(past) => {
                let files = past.files()?;
                (None, Some(*past), files)
            }
        };
        let mut context = context.clone();
        context.environment.config = None;
        let content = contents.of(files.checklists);
        let Reading { mut project, diagnostics } =
            Reading::of(&context, workspace, &content, files.settings, files.progress)?;
        project.past = past;
        let errors: Vec<_> =
            diagnostics.into_iter().filter(|found| found.severity == Severity::Error).collect();
        Ok(if errors.is_empty() { Ok((project, content)) } else { Err(errors) })
    }

    /// When something was recorded last, at `now` or before it; none where nothing is.
    pub(crate) fn last_record(&self, now: Timestamp) -> Option<Timestamp> {
        let entries = self.progress.values().flat_map(|progress| progress.entries.values());
        let moments = entries.flat_map(|entry| {
            let records = entry.checks.values().flat_map(|check| [&check.decided, &check.undecided]);
            let records = records.flatten().map(|record| record.at);
            let claim = entry.claim.iter().map(|claim| claim.at);
            records.chain(claim).chain(entry.waiver.iter().map(|waiver| waiver.at))
        });
        moments.filter(|at| *at <= now).max()
    }

    /// Reads everything and gives every diagnostic back, whether the content can be used or not.
    pub(crate) fn lint(context: &Context) -> Result<(Self, Vec<Diagnostic>), Failure> {
        let workspace = context.find_workspace()?;
        let files = workspace.as_ref().map(Files::on_disk).transpose()?.unwrap_or_default();
        let Reading { project, diagnostics } = Reading::new(context, workspace, files)?;
        Ok((project, diagnostics))
    }

    /// The world as it was when the commit was made that the project stands in; as it is for the work tree.
    pub(crate) fn moment(&self, context: &Context) -> Context {
        let mut context = context.clone();
        if let Some(past) = &self.past {
            context.environment.now = past.revision.at;
        }
        context
    }

    /// What is known of an item, under the id it has today or had before, in its checklist's file or another's.
    pub(crate) fn entry(&self, item: &Item) -> Option<&Entry> {
        let checklist = self.catalog.checklist_of(&item.id)?;
        let own = self.progress.get(&checklist.id).and_then(|progress| progress.entries.get(&item.id));
        own.or_else(|| self.elsewhere(item))
    }

    /// What is known of an item under another id or in another checklist's file than today's.
    pub(crate) fn elsewhere(&self, item: &Item) -> Option<&Entry> {
        self.moved.get(&item.id)
    }

    /// The same project, with verdicts laid over what is recorded.
    #[must_use]
    pub(crate) fn with(mut self, recorded: &[Recorded]) -> Self {
        for Recorded { item, check, record } in recorded {
            let Some(checklist) = self.catalog.checklist_of(item).map(|checklist| checklist.id.clone())
            else {
                continue;
            };
            let progress = self.progress.entry(checklist.clone()).or_insert_with(|| Progress::new(checklist));
            let entry = match self.moved.remove(item) {
                Some(former) => progress.entries.entry(item.clone()).or_insert(former),
                None => progress.entries.entry(item.clone()).or_default(),
            };
            entry.checks.entry(check.clone()).or_default().remember(record.clone());
        }
        self
    }

    /// What the user's own file says.
    pub(crate) fn user_settings(&self) -> &Settings {
        &self.user
    }

    /// What `mustdo.toml` says, and below it the user's own file.
    pub(crate) fn effective_settings(&self) -> Settings {
        let mut settings = self.settings.settings().clone();
        let user = &self.user;
        settings.language = settings.language.or(user.language);
        settings.fresh_for = settings.fresh_for.or(user.fresh_for);
        settings.commit = settings.commit.or(user.commit);
        settings.jobs = settings.jobs.or(user.jobs);
        settings.timeout = settings.timeout.or(user.timeout);
        settings.secrets.env.extend(user.secrets.env.iter().cloned());
        settings.secrets.plain.extend(user.secrets.plain.iter().cloned());
        settings.secrets.files.extend(user.secrets.files.iter().cloned());
        settings.limits = settings.limits.or(&user.limits);
        settings
    }

    /// The language to speak: command line or `MUSTDO_LANG`, then workspace, then user, then locale.
    pub(crate) fn language(&self, context: &Context) -> Language {
        context.language.or(self.effective_settings().language).unwrap_or(context.environment.language)
    }

    /// What is asked of an item today: its definitions, the plugins that answer, what is bound, what is watched.
    pub(crate) fn asked(
        &self,
        item: &Item,
        settings: &Settings,
        shelf: &Shelf,
    ) -> Result<Vec<Asked>, StoreError> {
        let definitions = settings.definitions(item);
        let mut asked = Vec::with_capacity(definitions.len());
        for definition in definitions {
            let unbound = definition.target.values().filter(|name| !settings.targets.contains_key(*name));
            // Only a proof can go stale: without one, the watched files need not be read.
            let known = self.entry(item).and_then(|entry| entry.checks.get(&definition.uses));
            let decided = known.and_then(|known| known.decided.as_ref());
            let watches = decided.is_some() && !definition.watch.is_empty();
            let watched = match (&self.past, &self.workspace) {
                (Some(past), _) if watches => past.watched(&definition.watch)?,
                (None, Some(workspace)) if watches => workspace.watched(&definition.watch)?,
                _ => None,
            };
            let bound = definition.target.values();
            let identity =
                |name: &TargetName| Some((name.clone(), target::identity(settings.targets.get(name)?)));
            asked.push(Asked {
                plugin: match &self.past {
                    Some(past) => past.plugin(&definition.uses.plugin, decided),
                    None => shelf.find(&definition.uses.plugin).map(PluginFile::digest),
                },
                unbound: unbound.cloned().collect(),
                watched,
                targets: bound.filter_map(identity).collect(),
                definition,
            });
        }
        Ok(asked)
    }

    /// Where an item stands.
    pub(crate) fn standing(
        &self,
        context: &Context,
        item: &Item,
        settings: &Settings,
        shelf: &Shelf,
    ) -> Result<Standing, StoreError> {
        let asked = self.asked(item, settings, shelf)?;
        Ok(Standing::of(item, &asked, self.entry(item), context.environment.now))
    }
}

impl Reading {
    /// The project, where it can be used; warnings are printed.
    fn told(self, context: &Context) -> Result<Project, Failure> {
        let Self { project, diagnostics } = self;
        let broken = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        let rendered = syntax::render(&diagnostics, context.printer.stderr_color);
        if broken {
            return Err(Failure::content(rendered).hint("mustdo explain CODE    tells more about a code"));
        }
        if !diagnostics.is_empty() {
            context.printer.note(rendered.trim_end());
        }
        Ok(project)
    }

    fn new(context: &Context, workspace: Option<Workspace>, files: Files) -> Result<Self, Failure> {
        let Files { settings, checklists, progress } = files;
        Self::of(context, workspace, &Content::read(checklists), settings, progress)
    }

    fn of(
        context: &Context,
        workspace: Option<Workspace>,
        content: &Content,
        settings: Option<TextFile>,
        recorded: Vec<TextFile>,
    ) -> Result<Self, Failure> {
        let Content { catalog, places, diagnostics, shipped, digests: _ } = content;
        let mut diagnostics = diagnostics.clone();
        let settings = settings.map_or_else(|| Source::new(Workspace::SETTINGS, ""), source);
        let settings = taken(syntax::read_settings(&settings), &mut diagnostics);
        let settings =
            settings.or_else(|| syntax::read_settings(&Source::new(Workspace::SETTINGS, "")).value);
        diagnostics.extend(settings.iter().flat_map(|settings| syntax::check_policy(catalog, settings)));
        let user = match &context.environment.config {
            Some(path) => crate::store::read_text(path)?.and_then(|text| {
                let source = Source::new(path.display().to_string(), text);
                taken(syntax::read_user_settings(&source), &mut diagnostics)
            }),
            None => None,
        };

        let mut progress = BTreeMap::new();
        for file in recorded {
            if let Some(read) = taken(syntax::read_progress(&source(file)), &mut diagnostics) {
                progress.insert(read.checklist.clone(), read);
            }
        }
        let moved = moved(catalog, &progress);
        let project = Project {
            workspace,
            shipped: *shipped,
            catalog: Arc::clone(catalog),
            places: Arc::clone(places),
            settings: settings.ok_or_else(|| Failure::bug("settings that say nothing can not be read"))?,
            user: user.map(|file| file.settings().clone()).unwrap_or_default(),
            progress,
            moved,
            past: None,
        };
        Ok(Self { project, diagnostics })
    }
}

/// Reads content on two threads, in order: parsing is the greater part of what a command costs that only looks. More
/// threads than two cost more to start than the shipped checklists take to read.
fn read_all(sources: &[Source]) -> Vec<syntax::Read<ChecklistFile>> {
    let (first, second) = sources.split_at(sources.len() / 2);
    let read = |sources: &[Source]| sources.iter().map(syntax::read_checklist).collect::<Vec<_>>();
    if first.is_empty() {
        return read(second);
    }
    thread::scope(|scope| {
        let other = scope.spawn(|| read(second));
        let mut all = read(first);
        all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        all
    })
}

/// Entries that do not stand where their item's progress belongs: under an id it no longer has, or in the file of a
/// checklist it is no longer in.
fn moved(catalog: &Catalog, progress: &BTreeMap<ChecklistId, Progress>) -> BTreeMap<ItemId, Entry> {
    let mut moved = BTreeMap::new();
    for (checklist, progress) in progress {
        for (id, entry) in &progress.entries {
            let today = if catalog.item(id).is_some() { Some(id) } else { catalog.renamed(id) };
            let Some(today) = today else { continue };
            let home = catalog.checklist_of(today).map(|checklist| &checklist.id);
            if today != id || home != Some(checklist) {
                moved.insert(today.clone(), entry.clone());
            }
        }
    }
    moved
}

fn source(file: TextFile) -> Source {
    Source::of_bytes(file.name, &file.bytes)
}

fn taken<T>(read: syntax::Read<T>, diagnostics: &mut Vec<Diagnostic>) -> Option<T> {
    diagnostics.extend(read.diagnostics);
    read.value
}
