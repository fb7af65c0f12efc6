//! What a plugin is proven with: targets of which its author knows what its checks must conclude.

use std::collections::BTreeMap;

use super::{CaseId, Outcome, Target, TargetName, Value};

/// What `cases.toml` says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cases {
    /// What cases are about, by the author's names.
    pub targets: BTreeMap<TargetName, Target>,
    /// In file order; no name twice.
    pub cases: Vec<Case>,
}

impl Cases {
    /// Known-good targets that each check needs at least.
    pub const GOOD: usize = 1;

    /// Known-bad targets that each check needs at least.
    pub const BAD: usize = 3;

    /// The checks, of these, that have fewer cases than a proof takes.
    pub fn lacks<'a>(&self, checks: impl IntoIterator<Item = &'a str>) -> Vec<Lack> {
        let lack = |check: &str| {
            let count = |outcome| {
                let cases = self.cases.iter().filter(|case| &*case.check == check);
                cases.filter(|case| case.expect.outcome() == outcome).count()
            };
            Lack { check: check.into(), good: count(Outcome::Pass), bad: count(Outcome::Fail) }
        };
        checks.into_iter().map(lack).filter(|lack| lack.good < Self::GOOD || lack.bad < Self::BAD).collect()
    }
}

/// One target, or several together, and what a check must conclude of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: CaseId,
    /// One of the plugin's checks.
    pub check: Box<str>,
    /// What must come of it.
    pub expect: Expect,
    /// The check's parameters; no variable of the user's among them.
    pub with: BTreeMap<String, Value>,
    /// What the check's target names stand for in [`Cases::targets`]; a name that is not here stands for its own.
    pub target: BTreeMap<TargetName, TargetName>,
    /// What is put behind the `run` of a target, by the author's names.
    pub args: BTreeMap<TargetName, Vec<String>>,
    /// A recording of it, relative to the plugin's folder, with "/" between parts and no "..".
    pub recording: Option<String>,
}

impl Case {
    /// The target that a check's name stands for, by the author's name.
    #[must_use]
    pub fn bound<'a>(&'a self, asked: &'a TargetName) -> &'a TargetName {
        self.target.get(asked).unwrap_or(asked)
    }
}

/// What must come of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It passes.
    Pass,
    /// It fails, because of this must step.
    Fail {
        /// The step's id.
        step: Box<str>,
    },
    /// It can not be told.
    Inconclusive,
}

impl Expect {
    /// The outcome of the whole check.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Pass => Outcome::Pass,
            Self::Fail { .. } => Outcome::Fail,
            Self::Inconclusive => Outcome::Inconclusive,
        }
    }

    /// The step that must fail, where one must.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Fail { step } => Some(step),
            Self::Pass | Self::Inconclusive => None,
        }
    }
}

/// A check with too few cases, and how many it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The check.
    pub check: Box<str>,
    /// How many known-good targets.
    pub good: usize,
    /// How many known-bad ones.
    pub bad: usize,
}

impl std::fmt::Display for Lack {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { check, good, bad } = self;
        write!(
            formatter,
            "{check} has {good} of {} known-good and {bad} of {} known-bad cases",
            Cases::GOOD,
            Cases::BAD
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(check: &str, expect: Expect) -> Case {
        Case {
            name: "a".parse().unwrap(),
            check: check.into(),
            expect,
            with: BTreeMap::new(),
            target: BTreeMap::new(),
            args: BTreeMap::new(),
            recording: None,
        }
    }

    #[test]
    fn each_check_needs_a_good_case_and_three_bad_ones() {
        let bad = || case("a", Expect::Fail { step: "s".into() });
        let mut cases = Cases { cases: vec![bad(), bad(), case("a", Expect::Pass)], ..Cases::default() };
        assert_eq!(cases.lacks(["a"]), [Lack { check: "a".into(), good: 1, bad: 2 }]);
        // What can not be told is known to be neither.
        cases.cases.push(case("a", Expect::Inconclusive));
        assert_eq!(cases.lacks(["a"]).len(), 1);
        cases.cases.push(bad());
        assert_eq!(cases.lacks(["a"]), []);
        let lacks = cases.lacks(["a", "b"]);
        assert_eq!(lacks[0].to_string(), "b has 0 of 1 known-good and 0 of 3 known-bad cases");
    }
}
