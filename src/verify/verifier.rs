//! What can run a check.

use std::future::Future;
use std::time::Duration;

use semver::Version;
use thiserror::Error;

use super::{Reporter, Task};
use crate::model::{Attempt, Limit, PluginId, Verdict, VerdictError};

/// Something that can run one check to its end. Dropping the future stops the check.
pub trait Verifier {
    /// Runs `task`, telling `reporter` how far it is. Ends within the task's deadline, whatever the plugin does.
    fn verify(&self, task: &Task, reporter: Reporter) -> impl Future<Output = Result<Run, RunError>> + Send;
}

/// A check that ran to its end.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it concluded; [`Verdict::validate`] holds.
    pub verdict: Verdict,
    /// How long it took, by the host's clock.
    pub elapsed: Duration,
    /// What was really opened and what was refused, in order.
    pub accesses: Vec<Access>,
    /// What the plugin logged, line by line, free of control characters.
    pub log: Vec<String>,
    /// Attempts before it that could not tell.
    pub attempts: Vec<Attempt>,
}

/// One use of a capability, allowed or refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Since the run began.
    pub at: Duration,
    /// What was used: "http GET web /orders".
    pub what: String,
    /// Why it was refused or failed; none when it went through.
    pub refused: Option<String>,
}

/// A check that gave no verdict: the plugin's fault or the host's limit, never the learner's failure.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("plugin {plugin} {version} {fault}")]
pub struct RunError {
    /// Which plugin.
    pub plugin: PluginId,
    /// Its version.
    pub version: Version,
    /// What happened.
    pub fault: RunFault,
    /// What it did until then.
    pub trace: Box<Trace>,
}

/// What a run left behind, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// How long it took, by the host's clock.
    pub elapsed: Duration,
    /// What was really opened and what was refused, in order.
    pub accesses: Vec<Access>,
    /// What the plugin logged, line by line, free of control characters.
    pub log: Vec<String>,
    /// Attempts before it that could not tell.
    pub attempts: Vec<Attempt>,
}

/// Why a run gave no verdict.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RunFault {
    /// The deadline passed.
    #[error("was stopped after {}", seconds(.limit))]
    TimedOut {
        /// The deadline.
        limit: Duration,
    },
    /// It asked for more memory than it may have.
    #[error("ran out of memory: it may use {} MiB; {}", .limit >> 20, Limit::Memory.way_out())]
    OutOfMemory {
        /// Bytes.
        limit: u64,
    },
    /// It called itself too deep.
    #[error("ran out of stack: calls may take {} KiB, and it called itself too deep", .limit >> 10)]
    OutOfStack {
        /// Bytes.
        limit: u64,
    },
    /// A host limit other than time, memory and stack: sizes, counts, handles.
    #[error("went over a limit: {0}")]
    OverLimit(String),
    /// It panicked or executed an illegal instruction.
    #[error("crashed: {0}")]
    Trapped(String),
    /// Its verdict contradicts itself.
    #[error("returned a verdict that can not be: {0}")]
    Verdict(#[from] VerdictError),
    /// It returned text or names that the contract does not allow.
    #[error("broke the contract: {0}")]
    Contract(String),
    /// It does not know a check it had announced.
    #[error("does not know the check \"{0}\"")]
    UnknownCheck(String),
    /// It did not accept parameters that its own schema accepts.
    #[error("did not accept the parameters: {0}")]
    Params(String),
    /// It says that it is broken.
    #[error("reports a bug of its own: {0}")]
    Internal(String),
    /// It was run from a recording and asked for what is not in it: nothing can be told.
    #[error("can not be replayed: the recording goes another way: {0}")]
    Replay(String),
    /// The host failed.
    #[error("could not be run: {0}")]
    Host(String),
}

fn seconds(duration: &Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
