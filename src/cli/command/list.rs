//! `mustdo list`: items, one a line.

use clap::Args;
use unicode_width::UnicodeWidthStr as _;

use crate::cli::argument::SelectionArgs;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::select;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::plain;
use crate::report;

/// What can follow `mustdo list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Prints status, id, level and title, under a heading for each checklist.
pub(crate) fn run(context: &Context, args: &ListArgs) -> Result<Exit, Failure> {
    let project = Project::read(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let items = select(context, &project, &shelf, &args.selection.selection())?;
    let language = project.language(context);
    let settings = project.effective_settings();
    let widest = items.iter().map(|item| item.id.as_str().width()).max().unwrap_or_default();
    let mut text = String::new();
    let mut heading = None;
    for item in items {
        let checklist = project.catalog.checklist_of(&item.id);
        if let Some(checklist) = checklist.filter(|checklist| heading != Some(&checklist.id)) {
            if heading.is_some() {
                text.push('\n');
            }
            text.push_str(&report::heading(
                &plain(checklist.title.get(language)),
                context.printer.stdout_color,
            ));
            text.push('\n');
            heading = Some(&checklist.id);
        }
        let standing = project.standing(context, item, &settings, &shelf)?;
        let status = report::status_cell(standing.status, language, context.printer.stdout_color);
        let level = item.level.word();
        let proof = if item.checks.is_empty() { "     " } else { "check" };
        text.push_str(&format!(
            "  {status}  {:<widest$}  {level:<9}  {proof}  {}\n",
            item.id,
            plain(item.title.get(language))
        ));
    }
    if text.is_empty() {
        context.printer.note("no item is selected");
    }
    answer(&text)?;
    Ok(Exit::Holds)
}
