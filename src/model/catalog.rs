//! All checklists of a workspace, and how to find things in them.

use std::collections::HashMap;

use super::{Checklist, ChecklistId, Group, GroupId, Item, ItemId};

/// All checklists in use. Ids are unique across them: of two things with one id, only the first is found.
#[derive(Debug, Default)]
pub struct Catalog {
    checklists: Vec<Checklist>,
    items: HashMap<ItemId, Place>,
    former: HashMap<ItemId, ItemId>,
    groups: HashMap<GroupId, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    checklist: usize,
    position: usize,
}

impl Catalog {
    /// Indexes `checklists`, in their order.
    #[must_use]
    pub fn new(checklists: Vec<Checklist>) -> Self {
        let mut catalog = Self::default();
        for (checklist, content) in checklists.iter().enumerate() {
            for (position, item) in content.items.iter().enumerate() {
                catalog.items.entry(item.id.clone()).or_insert(Place { checklist, position });
                for old in &item.formerly {
                    catalog.former.entry(old.clone()).or_insert_with(|| item.id.clone());
                }
            }
            for (position, group) in content.groups.iter().enumerate() {
                catalog.groups.entry(group.id.clone()).or_insert(Place { checklist, position });
            }
        }
        catalog.checklists = checklists;
        catalog
    }

    /// Every checklist, in order.
    #[must_use]
    pub fn checklists(&self) -> &[Checklist] {
        &self.checklists
    }

    /// Every item, in file order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.checklists.iter().flat_map(|checklist| &checklist.items)
    }

    /// The item of that id.
    #[must_use]
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        self.items.get(id).map(|place| &self.checklists[place.checklist].items[place.position])
    }

    /// The id that an item has now which was once called `id`.
    #[must_use]
    pub fn renamed(&self, id: &ItemId) -> Option<&ItemId> {
        self.former.get(id)
    }

    /// The checklist that holds an item.
    #[must_use]
    pub fn checklist_of(&self, id: &ItemId) -> Option<&Checklist> {
        self.items.get(id).map(|place| &self.checklists[place.checklist])
    }

    /// The checklist of that id.
    #[must_use]
    pub fn checklist(&self, id: &ChecklistId) -> Option<&Checklist> {
        self.checklists.iter().find(|checklist| checklist.id == *id)
    }

    /// The group of that id.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id).map(|place| &self.checklists[place.checklist].groups[place.position])
    }

    /// A group and the groups above it, nearest first. Ends even where parents form a circle.
    pub fn lineage<'a>(&'a self, id: &'a GroupId) -> impl Iterator<Item = &'a Group> {
        let deepest = self.groups.len();
        std::iter::successors(self.group(id), |group| self.group(group.parent.as_ref()?)).take(deepest)
    }
}
