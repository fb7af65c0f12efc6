//! What a gate asks of a report.

use super::{Digest, Hasher, Item, ItemId, Level, Standing, Status, Tally};

/// What must hold for exit code 0. That nothing is failing is always asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// What every must item needs to be.
    pub must: Option<Ask>,
    /// Readiness at least, in percent.
    pub readiness: Option<u32>,
    /// Stale items at most.
    pub stale: Option<u32>,
    /// Claimed items at most.
    pub claimed: Option<u32>,
    /// What an item is worth whose latest attempt could not tell.
    pub inconclusive: Undecided,
    /// What a proof by a plugin is worth that is not proven itself.
    pub unproven: Unproven,
    /// What a pass is worth that came after an attempt that could not tell.
    pub flaky: Flaky,
}

/// What an item can be asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Claimed or proven.
    Claimed,
    /// Proven.
    Proven,
}

impl Ask {
    /// The word in `must = "…"`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Proven => "proven",
        }
    }
}

/// What happens where a check could not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undecided {
    /// The policy could not be decided.
    #[default]
    Ask,
    /// The last decision stands, where there is one.
    Allow,
}

impl Undecided {
    /// The word in `inconclusive = "…"`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Allow => "allow",
        }
    }
}

/// What happens where a plugin decided that is not proven itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unproven {
    /// Its word counts, and every report says whose it was.
    #[default]
    Allow,
    /// The policy does not hold.
    Deny,
}

impl Unproven {
    /// The word in `unproven = "…"`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What happens where a check passed only when it was asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaky {
    /// The policy does not hold.
    #[default]
    Deny,
    /// It is enough for a must item; it is no proof and does not count for readiness.
    Allow,
}

impl Flaky {
    /// The word in `flaky = "…"`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
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
        /// What they need to be.
        ask: Ask,
        /// Which; not empty.
        items: Vec<ItemId>,
    },
    /// Readiness is too low.
    Readiness {
        /// What is asked, in percent.
        at_least: u32,
        /// What it is; none where nothing counts.
        is: Option<u32>,
    },
    /// Too many stale items.
    Stale {
        /// How many are allowed.
        at_most: u32,
        /// How many there are.
        are: u32,
    },
    /// Too many claimed items.
    Claimed {
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
}

/// How a policy was judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// Items that could not be told, where the policy asks for a decision.
    pub undecided: Vec<ItemId>,
}

impl Judgement {
    /// Whether everything asked holds and was decided.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }
}

impl Policy {
    /// Policies with the same digest ask the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Self { must, readiness, stale, claimed, inconclusive, unproven, flaky } = self;
        let number = |limit: &Option<u32>| limit.map(|limit| limit.to_string()).unwrap_or_default();
        let mut hasher = Hasher::default();
        hasher.field(must.map(Ask::word).unwrap_or_default());
        hasher.field(number(readiness)).field(number(stale)).field(number(claimed));
        hasher.field(inconclusive.word()).field(unproven.word()).field(flaky.word());
        hasher.finish()
    }

    /// Judges items with their standings.
    pub fn judge<'a>(&self, items: impl IntoIterator<Item = (&'a Item, &'a Standing)>) -> Judgement {
        let mut tally = Tally::default();
        let (mut failing, mut lacking, mut undecided) = (vec![], vec![], vec![]);
        let (mut asked, mut waived, mut unproven, mut flaky) = (0, vec![], vec![], vec![]);
        for (item, standing) in items {
            tally.add(item, standing);
            let status = standing.status;
            if status == Status::Failing {
                failing.push(item.id.clone());
            }
            let enough = match self.must {
                None => true,
                Some(Ask::Proven) => matches!(status, Status::Proven | Status::Waived),
                Some(Ask::Claimed) => matches!(status, Status::Proven | Status::Waived | Status::Claimed),
            };
            let enough = enough || self.flaky == Flaky::Allow && standing.passed_at_last;
            if item.level == Level::Must {
                asked += u32::from(status != Status::Waived);
                if status == Status::Waived {
                    waived.push(item.id.clone());
                } else if !enough && status != Status::Failing {
                    lacking.push(item.id.clone());
                }
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
        if asked == 0 {
            // Waiving everything that is asked for is not the same as having it.
            lacking = waived;
        }
        let mut violations = vec![];
        if !failing.is_empty() {
            violations.push(Violation::Failing { items: failing });
        }
        if let Some(ask) = self.must.filter(|_| !lacking.is_empty()) {
            violations.push(Violation::Must { ask, items: lacking });
        }
        if let Some(at_least) = self.readiness {
            let is = tally.readiness();
            if is.is_none_or(|is| is < at_least) {
                violations.push(Violation::Readiness { at_least, is });
            }
        }
        if let Some(at_most) = self.stale.filter(|&at_most| tally.stale > at_most) {
            violations.push(Violation::Stale { at_most, are: tally.stale });
        }
        if let Some(at_most) = self.claimed.filter(|&at_most| tally.claimed > at_most) {
            violations.push(Violation::Claimed { at_most, are: tally.claimed });
        }
        if self.unproven == Unproven::Deny && !unproven.is_empty() {
            violations.push(Violation::Unproven { items: unproven });
        }
        if self.flaky == Flaky::Deny && !flaky.is_empty() {
            violations.push(Violation::Flaky { items: flaky });
        }
        Judgement { violations, undecided }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Text, Weight};

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
    fn judged(policy: Policy, items: &[(Level, Status, bool)]) -> Judgement {
        let items: Vec<_> = items
            .iter()
            .map(|&(level, status, untold)| {
                let inconclusive = if untold { vec!["a/b".parse().unwrap()] } else { vec![] };
                (item(level), Standing { status, inconclusive, ..Standing::default() })
            })
            .collect();
        policy.judge(items.iter().map(|(item, standing)| (item, standing)))
    }

    const PROVEN: Policy = Policy {
        must: Some(Ask::Proven),
        readiness: None,
        stale: None,
        claimed: None,
        inconclusive: Undecided::Ask,
        unproven: Unproven::Allow,
        flaky: Flaky::Deny,
    };

    #[test]
    fn failing_is_never_allowed() {
        assert!(judged(Policy::default(), &[(Level::Should, Status::Open, false)]).holds());
        let judgement = judged(Policy::default(), &[(Level::Should, Status::Failing, false)]);
        assert!(matches!(judgement.violations[..], [Violation::Failing { .. }]));
    }

    #[test]
    fn every_must_item_is_asked_for_and_no_other() {
        let open = (Level::Should, Status::Open, false);
        assert!(judged(PROVEN, &[(Level::Must, Status::Proven, false), open]).holds());
        for status in [Status::Open, Status::Claimed, Status::Stale] {
            let judgement =
                judged(PROVEN, &[(Level::Must, Status::Proven, false), (Level::Must, status, false)]);
            assert!(
                matches!(judgement.violations[..], [Violation::Must { ask: Ask::Proven, .. }]),
                "{status:?}"
            );
        }
        let claimed = Policy { must: Some(Ask::Claimed), ..PROVEN };
        assert!(judged(claimed, &[(Level::Must, Status::Claimed, false)]).holds());
    }

    #[test]
    fn waiving_some_is_allowed_and_waiving_all_is_not() {
        let waived = (Level::Must, Status::Waived, false);
        assert!(judged(PROVEN, &[waived, (Level::Must, Status::Proven, false)]).holds());
        assert!(!judged(PROVEN, &[waived, waived]).holds());
        assert!(judged(Policy::default(), &[waived]).holds());
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
        let judged = |policy: Policy| policy.judge([(&item, &standing)]);
        for inconclusive in [Undecided::Ask, Undecided::Allow] {
            let judgement = judged(Policy { inconclusive, ..Policy::default() });
            assert!(
                matches!(judgement.violations[..], [Violation::Flaky { .. }])
                    && judgement.undecided.is_empty()
            );
        }
        let allow = Policy { flaky: Flaky::Allow, ..PROVEN };
        assert!(judged(allow).holds());
        assert!(!judged(Policy { readiness: Some(1), ..allow }).holds());
        // Beside a check that could not tell at all, or is not there, nothing is enough.
        let other = Standing {
            inconclusive: vec![check.clone(), "a/c".parse().unwrap()],
            passed_at_last: false,
            ..standing.clone()
        };
        assert_eq!(allow.judge([(&item, &other)]).undecided.len(), 1);
        let other = Standing { passed_at_last: false, ..standing.clone() };
        assert!(matches!(allow.judge([(&item, &other)]).violations[..], [Violation::Must { .. }]));
        let failing = Standing { status: Status::Failing, passed_at_last: false, ..standing.clone() };
        assert!(!allow.judge([(&item, &failing)]).holds());
    }

    #[test]
    fn figures_are_limits() {
        let items = [(Level::Must, Status::Stale, false), (Level::Must, Status::Claimed, false)];
        let holds = |policy: Policy| judged(policy, &items).holds();
        assert!(holds(Policy { stale: Some(1), claimed: Some(1), readiness: Some(0), ..Policy::default() }));
        assert!(!holds(Policy { stale: Some(0), ..Policy::default() }));
        assert!(!holds(Policy { claimed: Some(0), ..Policy::default() }));
        assert!(!holds(Policy { readiness: Some(1), ..Policy::default() }));
        assert!(!judged(Policy { readiness: Some(0), ..Policy::default() }, &[]).holds());
    }

    #[test]
    fn word_of_an_unproven_plugin_counts_unless_it_is_denied() {
        let item = item(Level::Must);
        let judged = |unproven, status, by: &[&str]| {
            let by = by.iter().map(|check| check.parse().unwrap()).collect();
            let standing = Standing { status, unproven: by, ..Standing::default() };
            Policy { unproven, ..Policy::default() }.judge([(&item, &standing)])
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
        assert!(!judged(Policy::default(), &[(Level::Must, Status::Proven, true)]).holds());
        assert!(judged(allow, &[(Level::Must, Status::Proven, true)]).holds());
        assert!(!judged(allow, &[(Level::Must, Status::Open, true)]).holds());
    }
}
