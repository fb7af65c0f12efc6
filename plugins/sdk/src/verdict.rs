//! What a check concluded, in the contract's shapes. Authors build it through [`Report`](crate::Report).

use crate::Text;

/// What a check, or one step of it, concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The requirement was seen to hold.
    Pass,
    /// The requirement was seen not to hold.
    Fail,
    /// It could not be told. Never counts as a pass.
    Inconclusive,
    /// Does not apply here; the summary says why.
    Skip,
}

/// How much a step matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Decides the verdict.
    Must,
    /// Never flips the verdict; costs score.
    Should,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look; did not fail the check.
    Warning,
    /// Why the check did not pass.
    Problem,
}

/// Where a finding was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An HTTP target and the request line: `("api", "GET /healthz")`.
    Exchange(String, String),
    /// A TCP or UDP target.
    Endpoint(String),
    /// A command target.
    Process(String),
    /// Anywhere else, in words.
    Note(String),
}

/// Points earned of points possible; `possible` is never zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// `0.0..=possible`.
    pub earned: f64,
    /// Always 1.0 when made by [`Report`](crate::Report).
    pub possible: f64,
}

/// One named part of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Stable, kebab-case, unique inside the check.
    pub id: String,
    /// Whether it decides the verdict.
    pub need: Need,
    /// What was seen.
    pub status: Status,
    /// One line the learner can act on.
    pub summary: Text,
}

/// Something the learner should read: what was sent, what came back, why it is wrong, and one next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Stable machine code such as `idempotency.put-repeat`; never localised.
    pub code: String,
    /// What was seen and why it is wrong.
    pub message: Text,
    /// Where.
    pub at: Option<Location>,
    /// The next step.
    pub hint: Option<Text>,
}

impl Finding {
    /// A finding with neither place nor hint.
    pub fn new(severity: Severity, code: impl Into<String>, message: Text) -> Self {
        Self { severity, code: code.into(), message, at: None, hint: None }
    }

    /// Says where it was seen.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.at = Some(location);
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// A figure that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What it is, kebab-case.
    pub name: String,
    /// The figure, in `unit`.
    pub value: f64,
    /// UCUM style: `ms`, `1/s`, `1`.
    pub unit: String,
    /// How many observations it summarises; 1 for a single reading.
    pub samples: u32,
    /// `p50`, `max`, …; empty when not an aggregate.
    pub statistic: String,
}

/// Where the bytes of an evidence are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvidenceBody {
    /// Short text inside the verdict.
    Inline(String),
    /// The handle from [`Context::attach`](crate::Context::attach).
    Stored(u32),
}

/// What backs the verdict. It must not hold credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub label: String,
    /// IANA media type.
    pub media_type: String,
    /// The bytes.
    pub body: EvidenceBody,
}

/// The whole answer of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Derived from the steps.
    pub status: Status,
    /// One line for the report table.
    pub summary: Text,
    /// None when there was nothing to score.
    pub score: Option<Score>,
    /// In the order they were taken.
    pub steps: Vec<Step>,
    /// In the order they were found.
    pub findings: Vec<Finding>,
    /// What backs it.
    pub evidence: Vec<Evidence>,
    /// Figures.
    pub measurements: Vec<Measurement>,
}
