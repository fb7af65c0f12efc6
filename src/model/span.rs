//! Spans of time as people write them in files.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A span of time written as one number and one unit: `500ms`, `30s`, `10m`, `12h`, `90d`, `2w`. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

impl Span {
    /// Milliseconds in each unit, the largest first.
    const UNITS: [(&'static str, u64); 6] =
        [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

    /// A span of whole days.
    #[must_use]
    pub const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The span as a duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, size) = Self::UNITS
            .into_iter()
            .find(|&(unit, size)| unit != "w" && millis != 0 && millis.is_multiple_of(size))
            .unwrap_or(("s", 1_000));
        write!(formatter, "{}{unit}", millis / size)
    }
}

/// A text that is not a span.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a span is a whole number and a unit: \"500ms\", \"30s\", \"10m\", \"12h\", \"90d\" or \"2w\"")]
pub struct ParseSpanError;

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(ParseSpanError)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| ParseSpanError)?;
        let size = Self::UNITS.into_iter().find(|&(name, _)| name == unit).ok_or(ParseSpanError)?.1;
        number.checked_mul(size).map(|millis| Self(Duration::from_millis(millis))).ok_or(ParseSpanError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_in_their_largest_whole_unit() {
        for (text, printed) in
            [("90d", "90d"), ("2w", "14d"), ("24h", "1d"), ("90m", "90m"), ("1500ms", "1500ms")]
        {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), printed);
        }
        assert_eq!("0s".parse::<Span>().unwrap().to_string(), "0s");
    }

    #[test]
    fn spans_refuse_what_is_not_one_number_and_one_unit() {
        for text in
            ["", "d", "90", "1d2h", "-1d", "1.5d", "90 d", "99999999999999999999d", "18446744073709551615w"]
        {
            assert_eq!(text.parse::<Span>(), Err(ParseSpanError), "{text}");
        }
    }
}
