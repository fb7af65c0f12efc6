//! Checklists where they come from: a file, a folder, or a commit that was fetched and is not checked out.
//!
//! In a folder and in a commit they stand in `checklists/`, or beside each other at the top where there is no such folder. Only
//! ordinary files are taken, so many and so large as checklists have a reason to be.

use std::fs;
use std::path::Path;

use git2::{ObjectType, Oid, Tree};

use super::git::failed;
use super::{StoreError, TextFile, Workspace, read_file};

/// Bytes of one checklist. The largest that ships has 18 KiB.
const LARGEST: usize = 1 << 20;

/// Checklists in one place.
const MOST: usize = 500;

/// The checklists at `path`, by file name: the file, or those in the folder. Named relative to the folder that they stand in,
/// `checklists/x.toml` or `x.toml`.
pub fn checklists_at(path: &Path) -> Result<Vec<TextFile>, StoreError> {
    let error = |source| StoreError::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(error)?;
    if !found.is_dir() {
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_checklist(name));
        let (Some(name), true) = (name, found.is_file()) else { return Err(unfit(path, NO_CHECKLIST)) };
        return Ok(vec![TextFile { name: name.to_owned(), bytes: read_file(path, LARGEST)? }]);
    }
    let below = path.join(Workspace::CHECKLISTS);
    let (folder, prefix) = if below.is_dir() { (&*below, BELOW) } else { (path, "") };
    let mut files = vec![];
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_checklist(name)) else { continue };
        // Of the entry itself, not of what a link leads to.
        if !entry.file_type().map_err(error)?.is_file() {
            return Err(unfit(&entry.path(), NO_FILE));
        }
        let bytes = read_file(&entry.path(), LARGEST)?;
        files.push(TextFile { name: format!("{prefix}{name}"), bytes });
        if files.len() > MOST {
            return Err(unfit(folder, TOO_MANY));
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// The commit that `reference` leads to in the bare repository at `folder`, and the checklists in it, as
/// [`checklists_at`] gives those of a folder.
pub fn checklists_of_commit(folder: &Path, reference: &str) -> Result<(String, Vec<TextFile>), StoreError> {
    let action = "read what was fetched";
    let repository = git2::Repository::open_bare(folder).map_err(failed(action))?;
    let object = repository.revparse_single(reference).map_err(failed(action))?;
    let unknown = |source| StoreError::Revision { name: reference.to_owned(), source };
    let commit = object.peel_to_commit().map_err(unknown)?;
    let store = repository.odb().map_err(failed(action))?;
    // A tree or a blob is packed as small as its author likes: what it unpacks to is asked first.
    let fits = |id: Oid, place: &str| match store.read_header(id) {
        Ok((size, _)) if size > LARGEST => Err(StoreError::TooLarge { path: place.into(), limit: LARGEST }),
        Ok(_) => Ok(()),
        Err(error) => Err(failed(action)(error)),
    };
    let tree = |id: Oid, place: &str| -> Result<Tree<'_>, StoreError> {
        fits(id, place)?;
        repository.find_tree(id).map_err(failed(action))
    };
    let top = tree(commit.tree_id(), "the top folder of the commit")?;
    let below = top.get_name(Workspace::CHECKLISTS).map(|entry| (entry.kind(), entry.id()));
    let (folder, prefix) = match below {
        None => (top, ""),
        Some((Some(ObjectType::Tree), id)) => (tree(id, Workspace::CHECKLISTS)?, BELOW),
        Some(_) => {
            return Err(StoreError::Unfit {
                place: Workspace::CHECKLISTS.to_owned(),
                why: "it is no folder",
            });
        }
    };
    let mut files = vec![];
    for entry in &folder {
        let Some(name) = std::str::from_utf8(entry.name_bytes()).ok().filter(|name| is_checklist(name))
        else {
            continue;
        };
        if !matches!(entry.filemode(), 0o100_644 | 0o100_755 | 0o100_664) {
            return Err(StoreError::Unfit { place: name.to_owned(), why: NO_FILE });
        }
        fits(entry.id(), name)?;
        let blob = repository.find_blob(entry.id()).map_err(failed(action))?;
        files.push(TextFile { name: format!("{prefix}{name}"), bytes: blob.content().to_vec() });
        if files.len() > MOST {
            return Err(StoreError::Unfit { place: Workspace::CHECKLISTS.to_owned(), why: TOO_MANY });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((commit.id().to_string(), files))
}

/// What stands before the names of those that stand in their folder.
const BELOW: &str = "checklists/";

const NO_FILE: &str = "it is a link or a folder, not a file";
const NO_CHECKLIST: &str = "a checklist is a file whose name ends in .toml";
const TOO_MANY: &str = "it has more than 500 checklists";

fn unfit(path: &Path, why: &'static str) -> StoreError {
    StoreError::Unfit { place: path.display().to_string(), why }
}

/// Whether a file is called like a checklist; what a tree of git calls an entry could lead anywhere. A workspace's settings and
/// its lock are none.
fn is_checklist(name: &str) -> bool {
    let plain = !name.starts_with('.') && !name.contains(['/', '\\']) && !name.chars().any(char::is_control);
    let path = Path::new(name);
    plain && name != Workspace::SETTINGS && path.extension().is_some_and(|extension| extension == "toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::replace;

    fn names(path: &Path) -> Vec<String> {
        checklists_at(path).unwrap().into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn checklists_stand_in_their_folder_or_at_the_top() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "mustdo.toml", ".hidden.toml", "a.txt"] {
            replace(&folder.path().join(name), b"x").unwrap();
        }
        assert_eq!(names(folder.path()), ["a.toml", "b.toml"]);
        assert_eq!(names(&folder.path().join("b.toml")), ["b.toml"]);
        assert!(matches!(checklists_at(&folder.path().join("a.txt")), Err(StoreError::Unfit { .. })));
        assert!(matches!(checklists_at(&folder.path().join("none")), Err(StoreError::Read { .. })));
        replace(&folder.path().join("checklists/c.toml"), b"x").unwrap();
        assert_eq!(names(folder.path()), ["checklists/c.toml"]);
    }

    #[test]
    fn links_and_what_is_too_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        replace(&folder.path().join("large.toml"), &vec![b'#'; LARGEST + 1]).unwrap();
        assert!(matches!(checklists_at(folder.path()), Err(StoreError::TooLarge { .. })));
        fs::remove_file(folder.path().join("large.toml")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a.toml")).unwrap();
            assert!(matches!(checklists_at(folder.path()), Err(StoreError::Unfit { .. })));
        }
    }

    #[test]
    fn what_is_called_like_a_way_out_is_no_checklist() {
        for name in ["../x.toml", "a/b.toml", "a\\b.toml", ".x.toml", "x.toml\n", "mustdo.toml", "x.md"] {
            assert!(!is_checklist(name), "{name}");
        }
        assert!(is_checklist("10-x.toml"));
    }
}
