//! What a gate asks of a report.

use std::collections::BTreeMap;

use super::{ChecklistId, Digest, Hasher, Level};

/// What must hold for exit code 0. That nothing is failing is always asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// What is asked of all items together.
    pub whole: Demand,
    /// What is asked of a checklist, beside that.
    pub checklists: BTreeMap<ChecklistId, Demand>,
    /// What is asked of all items of a level, beside that.
    pub levels: BTreeMap<Level, Figures>,
    /// The commit that nothing may be worse than at, as [`Base`](super::Base) names it; none where nothing is compared.
    pub base: Option<String>,
    /// What an item is worth whose latest attempt could not tell.
    pub inconclusive: Undecided,
    /// What a proof by a plugin is worth that is not proven itself.
    pub unproven: Unproven,
    /// What a pass is worth that came after an attempt that could not tell.
    pub flaky: Flaky,
}

/// What is asked of items together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// What every must item among them needs to be.
    pub must: Option<Ask>,
    /// What their figures may be.
    pub figures: Figures,
}

/// Limits of what is counted; none of them is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Readiness at least, in percent: 0 to 100.
    pub readiness: Option<u32>,
    /// Stale items at most.
    pub stale: Option<u32>,
    /// Claimed items at most.
    pub claimed: Option<u32>,
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

impl Policy {
    /// Policies with the same digest ask the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let Self { whole, checklists, levels, base, inconclusive, unproven, flaky } = self;
        let mut hasher = Hasher::default();
        whole.add_to(&mut hasher);
        for (checklist, demand) in checklists {
            hasher.field("checklist").field(checklist.as_str());
            demand.add_to(&mut hasher);
        }
        for (level, figures) in levels {
            hasher.field("level").field(level.word());
            figures.add_to(&mut hasher);
        }
        hasher.field(base.as_deref().unwrap_or_default());
        hasher.field(inconclusive.word()).field(unproven.word()).field(flaky.word());
        hasher.finish()
    }
}

impl Demand {
    fn add_to(&self, hasher: &mut Hasher) {
        let Self { must, figures } = self;
        hasher.field(must.map(Ask::word).unwrap_or_default());
        figures.add_to(hasher);
    }
}

impl Figures {
    fn add_to(&self, hasher: &mut Hasher) {
        let Self { readiness, stale, claimed } = self;
        for limit in [readiness, stale, claimed] {
            hasher.field(limit.map(|limit| limit.to_string()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_is_in_the_digest() {
        let figures = Figures { readiness: Some(80), ..Figures::default() };
        let demand = Demand { must: None, figures };
        let list = |id: &str| id.parse::<ChecklistId>().unwrap();
        let policies = [
            Policy::default(),
            Policy { whole: demand, ..Policy::default() },
            Policy { checklists: [(list("a"), demand)].into(), ..Policy::default() },
            Policy { checklists: [(list("b"), demand)].into(), ..Policy::default() },
            Policy { checklists: [(list("a"), Demand::default())].into(), ..Policy::default() },
            Policy { levels: [(Level::Must, figures)].into(), ..Policy::default() },
            Policy { base: Some("main".to_owned()), ..Policy::default() },
            Policy { flaky: Flaky::Allow, ..Policy::default() },
        ];
        let digests: std::collections::BTreeSet<_> = policies.iter().map(Policy::digest).collect();
        assert_eq!(digests.len(), policies.len());
    }
}
