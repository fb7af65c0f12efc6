//! One report, many forms: each writer is a pure function of it.
//!
//! A [`Report`] is made once from what the model knows and never changed; [`write()`] turns it into text. Nothing here reads
//! a file, a clock or the width of a terminal: the same report and [`View`] give the same bytes.

mod annotation;
mod badge;
mod bar;
mod binding;
mod cohort;
mod difference;
mod gate;
mod github;
mod gitlab;
mod grid;
mod history;
mod html;
mod json;
mod junit;
mod markdown;
mod note;
mod paint;
mod phrase;
mod place;
#[cfg(test)]
mod sample;
mod sarif;
mod table;
mod transcript;
mod tree;
mod update;
mod why;
mod word;
mod wrap;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use binding::binding;
pub use cohort::{
    COHORT_SCHEMA, CohortFormat, CohortInput, CohortReport, LearnerInput, ParseCohortFormatError, Seen,
    SeenChecklist, Stand, write_cohort,
};
pub use difference::{
    ChecklistRow, ContentChange, DIFFERENCE_SCHEMA, Difference, DifferenceFormat, DifferenceInput, ItemRow,
    ParseDifferenceFormatError, write_difference,
};
pub use history::{HISTORY_SCHEMA, History, HistoryFormat, ParseHistoryFormatError, write_history};
pub use phrase::staleness;
pub use place::Files;
pub use transcript::{Transcript, TranscriptAccess, TranscriptTarget, transcript};
pub use tree::{Input, Report};
pub use update::{ParseUpdateFormatError, UPDATE_SCHEMA, UpdateFormat, UpdatedChecklist, update_json};
pub use wrap::paragraph;

use crate::model::{Language, Outcome, Status};
use paint::Ink;

/// The JSON Schema (2020-12) of [`Format::Json`].
pub const JSON_SCHEMA: &str = include_str!("schema/report.json");

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For a terminal or a log.
    Table,
    /// GitHub-flavoured, for a job summary or a comment.
    Markdown,
    /// Everything, for programs; its shape is [`JSON_SCHEMA`].
    Json,
    /// For CI systems: a suite a checklist, a test case an item.
    Junit,
    /// For code scanning and editors: what checks saw, on the line it is about.
    Sarif,
    /// The same as commands for the log of GitHub Actions.
    Github,
    /// The same as a code quality report for GitLab.
    Gitlab,
    /// Readiness as a small picture.
    Badge,
    /// Everything, on one page for a browser.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Table,
        Self::Markdown,
        Self::Json,
        Self::Junit,
        Self::Sarif,
        Self::Github,
        Self::Gitlab,
        Self::Badge,
        Self::Html,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Badge => "badge",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a format is \"table\", \"markdown\", \"json\", \"junit\", \"sarif\", \"github\", \"gitlab\", \"badge\" or \"html\""
)]
pub struct ParseFormatError;

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, ParseFormatError> {
        Self::ALL.into_iter().find(|format| format.word() == text).ok_or(ParseFormatError)
    }
}

/// How a report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Of words and content; [`Format::Json`] always has both.
    pub language: Language,
    /// Whether the table may use colour; the text is the same without.
    pub color: bool,
    /// Columns of the terminal; none where there is no terminal.
    pub width: Option<u16>,
    /// Whether the table and Markdown list every item; the other formats always do.
    pub items: bool,
    /// Whether they do and say of each why it stands where it stands.
    pub why: bool,
}

/// The report as text that ends with a line break.
#[must_use]
pub fn write(report: &Report, format: Format, view: &View) -> String {
    match format {
        Format::Table => table::table(report, *view),
        Format::Markdown => markdown::markdown(report, *view),
        Format::Json => json::json(report),
        Format::Junit => junit::junit(report, view.language),
        Format::Sarif => sarif::sarif(report, view.language),
        Format::Github => github::github(report, view.language),
        Format::Gitlab => gitlab::gitlab(report, view.language),
        Format::Badge => badge::badge(report, view.language),
        Format::Html => html::html(report, view.language),
    }
}

/// A status with its sign, as the table writes it.
#[must_use]
pub fn status(status: Status, language: Language, color: bool) -> String {
    let text = format!("{} {}", paint::symbol(status), word::status(status, language));
    Ink::of(status).paint(&text, color)
}

/// [`status`], followed by as many spaces as make every status equally wide.
#[must_use]
pub fn status_cell(of: Status, language: Language, color: bool) -> String {
    let wide = |of| wrap::width(word::status(of, language));
    let widest = Status::ALL.into_iter().map(wide).max().unwrap_or_default();
    format!("{}{}", status(of, language, color), " ".repeat(widest - wide(of)))
}

/// An outcome with its sign.
#[must_use]
pub fn outcome(outcome: Outcome, language: Language, color: bool) -> String {
    let text = format!("{} {}", paint::outcome_symbol(outcome), word::outcome(outcome, language));
    Ink::of_outcome(outcome).paint(&text, color)
}

/// A title.
#[must_use]
pub fn heading(text: &str, color: bool) -> String {
    Ink::Strong.paint(text, color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_parse_what_they_print() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("pdf".parse::<Format>(), Err(ParseFormatError));
    }

    #[test]
    fn every_format_ends_with_a_line_break() {
        for report in sample::all() {
            for format in Format::ALL {
                assert!(write(&report, format, &sample::VIEW).ends_with('\n'), "{format}");
            }
        }
    }

    #[test]
    fn status_cells_are_equally_wide() {
        for language in Language::ALL {
            let widths: std::collections::BTreeSet<_> =
                Status::ALL.into_iter().map(|of| wrap::width(&status_cell(of, language, false))).collect();
            assert_eq!(widths.len(), 1);
        }
    }
}
