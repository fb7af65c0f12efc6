//! `mustdo merge`: the report of one run that was made on several machines.

use std::path::PathBuf;

use clap::Args;

use crate::cli::conclusion::Conclusion;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{Gate, GateArgs};
use crate::cli::output::ReportFile;
use crate::cli::partition::basis;
use crate::cli::project::Project;
use crate::cli::server::Announcement;
use crate::cli::shelf::Shelf;
use crate::cli::verification::{Outcomes, Recorded, remember};
use crate::model::{Item, Merged, PartitionResult};
use crate::store::read_at_most;
use crate::syntax::{self, Severity, Source};

/// What can follow `mustdo merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// What `mustdo verify --partition` wrote, of every partition
    #[arg(value_name = "RESULT", required = true)]
    results: Vec<PathBuf>,
    /// Do not write verdicts into progress/
    #[arg(long)]
    no_record: bool,
    /// Commit the progress files
    #[arg(long, conflicts_with = "no_record")]
    commit: bool,
    /// Also write a report: table, markdown, json, junit, sarif, github, gitlab, badge or html, to a file or to standard output;
    /// may be given several times
    #[arg(long = "report", value_name = "FORMAT[=FILE]")]
    reports: Vec<ReportFile>,
    /// Show every item in the table
    #[arg(long)]
    items: bool,
    #[command(flatten)]
    gate: GateArgs,
}

/// Bytes that a result has at most: as many as a file of a workspace.
const LARGEST: usize = 64 << 20;

/// Puts the results together, records, reports, and says by its exit code what came of the run.
pub(crate) fn run(context: &Context, args: &MergeArgs) -> Result<Exit, Failure> {
    let sinks = ReportFile::open_all(context, &args.reports)?;
    let to_stdout = args.reports.iter().any(ReportFile::is_stdout);
    let announcement = Announcement::open(context, to_stdout)?;
    let project = Project::of_workspace(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let gate = Gate::open(context, &args.gate, &project)?;
    let results = read(context, &args.results)?;
    let merged = Merged::new(&results).map_err(|errors| {
        refused(errors.iter().map(ToString::to_string))
            .hint("mustdo verify --partition    on every machine, from the same commit")
    })?;
    let selected: Option<Vec<&Item>> = merged.items.iter().map(|id| project.catalog.item(id)).collect();
    let settings = project.effective_settings();
    let here = basis(&project, &shelf, &settings, selected.as_deref().unwrap_or_default())?;
    let differences = merged.basis.differences(&here, "this workspace");
    let told = |difference: &_| format!("{} was not made here: {difference}", results[0].0);
    if !differences.is_empty() {
        return Err(refused(differences.iter().map(told))
            .hint("merge in a clone of the commit that the results were made from"));
    }

    // The report is of the moment when the run was made, and not of now.
    let mut context = context.clone();
    context.environment.now = merged.started;
    let items = project.catalog.items().filter(|item| merged.items.contains(&item.id));
    let outcome = Outcomes {
        items: items.map(|item| item.id.clone()).collect(),
        records: merged
            .records
            .into_iter()
            .map(|(item, check, record)| Recorded { item, check, record })
            .collect(),
        kept: vec![],
        missed: merged.missed,
        idle: merged.items.is_empty() && merged.selection.asks_for_standing(),
        interrupted: false,
    };
    if !args.no_record && !outcome.records.is_empty() {
        remember(&context, &project, &outcome.records, args.commit || settings.commit == Some(true))?;
    }
    let project =
        if args.no_record { project.with(&outcome.records) } else { Project::of_workspace(&context)? };
    Conclusion { sinks, to_stdout, announcement, items: args.items, gate }.conclude(
        &context,
        &project,
        &shelf,
        &merged.selection,
        &outcome,
    )
}

/// Reads every result; every problem of every file where there is one.
fn read(context: &Context, paths: &[PathBuf]) -> Result<Vec<(String, PartitionResult)>, Failure> {
    let (mut results, mut diagnostics) = (vec![], vec![]);
    for path in paths {
        let name = path.display().to_string();
        let bytes = read_at_most(&context.environment.directory.join(path), LARGEST)?;
        if bytes.len() > LARGEST {
            return Err(Failure::usage(format!("{name} is larger than {} MiB", LARGEST >> 20)));
        }
        let read = syntax::read_result(&Source::of_bytes(name.clone(), &bytes));
        diagnostics.extend(read.diagnostics);
        results.extend(read.value.map(|result| (name, result)));
    }
    if diagnostics.iter().any(|found| found.severity == Severity::Error) {
        let rendered = syntax::render(&diagnostics, context.printer.stderr_color);
        return Err(
            Failure::content(rendered).hint("a result is what mustdo verify --partition wrote, as it is")
        );
    }
    Ok(results)
}

/// Several reasons, a line each.
fn refused(reasons: impl Iterator<Item = String>) -> Failure {
    let lines: Vec<_> =
        reasons.map(|reason| format!("error: {}\n", crate::model::plain_line(&reason, usize::MAX))).collect();
    Failure::content(lines.concat())
}
