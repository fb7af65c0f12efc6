//! `mustdo report`: what is recorded.

use clap::Args;

use crate::cli::argument::SelectionArgs;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{Gate, GateArgs};
use crate::cli::output::{ReportFile, report, select, with_past};
use crate::cli::project::Project;
use crate::cli::server::Announcement;
use crate::cli::shelf::Shelf;
use crate::report::Format;

/// What can follow `mustdo report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// In which form: table, markdown, json, junit, sarif, github, gitlab, badge or html [default: table]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Also write a report in this form to a file; may be given several times
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    pub(crate) reports: Vec<ReportFile>,
    /// Show every item
    #[arg(long)]
    pub(crate) items: bool,
    /// Show every item and why it stands where it stands: what decided, when, by which build of a plugin, at which commit, and
    /// what is to be proven first (table, markdown)
    #[arg(long)]
    why: bool,
    /// Report what a commit holds, as of when it was made: a branch, a tag, HEAD~3, a commit's id
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    #[command(flatten)]
    gate: GateArgs,
}

/// Prints the report and judges the policy.
pub(crate) fn run(context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    let given = args.reports.iter().any(ReportFile::is_stdout);
    let files = ReportFile::with_stdout(&args.reports, args.format, Format::Table);
    let sinks = ReportFile::open_all(context, &files)?;
    // Lines of a file are those of today: of another commit nothing is annotated.
    let announcement = match &args.rev {
        None => {
            Announcement::open(context, given || args.format.is_some_and(|format| format != Format::Table))?
        }
        Some(_) => Announcement::default(),
    };
    let project = match &args.rev {
        Some(name) => Project::at(context, name)?,
        None => Project::of_workspace(context)?,
    };
    let context = &project.moment(context);
    let gate = Gate::open(context, &args.gate, &project)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let selection = args.selection.selection();
    let items = select(context, &project, &shelf, &selection)?;
    let report = report(context, &project, &shelf, &selection, items, &gate)?;
    let report = with_past(context, &project, report, &sinks);
    for sink in sinks {
        sink.write(&report, context, &project, args.items, args.why)?;
    }
    announcement.write(&report, context, &project)?;
    let judgement = report.judgement();
    if gate.soft {
        return Ok(Exit::Holds);
    }
    Ok(match (judgement.violations.is_empty(), judgement.undecided.is_empty()) {
        (false, _) => Exit::Fails,
        (true, false) => Exit::Undecided,
        (true, true) => Exit::Holds,
    })
}
