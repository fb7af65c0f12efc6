//! A directory target: listed, looked at and read, never left.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobBuilder;
use ignore::WalkBuilder;
use rustix::fs::{AtFlags, FileType, fstat, statat};

use crate::model::TargetName;
use crate::plugin::contract::Failure;
use crate::plugin::contract::files::{Entry, Kind};
use crate::plugin::state::Common;

use super::root::{Root, of_errno, parts, short};
use super::{ENTRIES, VISITED};

/// An open directory target.
///
/// No path leads out of it, and no symbolic link is followed: one that stays inside could still lead around the rule for
/// secrets.
pub(in crate::plugin) struct Tree {
    /// The plugin's name for it.
    pub(super) target: TargetName,
    root: Root,
    common: Arc<Common>,
}

impl Tree {
    /// Opens the directory `path`.
    pub(in crate::plugin) fn open(
        target: TargetName,
        path: PathBuf,
        common: Arc<Common>,
    ) -> Result<Self, Failure> {
        Ok(Self { target, root: Root::open(path)?, common })
    }

    /// Entries below `under` whose path relative to it matches `glob`, sorted by path: the first `max`.
    pub(super) fn walk(&self, under: &str, glob: &str, all: bool, max: u32) -> Result<Vec<Entry>, Failure> {
        let parts = self.parts(under)?;
        // A pattern becomes a program: its size is what it costs.
        short(glob)?;
        self.root.folder(&parts).map_err(|error| of_errno(under, error))?;
        let start = parts.iter().fold(self.root.path().to_owned(), |path, part| path.join(part));
        let pattern = if glob.is_empty() { "**" } else { glob };
        let matcher = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| Failure::Other(format!("{glob:?} is not a glob: {error}")))?
            .compile_matcher();
        let walk = self.entries(&start, all);
        let mut found = Vec::new();
        for (visited, entry) in walk.enumerate() {
            if visited > VISITED {
                return Err(Failure::OverLimit(format!("a walk visits at most {VISITED} entries")));
            }
            // What vanishes while it is walked, or may not be read, is not there for a plugin.
            let Ok(entry) = entry else { continue };
            let (Some(below), Some(path)) =
                (relative(&start, entry.path()), relative(self.root.path(), entry.path()))
            else {
                continue;
            };
            if entry.depth() == 0 || !matcher.is_match(&below) {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let kind = kind_of(metadata.file_type());
            found.push(Entry { path, kind, size: if kind == Kind::File { metadata.len() } else { 0 } });
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        if max > ENTRIES && found.len() > ENTRIES {
            return Err(Failure::OverLimit(format!(
                "a walk lists at most {ENTRIES} entries; narrow the pattern"
            )));
        }
        found.truncate(max);
        Ok(found)
    }

    /// Everything at and below `start`, a path in it: what git ignores only if `all` is set, secrets never.
    pub(in crate::plugin) fn entries(&self, start: &Path, all: bool) -> ignore::Walk {
        let common = self.common.clone();
        let root = self.root.path().to_owned();
        WalkBuilder::new(start)
            .hidden(false)
            .ignore(false)
            .git_global(false)
            .git_exclude(!all)
            .git_ignore(!all)
            .parents(!all)
            .follow_links(false)
            .filter_entry(move |entry| {
                relative(&root, entry.path()).is_some_and(|path| !common.secrets.hold(&path))
            })
            .build()
    }

    /// The folder itself.
    pub(in crate::plugin) fn root(&self) -> &Root {
        &self.root
    }

    /// A path below it with "/" between its parts; none where it is not UTF-8.
    pub(in crate::plugin) fn relative(&self, path: &Path) -> Option<String> {
        relative(self.root.path(), path)
    }

    /// What `path` is; a link is itself.
    pub(super) fn stat(&self, path: &str) -> Result<Entry, Failure> {
        let parts = self.parts(path)?;
        let found = match parts.split_last() {
            None => self.root.folder(&[]).and_then(|root| fstat(root.fd())),
            Some((name, folder)) => self
                .root
                .folder(folder)
                .and_then(|folder| statat(folder.fd(), *name, AtFlags::SYMLINK_NOFOLLOW)),
        };
        let found = found.map_err(|error| of_errno(path, error))?;
        let kind = match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Kind::Other,
        };
        let size = if kind == Kind::File { u64::try_from(found.st_size).unwrap_or(0) } else { 0 };
        Ok(Entry { path: parts.join("/"), kind, size })
    }

    /// Up to `max` bytes from `offset`; fewer only where the file ends.
    pub(super) fn read(&self, path: &str, offset: u64, max: u32) -> Result<Vec<u8>, Failure> {
        let parts = self.parts(path)?;
        self.root.read(path, &parts, offset, max.into())
    }

    /// The parts of a relative path; none of them leaves the tree, and none is secret.
    fn parts<'a>(&self, path: &'a str) -> Result<Vec<&'a str>, Failure> {
        let parts = parts(&format!("the target \"{}\"", self.target), path)?;
        if self.common.secrets.hold(path) {
            return Err(Failure::Denied(format!("{path:?} may hold secrets; plugins never read it")));
        }
        Ok(parts)
    }
}

/// `path` relative to `root` with "/" between its parts; none where it is not UTF-8, as the contract has no way to name
/// it.
fn relative(root: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

fn kind_of(kind: std::fs::FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        Kind::Symlink
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use tempfile::TempDir;

    use crate::plugin::failure;
    use crate::plugin::files::{PATH_BYTES, READ_BYTES};

    use super::*;

    fn tree(files: &[(&str, &str)]) -> (TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, text);
        }
        let root = dir.path().canonicalize().unwrap();
        let tree = Tree::open("src".parse().unwrap(), root, Common::bare()).unwrap();
        (dir, tree)
    }

    fn write(path: &Path, text: &str) {
        use std::io::Write as _;
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn paths(entries: Result<Vec<Entry>, Failure>) -> Vec<String> {
        entries
            .map_err(|failure| failure::words(&failure))
            .unwrap()
            .into_iter()
            .map(|entry| entry.path)
            .collect()
    }

    #[test]
    fn walk_is_sorted_and_matches_below_its_start() {
        let (_dir, tree) =
            tree(&[("b.py", ""), ("a/x.py", ""), ("a/y.txt", ""), ("a/z/w.py", ""), ("a-b/q.py", "")]);
        assert_eq!(paths(tree.walk("", "**/*.py", false, 100)), ["a-b/q.py", "a/x.py", "a/z/w.py", "b.py"]);
        assert_eq!(paths(tree.walk("a", "*.py", false, 100)), ["a/x.py"]);
        assert_eq!(paths(tree.walk("a/", "", false, 100)), ["a/x.py", "a/y.txt", "a/z", "a/z/w.py"]);
        assert_eq!(paths(tree.walk("", "**/*.py", false, 2)), ["a-b/q.py", "a/x.py"]);
    }

    #[test]
    fn walk_leaves_out_what_git_ignores_and_always_secrets() {
        let (_dir, tree) = tree(&[
            (".git/config", ""),
            (".gitignore", "build/\n"),
            ("build/x", ""),
            ("keep/.gitignore", "*.log\n"),
            ("keep/a.log", ""),
            ("keep/b", ""),
            (".env", ""),
            ("keep/.env.local", ""),
        ]);
        let ours = [".gitignore", "keep", "keep/.gitignore", "keep/b"];
        assert_eq!(paths(tree.walk("", "", false, 100)), ours);
        assert_eq!(paths(tree.walk("keep", "**", false, 100)), ["keep/.gitignore", "keep/b"]);
        let all = [".gitignore", "build", "build/x", "keep", "keep/.gitignore", "keep/a.log", "keep/b"];
        assert_eq!(paths(tree.walk("", "**", true, 100)), all);
    }

    #[test]
    fn reading_never_leaves_the_tree() {
        let (outside, _) = tree(&[("secret.txt", "x")]);
        let (dir, tree) = tree(&[("a/b.txt", "hello"), (".env", "KEY=1"), (".git/config", "token")]);
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(outside.path().join("secret.txt"), dir.path().join("out.txt")).unwrap();
        symlink(".env", dir.path().join("plain.txt")).unwrap();
        assert_eq!(tree.read("a/b.txt", 0, 100).unwrap(), b"hello");
        let outside = outside.path().join("secret.txt");
        for path in [
            "../secret.txt",
            "a/../../secret.txt",
            outside.to_str().unwrap(),
            "a/./b.txt",
            "a//b.txt",
            "out/secret.txt",
            "out.txt",
            "plain.txt",
            ".env",
            ".git/config",
            "a/b.txt\0",
        ] {
            assert!(
                matches!(tree.read(path, 0, 100), Err(Failure::Denied(_) | Failure::Unreachable(_))),
                "{path}"
            );
        }
        assert!(tree.walk("out", "", true, 10).is_err());
        assert!(tree.walk("..", "", true, 10).is_err());
        let kinds: Vec<_> =
            tree.walk("", "*", true, 10).unwrap().into_iter().map(|e| (e.path, e.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("a", Kind::Directory),
                ("out", Kind::Symlink),
                ("out.txt", Kind::Symlink),
                ("plain.txt", Kind::Symlink)
            ]
            .map(|(path, kind)| (path.to_owned(), kind))
        );
    }

    #[test]
    fn read_gives_the_asked_part_and_nothing_past_the_end() {
        let (_dir, tree) = tree(&[("a", "0123456789")]);
        assert_eq!(tree.read("a", 2, 3).unwrap(), b"234");
        assert_eq!(tree.read("a", 8, 100).unwrap(), b"89");
        assert_eq!(tree.read("a", 10, 100).unwrap(), b"");
        assert_eq!(tree.read("a", u64::MAX, 100).unwrap(), b"");
    }

    #[test]
    fn only_regular_files_are_read_and_a_fifo_does_not_block() {
        let (dir, tree) = tree(&[("a/b", "")]);
        assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
        assert!(matches!(tree.read("pipe", 0, 1), Err(Failure::Other(_))));
        assert!(matches!(tree.read("a", 0, 1), Err(Failure::Other(_))));
        assert!(matches!(tree.read("", 0, 1), Err(Failure::Other(_))));
        assert_eq!(tree.stat("pipe").unwrap().kind, Kind::Other);
    }

    #[test]
    fn file_too_large_for_one_call_says_so() {
        let (dir, tree) = tree(&[("a", "")]);
        File::options().write(true).open(dir.path().join("a")).unwrap().set_len(READ_BYTES + 1).unwrap();
        assert!(matches!(tree.read("a", 0, u32::MAX), Err(Failure::OverLimit(_))));
        assert_eq!(tree.read("a", READ_BYTES, u32::MAX).unwrap(), [0]);
        assert_eq!(tree.stat("a").unwrap().size, READ_BYTES + 1);
    }

    #[test]
    fn path_and_pattern_have_a_length() {
        let (_root, tree) = tree(&[("a.txt", "a")]);
        let long = "a/".repeat(PATH_BYTES);
        for refused in [
            tree.read(&long, 0, 1).map(drop),
            tree.stat(&long).map(drop),
            tree.walk(&long, "**", false, 1).map(drop),
            tree.walk("", &"{a,b}".repeat(PATH_BYTES), false, 1).map(drop),
        ] {
            assert!(matches!(refused, Err(Failure::OverLimit(_))), "{refused:?}");
        }
    }

    #[test]
    fn glob_that_is_none_is_named() {
        let (_dir, tree) = tree(&[]);
        assert!(matches!(tree.walk("", "a[", false, 1), Err(Failure::Other(why)) if why.contains("a[")));
    }
}
