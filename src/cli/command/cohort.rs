//! `mustdo cohort`: a class or a team side by side.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::cohort::Viewer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::ReportFile;
use crate::model::{Cohort, Home};
use crate::report::{CohortFormat, CohortInput, CohortReport, View};
use crate::store::read_at_most;
use crate::syntax::{self, Severity, Source};

/// Bytes of a cohort's file: a hundred thousand learners.
const LARGEST: usize = 16 << 20;

/// What can follow `mustdo cohort`.
#[derive(Debug, Args)]
pub(crate) struct CohortArgs {
    /// Who is in it and where their workspaces are: TOML, as `mustdo schema cohort` describes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// In which form: table, markdown, csv, json or html [default: table]
    #[arg(long, value_name = "FORMAT")]
    format: Option<CohortFormat>,
    /// Also write it in this form to a file; may be given several times
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportFile<CohortFormat>>,
    /// Show every item, and how many stand where with it
    #[arg(long)]
    items: bool,
    /// Fetch nothing: repositories elsewhere as they were fetched last
    #[arg(long)]
    offline: bool,
}

/// Reads every learner's workspace and shows them; one that can not be read is shown as such.
pub(crate) fn run(context: &Context, args: &CohortArgs) -> Result<Exit, Failure> {
    let files = ReportFile::with_stdout(&args.reports, args.format, CohortFormat::Table);
    let sinks = ReportFile::open_all(context, &files)?;
    let path = context.environment.directory.join(&args.file);
    let cohort = read(context, &args.file, &path)?;
    let elsewhere = cohort.learners.iter().filter(|learner| matches!(learner.home, Home::Remote { .. }));
    let elsewhere = elsewhere.count();
    if elsewhere > 0 && !args.offline {
        context.printer.note(&format!("fetching {elsewhere} of {} workspaces", cohort.learners.len()));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let learners = Viewer::new(context, &cohort, folder, args.offline)?.look();
    let report = CohortReport::new(CohortInput {
        at: context.environment.now,
        title: cohort.title,
        wanted: cohort.checklists.into_iter().collect(),
        learners,
    });
    let view = View {
        language: context.language.unwrap_or(context.environment.language),
        color: context.printer.stdout_color,
        width: context.environment.width,
        items: args.items,
        why: false,
    };
    for sink in sinks {
        sink.write_cohort(&report, view)?;
    }
    Ok(if report.is_whole() { Exit::Holds } else { Exit::Undecided })
}

fn read(context: &Context, name: &Path, path: &Path) -> Result<Cohort, Failure> {
    let bytes = read_at_most(path, LARGEST).map_err(|error| {
        Failure::from(error).hint("mustdo schema cohort    describes the file, and docs/cohort.md shows one")
    })?;
    if bytes.len() > LARGEST {
        return Err(Failure::usage(format!("{} has more than {} MiB", name.display(), LARGEST >> 20)));
    }
    let read = syntax::read_cohort(&Source::of_bytes(name.display().to_string(), &bytes));
    let broken = read.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let rendered = syntax::render(&read.diagnostics, context.printer.stderr_color);
    match read.value.filter(|_| !broken) {
        Some(cohort) => {
            if !rendered.is_empty() {
                context.printer.note(rendered.trim_end());
            }
            Ok(cohort)
        }
        None => Err(Failure::content(rendered).hint("mustdo explain CODE    tells more about a code")),
    }
}
