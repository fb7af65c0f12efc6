//! `mustdo verify`: runs checks and records what they see.

use std::path::PathBuf;

use clap::Args;

use crate::cli::argument::SelectionArgs;
use crate::cli::conclusion::Conclusion;
use crate::cli::context::Context;
use crate::cli::display::Display;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{Gate, GateArgs};
use crate::cli::output::ReportFile;
use crate::cli::partition::Part;
use crate::cli::plugins::runtime;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::server::Announcement;
use crate::cli::shelf::Shelf;
use crate::cli::verification::{Options, Outcomes, Verification};
use crate::model::{Partition, Settings, Span, Status};
use crate::store::Sink;
use crate::syntax;

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
    /// Ask a check again that could not tell, so many times at most; what passes only then is flaky, and no proof
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=10), env = "MUSTDO_RETRIES", hide_env_values = true)]
    pub(crate) retries: u8,
    /// Keep passes that are fresh and were seen on this machine, where nothing of this has changed since: plugin,
    /// parameters, watched files (without any, the committed tree), program and environment of what mustdo starts
    #[arg(long, conflicts_with_all = ["seed", "record", "partition"])]
    cached: bool,
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
    /// Do only this part of the run, such as 2/4, and write what it saw to a file for mustdo merge, which records it
    #[arg(long, value_name = "I/N", conflicts_with_all = ["reports", "items", "commit", "base", "soft"])]
    pub(crate) partition: Option<Partition>,
    /// Where the part's result goes [default: mustdo-result-I-of-N.toml in the current folder]
    #[arg(long, value_name = "FILE", requires = "partition")]
    pub(crate) result: Option<PathBuf>,
    /// Also write a report: table, markdown, json, junit, sarif, github, gitlab, badge or html, to a file or to standard output;
    /// may be given several times
    #[arg(long = "report", value_name = "FORMAT[=FILE]")]
    pub(crate) reports: Vec<ReportFile>,
    /// Show every item in the table
    #[arg(long)]
    pub(crate) items: bool,
    #[command(flatten)]
    gate: GateArgs,
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
    // Parts are judged where they are put together.
    let gate = match args.partition {
        Some(_) => Gate::default(),
        None => Gate::open(context, &args.gate, &project)?,
    };
    let mut selection = args.selection.selection();
    selection.statuses.extend(args.standing.stale.then_some(Status::Stale));
    selection.statuses.extend(args.standing.failed.then_some(Status::Failing));
    selection.changed = args.standing.changed;
    let record = records(context, args);
    let result = args.partition.map(|partition| sink(context, args, partition)).transpose()?;
    let part = args.partition.map(|partition| Part::new(context, &project, &shelf, &selection, partition));
    let part = part.transpose()?;
    let options = Options {
        seed: args.seed,
        jobs: args.jobs.map(usize::from),
        timeout: args.timeout,
        // What a part saw is recorded where the parts are put together.
        record: record && part.is_none(),
        commit: args.commit,
        retries: usize::from(args.retries),
        cached: args.cached,
    };
    let display = Display::new(context);
    let recordings = args.record.as_deref().map(|folder| context.environment.directory.join(folder));
    let verification = Verification {
        context,
        project: &project,
        shelf: &shelf,
        part: part.as_ref(),
        options,
        recordings: recordings.as_deref(),
        display: &display,
    };
    let outcome = runtime()?.block_on(verification.run(&selection))?;

    if let (Some(part), Some((sink, name))) = (part, result) {
        return hand_over(context, &part, &outcome, sink, &name, &project.effective_settings());
    }
    // What was just recorded is read back: the report is the same code as `mustdo report`. Without recording it is
    // made from the verdicts in memory.
    let project = if record { Project::of_workspace(context)? } else { project.with(&outcome.records) };
    let conclusion = Conclusion { sinks, to_stdout, announcement, items: args.items, gate };
    conclusion.conclude(context, &project, &shelf, &selection, &outcome)
}

/// The file for a part's result, opened before any work starts, and its name.
fn sink(context: &Context, args: &VerifyArgs, partition: Partition) -> Result<(Sink, String), Failure> {
    let name = || PathBuf::from(format!("mustdo-result-{}-of-{}.toml", partition.index(), partition.of()));
    let path = args.result.clone().unwrap_or_else(name);
    let sink = Sink::open(&context.environment.directory.join(&path))?;
    Ok((sink, path.display().to_string()))
}

/// Writes what a part saw. One that was stopped has no result: nobody could tell what it left out.
fn hand_over(
    context: &Context,
    part: &Part,
    outcome: &Outcomes,
    sink: Sink,
    name: &str,
    settings: &Settings,
) -> Result<Exit, Failure> {
    if !outcome.interrupted {
        let result = part.result(context, outcome);
        sink.write(syntax::write_result(&result).as_bytes())?;
        let count =
            |number: usize, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
        answer(&format!(
            "partition {}: {} of {}, in {name}; all of them together: mustdo merge RESULT…\n",
            result.partition,
            count(outcome.records.len(), "verdict"),
            count(result.items.len(), "item"),
        ))?;
    }
    Ok(outcome.exit_of_partition(settings))
}
