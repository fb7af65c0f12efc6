//! Whether files are the same as they were, without reading them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Workspace;
use crate::model::{Digest, Hasher};

/// A folder with more in it is not compared.
const MOST: usize = 50_000;

/// What the file or folder at `path` is, down to every file below it: the same digest means that nothing was written there
/// in between. Made of what the file system keeps of each: which file, its size, and when it and what is kept of it last
/// changed. No program sets that last moment (`st_ctime`, see inode(7)), so nothing that was changed can look unchanged;
/// what was written again with the same bytes looks changed. Where a link leads counts as well.
///
/// What git keeps for itself is left out, and of the workspace at `root` what mustdo writes there. None where there is too much,
/// or something that is neither file, folder nor link.
pub fn fingerprint(path: &Path, root: &Path) -> io::Result<Option<Digest>> {
    let path = path.canonicalize()?;
    let root = root.canonicalize()?;
    let mut hasher = Hasher::default();
    let mut waiting = vec![path];
    let mut seen = 0_usize;
    while let Some(path) = waiting.pop() {
        seen += 1;
        let facts = fs::symlink_metadata(&path)?;
        let kind = facts.file_type();
        if seen > MOST || !(kind.is_file() || kind.is_dir() || kind.is_symlink()) {
            return Ok(None);
        }
        hasher.field(path.as_os_str().as_bytes());
        if kind.is_symlink() {
            hasher.field("link").field(fs::read_link(&path)?.as_os_str().as_bytes());
            // What a folder outside holds is not told by the link to it.
            match fs::metadata(&path) {
                Ok(behind) if behind.is_file() => written(&mut hasher, &behind),
                Ok(_) => return Ok(None),
                Err(_) => drop(hasher.field("nowhere")),
            }
        } else if kind.is_file() {
            written(&mut hasher, &facts);
        } else {
            waiting.extend(below(&path, &root)?);
        }
    }
    Ok(Some(hasher.finish()))
}

/// What a folder holds, by name: a folder's own times change with files in it that do not count.
fn below(folder: &Path, root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != ".git" && (folder != root || !Workspace::is_own(&name.to_string_lossy())) {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

fn written(hasher: &mut Hasher, facts: &Metadata) {
    hasher.field("file");
    for number in [facts.dev(), facts.ino(), facts.size(), facts.mode().into()] {
        hasher.field(number.to_le_bytes());
    }
    for moment in [facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()] {
        hasher.field(moment.to_le_bytes());
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make what is looked at")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn whatever_was_written_below_is_seen_and_what_mustdo_writes_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("app/deep")).unwrap();
        fs::create_dir_all(root.join(".mustdo")).unwrap();
        fs::write(root.join("app/deep/a"), "1").unwrap();
        symlink("deep/a", root.join("app/link")).unwrap();
        let print = |name: &str| fingerprint(&root.join(name), root).unwrap().unwrap();
        let (whole, app, link) = (print("."), print("app"), print("app/link"));
        fs::write(root.join(".mustdo/log"), "1").unwrap();
        assert_eq!((print("."), print("app")), (whole, app));
        fs::write(root.join("app/deep/a"), "2").unwrap();
        assert!(print(".") != whole && print("app") != app && print("app/link") != link);
        let app = print("app");
        fs::write(root.join("app/new"), "").unwrap();
        assert_ne!(print("app"), app);
        fs::remove_file(root.join("app/new")).unwrap();
        assert_eq!(print("app"), app);
    }

    #[test]
    fn same_bytes_written_anew_are_no_proof_of_sameness() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "1").unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        let print = || fingerprint(&file, folder.path()).unwrap();
        let first = print();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&file, "2").unwrap();
        // An older date does not hide it.
        fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
        assert_ne!(print(), first);
    }

    #[test]
    fn what_can_not_be_told_is_not_compared() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::create_dir(root.join("app")).unwrap();
        symlink(elsewhere.path(), root.join("app/out")).unwrap();
        assert_eq!(fingerprint(&root.join("app"), root).unwrap(), None);
        assert_eq!(fingerprint(Path::new("/dev/null"), root).unwrap(), None);
        assert!(fingerprint(&root.join("missing"), root).is_err());
    }
}
