//! Two versions of content side by side: what an author changed, and how much that asks of a version number.

use std::collections::BTreeMap;

use semver::Version;

use super::{Catalog, CheckUse, Checklist, ChecklistId, Item, ItemId, Settings};

/// How an item differs between two versions of content.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemChange<'a> {
    /// As it was; none where there was none.
    pub before: Option<&'a Item>,
    /// As it is; none where there is none any more.
    pub after: Option<&'a Item>,
    /// What is different about it; empty where it came or went.
    pub aspects: Vec<Aspect>,
}

/// Something about an item that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// It has another id; the old one is among its former ones.
    Id,
    /// It stands in another checklist.
    Checklist,
    /// Another proof is asked for, which need not be weaker.
    Proof,
    /// A part of the proof is no longer asked for.
    LessProof,
    /// A proof lasts less long.
    Shorter,
    /// A proof lasts longer.
    Longer,
    /// Other files are watched.
    Watch,
    /// It is asked for more or less than before.
    Level,
    /// It counts more or less than before.
    Weight,
    /// Other items are to be proven first.
    Needs,
    /// It stands under another heading.
    Group,
    /// It is selected by other words.
    Tags,
    /// Its quiz cards.
    Cards,
    /// What is said about it.
    Words,
}

/// How much a version number has to rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bump {
    /// Words.
    Patch,
    /// An item was added, or counts in another way.
    Minor,
    /// An item was removed, or a proof may have been made stricter: what was proven need not be any more.
    Major,
}

impl Bump {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        }
    }

    /// The least version that is so much higher than `version`. Before 1.0.0 the minor number stands for the major one and
    /// the patch number for both others, as semver has it.
    #[must_use]
    pub fn above(self, version: &Version) -> Version {
        let Version { major, minor, patch, .. } = *version;
        match (self, major) {
            (Self::Major, 1..) => Version::new(major + 1, 0, 0),
            (Self::Major, 0) | (Self::Minor, 1..) => Version::new(major, minor + 1, 0),
            (Self::Minor, 0) | (Self::Patch, _) => Version::new(major, minor, patch + 1),
        }
    }
}

impl Aspect {
    /// The word in machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Checklist => "checklist",
            Self::Proof => "proof",
            Self::LessProof => "less-proof",
            Self::Shorter => "shorter",
            Self::Longer => "longer",
            Self::Watch => "watch",
            Self::Level => "level",
            Self::Weight => "weight",
            Self::Needs => "needs",
            Self::Group => "group",
            Self::Tags => "tags",
            Self::Cards => "cards",
            Self::Words => "words",
        }
    }

    /// How much it asks of a version number.
    #[must_use]
    pub fn bump(self) -> Bump {
        match self {
            Self::Proof | Self::Shorter | Self::Watch => Bump::Major,
            Self::Id
            | Self::Checklist
            | Self::LessProof
            | Self::Longer
            | Self::Level
            | Self::Weight
            | Self::Needs
            | Self::Group
            | Self::Tags
            | Self::Cards => Bump::Minor,
            Self::Words => Bump::Patch,
        }
    }
}

impl ItemChange<'_> {
    /// How much it asks of the version number of its checklist.
    #[must_use]
    pub fn bump(&self) -> Bump {
        match (self.before, self.after) {
            (Some(_), None) => Bump::Major,
            (None, _) => Bump::Minor,
            (Some(_), Some(_)) => {
                self.aspects.iter().map(|aspect| aspect.bump()).max().unwrap_or(Bump::Patch)
            }
        }
    }

    /// The item, as it is where it is still there.
    #[must_use]
    pub fn item(&self) -> Option<&Item> {
        self.after.or(self.before)
    }
}

/// Every item that differs, those of today in their order, then those that are gone, in theirs.
#[must_use]
pub fn compare<'a>(before: &'a Catalog, after: &'a Catalog) -> Vec<ItemChange<'a>> {
    let mut changes = vec![];
    for item in after.items() {
        match earlier(before, item) {
            None => changes.push(ItemChange { before: None, after: Some(item), aspects: vec![] }),
            Some(old) => {
                let mut aspects = aspects(old, item);
                let home = |catalog: &Catalog, item: &Item| {
                    catalog.checklist_of(&item.id).map(|checklist| checklist.id.clone())
                };
                if home(before, old) != home(after, item) {
                    aspects.push(Aspect::Checklist);
                }
                aspects.sort_unstable();
                if !aspects.is_empty() {
                    changes.push(ItemChange { before: Some(old), after: Some(item), aspects });
                }
            }
        }
    }
    for item in before.items() {
        let today = after.item(&item.id).or_else(|| after.item(after.renamed(&item.id)?));
        if today.is_none() {
            changes.push(ItemChange { before: Some(item), after: None, aspects: vec![] });
        }
    }
    changes
}

/// What an item of today was before: under its id, else under one of its former ids.
#[must_use]
pub fn earlier<'a>(before: &'a Catalog, item: &Item) -> Option<&'a Item> {
    let former = || item.formerly.iter().find_map(|id| before.item(id));
    before.item(&item.id).or_else(former)
}

fn aspects(old: &Item, new: &Item) -> Vec<Aspect> {
    let Item {
        id,
        formerly: _,
        group,
        title,
        level,
        weight,
        needs,
        tags,
        fresh_for,
        source,
        kind,
        hints,
        checks,
        cards,
    } = new;
    let mut aspects = vec![];
    let mut note = |changed: bool, aspect| aspects.extend(changed.then_some(aspect));
    note(old.id != *id, Aspect::Id);
    note(old.group != *group, Aspect::Group);
    note(old.level != *level, Aspect::Level);
    note(old.weight != *weight, Aspect::Weight);
    note(old.needs != *needs, Aspect::Needs);
    note(old.tags != *tags, Aspect::Tags);
    note(old.cards != *cards, Aspect::Cards);
    note(
        old.title != *title || old.hints != *hints || old.source != *source || old.kind != *kind,
        Aspect::Words,
    );
    let lasts = |span: &Option<super::Span>| span.unwrap_or(Settings::FRESH_FOR);
    note(lasts(fresh_for) < lasts(&old.fresh_for), Aspect::Shorter);
    note(lasts(fresh_for) > lasts(&old.fresh_for), Aspect::Longer);
    let known: BTreeMap<_, &CheckUse> = old.checks.iter().map(|check| (&check.uses, check)).collect();
    let same = |new: &CheckUse| {
        let old = known.get(&new.uses)?;
        Some((old.target == new.target && old.with == new.with, old.watch == new.watch))
    };
    note(checks.iter().any(|check| same(check).is_none_or(|(question, _)| !question)), Aspect::Proof);
    note(checks.iter().filter_map(same).any(|(_, watch)| !watch), Aspect::Watch);
    let asked = |old: &&CheckUse| checks.iter().any(|check| check.uses == old.uses);
    note(known.values().any(|old| !asked(old)), Aspect::LessProof);
    aspects
}

/// How a checklist differs between two versions of content.
#[derive(Debug, Clone, PartialEq)]
pub struct ChecklistChange<'a> {
    /// Which.
    pub id: &'a ChecklistId,
    /// As it was; none where there was none.
    pub before: Option<&'a Checklist>,
    /// As it is; none where there is none any more.
    pub after: Option<&'a Checklist>,
    /// The change of its items that asks most of its version number; none where nothing in it is different.
    pub bump: Option<(Bump, Option<ItemId>)>,
}

/// Every checklist that came, went or differs in anything but its version, and every one whose version is another.
#[must_use]
pub fn compare_checklists<'a>(before: &'a Catalog, after: &'a Catalog) -> Vec<ChecklistChange<'a>> {
    let changes = compare(before, after);
    let mut found = vec![];
    for checklist in after.checklists() {
        let Some(old) = before.checklist(&checklist.id) else {
            found.push(ChecklistChange {
                id: &checklist.id,
                before: None,
                after: Some(checklist),
                bump: None,
            });
            continue;
        };
        let in_old = |item: &Item| old.items.iter().any(|other| other.id == item.id);
        let in_new = |item: &Item| checklist.items.iter().any(|other| other.id == item.id);
        let bumps = changes.iter().filter_map(|change| {
            let left = change.before.is_some_and(in_old);
            let came = change.after.is_some_and(in_new);
            let bump = match (left, came) {
                (false, false) => return None,
                // It moved to another checklist: for this one it is gone, for the other it came.
                (true, false) => Bump::Major,
                (false, true) => Bump::Minor,
                (true, true) => change.bump(),
            };
            Some((bump, change.item().map(|item| item.id.clone())))
        });
        let words =
            (old.title != checklist.title || old.groups != checklist.groups).then_some((Bump::Patch, None));
        // Of several that ask for as much, the first is named.
        let bump = bumps.chain(words).reduce(|most, bump| if bump.0 > most.0 { bump } else { most });
        if bump.is_some() || old.version != checklist.version {
            found.push(ChecklistChange {
                id: &checklist.id,
                before: Some(old),
                after: Some(checklist),
                bump,
            });
        }
    }
    for old in before.checklists().iter().filter(|old| after.checklist(&old.id).is_none()) {
        found.push(ChecklistChange { id: &old.id, before: Some(old), after: None, bump: None });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Group, Kind, Level, Span, Text, Value, Weight};

    fn item(id: &str) -> Item {
        Item {
            id: id.parse().unwrap(),
            formerly: vec![],
            group: "group".parse().unwrap(),
            title: Text::same("title"),
            level: Level::Must,
            weight: Weight::new(1).unwrap(),
            needs: vec![],
            tags: vec![],
            fresh_for: None,
            source: None,
            kind: Kind::Verify,
            hints: vec![],
            checks: vec![check("a/b")],
            cards: vec![],
        }
    }

    fn check(uses: &str) -> CheckUse {
        CheckUse {
            uses: uses.parse().unwrap(),
            target: BTreeMap::new(),
            with: BTreeMap::new(),
            watch: vec![],
        }
    }

    fn catalog(version: &str, items: Vec<Item>) -> Catalog {
        let group = Group {
            id: "group".parse().unwrap(),
            parent: None,
            title: Text::same("group"),
            source: None,
            cards: vec![],
        };
        Catalog::new(vec![Checklist {
            id: "own".parse().unwrap(),
            version: version.parse().unwrap(),
            title: Text::same("own"),
            groups: vec![group],
            items,
        }])
    }

    /// What a change of the one item is called, and what it asks of the version.
    fn told(change: impl FnOnce(&mut Item)) -> (Vec<Aspect>, Option<Bump>) {
        let mut new = item("own.a");
        change(&mut new);
        let (before, after) = (catalog("1.0.0", vec![item("own.a")]), catalog("1.0.0", vec![new]));
        let aspects = compare(&before, &after).into_iter().flat_map(|change| change.aspects).collect();
        let bump = compare_checklists(&before, &after).first().and_then(|change| change.bump.clone());
        (aspects, bump.map(|(bump, _)| bump))
    }

    #[test]
    fn stricter_proof_asks_for_a_major_version_and_words_for_a_patch() {
        let major = |aspect| (vec![aspect], Some(Bump::Major));
        let minor = |aspect| (vec![aspect], Some(Bump::Minor));
        assert_eq!(told(|_| {}), (vec![], None));
        assert_eq!(told(|item| item.title = Text::same("other")), (vec![Aspect::Words], Some(Bump::Patch)));
        assert_eq!(told(|item| item.checks.push(check("a/c"))), major(Aspect::Proof));
        assert_eq!(
            told(|item| drop(item.checks[0].with.insert("n".to_owned(), Value::Integer(9)))),
            major(Aspect::Proof)
        );
        assert_eq!(told(|item| item.checks[0].watch.push("**".to_owned())), major(Aspect::Watch));
        assert_eq!(told(|item| item.fresh_for = Some(Span::days(1))), major(Aspect::Shorter));
        assert_eq!(told(|item| item.fresh_for = Some(Span::days(900))), minor(Aspect::Longer));
        assert_eq!(told(|item| item.checks.clear()), minor(Aspect::LessProof));
        assert_eq!(told(|item| item.weight = Weight::new(2).unwrap()), minor(Aspect::Weight));
        let rename = |item: &mut Item| {
            item.formerly.push(item.id.clone());
            item.id = "own.b".parse().unwrap();
        };
        assert_eq!(told(rename), minor(Aspect::Id));
        // Without saying so, it is one that went and one that came.
        assert_eq!(told(|item| item.id = "own.b".parse().unwrap()), (vec![], Some(Bump::Major)));
    }

    #[test]
    fn added_item_asks_for_a_minor_version_and_a_removed_one_for_a_major() {
        let (one, two) =
            (catalog("1.0.0", vec![item("own.a")]), catalog("1.1.0", vec![item("own.a"), item("own.b")]));
        let bump = |before, after| compare_checklists(before, after)[0].bump.clone().unwrap();
        assert_eq!(bump(&one, &two), (Bump::Minor, Some("own.b".parse().unwrap())));
        assert_eq!(bump(&two, &one), (Bump::Major, Some("own.b".parse().unwrap())));
    }

    #[test]
    fn versions_rise_as_semver_says() {
        let above = |bump: Bump, version: &str| bump.above(&version.parse().unwrap()).to_string();
        assert_eq!(above(Bump::Major, "1.2.3"), "2.0.0");
        assert_eq!(above(Bump::Minor, "1.2.3"), "1.3.0");
        assert_eq!(above(Bump::Patch, "1.2.3"), "1.2.4");
        assert_eq!(above(Bump::Major, "0.2.3"), "0.3.0");
        assert_eq!(above(Bump::Minor, "0.2.3"), "0.2.4");
    }
}
