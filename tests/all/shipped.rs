//! The shipped checklists, as the readers see them.

use std::path::Path;

use mustdo::syntax::{Linked, Source, link, read_checklist, render};

#[test]
fn shipped_checklists_have_nothing_wrong_with_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("checklists");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    names.sort();
    assert_eq!(names.len(), 10);
    let (mut files, mut found) = (vec![], vec![]);
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        let read = read_checklist(&Source::new(path.file_name().unwrap().to_str().unwrap(), text));
        found.extend(read.diagnostics);
        files.extend(read.value);
    }
    let Linked { catalog, diagnostics, .. } = link(files);
    found.extend(diagnostics);
    assert!(found.is_empty(), "{}", render(&found, false));
    assert_eq!(catalog.items().count(), 197);
}
