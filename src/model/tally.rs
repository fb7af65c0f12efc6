//! Counting items: readiness and everything shown beside it.

use std::ops::AddAssign;

use super::{Item, Standing, Status};

/// Items counted by where they stand, and their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All items, the waived included.
    pub items: u32,
    /// Proven.
    pub proven: u32,
    /// Claimed, not proven.
    pub claimed: u32,
    /// A check says it does not hold.
    pub failing: u32,
    /// Proven once, out of date.
    pub stale: u32,
    /// Waived for now.
    pub waived: u32,
    /// Neither of these.
    pub open: u32,
    /// Of all of these, those whose latest attempt could not tell.
    pub inconclusive: u32,
    /// Of all of these, those with a target that nothing is bound to.
    pub unbound: u32,
    /// Of all of these, those that have a check.
    pub checkable: u32,
    /// Weight of the proven ones.
    pub proven_weight: u32,
    /// Weight of the claimed ones.
    pub claimed_weight: u32,
    /// Weight of all that are not waived.
    pub weight: u32,
}

impl Tally {
    /// Counts one item.
    pub fn add(&mut self, item: &Item, standing: &Standing) {
        let weight = item.weight.get();
        self.items += 1;
        self.inconclusive += u32::from(!standing.inconclusive.is_empty());
        self.unbound += u32::from(!standing.unbound.is_empty());
        self.checkable += u32::from(!item.checks.is_empty());
        match standing.status {
            Status::Proven => {
                self.proven += 1;
                self.proven_weight += weight;
            }
            Status::Claimed => {
                self.claimed += 1;
                self.claimed_weight += weight;
            }
            Status::Failing => self.failing += 1,
            Status::Stale => self.stale += 1,
            Status::Waived => self.waived += 1,
            Status::Open => self.open += 1,
        }
        if standing.status != Status::Waived {
            self.weight += weight;
        }
    }

    /// Every number, in an order that stays.
    pub fn counters(&mut self) -> [&mut u32; 13] {
        let Self {
            items,
            proven,
            claimed,
            failing,
            stale,
            waived,
            open,
            inconclusive,
            unbound,
            checkable,
            proven_weight,
            claimed_weight,
            weight,
        } = self;
        [
            items,
            proven,
            claimed,
            failing,
            stale,
            waived,
            open,
            inconclusive,
            unbound,
            checkable,
            proven_weight,
            claimed_weight,
            weight,
        ]
    }

    /// Weight of proven items of the weight of all that are not waived, in percent, rounded down: 100 is everything.
    /// None where there is nothing to be ready in.
    #[must_use]
    pub fn readiness(&self) -> Option<u32> {
        percent(self.proven_weight, self.weight)
    }

    /// The same for claimed items.
    #[must_use]
    pub fn claimed_share(&self) -> Option<u32> {
        percent(self.claimed_weight, self.weight)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, mut other: Self) {
        for (sum, number) in self.counters().into_iter().zip(other.counters()) {
            *sum += *number;
        }
    }
}

fn percent(part: u32, whole: u32) -> Option<u32> {
    let percent = (u64::from(part) * 100).checked_div(u64::from(whole))?;
    u32::try_from(percent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_hundred_only_when_everything_is_proven() {
        let tally = Tally { proven_weight: 999, weight: 1000, ..Tally::default() };
        assert_eq!(tally.readiness(), Some(99));
        assert_eq!(Tally { proven_weight: 7, weight: 7, ..Tally::default() }.readiness(), Some(100));
        assert_eq!(Tally::default().readiness(), None);
    }
}
