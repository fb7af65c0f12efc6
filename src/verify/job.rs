//! A task with what the scheduler must know of it.

use semver::Version;

use super::{Task, TaskId};
use crate::model::TargetName;

/// A task ready to be scheduled.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is run.
    pub task: Task,
    /// The plugin's version, for the words of a failed run.
    pub version: Version,
    /// Tasks to end first, whatever they end with.
    pub after: Vec<TaskId>,
    /// The workspace's targets that it uses, one name for each thing.
    pub uses: Vec<TargetName>,
}
