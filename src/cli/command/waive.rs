//! `mustdo waive`: items that do not count for a while.

use clap::Args;
use jiff::civil::Date;

use super::tick::{message, named};
use crate::cli::context::Context;
use crate::cli::edit::edit;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::model::Waiver;

/// What can follow `mustdo waive`.
#[derive(Debug, Args)]
pub(crate) struct WaiveArgs {
    /// Item ids or their unique endings
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<String>,
    /// The reason, for whoever reads the report
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) why: String,
    /// The last day it holds: YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Date,
    /// Commit the progress file
    #[arg(long)]
    pub(crate) commit: bool,
}

/// Waives.
pub(crate) fn run(context: &Context, args: &WaiveArgs) -> Result<Exit, Failure> {
    let today = context.environment.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    if args.until < today {
        return Err(Failure::usage(format!("{} is in the past: today is {today} (UTC)", args.until)));
    }
    let project = Project::of_workspace(context)?;
    let items = named(&project, &args.items)?;
    let waiver = Waiver { at: context.environment.now, why: args.why.clone(), until: args.until };
    let message = message("waive", &items);
    let commit = args.commit || project.effective_settings().commit == Some(true);
    edit(
        context,
        &project,
        &items,
        |_, entry| entry.waiver = Some(waiver.clone()),
        commit.then_some(&message),
    )?;
    for item in &items {
        answer(&format!("waived {} until {}\n", item.id, args.until))?;
    }
    Ok(Exit::Holds)
}
