//! Needs before what needs them.

use std::collections::{HashMap, HashSet};

use super::TaskId;
use crate::model::{Catalog, Item, ItemId};

/// `items` and everything they need, selected or not: each after what it needs, otherwise in the given order. Every item
/// once. Where needs form a circle, it is cut at the item met first.
pub(super) fn needs_first<'a>(items: &[&'a Item], catalog: &'a Catalog) -> Vec<&'a Item> {
    let mut met: HashSet<&ItemId> = HashSet::new();
    let mut ordered = vec![];
    // A stack of its own: chains of needs may be longer than the thread's stack is deep.
    let mut path: Vec<(&Item, std::slice::Iter<'a, ItemId>)> = vec![];
    for &item in items {
        if met.insert(&item.id) {
            path.push((item, item.needs.iter()));
        }
        while let Some((item, needs)) = path.last_mut() {
            if let Some(need) = needs.next() {
                if let Some(need) = catalog.item(need)
                    && met.insert(&need.id)
                {
                    path.push((need, need.needs.iter()));
                }
            } else {
                ordered.push(*item);
                path.pop();
            }
        }
    }
    ordered
}

/// Which tasks have to end before an item's own may start, found while walking items as [`needs_first`] orders them.
#[derive(Default)]
pub(super) struct Frontier<'a> {
    /// An item's own tasks; those of the items it needs where it has none, so that order holds through it.
    last: HashMap<&'a ItemId, Vec<TaskId>>,
}

impl<'a> Frontier<'a> {
    /// The tasks to end before those of `item`, ascending and without duplicates.
    pub(super) fn before(&self, item: &Item) -> Vec<TaskId> {
        let needs = item.needs.iter().filter_map(|need| self.last.get(need));
        let mut before: Vec<TaskId> = needs.flatten().copied().collect();
        before.sort_unstable();
        before.dedup();
        before
    }

    /// Remembers the tasks of `item`, and those `before` it where it has none.
    pub(super) fn passed(&mut self, item: &'a Item, own: Vec<TaskId>, before: Vec<TaskId>) {
        self.last.insert(&item.id, if own.is_empty() { before } else { own });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Checklist, Kind, Level, Text, Weight};

    fn item(id: &str, needs: &[String]) -> Item {
        Item {
            id: id.parse().unwrap(),
            formerly: vec![],
            group: "g".parse().unwrap(),
            title: Text::same(id),
            level: Level::Must,
            weight: Weight::new(1).unwrap(),
            needs: needs.iter().map(|need| need.parse().unwrap()).collect(),
            tags: vec![],
            fresh_for: None,
            source: None,
            kind: Kind::Verify,
            hints: vec![],
            checks: vec![],
            cards: vec![],
        }
    }

    fn catalog(items: Vec<Item>) -> Catalog {
        Catalog::new(vec![Checklist {
            id: "list".parse().unwrap(),
            version: semver::Version::new(1, 0, 0),
            title: Text::same("List"),
            groups: vec![],
            items,
        }])
    }

    #[test]
    fn independent_items_keep_their_order() {
        let catalog = catalog(["c", "a", "b"].map(|id| item(id, &[])).into());
        let items: Vec<&Item> = catalog.items().collect();
        assert_eq!(needs_first(&items, &catalog), items);
    }

    #[test]
    fn a_long_chain_of_needs_is_walked_to_its_end() {
        let count = 50_000;
        let link = |place: usize| item(&format!("i{place}"), &[format!("i{}", place + 1)]);
        let catalog = catalog((0..count).map(link).collect());
        let first: Vec<&Item> = catalog.items().take(1).collect();
        let ordered = needs_first(&first, &catalog);
        assert_eq!(ordered.len(), count);
        assert_eq!(ordered[0].id.as_str(), format!("i{}", count - 1));
    }
}
