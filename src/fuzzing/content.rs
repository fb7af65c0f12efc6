//! Files that people write, and that others may have sent them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Digest, Entry, Grant, Home, ItemId, Merged, merge_entries};
use crate::syntax::{
    self, Diagnostic, Prefer, ProgressReader, Read, Source, checklist_base, combine_checklists, grant, link,
    merge_progress, point_cases, read_cases, read_checklist, read_cohort, read_lock, read_progress,
    read_result, read_settings, read_user_settings, render, write_lock, write_progress, write_result,
};

use super::assert_plain;

/// Longer files are refused nowhere, and make the fuzzer slow.
const LONGEST: usize = 16 << 10;

fn read<T>(bytes: &[u8], name: &str, read: impl FnOnce(&Source) -> Read<T>) -> Option<(Source, T)> {
    if bytes.len() > LONGEST {
        return None;
    }
    let source = Source::of_bytes(name, bytes);
    let Read { value, diagnostics } = read(&source);
    hold(&diagnostics);
    let broken = diagnostics.iter().any(|found| found.severity == syntax::Severity::Error);
    value.filter(|_| !broken).map(|value| (source, value))
}

/// A diagnostic points into its text, and what is shown of it steers no terminal.
fn hold(diagnostics: &[Diagnostic]) {
    for found in diagnostics {
        assert!(!found.labels.is_empty());
        for label in &found.labels {
            let text = &label.source.text;
            assert!(label.span.end <= text.len() && label.span.start <= label.span.end, "{found:?}");
        }
    }
    assert_plain(&render(diagnostics, false), "a diagnostic");
}

pub(super) fn checklist(bytes: &[u8]) {
    if let Some((source, file)) = read(bytes, "checklists/x.toml", read_checklist) {
        hold(&link(vec![file]).diagnostics);
        combined(&source);
    }
}

/// What was changed here stays whatever is new where it came from, and what contradicts points into both.
fn combined(source: &Source) {
    let base = checklist_base(&source.text);
    let named = |name: &str, text: String| Source::new(name.to_owned(), text);
    let mine = named("checklists/x.toml", format!("{base}\n[[note]] # mine\nid = \"fuzz\"\n"));
    for theirs in [base.clone(), format!("# theirs\n{base}"), format!("{base}\n[[other]]\nid = \"fuzz\"\n")] {
        let theirs = named("theirs/x.toml", theirs);
        for base in [Some(&*base), None] {
            let combined = combine_checklists("x", base, &mine, &theirs, None);
            hold(&combined.conflicts);
            assert!(combined.text.contains("[[note]] # mine"), "{}", combined.text);
            for prefer in [Prefer::Ours, Prefer::Theirs, Prefer::Both] {
                assert_eq!(combine_checklists("x", base, &mine, &theirs, Some(prefer)).conflicts, []);
            }
        }
    }
}

pub(super) fn settings(bytes: &[u8]) {
    read(bytes, "config.toml", read_user_settings);
    let Some((source, settings)) = read(bytes, "mustdo.toml", read_settings) else { return };
    // A permission can be added to whatever can be read, and nothing else changes.
    let given = Grant {
        allow: ["listen".parse().expect("a capability")].into(),
        ..Grant::new(Digest::of(b"plugin"))
    };
    let plugin = "fuzz:guest".parse().expect("an id");
    let Ok(text) = grant(&source.text, &plugin, &given) else { return };
    let mut wanted = settings.into_settings();
    wanted.grants.insert(plugin, given);
    let again = read_settings(&Source::new("mustdo.toml", text.as_str()));
    let again = again.value.unwrap_or_else(|| panic!("a granted file can not be read: {text}"));
    assert!(same(&again.into_settings(), &wanted), "{text}");
}

/// Parameters may have numbers that are not themselves: NaN.
fn same<T: std::fmt::Debug>(left: &T, right: &T) -> bool {
    format!("{left:?}") == format!("{right:?}")
}

pub(super) fn progress(bytes: &[u8]) {
    let Some((source, progress)) = read(bytes, "progress/x.toml", read_progress) else { return };
    let unchanged = write_progress(&source.text, &progress).expect("what was read can be written");
    let again = read_progress(&Source::new("progress/x.toml", unchanged.as_str()));
    assert!(again.value.is_some_and(|again| same(&again, &progress)), "{unchanged}");
}

/// Several texts as one input: each ends at such a line.
const NEXT: &str = "%%\n";

/// The merged text holds what the rule of the model says of every item, whichever side is which.
pub(super) fn merge(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut texts = text.splitn(3, NEXT);
    let [base, ours, theirs] = std::array::from_fn(|_| texts.next().unwrap_or_default());
    if bytes.len() > LONGEST {
        return;
    }
    let Ok(merged) = merge_progress(base, ours, theirs) else { return };
    let [base, one, other, both] = [base, ours, theirs, &*merged].map(entries);
    let nothing = Entry::default();
    for id in base.keys().chain(one.keys()).chain(other.keys()).chain(both.keys()).collect::<BTreeSet<_>>() {
        let of = |known: &BTreeMap<ItemId, Entry>| known.get(id).unwrap_or(&nothing).clone();
        let wanted = merge_entries(&of(&base), &of(&one), &of(&other));
        assert!(same(&of(&both), &wanted), "{id}\n{text}\n{merged}");
    }
}

/// What a progress file says of each item; nothing where there is none, or where it can not be read.
fn entries(text: &str) -> BTreeMap<ItemId, Entry> {
    read_progress(&Source::new("", text)).value.map(|progress| progress.entries).unwrap_or_default()
}

/// However much of a version was read before, it says what it says alone.
pub(super) fn versions(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if bytes.len() > LONGEST {
        return;
    }
    let mut reader = ProgressReader::default();
    for version in text.split(NEXT) {
        let source = Source::new("progress/x.toml", version);
        match (reader.read(&source), read_progress(&source)) {
            (Ok(version), Read { value: Some(alone), .. }) => {
                let items = version.items.iter().map(|item| (&item.id, &item.entry));
                assert_eq!(version.checklist, alone.checklist);
                assert!(same(&items.collect::<BTreeMap<_, _>>(), &alone.entries.iter().collect()), "{text}");
            }
            (Err(found), Read { value: None, .. }) => hold(&found),
            (Ok(_), Read { value: None, .. }) => panic!("read in parts and not as a whole: {version:?}"),
            (Err(_), Read { value: Some(_), .. }) => panic!("read as a whole and not in parts: {version:?}"),
        }
    }
}

pub(super) fn result(bytes: &[u8]) {
    let Some((_, result)) = read(bytes, "result.toml", read_result) else { return };
    let text = write_result(&result);
    let again = read_result(&Source::new("result.toml", text.as_str())).value;
    assert!(again.is_some_and(|again| same(&again, &result)), "{text}");
    // Alone it is a run only where it is the one part of it, and never twice.
    let named = |name: &str| (name.to_owned(), result.clone());
    match Merged::new(&[named("one")]) {
        Ok(merged) => {
            assert_eq!((result.partition.of(), &merged.items), (1, &result.items));
            assert!(merged.records.iter().all(|(item, ..)| result.items.contains(item)), "{text}");
        }
        Err(errors) => assert!(!errors.is_empty()),
    }
    assert!(Merged::new(&[named("one"), named("two")]).is_err(), "{text}");
}

pub(super) fn cases(bytes: &[u8]) {
    let Some((source, file)) = read(bytes, "cases.toml", read_cases) else { return };
    let mut wanted = file.cases().clone();
    let mut places = BTreeMap::new();
    for case in &mut wanted.cases {
        let place = format!("cases/{}.jsonl", case.name);
        case.recording = Some(place.clone());
        places.insert(case.name.clone(), place);
    }
    // Cases may stand in one line, and then nothing can be put between them.
    let Ok(text) = point_cases(&source.text, &places) else { return };
    let again = read_cases(&Source::new("cases.toml", text.as_str())).value;
    assert!(again.is_some_and(|again| same(again.cases(), &wanted)), "{text}");
}

pub(super) fn cohort(bytes: &[u8]) {
    let Some((source, cohort)) = read(bytes, "cohort.toml", read_cohort) else { return };
    let names: BTreeSet<_> = cohort.learners.iter().map(|learner| &learner.name).collect();
    assert_eq!(names.len(), cohort.learners.len(), "{}", source.text);
    for learner in &cohort.learners {
        assert_plain(&learner.name, "a name");
        // What git is given is never an option, and never outside of the repository.
        if let Home::Remote { url, rev, folder } = &learner.home {
            assert!(["https://", "ssh://", "file:///"].iter().any(|scheme| url.as_str().starts_with(scheme)));
            assert!(rev.as_ref().is_none_or(|rev| !rev.as_str().starts_with(['-', '+'])));
            assert!(!folder.starts_with('/') && folder.split('/').all(|part| part != ".."));
        }
    }
}

pub(super) fn lock(bytes: &[u8]) {
    let Some((source, file)) = read(bytes, "mustdo.lock", read_lock) else { return };
    // What it says of files that are not there, or are others, points into it.
    hold(&file.missing(&BTreeSet::new()).collect::<Vec<_>>());
    let other = Digest::of(b"other bytes");
    hold(
        &file
            .lock()
            .plugins
            .keys()
            .filter_map(|id| file.changed(id, "plugins/x.wasm", &other))
            .collect::<Vec<_>>(),
    );
    let same = |text: &str, wanted: &crate::model::Lock| {
        let again = read_lock(&Source::new("mustdo.lock", text));
        assert!(again.value.is_some_and(|again| again.lock() == wanted), "{text}");
    };
    same(&write_lock(&source.text, file.lock()).expect("what was read can be written"), file.lock());
    // One of each can be taken out of whatever can be read, and the others stay.
    let mut fewer = file.lock().clone();
    fewer.plugins.pop_first();
    fewer.checklists.pop_first();
    same(&write_lock(&source.text, &fewer).expect("what was read can be written"), &fewer);
}
