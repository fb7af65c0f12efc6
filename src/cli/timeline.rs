//! Where every item stood in each commit of a workspace.
//!
//! Start at [`Timeline`]. Of a commit, only what differs from the one before is read, parsed and judged: files by the identity
//! of their bytes, items by the text of their tables, standings by what they depend on.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use jiff::Timestamp;

use super::context::Context;
use super::failure::Failure;
use super::past::{OwnPlugins, plugin_id, plugin_then};
use super::project::{Files, Project};
use super::shelf::Shelf;
use crate::model::{
    Asked, Catalog, Change, ChecklistId, Digest, Entry, Item, ItemId, Point, Standing, Status, Tally, plain,
    turns,
};
use crate::store::{
    BlobId, Repository, Revision, StoreError, StoredFile, StoredFolder, TextFile, Watch, Workspace,
};
use crate::syntax::{Diagnostic, ItemProgress, ProgressReader, ProgressVersion, Source};

/// Goes through the commits of a workspace, the oldest first.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    context: &'a Context,
    repository: &'a Repository,
    workspace: &'a Workspace,
    shelf: &'a Shelf,
    /// The items of today, for ids that have changed since.
    today: &'a Catalog,
    /// The items to look at, by the id of today; none for all.
    wanted: Option<HashSet<ItemId>>,
    reader: ProgressReader,
    versions: HashMap<StoredFile, Rc<Readable<ProgressVersion>>>,
    contents: HashMap<ContentKey, Rc<Readable<Content>>>,
    digests: HashMap<BlobId, Digest>,
    watches: HashMap<Vec<String>, Watch>,
    /// The plugins of the last commit, and the folder that they stand in.
    plugins: Option<(StoredFolder, Rc<OwnPlugins>)>,
    /// What was looked at last.
    seen: Option<Seen>,
    /// Where the items stood in the last commit that could be read, by the id of today.
    statuses: HashMap<ItemId, Status>,
}

/// What could be read, or the first problem in words.
type Readable<T> = Result<T, String>;

/// What the content of a commit depends on.
type ContentKey = (Option<StoredFile>, StoredFolder);

/// The items of a commit and what is asked of them.
#[derive(Debug)]
struct Content {
    project: Project,
    asked: HashMap<ItemId, Vec<Asked>>,
}

/// The items of the last commit that could be read.
#[derive(Debug)]
struct Seen {
    content: Rc<Readable<Content>>,
    versions: Vec<Rc<Readable<ProgressVersion>>>,
    /// In file order; only items that are wanted.
    slots: Vec<Slot>,
    by_id: HashMap<ItemId, usize>,
}

/// One item of the last commit.
#[derive(Debug)]
struct Slot {
    /// Its checklist and its place there.
    place: (usize, usize),
    /// The id it has today.
    today: ItemId,
    /// What is known of it.
    entry: Option<Rc<ItemProgress>>,
    /// Where it stood; none where something else is known of it since.
    judged: Option<Judged>,
}

/// A standing and what it depends on beside the question and what is known.
#[derive(Debug)]
struct Judged {
    plugins: Rc<OwnPlugins>,
    watched: Vec<Option<Digest>>,
    /// From when on it holds; none for ever.
    from: Option<Timestamp>,
    /// From when on it holds no more; none for never.
    until: Option<Timestamp>,
    standing: Standing,
}

impl Slot {
    /// Says what is known now.
    fn know(&mut self, entry: Option<&Rc<ItemProgress>>) {
        let same = match (&self.entry, entry) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same {
            self.entry = entry.cloned();
            self.judged = None;
        }
    }
}

impl Judged {
    fn holds(&self, plugins: &Rc<OwnPlugins>, watched: &[Option<Digest>], at: Timestamp) -> bool {
        (Rc::ptr_eq(&self.plugins, plugins) || self.plugins == *plugins)
            && self.watched == watched
            && self.from.is_none_or(|from| from <= at)
            && self.until.is_none_or(|until| at < until)
    }
}

impl Seen {
    /// Takes over what is known in other versions of the progress files: where the same files are there, only what is another
    /// allocation is looked at.
    fn know(&mut self, versions: Vec<Rc<Readable<ProgressVersion>>>) {
        let Ok(content) = &*self.content else { return };
        let catalog = &content.project.catalog;
        if let Some(changed) = self.changed(catalog, &versions) {
            for (slot, entry) in changed {
                self.slots[slot].know(Some(&entry));
            }
        } else {
            let entries = entries(catalog, &versions);
            for slot in &mut self.slots {
                let (checklist, item) = slot.place;
                let id = &catalog.checklists()[checklist].items[item].id;
                slot.know(entries.get(id).copied());
            }
        }
        self.versions = versions;
    }

    /// The slots of items of which something else is known, in place; none where something was taken away, moved, or stands in
    /// another file than its item's: then all of it has to be gone through.
    fn changed(
        &self,
        catalog: &Catalog,
        versions: &[Rc<Readable<ProgressVersion>>],
    ) -> Option<Vec<(usize, Rc<ItemProgress>)>> {
        if self.versions.len() != versions.len() {
            return None;
        }
        let mut changed = vec![];
        for (old, new) in self.versions.iter().zip(versions) {
            if Rc::ptr_eq(old, new) {
                continue;
            }
            let (Ok(old), Ok(new)) = (&**old, &**new) else { return None };
            if old.checklist != new.checklist {
                return None;
            }
            let mut before = old.items.iter().peekable();
            for known in &new.items {
                match before.peek() {
                    Some(old) if Rc::ptr_eq(old, known) => {
                        before.next();
                        continue;
                    }
                    Some(old) if old.id < known.id => return None,
                    Some(old) if old.id == known.id => drop(before.next()),
                    Some(_) | None => {}
                }
                if home(catalog, &known.id) != Some(&new.checklist) {
                    return None;
                }
                // An item that is not wanted has no slot.
                changed.extend(self.by_id.get(&known.id).map(|slot| (*slot, Rc::clone(known))));
            }
            if before.next().is_some() {
                return None;
            }
        }
        Some(changed)
    }
}

impl<'a> Timeline<'a> {
    /// Begins before the first commit. `wanted` are items of today, by id; none for all.
    pub(crate) fn new(
        context: &'a Context,
        repository: &'a Repository,
        workspace: &'a Workspace,
        shelf: &'a Shelf,
        today: &'a Catalog,
        wanted: Option<HashSet<ItemId>>,
    ) -> Self {
        Self {
            context,
            repository,
            workspace,
            shelf,
            today,
            wanted,
            reader: ProgressReader::default(),
            versions: HashMap::new(),
            contents: HashMap::new(),
            digests: HashMap::new(),
            watches: HashMap::new(),
            plugins: None,
            seen: None,
            statuses: HashMap::new(),
        }
    }

    /// Goes on after a commit in which the items stood so, by the id of today.
    #[must_use]
    pub(crate) fn after(mut self, statuses: HashMap<ItemId, Status>) -> Self {
        self.statuses = statuses;
        self
    }

    /// Where the items stood in the last commit that could be read, by the id of today.
    pub(crate) fn into_statuses(self) -> HashMap<ItemId, Status> {
        self.statuses
    }

    /// The next commit.
    pub(crate) fn point(&mut self, revision: &Revision) -> Result<Point, Failure> {
        let (tally, changes) = match self.read(revision)? {
            Ok((content, versions)) => {
                let (tally, changes) = self.judge(revision, &content, versions)?;
                (Ok(tally), changes)
            }
            Err(trouble) => (Err(trouble), vec![]),
        };
        Ok(Point {
            revision: Some(revision.id.clone()),
            at: revision.at,
            summary: plain(&revision.summary).into_owned(),
            tally,
            changes,
        })
    }

    /// The work tree, after the last commit: `standing` is where an item of today stands, with what is known of it.
    pub(crate) fn now(
        &mut self,
        now: Timestamp,
        standings: impl Iterator<Item = (&'a Item, Standing, Option<&'a Entry>)>,
    ) -> Point {
        let mut tally = Tally::default();
        let mut changes = vec![];
        let mut statuses = HashMap::new();
        for (item, standing, entry) in standings {
            tally.add(item, &standing);
            let from = self.statuses.get(&item.id).copied();
            changes.extend(Change::between(&item.id, from, Some(&standing), entry, now));
            statuses.insert(item.id.clone(), standing.status);
        }
        changes.extend(self.gone(|id| statuses.contains_key(id), now));
        self.statuses = statuses;
        Point { revision: None, at: now, summary: String::new(), tally: Ok(tally), changes }
    }

    /// Items that there were and are not any more.
    fn gone(&self, there: impl Fn(&ItemId) -> bool, at: Timestamp) -> Vec<Change> {
        let mut gone: Vec<_> = self.statuses.iter().filter(|(id, _)| !there(id)).collect();
        gone.sort_unstable();
        gone.into_iter().filter_map(|(id, from)| Change::between(id, Some(*from), None, None, at)).collect()
    }

    #[expect(
        clippy::type_complexity,
        reason = "what cannot be read is an answer, what can not be asked a failure"
    )]
    fn read(
        &mut self,
        revision: &Revision,
    ) -> Result<Readable<(Rc<Readable<Content>>, Vec<Rc<Readable<ProgressVersion>>>)>, Failure> {
        let content = self.content(revision)?;
        if let Err(trouble) = &*content {
            return Ok(Err(trouble.clone()));
        }
        let mut versions = Vec::with_capacity(revision.progress.len());
        for file in &*revision.progress {
            let version = self.version(file)?;
            if let Err(trouble) = &*version {
                return Ok(Err(trouble.clone()));
            }
            versions.push(version);
        }
        Ok(Ok((content, versions)))
    }

    fn version(&mut self, file: &StoredFile) -> Result<Rc<Readable<ProgressVersion>>, StoreError> {
        if let Some(known) = self.versions.get(file) {
            return Ok(Rc::clone(known));
        }
        let bytes = self.repository.stored(file)?;
        let source = Source::of_bytes(file.name.clone(), &bytes);
        let version = Rc::new(self.reader.read(&source).map_err(|found| first(&found)));
        self.versions.insert(file.clone(), Rc::clone(&version));
        Ok(version)
    }

    fn content(&mut self, revision: &Revision) -> Result<Rc<Readable<Content>>, Failure> {
        let key = (revision.settings.clone(), Rc::clone(&revision.checklists));
        if let Some(known) = self.contents.get(&key) {
            return Ok(Rc::clone(known));
        }
        let read = |file: &StoredFile| {
            Ok::<_, StoreError>(TextFile { name: file.name.clone(), bytes: self.repository.stored(file)? })
        };
        let files = Files {
            settings: key.0.as_ref().map(read).transpose()?,
            checklists: key.1.iter().map(read).collect::<Result<_, _>>()?,
            progress: vec![],
        };
        let workspace = Workspace::at(self.workspace.root().to_owned());
        let content = match Project::content(self.context, workspace, files)? {
            Ok(project) => Ok(self.asked(project)?),
            Err(found) => Err(first(&found)),
        };
        let content = Rc::new(content);
        self.contents.insert(key, Rc::clone(&content));
        Ok(content)
    }

    fn asked(&self, project: Project) -> Result<Content, StoreError> {
        let settings = project.effective_settings();
        let mut asked = HashMap::new();
        for item in project.catalog.items() {
            asked.insert(item.id.clone(), project.asked(item, &settings, self.shelf)?);
        }
        Ok(Content { project, asked })
    }

    fn plugins(&mut self, revision: &Revision) -> Result<Rc<OwnPlugins>, StoreError> {
        if let Some((folder, plugins)) = &self.plugins
            && Rc::ptr_eq(folder, &revision.plugins)
        {
            return Ok(Rc::clone(plugins));
        }
        let mut plugins = OwnPlugins::new();
        for file in &*revision.plugins {
            let Some(id) = plugin_id(file) else { continue };
            let digest = match self.digests.get(&file.id) {
                Some(known) => *known,
                None => Digest::of(&self.repository.stored(file)?),
            };
            self.digests.insert(file.id, digest);
            plugins.insert(id, digest);
        }
        let plugins = Rc::new(plugins);
        self.plugins = Some((Rc::clone(&revision.plugins), Rc::clone(&plugins)));
        Ok(plugins)
    }

    fn judge(
        &mut self,
        revision: &Revision,
        content: &Rc<Readable<Content>>,
        versions: Vec<Rc<Readable<ProgressVersion>>>,
    ) -> Result<(Tally, Vec<Change>), Failure> {
        let Ok(read) = &**content else { return Err(Failure::bug("content that was not read is judged")) };
        let plugins = self.plugins(revision)?;
        let mut seen = match self.seen.take() {
            Some(seen) if Rc::ptr_eq(&seen.content, content) => seen,
            _ => self.slots(content, read),
        };
        seen.know(versions);
        let mut tally = Tally::default();
        let mut changes = vec![];
        for slot in &mut seen.slots {
            let (checklist, item) = slot.place;
            let item = &read.project.catalog.checklists()[checklist].items[item];
            self.stand(revision, read, item, slot, &plugins)?;
            let Some(Judged { standing, .. }) = &slot.judged else {
                return Err(Failure::bug("an item was judged and stands nowhere"));
            };
            tally.add(item, standing);
            let (status, today) = (standing.status, &slot.today);
            let from = self.statuses.get(today).copied();
            if from != Some(status) {
                let entry = slot.entry.as_ref().map(|known| &known.entry);
                changes.extend(Change::between(today, from, Some(standing), entry, revision.at));
                self.statuses.insert(today.clone(), status);
            }
        }
        if self.statuses.len() != seen.slots.len() {
            let there: HashSet<&ItemId> = seen.slots.iter().map(|slot| &slot.today).collect();
            changes.extend(self.gone(|id| there.contains(id), revision.at));
            self.statuses.retain(|id, _| there.contains(id));
        }
        self.seen = Some(seen);
        Ok((tally, changes))
    }

    /// The wanted items of some content, of which nothing is known yet.
    fn slots(&self, content: &Rc<Readable<Content>>, read: &Content) -> Seen {
        let mut slots = vec![];
        let mut by_id = HashMap::new();
        for (checklist, list) in read.project.catalog.checklists().iter().enumerate() {
            for (position, item) in list.items.iter().enumerate() {
                let today = self.id_of_today(&item.id);
                if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(today)) {
                    by_id.insert(item.id.clone(), slots.len());
                    slots.push(Slot {
                        place: (checklist, position),
                        today: today.clone(),
                        entry: None,
                        judged: None,
                    });
                }
            }
        }
        Seen { content: Rc::clone(content), versions: vec![], slots, by_id }
    }

    fn id_of_today<'b>(&'b self, id: &'b ItemId) -> &'b ItemId {
        if self.today.item(id).is_some() { id } else { self.today.renamed(id).unwrap_or(id) }
    }

    /// Judges an item, unless what is known of it holds for this commit too.
    fn stand(
        &mut self,
        revision: &Revision,
        content: &Content,
        item: &Item,
        slot: &mut Slot,
        plugins: &Rc<OwnPlugins>,
    ) -> Result<(), StoreError> {
        let base = content.asked.get(&item.id).map(Vec::as_slice).unwrap_or_default();
        let watched = self.watched(revision, base, slot.entry.as_ref())?;
        if slot.judged.as_ref().is_some_and(|judged| judged.holds(plugins, &watched, revision.at)) {
            return Ok(());
        }
        let entry = slot.entry.as_ref().map(|known| &known.entry);
        let mut asked = base.to_vec();
        for (asked, watched) in asked.iter_mut().zip(&watched) {
            let record = entry.and_then(|entry| entry.checks.get(&asked.definition.uses)?.decided.as_ref());
            asked.plugin = plugin_then(plugins, &asked.definition.uses.plugin, record);
            asked.watched = *watched;
        }
        let turns = turns(&asked, entry);
        slot.judged = Some(Judged {
            plugins: Rc::clone(plugins),
            watched,
            from: turns.iter().rev().find(|turn| **turn <= revision.at).copied(),
            until: turns.iter().find(|turn| **turn > revision.at).copied(),
            standing: Standing::of(item, &asked, entry, revision.at),
        });
        Ok(())
    }

    /// The watched files of each check as the commit holds them; none where nothing was decided that could go stale.
    fn watched(
        &mut self,
        revision: &Revision,
        asked: &[Asked],
        entry: Option<&Rc<ItemProgress>>,
    ) -> Result<Vec<Option<Digest>>, StoreError> {
        let mut watched = vec![];
        for asked in asked {
            let known = entry.and_then(|known| known.entry.checks.get(&asked.definition.uses));
            let globs = &asked.definition.watch;
            if globs.is_empty() || known.is_none_or(|known| known.decided.is_none()) {
                watched.push(None);
                continue;
            }
            if !self.watches.contains_key(globs) {
                self.watches.insert(globs.clone(), Watch::new(globs)?);
            }
            let watch = self.watches.get_mut(globs);
            watched.push(watch.map(|watch| watch.digest(self.repository, revision)).transpose()?.flatten());
        }
        Ok(watched)
    }
}

/// What is known of each item: under its id in its checklist's file, else under a former id or in another file.
fn entries<'a>(
    catalog: &Catalog,
    versions: &'a [Rc<Readable<ProgressVersion>>],
) -> HashMap<ItemId, &'a Rc<ItemProgress>> {
    let mut entries = HashMap::new();
    let mut moved = vec![];
    for version in versions.iter().filter_map(|version| version.as_ref().as_ref().ok()) {
        for known in &version.items {
            let here = |id: &ItemId| home(catalog, id) == Some(&version.checklist);
            if here(&known.id) {
                entries.insert(known.id.clone(), known);
            } else if catalog.item(&known.id).is_some() {
                moved.push((known.id.clone(), known));
            } else if let Some(today) = catalog.renamed(&known.id) {
                moved.push((today.clone(), known));
            }
        }
    }
    // Of several, the last file's counts, as when the work tree is read.
    for (id, known) in moved.into_iter().rev() {
        entries.entry(id).or_insert(known);
    }
    entries
}

fn home<'a>(catalog: &'a Catalog, id: &ItemId) -> Option<&'a ChecklistId> {
    catalog.checklist_of(id).map(|checklist| &checklist.id)
}

/// The first of several problems, in one line.
pub(super) fn first(found: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let place = found.labels.first().map(|label| format!("{}: ", label.source.name));
        format!("{}{}", place.unwrap_or_default(), found.message)
    };
    found.first().map(|found| plain(&line(found)).into_owned()).unwrap_or_default()
}
