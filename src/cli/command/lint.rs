//! `mustdo lint`: every problem of every file.

use std::collections::{BTreeMap, HashSet};

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::past::repository;
use crate::cli::plugins::Plugins;
use crate::cli::printer::{self, answer};
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::{Kind, Level};
use crate::store::Workspace;
use crate::syntax::{self, Diagnostic, Severity, Source};

/// What can follow `mustdo lint`.
#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Also count how many items have a check, by checklist, and how they are meant to be shown
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Also hold the checklists against those of a commit: versions that rose too little, ids that came back as something
    /// else
    #[arg(long, value_name = "REV")]
    against: Option<String>,
}

/// Reads everything and tells every problem; fails where one is an error.
pub(crate) fn run(context: &Context, args: &LintArgs) -> Result<Exit, Failure> {
    let (project, mut diagnostics) = Project::lint(context)?;
    let settings = project.effective_settings();
    let opened = Shelf::open(project.workspace.as_ref()).and_then(|shelf| {
        diagnostics.extend(shelf.diagnostics());
        Plugins::describe(context, &settings, shelf.iter().filter(|file| file.trusted().is_ok()))
    });
    let plugins = match opened {
        Ok(plugins) => plugins,
        Err(failure) => {
            // A plugin that can not be used does not hide what is wrong elsewhere.
            tell(context, &diagnostics);
            return Err(failure);
        }
    };
    diagnostics.extend(syntax::check_bindings(&project.catalog, &project.places, &project.settings, &|id| {
        plugins.info(id)
    }));
    let broken = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match (&args.against, &project.workspace) {
        // What is no content yet has no version to compare.
        (Some(name), Some(workspace)) if !broken => {
            diagnostics.extend(against(context, workspace, &project, name)?);
        }
        (Some(_), None) => {
            return Err(Failure::usage("outside a workspace there is no commit to compare with"));
        }
        (Some(_), Some(_)) => context.printer.note("not compared with the commit: mend the errors first"),
        (None, _) => {}
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    tell(context, &diagnostics);
    if args.coverage {
        answer(&coverage(&project))?;
    }
    let items = project.catalog.items().count();
    let lists = project.catalog.checklists().len();
    let from = if project.shipped { "shipped with mustdo" } else { "of this workspace" };
    context
        .printer
        .note(&format!("{lists} checklists {from}, {items} items: {errors} errors, {warnings} warnings"));
    if errors > 0 {
        context.printer.note("mustdo explain CODE tells more about a code");
    }
    Ok(if errors > 0 { Exit::Usage } else { Exit::Holds })
}

/// What is wrong with how the content of today came out of that of a commit.
fn against(
    context: &Context,
    workspace: &Workspace,
    project: &Project,
    name: &str,
) -> Result<Vec<Diagnostic>, Failure> {
    let repository = repository(workspace)?;
    let before = Project::at(context, name)?;
    let mut retired = BTreeMap::new();
    let mut seen = HashSet::new();
    // The oldest first, so that of several items with one id the last one is remembered.
    for revision in repository.revisions(workspace.root(), name)? {
        for file in revision.checklists.iter().filter(|file| seen.insert((*file).clone())) {
            let source = Source::of_bytes(file.name.clone(), &repository.stored(file)?);
            // A file that could not be read then has no ids that anybody could have used.
            let Some(read) = syntax::read_checklist(&source).value else { continue };
            for item in &read.checklist().items {
                retired.insert(item.id.clone(), item.clone());
            }
        }
    }
    retired.retain(|id, _| before.catalog.item(id).is_none());
    Ok(syntax::check_against(&before.catalog, &retired, &project.catalog, &project.places))
}

fn tell(context: &Context, diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        printer::warn(syntax::render(diagnostics, context.printer.stderr_color).trim_end());
    }
}

/// How much of each checklist a check can prove.
fn coverage(project: &Project) -> String {
    let mut text = format!(
        "{:<12} {:>6} {:>11} {:>6} {:>5} {:>9}\n",
        "checklist", "items", "with check", "cards", "quiz", "evidence"
    );
    let mut by_level: BTreeMap<Level, (usize, usize)> = BTreeMap::new();
    let mut total = [0; 5];
    for checklist in project.catalog.checklists() {
        let items = &checklist.items;
        let of = |kind: Kind| items.iter().filter(|item| item.kind == kind).count();
        let cards = items.iter().map(|item| item.cards.len()).sum::<usize>()
            + checklist.groups.iter().map(|group| group.cards.len()).sum::<usize>();
        let checked = items.iter().filter(|item| !item.checks.is_empty()).count();
        let row = [items.len(), checked, cards, of(Kind::Quiz), of(Kind::Evidence)];
        for (sum, value) in total.iter_mut().zip(row) {
            *sum += value;
        }
        for item in items {
            let (all, checked) = by_level.entry(item.level).or_default();
            *all += 1;
            *checked += usize::from(!item.checks.is_empty());
        }
        text.push_str(&line(checklist.id.as_str(), row));
    }
    text.push_str(&line("all", total));
    for (level, (all, checked)) in by_level {
        text.push_str(&format!("{level}: {checked} of {all} items have a check\n"));
    }
    text
}

fn line(name: &str, [items, checked, cards, quiz, evidence]: [usize; 5]) -> String {
    format!("{name:<12} {items:>6} {checked:>11} {cards:>6} {quiz:>5} {evidence:>9}\n")
}
