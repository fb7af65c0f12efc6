//! What a check concluded, and the rule that keeps a conclusion honest.

use thiserror::Error;

use super::{TargetName, Text};

/// What a check, or one step of it, concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The requirement was seen to hold.
    Pass,
    /// The requirement was seen not to hold.
    Fail,
    /// It could not be told; never counts as a pass.
    Inconclusive,
    /// Does not apply here.
    Skip,
    /// It passed, after an attempt that could not tell: no proof. Never of a step, and never a plugin's own word.
    Flaky,
}

impl Outcome {
    /// Every outcome of a check.
    pub const ALL: [Self; 5] = [Self::Pass, Self::Fail, Self::Inconclusive, Self::Skip, Self::Flaky];

    /// Every outcome of a step, and every one that a plugin can tell.
    pub const TOLD: [Self; 4] = [Self::Pass, Self::Fail, Self::Inconclusive, Self::Skip];

    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Skip => "skip",
            Self::Flaky => "flaky",
        }
    }
}

/// How much a step matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Failing it fails the check.
    Must,
    /// Failing it only lowers the score.
    Should,
}

impl Need {
    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth mending.
    Warning,
    /// The reason the check did not pass.
    Problem,
}

impl Severity {
    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// Points earned out of points available.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// From zero to `possible`.
    pub earned: f64,
    /// Greater than zero.
    pub possible: f64,
}

/// One named part of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Stable, kebab-case, unique inside the check.
    pub id: String,
    /// How much it matters.
    pub need: Need,
    /// What it concluded.
    pub outcome: Outcome,
    /// One line a learner can act on.
    pub summary: Text,
}

/// Where a finding was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A place in a file of a directory target.
    Source {
        /// The directory target.
        target: TargetName,
        /// Relative to its root, "/" between parts.
        path: String,
        /// Counted from 1.
        line: Option<u32>,
        /// Counted from 1, in characters.
        column: Option<u32>,
        /// The last line, where it spans several.
        end_line: Option<u32>,
        /// One past the last character.
        end_column: Option<u32>,
    },
    /// An HTTP exchange, such as "GET /healthz".
    Exchange {
        /// The http target.
        target: TargetName,
        /// Method and path.
        request: String,
    },
    /// A tcp or udp target.
    Endpoint(TargetName),
    /// A command target.
    Process(TargetName),
    /// Elsewhere, in words.
    Note(String),
}

/// Something the check found out that a learner can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable machine code, never localised.
    pub code: String,
    /// What was sent, what came back, and why that is wrong.
    pub message: Text,
    /// Where it was seen.
    pub at: Option<Location>,
    /// What to do next.
    pub hint: Option<Text>,
}

/// A figure the check measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// Always finite.
    pub value: f64,
    /// UCUM-style: "ms", "1/s".
    pub unit: String,
    /// How many observations it summarises; 1 for a single reading.
    pub samples: u32,
    /// "p50", "max", …; empty when not an aggregate.
    pub statistic: String,
}

/// A piece of what the check saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub label: String,
    /// IANA media type.
    pub media_type: String,
    /// The bytes, at most what the host lets a plugin keep.
    pub body: Vec<u8>,
}

/// What a check concluded and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The conclusion.
    pub outcome: Outcome,
    /// One line.
    pub summary: Text,
    /// Points, where the check gives any.
    pub score: Option<Score>,
    /// In the order they were done.
    pub steps: Vec<Step>,
    /// Most important first is the plugin's affair; the order is kept.
    pub findings: Vec<Finding>,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What was measured.
    pub measurements: Vec<Measurement>,
}

/// A verdict that contradicts itself; it is the plugin's fault and never reaches the learner as a verdict.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum VerdictError {
    /// A must step failed and the check says otherwise.
    #[error("the verdict is {verdict} although the must step \"{step}\" failed", verdict = .verdict.word())]
    FailedMust {
        /// What the plugin returned.
        verdict: Outcome,
        /// The step.
        step: String,
    },
    /// A must step could not be told and the check passes.
    #[error("the verdict is pass although the must step \"{step}\" is inconclusive")]
    InconclusiveMust {
        /// The step.
        step: String,
    },
    /// Zero checks run is not success.
    #[error("the verdict is pass although no must step passed")]
    NothingPassed,
    /// Nothing in the steps says why it fails.
    #[error("the verdict is fail although no must step failed")]
    NothingFailed,
    /// Points that can't be.
    #[error("the score is {earned} of {possible}: it must be finite, and from 0 to a positive maximum")]
    Score {
        /// Points earned.
        earned: f64,
        /// Points available.
        possible: f64,
    },
    /// A figure that is not a number.
    #[error("the measurement \"{name}\" is not a finite number")]
    Measurement {
        /// Which.
        name: String,
    },
    /// Two steps of one name.
    #[error("two steps are called \"{step}\"")]
    DuplicateStep {
        /// The name.
        step: String,
    },
}

impl Verdict {
    /// That nothing could be told, and why.
    #[must_use]
    pub fn undecided(summary: Text) -> Self {
        Self {
            outcome: Outcome::Inconclusive,
            summary,
            score: None,
            steps: vec![],
            findings: vec![],
            evidence: vec![],
            measurements: vec![],
        }
    }

    /// Holds the verdict against its own steps, score and figures.
    pub fn validate(&self) -> Result<(), VerdictError> {
        let must =
            |outcome| self.steps.iter().find(move |step| step.need == Need::Must && step.outcome == outcome);
        match (self.outcome, must(Outcome::Fail)) {
            (Outcome::Fail, None) => return Err(VerdictError::NothingFailed),
            (Outcome::Fail, Some(_)) | (_, None) => {}
            (verdict, Some(step)) => {
                return Err(VerdictError::FailedMust { verdict, step: step.id.clone() });
            }
        }
        if matches!(self.outcome, Outcome::Pass | Outcome::Flaky) {
            if let Some(step) = must(Outcome::Inconclusive) {
                return Err(VerdictError::InconclusiveMust { step: step.id.clone() });
            }
            if must(Outcome::Pass).is_none() {
                return Err(VerdictError::NothingPassed);
            }
        }
        if let Some(Score { earned, possible }) = self.score {
            let honest = earned.is_finite()
                && possible.is_finite()
                && possible > 0.0
                && (0.0..=possible).contains(&earned);
            if !honest {
                return Err(VerdictError::Score { earned, possible });
            }
        }
        if let Some(figure) = self.measurements.iter().find(|figure| !figure.value.is_finite()) {
            return Err(VerdictError::Measurement { name: figure.name.clone() });
        }
        let mut seen = std::collections::BTreeSet::new();
        match self.steps.iter().find(|step| !seen.insert(&step.id)) {
            Some(step) => Err(VerdictError::DuplicateStep { step: step.id.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(outcome: Outcome, steps: &[(Need, Outcome)]) -> Verdict {
        let steps = steps.iter().enumerate().map(|(index, &(need, outcome))| Step {
            id: format!("step-{index}"),
            need,
            outcome,
            summary: Text::default(),
        });
        Verdict {
            outcome,
            summary: Text::default(),
            score: None,
            steps: steps.collect(),
            findings: vec![],
            evidence: vec![],
            measurements: vec![],
        }
    }

    #[test]
    fn pass_needs_a_must_step_that_passed_and_none_that_did_not() {
        use Need::{Must, Should};
        use Outcome::{Fail, Inconclusive, Pass, Skip};
        assert_eq!(verdict(Pass, &[(Must, Pass), (Should, Fail), (Must, Skip)]).validate(), Ok(()));
        assert_eq!(verdict(Pass, &[]).validate(), Err(VerdictError::NothingPassed));
        assert_eq!(
            verdict(Pass, &[(Should, Pass), (Must, Skip)]).validate(),
            Err(VerdictError::NothingPassed)
        );
        assert!(matches!(
            verdict(Pass, &[(Must, Pass), (Must, Fail)]).validate(),
            Err(VerdictError::FailedMust { .. })
        ));
        assert!(matches!(
            verdict(Pass, &[(Must, Pass), (Must, Inconclusive)]).validate(),
            Err(VerdictError::InconclusiveMust { .. })
        ));
    }

    #[test]
    fn failed_must_step_can_not_hide_behind_inconclusive_or_skip() {
        for outcome in [Outcome::Inconclusive, Outcome::Skip] {
            assert!(verdict(outcome, &[(Need::Must, Outcome::Fail)]).validate().is_err());
        }
        assert_eq!(verdict(Outcome::Fail, &[(Need::Must, Outcome::Fail)]).validate(), Ok(()));
        assert_eq!(
            verdict(Outcome::Fail, &[(Need::Should, Outcome::Fail)]).validate(),
            Err(VerdictError::NothingFailed)
        );
    }

    #[test]
    fn score_above_possible_or_not_a_number_is_refused() {
        for (earned, possible) in [(2.0, 1.0), (-1.0, 1.0), (0.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)]
        {
            let mut verdict = verdict(Outcome::Pass, &[(Need::Must, Outcome::Pass)]);
            verdict.score = Some(Score { earned, possible });
            assert!(verdict.validate().is_err(), "{earned} of {possible}");
        }
    }
}
