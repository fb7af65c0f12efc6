//! What every POSIX system tells: whether a process exists.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rustix::process::{Pid, test_kill_process};

use super::Row;
use crate::process::{Facts, ProcessId, Socket};

/// The row of one process, as far as it can be known.
pub(super) fn row(pid: u32) -> Option<Row> {
    let number = Pid::from_raw(i32::try_from(pid).ok()?)?;
    test_kill_process(number).ok()?;
    Some(Row { id: ProcessId { pid, began: 0 }, parent: 0, group: 0, session: 0, dead: false })
}

/// Not told.
pub(super) fn rows() -> Option<Vec<Row>> {
    None
}

/// Nothing but the number.
pub(super) fn facts(id: ProcessId) -> Option<Facts> {
    row(id.pid).map(|_| Facts { pid: id.pid, ..Facts::default() })
}

/// Not told.
pub(super) fn inodes(_: ProcessId) -> Vec<u64> {
    vec![]
}

/// Not told.
pub(super) fn sockets(_: ProcessId, _: &BTreeSet<u64>) -> Vec<Socket> {
    vec![]
}

/// A socket that something can be sent to.
pub(in crate::process) struct Bound {
    pub(in crate::process) address: SocketAddr,
    pub(in crate::process) inode: u64,
}

/// Not told.
pub(in crate::process) fn bound(_: bool) -> Vec<Bound> {
    vec![]
}

/// Not told.
pub(in crate::process) fn holders(_: &BTreeSet<u64>) -> Vec<Row> {
    vec![]
}

/// Not told, so nobody is.
pub(in crate::process) fn is_ours(_: ProcessId) -> bool {
    false
}
