//! What a gate asks of a report.

use super::{Item, ItemId, Level, Standing, Status, Tally};

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
    /// Judges items with their standings.
    pub fn judge<'a>(&self, items: impl IntoIterator<Item = (&'a Item, &'a Standing)>) -> Judgement {
        let mut tally = Tally::default();
        let (mut failing, mut lacking, mut undecided) = (vec![], vec![], vec![]);
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
            if item.level == Level::Must && !enough && status != Status::Failing {
                lacking.push(item.id.clone());
            }
            let untold = !standing.inconclusive.is_empty() && status != Status::Waived;
            // There is no last decision to stand in for one that was never made.
            let decided = matches!(status, Status::Proven | Status::Stale | Status::Failing);
            if untold && (self.inconclusive == Undecided::Ask || !decided) {
                undecided.push(item.id.clone());
            }
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
        Judgement { violations, undecided }
    }
}
