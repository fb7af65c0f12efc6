//! The shipped checklists against the note they come from.
//!
//! `enumeration.tsv` and `cards.tsv` list every heading, item and card that the note gives rise to, written
//! down apart from the checklists. The files are read as plain TOML tables here, so that a mistake in the
//! reader of checklists cannot hide one in their content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Groups that the note has no heading for: its items would otherwise have none.
const EXTRA_GROUPS: [&str; 4] = ["lineage", "method", "metric", "performance"];

/// What no title and no card repeats: words that only join, and the subject of line 14, which is the heading
/// of line 12.
const JOINING_WORDS: [(usize, &[&str]); 3] = [
    (3, &["因为", "这意味着", "假如程序不够快", "那么"]),
    (14, &["灰度发布", "在其上可以进行", "即"]),
    (16, &["作用"]),
];

/// Joins the parts of a card's key that stand on different lines of the note.
const KEY_JOINT: &str = " / ";

/// A group or an item as it stands in its file.
struct Entry {
    file: String,
    kind: &'static str,
    table: Table,
}

impl Entry {
    fn id(&self) -> &str {
        self.text("id")
    }

    /// The value of a key, empty when the key is missing.
    fn text(&self, key: &str) -> &str {
        self.table.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, key: &str) -> Vec<&str> {
        let values = self.table.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().filter_map(Value::as_str).collect()
    }

    fn tables(&self, key: &str) -> Vec<&Table> {
        let values = self.table.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value.as_table().expect("an array of tables")).collect()
    }

    fn title(&self, language: &str) -> &str {
        self.table["title"][language].as_str().expect("a title is text")
    }

    /// The group of an item, the parent of a group.
    fn owner(&self) -> &str {
        self.text(if self.kind == "item" { "group" } else { "parent" })
    }

    fn line(&self) -> Option<usize> {
        source_line(&self.table)
    }

    /// What an item needs; the parent of a group.
    fn before(&self) -> Vec<&str> {
        match self.kind {
            "item" => self.list("needs"),
            _ => Some(self.owner()).filter(|parent| !parent.is_empty()).into_iter().collect(),
        }
    }

    /// The same columns, in the same order, as `enumeration.tsv`, without the last: the check.
    fn row(&self) -> Vec<String> {
        let line = self.line().map(|line| line.to_string()).unwrap_or_default();
        let weight = self.table.get("weight").and_then(Value::as_integer).map(|weight| weight.to_string());
        let weight = weight.unwrap_or_default();
        let needs = self.list("needs").join(",");
        let cells = [
            self.file.as_str(),
            self.id(),
            self.kind,
            self.owner(),
            &line,
            self.title("zh"),
            self.text("level"),
            &weight,
            &needs,
            self.text("kind"),
        ];
        cells.map(str::to_owned).to_vec()
    }
}

/// A card with the group or item it hangs on.
struct Card<'a> {
    owner: &'a Entry,
    table: &'a Table,
}

impl Card<'_> {
    fn text(&self, key: &str) -> &str {
        self.table[key].as_str().expect("a card's value is text")
    }

    fn line(&self) -> usize {
        source_line(self.table).or(self.owner.line()).expect("a card has a line")
    }

    /// The same columns, in the same order, as `cards.tsv`.
    fn row(&self) -> Vec<String> {
        let line = self.line().to_string();
        let blanks = self.table.get("blanks").and_then(Value::as_integer).unwrap_or(1).to_string();
        let cells = [
            self.text("id"),
            self.owner.id(),
            self.owner.kind,
            &line,
            self.text("form"),
            &blanks,
            self.text("key"),
        ];
        cells.map(str::to_owned).to_vec()
    }
}

fn source_line(table: &Table) -> Option<usize> {
    let source = table.get("source")?.as_str()?;
    let line = source.strip_prefix("seed:").expect("a source is seed:LINE");
    Some(line.parse().expect("a line is a number"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The shipped files by name.
fn files() -> BTreeMap<String, Table> {
    let folder = fs::read_dir(root().join("checklists")).expect("the folder of checklists");
    let paths: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    let mut files = BTreeMap::new();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8").to_owned();
        let text = fs::read_to_string(&path).expect("a readable file");
        files.insert(name.clone(), text.parse().unwrap_or_else(|error| panic!("{name}: {error}")));
    }
    files
}

fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for (file, checklist) in files() {
        for kind in ["group", "item"] {
            for value in checklist[kind].as_array().expect("an array of tables") {
                let table = value.as_table().expect("a table").clone();
                entries.push(Entry { file: file.clone(), kind, table });
            }
        }
    }
    entries
}

fn cards(entries: &[Entry]) -> Vec<Card<'_>> {
    let of = |owner| Entry::tables(owner, "card").into_iter().map(move |table| Card { owner, table });
    entries.iter().flat_map(of).collect()
}

/// The ids of the items right below a group, in the order of its file.
fn members<'a>(entries: &'a [Entry], group: &str) -> Vec<&'a str> {
    let members = entries.iter().filter(|entry| entry.kind == "item" && entry.owner() == group);
    members.map(Entry::id).collect()
}

/// The rows of a fixture without its head.
fn fixture(name: &str) -> Vec<Vec<String>> {
    let text = read(&format!("tests/fixtures/{name}"));
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The lines of the note; line 1 is at index 0.
fn note() -> Vec<String> {
    read("tests/fixtures/note.txt").lines().map(str::to_owned).collect()
}

/// What comes before what: an item after its needs, a group after its parent.
fn order(entries: &[Entry]) -> BTreeMap<&str, Vec<&str>> {
    entries.iter().map(|entry| (entry.id(), entry.before())).collect()
}

/// The first circle that a walk from `id` meets, as the path to it.
fn circle<'a>(
    id: &'a str,
    after: &BTreeMap<&'a str, Vec<&'a str>>,
    path: &mut Vec<&'a str>,
    finished: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if path.contains(&id) {
        return Some(format!("{} -> {id}", path.join(" -> ")));
    }
    if finished.contains(id) {
        return None;
    }
    path.push(id);
    let next = after.get(id).map(Vec::as_slice).unwrap_or_default();
    let met = next.iter().find_map(|next| circle(next, after, path, finished));
    path.pop();
    finished.insert(id);
    met
}

/// Every table with a key for one language, with where it stands.
fn texts<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Table)>) {
    if let Some(table) = value.as_table() {
        if table.contains_key("zh") || table.contains_key("en") {
            found.push((place.to_owned(), table));
        }
        for (key, value) in table {
            texts(value, &format!("{place}.{key}"), found);
        }
    } else if let Some(values) = value.as_array() {
        for (index, value) in values.iter().enumerate() {
            texts(value, &format!("{place}[{index}]"), found);
        }
    }
}

/// The words of a line that are left when the pieces, its list number and its punctuation are gone.
fn left_over(line: &str, mut pieces: Vec<&str>) -> Vec<String> {
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    let mut rest = line.to_owned();
    for piece in pieces {
        rest = rest.replace(piece, " ");
    }
    let numbered = rest.trim_start().split_once('.');
    if let Some((number, after)) = numbered.filter(|(number, _)| number.parse::<u32>().is_ok()) {
        rest = rest.replacen(&format!("{number}.{after}"), after, 1);
    }
    let words = rest.split(|char: char| !char.is_alphanumeric() && char != '_');
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_note_gives_35_groups_197_items_and_84_cards() {
    let entries = entries();
    let groups = entries.iter().filter(|entry| entry.kind == "group" && entry.line().is_some()).count();
    let items = entries.iter().filter(|entry| entry.kind == "item").count();
    assert_eq!((files().len(), groups, items, cards(&entries).len()), (10, 35, 197, 84));
}

#[test]
fn the_enumeration_is_shipped_row_by_row_and_nothing_else() {
    let entries = entries();
    let mut expected = fixture("enumeration.tsv");
    for row in &mut expected {
        // A group needs nothing by itself, and a need that is a heading stands for its members.
        row[8] = match row[2].as_str() {
            "item" => {
                let ids = row[8].split(',').flat_map(|need| match members(&entries, need) {
                    members if members.is_empty() => vec![need],
                    members => members,
                });
                ids.collect::<Vec<&str>>().join(",")
            }
            _ => String::new(),
        };
        row.truncate(10);
    }
    let of_the_note = entries.iter().filter(|entry| !EXTRA_GROUPS.contains(&entry.id()));
    let mut shipped: Vec<Vec<String>> = of_the_note.map(Entry::row).collect();
    expected.sort();
    shipped.sort();
    assert_eq!(expected.len(), 232);
    assert_eq!(shipped, expected);
}

#[test]
fn what_a_heading_needs_its_members_lead_to() {
    let entries = entries();
    let after = order(&entries);
    let mut seen = 0;
    for row in fixture("enumeration.tsv").iter().filter(|row| row[2] == "group" && !row[8].is_empty()) {
        let mut reached = BTreeSet::new();
        for member in members(&entries, &row[1]) {
            assert_eq!(circle(member, &after, &mut Vec::new(), &mut reached), None);
        }
        for need in row[8].split(',') {
            assert!(reached.contains(need), "{} needs {need}", row[1]);
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

#[test]
fn only_the_extra_groups_have_no_line_of_the_note() {
    let entries = entries();
    let without: BTreeSet<&str> =
        entries.iter().filter(|entry| entry.line().is_none()).map(Entry::id).collect();
    assert_eq!(without, BTreeSet::from(EXTRA_GROUPS));
}

#[test]
fn the_cards_are_those_of_the_enumeration() {
    let entries = entries();
    let mut shipped: Vec<Vec<String>> = cards(&entries).iter().map(Card::row).collect();
    let mut expected = fixture("cards.tsv");
    shipped.sort();
    expected.sort();
    assert_eq!(shipped, expected);
}

#[test]
fn a_check_is_the_one_the_enumeration_names() {
    let expected: BTreeMap<String, String> =
        fixture("enumeration.tsv").into_iter().map(|row| (row[1].clone(), row[10].clone())).collect();
    let mut seen = 0;
    for entry in entries().iter().filter(|entry| entry.kind == "item") {
        let named = expected[entry.id()].as_str();
        for check in entry.tables("check") {
            let uses = check["uses"].as_str().unwrap();
            // A suite is no check: the item binds what it is made of, one by one.
            let is_part =
                named.strip_suffix("/suite").is_some_and(|plugin| uses.starts_with(&format!("{plugin}/")));
            assert!(uses == named || is_part, "{}: {uses}", entry.id());
            seen += 1;
        }
    }
    assert!(seen >= 50, "{seen} checks");
}

#[test]
fn ids_are_unique_over_all_files() {
    let entries = entries();
    let files = files();
    let checklists: Vec<&str> = files.values().filter_map(|file| file["id"].as_str()).collect();
    let ids: Vec<&str> = entries.iter().map(Entry::id).collect();
    let all_cards = cards(&entries);
    let card_ids: Vec<&str> = all_cards.iter().map(|card| card.text("id")).collect();
    for ids in [checklists, ids, card_ids] {
        let mut seen = BTreeSet::new();
        let twice: Vec<&&str> = ids.iter().filter(|id| !seen.insert(**id)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn needs_and_parents_are_known_in_some_file() {
    let entries = entries();
    let ids: BTreeSet<&str> = entries.iter().map(Entry::id).collect();
    let groups: BTreeSet<&str> =
        entries.iter().filter(|entry| entry.kind == "group").map(Entry::id).collect();
    for entry in &entries {
        for need in entry.list("needs") {
            assert!(ids.contains(need), "{} needs {need}", entry.id());
        }
        let owner = entry.owner();
        assert!(groups.contains(owner) || entry.kind == "group" && owner.is_empty(), "{}", entry.id());
    }
}

#[test]
fn an_item_has_its_group_in_its_own_file() {
    let entries = entries();
    let homes: BTreeMap<&str, &str> = entries.iter().map(|entry| (entry.id(), entry.file.as_str())).collect();
    for item in entries.iter().filter(|entry| entry.kind == "item") {
        assert_eq!(homes[item.owner()], item.file, "{}", item.id());
    }
}

#[test]
fn every_group_has_a_member() {
    let entries = entries();
    for group in entries.iter().filter(|entry| entry.kind == "group") {
        assert!(entries.iter().any(|entry| entry.owner() == group.id()), "{}", group.id());
    }
}

#[test]
fn needs_never_lead_in_a_circle() {
    let entries = entries();
    let after = order(&entries);
    let mut finished = BTreeSet::new();
    for id in after.keys() {
        assert_eq!(circle(id, &after, &mut Vec::new(), &mut finished), None);
    }
}

#[test]
fn a_circle_would_be_noticed() {
    let after = BTreeMap::from([("a", vec!["b"]), ("b", vec!["c"]), ("c", vec!["b"])]);
    let met = circle("a", &after, &mut Vec::new(), &mut BTreeSet::new());
    assert_eq!(met.as_deref(), Some("a -> b -> c -> b"));
}

#[test]
fn every_text_is_there_in_both_languages() {
    let files: BTreeMap<String, Value> =
        files().into_iter().map(|(name, file)| (name, Value::Table(file))).collect();
    let mut found = Vec::new();
    for (name, file) in &files {
        texts(file, name, &mut found);
    }
    // A title each for 10 checklists, 39 groups and 197 items, a question for each of the 84 cards, and hints.
    assert!(found.len() >= 10 + 39 + 197 + 84, "{} texts", found.len());
    for (place, text) in found {
        let languages: Vec<&str> = text.keys().map(String::as_str).collect();
        assert_eq!(languages, ["en", "zh"], "{place}");
        for words in text.values() {
            let words = words.as_str().unwrap();
            assert!(!words.is_empty() && words.trim() == words, "{place}: {words:?}");
        }
    }
}

#[test]
fn every_line_of_the_note_is_a_source() {
    let entries = entries();
    let mut sources: BTreeSet<usize> = entries.iter().filter_map(Entry::line).collect();
    sources.extend(cards(&entries).iter().map(Card::line));
    let lines: BTreeSet<usize> =
        (1..).zip(note()).filter(|(_, text)| !text.trim().is_empty()).map(|(number, _)| number).collect();
    assert_eq!(lines.len(), 113);
    assert_eq!(sources, lines);
}

#[test]
fn titles_and_keys_are_the_notes_own_words() {
    let entries = entries();
    let note = note();
    for entry in &entries {
        let Some(line) = entry.line() else { continue };
        assert!(note[line - 1].contains(entry.title("zh")), "{}: {}", entry.id(), entry.title("zh"));
    }
    for card in cards(&entries) {
        let key = card.text("key");
        let mut at = card.line() - 1;
        for part in key.split(KEY_JOINT) {
            let ahead = note[at..].iter().position(|line| line.contains(part));
            at += ahead.unwrap_or_else(|| panic!("{}: {part} does not follow", card.text("id")));
        }
        assert!(key.contains(KEY_JOINT) || at == card.line() - 1, "{}: another line", card.text("id"));
    }
}

#[test]
fn no_word_of_the_note_falls_out() {
    let entries = entries();
    let cards = cards(&entries);
    for (number, line) in (1..).zip(note()) {
        let titles =
            entries.iter().filter(|entry| entry.line() == Some(number)).map(|entry| entry.title("zh"));
        let keys = cards.iter().filter(|card| card.line() == number);
        let keys = keys.flat_map(|card| card.text("key").split(KEY_JOINT));
        let left = left_over(&line, titles.chain(keys).collect());
        let joining = JOINING_WORDS.iter().find(|(at, _)| *at == number).map_or(&[][..], |(_, words)| words);
        assert_eq!(left, joining, "line {number}: {line}");
    }
}

#[test]
fn a_word_that_falls_out_is_noticed() {
    assert_eq!(left_over("    3.http -> DNS, https", vec!["http", "DNS"]), ["s"]);
    assert_eq!(left_over("|网络攻击 -> DDos防护", vec!["网络攻击"]), ["DDos防护"]);
}

#[test]
fn tags_are_the_documented_ones() {
    let page = read("docs/checklists.md");
    let (_, section) = page.split_once("\n### Tags\n").expect("a section on tags");
    let section = section.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<&str> = rows.map(|(tag, _)| tag).collect();
    let entries = entries();
    let used: BTreeSet<&str> = entries.iter().flat_map(|entry| entry.list("tags")).collect();
    assert_eq!(used, documented);
    for item in entries.iter().filter(|entry| entry.kind == "item") {
        assert!(!item.list("tags").is_empty(), "{}", item.id());
        assert_eq!(item.list("tags").contains(&"quiz"), item.text("kind") == "quiz", "{}", item.id());
    }
}

#[test]
fn items_that_are_checked_or_hard_have_hints() {
    let files_with_hints = ["02-must-do.toml", "10-challenge.toml"];
    for item in entries().iter().filter(|entry| entry.kind == "item") {
        if files_with_hints.contains(&item.file.as_str()) || !item.tables("check").is_empty() {
            let hints = item.tables("hints").len();
            assert!((2..=3).contains(&hints), "{}: {hints} hints", item.id());
        }
    }
}

#[test]
fn proofs_by_a_check_stay_fresh_for_ninety_days() {
    for item in entries().iter().filter(|entry| !entry.tables("check").is_empty()) {
        assert_eq!(item.text("fresh-for"), "90d", "{}", item.id());
    }
}
