//! How much a plugin may use, and the limiter that remembers what it was refused.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::network::SOCKETS;

/// A component larger than this is refused before it is compiled: compiling is not metered. The largest seen, a whole
/// Python interpreter, has 18 MiB.
pub const COMPONENT_BYTES: usize = 32 << 20;

/// Linear memory of one run. Plugins in Rust, and in JavaScript on a small engine, start with less than 4 MiB.
pub(super) const MEMORY_BYTES: usize = 64 << 20;

/// Linear memory of one run of a component that carries an interpreter.
pub(super) const LARGE_MEMORY_BYTES: usize = 256 << 20;

/// A component larger than this carries an interpreter: Python needs 16 MiB of memory before it does anything.
pub(super) const LARGE_COMPONENT_BYTES: usize = 4 << 20;

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

/// Bytes of one attachment.
pub(super) const ATTACHMENT_BYTES: usize = 1 << 20;

/// Bytes of all attachments of one run.
pub(super) const ATTACHMENTS_BYTES: usize = 8 << 20;

/// Attachments of one run.
pub(super) const ATTACHMENTS: usize = 64;

/// Bytes of the calls of one recording, which is kept in memory until the run ends. Those of the shipped checks have less
/// than one MiB.
pub(super) const RECORDING_BYTES: usize = 32 << 20;

/// Accesses that are listed; the rest are counted.
pub(super) const ACCESSES: usize = 1_000;

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
    pub(super) fn new(component_bytes: usize) -> Self {
        Self { memory_limit: memory_limit(component_bytes), memory: 0, table: 0, refused: None }
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

fn memory_limit(component_bytes: usize) -> usize {
    if component_bytes > LARGE_COMPONENT_BYTES { LARGE_MEMORY_BYTES } else { MEMORY_BYTES }
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
        let mut limiter = Limiter::new(1);
        assert!(limiter.memory_growing(0, 40 << 20, None).unwrap());
        assert!(limiter.memory_growing(0, 24 << 20, None).unwrap());
        assert_eq!(limiter.refused(), None);
        assert!(!limiter.memory_growing(24 << 20, (24 << 20) + 1, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refusal::Memory));
    }

    #[test]
    fn interpreters_get_more_memory() {
        assert_eq!(Limiter::new(LARGE_COMPONENT_BYTES).memory_limit(), MEMORY_BYTES);
        assert_eq!(Limiter::new(LARGE_COMPONENT_BYTES + 1).memory_limit(), LARGE_MEMORY_BYTES);
    }

    #[test]
    fn first_refusal_is_remembered() {
        let mut limiter = Limiter::new(1);
        assert!(!limiter.table_growing(0, TABLE_ELEMENTS + 1, None).unwrap());
        assert!(!limiter.memory_growing(0, usize::MAX, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refusal::Table));
    }
}
