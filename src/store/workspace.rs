//! A workspace on disk.

#![expect(clippy::disallowed_methods, reason = "this module owns reading the workspace")]

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::guard::{Guard, Use};
use super::{Repository, StoreError, WriteLock, replace};
use crate::model::{ChecklistId, Digest, Hasher, PluginId};

/// Bytes that a file of a workspace has at most. A clone may have a link to a device without end.
pub(super) const LARGEST: usize = 64 << 20;

/// A folder with a `mustdo.toml`, and the git repository around it.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    /// What may be read of it; none where it is the user's own.
    guard: Option<Guard>,
}

/// A text file of a workspace, as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Relative to the workspace, "/" between parts.
    pub name: String,
    /// What stands in it; UTF-8, if its writer was careful.
    pub bytes: Vec<u8>,
}

impl Workspace {
    /// The settings file that makes a folder a workspace.
    pub const SETTINGS: &str = "mustdo.toml";
    /// Where checklists are looked for.
    pub const CHECKLISTS: &str = "checklists";
    /// Where the text of each checklist is kept as it was when it was last taken: what the user's changes are changes of.
    pub const BASES: &str = "checklists/.base";
    /// Where progress is kept.
    pub const PROGRESS: &str = "progress";
    /// Where third-party plugins are looked for.
    pub const PLUGINS: &str = "plugins";
    /// What was taken from outside, and from where.
    pub const LOCK: &str = "mustdo.lock";
    /// What belongs to this machine: locks, logs, transcripts.
    pub const PRIVATE: &str = ".mustdo";

    /// The workspace that `start` lies in: the nearest folder upwards with a `mustdo.toml`. None where there is none.
    #[must_use]
    pub fn find(start: &Path) -> Option<Self> {
        let root = start.ancestors().find(|folder| folder.join(Self::SETTINGS).is_file())?;
        Some(Self { root: root.to_owned(), guard: None })
    }

    /// The workspace at `root`, whether it has a settings file yet or not.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root, guard: None }
    }

    /// The workspace at `root`, which somebody else writes: no link leads out of it, only so much of it is read, and the
    /// rest is an error. It must have a settings file.
    pub fn foreign(root: PathBuf) -> Result<Self, StoreError> {
        let settings = root.join(Self::SETTINGS);
        if let Err(source) = fs::symlink_metadata(&settings) {
            return Err(StoreError::Read { path: settings, source });
        }
        Ok(Self { guard: Some(Guard::new(&root)?), root })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder's own name, for people.
    #[must_use]
    pub fn name(&self) -> String {
        self.root.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The git repository it lies in; none where it lies in none.
    pub fn repository(&self) -> Result<Option<Repository>, StoreError> {
        Repository::discover(&self.root)
    }

    /// `mustdo.toml`; none where it is not there yet.
    pub fn settings(&self) -> Result<Option<TextFile>, StoreError> {
        self.read(Self::SETTINGS)
    }

    /// Its own checklists, by file name; none of them where it uses the shipped ones.
    pub fn checklists(&self) -> Result<Vec<TextFile>, StoreError> {
        self.folder(Self::CHECKLISTS)
    }

    /// The text of a checklist when it was last taken; none where it was not kept.
    pub fn base(&self, checklist: &ChecklistId) -> Result<Option<TextFile>, StoreError> {
        self.read(&Self::base_name(checklist))
    }

    /// Keeps it, and tells where. The caller holds the lock.
    pub fn keep_base(
        &self,
        lock: &WriteLock,
        checklist: &ChecklistId,
        text: &str,
    ) -> Result<PathBuf, StoreError> {
        self.no_link(Self::BASES)?;
        let name = Self::base_name(checklist);
        self.write(lock, &name, text)?;
        Ok(self.root.join(name))
    }

    /// Where that is kept, relative to the workspace.
    #[must_use]
    pub fn base_name(checklist: &ChecklistId) -> String {
        format!("{}/{checklist}.toml", Self::BASES)
    }

    /// Every progress file, by file name.
    pub fn progress(&self) -> Result<Vec<TextFile>, StoreError> {
        self.folder(Self::PROGRESS)
    }

    /// The progress file of one checklist; none where nothing is recorded yet.
    pub fn progress_of(&self, checklist: &ChecklistId) -> Result<Option<TextFile>, StoreError> {
        self.read(&Self::progress_name(checklist))
    }

    /// Where the progress of a checklist is kept, relative to the workspace.
    #[must_use]
    pub fn progress_name(checklist: &ChecklistId) -> String {
        format!("{}/{checklist}.toml", Self::PROGRESS)
    }

    /// Third-party plugins: name relative to the workspace, and bytes; by file name.
    pub fn plugins(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut plugins = vec![];
        for name in self.names(Self::PLUGINS, "wasm")? {
            let path = self.root.join(&name);
            let missing =
                || StoreError::Read { path: path.clone(), source: io::Error::from(io::ErrorKind::NotFound) };
            let bytes = self.bytes(&path, Use::Plugin)?.ok_or_else(missing)?;
            plugins.push((name, bytes));
        }
        Ok(plugins)
    }

    /// The file of one plugin: none where there is none.
    pub fn plugin(&self, id: &PluginId) -> Result<Option<Vec<u8>>, StoreError> {
        self.bytes(&self.root.join(Self::plugin_name(id)), Use::Plugin)
    }

    /// Where a plugin is kept, relative to the workspace: its id, with "." for the ":" after a namespace.
    #[must_use]
    pub fn plugin_name(id: &PluginId) -> String {
        format!("{}/{}.wasm", Self::PLUGINS, id.stem())
    }

    /// `mustdo.lock`; none where nothing was taken from outside yet.
    pub fn locked(&self) -> Result<Option<TextFile>, StoreError> {
        self.read(Self::LOCK)
    }

    /// Takes the right to write. Makes the private folder, which ignores itself in git.
    pub fn lock(&self) -> Result<WriteLock, StoreError> {
        WriteLock::acquire(&self.private("lock")?)
    }

    /// A path in the private folder, which is made if it is missing and ignores itself in git.
    pub fn private(&self, name: &str) -> Result<PathBuf, StoreError> {
        let folder = self.no_link(Self::PRIVATE)?;
        let ignore = folder.join(".gitignore");
        if !ignore.exists() {
            fs::create_dir_all(&folder)
                .map_err(|source| StoreError::Write { path: folder.clone(), source })?;
            replace(&ignore, b"*\n")?;
        }
        Ok(folder.join(name))
    }

    /// The path of a folder of mustdo's own. Whoever committed a link in its place would choose a folder of the user's to be
    /// written to.
    fn no_link(&self, name: &str) -> Result<PathBuf, StoreError> {
        let folder = self.root.join(name);
        if folder.is_symlink() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is a link: remove it");
            return Err(StoreError::Write { path: folder, source });
        }
        Ok(folder)
    }

    /// Replaces one of its files. The caller holds the lock.
    pub fn write(&self, lock: &WriteLock, name: &str, text: &str) -> Result<(), StoreError> {
        self.write_bytes(lock, name, text.as_bytes())
    }

    /// The same for a file that is no text.
    pub fn write_bytes(&self, _lock: &WriteLock, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        replace(&self.root.join(name), bytes)
    }

    /// Takes one of its files away; that it is not there is no error. The caller holds the lock.
    pub fn remove(&self, _lock: &WriteLock, name: &str) -> Result<(), StoreError> {
        let path = self.root.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Digests every file that one of `globs` matches, by path and content: two trees with one digest are the same to
    /// the proof that watches them. None where there is no such file: a proof that watches nothing can not be fresh. Files
    /// that git ignores are left out, and so is what mustdo writes itself; a link to a file counts as that file. None also
    /// where it can not be told of somebody else's workspace, because a link leads out of it.
    pub fn watched(&self, globs: &[String]) -> Result<Option<Digest>, StoreError> {
        match &self.guard {
            None => self.watched_now(globs),
            Some(guard) => guard.digest(globs, || self.watched_now(globs)),
        }
    }

    fn watched_now(&self, globs: &[String]) -> Result<Option<Digest>, StoreError> {
        let wanted = glob_set(globs)?;
        let guarded = self.guard.is_some();
        if guarded && !self.root.ancestors().all(Guard::is_walkable) {
            return Ok(None);
        }
        let walk = ignore::WalkBuilder::new(&self.root)
            .hidden(false)
            .filter_entry(move |entry| {
                let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
                let own = entry.depth() == 1 && Self::is_own(&entry.file_name().to_string_lossy());
                let walkable = !guarded || !folder || Guard::is_walkable(entry.path());
                !own && walkable
            })
            .sort_by_file_name(Ord::cmp)
            .build();
        let mut hasher = Hasher::default();
        let mut any = false;
        for entry in walk {
            let entry = entry.map_err(|source| StoreError::Walk { path: self.root.clone(), source })?;
            let Ok(path) = entry.path().strip_prefix(&self.root) else { continue };
            if let Some(guard) = &self.guard {
                guard.entry()?;
            }
            if wanted.is_match(path) && entry.path().is_file() {
                any = true;
                let full = entry.path();
                let bytes = match &self.guard {
                    None => {
                        fs::read(full).map_err(|source| StoreError::Read { path: full.to_owned(), source })?
                    }
                    Some(guard) => match guard.read(full, Use::Watched) {
                        Ok(bytes) => bytes.unwrap_or_default(),
                        // What lies behind it can not be told, so neither can the whole.
                        Err(StoreError::Outside { .. }) => return Ok(None),
                        Err(error) => return Err(error),
                    },
                };
                hasher.field(path.as_os_str().as_encoded_bytes()).field(bytes);
            }
        }
        Ok(any.then(|| hasher.finish()))
    }

    pub(super) fn is_own(name: &str) -> bool {
        [".git", Self::PRIVATE, Self::PROGRESS].contains(&name)
    }

    fn folder(&self, folder: &str) -> Result<Vec<TextFile>, StoreError> {
        let read = |name: String| {
            let missing = || StoreError::Read {
                path: self.root.join(&name),
                // A link that leads nowhere: left out without a word, its checklist would be missing from every figure.
                source: io::Error::from(io::ErrorKind::NotFound),
            };
            self.read(&name)?.ok_or_else(missing)
        };
        self.names(folder, "toml")?.into_iter().map(read).collect()
    }

    fn names(&self, folder: &str, extension: &str) -> Result<Vec<String>, StoreError> {
        let path = self.root.join(folder);
        let error = |source| StoreError::Read { path: path.clone(), source };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(source) => return Err(error(source)),
        };
        let mut names = vec![];
        for entry in entries {
            if let Some(guard) = &self.guard {
                guard.entry()?;
            }
            let name = entry.map_err(error)?.file_name().to_string_lossy().into_owned();
            let file = Path::new(&name);
            if !name.starts_with('.') && file.extension().is_some_and(|found| found == extension) {
                names.push(format!("{folder}/{name}"));
            }
        }
        names.sort();
        Ok(names)
    }

    fn bytes(&self, path: &Path, wanted: Use) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.guard {
            None => read_bytes(path),
            Some(guard) => guard.read(path, wanted),
        }
    }

    fn read(&self, name: &str) -> Result<Option<TextFile>, StoreError> {
        let bytes = self.bytes(&self.root.join(name), Use::Text)?;
        Ok(bytes.map(|bytes| TextFile { name: name.to_owned(), bytes }))
    }
}

/// What matches any of `globs`; a star stays within a folder's name.
pub(super) fn glob_set(globs: &[String]) -> Result<GlobSet, StoreError> {
    let mut wanted = GlobSetBuilder::new();
    for glob in globs {
        let parsed = GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map_err(|source| StoreError::Glob { glob: glob.clone(), source })?;
        wanted.add(parsed);
    }
    wanted.build().map_err(|source| StoreError::Glob { glob: globs.join(" "), source })
}

/// A text file anywhere; none where there is none.
pub fn read_text(path: &Path) -> Result<Option<String>, StoreError> {
    let Some(bytes) = read_bytes(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| StoreError::Encoding {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(Some(text))
}

/// A file anywhere, up to one byte more than `limit`: a longer one is cut there, so that whoever asked can tell. Anything
/// but a file is refused: a pipe may never end.
pub fn read_at_most(path: &Path, limit: usize) -> Result<Vec<u8>, StoreError> {
    let error = |source| StoreError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(error(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let file = fs::File::open(path).map_err(error)?;
    let mut bytes = vec![];
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let mut bytes = vec![];
    match fs::File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes)) {
        Ok(count) if count > LARGEST => Err(StoreError::TooLarge { path: path.to_owned(), limit: LARGEST }),
        Ok(_) => Ok(Some(bytes)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        replace(&folder.path().join("mustdo.toml"), b"").unwrap();
        let workspace = Workspace::at(folder.path().to_owned());
        (folder, workspace)
    }

    #[test]
    fn workspace_is_the_nearest_folder_upwards() {
        let (folder, _) = workspace();
        let deep = folder.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(Workspace::find(&deep).unwrap().root(), folder.path());
    }

    #[test]
    fn reading_writes_nothing() {
        let (folder, workspace) = workspace();
        workspace.settings().unwrap();
        workspace.checklists().unwrap();
        workspace.progress().unwrap();
        workspace.watched(&["**".to_owned()]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn watched_digest_changes_with_a_matching_file_only() {
        let (folder, workspace) = workspace();
        replace(&folder.path().join("app/shop.py"), b"1").unwrap();
        let watched = || workspace.watched(&["app/**/*.py".to_owned()]).unwrap();
        let first = watched();
        replace(&folder.path().join("README"), b"2").unwrap();
        replace(&folder.path().join("progress/a.toml"), b"2").unwrap();
        assert_eq!(watched(), first);
        replace(&folder.path().join("app/shop.py"), b"2").unwrap();
        assert_ne!(watched(), first);
        assert_eq!(workspace.watched(&["nowhere/**".to_owned()]).unwrap(), None);
    }

    #[test]
    fn text_that_is_not_utf8_is_named_with_its_place() {
        let (folder, _) = workspace();
        let path = folder.path().join("notes.txt");
        replace(&path, b"a\xff").unwrap();
        assert!(matches!(read_text(&path), Err(StoreError::Encoding { offset: 1, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn link_to_a_device_without_end_is_not_read_to_its_end() {
        let (folder, workspace) = workspace();
        for name in ["checklists/a.toml", "progress/a.toml", "plugins/a.wasm", "mustdo.lock"] {
            let link = folder.path().join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink("/dev/zero", link).unwrap();
        }
        let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::TooLarge { .. }));
        assert!(refused(workspace.checklists().map(drop)) && refused(workspace.progress().map(drop)));
        assert!(refused(workspace.plugins().map(drop)) && refused(workspace.locked().map(drop)));
    }

    #[cfg(unix)]
    #[test]
    fn checklist_that_leads_nowhere_is_not_left_out_without_a_word() {
        let (folder, workspace) = workspace();
        fs::create_dir(folder.path().join("checklists")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("checklists/a.toml")).unwrap();
        assert!(matches!(workspace.checklists(), Err(StoreError::Read { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_outside_of_somebody_elses_workspace_is_read() {
        let (folder, _) = workspace();
        let elsewhere = tempfile::tempdir().unwrap();
        replace(&elsewhere.path().join("secret.toml"), b"format = 1").unwrap();
        replace(&folder.path().join("progress/b.toml"), b"format = 1").unwrap();
        let link = |name: &str, to: &Path| {
            let link = folder.path().join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(to, link).unwrap();
        };
        let foreign = || Workspace::foreign(folder.path().to_owned()).unwrap();
        link("progress/c.toml", Path::new("b.toml"));
        assert_eq!(foreign().progress().unwrap().len(), 2);
        link("progress/a.toml", &elsewhere.path().join("secret.toml"));
        assert!(matches!(foreign().progress(), Err(StoreError::Outside { .. })));
        link("checklists", elsewhere.path());
        assert!(matches!(foreign().checklists(), Err(StoreError::Outside { .. })));
        link("app/shop.py", &elsewhere.path().join("secret.toml"));
        assert_eq!(foreign().watched(&["app/*".to_owned()]).unwrap(), None);
        link("plugins/a.wasm", Path::new("/dev/zero"));
        assert!(matches!(foreign().plugins(), Err(StoreError::Outside { .. })));
        assert!(Workspace::foreign(elsewhere.path().to_owned()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn somebody_elses_workspace_can_neither_stop_nor_flood_its_reader() {
        let (folder, _) = workspace();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            path
        };
        let foreign = || Workspace::foreign(folder.path().to_owned()).unwrap();
        let progress = pipe("progress/a.toml");
        assert!(matches!(foreign().progress(), Err(StoreError::Read { .. })));
        fs::remove_file(progress).unwrap();
        replace(&folder.path().join("app/shop.py"), b"1").unwrap();
        assert!(foreign().watched(&["app/*".to_owned()]).unwrap().is_some());
        pipe("app/.gitignore");
        assert_eq!(foreign().watched(&["app/*".to_owned()]).unwrap(), None);
        for name in ["a", "b", "c"] {
            let file = fs::File::create(folder.path().join(format!("progress/{name}.toml"))).unwrap();
            file.set_len(3 << 20).unwrap();
        }
        assert!(matches!(foreign().progress(), Err(StoreError::TooMuch { .. })));
    }

    #[test]
    fn longer_file_is_cut_and_what_is_no_file_is_refused() {
        let (folder, _) = workspace();
        let path = folder.path().join("a.wasm");
        replace(&path, b"12345").unwrap();
        assert_eq!(read_at_most(&path, 5).unwrap(), b"12345");
        assert_eq!(read_at_most(&path, 3).unwrap(), b"1234");
        assert!(matches!(read_at_most(folder.path(), 3), Err(StoreError::Read { .. })));
        assert!(matches!(read_at_most(Path::new("/dev/zero"), 3), Err(StoreError::Read { .. })));
    }

    #[test]
    fn file_that_is_not_there_is_taken_away() {
        let (_folder, workspace) = workspace();
        let lock = workspace.lock().unwrap();
        let id = "acme:x".parse().unwrap();
        workspace.write_bytes(&lock, &Workspace::plugin_name(&id), b"x").unwrap();
        assert_eq!(workspace.plugin(&id).unwrap().as_deref(), Some(&b"x"[..]));
        for _ in 0..2 {
            workspace.remove(&lock, "plugins/acme.x.wasm").unwrap();
            assert_eq!(workspace.plugin(&id).unwrap(), None);
        }
    }

    #[test]
    #[cfg(unix)]
    fn private_folder_that_is_a_link_is_not_written_to() {
        let (folder, workspace) = workspace();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".mustdo")).unwrap();
        let error = workspace.lock().unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("link"), "{error}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn private_folder_ignores_itself() {
        let (folder, workspace) = workspace();
        drop(workspace.lock().unwrap());
        assert_eq!(fs::read(folder.path().join(".mustdo/.gitignore")).unwrap(), b"*\n");
    }
}
