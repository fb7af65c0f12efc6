//! The end of a verification, whether it was made here or on several machines: what is known afterwards is reported, and the
//! exit code says what came of it.

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::gate::Gate;
use super::output::{ReportSink, report, view, with_past};
use super::printer::{self, answer};
use super::project::Project;
use super::server::Announcement;
use super::shelf::Shelf;
use super::verification::Outcomes;
use crate::model::Selection;
use crate::report::{Format, write};

/// How what came of a verification is shown.
#[derive(Debug)]
pub(crate) struct Conclusion {
    /// Where reports go.
    pub(crate) sinks: Vec<ReportSink>,
    /// Whether one of them takes the place of the table.
    pub(crate) to_stdout: bool,
    /// What the build server around this run is told.
    pub(crate) announcement: Announcement,
    /// Whether the table has every item.
    pub(crate) items: bool,
    /// What it is judged by.
    pub(crate) gate: Gate,
}

impl Conclusion {
    /// Reports on `project`, as it is known after `outcome`, at the moment of `context`.
    pub(crate) fn conclude(
        self,
        context: &Context,
        project: &Project,
        shelf: &Shelf,
        selection: &Selection,
        outcome: &Outcomes,
    ) -> Result<Exit, Failure> {
        let items = outcome.items.iter().filter_map(|id| project.catalog.item(id)).collect();
        let kept = outcome.kept.iter().map(|kept| (kept.item.clone(), kept.check.clone()));
        let report = report(context, project, shelf, selection, items, &self.gate)?.keeping(&kept.collect());
        let report = with_past(context, project, report, &self.sinks);
        // Where nothing ran, what was said about why is the answer; a table of what was known before would bury it.
        if !self.to_stdout && !outcome.is_empty() {
            answer(&write(&report, Format::Table, &view(context, project, self.items)))?;
        }
        for sink in self.sinks {
            sink.write(&report, context, project, true, false)?;
        }
        if outcome.is_empty() {
            self.announcement.nothing_ran()?;
        } else {
            self.announcement.write(&report, context, project)?;
        }
        if self.gate.soft && report.judgement().holds() && outcome.failed() {
            // Of something that the policy does not look at, such as a waived item.
            printer::warn("a check failed; --soft keeps that out of the exit code");
        }
        Ok(outcome.exit(&report, &project.effective_settings()))
    }
}
