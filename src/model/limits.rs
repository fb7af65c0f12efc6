//! How much a plugin may use where people have a reason to allow more, or less. Everything else has a limit too, which
//! nobody can move: `docs/limits.md` has all of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A limit that the user may move within a range. A checklist or a plugin never can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// MiB of memory of one run.
    Memory,
    /// MiB of all attachments of one run.
    Attachments,
    /// HTTP requests of one run.
    Requests,
    /// HTTP requests in flight at once.
    Concurrency,
    /// MiB of address space for compiling one plugin.
    CompileMemory,
    /// Seconds that compiling one plugin may take.
    CompileTime,
}

impl Limit {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Memory,
        Self::Attachments,
        Self::Requests,
        Self::Concurrency,
        Self::CompileMemory,
        Self::CompileTime,
    ];

    /// The key under `[limits]` in `mustdo.toml`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory-mib",
            Self::Attachments => "attachments-mib",
            Self::Requests => "requests",
            Self::Concurrency => "concurrency",
            Self::CompileMemory => "compile-memory-mib",
            Self::CompileTime => "compile-seconds",
        }
    }

    /// What holds where the user says nothing.
    #[must_use]
    pub fn usual(self) -> u32 {
        match self {
            // Plugins in Rust, and in JavaScript on a small engine, start with less than 4 MiB. One that carries an
            // interpreter gets four times as much: Python needs 16 MiB before it does anything.
            Self::Memory => 64,
            // What a person may look at; it lies in memory until the run ends.
            Self::Attachments => 8,
            // A flood of the largest kind that a shipped check sends, ten times over.
            Self::Requests => 20_000,
            // More than a learner's server takes at once, and below the usual 1,024 descriptors of a process.
            Self::Concurrency => 256,
            // Three times what the largest plugin seen, a whole Python interpreter, needs with 16 threads.
            Self::CompileMemory => 4_096,
            // That one takes 12 s on two quiet processors, and processors are not always quiet.
            Self::CompileTime => 120,
        }
    }

    /// What the user may choose. The ends have reasons too.
    #[must_use]
    pub fn range(self) -> RangeInclusive<u32> {
        match self {
            // The memory of 32-bit WebAssembly ends at 4 GiB.
            Self::Memory => 1..=4_096,
            // More does not come through the calls of one run in any reasonable time, and nobody looks at it.
            Self::Attachments => 1..=256,
            // At a thousand a second a run of this many takes a quarter of an hour.
            Self::Requests => 1..=1_000_000,
            // Each is a socket on either side; few systems give a process more than 4,096 without being asked to.
            Self::Concurrency => 1..=4_000,
            // Less than this and the compiler does not start; more than this is not a plugin.
            Self::CompileMemory => 512..=65_536,
            // Whoever waits for an hour has waited long enough.
            Self::CompileTime => 1..=3_600,
        }
    }

    /// How to allow more, for the words of a refusal.
    #[must_use]
    pub fn way_out(self) -> String {
        format!("{} under [limits] in mustdo.toml allows up to {}", self.key(), self.range().end())
    }
}

/// What the user chose. Every value is within its limit's range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(BTreeMap<Limit, u32>);

impl Limits {
    /// Chooses `value`; false, and nothing is chosen, where the range does not have it.
    pub fn choose(&mut self, limit: Limit, value: u32) -> bool {
        let fits = limit.range().contains(&value);
        if fits {
            self.0.insert(limit, value);
        }
        fits
    }

    /// What the user chose; none where it is the usual.
    #[must_use]
    pub fn chosen(&self, limit: Limit) -> Option<u32> {
        self.0.get(&limit).copied()
    }

    /// What holds.
    #[must_use]
    pub fn get(&self, limit: Limit) -> u32 {
        self.chosen(limit).unwrap_or_else(|| limit.usual())
    }

    /// These, and where they say nothing, `below`.
    #[must_use]
    pub fn or(mut self, below: &Self) -> Self {
        for (&limit, &value) in &below.0 {
            self.0.entry(limit).or_insert(value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_value_is_within_the_range_and_keys_are_unique() {
        let mut keys = std::collections::BTreeSet::new();
        for limit in Limit::ALL {
            assert!(limit.range().contains(&limit.usual()), "{limit:?}");
            assert!(keys.insert(limit.key()), "{limit:?}");
        }
    }

    #[test]
    fn nothing_outside_the_range_is_ever_chosen() {
        for limit in Limit::ALL {
            let mut limits = Limits::default();
            assert!(!limits.choose(limit, limit.range().start() - 1));
            assert!(!limits.choose(limit, limit.range().end() + 1));
            assert_eq!((limits.chosen(limit), limits.get(limit)), (None, limit.usual()));
            assert!(limits.choose(limit, *limit.range().end()));
            assert_eq!(limits.get(limit), *limit.range().end());
        }
    }

    #[test]
    fn workspace_wins_over_the_user() {
        let (mut workspace, mut user) = (Limits::default(), Limits::default());
        assert!(workspace.choose(Limit::Memory, 100));
        assert!(user.choose(Limit::Memory, 200) && user.choose(Limit::Requests, 5));
        let both = workspace.or(&user);
        assert_eq!((both.get(Limit::Memory), both.get(Limit::Requests)), (100, 5));
    }
}
