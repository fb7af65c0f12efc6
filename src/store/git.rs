//! The git repository around a workspace.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{ConfigLevel, ErrorCode, ObjectType, RepositoryState, StatusOptions};

use super::StoreError;
use crate::model::{Digest, Hasher};

/// A repository, mostly one with a work tree.
pub struct Repository {
    inner: git2::Repository,
    work_tree: PathBuf,
}

/// The commit that HEAD stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub id: String,
    /// Whether tracked files differ from it; mustdo's own progress files do not count.
    pub changed: bool,
}

impl std::fmt::Display for Commit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}{}", self.id, if self.changed { "+" } else { "" })
    }
}

/// Objects are taken for what they are called: git makes sure of it where it gets them (git-index-pack(1)) and when it is asked
/// to (git-fsck(1)), and so it is done here. libgit2 by itself computes the hash of every object that it reads, which takes as
/// long again as everything else about a history.
fn read_as_git_does() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| git2::opts::strict_hash_verification(false));
}

pub(super) fn failed(action: &'static str) -> impl Fn(git2::Error) -> StoreError {
    move |source| StoreError::Git { action, source }
}

impl Repository {
    /// The repository that `path` lies in; none where it lies in none.
    pub fn discover(path: &Path) -> Result<Option<Self>, StoreError> {
        read_as_git_does();
        match git2::Repository::discover(path) {
            Ok(inner) => Self::new(inner).map(Some),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) if error.code() == ErrorCode::Owner => {
                Err(StoreError::Foreign { path: path.to_owned() })
            }
            Err(error) => Err(failed("open the repository")(error)),
        }
    }

    /// The repository at `path` of which there is no work tree, such as one that was fetched: its commits can be read.
    pub fn bare(path: &Path) -> Result<Self, StoreError> {
        read_as_git_does();
        let inner = git2::Repository::open_bare(path).map_err(failed("open the repository"))?;
        Ok(Self { work_tree: path.to_owned(), inner })
    }

    /// Makes a repository without a work tree at `path`.
    pub fn init_bare(path: &Path) -> Result<(), StoreError> {
        git2::Repository::init_bare(path).map(drop).map_err(failed("make a repository"))
    }

    /// Makes a repository at `path`.
    pub fn init(path: &Path) -> Result<Self, StoreError> {
        Self::new(git2::Repository::init(path).map_err(failed("make a repository"))?)
    }

    fn new(inner: git2::Repository) -> Result<Self, StoreError> {
        match inner.workdir() {
            Some(work_tree) => Ok(Self { work_tree: work_tree.to_owned(), inner }),
            None => Err(StoreError::Bare { path: inner.path().to_owned() }),
        }
    }

    pub(super) fn inner(&self) -> &git2::Repository {
        &self.inner
    }

    /// The folder that is checked out; of a repository without one, its own.
    #[must_use]
    pub fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// Sets a value in the repository's own configuration; true where it was another.
    pub fn configure(&self, key: &str, value: &str) -> Result<bool, StoreError> {
        let action = failed("change the repository's configuration");
        let mut config =
            self.inner.config().and_then(|config| config.open_level(ConfigLevel::Local)).map_err(&action)?;
        if config.get_string(key).is_ok_and(|known| known == value) {
            return Ok(false);
        }
        config.set_str(key, value).map_err(&action)?;
        Ok(true)
    }

    /// The commit that HEAD stands on, 40 hexadecimal digits; none before the first.
    pub fn head_id(&self) -> Result<Option<String>, StoreError> {
        Ok(self.head_commit()?.map(|commit| commit.id().to_string()))
    }

    fn head_commit(&self) -> Result<Option<git2::Commit<'_>>, StoreError> {
        let action = failed("read HEAD");
        match self.inner.head() {
            Ok(head) => head.peel_to_commit().map(Some).map_err(action),
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => Ok(None),
            Err(error) => Err(action(error)),
        }
    }

    /// Where HEAD stands and whether the work tree differs from it, `own` aside, a folder that mustdo writes itself; none
    /// before the first commit.
    pub fn head(&self, own: &Path) -> Result<Option<Commit>, StoreError> {
        let Some(head) = self.head_commit()? else { return Ok(None) };
        let mut options = StatusOptions::new();
        options.include_untracked(false).include_ignored(false);
        let statuses =
            self.inner.statuses(Some(&mut options)).map_err(failed("compare the work tree with HEAD"))?;
        let own = self.relative(own);
        let foreign = |path: &str| !Path::new(path).starts_with(&own);
        let changed = statuses.iter().any(|status| status.path().map_or(true, foreign));
        Ok(Some(Commit { id: head.id().to_string(), changed }))
    }

    /// What HEAD holds, `own` aside, a folder that mustdo writes itself. None where the work tree holds anything else: a change,
    /// or a file that is neither committed nor ignored; and before the first commit.
    pub fn committed(&self, own: &Path) -> Result<Option<Digest>, StoreError> {
        let Some(head) = self.head_commit()? else { return Ok(None) };
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
        let statuses =
            self.inner.statuses(Some(&mut options)).map_err(failed("compare the work tree with HEAD"))?;
        let own = self.relative(own);
        let foreign = |path: &str| !Path::new(path).starts_with(&own);
        if statuses.iter().any(|status| status.path().map_or(true, foreign)) {
            return Ok(None);
        }
        let mut hasher = Hasher::default();
        let parts: Vec<_> = own.iter().collect();
        self.beside(&head.tree().map_err(failed("read HEAD"))?, &parts, &mut hasher)?;
        Ok(Some(hasher.finish()))
    }

    /// Adds everything in a tree but what is at the end of `path`.
    fn beside(&self, tree: &git2::Tree<'_>, path: &[&OsStr], hasher: &mut Hasher) -> Result<(), StoreError> {
        for entry in tree {
            let on_path = path.first().is_some_and(|part| part.as_encoded_bytes() == entry.name_bytes());
            match (on_path, path) {
                (true, [_]) => {}
                (true, [_, rest @ ..]) if entry.kind() == Some(ObjectType::Tree) => {
                    let below = self.inner.find_tree(entry.id()).map_err(failed("read HEAD"))?;
                    self.beside(&below, rest, hasher.field(entry.name_bytes()))?;
                }
                _ => {
                    hasher.field(entry.name_bytes()).field(entry.id()).field(entry.filemode().to_le_bytes());
                }
            }
        }
        Ok(())
    }

    /// Commits the files at `paths` as they are on disk, and nothing else: what is staged for other files stays staged
    /// and uncommitted. Hooks do not run. None where the files are already committed as they are.
    pub fn commit(&self, paths: &[PathBuf], message: &str) -> Result<Option<String>, StoreError> {
        self.ready()?;
        let parent = self.head_commit()?;
        let before = parent.as_ref().map(git2::Commit::tree).transpose().map_err(failed("read HEAD"))?;
        // A scratch index holds HEAD and the files to commit; the real one, with whatever is staged in it, is left alone.
        let mut scratch = git2::Index::new().map_err(failed("prepare a commit"))?;
        if let Some(tree) = &before {
            scratch.read_tree(tree).map_err(failed("read HEAD"))?;
        }
        // The real index knows modes, filters and line endings; it is written only once the commit is there, else git would
        // show the committed files as staged for removal.
        let mut index = self.inner.index().map_err(failed("read the index"))?;
        for path in paths.iter().map(|path| self.relative(path)) {
            index.add_path(&path).map_err(failed("store a file"))?;
            if let Some(entry) = index.get_path(&path, 0) {
                scratch.add(&entry).map_err(failed("prepare a commit"))?;
            }
        }
        let tree = scratch.write_tree_to(&self.inner).map_err(failed("write a tree"))?;
        if before.as_ref().is_some_and(|before| before.id() == tree) {
            return Ok(None);
        }
        let tree = self.inner.find_tree(tree).map_err(failed("write a tree"))?;
        let author =
            self.inner.signature().map_err(failed("find your name: set git's user.name and user.email"))?;
        let parents: Vec<_> = parent.iter().collect();
        let id = self
            .inner
            .commit(Some("HEAD"), &author, &author, message, &tree, &parents)
            .map_err(failed("commit"))?;
        index.write().map_err(failed("update the index"))?;
        Ok(Some(id.to_string()))
    }

    /// `path` as the work tree has it.
    pub(super) fn relative(&self, path: &Path) -> PathBuf {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let tree = self.work_tree.canonicalize().unwrap_or_else(|_| self.work_tree.clone());
        real.strip_prefix(&tree).map_or(real.clone(), Path::to_owned)
    }

    fn ready(&self) -> Result<(), StoreError> {
        let state = match self.inner.state() {
            RepositoryState::Clean => return Ok(()),
            RepositoryState::Merge => "merge",
            RepositoryState::Revert | RepositoryState::RevertSequence => "revert",
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "cherry-pick",
            RepositoryState::Bisect => "bisect",
            RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => {
                "rebase"
            }
            RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "patch series",
        };
        Err(StoreError::Busy { state })
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Repository").field("work_tree", &self.work_tree).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::replace;

    fn repository() -> (tempfile::TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        let mut config = repository.inner.config().unwrap();
        config.set_str("user.name", "Learner").unwrap();
        config.set_str("user.email", "learner@example.org").unwrap();
        (folder, repository)
    }

    fn committed(repository: &Repository, path: &str) -> Option<Vec<u8>> {
        let tree = repository.inner.head().unwrap().peel_to_tree().unwrap();
        let entry = tree.get_path(Path::new(path)).ok()?;
        Some(repository.inner.find_blob(entry.id()).unwrap().content().to_vec())
    }

    #[test]
    fn commit_takes_its_files_and_leaves_what_else_is_staged() {
        let (folder, repository) = repository();
        let (own, other) = (folder.path().join("progress/a.toml"), folder.path().join("app.py"));
        replace(&own, b"1").unwrap();
        assert!(repository.commit(std::slice::from_ref(&own), "first").unwrap().is_some());

        replace(&own, b"2").unwrap();
        replace(&other, b"staged").unwrap();
        let mut index = repository.inner.index().unwrap();
        index.add_path(Path::new("app.py")).unwrap();
        index.write().unwrap();
        assert!(repository.commit(std::slice::from_ref(&own), "second").unwrap().is_some());

        assert_eq!(committed(&repository, "progress/a.toml").unwrap(), b"2");
        assert_eq!(committed(&repository, "app.py"), None);
        let statuses = repository.inner.statuses(None).unwrap();
        let left: Vec<_> = statuses.iter().map(|status| status.status()).collect();
        assert_eq!(left, [git2::Status::INDEX_NEW]);
    }

    #[test]
    fn nothing_new_is_no_commit() {
        let (folder, repository) = repository();
        let own = folder.path().join("a.toml");
        replace(&own, b"1").unwrap();
        assert!(repository.commit(std::slice::from_ref(&own), "first").unwrap().is_some());
        assert_eq!(repository.commit(&[own], "second").unwrap(), None);
    }

    #[test]
    fn head_is_marked_when_the_tree_differs_and_progress_does_not_count() {
        let (folder, repository) = repository();
        let head = || repository.head(&folder.path().join("progress")).unwrap();
        assert_eq!(head(), None);
        let (own, other) = (folder.path().join("progress/a.toml"), folder.path().join("app/progress/bar.py"));
        replace(&own, b"1").unwrap();
        replace(&other, b"1").unwrap();
        repository.commit(&[own.clone(), other.clone()], "first").unwrap();
        replace(&own, b"2").unwrap();
        assert!(!head().unwrap().changed);
        replace(&other, b"2").unwrap();
        assert!(head().unwrap().changed);
    }

    #[test]
    fn folder_outside_any_repository_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Repository::discover(folder.path()).unwrap().is_none());
    }
}
