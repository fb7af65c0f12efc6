//! Content held against what it was: the version number that a change asks for, and ids that come back as something else.

use std::collections::BTreeMap;

use super::{Code, Diagnostic, Places};
use crate::model::{Aspect, Bump, Catalog, ChecklistId, Item, ItemId, compare, compare_checklists};

/// What is wrong with how `after` came out of `before`. `retired` are items that were there earlier still and are not in
/// `before`, by the ids they had: what comes back under such an id has to be the same thing.
#[must_use]
pub fn check_against(
    before: &Catalog,
    retired: &BTreeMap<ItemId, Item>,
    after: &Catalog,
    places: &Places,
) -> Vec<Diagnostic> {
    let mut found = vec![];
    versions(before, after, places, &mut found);
    for item in after.items().filter(|item| before.item(&item.id).is_none()) {
        let reused = retired.get(&item.id).filter(|old| !is_same(old, item));
        if let (Some(old), Some(spot)) = (reused, places.item(&item.id)) {
            let message = format!("the id \"{}\" was that of another item", item.id);
            let was = format!("it was \"{}\"", old.title.en);
            let help =
                "give the new item an id that none ever had: progress under the old one is not its own";
            found.push(Diagnostic::new(Code::ReusedId, message, spot, was).help(help));
        }
    }
    found
}

/// Whether an item that comes back is the one that went: it is called the same in one language at least.
fn is_same(old: &Item, new: &Item) -> bool {
    old.title.en == new.title.en || old.title.zh == new.title.zh
}

fn versions(before: &Catalog, after: &Catalog, places: &Places, found: &mut Vec<Diagnostic>) {
    let changes = compare(before, after);
    for change in compare_checklists(before, after) {
        let (Some(old), Some(new)) = (change.before, change.after) else { continue };
        let (least, why) = match &change.bump {
            Some((bump, item)) => {
                (bump.above(&old.version), why(*bump, item.as_ref(), &changes, change.id, after))
            }
            None => (old.version.clone(), "a version never goes back".to_owned()),
        };
        if new.version >= least {
            continue;
        }
        let Some(spot) = places.version(change.id) else { continue };
        let message = format!("{} was {} and has to be {least} at least", change.id, old.version);
        let help = format!("write version = \"{least}\"");
        found.push(Diagnostic::new(Code::VersionTooLow, message, spot, why).help(help));
    }
}

/// Why a version has to rise so much.
fn why(
    bump: Bump,
    item: Option<&ItemId>,
    changes: &[crate::model::ItemChange<'_>],
    checklist: &ChecklistId,
    after: &Catalog,
) -> String {
    let Some(item) = item else { return "its title or its groups have changed".to_owned() };
    let found = changes.iter().find(|change| change.item().is_some_and(|it| it.id == *item));
    let here = after.checklist_of(item).is_some_and(|home| home.id == *checklist);
    let told = match found {
        Some(change) if change.after.is_none() || !here => "was removed",
        Some(change) if change.before.is_none() => "was added",
        Some(change) => change
            .aspects
            .iter()
            .find(|aspect| aspect.bump() == bump)
            .map_or("came from elsewhere", |aspect| told(*aspect)),
        None => "has changed",
    };
    format!("{item} {told}")
}

fn told(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Id => "has another id",
        Aspect::Checklist => "came from another checklist",
        Aspect::Proof => "asks for another proof",
        Aspect::LessProof => "asks for less",
        Aspect::Shorter => "has proofs that last less long",
        Aspect::Longer => "has proofs that last longer",
        Aspect::Watch => "watches other files",
        Aspect::Level => "has another level",
        Aspect::Weight => "has another weight",
        Aspect::Needs => "needs other items",
        Aspect::Group => "stands in another group",
        Aspect::Tags => "has other tags",
        Aspect::Cards => "has other cards",
        Aspect::Words => "is worded differently",
    }
}
