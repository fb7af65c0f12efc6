//! The workspace as a commit holds it.
//!
//! Start at [`Repository::revision`] for one commit and at [`Repository::revisions`] for all that changed the workspace.
//! Nothing is checked out: files are read from git's objects, and equal [`BlobId`]s are equal bytes, so that nobody has to
//! read or parse a file twice.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use git2::{ObjectType, Oid, Tree};
use globset::GlobSet;
use jiff::Timestamp;

use super::git::failed;
use super::guard::Guard;
use super::workspace::{LARGEST, glob_set};
use super::{Repository, StoreError, Workspace};
use crate::model::{Digest, Hasher};

/// The identity of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(Oid);

/// A file that a commit holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredFile {
    /// Relative to the workspace, "/" between parts.
    pub name: String,
    /// Which bytes.
    pub id: BlobId,
}

/// The files of a folder; those of two commits between which it did not change are the same allocation.
pub type StoredFolder = Rc<[StoredFile]>;

/// The workspace in one commit.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The commit, 40 hexadecimal digits.
    pub id: String,
    /// When it was committed.
    pub at: Timestamp,
    /// The first line of its message.
    pub summary: String,
    /// `mustdo.toml`; none where the commit has none.
    pub settings: Option<StoredFile>,
    /// Its own checklists, by file name.
    pub checklists: StoredFolder,
    /// Its progress files, by file name.
    pub progress: StoredFolder,
    /// Its plugins, by file name.
    pub plugins: StoredFolder,
    root: Oid,
    tree: Oid,
}

impl Revision {
    /// Bytes of settings, checklists and progress together that are read of somebody else's commit.
    pub const FOREIGN_TEXT: usize = Guard::TEXT;
    /// Bytes of plugins together that are digested of somebody else's commit.
    pub const FOREIGN_PLUGINS: usize = Guard::PLUGINS;

    /// Whether the workspace is the same in both, byte for byte.
    #[must_use]
    pub fn same_files(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

/// What was listed already, by the tree that it was listed from.
#[derive(Debug, Default)]
struct Listed(HashMap<Option<Oid>, StoredFolder>);

impl Repository {
    /// The workspace at `root` as the commit that `name` stands for holds it: a branch, a tag, `HEAD~3`, a commit's id.
    pub fn revision(&self, root: &Path, name: &str) -> Result<Revision, StoreError> {
        let prefix = self.relative(root);
        self.at(&self.commit_of(name)?, &prefix, &mut [(); 3].map(|()| Listed::default()))
    }

    /// The workspace in `folder` as the commit that `name` stands for holds it; the folder is relative to the repository's
    /// root and empty for that.
    pub fn revision_in(&self, folder: &Path, name: &str) -> Result<Revision, StoreError> {
        self.at(&self.commit_of(name)?, folder, &mut [(); 3].map(|()| Listed::default()))
    }

    /// How many bytes a file has, found out without reading it.
    pub fn stored_size(&self, file: &StoredFile) -> Result<usize, StoreError> {
        self.size(file.id.0)
    }

    fn size(&self, object: Oid) -> Result<usize, StoreError> {
        let objects = self.inner().odb().map_err(failed("read a commit"))?;
        Ok(objects.read_header(object).map_err(failed("read a file of a commit"))?.0)
    }

    /// A folder of a commit, unless it is larger than any folder is.
    fn tree(&self, id: Oid) -> Result<Tree<'_>, StoreError> {
        if self.size(id)? > LARGEST_TREE {
            return Err(StoreError::TooMuch { path: self.work_tree().to_owned() });
        }
        self.inner().find_tree(id).map_err(failed("read a commit"))
    }

    /// Whether the clone ends before its history does.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        self.inner().is_shallow()
    }

    /// The newest commit that both names go back to.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<String, StoreError> {
        let (one_id, other_id) = (self.commit_of(one)?.id(), self.commit_of(other)?.id());
        let base = self
            .inner()
            .merge_base(one_id, other_id)
            .map_err(|_| StoreError::Unrelated { one: one.to_owned(), other: other.to_owned() })?;
        Ok(base.to_string())
    }

    /// The workspace at `root` in every commit that changed it, the oldest first: `name` and its first parents. What was
    /// merged counts where it was merged.
    pub fn revisions(&self, root: &Path, name: &str) -> Result<Vec<Revision>, StoreError> {
        let all = self.line(name, None)?.unwrap_or_default();
        self.changing(root, &all, None)
    }

    /// The same without the commit `since` and all before it; none where that is not among them.
    pub fn revisions_after(
        &self,
        root: &Path,
        name: &str,
        since: &str,
    ) -> Result<Option<Vec<Revision>>, StoreError> {
        let Ok(known) = self.commit_of(since) else { return Ok(None) };
        let Some(later) = self.line(name, Some(known.id()))? else { return Ok(None) };
        let last = (!later.is_empty()).then(|| self.revision(root, since)).transpose()?;
        self.changing(root, &later, last).map(Some)
    }

    /// A commit and its first parents, the oldest first, those after `since` only; none where they do not lead there.
    fn line(&self, name: &str, since: Option<Oid>) -> Result<Option<Vec<Oid>>, StoreError> {
        let action = "walk the commits";
        let mut line = vec![];
        // By parents and not by time, which no clock vouches for.
        let mut commit = self.commit_of(name)?;
        loop {
            if Some(commit.id()) == since {
                break;
            }
            line.push(commit.id());
            commit = match commit.parent_count() {
                0 if since.is_some() => return Ok(None),
                0 => break,
                _ => match commit.parent(0) {
                    Ok(parent) => parent,
                    // A shallow clone ends before its history does.
                    Err(_) if self.inner().is_shallow() => break,
                    Err(error) => return Err(failed(action)(error)),
                },
            };
        }
        line.reverse();
        Ok(Some(line))
    }

    /// Of these commits, those whose workspace is another than before; `last` is what stood there before the first.
    fn changing(
        &self,
        root: &Path,
        ids: &[Oid],
        mut last: Option<Revision>,
    ) -> Result<Vec<Revision>, StoreError> {
        let prefix = self.relative(root);
        let mut listed = [(); 3].map(|()| Listed::default());
        let mut revisions = vec![];
        for id in ids {
            let commit = self.inner().find_commit(*id).map_err(failed("walk the commits"))?;
            if last.as_ref().is_some_and(|last| last.tree == commit.tree_id()) {
                continue;
            }
            let revision = self.at(&commit, &prefix, &mut listed)?;
            if last.as_ref().is_none_or(|last| !last.same_files(&revision)) {
                revisions.push(revision.clone());
                last = Some(revision);
            }
        }
        Ok(revisions)
    }

    /// The bytes of a file.
    pub fn stored(&self, file: &StoredFile) -> Result<Vec<u8>, StoreError> {
        // Before it is unpacked: of a few bytes of a pack can come any number.
        if self.stored_size(file)? > LARGEST {
            return Err(StoreError::TooLarge { path: file.name.clone().into(), limit: LARGEST });
        }
        let blob = self.inner().find_blob(file.id.0).map_err(failed("read a file of a commit"))?;
        Ok(blob.content().to_vec())
    }

    fn commit_of(&self, name: &str) -> Result<git2::Commit<'_>, StoreError> {
        let unknown = |source| StoreError::Revision { name: name.to_owned(), source };
        self.inner().revparse_single(name).and_then(|object| object.peel_to_commit()).map_err(unknown)
    }

    fn at(
        &self,
        commit: &git2::Commit<'_>,
        prefix: &Path,
        listed: &mut [Listed; 3],
    ) -> Result<Revision, StoreError> {
        let action = "read a commit";
        let tree = commit.tree().map_err(failed(action))?;
        let root = if prefix.as_os_str().is_empty() { Some(tree.id()) } else { folder(&tree, prefix) };
        let files = root.map(|root| self.inner().find_tree(root).map_err(failed(action))).transpose()?;
        let id_of = |name: &str, kind| {
            let entry = files.as_ref()?.get_name(name)?;
            (entry.kind() == Some(kind)).then(|| entry.id())
        };
        let [checklists, progress, plugins] = listed;
        let list = |listed: &mut Listed, name: &str, extension: &str| {
            let folder = id_of(name, ObjectType::Tree);
            if let Some(known) = listed.0.get(&folder) {
                return Ok(Rc::clone(known));
            }
            let files = folder.map(|folder| self.list(folder, name, extension)).transpose()?;
            let files: StoredFolder = files.unwrap_or_default().into();
            listed.0.insert(folder, Rc::clone(&files));
            Ok(files)
        };
        let settings = id_of(Workspace::SETTINGS, ObjectType::Blob)
            .map(|id| StoredFile { name: Workspace::SETTINGS.to_owned(), id: BlobId(id) });
        let seconds = commit.time().seconds();
        Ok(Revision {
            id: commit.id().to_string(),
            at: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
            summary: commit.summary().ok().flatten().unwrap_or_default().to_owned(),
            settings,
            checklists: list(checklists, Workspace::CHECKLISTS, "toml")?,
            progress: list(progress, Workspace::PROGRESS, "toml")?,
            plugins: list(plugins, Workspace::PLUGINS, "wasm")?,
            root: root.unwrap_or(Oid::ZERO_SHA1),
            tree: tree.id(),
        })
    }

    /// The files of a folder as [`Workspace`] would list it: by name, hidden ones left out.
    fn list(&self, folder: Oid, name: &str, extension: &str) -> Result<Vec<StoredFile>, StoreError> {
        let tree = self.tree(folder)?;
        let mut files = vec![];
        for entry in &tree {
            let file = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let wanted = Path::new(&file).extension().is_some_and(|found| found == extension);
            if entry.kind() == Some(ObjectType::Blob) && wanted && !file.starts_with('.') {
                files.push(StoredFile { name: format!("{name}/{file}"), id: BlobId(entry.id()) });
            }
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }
}

/// Globs that proofs depend on, looked at in many commits: a folder that did not change is not walked again.
#[derive(Debug)]
pub struct Watch {
    wanted: GlobSet,
    /// What is wanted below a folder, by the folder and where it stands.
    folders: HashMap<(Oid, String), Rc<[Matching]>>,
    digests: HashMap<Vec<Matching>, Option<Digest>>,
    room: Room,
}

/// How much may still be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    /// No end to it.
    pub const BOUNDLESS: Self = Self { entries: usize::MAX, bytes: usize::MAX };
    /// As much as a workspace has: a few trees that hold each other make a folder with more files than there are bytes.
    pub const FOREIGN: Self = Self { entries: Guard::ENTRIES, bytes: Guard::WATCHED };
}

/// The path and the bytes of a wanted file.
type Matching = (Rc<str>, Oid);

impl Watch {
    /// Watches what any of `globs` matches.
    pub fn new(globs: &[String]) -> Result<Self, StoreError> {
        Self::within(globs, Room::BOUNDLESS)
    }

    /// The same, where no more is looked at than `room` has, and the rest is an error.
    pub fn within(globs: &[String], room: Room) -> Result<Self, StoreError> {
        Ok(Self { wanted: glob_set(globs)?, folders: HashMap::new(), digests: HashMap::new(), room })
    }

    /// What is left of the room.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// What [`Workspace::watched`] gives for the files of `revision`, were they checked out: the same digest where they
    /// have the same bytes under the same paths. None also where it can not be told, because a link matches: the bytes
    /// behind it are not looked for.
    pub fn digest(
        &mut self,
        repository: &Repository,
        revision: &Revision,
    ) -> Result<Option<Digest>, StoreError> {
        if revision.root.is_zero() {
            return Ok(None);
        }
        let found = self.matching(repository, revision.root, "")?;
        if let Some(known) = self.digests.get(&*found) {
            return Ok(*known);
        }
        let mut hasher = Hasher::default();
        let mut told = !found.is_empty();
        for (path, id) in &*found {
            let Ok(size) = repository.size(*id) else {
                told = false;
                break;
            };
            let left = self.room.bytes.checked_sub(size);
            let too_much = || StoreError::TooMuch { path: repository.work_tree().to_owned() };
            self.room.bytes = left.ok_or_else(too_much)?;
            let Ok(blob) = repository.inner().find_blob(*id) else {
                told = false;
                break;
            };
            hasher.field(path.as_bytes()).field(blob.content());
        }
        let digest = told.then(|| hasher.finish());
        self.digests.insert(found.to_vec(), digest);
        Ok(digest)
    }

    /// The wanted files below a folder, in the order in which [`Workspace::watched`] walks: by name, a folder's files where
    /// the folder's name stands.
    fn matching(
        &mut self,
        repository: &Repository,
        folder: Oid,
        prefix: &str,
    ) -> Result<Rc<[Matching]>, StoreError> {
        let key = (folder, prefix.to_owned());
        if let Some(known) = self.folders.get(&key) {
            return Ok(Rc::clone(known));
        }
        let tree = repository.tree(folder)?;
        let mut entries: Vec<_> = tree.iter().collect();
        self.room.entries = self
            .room
            .entries
            .checked_sub(entries.len() + 1)
            .ok_or_else(|| StoreError::TooMuch { path: repository.work_tree().to_owned() })?;
        entries.sort_by(|one, other| one.name_bytes().cmp(other.name_bytes()));
        let mut found = vec![];
        for entry in entries {
            let name = String::from_utf8_lossy(entry.name_bytes());
            if prefix.is_empty() && Workspace::is_own(&name) {
                continue;
            }
            let path = format!("{prefix}{name}");
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let below = self.matching(repository, entry.id(), &format!("{path}/"))?;
                    found.extend(below.iter().cloned());
                }
                Some(ObjectType::Blob) if self.wanted.is_match(&path) => {
                    let link = entry.filemode() == LINK;
                    found.push((path.into(), if link { Oid::ZERO_SHA1 } else { entry.id() }));
                }
                _ => {}
            }
        }
        let found: Rc<[Matching]> = found.into();
        self.folders.insert(key, Rc::clone(&found));
        Ok(found)
    }
}

/// Bytes of a folder of a commit: a hundred thousand files.
const LARGEST_TREE: usize = 8 << 20;

/// The mode of a symbolic link in a tree.
const LINK: i32 = 0o120_000;

fn folder(tree: &Tree<'_>, path: &Path) -> Option<Oid> {
    let entry = tree.get_path(path).ok()?;
    (entry.kind() == Some(ObjectType::Tree)).then(|| entry.id())
}
