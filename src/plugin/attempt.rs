//! Compilations that were given up, remembered beside what was compiled.
//!
//! A component that is too much for the compiler takes its whole time or memory to find out, and would do so at every
//! command. What ended it is kept with the limit that it met: the same limit, or a lower one, would be met again. What is
//! told at once is not kept, nor what had another cause than the component.

use crate::model::{Limit, Limits};

use super::compile::CompileError;

/// What an attempt to compile a component ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    limit: Limit,
    value: u32,
}

impl Attempt {
    /// Of a failure; none where another attempt may well succeed, or fails at once.
    pub(super) fn of(error: &CompileError) -> Option<Self> {
        match *error {
            CompileError::Time { limit } => Some(Self { limit: Limit::CompileTime, value: limit }),
            CompileError::Memory { limit } => Some(Self { limit: Limit::CompileMemory, value: limit }),
            CompileError::Invalid(_) | CompileError::Broken(_) | CompileError::Remembered { .. } => None,
        }
    }

    /// As it is kept.
    pub(super) fn text(self) -> String {
        format!("{} {}\n", self.limit.key(), self.value)
    }

    /// As it was kept; none of what was not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (key, value) = text.trim_end().split_once(' ')?;
        let value = value.parse().ok()?;
        [Limit::CompileTime, Limit::CompileMemory]
            .into_iter()
            .find(|limit| limit.key() == key)
            .map(|limit| Self { limit, value })
    }

    /// The failure that another attempt would end with; none where more is allowed now.
    pub(super) fn again(self, limits: &Limits) -> Option<CompileError> {
        let Self { limit, value } = self;
        if limits.get(limit) > value {
            None
        } else if limit == Limit::CompileTime {
            Some(CompileError::Time { limit: value })
        } else {
            Some(CompileError::Memory { limit: value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempt_is_read_as_it_was_written_and_nothing_else_is() {
        for error in [CompileError::Time { limit: 120 }, CompileError::Memory { limit: 4096 }] {
            let attempt = Attempt::of(&error).unwrap();
            assert_eq!(Attempt::parse(&attempt.text()), Some(attempt));
        }
        for text in ["", "compile-seconds", "compile-seconds x", "memory-mib 64", "compile-seconds 1 2", "\0"]
        {
            assert_eq!(Attempt::parse(text), None, "{text:?}");
        }
        assert_eq!(Attempt::of(&CompileError::Invalid("bad".to_owned())), None);
        assert_eq!(Attempt::of(&CompileError::Broken("no fork".to_owned())), None);
    }

    #[test]
    fn attempt_counts_until_more_is_allowed() {
        let attempt = Attempt::of(&CompileError::Time { limit: 120 }).unwrap();
        let allowed = |seconds: u32| {
            let mut limits = Limits::default();
            assert!(limits.choose(Limit::CompileTime, seconds));
            attempt.again(&limits).is_none()
        };
        assert_eq!([allowed(60), allowed(120), allowed(121)], [false, false, true]);
    }
}
