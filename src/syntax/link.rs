//! The rules between files: every id once, every reference to something, nothing in a circle.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::circle::circles;
use super::mark::{Bytes, CheckMarks, ItemMarks};
use super::{ChecklistFile, Code, Diagnostic, Source, Spot};
use crate::model::{Catalog, ChecklistId, ItemId, nearest};

/// All content, and what is wrong between its files.
#[derive(Debug)]
pub struct Linked {
    /// Every checklist, in the order given.
    pub catalog: Catalog,
    /// What is wrong, rule by rule, each in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// Where everything is written.
    pub places: Places,
}

/// Where items, their needs and their checks are written; of two items with one id, the first.
#[derive(Debug, Default)]
pub struct Places {
    sources: Vec<Source>,
    items: HashMap<ItemId, (usize, ItemMarks)>,
    versions: HashMap<ChecklistId, Spot>,
}

impl Places {
    /// Where a checklist's version is written.
    #[must_use]
    pub fn version(&self, checklist: &ChecklistId) -> Option<Spot> {
        self.versions.get(checklist).cloned()
    }

    /// Where an item's id is written.
    #[must_use]
    pub fn item(&self, item: &ItemId) -> Option<Spot> {
        let (source, marks) = self.marks(item)?;
        Some(source.spot(marks.id.clone()))
    }

    /// The file and the line, counted from 1, where the id of each of these items is written; what is not known is left
    /// out. Each file is gone through once.
    pub fn lines<'a>(
        &self,
        items: impl IntoIterator<Item = &'a ItemId>,
    ) -> Vec<(&'a ItemId, (Arc<str>, u32))> {
        let mut breaks: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut lines = vec![];
        for item in items {
            let Some((file, marks)) = self.items.get(item) else { continue };
            let source = &self.sources[*file];
            let breaks = breaks
                .entry(*file)
                .or_insert_with(|| source.text.match_indices('\n').map(|(at, _)| at).collect());
            let before = breaks.partition_point(|&at| at < marks.id.start);
            lines.push((item, (source.name.clone(), u32::try_from(before).unwrap_or(u32::MAX - 1) + 1)));
        }
        lines
    }

    /// Where an item's need is written, by its position among them.
    #[must_use]
    pub fn need(&self, item: &ItemId, position: usize) -> Option<Spot> {
        let (source, marks) = self.marks(item)?;
        Some(source.spot(marks.needs.get(position)?.clone()))
    }

    /// Where an item's `uses` is written, by the check's position among its checks.
    #[must_use]
    pub fn check(&self, item: &ItemId, position: usize) -> Option<Spot> {
        let (source, marks) = self.check_marks(item, position)?;
        Some(source.spot(marks.uses.clone()))
    }

    pub(super) fn check_marks(&self, item: &ItemId, position: usize) -> Option<(&Source, &CheckMarks)> {
        let (source, marks) = self.marks(item)?;
        Some((source, marks.checks.get(position)?))
    }

    fn marks(&self, item: &ItemId) -> Option<(&Source, &ItemMarks)> {
        let (source, marks) = self.items.get(item)?;
        Some((&self.sources[*source], marks))
    }
}

/// Holds all files against the rules between them. Time and memory grow with the size of the content and no faster.
#[must_use]
pub fn link(files: Vec<ChecklistFile>) -> Linked {
    let mut diagnostics = duplicates(&files);
    former_ids(&files, &mut diagnostics);
    groups(&files, &mut diagnostics);
    needs(&files, &mut diagnostics);
    repeated_checks(&files, &mut diagnostics);

    let mut places = Places::default();
    let mut checklists = vec![];
    for ChecklistFile { checklist, source, marks } in files {
        for (item, marks) in checklist.items.iter().zip(marks.items) {
            places.items.entry(item.id.clone()).or_insert((places.sources.len(), marks));
        }
        places.versions.insert(checklist.id.clone(), source.spot(marks.version));
        places.sources.push(source);
        checklists.push(checklist);
    }
    Linked { catalog: Catalog::new(checklists), diagnostics, places }
}

/// Where ids of one kind were first seen.
struct Ids<'a, T> {
    what: &'static str,
    seen: HashMap<&'a T, (&'a Source, &'a Bytes)>,
}

impl<'a, T: Eq + Hash + std::fmt::Display> Ids<'a, T> {
    fn new(what: &'static str) -> Self {
        Self { what, seen: HashMap::new() }
    }

    fn see(&mut self, id: &'a T, source: &'a Source, span: &'a Bytes, found: &mut Vec<Diagnostic>) {
        if let Some(&(first, first_span)) = self.seen.get(id) {
            let message = format!("two {} are called \"{id}\"", self.what);
            let duplicate =
                Diagnostic::new(Code::DuplicateId, message, source.spot(span.clone()), "again here");
            found.push(duplicate.also(first.spot(first_span.clone()), "first here"));
        } else {
            self.seen.insert(id, (source, span));
        }
    }
}

fn duplicates(files: &[ChecklistFile]) -> Vec<Diagnostic> {
    let mut found = vec![];
    let mut checklists = Ids::new("checklists");
    let mut groups = Ids::new("groups");
    let mut items = Ids::new("items");
    let mut cards = Ids::new("cards");
    for ChecklistFile { checklist, source, marks } in files {
        checklists.see(&checklist.id, source, &marks.id, &mut found);
        for (group, marks) in checklist.groups.iter().zip(&marks.groups) {
            groups.see(&group.id, source, &marks.id, &mut found);
            for (card, span) in group.cards.iter().zip(&marks.cards) {
                cards.see(&card.id, source, span, &mut found);
            }
        }
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            items.see(&item.id, source, &marks.id, &mut found);
            for (card, span) in item.cards.iter().zip(&marks.cards) {
                cards.see(&card.id, source, span, &mut found);
            }
        }
    }
    found
}

fn former_ids(files: &[ChecklistFile], found: &mut Vec<Diagnostic>) {
    let mut living = HashMap::new();
    for ChecklistFile { checklist, source, marks } in files {
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            living.entry(&item.id).or_insert((source, &marks.id));
        }
    }
    let mut taken = HashMap::new();
    for ChecklistFile { checklist, source, marks } in files {
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            for (old, span) in item.formerly.iter().zip(&marks.formerly) {
                let spot = source.spot(span.clone());
                if let Some(&(other, at)) = living.get(old) {
                    let message = format!("\"{old}\" is the id of an item, so it can't be a former one");
                    found.push(
                        Diagnostic::new(Code::FormerId, message, spot, "")
                            .also(other.spot(Bytes::clone(at)), "in use here"),
                    );
                } else if let Some(&(other, at)) = taken.get(old) {
                    let message = format!("two items were formerly called \"{old}\"");
                    let source: &Source = other;
                    found.push(
                        Diagnostic::new(Code::FormerId, message, spot, "again here")
                            .also(source.spot(Bytes::clone(at)), "first here")
                            .help("progress can be carried over to one item only"),
                    );
                } else {
                    taken.insert(old, (source, span));
                }
            }
        }
    }
}

fn groups(files: &[ChecklistFile], found: &mut Vec<Diagnostic>) {
    let mut nodes = vec![];
    let mut index = HashMap::new();
    for ChecklistFile { checklist, source, marks } in files {
        let own: HashSet<_> = checklist.groups.iter().map(|group| &group.id).collect();
        let mut suggestions = Suggestions::default();
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            if !own.contains(&item.group) {
                let message = format!("this file has no group \"{}\"", item.group);
                let unknown =
                    Diagnostic::new(Code::UnknownGroup, message, source.spot(marks.group.clone()), "");
                let groups = checklist.groups.iter().map(|group| group.id.as_str());
                found.push(unknown.did_you_mean(suggestions.nearest(item.group.as_str(), groups)));
            }
        }
        for (group, marks) in checklist.groups.iter().zip(&marks.groups) {
            index.entry(&group.id).or_insert(nodes.len());
            nodes.push((group, source, marks));
        }
    }
    let mut suggestions = Suggestions::default();
    let mut edges = vec![vec![]; nodes.len()];
    for (node, (group, source, marks)) in nodes.iter().enumerate() {
        let Some(parent) = &group.parent else { continue };
        if let Some(&above) = index.get(parent) {
            edges[node].push(above);
        } else {
            let message = format!("no file has a group \"{parent}\"");
            let unknown = Diagnostic::new(Code::UnknownGroup, message, source.spot(marks.parent.clone()), "");
            let groups = nodes.iter().map(|(group, ..)| group.id.as_str());
            found.push(unknown.did_you_mean(suggestions.nearest(parent.as_str(), groups)));
        }
    }
    for circle in circles(&edges) {
        let ids: Vec<_> = circle.iter().map(|&node| nodes[node].0.id.as_str()).collect();
        let spots = circle.iter().map(|&node| nodes[node].1.spot(nodes[node].2.parent.clone()));
        let message = match &*ids {
            [id] => format!("the group \"{id}\" stands under itself"),
            ids => format!("groups stand under each other: {}", way(ids)),
        };
        found.push(around(Code::GroupCircle, message, spots));
    }
}

fn needs(files: &[ChecklistFile], found: &mut Vec<Diagnostic>) {
    let mut nodes = vec![];
    let mut index = HashMap::new();
    let mut renamed = HashMap::new();
    let mut groups = HashSet::new();
    for ChecklistFile { checklist, source, marks } in files {
        groups.extend(checklist.groups.iter().map(|group| group.id.as_str()));
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            index.entry(&item.id).or_insert(nodes.len());
            renamed.extend(item.formerly.iter().map(|old| (old, &item.id)));
            nodes.push((item, source, marks));
        }
    }
    let mut suggestions = Suggestions::default();
    let mut edges = vec![vec![]; nodes.len()];
    for (node, (item, source, marks)) in nodes.iter().enumerate() {
        for (need, span) in item.needs.iter().zip(&marks.needs) {
            if let Some(&needed) = index.get(need) {
                edges[node].push(needed);
                continue;
            }
            let message = format!("no item is called \"{need}\"");
            let unknown = Diagnostic::new(Code::UnknownNeed, message, source.spot(span.clone()), "");
            found.push(if let Some(now) = renamed.get(need) {
                unknown.help(format!("it is called \"{now}\" now"))
            } else if groups.contains(need.as_str()) {
                unknown.help("that is a group: name the items of it that are needed")
            } else {
                let items = nodes.iter().map(|(item, ..)| item.id.as_str());
                unknown.did_you_mean(suggestions.nearest(need.as_str(), items))
            });
        }
    }
    for circle in circles(&edges) {
        let ids: Vec<_> = circle.iter().map(|&node| nodes[node].0.id.as_str()).collect();
        let message = match &*ids {
            [id] => format!("\"{id}\" needs itself"),
            ids => format!("items need each other: {}", way(ids)),
        };
        let spots = circle.iter().enumerate().map(|(position, &node)| {
            let (item, source, marks) = nodes[node];
            let next = ids[(position + 1) % ids.len()];
            let need = item.needs.iter().position(|need| need.as_str() == next);
            source.spot(need.map_or_else(|| marks.id.clone(), |need| marks.needs[need].clone()))
        });
        found.push(around(Code::NeedCircle, message, spots));
    }
}

/// What is known from a check is kept by item and check, so one item can't hold two answers of one check.
fn repeated_checks(files: &[ChecklistFile], found: &mut Vec<Diagnostic>) {
    for ChecklistFile { checklist, source, marks } in files {
        for (item, marks) in checklist.items.iter().zip(&marks.items) {
            let mut seen = HashMap::new();
            for (check, marks) in item.checks.iter().zip(&marks.checks) {
                if let Some(first) = seen.insert(&check.uses, &marks.uses) {
                    let message = format!("\"{}\" uses \"{}\" twice", item.id, check.uses);
                    found.push(
                        Diagnostic::new(
                            Code::DuplicateCheck,
                            message,
                            source.spot(marks.uses.clone()),
                            "again here",
                        )
                        .also(source.spot(Bytes::clone(first)), "first here")
                        .help("give each use an item of its own"),
                    );
                }
            }
        }
    }
}

/// Longer circles are shown by their beginning: nobody follows a hundred arrows.
const SHOWN: usize = 8;

/// `a → b → a`.
fn way(ids: &[&str]) -> String {
    let text = ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(" → ");
    match ids.len().saturating_sub(SHOWN) {
        0 => format!("{text} → {}", ids[0]),
        more => format!("{text} → … ({more} more) → {}", ids[0]),
    }
}

fn around(code: Code, message: String, spots: impl Iterator<Item = Spot>) -> Diagnostic {
    let mut spots = spots.take(SHOWN);
    // A circle has at least one node.
    let first = spots.next().unwrap_or_else(|| Source::new("", "").spot(0..0));
    let circle = Diagnostic::new(code, message, first, "");
    spots.fold(circle, |circle, spot| circle.also(spot, ""))
}

/// "Did you mean" within bounds: each search goes through all names, so only the first few unknown ones get one.
struct Suggestions(u32);

impl Default for Suggestions {
    fn default() -> Self {
        Self(20)
    }
}

impl Suggestions {
    fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        self.0 = self.0.checked_sub(1)?;
        nearest(name, candidates)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_checklist;
    use super::*;

    fn file(name: &str, items: &str) -> ChecklistFile {
        let text = format!(
            "format = 1\nid = \"{name}\"\nversion = \"1.0.0\"\ntitle = {{ zh = \"甲\", en = \"A\" }}\n\
             [[group]]\nid = \"g-{name}\"\ntitle = {{ zh = \"组\", en = \"G\" }}\n{items}"
        );
        let read = read_checklist(&Source::new(format!("{name}.toml"), text));
        assert_eq!(read.diagnostics, [], "{name}");
        read.value.unwrap()
    }

    fn item(checklist: &str, id: &str, more: &str) -> String {
        format!(
            "[[item]]\nid = \"{id}\"\ngroup = \"g-{checklist}\"\ntitle = {{ zh = \"项\", en = \"I\" }}\n\
             level = \"must\"\nweight = 1\n{more}\n"
        )
    }

    fn messages(files: Vec<ChecklistFile>) -> Vec<String> {
        link(files).diagnostics.into_iter().map(|found| format!("{} {}", found.code, found.message)).collect()
    }

    #[test]
    fn needs_reach_into_other_files() {
        let a = file("a", &item("a", "a.one", "needs = [\"b.one\"]"));
        let b = file("b", &item("b", "b.one", ""));
        let linked = link(vec![a, b]);
        assert_eq!(linked.diagnostics, []);
        let spot = linked.places.need(&"a.one".parse().unwrap(), 0).unwrap();
        assert_eq!(&spot.source.text[spot.span], "\"b.one\"");
    }

    #[test]
    fn circle_through_two_files_is_reported_once() {
        let a = file("a", &item("a", "a.one", "needs = [\"b.one\"]"));
        let b = file("b", &item("b", "b.one", "needs = [\"a.one\"]"));
        assert_eq!(messages(vec![a, b]), ["E0204 items need each other: a.one → b.one → a.one"]);
    }

    #[test]
    fn id_in_two_files_is_shown_in_both() {
        let files = vec![file("a", &item("a", "x", "")), file("b", &item("b", "x", ""))];
        let found = link(files).diagnostics;
        let names: Vec<_> = found[0].labels.iter().map(|label| &*label.source.name).collect();
        assert_eq!(names, ["b.toml", "a.toml"]);
    }

    #[test]
    fn need_under_a_former_name_is_told_the_new_one() {
        let items = item("a", "new", "formerly = [\"old\"]") + &item("a", "other", "needs = [\"old\"]");
        let found = link(vec![file("a", &items)]).diagnostics;
        assert_eq!(found[0].help.as_deref(), Some("it is called \"new\" now"));
    }
}
