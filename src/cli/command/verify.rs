//! `mustdo verify`: runs checks and records what they see.

use std::path::PathBuf;

use clap::Args;

use crate::cli::argument::SelectionArgs;
use crate::cli::context::Context;
use crate::cli::display::Display;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{ReportFile, report, view};
use crate::cli::plugins::runtime;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::server::Announcement;
use crate::cli::shelf::Shelf;
use crate::cli::verification::{Options, Verification};
use crate::model::{Span, Status};
use crate::report::{Format, write};

/// What can follow `mustdo verify`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    standing: StandingArgs,
    /// Repeat a run: the number it was recorded with, in decimal or 0x… [default: a new one]
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub(crate) seed: Option<u64>,
    /// Checks at once [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), env = "MUSTDO_JOBS", hide_env_values = true)]
    pub(crate) jobs: Option<u16>,
    /// Longest time for one check, such as 60s [default: five times what the plugin expects, 10s at least]
    #[arg(long, value_name = "SPAN", env = "MUSTDO_TIMEOUT", hide_env_values = true)]
    pub(crate) timeout: Option<Span>,
    /// Do not write verdicts into progress/ (--record is about something else: the calls)
    #[arg(long)]
    pub(crate) no_record: bool,
    /// Write verdicts into progress/ on a build server too, where nothing is recorded otherwise
    #[arg(long, conflicts_with = "no_record")]
    pub(crate) keep: bool,
    /// Also write every host call of each check into a file in DIR: mustdo replay runs the check again from it
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Commit the progress files
    #[arg(long, conflicts_with = "no_record")]
    pub(crate) commit: bool,
    /// Also write a report: table, markdown, json, junit, sarif, github, gitlab, badge or html, to a file or to standard output;
    /// may be given several times
    #[arg(long = "report", value_name = "FORMAT[=FILE]")]
    pub(crate) reports: Vec<ReportFile>,
    /// Show every item in the table
    #[arg(long)]
    pub(crate) items: bool,
}

/// Which of the selected items: those that stand somewhere. Several add up.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Selection")]
struct StandingArgs {
    /// Only what was proven and is out of date
    #[arg(long)]
    stale: bool,
    /// Only what fails
    #[arg(long)]
    failed: bool,
    /// Only what was judged on other evidence than there is now: watched files, committed or not, the question, the plugin or
    /// a target has changed since
    #[arg(long)]
    changed: bool,
}

fn seed(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
}

/// Whether verdicts are written down: a build server's copy is thrown away, so there it has to be asked for.
fn records(context: &Context, args: &VerifyArgs) -> bool {
    let Some(server) = &context.environment.server else { return !args.no_record };
    let asked = args.keep || args.commit;
    if !asked && !args.no_record {
        context.printer.note(&format!("{}: nothing is recorded; --keep records", server.name()));
    }
    asked
}

/// Verifies, records, reports, and says by its exit code what came of it.
pub(crate) fn run(context: &Context, args: &VerifyArgs) -> Result<Exit, Failure> {
    let sinks = ReportFile::open_all(context, &args.reports)?;
    let to_stdout = args.reports.iter().any(ReportFile::is_stdout);
    let announcement = Announcement::open(context, to_stdout)?;
    let project = Project::of_workspace(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let mut selection = args.selection.selection();
    selection.statuses.extend(args.standing.stale.then_some(Status::Stale));
    selection.statuses.extend(args.standing.failed.then_some(Status::Failing));
    selection.changed = args.standing.changed;
    let record = records(context, args);
    let options = Options {
        seed: args.seed,
        jobs: args.jobs.map(usize::from),
        timeout: args.timeout,
        record,
        commit: args.commit,
    };
    let display = Display::new(context);
    let recordings = args.record.as_deref().map(|folder| context.environment.directory.join(folder));
    let verification = Verification {
        context,
        project: &project,
        shelf: &shelf,
        options,
        recordings: recordings.as_deref(),
        display: &display,
    };
    let outcome = runtime()?.block_on(verification.run(&selection))?;

    // What was just recorded is read back: the report is the same code as `mustdo report`. Without recording it is
    // made from the verdicts in memory.
    let project = if record { Project::of_workspace(context)? } else { project.with(&outcome.records) };
    let items = outcome.items.iter().filter_map(|id| project.catalog.item(id)).collect();
    let report = report(context, &project, &shelf, &selection, items)?;
    // Where nothing ran, what was said about why is the answer; a table of what was known before would bury it.
    if !to_stdout && !outcome.records.is_empty() {
        answer(&write(&report, Format::Table, &view(context, &project, args.items)))?;
    }
    for sink in sinks {
        sink.write(&report, context, &project, true)?;
    }
    if outcome.records.is_empty() {
        announcement.nothing_ran()?;
    } else {
        announcement.write(&report, context, &project)?;
    }
    Ok(outcome.exit(&report, &project.effective_settings()))
}
