//! The system's table of processes and their sockets.
//!
//! Linux tells it in files below `/proc` (proc(5)); elsewhere only what POSIX has is known, and the rest is empty. A look
//! at the table is a look at what moves: what vanishes meanwhile is left out.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, ProcessId, Socket};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

pub(super) use system::{bound, holders, is_ours};

/// What every process has in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Which process.
    pub(super) id: ProcessId,
    /// Its parent's number.
    pub(super) parent: u32,
    /// Its process group.
    pub(super) group: u32,
    /// It has ended, and its parent has not asked how.
    pub(super) dead: bool,
}

/// When the process of this number began; none where there is none.
pub(super) fn began(pid: u32) -> Option<u64> {
    system::row(pid).map(|row| row.id.began)
}

/// Whether this process exists and has not ended.
pub(super) fn runs(id: ProcessId) -> bool {
    system::row(id.pid).is_some_and(|row| row.id == id && !row.dead)
}

/// Every process, in no order; none where the system does not tell.
pub(super) fn rows() -> Option<Vec<Row>> {
    system::rows()
}

/// The processes below `root`, itself left out, parents first; empty where the system does not tell.
pub(super) fn below(root: u32) -> Vec<Row> {
    let Some(rows) = rows() else { return vec![] };
    let mut children: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for row in rows {
        children.entry(row.parent).or_default().push(row);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    // Each parent's children are taken once, so a table that changed while it was read can not make a circle.
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next].id.pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Whether `process` is `root` or was started below it. False where the system does not tell.
#[must_use]
pub fn is_below(process: ProcessId, root: u32) -> bool {
    process.pid == root || below(root).iter().any(|row| row.id == process)
}

/// What the system tells of these processes, in their order; those that are gone are left out.
#[must_use]
pub fn facts(ids: &[ProcessId]) -> Vec<Facts> {
    ids.iter().filter_map(|&id| system::facts(id)).collect()
}

/// The TCP sockets that these processes hold, each once.
#[must_use]
pub fn sockets(ids: &[ProcessId]) -> Vec<Socket> {
    let held: BTreeSet<u64> = ids.iter().flat_map(|&id| system::inodes(id)).collect();
    ids.first().map(|&first| system::sockets(first, &held)).unwrap_or_default()
}
