//! Targets that are files: directories and programs.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::TargetError;
use crate::model::Place;

/// The directory of a [`Place::Dir`], absolute and without links. One that stays in the workspace by its words stays in
/// it in truth: [`Place::stays_inside`] is what permissions go by.
pub(super) fn directory(place: &Place, path: &str, root: &Path) -> Result<PathBuf, TargetError> {
    let resolve = |path: PathBuf| match path.canonicalize() {
        Ok(real) => Ok(real),
        Err(source) => Err(TargetError::Directory { path, source }),
    };
    let real = resolve(root.join(path))?;
    if place.stays_inside() && !real.starts_with(resolve(root.to_owned())?) {
        return Err(TargetError::Outside { path: real });
    }
    if real.is_dir() { Ok(real) } else { Err(TargetError::NotDirectory { path: real }) }
}

/// The folder that a program runs in, absolute.
pub(super) fn folder(path: &str, root: &Path) -> Result<PathBuf, TargetError> {
    let path = root.join(path);
    path.canonicalize().ok().filter(|real| real.is_dir()).ok_or(TargetError::NoFolder { path })
}

/// The program of that name, absolute: a path is taken from the workspace, a bare name is looked up in `search`, a list of
/// folders as in `PATH`. Links are kept: a program may go by the name it is called by.
pub(super) fn program(name: &str, root: &Path, search: Option<&OsStr>) -> Result<PathBuf, TargetError> {
    let found = if name.contains('/') {
        Some(root.join(name)).filter(|path| is_program(path))
    } else {
        // An empty or relative folder would mean something else wherever a check runs.
        std::env::split_paths(search.unwrap_or_default())
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|path| is_program(path))
    };
    let missing = || TargetError::NoProgram { program: name.to_owned() };
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(|_| missing());
    found.map_or_else(|| Err(missing()), absolute)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn dir(path: &str, root: &Path) -> Result<PathBuf, TargetError> {
        directory(&Place::Dir(path.to_owned()), path, root)
    }

    #[test]
    fn directories_are_found_and_links_out_of_the_workspace_refused() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("app")).unwrap();
        std::fs::File::create(root.join("file")).unwrap();
        symlink(root.join("app"), root.join("inside")).unwrap();
        symlink(outside.path(), root.join("outside")).unwrap();
        assert_eq!(dir(".", &root).unwrap(), root);
        assert_eq!(dir("inside", &root).unwrap(), root.join("app"));
        assert!(matches!(dir("outside", &root), Err(TargetError::Outside { .. })));
        assert!(matches!(
            dir("outside/../app", &root),
            Err(TargetError::Outside { .. } | TargetError::Directory { .. })
        ));
        assert!(matches!(dir("file", &root), Err(TargetError::NotDirectory { .. })));
        assert!(matches!(dir("missing", &root), Err(TargetError::Directory { .. })));
        // Named outright, a directory elsewhere is what the learner means; it is granted, not assumed.
        let elsewhere = outside.path().canonicalize().unwrap();
        assert_eq!(dir(elsewhere.to_str().unwrap(), &root).unwrap(), elsewhere);
    }

    #[test]
    fn programs_are_found_by_path_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let search = Some(OsStr::new("/nowhere:/usr/bin:/bin"));
        let sh = program("sh", root, search).unwrap();
        assert!(sh.is_absolute() && sh.ends_with("sh"));
        symlink(&sh, root.join("mine")).unwrap();
        std::fs::File::create(root.join("plain")).unwrap();
        assert_eq!(program("./mine", root, None).unwrap(), root.join("mine"));
        for missing in ["mine", "./plain", "./missing"] {
            assert!(
                matches!(program(missing, root, search), Err(TargetError::NoProgram { .. })),
                "{missing}"
            );
        }
        assert!(matches!(program("sh", root, None), Err(TargetError::NoProgram { .. })));
    }
}
