//! The build server around a run, where it is one that mustdo knows: what it is told beside the table.

use std::path::PathBuf;

use super::context::Context;
use super::failure::Failure;
use super::output::view;
use super::printer::orders;
use super::project::Project;
use crate::report::{Format, Report, View, write};
use crate::store::Sink;

/// A build server that tells of itself in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// GitHub Actions, with the file for the summary of a step.
    Github {
        /// `GITHUB_STEP_SUMMARY`.
        summary: Option<PathBuf>,
    },
    /// GitLab CI: it takes what it shows from artifacts.
    Gitlab,
}

impl Server {
    /// What people call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Github { .. } => "GitHub Actions",
            Self::Gitlab => "GitLab CI",
        }
    }
}

/// What GitHub takes as the summary of one step ("Step isolation and limits" in its documentation).
const LARGEST: usize = 1 << 20;

/// Where a build server is told.
#[derive(Debug, Default)]
pub(crate) struct Announcement {
    summary: Option<Sink>,
    annotations: bool,
}

impl Announcement {
    /// Opens the summary, before any work starts. Annotations are lines of standard output: they are left out where a
    /// report for a program goes there.
    pub(crate) fn open(context: &Context, to_stdout: bool) -> Result<Self, Failure> {
        let Some(Server::Github { summary }) = &context.environment.server else {
            return Ok(Self::default());
        };
        let summary = summary.as_deref().map(Sink::append).transpose();
        let summary = summary
            .map_err(|error| Failure::from(error).hint("GITHUB_STEP_SUMMARY names the file: unset it"))?;
        Ok(Self { summary, annotations: !to_stdout })
    }

    /// Tells what the report says.
    pub(crate) fn write(self, report: &Report, context: &Context, project: &Project) -> Result<(), Failure> {
        if self.annotations {
            orders(&write(report, Format::Github, &view(context, project, false)))?;
        }
        let Some(summary) = self.summary else { return Ok(()) };
        let view =
            View { language: project.language(context), color: false, width: None, items: false, why: false };
        let text = write(report, Format::Markdown, &view);
        Ok(summary.write(bounded(&text).as_bytes())?)
    }

    /// Tells that there is nothing to report, and why that is no success.
    pub(crate) fn nothing_ran(self) -> Result<(), Failure> {
        if self.annotations {
            orders("::error title=mustdo::no check ran: the log says why\n")?;
        }
        match self.summary {
            Some(summary) => Ok(summary.write(b"## mustdo\n\nNo check ran: the log says why.\n")?),
            None => Ok(()),
        }
    }
}

/// The text, cut between lines where it is more than a summary holds.
fn bounded(text: &str) -> String {
    const CUT: &str = "\n\n(cut: the whole report is in the log)\n";
    if text.len() <= LARGEST {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(LARGEST - CUT.len())];
    let kept = &kept[..kept.rfind('\n').unwrap_or(0)];
    format!("{kept}{CUT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_fits_and_is_cut_between_lines() {
        assert_eq!(bounded("a\nb\n"), "a\nb\n");
        let long = bounded(&"就绪度\n".repeat(200_000));
        assert!(long.len() <= LARGEST && long.contains("就绪度\n\n(cut"), "{}", long.len());
    }
}
