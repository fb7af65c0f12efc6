//! Naming items: by id, unique ending, glob, checklist or group, then narrowed by level, tag and status.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher};
use thiserror::Error;

use super::{Catalog, GroupId, Item, ItemId, Level, Standing, Status, Tag, nearest};

/// Which items a command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids, unique endings of ids, globs, checklists and groups, as typed; none of them means all items.
    pub names: Vec<String>,
    /// Only these levels; none means all.
    pub levels: Vec<Level>,
    /// Only items with one of these tags; none means all.
    pub tags: Vec<Tag>,
    /// Only items of these statuses; none means all.
    pub statuses: Vec<Status>,
    /// Beside those, or instead of all where there are none: items with a verdict on other evidence than there is today.
    pub changed: bool,
}

/// A name that stands for no item, or for more than one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectError {
    /// Nothing has that name.
    #[error("no item, group or checklist is called \"{name}\"")]
    Unknown {
        /// As typed.
        name: String,
        /// The known name nearest to it.
        nearest: Option<String>,
    },
    /// No item has that tag.
    #[error("no item has the tag \"{name}\"")]
    Tag {
        /// As typed.
        name: String,
        /// The known tag nearest to it.
        nearest: Option<String>,
    },
    /// An ending that several items share.
    #[error("\"{name}\" could be {}", list(.candidates))]
    Ambiguous {
        /// As typed.
        name: String,
        /// Which items it could be, in file order.
        candidates: Vec<ItemId>,
    },
    /// A glob that matches nothing.
    #[error("no item matches \"{name}\"")]
    Empty {
        /// As typed.
        name: String,
    },
    /// Not a glob.
    #[error("\"{name}\" is not a pattern: {reason}")]
    Pattern {
        /// As typed.
        name: String,
        /// Why.
        reason: String,
    },
}

fn list(candidates: &[ItemId]) -> String {
    let mut text = candidates.iter().take(6).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if candidates.len() > 6 {
        text.push_str(", …");
    }
    text
}

impl Selection {
    /// Whether it is all items.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it narrows by where items stand.
    #[must_use]
    pub fn asks_for_standing(&self) -> bool {
        self.changed || !self.statuses.is_empty()
    }

    /// The same without regard to where items stand.
    #[must_use]
    pub fn wherever_they_stand(&self) -> Self {
        Self { statuses: vec![], changed: false, ..self.clone() }
    }

    /// The items it names, without duplicates, in file order; every name that stands for none, or an error list that is
    /// never empty.
    ///
    /// A name is tried as an item id, a former id, a checklist, a group (all below it), a glob, and last as the ending of
    /// exactly one id after a dot. `standing` is asked only where the selection narrows by it; none is open.
    pub fn resolve<'a>(
        &self,
        catalog: &'a Catalog,
        standing: impl Fn(&Item) -> Option<Standing>,
    ) -> Result<Vec<&'a Item>, Vec<SelectError>> {
        let mut errors = vec![];
        let mut chosen: Option<BTreeSet<&ItemId>> = None;
        for name in &self.names {
            match named(catalog, name) {
                Ok(items) => chosen.get_or_insert_default().extend(items),
                Err(error) => errors.push(error),
            }
        }
        let known: BTreeSet<&str> = catalog.items().flat_map(|item| &item.tags).map(Tag::as_str).collect();
        for tag in self.tags.iter().filter(|tag| !known.contains(tag.as_str())) {
            let nearest = nearest(tag.as_str(), known.iter().copied()).map(str::to_owned);
            errors.push(SelectError::Tag { name: tag.to_string(), nearest });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let stands = |item: &Item| {
            let standing = standing(item);
            let status = standing.as_ref().map(|standing| standing.status).unwrap_or_default();
            let changed = standing.is_some_and(|standing| !standing.changed.is_empty());
            self.statuses.contains(&status) || (self.changed && changed)
        };
        let wanted = |item: &&Item| {
            chosen.as_ref().is_none_or(|chosen| chosen.contains(&item.id))
                && (self.levels.is_empty() || self.levels.contains(&item.level))
                && (self.tags.is_empty() || item.tags.iter().any(|tag| self.tags.contains(tag)))
                && (!self.asks_for_standing() || stands(item))
        };
        Ok(catalog.items().filter(wanted).collect())
    }

    /// The one item that `name` stands for.
    pub fn one<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Item, SelectError> {
        let ids = match exact(catalog, name) {
            Some(id) => vec![id],
            None => ending(catalog, name),
        };
        match ids[..] {
            [id] => catalog.item(id).ok_or_else(|| unknown(catalog, name)),
            [] => Err(unknown(catalog, name)),
            _ => Err(ambiguous(name, &ids)),
        }
    }
}

fn exact<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a ItemId> {
    let id = name.parse().ok()?;
    let id = catalog.renamed(&id).filter(|_| catalog.item(&id).is_none()).unwrap_or(&id);
    catalog.item(id).map(|item| &item.id)
}

fn named<'a>(catalog: &'a Catalog, name: &str) -> Result<Vec<&'a ItemId>, SelectError> {
    if let Some(id) = exact(catalog, name) {
        return Ok(vec![id]);
    }
    if let Some(checklist) = name.parse().ok().and_then(|id| catalog.checklist(&id)) {
        return Ok(checklist.items.iter().map(|item| &item.id).collect());
    }
    if let Some(group) = name.parse::<GroupId>().ok().filter(|id| catalog.group(id).is_some()) {
        let below = |item: &&Item| catalog.lineage(&item.group).any(|above| above.id == group);
        return Ok(catalog.items().filter(below).map(|item| &item.id).collect());
    }
    if name.contains(['*', '?', '[', '{']) {
        let matcher = pattern(name)?;
        let ids: Vec<_> =
            catalog.items().map(|item| &item.id).filter(|id| matcher.is_match(id.as_str())).collect();
        return if ids.is_empty() { Err(SelectError::Empty { name: name.to_owned() }) } else { Ok(ids) };
    }
    match ending(catalog, name) {
        ids if ids.len() == 1 => Ok(ids),
        ids if ids.is_empty() => Err(unknown(catalog, name)),
        ids => Err(ambiguous(name, &ids)),
    }
}

fn pattern(name: &str) -> Result<GlobMatcher, SelectError> {
    let error = |reason: globset::Error| SelectError::Pattern {
        name: name.to_owned(),
        reason: reason.kind().to_string(),
    };
    Ok(Glob::new(name).map_err(error)?.compile_matcher())
}

fn ending<'a>(catalog: &'a Catalog, name: &str) -> Vec<&'a ItemId> {
    let ends = |id: &&ItemId| id.as_str().strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    catalog.items().map(|item| &item.id).filter(ends).collect()
}

fn ambiguous(name: &str, ids: &[&ItemId]) -> SelectError {
    SelectError::Ambiguous { name: name.to_owned(), candidates: ids.iter().copied().cloned().collect() }
}

fn unknown(catalog: &Catalog, name: &str) -> SelectError {
    let ids = catalog.items().flat_map(|item| {
        let id = item.id.as_str();
        [id, id.rsplit('.').next().unwrap_or(id)]
    });
    let lists = catalog.checklists().iter().map(|checklist| checklist.id.as_str());
    let groups =
        catalog.checklists().iter().flat_map(|checklist| &checklist.groups).map(|group| group.id.as_str());
    let nearest = nearest(name, lists.chain(groups).chain(ids)).map(str::to_owned);
    SelectError::Unknown { name: name.to_owned(), nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Checklist, Group, Kind, Text, Weight};

    fn catalog() -> Catalog {
        let group = |id: &str, parent: Option<&str>| Group {
            id: id.parse().unwrap(),
            parent: parent.map(|id| id.parse().unwrap()),
            title: Text::same(id),
            source: None,
            cards: vec![],
        };
        let item = |id: &str, group: &str, level: Level, tag: &str, formerly: &[&str]| Item {
            id: id.parse().unwrap(),
            formerly: formerly.iter().map(|id| id.parse().unwrap()).collect(),
            group: group.parse().unwrap(),
            title: Text::same(id),
            level,
            weight: Weight::new(1).unwrap(),
            needs: vec![],
            tags: vec![tag.parse().unwrap()],
            fresh_for: None,
            source: None,
            kind: Kind::Verify,
            hints: vec![],
            checks: vec![],
            cards: vec![],
        };
        Catalog::new(vec![Checklist {
            id: "network".parse().unwrap(),
            version: semver::Version::new(1, 0, 0),
            title: Text::same("Network"),
            groups: vec![group("perf", None), group("perf.tcp", Some("perf")), group("web", None)],
            items: vec![
                item("tcp.read", "perf.tcp", Level::Must, "tcp", &[]),
                item("tcp.write", "perf.tcp", Level::Should, "tcp", &["tcp.send"]),
                item("web.read", "web", Level::Must, "http", &[]),
                item("web.xss", "web", Level::Challenge, "http", &[]),
            ],
        }])
    }

    fn ids(names: &[&str]) -> Result<Vec<String>, Vec<SelectError>> {
        let selection =
            Selection { names: names.iter().map(|&name| name.to_owned()).collect(), ..Selection::default() };
        let catalog = catalog();
        let items = selection.resolve(&catalog, |_| None)?;
        Ok(items.iter().map(|item| item.id.to_string()).collect())
    }

    #[test]
    fn items_are_named_by_id_former_id_ending_group_checklist_and_glob() {
        assert_eq!(ids(&["web.xss"]).unwrap(), ["web.xss"]);
        assert_eq!(ids(&["xss"]).unwrap(), ["web.xss"]);
        assert_eq!(ids(&["tcp.send"]).unwrap(), ["tcp.write"]);
        assert_eq!(ids(&["perf"]).unwrap(), ["tcp.read", "tcp.write"]);
        assert_eq!(ids(&["network"]).unwrap().len(), 4);
        assert_eq!(ids(&["*.read"]).unwrap(), ["tcp.read", "web.read"]);
        assert_eq!(ids(&["xss", "web", "web.xss"]).unwrap(), ["web.read", "web.xss"]);
        assert_eq!(ids(&[]).unwrap().len(), 4);
    }

    #[test]
    fn every_wrong_name_is_reported_with_the_nearest() {
        let errors = ids(&["xsss", "read", "zzz.*"]).unwrap_err();
        assert_eq!(
            errors[0],
            SelectError::Unknown { name: "xsss".to_owned(), nearest: Some("xss".to_owned()) }
        );
        assert!(matches!(&errors[1], SelectError::Ambiguous { candidates, .. } if candidates.len() == 2));
        assert_eq!(errors[2], SelectError::Empty { name: "zzz.*".to_owned() });
    }

    #[test]
    fn levels_tags_and_statuses_narrow() {
        let catalog = catalog();
        let count = |selection: Selection| selection.resolve(&catalog, |_| None).unwrap().len();
        assert_eq!(count(Selection { levels: vec![Level::Must], ..Selection::default() }), 2);
        assert_eq!(count(Selection { tags: vec!["http".parse().unwrap()], ..Selection::default() }), 2);
        assert_eq!(count(Selection { statuses: vec![Status::Proven], ..Selection::default() }), 0);
        let wrong = Selection { tags: vec!["htp".parse().unwrap()], ..Selection::default() };
        let errors = wrong.resolve(&catalog, |_| None).unwrap_err();
        assert_eq!(errors, [SelectError::Tag { name: "htp".to_owned(), nearest: Some("http".to_owned()) }]);
    }

    #[test]
    fn one_item_is_never_a_group() {
        let catalog = catalog();
        assert_eq!(Selection::one(&catalog, "xss").unwrap().id.as_str(), "web.xss");
        assert!(matches!(Selection::one(&catalog, "perf"), Err(SelectError::Unknown { .. })));
        assert!(matches!(Selection::one(&catalog, "read"), Err(SelectError::Ambiguous { .. })));
    }
}
