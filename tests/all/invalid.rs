//! What is said about files that are wrong: `fixtures/invalid/<code>--<case>.toml` beside the words.
//!
//! A fixture holds one or more files, each after a line `# file: NAME`; the name says how it is read. A new fixture, or
//! new words, are taken over with `UPDATE_FIXTURES=1 cargo test --test all invalid`; read the difference.
#![expect(
    clippy::disallowed_methods,
    reason = "the fixtures are files, and one variable says to rewrite them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mustdo::model::{Capability, CapabilityRequest, CheckInfo, Digest, ItemId, PluginId, PluginInfo, Text};
use mustdo::syntax::{
    Code, Diagnostic, Severity, Source, check_against, check_bindings, check_policy, combine_checklists,
    link, misnamed_plugin, read_cases, read_checklist, read_cohort, read_lock, read_progress, read_settings,
    render, unlocked_plugin,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/invalid")
}

fn fixtures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut fixtures: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    fixtures.sort();
    fixtures
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The code that a fixture is about: the first part of its name.
fn code(path: &Path) -> Code {
    name(path).split("--").next().unwrap().parse().unwrap()
}

fn plugin() -> PluginInfo {
    let check = |id: &str, schema: Option<&str>, capabilities: &[&str]| CheckInfo {
        id: id.into(),
        title: Text::same(id),
        description: Text::default(),
        params_schema: schema.map(str::to_owned),
        capabilities: capabilities
            .iter()
            .map(|capability| CapabilityRequest {
                capability: capability.parse::<Capability>().unwrap(),
                reason: Text::default(),
                required: true,
            })
            .collect(),
        typical: Duration::from_secs(1),
        exclusive: false,
    };
    let schema = r#"{
        "type": "object", "required": ["op"], "additionalProperties": false,
        "properties": {
            "op": {
                "type": "object", "required": ["path"], "additionalProperties": false,
                "properties": { "method": { "enum": ["GET", "POST"] }, "path": { "type": "string" } }
            },
            "count": { "type": "integer", "minimum": 2, "maximum": 50 },
            "codes": { "type": "array", "items": { "type": "integer" } }
        }
    }"#;
    PluginInfo {
        id: "http-idempotency".parse().unwrap(),
        version: "0.1.0".parse().unwrap(),
        title: Text::default(),
        license: String::new(),
        homepage: String::new(),
        checks: vec![
            check("double-submit", Some(schema), &["http:api"]),
            check("safe-get", None, &["http:api", "read:src"]),
            check("broken", Some(r#"{ "type": "strange" }"#), &["http:api"]),
        ],
    }
}

/// Everything that is said about the files of a fixture.
fn diagnose(fixture: &str) -> Vec<Diagnostic> {
    let files = fixture.split("# file: ").skip(1).map(|file| {
        let (name, text) = file.split_once('\n').unwrap();
        // A fixture is text: U+FFFD in it stands for a byte that is not.
        let pieces: Vec<_> = text.split('\u{fffd}').map(str::as_bytes).collect();
        Source::of_bytes(name, &pieces.join(&0xff))
    });
    let (mut found, mut checklists, mut settings) = (vec![], vec![], None);
    let (mut lock, mut components) = (None, vec![]);
    let (mut before, mut retired) = (None, BTreeMap::new());
    let (mut base, mut theirs) = (None, None);
    for source in files {
        // Content as it was, and as it was earlier still.
        if source.name.starts_with("before/") {
            before = Some(link(vec![read_checklist(&source).value.unwrap()]).catalog);
            continue;
        }
        // A checklist as it was when it was taken, and as it is where it came from.
        if source.name.starts_with("checklists/.base/") {
            base = Some(source);
            continue;
        }
        if source.name.starts_with("theirs/") {
            theirs = Some(source);
            continue;
        }
        if source.name.starts_with("long-before/") {
            let read = read_checklist(&source).value.unwrap();
            retired.extend(read.checklist().items.iter().map(|item| (item.id.clone(), item.clone())));
            continue;
        }
        if source.name.starts_with("progress/") {
            found.extend(read_progress(&source).diagnostics);
        } else if &*source.name == "mustdo.lock" {
            let read = read_lock(&source);
            found.extend(read.diagnostics);
            lock = read.value;
        } else if &*source.name == "cohort.toml" {
            found.extend(read_cohort(&source).diagnostics);
        } else if &*source.name == "cases.toml" {
            let read = read_cases(&source);
            found.extend(read.diagnostics);
            found.extend(read.value.iter().flat_map(|file| file.check(&plugin())));
        } else if let Some(stem) = source.name.strip_prefix("plugins/") {
            match stem.trim_end_matches(".wasm").replace('.', ":").parse::<PluginId>() {
                Ok(id) => components.push((id, source.clone())),
                Err(error) => found.push(misnamed_plugin(&source.name, &error)),
            }
        } else if &*source.name == "mustdo.toml" {
            let read = read_settings(&source);
            found.extend(read.diagnostics);
            settings = read.value;
        } else {
            let read = read_checklist(&source);
            found.extend(read.diagnostics);
            checklists.extend(read.value);
            if let Some(theirs) = &theirs {
                let base = base.as_ref().map(|base: &Source| &*base.text);
                found.extend(combine_checklists("mine", base, &source, theirs, None).conflicts);
            }
        }
    }
    for (id, source) in &components {
        let lock = lock.as_ref().filter(|lock| lock.lock().plugins.contains_key(id));
        found.extend(match lock {
            Some(lock) => lock.changed(id, &source.name, &Digest::of(source.text.as_bytes())),
            None => Some(unlocked_plugin(&source.name, id)),
        });
    }
    let present = components.iter().map(|(id, _)| id).collect();
    found.extend(lock.iter().flat_map(|lock| lock.missing(&present)));
    let linked = link(checklists);
    found.extend(linked.diagnostics);
    found.extend(
        before.iter().flat_map(|before| check_against(before, &retired, &linked.catalog, &linked.places)),
    );
    let settings = settings.unwrap_or_else(|| read_settings(&Source::new("mustdo.toml", "")).value.unwrap());
    let plugin = plugin();
    let plugins = |id: &PluginId| (*id == plugin.id).then_some(&plugin);
    found.extend(check_policy(&linked.catalog, &settings));
    found.extend(check_bindings(&linked.catalog, &linked.places, &settings, &plugins));
    found
}

#[test]
fn invalid_files_are_told_what_is_wrong_and_where() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut wrong = vec![];
    for path in fixtures() {
        let found = diagnose(&std::fs::read_to_string(&path).unwrap());
        let said = render(&found, false);
        let beside = path.with_extension("txt");
        if update {
            std::fs::write(&beside, &said).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", name(&path)));
        }
        assert!(
            found.first().is_some_and(|first| first.code == code(&path)),
            "{} does not show {} first:\n{said}",
            name(&path),
            code(&path)
        );
    }
    assert!(wrong.is_empty(), "not what stands beside the fixture:\n{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let shown: BTreeSet<_> = fixtures().iter().map(|path| code(path)).collect();
    let lacking: Vec<_> = Code::ALL.iter().filter(|code| !shown.contains(code)).collect();
    assert!(lacking.is_empty(), "no fixture shows {lacking:?}");
}

#[test]
fn diagnostics_hold_what_their_type_promises() {
    for path in fixtures() {
        for found in diagnose(&std::fs::read_to_string(&path).unwrap()) {
            assert_eq!(found.severity, found.code.severity(), "{}", name(&path));
            assert_eq!(found.severity == Severity::Warning, found.code.code().starts_with('W'));
            assert!(found.labels[0].primary && found.labels.iter().skip(1).all(|label| !label.primary));
            assert!(!found.message.ends_with('.') && !found.message.contains('\n'), "{}", found.message);
            for label in found.labels {
                assert!(label.source.text.get(label.span).is_some(), "{}: not in the text", name(&path));
            }
        }
    }
}

#[test]
fn color_changes_nothing_but_the_escapes() {
    let escape = |text: &str| {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    };
    for path in fixtures() {
        let found = diagnose(&std::fs::read_to_string(&path).unwrap());
        let colored = render(&found, true);
        assert!(colored.contains('\u{1b}'));
        assert_eq!(escape(&colored), render(&found, false), "{}", name(&path));
    }
}

#[test]
fn places_lead_back_to_the_text() {
    let text = "format = 1\nid = \"a\"\nversion = \"1.0.0\"\ntitle = { zh = \"甲\", en = \"A\" }\n\
                [[group]]\nid = \"g\"\ntitle = { zh = \"组\", en = \"G\" }\n\
                [[item]]\nid = \"x\"\ngroup = \"g\"\ntitle = { zh = \"项\", en = \"I\" }\nlevel = \"must\"\nweight = 1\n\
                [[item.check]]\nuses = \"http-idempotency/safe-get\"\n";
    let read = read_checklist(&Source::new("a.toml", text));
    assert_eq!(read.diagnostics, []);
    let linked = link(read.value.into_iter().collect());
    let id: ItemId = "x".parse().unwrap();
    let shown = |spot: mustdo::syntax::Spot| spot.source.text[spot.span].to_owned();
    assert_eq!(linked.places.item(&id).map(shown), Some("\"x\"".to_owned()));
    assert_eq!(linked.places.check(&id, 0).map(shown), Some("\"http-idempotency/safe-get\"".to_owned()));
    assert_eq!(linked.places.check(&id, 1), None);
}
