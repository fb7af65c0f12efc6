//! What is known of the learner: claims, verdicts, waivers.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use semver::Version;

use super::{CheckId, ChecklistId, Digest, Evidence, ItemId, Outcome, TargetName, Text, Verdict};

/// The progress file of one checklist.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The checklist it belongs to.
    pub checklist: ChecklistId,
    /// By item id, sorted; only items that have any.
    pub entries: BTreeMap<ItemId, Entry>,
}

impl Progress {
    /// No progress yet.
    #[must_use]
    pub fn new(checklist: ChecklistId) -> Self {
        Self { checklist, entries: BTreeMap::new() }
    }
}

/// What is known of one item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    /// A tick by hand.
    pub claim: Option<Claim>,
    /// A reason not to ask for it.
    pub waiver: Option<Waiver>,
    /// The latest verdicts, by check.
    pub checks: BTreeMap<CheckId, CheckRecord>,
}

impl Entry {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claim.is_none() && self.waiver.is_none() && self.checks.is_empty()
    }
}

/// The learner says it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// When it was ticked.
    pub at: Timestamp,
    /// The learner's words.
    pub note: Option<String>,
    /// Where to look.
    pub links: Vec<String>,
}

/// The learner says it does not count, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// When it was waived.
    pub at: Timestamp,
    /// Why; never empty.
    pub why: String,
    /// The last day it holds.
    pub until: Date,
}

/// What is known from one check of one item.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckRecord {
    /// The latest pass or fail.
    pub decided: Option<Record>,
    /// The latest attempt after it that could not tell.
    pub undecided: Option<Record>,
}

impl CheckRecord {
    /// Remembers `record`: a decision replaces everything, an attempt that could not tell stands beside the decision.
    pub fn remember(&mut self, record: Record) {
        match record.verdict.outcome {
            Outcome::Pass | Outcome::Fail => *self = Self { decided: Some(record), undecided: None },
            Outcome::Inconclusive | Outcome::Skip | Outcome::Flaky => self.undecided = Some(record),
        }
    }

    /// The newest of both.
    #[must_use]
    pub fn latest(&self) -> Option<&Record> {
        self.undecided.as_ref().or(self.decided.as_ref())
    }
}

/// A verdict and what it was given under.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The verdict; of its evidence stands below what it was, without the bytes.
    pub verdict: Verdict,
    /// The run gave no verdict and the summary says why: the plugin's or the host's fault.
    pub fault: bool,
    /// When the run ended.
    pub at: Timestamp,
    /// The plugin's bytes.
    pub plugin: Digest,
    /// The plugin's version.
    pub version: Version,
    /// Whether the plugin was proven itself: [`Proof::is_proven`](super::Proof::is_proven); none where nobody wrote it down.
    pub proven: Option<bool>,
    /// What was asked: [`Definition::digest`](super::Definition::digest).
    pub definition: Digest,
    /// Repeats the run.
    pub seed: u64,
    /// The learner's commit, with `+` where the tree had changes; none outside a commit.
    pub commit: Option<String>,
    /// The watched files as they were; none where the definition watches nothing.
    pub watched: Option<Digest>,
    /// By the workspace's target name: what it was, and whether mustdo started it.
    pub targets: BTreeMap<TargetName, String>,
    /// How long it took.
    pub elapsed: Duration,
    /// What the verdict stands on, in the plugin's order. The bytes stay on the machine of the run.
    pub evidence: Vec<Exhibit>,
    /// Attempts of the same run before it, none of which could tell, in order.
    pub attempts: Vec<Attempt>,
}

/// A piece of what a check saw, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// What it is.
    pub label: String,
    /// IANA media type.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// The bytes, secrets masked.
    pub digest: Digest,
}

impl From<&Evidence> for Exhibit {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { label, media_type, body } = evidence;
        Self {
            label: label.clone(),
            media_type: media_type.clone(),
            size: u64::try_from(body.len()).unwrap_or(u64::MAX),
            digest: Digest::of(body),
        }
    }
}

/// An attempt that could not tell, and after which the check was asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it said.
    pub summary: Text,
    /// The run gave no verdict and the summary says why.
    pub fault: bool,
    /// How long it took.
    pub elapsed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record(outcome: Outcome) -> Record {
        Record {
            verdict: Verdict {
                outcome,
                summary: Text::default(),
                score: None,
                steps: vec![],
                findings: vec![],
                evidence: vec![],
                measurements: vec![],
            },
            fault: false,
            at: Timestamp::UNIX_EPOCH,
            plugin: Digest::of(b"plugin"),
            version: Version::new(0, 1, 0),
            proven: Some(true),
            definition: Digest::of(b"definition"),
            seed: 1,
            commit: None,
            watched: None,
            targets: BTreeMap::new(),
            elapsed: Duration::ZERO,
            evidence: vec![],
            attempts: vec![],
        }
    }

    #[test]
    fn inconclusive_leaves_the_last_decision_and_stands_beside_it() {
        let mut check = CheckRecord::default();
        check.remember(record(Outcome::Pass));
        check.remember(record(Outcome::Inconclusive));
        assert_eq!(check.decided.as_ref().unwrap().verdict.outcome, Outcome::Pass);
        assert_eq!(check.latest().unwrap().verdict.outcome, Outcome::Inconclusive);
    }

    #[test]
    fn flaky_pass_decides_nothing() {
        let mut check = CheckRecord::default();
        check.remember(record(Outcome::Fail));
        check.remember(record(Outcome::Flaky));
        assert_eq!(check.decided.as_ref().unwrap().verdict.outcome, Outcome::Fail);
        assert_eq!(check.latest().unwrap().verdict.outcome, Outcome::Flaky);
    }

    #[test]
    fn decision_clears_the_attempt_before_it() {
        let mut check = CheckRecord::default();
        check.remember(record(Outcome::Inconclusive));
        check.remember(record(Outcome::Fail));
        assert_eq!(check.undecided, None);
        assert_eq!(check.latest().unwrap().verdict.outcome, Outcome::Fail);
    }
}
