//! `mustdo.lock`: reading it, holding it against what is there, and writing it over what is there.
//!
//! One block for each plugin and each checklist, sorted by id, one key on a line: two branches that add different ones merge.
//! Keys and lists of a newer version survive.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml_edit::{ArrayOfTables, InlineTable, Item, Table, Value};

use super::edit::{edit, line, put};
use super::table::{Field, document};
use super::{BrokenText, Code, Diagnostic, Read, Source, Spot};
use crate::model::{
    ChecklistId, Digest, IdError, Lock, LockedChecklist, LockedPlugin, PluginId, TakenCommit,
};

/// The format that this version reads and writes, and the key it stands under.
const VERSION: (&str, i64) = ("version", super::table::FORMAT);

/// A lock and where its parts are written.
#[derive(Debug, Clone)]
pub struct LockFile {
    lock: Lock,
    source: Source,
    marks: BTreeMap<PluginId, Marks>,
}

#[derive(Debug, Clone)]
struct Marks {
    id: Range<usize>,
    digest: Range<usize>,
}

impl LockFile {
    /// What it says.
    #[must_use]
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// What is wrong where the file at `place` has `digest`; none where the lock says the same, or nothing of it.
    #[must_use]
    pub fn changed(&self, id: &PluginId, place: &str, digest: &Digest) -> Option<Diagnostic> {
        let locked = self.lock.plugins.get(id).filter(|locked| locked.digest != *digest)?;
        let message = format!("{place} is not the {id} {} that was added", locked.version);
        let changed =
            Diagnostic::new(Code::ChangedPlugin, message, self.spot(|marks| marks.digest.clone(), id), "")
                .also(whole(place), format!("has the digest {digest}"));
        Some(changed.help(format!(
            "mustdo plugin update {id} fetches it again; mustdo plugin add {place} takes the file as it is"
        )))
    }

    /// A problem for each plugin that is not among those `present`.
    pub fn missing<'a>(
        &'a self,
        present: &'a BTreeSet<&PluginId>,
    ) -> impl Iterator<Item = Diagnostic> + use<'a> {
        self.lock.plugins.keys().filter(|id| !present.contains(id)).map(|id| {
            let message = format!("{id} was added, and its file is not there");
            let spot = self.spot(|marks| marks.id.clone(), id);
            Diagnostic::new(Code::MissingPlugin, message, spot, "").help(format!(
                "mustdo plugin update {id} fetches it again; mustdo plugin remove {id} forgets it"
            ))
        })
    }

    fn spot(&self, span: impl Fn(&Marks) -> Range<usize>, id: &PluginId) -> Spot {
        self.source.spot(self.marks.get(id).map(span).unwrap_or_default())
    }
}

/// What is wrong with a file in the plugins' folder whose name is no id.
#[must_use]
pub fn misnamed_plugin(place: &str, why: &IdError) -> Diagnostic {
    let message = format!("{place} is not named like a plugin: {why}");
    Diagnostic::new(Code::MisnamedPlugin, message, whole(place), "")
        .help("name the file after the plugin's id: acme.http-extra.wasm for acme:http-extra")
}

/// What is to be said of a plugin that the lock does not name.
#[must_use]
pub fn unlocked_plugin(place: &str, id: &PluginId) -> Diagnostic {
    let message = format!("{id} is not in mustdo.lock");
    Diagnostic::new(Code::UnlockedPlugin, message, whole(place), "")
        .help(format!("mustdo plugin add {place} writes it down"))
}

/// A file that is no text.
fn whole(place: &str) -> Spot {
    Source::new(place, "").spot(0..0)
}

/// Reads `mustdo.lock`.
#[must_use]
pub fn read_lock(source: &Source) -> Read<LockFile> {
    document(source, |mut table| {
        table.format_in(VERSION.0)?;
        let mut file = LockFile { lock: Lock::default(), source: source.clone(), marks: BTreeMap::new() };
        for field in table.optional("plugin").and_then(|field| field.list()).into_iter().flatten() {
            plugin(&field, &mut file);
        }
        let mut seen = BTreeMap::new();
        for field in table.optional("checklist").and_then(|field| field.list()).into_iter().flatten() {
            checklist(&field, &mut file.lock.checklists, &mut seen);
        }
        table.close_open();
        Some(file)
    })
}

fn plugin(field: &Field<'_>, file: &mut LockFile) {
    let Some(mut table) = field.table("a plugin") else { return };
    let id_field = table.required("id");
    let id = id_field.as_ref().and_then(|field| field.parse::<PluginId>(Code::BadName));
    let version = table.required("version").and_then(|field| field.version());
    let source = table.required("source").and_then(|field| field.parse(Code::BadSource));
    let digest_field = table.required("digest");
    let digest = digest_field.as_ref().and_then(|field| field.parse(Code::BadDigest));
    let contract = table.required("contract").and_then(|field| field.version());
    let description = table.required("describe-digest").and_then(|field| field.parse(Code::BadDigest));
    table.close_open();
    let (Some(id), Some(id_field), Some(digest_field)) = (id, id_field, digest_field) else { return };
    if let Some(first) = file.marks.get(&id) {
        let message = format!("{id} is locked twice");
        let twice = Diagnostic::new(Code::DuplicateId, message, id_field.spot(), "");
        field.push(twice.also(file.source.spot(first.id.clone()), "first here").help(format!(
            "after a merge, keep one of them; then mustdo plugin update {id} fetches what it names"
        )));
        return;
    }
    file.marks.insert(id.clone(), Marks { id: id_field.span(), digest: digest_field.span() });
    if let (Some(version), Some(source), Some(digest), Some(contract), Some(description)) =
        (version, source, digest, contract, description)
    {
        file.lock.plugins.insert(id, LockedPlugin { version, source, digest, contract, description });
    }
}

fn checklist(
    field: &Field<'_>,
    checklists: &mut BTreeMap<ChecklistId, LockedChecklist>,
    seen: &mut BTreeMap<ChecklistId, Spot>,
) {
    let Some(mut table) = field.table("a checklist") else { return };
    let id_field = table.required("id");
    let id = id_field.as_ref().and_then(|field| field.parse::<ChecklistId>(Code::BadName));
    let version = table.required("version").and_then(|field| field.version());
    let source = table.required("source").and_then(|field| field.parse(Code::BadSource));
    let digest = table.required("digest").and_then(|field| field.parse(Code::BadDigest));
    let tag = table.optional("tag").map(|field| field.parse(Code::BadSource));
    let commit = table.optional("commit").map(|field| field.parse(Code::BadSource));
    table.close_open();
    let (Some(id), Some(id_field)) = (id, id_field) else { return };
    if let Some(first) = seen.get(&id) {
        let message = format!("{id} is locked twice");
        let twice = Diagnostic::new(Code::DuplicateId, message, id_field.spot(), "");
        field.push(
            twice.also(first.clone(), "first here").help(format!(
                "after a merge, keep one of them; then mustdo update {id} takes what it names"
            )),
        );
        return;
    }
    seen.insert(id.clone(), id_field.spot());
    let taken = match (tag, commit) {
        (Some(tag), Some(id)) => tag.zip(id).map(|(tag, id)| TakenCommit { tag, id }),
        _ => None,
    };
    if let (Some(version), Some(source), Some(digest)) = (version, source, digest) {
        checklists.insert(id, LockedChecklist { version, source, digest, taken });
    }
}

/// The text of a lock: `old` with everything changed that `lock` says otherwise. [`BrokenText`] where `old` is not what
/// [`read_lock`] reads: then nothing may be written over it.
pub fn write_lock(old: &str, lock: &Lock) -> Result<String, BrokenText> {
    edit(old, |document| {
        let root = document.as_table_mut();
        if root.is_empty() {
            root.decor_mut().set_prefix(
                "# Written by mustdo: which plugins and checklists this workspace took, and from where.\n",
            );
        }
        if !root.contains_key(VERSION.0) {
            put(root, VERSION.0, Some(VERSION.1.into()));
        }
        let plugins = lock.plugins.iter().map(|(id, locked)| (id.to_string(), plugin_keys(id, locked)));
        let checklists =
            lock.checklists.iter().map(|(id, locked)| (id.to_string(), checklist_keys(id, locked)));
        write(root, "checklist", checklists.collect())?;
        write(root, "plugin", plugins.collect())
    })
}

/// The keys of a block, in their order; none where it is not to be there.
type Keys = Vec<(&'static str, Option<String>)>;

fn plugin_keys(id: &PluginId, locked: &LockedPlugin) -> Keys {
    let LockedPlugin { version, source, digest, contract, description } = locked;
    vec![
        ("id", Some(id.to_string())),
        ("version", Some(version.to_string())),
        ("source", Some(source.to_string())),
        ("digest", Some(digest.to_string())),
        ("contract", Some(contract.to_string())),
        ("describe-digest", Some(description.to_string())),
    ]
}

fn checklist_keys(id: &ChecklistId, locked: &LockedChecklist) -> Keys {
    let LockedChecklist { version, source, digest, taken } = locked;
    let taken = taken.as_ref();
    vec![
        ("id", Some(id.to_string())),
        ("version", Some(version.to_string())),
        ("source", Some(source.to_string())),
        ("tag", taken.map(|taken| taken.tag.to_string())),
        ("commit", taken.map(|taken| taken.id.to_string())),
        ("digest", Some(digest.to_string())),
    ]
}

/// Makes the blocks called `list` be those of `wanted`, by id.
fn write(root: &mut Table, list: &str, wanted: BTreeMap<String, Keys>) -> Result<(), BrokenText> {
    if wanted.is_empty() && !root.contains_key(list) {
        return Ok(());
    }
    let blocks = root.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    // Written on one line it means the same.
    if let Some(array) = blocks.as_array() {
        let tables =
            array.iter().map(|value: &Value| value.as_inline_table().cloned().map(InlineTable::into_table));
        let tables: ArrayOfTables =
            tables.collect::<Option<Vec<_>>>().ok_or(BrokenText)?.into_iter().collect();
        *blocks = Item::ArrayOfTables(tables);
    }
    let blocks = blocks.as_array_of_tables_mut().ok_or(BrokenText)?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for table in blocks.iter() {
        let id = table.get("id").and_then(Item::as_str).ok_or(BrokenText)?;
        if tables.insert(id.to_owned(), table.clone()).is_some() {
            return Err(BrokenText);
        }
    }
    tables.retain(|id, _| wanted.contains_key(id));
    for (id, keys) in wanted {
        let table = tables.entry(id).or_default();
        for (key, value) in keys {
            if table.get(key).and_then(Item::as_str) != value.as_deref() {
                put(table, key, value.as_deref().map(line));
            }
        }
    }
    blocks.clear();
    for (_, mut table) in tables {
        // Without a place of its own it stands where it is put.
        table.set_position(None);
        blocks.push(table);
    }
    if blocks.is_empty() {
        root.remove(list);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PluginId {
        text.parse().unwrap()
    }

    fn locked(seed: &str) -> LockedPlugin {
        LockedPlugin {
            version: "1.2.0".parse().unwrap(),
            source: format!("https://example.org/{seed}.wasm").parse().unwrap(),
            digest: Digest::of(seed.as_bytes()),
            contract: "0.1.0".parse().unwrap(),
            description: Digest::of(b"says"),
        }
    }

    fn lock(ids: &[&str]) -> Lock {
        Lock { plugins: ids.iter().map(|text| (id(text), locked(text))).collect(), ..Lock::default() }
    }

    fn written(old: &str, lock: &Lock) -> String {
        let text = write_lock(old, lock).unwrap();
        let read = read_lock(&Source::new("mustdo.lock", text.as_str()));
        assert_eq!(read.diagnostics, [], "{text}");
        assert_eq!(read.value.unwrap().lock(), lock, "{text}");
        text
    }

    #[test]
    fn plugins_on_one_line_are_written_as_well_as_read() {
        let mut lock = Lock::default();
        lock.plugins.insert(id("acme:x"), locked("x"));
        let blocks = write_lock("", &lock).unwrap();
        let keys: Vec<&str> = blocks.lines().filter(|line| line.contains(" = ")).collect();
        let line = format!("version = 1\nplugin = [{{ {} }}]\n", keys[1..].join(", "));
        let read = |text: &str| read_lock(&Source::new("mustdo.lock", text)).value.unwrap().lock;
        assert_eq!(read(&line), lock, "{line}");
        lock.plugins.insert(id("acme:y"), locked("y"));
        assert_eq!(read(&write_lock(&line, &lock).unwrap()), lock);
        assert_eq!(read(&write_lock("version = 1\nplugin = []\n", &lock).unwrap()), lock);
        assert!(write_lock("version = 1\nplugin = [1]\n", &lock).is_err());
    }

    #[test]
    fn lock_is_read_as_it_was_written_sorted_and_stable() {
        let text = written("", &lock(&["zed", "acme:http-extra"]));
        assert!(text.starts_with("# Written by mustdo"), "{text}");
        assert!(text.find("acme:http-extra") < text.find("zed"), "{text}");
        assert_eq!(written(&text, &lock(&["zed", "acme:http-extra"])), text);
        let grown = written(&text, &lock(&["zed", "m", "acme:http-extra"]));
        let without = written(&grown, &lock(&["zed", "acme:http-extra"]));
        assert_eq!(without, text);
        assert!(!written(&text, &Lock::default()).contains("[["));
    }

    #[test]
    fn what_a_newer_version_wrote_survives() {
        let text = written("", &lock(&["a"]));
        let newer = text.replace("[[plugin]]", "needs = \"x\"\n\n[[plugin]]\nsigned-by = \"acme\" # new")
            + "\n[[theme]]\nid = \"theirs\"\nversion = \"2.0.0\"\n";
        let rewritten = written(&newer, &lock(&["a", "b"]));
        for kept in ["needs = \"x\"", "signed-by = \"acme\" # new", "[[theme]]\nid = \"theirs\""] {
            assert!(rewritten.contains(kept), "{rewritten}");
        }
    }

    #[test]
    fn only_the_lines_that_changed_change() {
        let mut lock = lock(&["a", "b", "c"]);
        let old = written("", &lock);
        lock.plugins.get_mut(&id("b")).unwrap().digest = Digest::of(b"new");
        let new = written(&old, &lock);
        let differing = old.lines().zip(new.lines()).filter(|(old, new)| old != new).count();
        assert_eq!((differing, new.lines().count()), (1, old.lines().count()));
    }

    #[test]
    fn broken_lock_is_not_written_over() {
        for text in [
            "[",
            "plugin = 1",
            "[[plugin]]\nversion = \"1.0.0\"",
            "[[plugin]]\nid=\"a\"\n[[plugin]]\nid=\"a\"",
        ] {
            assert_eq!(write_lock(text, &lock(&["a"])), Err(BrokenText), "{text}");
        }
    }

    #[test]
    fn files_are_held_against_it() {
        let text = written("", &lock(&["a", "b"]));
        let file = read_lock(&Source::new("mustdo.lock", text)).value.unwrap();
        assert_eq!(file.changed(&id("a"), "plugins/a.wasm", &Digest::of(b"a")), None);
        assert_eq!(file.changed(&id("c"), "plugins/c.wasm", &Digest::of(b"c")), None);
        let changed = file.changed(&id("a"), "plugins/a.wasm", &Digest::of(b"x")).unwrap();
        assert_eq!(changed.code, Code::ChangedPlugin);
        let (a, b) = (id("a"), id("b"));
        let missing = |present: &[&PluginId]| file.missing(&present.iter().copied().collect()).count();
        assert_eq!((missing(&[&a, &b]), missing(&[&a]), missing(&[])), (0, 1, 2));
    }

    #[test]
    fn checklists_stand_beside_plugins_and_what_is_new_in_them_survives() {
        let plugins = written("", &lock(&["a"]));
        let mut both = lock(&["a"]);
        let origins = ["embedded", "file:../team", "git+https://example.org/team.git"];
        for (name, origin) in ["x", "y", "z"].into_iter().zip(origins) {
            let source: crate::model::Origin = origin.parse().unwrap();
            let git = matches!(source, crate::model::Origin::Git(_));
            let taken = git.then(|| TakenCommit {
                tag: "v1.0.0".parse().unwrap(),
                id: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            });
            let digest = Digest::of(name.as_bytes());
            let entry = LockedChecklist { version: "1.0.0".parse().unwrap(), source, digest, taken };
            both.checklists.insert(name.parse().unwrap(), entry);
        }
        let text = written(&plugins, &both);
        assert!(text.starts_with(&plugins) || text.contains("[[plugin]]\nid = \"a\""), "{text}");
        let newer = text.replace("id = \"y\"", "id = \"y\"\nsigned-by = \"acme\" # new");
        both.checklists.remove(&"x".parse::<ChecklistId>().unwrap());
        let text = written(&newer, &both);
        assert!(text.contains("signed-by = \"acme\" # new") && !text.contains("\"x\""), "{text}");
        let moved = both.checklists.get_mut(&"z".parse::<ChecklistId>().unwrap()).unwrap();
        moved.source = "embedded".parse().unwrap();
        moved.taken = None;
        let text = written(&text, &both);
        assert!(!text.contains("commit = "), "{text}");
        both.checklists.clear();
        assert_eq!(written(&text, &both).matches("[[").count(), 1);
    }

    #[test]
    fn checklist_that_is_locked_twice_is_told_with_both_places() {
        let mut one = Lock::default();
        let entry = LockedChecklist {
            version: "1.0.0".parse().unwrap(),
            source: crate::model::Origin::Embedded,
            digest: Digest::of(b"x"),
            taken: None,
        };
        one.checklists.insert("x".parse().unwrap(), entry);
        let text = written("", &one);
        let block = text.split_once("[[checklist]]").unwrap().1;
        let twice = format!("{text}\n[[checklist]]{block}");
        let found = read_lock(&Source::new("mustdo.lock", twice.as_str())).diagnostics;
        assert_eq!((found.len(), found[0].code, found[0].labels.len()), (1, Code::DuplicateId, 2));
        assert_eq!(write_lock(&twice, &one), Err(BrokenText));
    }
}
