//! The builder of a verdict: steps in, status and score out, by one rule.

use crate::verdict::{Evidence, EvidenceBody, Finding, Measurement, Need, Score, Status, Step, Verdict};
use crate::{Failure, Text};

/// The part of the score that `should` steps share, where a check has any.
const SHOULD_SHARE: f64 = 0.2;

/// Steps, findings and figures of one run; becomes a [`Verdict`].
///
/// The status follows from the steps alone: a failed `must` fails the check; else an inconclusive `must` leaves it
/// inconclusive; else it passes, provided at least one `must` passed. A `should` never flips the status. A step that
/// was skipped counts for nothing.
#[derive(Debug)]
pub struct Report {
    passed: Text,
    steps: Vec<Step>,
    findings: Vec<Finding>,
    evidence: Vec<Evidence>,
    measurements: Vec<Measurement>,
}

impl Report {
    /// An empty report; `passed` is its summary should it pass.
    #[must_use]
    pub fn new(passed: Text) -> Self {
        Self {
            passed,
            steps: Vec::new(),
            findings: Vec::new(),
            evidence: Vec::new(),
            measurements: Vec::new(),
        }
    }

    /// Records one step from what came of it, and hands its value on: `None` means the step did not pass.
    pub fn judge<T>(
        &mut self,
        id: &str,
        need: Need,
        outcome: Result<T, Fault>,
        passed: impl FnOnce(&T) -> Text,
    ) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.push(id, need, Status::Pass, passed(&value));
                Some(value)
            }
            Err(fault) => {
                self.push(id, need, fault.status, fault.summary);
                self.findings.extend(fault.findings);
                None
            }
        }
    }

    /// Notes something that belongs to no failed step.
    pub fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds a figure of one reading.
    pub fn measure(&mut self, name: &str, value: f64, unit: &str) {
        self.measure_many(name, value, unit, 1, "");
    }

    /// Adds a figure that summarises several readings.
    pub fn measure_many(&mut self, name: &str, value: f64, unit: &str, samples: u32, statistic: &str) {
        self.measurements.push(Measurement {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
            samples,
            statistic: statistic.to_owned(),
        });
    }

    /// Adds short plain text as evidence.
    pub fn evidence(&mut self, label: &str, text: String) {
        self.evidence.push(Evidence {
            label: label.to_owned(),
            media_type: "text/plain; charset=utf-8".to_owned(),
            body: EvidenceBody::Inline(text),
        });
    }

    /// Adds an attached blob as evidence.
    pub fn attached(&mut self, label: &str, media_type: &str, handle: u32) {
        self.evidence.push(Evidence {
            label: label.to_owned(),
            media_type: media_type.to_owned(),
            body: EvidenceBody::Stored(handle),
        });
    }

    /// Derives status, summary and score.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        let must =
            |status| self.steps.iter().find(move |step| step.need == Need::Must && step.status == status);
        let (status, summary) = if let Some(step) = must(Status::Fail) {
            (Status::Fail, step.summary.clone())
        } else if let Some(step) = must(Status::Inconclusive) {
            (Status::Inconclusive, step.summary.clone())
        } else if must(Status::Pass).is_some() {
            (Status::Pass, self.passed)
        } else {
            (Status::Inconclusive, Text::new("nothing could be judged", "没有任何步骤能够判定"))
        };
        Verdict {
            status,
            summary,
            score: score(&self.steps),
            steps: self.steps,
            findings: self.findings,
            evidence: self.evidence,
            measurements: self.measurements,
        }
    }

    fn push(&mut self, id: &str, need: Need, status: Status, summary: Text) {
        self.steps.push(Step { id: id.to_owned(), need, status, summary });
    }
}

/// Why a step did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    status: Status,
    summary: Text,
    findings: Vec<Finding>,
}

impl Fault {
    /// The requirement was seen not to hold.
    #[must_use]
    pub fn fail(summary: Text) -> Self {
        Self { status: Status::Fail, summary, findings: Vec::new() }
    }

    /// It could not be told.
    #[must_use]
    pub fn inconclusive(summary: Text) -> Self {
        Self { status: Status::Inconclusive, summary, findings: Vec::new() }
    }

    /// Does not apply.
    #[must_use]
    pub fn skip(summary: Text) -> Self {
        Self { status: Status::Skip, summary, findings: Vec::new() }
    }

    /// Adds what the learner should read about it.
    #[must_use]
    pub fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }

    /// The same fault in one line, for a step that this line explains well enough: what was to be read is dropped.
    #[must_use]
    pub fn retold(mut self, summary: Text) -> Self {
        self.summary = summary;
        self.findings.clear();
        self
    }

    /// The same fault under another line; what is to be read about it stays.
    #[must_use]
    pub fn headed(mut self, summary: Text) -> Self {
        self.summary = summary;
        self
    }

    /// Fail, inconclusive or skip.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The line that the step will show.
    #[must_use]
    pub fn summary(&self) -> &Text {
        &self.summary
    }
}

/// A request that brought no answer decides nothing: the likely cause becomes the summary.
impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::inconclusive(failure.explain())
    }
}

/// Must steps share 1.0, or 0.8 beside should steps, which share the rest. Undecided steps earn nothing.
fn score(steps: &[Step]) -> Option<Score> {
    let share = |need| {
        let taken: Vec<_> =
            steps.iter().filter(|step| step.need == need && step.status != Status::Skip).collect();
        let passed = taken.iter().filter(|step| step.status == Status::Pass).count();
        (!taken.is_empty()).then(|| ratio(passed, taken.len()))
    };
    let earned = match (share(Need::Must), share(Need::Should)) {
        (Some(must), Some(should)) => must * (1.0 - SHOULD_SHARE) + should * SHOULD_SHARE,
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return None,
    };
    Some(Score { earned, possible: 1.0 })
}

fn ratio(part: usize, whole: usize) -> f64 {
    let exact = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    exact(part) / exact(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(steps: &[(Need, Result<(), Fault>)]) -> Verdict {
        let mut report = Report::new(Text::same("all good"));
        for (index, (need, outcome)) in steps.iter().enumerate() {
            report.judge(&format!("step-{index}"), *need, outcome.clone(), |()| Text::same("held"));
        }
        report.verdict()
    }

    fn failed() -> Result<(), Fault> {
        Err(Fault::fail(Text::same("broke")))
    }

    fn undecided() -> Result<(), Fault> {
        Err(Fault::inconclusive(Text::same("unknown")))
    }

    #[test]
    fn a_failed_must_outweighs_an_inconclusive_one() {
        let verdict = verdict_of(&[(Need::Must, undecided()), (Need::Must, failed()), (Need::Must, Ok(()))]);
        assert_eq!(verdict.status, Status::Fail);
        assert_eq!(verdict.summary, Text::same("broke"));
    }

    #[test]
    fn an_inconclusive_must_is_never_a_pass() {
        assert_eq!(
            verdict_of(&[(Need::Must, Ok(())), (Need::Must, undecided())]).status,
            Status::Inconclusive
        );
    }

    #[test]
    fn no_must_step_is_never_a_pass() {
        assert_eq!(verdict_of(&[]).status, Status::Inconclusive);
        assert_eq!(verdict_of(&[(Need::Should, Ok(()))]).status, Status::Inconclusive);
        let skipped = Err(Fault::skip(Text::same("not here")));
        assert_eq!(verdict_of(&[(Need::Must, skipped)]).status, Status::Inconclusive);
    }

    #[test]
    fn a_failed_should_costs_score_only() {
        let verdict = verdict_of(&[(Need::Must, Ok(())), (Need::Should, failed()), (Need::Should, Ok(()))]);
        assert_eq!(verdict.status, Status::Pass);
        assert_eq!(verdict.summary, Text::same("all good"));
        let earned = verdict.score.map(|score| score.earned).unwrap();
        assert!((earned - 0.9).abs() < 1e-9, "{earned}");
    }

    #[test]
    fn a_skipped_step_counts_for_nothing() {
        let skipped = Err(Fault::skip(Text::same("not here")));
        let verdict = verdict_of(&[(Need::Must, Ok(())), (Need::Must, skipped)]);
        assert_eq!(verdict.status, Status::Pass);
        assert_eq!(verdict.score, Some(Score { earned: 1.0, possible: 1.0 }));
    }
}
