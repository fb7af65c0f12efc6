//! How much an item counts.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How much readiness asks for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No interview without it.
    Must,
    /// Expected of a good candidate.
    Should,
    /// Sets a candidate apart.
    Challenge,
}

impl Level {
    /// Every level, the most needed first.
    pub const ALL: [Self; 3] = [Self::Must, Self::Should, Self::Challenge];

    /// The word in files and machine formats.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Challenge => "challenge",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// A text that is not a level.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a level is \"must\", \"should\" or \"challenge\"")]
pub struct ParseLevelError;

impl FromStr for Level {
    type Err = ParseLevelError;

    fn from_str(text: &str) -> Result<Self, ParseLevelError> {
        Self::ALL.into_iter().find(|level| level.word() == text).ok_or(ParseLevelError)
    }
}

/// How much an item counts in readiness: 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    /// The weight, where it is one.
    #[must_use]
    pub fn new(weight: i64) -> Option<Self> {
        u8::try_from(weight).ok().filter(|weight| (1..=5).contains(weight)).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        u32::from(self.0)
    }
}
