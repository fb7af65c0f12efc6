//! What ships inside the program: the checklists, as the readers see them, and the plugins.

use std::path::Path;

use aho_corasick::AhoCorasick;
use mustdo::store::PLUGINS;
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

#[test]
fn each_shipped_plugin_is_in_the_program_once() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_mustdo")).unwrap();
    // Long enough that two plugins, which share libraries, do not have it in common.
    let middle = |bytes: &'static [u8]| &bytes[bytes.len() / 2..][..4096];
    let search = AhoCorasick::new(PLUGINS.iter().map(|plugin| middle(plugin.bytes))).unwrap();
    let mut found: Vec<_> = search.find_iter(&program).map(|found| found.pattern().as_usize()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..PLUGINS.len()).collect::<Vec<_>>());
}
