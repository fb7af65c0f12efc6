//! How a policy was judged: what of it does not hold, and what could not be told.

use super::{
    Ask, ChecklistId, Comparison, Demand, Fallen, Flaky, Item, ItemId, Level, Policy, Standing, Status,
    Tally, Undecided, Unproven, Worse,
};

/// An item as it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Its checklist.
    pub checklist: &'a ChecklistId,
    /// Which.
    pub item: &'a Item,
    /// Where it stands.
    pub standing: &'a Standing,
}

/// Items that something is asked of together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All that were judged.
    Whole,
    /// Those of one checklist.
    Checklist(ChecklistId),
    /// Those of one level.
    Level(Level),
}

impl Scope {
    fn covers(&self, judged: &Judged<'_>) -> bool {
        match self {
            Self::Whole => true,
            Self::Checklist(id) => id == judged.checklist,
            Self::Level(level) => *level == judged.item.level,
        }
    }
}

/// One thing a policy asks that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Items whose check saw that they do not hold.
    Failing {
        /// Which; not empty.
        items: Vec<ItemId>,
    },
    /// Must items that are not what they need to be.
    Must {
        /// Among which items.
        scope: Scope,
        /// What they need to be.
        ask: Ask,
        /// Which; not empty.
        items: Vec<ItemId>,
    },
    /// Readiness is too low.
    Readiness {
        /// Of which items.
        scope: Scope,
        /// What is asked, in percent.
        at_least: u32,
        /// What it is; none where nothing counts.
        is: Option<u32>,
    },
    /// Too many stale items.
    Stale {
        /// Among which items.
        scope: Scope,
        /// How many are allowed.
        at_most: u32,
        /// How many there are.
        are: u32,
    },
    /// Too many claimed items.
    Claimed {
        /// Among which items.
        scope: Scope,
        /// How many are allowed.
        at_most: u32,
        /// How many there are.
        are: u32,
    },
    /// Items that count as proven by plugins that are not proven themselves.
    Unproven {
        /// Which; not empty.
        items: Vec<ItemId>,
    },
    /// Items with a check that passed only when it was asked again.
    Flaky {
        /// Which; not empty.
        items: Vec<ItemId>,
    },
    /// Items that were proven at the base and are not any more.
    Worse {
        /// The base.
        base: Base,
        /// Which; not empty.
        items: Vec<Worse>,
    },
    /// A checklist that was readier at the base.
    Fallen {
        /// The base.
        base: Base,
        /// Which, and by how much.
        fallen: Fallen,
    },
}

/// A commit that something is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base {
    /// As it was asked for: what git understands; with `...` behind it, where that and what is judged parted.
    pub name: String,
    /// Its id, 40 hexadecimal digits.
    pub commit: String,
}

/// How a policy was judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// Items that could not be told, where the policy asks for a decision.
    pub undecided: Vec<ItemId>,
    /// What the policy asks something of and nothing was selected of: it was not judged.
    pub outside: Vec<Scope>,
    /// What it was compared with; none where it was not.
    pub compared: Option<Compared>,
}

/// What a comparison with a base tells and the policy lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// With what.
    pub base: Base,
    /// Items that are gone, by the ids they had.
    pub removed: Vec<ItemId>,
    /// Items that were proven and are waived.
    pub waived: Vec<ItemId>,
}

impl Judgement {
    /// Whether everything asked holds and was decided.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// The same, and nothing may be worse than in `comparison`.
    #[must_use]
    pub fn compared(mut self, comparison: Comparison) -> Self {
        let Comparison { base, worse, fallen, removed, waived } = comparison;
        if !worse.is_empty() {
            self.violations.push(Violation::Worse { base: base.clone(), items: worse });
        }
        let fallen = fallen.into_iter().map(|fallen| Violation::Fallen { base: base.clone(), fallen });
        self.violations.extend(fallen);
        self.compared = Some(Compared { base, removed, waived });
        self
    }
}

/// What is counted for one demand.
struct Count {
    scope: Scope,
    demand: Demand,
    tally: Tally,
    /// Must items that are not what they need to be.
    lacking: Vec<ItemId>,
    /// Must items that are waived.
    waived: Vec<ItemId>,
    /// How many must items are not.
    asked: u32,
}

impl Count {
    fn new(scope: Scope, demand: Demand) -> Self {
        Self { scope, demand, tally: Tally::default(), lacking: vec![], waived: vec![], asked: 0 }
    }

    fn add(&mut self, judged: &Judged<'_>, flaky: Flaky) {
        let Judged { checklist: _, item, standing } = *judged;
        self.tally.add(item, standing);
        let status = standing.status;
        if item.level != Level::Must {
            return;
        }
        if status == Status::Waived {
            self.waived.push(item.id.clone());
            return;
        }
        self.asked += 1;
        let enough = match self.demand.must {
            None => true,
            Some(Ask::Proven) => status == Status::Proven,
            Some(Ask::Claimed) => matches!(status, Status::Proven | Status::Claimed),
        };
        let enough = enough || flaky == Flaky::Allow && standing.passed_at_last;
        if !enough && status != Status::Failing {
            self.lacking.push(item.id.clone());
        }
    }

    fn violations(self) -> Vec<Violation> {
        let Self { scope, demand, tally, lacking, waived, asked } = self;
        let mut violations = vec![];
        // Waiving everything that is asked for is not the same as having it.
        let items = if asked == 0 { waived } else { lacking };
        if let Some(ask) = demand.must.filter(|_| !items.is_empty()) {
            violations.push(Violation::Must { scope: scope.clone(), ask, items });
        }
        let figures = demand.figures;
        if let Some(at_least) = figures.readiness {
            let is = tally.readiness();
            if is.is_none_or(|is| is < at_least) {
                violations.push(Violation::Readiness { scope: scope.clone(), at_least, is });
            }
        }
        if let Some(at_most) = figures.stale.filter(|&at_most| tally.stale > at_most) {
            violations.push(Violation::Stale { scope: scope.clone(), at_most, are: tally.stale });
        }
        if let Some(at_most) = figures.claimed.filter(|&at_most| tally.claimed > at_most) {
            violations.push(Violation::Claimed { scope, at_most, are: tally.claimed });
        }
        violations
    }
}

impl Policy {
    /// Judges items. `narrowed` says that they are a part of the workspace only: what nothing was selected of is then not
    /// judged; else that there is nothing of it is a reason not to hold.
    pub fn judge<'a>(&self, items: impl IntoIterator<Item = Judged<'a>>, narrowed: bool) -> Judgement {
        let mut counts = vec![Count::new(Scope::Whole, self.whole)];
        let checklists = self.checklists.iter();
        counts.extend(checklists.map(|(id, demand)| Count::new(Scope::Checklist(id.clone()), *demand)));
        let levels =
            self.levels.iter().map(|(level, figures)| (level, Demand { must: None, figures: *figures }));
        counts.extend(levels.map(|(level, demand)| Count::new(Scope::Level(*level), demand)));
        let (mut failing, mut undecided, mut unproven, mut flaky) = (vec![], vec![], vec![], vec![]);
        for judged in items {
            for count in counts.iter_mut().filter(|count| count.scope.covers(&judged)) {
                count.add(&judged, self.flaky);
            }
            let Judged { checklist: _, item, standing } = judged;
            let status = standing.status;
            if status == Status::Failing {
                failing.push(item.id.clone());
            }
            if status == Status::Proven && !standing.unproven.is_empty() {
                unproven.push(item.id.clone());
            }
            if !standing.flaky.is_empty() && status != Status::Waived {
                flaky.push(item.id.clone());
            }
            // What is flaky is judged by itself.
            let untold = standing.inconclusive.len() > standing.flaky.len() && status != Status::Waived;
            // There is no last decision to stand in for one that was never made.
            let decided = matches!(status, Status::Proven | Status::Stale | Status::Failing);
            if untold && (self.inconclusive == Undecided::Ask || !decided) {
                undecided.push(item.id.clone());
            }
        }
        let (mut violations, mut outside) = (vec![], vec![]);
        if !failing.is_empty() {
            violations.push(Violation::Failing { items: failing });
        }
        for count in counts {
            if narrowed && count.scope != Scope::Whole && count.tally.items == 0 {
                outside.push(count.scope);
            } else {
                violations.extend(count.violations());
            }
        }
        if self.unproven == Unproven::Deny && !unproven.is_empty() {
            violations.push(Violation::Unproven { items: unproven });
        }
        if self.flaky == Flaky::Deny && !flaky.is_empty() {
            violations.push(Violation::Flaky { items: flaky });
        }
        Judgement { violations, undecided, outside, compared: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Figures, Kind, Text, Weight};

    fn item(level: Level) -> Item {
        Item {
            id: "shop.order".parse().unwrap(),
            formerly: vec![],
            group: "shop".parse().unwrap(),
            title: Text::same("order"),
            level,
            weight: Weight::new(1).unwrap(),
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

    /// How `policy` judges items of these levels and statuses; the last says whether the latest attempt could not tell.
    fn judged(policy: &Policy, items: &[(Level, Status, bool)]) -> Judgement {
        let items: Vec<_> = items
            .iter()
            .map(|&(level, status, untold)| {
                let inconclusive = if untold { vec!["a/b".parse().unwrap()] } else { vec![] };
                (item(level), Standing { status, inconclusive, ..Standing::default() })
            })
            .collect();
        judge(policy, items.iter().map(|(item, standing)| ("list", item, standing)), false)
    }

    /// How `policy` judges items of these checklists.
    fn judge<'a>(
        policy: &Policy,
        items: impl IntoIterator<Item = (&'a str, &'a Item, &'a Standing)>,
        narrowed: bool,
    ) -> Judgement {
        let items: Vec<_> = items.into_iter().collect();
        let lists: Vec<ChecklistId> = items.iter().map(|(list, ..)| list.parse().unwrap()).collect();
        let judged = items.iter().zip(&lists).map(|((_, item, standing), checklist)| Judged {
            checklist,
            item,
            standing,
        });
        policy.judge(judged, narrowed)
    }

    /// What asks `figures` of everything.
    fn asking(figures: Figures) -> Policy {
        Policy { whole: Demand { figures, ..Demand::default() }, ..Policy::default() }
    }

    fn must(ask: Ask) -> Policy {
        Policy { whole: Demand { must: Some(ask), ..Demand::default() }, ..Policy::default() }
    }

    fn readiness(at_least: u32) -> Figures {
        Figures { readiness: Some(at_least), ..Figures::default() }
    }

    #[test]
    fn failing_is_never_allowed() {
        assert!(judged(&Policy::default(), &[(Level::Should, Status::Open, false)]).holds());
        let judgement = judged(&Policy::default(), &[(Level::Should, Status::Failing, false)]);
        assert!(matches!(judgement.violations[..], [Violation::Failing { .. }]));
    }

    #[test]
    fn every_must_item_is_asked_for_and_no_other() {
        let open = (Level::Should, Status::Open, false);
        assert!(judged(&must(Ask::Proven), &[(Level::Must, Status::Proven, false), open]).holds());
        for status in [Status::Open, Status::Claimed, Status::Stale] {
            let judgement = judged(
                &must(Ask::Proven),
                &[(Level::Must, Status::Proven, false), (Level::Must, status, false)],
            );
            assert!(
                matches!(judgement.violations[..], [Violation::Must { ask: Ask::Proven, .. }]),
                "{status:?}"
            );
        }
        assert!(judged(&must(Ask::Claimed), &[(Level::Must, Status::Claimed, false)]).holds());
    }

    #[test]
    fn waiving_some_is_allowed_and_waiving_all_is_not() {
        let waived = (Level::Must, Status::Waived, false);
        assert!(judged(&must(Ask::Proven), &[waived, (Level::Must, Status::Proven, false)]).holds());
        assert!(!judged(&must(Ask::Proven), &[waived, waived]).holds());
        assert!(judged(&Policy::default(), &[waived]).holds());
    }

    #[test]
    fn flaky_pass_is_refused_unless_it_is_allowed_and_is_never_a_proof() {
        let check: crate::model::CheckId = "a/b".parse().unwrap();
        let item = item(Level::Must);
        let standing = Standing {
            inconclusive: vec![check.clone()],
            flaky: vec![check.clone()],
            passed_at_last: true,
            ..Standing::default()
        };
        let judged = |policy: &Policy, standing: &Standing| judge(policy, [("list", &item, standing)], false);
        for inconclusive in [Undecided::Ask, Undecided::Allow] {
            let judgement = judged(&Policy { inconclusive, ..Policy::default() }, &standing);
            assert!(
                matches!(judgement.violations[..], [Violation::Flaky { .. }])
                    && judgement.undecided.is_empty()
            );
        }
        let allow = Policy { flaky: Flaky::Allow, ..must(Ask::Proven) };
        assert!(judged(&allow, &standing).holds());
        let mut ready = allow.clone();
        ready.whole.figures = readiness(1);
        assert!(!judged(&ready, &standing).holds());
        // Beside a check that could not tell at all, or is not there, nothing is enough.
        let other = Standing {
            inconclusive: vec![check.clone(), "a/c".parse().unwrap()],
            passed_at_last: false,
            ..standing.clone()
        };
        assert_eq!(judged(&allow, &other).undecided.len(), 1);
        let other = Standing { passed_at_last: false, ..standing.clone() };
        assert!(matches!(judged(&allow, &other).violations[..], [Violation::Must { .. }]));
        let failing = Standing { status: Status::Failing, passed_at_last: false, ..standing.clone() };
        assert!(!judged(&allow, &failing).holds());
    }

    #[test]
    fn figures_are_limits() {
        let items = [(Level::Must, Status::Stale, false), (Level::Must, Status::Claimed, false)];
        let holds = |figures| judged(&asking(figures), &items).holds();
        assert!(holds(Figures { stale: Some(1), claimed: Some(1), readiness: Some(0) }));
        assert!(!holds(Figures { stale: Some(0), ..Figures::default() }));
        assert!(!holds(Figures { claimed: Some(0), ..Figures::default() }));
        assert!(!holds(Figures { readiness: Some(1), ..Figures::default() }));
        assert!(!judged(&asking(readiness(0)), &[]).holds());
    }

    #[test]
    fn word_of_an_unproven_plugin_counts_unless_it_is_denied() {
        let item = item(Level::Must);
        let judged = |unproven, status, by: &[&str]| {
            let by = by.iter().map(|check| check.parse().unwrap()).collect();
            let standing = Standing { status, unproven: by, ..Standing::default() };
            judge(&Policy { unproven, ..Policy::default() }, [("list", &item, &standing)], false)
        };
        let unproven = &["acme:x/y"][..];
        assert!(judged(Unproven::Allow, Status::Proven, unproven).holds());
        let denied = judged(Unproven::Deny, Status::Proven, unproven);
        assert!(matches!(&denied.violations[..], [Violation::Unproven { items }] if items.len() == 1));
        assert!(judged(Unproven::Deny, Status::Proven, &[]).holds());
        assert!(judged(Unproven::Deny, Status::Stale, unproven).holds());
    }

    #[test]
    fn what_could_not_be_told_is_allowed_only_beside_a_decision() {
        let allow = Policy { inconclusive: Undecided::Allow, ..Policy::default() };
        assert!(!judged(&Policy::default(), &[(Level::Must, Status::Proven, true)]).holds());
        assert!(judged(&allow, &[(Level::Must, Status::Proven, true)]).holds());
        assert!(!judged(&allow, &[(Level::Must, Status::Open, true)]).holds());
    }

    #[test]
    fn checklist_and_level_are_asked_for_their_own_items_only() {
        let (open, proven) =
            (Standing::default(), Standing { status: Status::Proven, ..Standing::default() });
        let (basic, hard) = (item(Level::Must), item(Level::Challenge));
        let items = [("one", &basic, &proven), ("one", &hard, &open), ("two", &basic, &open)];
        let list = |id: &str, demand| Policy {
            checklists: [(id.parse().unwrap(), demand)].into(),
            ..Policy::default()
        };
        let figures = |at_least| Demand { must: None, figures: readiness(at_least) };
        let all = Demand { must: Some(Ask::Proven), ..Demand::default() };
        let level = |of, at_least| Policy { levels: [(of, readiness(at_least))].into(), ..Policy::default() };
        let holds = |policy: &Policy| judge(policy, items, false).holds();
        assert!(holds(&list("one", figures(50))) && !holds(&list("one", figures(51))));
        assert!(holds(&list("one", all)) && !holds(&list("two", all)));
        assert!(holds(&level(Level::Must, 50)) && !holds(&level(Level::Must, 51)));
        assert!(!holds(&level(Level::Challenge, 1)));
        let told = judge(&list("two", figures(10)), items, false).violations;
        let scope = Scope::Checklist("two".parse().unwrap());
        assert_eq!(told, [Violation::Readiness { scope, at_least: 10, is: Some(0) }]);
        // Everything that is asked has to hold.
        let mut both = list("one", figures(50));
        both.whole.figures = readiness(90);
        assert_eq!(judge(&both, items, false).violations.len(), 1);
    }

    #[test]
    fn limits_of_stale_and_claimed_hold_for_a_checklist_and_a_level() {
        let standing = |status| Standing { status, ..Standing::default() };
        let (stale, claimed) = (standing(Status::Stale), standing(Status::Claimed));
        let item = item(Level::Should);
        let items = [("one", &item, &stale), ("two", &item, &claimed), ("two", &item, &stale)];
        let none = Figures { stale: Some(0), claimed: Some(0), ..Figures::default() };
        let one = Demand { must: None, figures: none };
        let policy = Policy { checklists: [("one".parse().unwrap(), one)].into(), ..Policy::default() };
        let scope = Scope::Checklist("one".parse().unwrap());
        let told = judge(&policy, items, false).violations;
        assert_eq!(told, [Violation::Stale { scope, at_most: 0, are: 1 }]);
        let policy = Policy { levels: [(Level::Should, none)].into(), ..Policy::default() };
        let scope = Scope::Level(Level::Should);
        let told = judge(&policy, items, false).violations;
        let expected = [
            Violation::Stale { scope: scope.clone(), at_most: 0, are: 2 },
            Violation::Claimed { scope, at_most: 0, are: 1 },
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_nothing_was_selected_of_is_not_judged_and_what_is_not_there_does_not_hold() {
        let (item, standing) = (item(Level::Must), Standing::default());
        let items = [("one", &item, &standing)];
        let demand = Demand { must: None, figures: readiness(0) };
        let policy = Policy { checklists: [("two".parse().unwrap(), demand)].into(), ..Policy::default() };
        let narrowed = judge(&policy, items, true);
        assert!(narrowed.holds());
        assert_eq!(narrowed.outside, [Scope::Checklist("two".parse().unwrap())]);
        assert!(!judge(&policy, items, false).holds());
    }
}
