//! Which files a target is made of, as far as its settings say.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::locate;
use crate::model::{Launch, Place, Target};

/// What stands behind a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behind {
    /// Something that mustdo neither starts nor reads: nobody here can tell whether it is what it was.
    Stranger,
    /// These files and folders: the directory, or the program and whatever its words name. Words may name something that is
    /// not found this way, such as a module of a language.
    Files {
        /// Absolute; empty where not even the program was found.
        paths: BTreeSet<PathBuf>,
        /// Whether the program inherits the environment of mustdo.
        inherits: bool,
    },
}

/// What separates paths in the words of a command: `--app=shop:app`, `sh -c "cd app && ./serve"`.
const BETWEEN: [char; 14] = ['=', ':', ',', ';', '&', '|', '(', ')', '<', '>', '"', '\'', '`', '$'];

/// What stands behind `target` in the workspace at `root`, with the `PATH` in `search`.
#[must_use]
pub fn behind(target: &Target, root: &Path, search: Option<&OsStr>) -> Behind {
    match (&target.place, &target.launch) {
        (Place::Dir(path), _) => Behind::Files { paths: [root.join(path)].into(), inherits: false },
        (Place::Command { program, args, env, cwd }, _) => {
            let folder = cwd.as_ref().map(|cwd| root.join(cwd));
            let found = locate::program(program, root, search).ok();
            let words = args.iter().chain(env.values());
            Behind::Files { paths: paths(found, words, folder.as_deref()), inherits: false }
        }
        (Place::Http { .. } | Place::Tcp(_) | Place::Udp(_), Some(launch)) => {
            let Launch { run, cwd, env, ready: _, ready_timeout: _ } = launch;
            let folder = cwd.as_ref().map_or_else(|| root.to_owned(), |cwd| root.join(cwd));
            let name = run.first().map_or("", |name| name);
            let found = locate::program(name, &folder, search).ok();
            let words = run.iter().skip(1).chain(env.values());
            Behind::Files { paths: paths(found, words, Some(&folder)), inherits: true }
        }
        (Place::Http { .. } | Place::Tcp(_) | Place::Udp(_), None) => Behind::Stranger,
    }
}

/// The program and every file or folder that a word names, seen from `folder`; nothing where there is no program.
fn paths<'a>(
    program: Option<PathBuf>,
    words: impl Iterator<Item = &'a String>,
    folder: Option<&Path>,
) -> BTreeSet<PathBuf> {
    let Some(program) = program else { return BTreeSet::new() };
    let mut paths = BTreeSet::from([program]);
    paths.extend(folder.into_iter().flat_map(settings));
    for word in words {
        let parts = word.split(|c: char| c.is_whitespace() || BETWEEN.contains(&c));
        // The whole word as well: a path may have anything in it.
        for part in parts.chain([word.as_str()]).filter(|part| !part.is_empty()) {
            let path = match folder {
                Some(folder) => folder.join(part),
                None => PathBuf::from(part),
            };
            if path.is_absolute() && path.exists() {
                paths.insert(path);
            }
        }
    }
    paths
}

/// Files that frameworks read by themselves from the folder they are started in, and that git usually ignores: no proof can
/// watch them.
fn settings(folder: &Path) -> Vec<PathBuf> {
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.starts_with(b".env") || name == b".flaskenv"
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(named).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Address;

    fn started(run: &[&str], cwd: Option<&str>) -> Target {
        let launch = Launch {
            run: run.iter().map(|&word| word.to_owned()).collect(),
            cwd: cwd.map(str::to_owned),
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        };
        let address = Address { host: "::1".to_owned(), port: None };
        Target { place: Place::Tcp(address), launch: Some(launch) }
    }

    #[test]
    fn program_and_the_files_that_its_words_name_stand_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("app")).unwrap();
        std::fs::File::create(root.join("app/shop.jar")).unwrap();
        let search = Some(OsStr::new("/usr/bin:/bin"));
        let sh = locate::program("sh", root, search).unwrap();
        let paths = |target: &Target| match behind(target, root, search) {
            Behind::Files { paths, inherits } => (paths, inherits),
            Behind::Stranger => panic!("it is started"),
        };
        let jar = root.join("app/shop.jar");
        for run in [
            &["sh", "app/shop.jar"][..],
            &["sh", "--file=app/shop.jar", "{port}"],
            &["sh", "-c", "sleep 1;exec java -jar app/shop.jar"],
        ] {
            assert_eq!(paths(&started(run, None)), ([sh.clone(), jar.clone()].into(), true), "{run:?}");
        }
        assert_eq!(paths(&started(&["sh", "shop.jar"], Some("app"))).0, [sh.clone(), jar.clone()].into());
        let settings = root.join("app/.env.local");
        std::fs::File::create(&settings).unwrap();
        assert_eq!(paths(&started(&["sh", "shop.jar"], Some("app"))).0, [sh, jar, settings].into());
        assert_eq!(paths(&started(&["no-such-program", "app"], None)).0, BTreeSet::new());
    }

    #[test]
    fn what_mustdo_does_not_start_is_a_stranger() {
        let mut target = started(&["sh"], None);
        target.launch = None;
        assert_eq!(behind(&target, Path::new("/"), None), Behind::Stranger);
    }
}
