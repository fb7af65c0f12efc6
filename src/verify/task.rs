//! One check to run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Capability, CheckId, Digest, Endpoint, ItemId, TargetName};
use crate::process::Supervised;

/// A task's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub usize);

/// One check of one item, with everything it may touch.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its place in the plan.
    pub id: TaskId,
    /// The item it may prove.
    pub item: ItemId,
    /// The question.
    pub check: CheckId,
    /// The plugin's bytes.
    pub plugin: Digest,
    /// JSON text, valid against the check's schema.
    pub params: String,
    /// What the plugin's target names stand for: only those that are bound and granted.
    pub targets: BTreeMap<TargetName, Endpoint>,
    /// What the workspace calls them, by the plugin's names: a refusal says which grant would help.
    pub names: BTreeMap<TargetName, TargetName>,
    /// The programs that mustdo runs behind those targets, for a check that may start them once more.
    pub supervised: BTreeMap<TargetName, Arc<dyn Supervised>>,
    /// What it may do, by the plugin's own target names.
    pub allowed: BTreeSet<Capability>,
    /// Nothing else uses its targets while it runs, so it may disturb them.
    pub exclusive: bool,
    /// Every choice the plugin makes comes from this.
    pub seed: u64,
    /// Wall clock for the whole run.
    pub deadline: Duration,
}
