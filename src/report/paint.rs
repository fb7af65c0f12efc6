//! Colour that only underlines what the words already say.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

use crate::model::{Outcome, Status};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// Nothing special.
    Plain,
    /// A title.
    Strong,
    /// Less important than what is around it.
    Faint,
    /// Holds.
    Good,
    /// Said, not shown.
    Claim,
    /// Does not hold.
    Bad,
    /// Held once.
    Old,
    /// Could not be told.
    Unsure,
    /// What to do.
    Advice,
}

impl Ink {
    /// The ink of a status.
    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Proven => Self::Good,
            Status::Claimed => Self::Claim,
            Status::Failing => Self::Bad,
            Status::Stale => Self::Old,
            Status::Open => Self::Plain,
            Status::Waived => Self::Faint,
        }
    }

    /// The ink of an outcome.
    pub(super) fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Good,
            Outcome::Fail => Self::Bad,
            Outcome::Inconclusive | Outcome::Flaky => Self::Unsure,
            Outcome::Skip => Self::Faint,
        }
    }

    fn style(self) -> Style {
        let color = |color: AnsiColor| color.on_default();
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => color(AnsiColor::Green),
            Self::Claim => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red).bold(),
            Self::Old => color(AnsiColor::Magenta),
            Self::Unsure => color(AnsiColor::Cyan),
            Self::Advice => color(AnsiColor::Blue),
        }
    }

    /// `text` in this ink where `color` is wanted, else as it is.
    pub(super) fn paint(self, text: &str, color: bool) -> String {
        if !color || text.is_empty() || self == Self::Plain {
            return text.to_owned();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// A text of which parts may be painted, without the paint.
pub(super) fn bare(text: &str) -> Cow<'_, str> {
    let Some((plain, painted)) = text.split_once('\u{1b}') else { return Cow::Borrowed(text) };
    // After an escape comes the rest of a style, which ends in "m", and then text again.
    let rest = painted.split('\u{1b}').filter_map(|part| part.split_once('m')).map(|(_, text)| text);
    Cow::Owned(std::iter::once(plain).chain(rest).collect())
}

/// The sign of a status: narrow in every terminal, different without colour.
pub(super) fn symbol(status: Status) -> &'static str {
    match status {
        Status::Proven => "✔",
        Status::Claimed => "✎",
        Status::Failing => "✘",
        Status::Stale => "↻",
        Status::Open => "☐",
        Status::Waived => "⊘",
    }
}

/// The sign of an outcome.
pub(super) fn outcome_symbol(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✔",
        Outcome::Fail => "✘",
        Outcome::Inconclusive => "?",
        Outcome::Skip => "⊘",
        Outcome::Flaky => "~",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn symbols_tell_statuses_apart_without_colour() {
        let symbols: BTreeSet<_> = Status::ALL.into_iter().map(symbol).collect();
        assert_eq!(symbols.len(), Status::ALL.len());
        assert!(symbols.iter().all(|symbol| symbol.width() == 1 && symbol.width_cjk() == 1));
    }

    #[test]
    fn text_is_the_same_without_colour() {
        assert_eq!(Ink::Bad.paint("failing", false), "failing");
        let painted = Ink::Bad.paint("failing", true);
        assert_ne!(painted, "failing");
        assert_eq!(crate::model::plain(&painted), "failing");
    }

    #[test]
    fn ink_comes_off() {
        for ink in [Ink::Plain, Ink::Strong, Ink::Bad, Ink::Unsure, Ink::Advice] {
            let painted = format!("a{}m{}", ink.paint("幂等 m", true), ink.paint("", true));
            assert_eq!(bare(&painted), "a幂等 mm", "{painted:?}");
        }
    }
}
