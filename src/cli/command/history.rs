//! `mustdo history`: readiness over the commits.

use clap::Args;

use crate::cli::argument::SelectionArgs;
use crate::cli::chronicle::Chronicle;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{select, view};
use crate::cli::past::repository;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::cli::timeline::Timeline;
use crate::model::ItemId;
use crate::report::{History, HistoryFormat, write_history};
use crate::store::Workspace;

/// What can follow `mustdo history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// In which form: table or json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: HistoryFormat,
    /// Up to this commit, and without the work tree: a branch, a tag, HEAD~3, a commit's id
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// How many versions the table shows, the newest ones
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    last: usize,
    /// Tell of each item when it was proven, failed or went stale
    #[arg(long)]
    items: bool,
}

/// Prints where the items stood in every commit that changed the workspace, and where they stand now.
pub(crate) fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let Some(workspace) = &project.workspace else {
        return Err(Failure::bug("a project of a workspace has none"));
    };
    let shelf = Shelf::open(Some(workspace))?;
    let selection = args.selection.selection();
    let items = select(context, &project, &shelf, &selection)?;
    let wanted: Vec<&ItemId> = items.iter().map(|item| &item.id).collect();
    let wanted = (!selection.is_all()).then_some(wanted);
    let repository = repository(workspace)?;
    let until = match &args.rev {
        Some(name) => Some(repository.revision(workspace.root(), name)?.id),
        None => None,
    };
    let told = Chronicle::told(context, &project, &repository, wanted.as_deref(), until)?;
    let mut points = told.points;
    if args.rev.is_none() {
        let settings = project.effective_settings();
        let mut standings = Vec::with_capacity(items.len());
        for &item in &items {
            let standing = project.standing(context, item, &settings, &shelf)?;
            standings.push((item, standing, project.entry(item)));
        }
        let shipped = Shelf::open(None)?;
        let chosen = wanted.map(|wanted| wanted.into_iter().cloned().collect());
        let mut timeline = Timeline::new(context, &repository, workspace, &shipped, &project.catalog, chosen)
            .after(told.statuses);
        points.push(timeline.now(context.environment.now, standings.into_iter()));
    }
    let titles = items.iter().map(|item| (item.id.clone(), item.title.clone()));
    let name = Workspace::name(workspace);
    let history = History::new(context.environment.now, &name, !selection.is_all(), points, titles);
    answer(&write_history(&history, args.format, &view(context, &project, args.items), args.last))?;
    Ok(Exit::Holds)
}
