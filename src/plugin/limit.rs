//! How much a plugin may use, and the limiter that remembers what it was refused.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::model::{Limit, Limits};

use super::network::SOCKETS;

/// A component larger than this is refused before it is compiled or kept. The largest seen, a whole
/// Python interpreter, has 18 MiB.
pub const COMPONENT_BYTES: usize = 32 << 20;

/// A component of this size or more runs on Winch's code until Cranelift's is there. Cranelift takes half a second for one of
/// this size and five for an interpreter; below it, waiting costs less than a second compiler and a process do.
pub(super) const WINCH_BYTES: usize = 256 << 10;

/// Bytes of cases that a component may carry, compressed. A recording of a check that sends fifty requests takes some
/// kilobytes.
pub(super) const BUNDLE_BYTES: usize = 8 << 20;

/// Bytes of the same once they are read: the first recordings that were made shrink to a tenth.
pub(super) const BUNDLE_INFLATED_BYTES: usize = 64 << 20;

/// Bytes of native code that one component may become; the largest seen becomes 35 MiB.
pub(super) const ARTEFACT_BYTES: usize = 512 << 20;

/// MiB of linear memory of one run of a component that carries an interpreter, where the user says nothing.
pub(super) const LARGE_MEMORY: u32 = 256;

/// A component larger than this carries an interpreter: Python needs 16 MiB of memory before it does anything.
pub(super) const LARGE_COMPONENT_BYTES: usize = 4 << 20;

/// The stack of one run. Compilers give the part of it that they lay out themselves 64 KiB to 1 MiB of linear memory; this
/// is the other part, return addresses and spilled registers, and also lies on one of the host's own stacks.
pub(super) const STACK_BYTES: usize = 512 << 10;

/// What a run's host stack has: the plugin's, and the host's own below it.
pub(super) const HOST_STACK_BYTES: usize = STACK_BYTES + (1536 << 10);

/// Elements in all tables of one run; a table holds a component's function pointers.
pub(super) const TABLE_ELEMENTS: usize = 20_000;

/// Core instances, memories and tables of one run: a component is made of a handful of modules.
pub(super) const INSTANCES: usize = 100;

/// Bytes that one call may carry from a plugin into the host, and so also the size of a verdict.
pub(super) const HOSTCALL_BYTES: usize = 8 << 20;

/// Handles in a component's own tables: as many as the host can have given out.
pub(super) const COMPONENT_HANDLES: usize = TABLE_ENTRIES;

/// Clients, trees and other things that the host keeps for one run. Sockets have a limit of their own (`network`).
pub(super) const RESOURCES: usize = 1_000;

/// Everything that the host keeps for one run: sockets, as many other things as a plugin may have, and as many again for
/// what interpreters make of WASI.
pub(super) const TABLE_ENTRIES: usize = SOCKETS + 2 * RESOURCES;

/// How often a running plugin gives way to the clock: what a deadline can be late by.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// `describe` touches nothing, so it needs no time; the first instance of a large component pays for page faults.
pub(super) const DESCRIBE: Duration = Duration::from_secs(2);

/// Bytes of log that are kept.
pub(super) const LOG_BYTES: usize = 256 << 10;

/// Characters of one log line, and of one progress message.
pub(super) const LINE_CHARS: usize = 2_000;

/// Progress is for people: more often than this nobody can read it.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// Random bytes that one call may ask for.
pub(super) const RANDOM_BYTES: u32 = 64 << 10;

/// One attachment may have this part of what all of a run may have, so that one does not crowd out the others.
pub(super) const ATTACHMENT_SHARE: usize = 8;

/// Bytes of a piece of evidence that is text inside the verdict.
pub(super) const INLINE_BYTES: usize = 1 << 20;

/// Attachments of one run.
pub(super) const ATTACHMENTS: usize = 64;

/// Bytes of the calls of one recording, which is kept in memory until the run ends. Those of the shipped checks have less
/// than one MiB.
pub(super) const RECORDING_BYTES: usize = 32 << 20;

/// Accesses that are listed; the rest are counted.
pub(super) const ACCESSES: usize = 1_000;

/// Bytes of the accesses that are listed: less than a transcript has room for, so that it tells all of them.
pub(super) const ACCESS_BYTES: usize = 128 << 10;

/// Grants memory and tables up to a limit, and remembers what it refused: a plugin that runs out of memory panics like
/// any other, and only this tells the two apart.
pub(super) struct Limiter {
    memory_limit: usize,
    memory: usize,
    table: usize,
    refused: Option<Refusal>,
}

/// What a limiter refused first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Linear memory.
    Memory,
    /// Table elements.
    Table,
}

impl Limiter {
    /// For a component of `component_bytes`.
    pub(super) fn new(component_bytes: usize, limits: &Limits) -> Self {
        let usual =
            if component_bytes > LARGE_COMPONENT_BYTES { LARGE_MEMORY } else { Limit::Memory.usual() };
        let memory_limit = mebibytes(limits.chosen(Limit::Memory).unwrap_or(usual));
        Self { memory_limit, memory: 0, table: 0, refused: None }
    }

    /// What was refused first, if anything was.
    pub(super) fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    /// Bytes of linear memory that may be used.
    pub(super) fn memory_limit(&self) -> usize {
        self.memory_limit
    }

    fn grant(total: &mut usize, limit: usize, current: usize, desired: usize) -> bool {
        let after = total.saturating_add(desired.saturating_sub(current));
        let granted = after <= limit;
        if granted {
            *total = after;
        }
        granted
    }
}

/// Bytes; as many as can be addressed, where there are more.
pub(super) fn mebibytes(count: u32) -> usize {
    usize::try_from(u64::from(count) << 20).unwrap_or(usize::MAX)
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = Self::grant(&mut self.memory, self.memory_limit, current, desired);
        if !granted {
            self.refused.get_or_insert(Refusal::Memory);
        }
        Ok(granted)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = Self::grant(&mut self.table, TABLE_ELEMENTS, current, desired);
        if !granted {
            self.refused.get_or_insert(Refusal::Table);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_limit() {
        let mut limiter = Limiter::new(1, &Limits::default());
        assert!(limiter.memory_growing(0, 40 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 24 << 20, None).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.memory_growing(24 << 20, (24 << 20) + 1, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refusal::Memory));
    }

    #[test]
    fn interpreters_get_more_memory() {
        let limit = |bytes: usize, limits: &Limits| {
            Limiter::new(LARGE_COMPONENT_BYTES + bytes, limits).memory_limit()
        };
        assert_eq!(limit(0, &Limits::default()), 64 << 20);
        assert_eq!(limit(1, &Limits::default()), 256 << 20);
        let mut chosen = Limits::default();
        assert!(chosen.choose(Limit::Memory, 100));
        assert_eq!((limit(0, &chosen), limit(1, &chosen)), (100 << 20, 100 << 20));
    }

    #[test]
    fn first_refusal_is_remembered() {
        let mut limiter = Limiter::new(1, &Limits::default());
        assert!(!limiter.table_growing(0, TABLE_ELEMENTS + 1, None).unwrap());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refusal::Table));
    }
}
