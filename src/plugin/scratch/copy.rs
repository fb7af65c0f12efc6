//! Copying what a plugin could read.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Component, Path};

use crate::plugin::contract::Failure;
use crate::plugin::failure;
use crate::plugin::files::Tree;

use super::Quota;

/// Copies a tree into the empty folder `into`, as far as `quota` goes. Left out is what a plugin could not read, links
/// that could lead out of the copy, and whatever is neither file, folder nor link.
pub(super) fn copy(tree: &Tree, into: &Path, quota: &mut Quota) -> Result<(), Failure> {
    for entry in tree.entries(tree.root().path(), false) {
        // What vanishes while it is copied, or may not be read, is not there for a plugin.
        let Ok(entry) = entry else { continue };
        let Some(path) = tree.relative(entry.path()).filter(|path| !path.is_empty()) else { continue };
        let (Some(kind), place) = (entry.file_type(), into.join(&path)) else { continue };
        let io = |error: io::Error| failure::of_io(&error);
        if kind.is_dir() {
            quota.copy(0)?;
            fs::create_dir(&place).map_err(io)?;
        } else if kind.is_symlink() {
            let leads = fs::read_link(entry.path()).ok();
            if let Some(leads) = leads.filter(|leads| stays(&path, leads)) {
                quota.copy(0)?;
                symlink(leads, &place).map_err(io)?;
            }
        } else if kind.is_file() {
            let parts: Vec<&str> = path.split('/').collect();
            let Ok(file) = tree.root().open_file(&path, &parts) else { continue };
            copy_file(file, &place, quota)?;
        }
    }
    Ok(())
}

fn copy_file(file: File, place: &Path, quota: &mut Quota) -> Result<(), Failure> {
    let io = |error: io::Error| failure::of_io(&error);
    let facts = file.metadata().map_err(io)?;
    quota.copy(facts.len())?;
    let mut copy = File::create_new(place).map_err(io)?;
    // Not more than was counted, should it grow meanwhile.
    io::copy(&mut file.take(facts.len()), &mut copy).map_err(io)?;
    // The copy is the plugin's to change; what was executable still is.
    copy.set_permissions(Permissions::from_mode(facts.permissions().mode() & 0o777 | 0o600)).map_err(io)
}

/// Whether a link at `path` that holds `leads` can not lead out of the tree, whatever other such links do: it goes up at
/// its beginning only, from a real folder, and not beyond the root.
fn stays(path: &str, leads: &Path) -> bool {
    let depth = path.split('/').count() - 1;
    let mut ups = 0;
    let mut down = false;
    leads.components().all(|component| match component {
        Component::ParentDir => {
            ups += 1;
            !down && ups <= depth
        }
        Component::Normal(_) => {
            down = true;
            true
        }
        Component::CurDir => true,
        Component::RootDir | Component::Prefix(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::state::Common;

    fn tree(folder: &Path) -> Tree {
        Tree::open("src".parse().unwrap(), folder.to_owned(), Common::bare()).unwrap()
    }

    fn list(folder: &Path) -> Vec<String> {
        let mut found: Vec<String> = ignore::WalkBuilder::new(folder)
            .standard_filters(false)
            .build()
            .filter_map(|entry| Some(entry.ok()?.path().strip_prefix(folder).ok()?.to_str()?.to_owned()))
            .filter(|path| !path.is_empty())
            .collect();
        found.sort();
        found
    }

    #[test]
    fn copy_holds_what_could_be_read_and_leads_nowhere_else() {
        let (from, outside, to) = [(); 3].map(|()| tempfile::tempdir().unwrap()).into();
        let (from, to) = (from.path(), to.path());
        for (path, text) in [
            ("app/main.py", "print(1)"),
            ("app/run.sh", ""),
            (".env", "KEY=1"),
            (".git/config", ""),
            (".gitignore", "build/"),
            ("build/out", ""),
        ] {
            fs::create_dir_all(from.join(path).parent().unwrap()).unwrap();
            io::Write::write_all(&mut File::create(from.join(path)).unwrap(), text.as_bytes()).unwrap();
        }
        fs::set_permissions(from.join("app/run.sh"), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(from.join("app/main.py"), Permissions::from_mode(0o400)).unwrap();
        for (path, leads) in [
            ("app/same", "main.py"),
            ("app/up", "../app/main.py"),
            ("app/secret", "../.env"),
            ("app/far", "../../etc/passwd"),
            ("round", "app/../../etc"),
            ("absolute", from.join("app").to_str().unwrap()),
            ("outside", outside.path().to_str().unwrap()),
        ] {
            symlink(leads, from.join(path)).unwrap();
        }
        assert!(std::process::Command::new("mkfifo").arg(from.join("pipe")).status().unwrap().success());
        copy(&tree(from), to, &mut Quota::default()).unwrap();
        let copied = list(to);
        let expected = [".gitignore", "app", "app/main.py", "app/run.sh", "app/same", "app/secret", "app/up"];
        assert_eq!(copied, expected);
        let mode = |path: &str| to.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("app/run.sh"), mode("app/main.py")), (0o755, 0o600));
        assert!(!to.join("app/secret").exists(), "what it leads to was not copied");
        assert_eq!(io::read_to_string(File::open(to.join("app/up")).unwrap()).unwrap(), "print(1)");
    }

    #[test]
    fn links_go_up_at_their_beginning_only() {
        for (path, leads, answer) in [
            ("a", "b", true),
            ("a", "./b/c", true),
            ("d/a", "../b", true),
            ("d/e/a", "../../b/c", true),
            ("a", "..", false),
            ("d/a", "../../b", false),
            // The folder may itself be a link, so that its parent is somewhere else.
            ("d/a", "b/../c", false),
            ("a", "/etc", false),
        ] {
            assert_eq!(stays(path, Path::new(leads)), answer, "{path} -> {leads}");
        }
    }

    #[test]
    fn copy_stops_at_the_limit() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        File::create(from.path().join("large")).unwrap().set_len(super::super::COPIED_BYTES + 1).unwrap();
        let copied = copy(&tree(from.path()), to.path(), &mut Quota::default());
        assert!(matches!(copied, Err(Failure::OverLimit(_))));
        assert_eq!(list(to.path()), [""; 0]);
    }
}
