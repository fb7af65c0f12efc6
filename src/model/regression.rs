//! What is worse than it was at another commit.

use std::collections::BTreeMap;

use super::{Base, ChecklistId, Item, ItemId, Standing, Status, Tally};

/// What is to be told of a comparison with a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// With what.
    pub base: Base,
    /// Items that were proven and are not, in catalog order.
    pub worse: Vec<Worse>,
    /// Checklists that were readier, by id.
    pub fallen: Vec<Fallen>,
    /// Items that are gone, by the ids they had.
    pub removed: Vec<ItemId>,
    /// Items that were proven and are waived.
    pub waived: Vec<ItemId>,
}

/// An item that was proven and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worse {
    /// Which, by its id of today.
    pub item: ItemId,
    /// Its id then, where it was another.
    pub formerly: Option<ItemId>,
    /// What it is today.
    pub is: Decline,
}

/// What can become of what was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decline {
    /// It stands elsewhere.
    Status(Status),
    /// The latest attempt passed only when it was asked again.
    Flaky,
}

/// A checklist that was readier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallen {
    /// Which.
    pub checklist: ChecklistId,
    /// What it was, of all items that it had.
    pub was: Share,
    /// What it is, of the same items as far as they are still there: what came since does not count.
    pub is: Share,
}

/// How much of a weight is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Weight of the proven items.
    pub proven: u32,
    /// Weight of all that are not waived.
    pub of: u32,
}

impl Share {
    fn new(tally: &Tally) -> Self {
        Self { proven: tally.proven_weight, of: tally.weight }
    }

    /// In percent, rounded down; none where nothing counts.
    #[must_use]
    pub fn percent(self) -> Option<u32> {
        Tally { proven_weight: self.proven, weight: self.of, ..Tally::default() }.readiness()
    }

    /// Whether less is proven, down to the last item. Nothing that counts is nothing proven.
    fn is_below(self, other: Self) -> bool {
        let part = |share: Self| u64::from(share.proven);
        let whole = |share: Self| u64::from(share.of.max(1));
        part(self) * whole(other) < part(other) * whole(self)
    }
}

/// An item that the base has.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The checklist it is in today; where it is gone, the one it was in.
    pub checklist: &'a ChecklistId,
    /// As it was, and where it stood, judged as of the same moment as today: what only time did is nobody's change.
    pub before: (&'a Item, &'a Standing),
    /// As it is, under whatever id; none where it is gone.
    pub after: Option<(&'a Item, &'a Standing)>,
}

impl Comparison {
    /// Compares every item that the base has, in the order of today's catalog, what is gone last. What came since is not
    /// worse than it was.
    #[must_use]
    pub fn new<'a>(base: Base, pairs: impl IntoIterator<Item = Pair<'a>>) -> Self {
        let mut comparison = Self { base, worse: vec![], fallen: vec![], removed: vec![], waived: vec![] };
        let mut tallies: BTreeMap<&ChecklistId, (Tally, Tally)> = BTreeMap::new();
        for Pair { checklist, before: (old, was), after } in pairs {
            let (then, now) = tallies.entry(checklist).or_default();
            then.add(old, was);
            let Some((item, is)) = after else {
                comparison.removed.push(old.id.clone());
                continue;
            };
            now.add(item, is);
            if was.status != Status::Proven {
                continue;
            }
            let decline = match is.status {
                Status::Proven if was.flaky.is_empty() && !is.flaky.is_empty() => Decline::Flaky,
                Status::Proven => continue,
                Status::Waived => {
                    comparison.waived.push(item.id.clone());
                    continue;
                }
                Status::Failing | Status::Stale | Status::Claimed | Status::Open => {
                    Decline::Status(is.status)
                }
            };
            let formerly = (old.id != item.id).then(|| old.id.clone());
            comparison.worse.push(Worse { item: item.id.clone(), formerly, is: decline });
        }
        for (checklist, (then, now)) in tallies {
            let (was, is) = (Share::new(&then), Share::new(&now));
            if is.is_below(was) {
                comparison.fallen.push(Fallen { checklist: checklist.clone(), was, is });
            }
        }
        comparison
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Level, Text, Weight};

    fn item(id: &str, weight: i64) -> Item {
        Item {
            id: id.parse().unwrap(),
            formerly: vec![],
            group: "shop".parse().unwrap(),
            title: Text::same("order"),
            level: Level::Must,
            weight: Weight::new(weight).unwrap(),
            needs: vec![],
            tags: vec![],
            fresh_for: None,
            source: None,
            kind: Kind::Verify,
            hints: vec![],
            checks: vec![],
            cards: vec![],
        }
    }

    fn stands(status: Status) -> Standing {
        Standing { status, ..Standing::default() }
    }

    /// What is told of items of weight 1 that stood in one place and stand in another; none where they are gone.
    fn told(items: &[(Standing, Option<Standing>)]) -> Comparison {
        let list: ChecklistId = "list".parse().unwrap();
        let ids: Vec<_> = (0..items.len()).map(|place| item(&format!("shop.i{place}"), 1)).collect();
        let pairs = ids.iter().zip(items).map(|(item, (was, is))| Pair {
            checklist: &list,
            before: (item, was),
            after: is.as_ref().map(|is| (item, is)),
        });
        Comparison::new(Base { name: "main".to_owned(), commit: "1a".to_owned() }, pairs)
    }

    #[test]
    fn what_was_proven_and_is_not_is_worse_however_it_came() {
        let flaky = Standing { flaky: vec!["a/b".parse().unwrap()], ..stands(Status::Proven) };
        for status in [Status::Failing, Status::Stale, Status::Claimed, Status::Open] {
            let told = told(&[(stands(Status::Proven), Some(stands(status)))]);
            assert_eq!(told.worse[0].is, Decline::Status(status));
            assert_eq!(told.fallen.len(), 1, "{status:?}");
        }
        let proven = stands(Status::Proven);
        assert_eq!(told(&[(proven.clone(), Some(flaky.clone()))]).worse[0].is, Decline::Flaky);
        // What was flaky before is not worse for being it still, but for having gone further.
        assert_eq!(told(&[(flaky.clone(), Some(flaky.clone()))]).worse, []);
        assert_eq!(told(&[(flaky, Some(stands(Status::Stale)))]).worse.len(), 1);
    }

    #[test]
    fn what_was_never_proven_is_not_worse_and_what_is_waived_or_gone_is_told() {
        for was in [Status::Open, Status::Claimed, Status::Stale, Status::Failing] {
            let told = told(&[(stands(was), Some(stands(Status::Open)))]);
            assert!(told.worse.is_empty() && told.fallen.is_empty(), "{was:?}");
        }
        let (proven, open) = (stands(Status::Proven), stands(Status::Open));
        let gone = told(&[(proven.clone(), Some(proven.clone())), (open, None)]);
        assert_eq!(gone.removed, ["shop.i1".parse().unwrap()]);
        assert!(gone.worse.is_empty() && gone.fallen.is_empty());
        let waived = told(&[(proven.clone(), Some(proven.clone())), (proven, Some(stands(Status::Waived)))]);
        assert_eq!(waived.waived, ["shop.i1".parse().unwrap()]);
        assert!(waived.worse.is_empty() && waived.fallen.is_empty());
    }

    #[test]
    fn checklist_that_lost_what_was_proven_in_it_has_fallen() {
        let (proven, open) = (stands(Status::Proven), stands(Status::Open));
        let told = told(&[
            (proven.clone(), Some(proven.clone())),
            (proven.clone(), None),
            (open.clone(), Some(open.clone())),
        ]);
        assert!(told.worse.is_empty());
        let [fallen] = &told.fallen[..] else { panic!("{told:?}") };
        assert_eq!((fallen.was, fallen.is), (Share { proven: 2, of: 3 }, Share { proven: 1, of: 2 }));
        assert_eq!((fallen.was.percent(), fallen.is.percent()), (Some(66), Some(50)));
    }

    #[test]
    fn readiness_falls_also_where_the_percentage_hides_it() {
        let share = |proven, of| Share { proven, of };
        assert!(share(199, 300).is_below(share(200, 300)));
        assert!(share(0, 0).is_below(share(1, 3)) && !share(0, 0).is_below(share(0, 3)));
        assert!(!share(2, 3).is_below(share(2, 3)) && !share(1, 1).is_below(share(2, 3)));
    }

    #[test]
    fn rename_is_followed_to_the_checklist_of_today() {
        let (old, new) = (item("shop.old", 1), item("other.new", 1));
        let list: ChecklistId = "other".parse().unwrap();
        let (was, is) = (stands(Status::Proven), stands(Status::Stale));
        let pair = Pair { checklist: &list, before: (&old, &was), after: Some((&new, &is)) };
        let told = Comparison::new(Base { name: "main".to_owned(), commit: "1a".to_owned() }, [pair]);
        let worse = &told.worse[0];
        assert_eq!((worse.item.as_str(), worse.formerly.as_ref()), ("other.new", Some(&old.id)));
        assert_eq!(told.fallen[0].checklist, list);
    }
}
