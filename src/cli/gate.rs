//! What a report is judged by beside the policy of the settings: a commit that nothing may be worse than at, and whether the
//! exit code says so.

use clap::Args;

use super::context::Context;
use super::failure::Failure;
use super::output::select;
use super::past::repository;
use super::project::Project;
use super::shelf::Shelf;
use crate::model::{Base, Comparison, Item, Pair, Selection, Settings, Standing, earlier};
use crate::store::{Repository, StoreError};

/// Help of `--base`; the square brackets would be links in its documentation.
const BASE: &str = "Nothing may be worse than at this commit: a branch, a tag, HEAD~3, a commit's id; REV... is where REV and \
                    this parted [default: what [policy] base says]";

/// What can be typed about the gate.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Gate")]
pub(crate) struct GateArgs {
    /// Nothing may be worse than at this commit: a branch, a tag, HEAD~3, a commit's id; REV... is where REV and this parted
    #[arg(long, value_name = "REV", help = BASE)]
    pub(crate) base: Option<String>,
    /// End with 0 although the policy does not hold or is not decided, and say so
    #[arg(long)]
    pub(crate) soft: bool,
}

/// What a report is judged by, read before any work starts.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    base: Option<Then>,
    /// Whether the exit code says nothing of the policy.
    pub(crate) soft: bool,
}

/// A workspace as its base holds it.
#[derive(Debug)]
struct Then {
    base: Base,
    project: Project,
    settings: Settings,
}

/// An item as it was and where it stood, and the same of today; none where it is gone.
type Both<'a> = (&'a Item, Standing, Option<(&'a Item, Standing)>);

/// Behind a name: where that and what is judged parted.
const PARTED: &str = "...";

impl Gate {
    /// Reads the base that the arguments name, else the settings of `project`. Fails where it can not be found or read:
    /// what was not compared is not known to be no worse.
    pub(crate) fn open(context: &Context, args: &GateArgs, project: &Project) -> Result<Self, Failure> {
        let settings = project.settings.settings();
        let base = match args.base.as_ref().or(settings.policy.base.as_ref()) {
            Some(name) => Some(Then::of(context, name, project)?),
            None => None,
        };
        Ok(Self { base, soft: args.soft })
    }

    /// What is worse than at the base among the selected items, wherever they stand, at the moment of `context`; none where
    /// nothing is compared.
    pub(crate) fn comparison(
        &self,
        context: &Context,
        project: &Project,
        shelf: &Shelf,
        selection: &Selection,
    ) -> Result<Option<Comparison>, Failure> {
        let Some(Then { base, project: old, settings }) = &self.base else { return Ok(None) };
        let today = project.effective_settings();
        let selection = selection.wherever_they_stand();
        let mut pairs: Vec<Both<'_>> = vec![];
        for item in select(context, project, shelf, &selection)? {
            let Some(before) = earlier(&old.catalog, item) else { continue };
            let was = old.standing(context, before, settings, shelf)?;
            let is = project.standing(context, item, &today, shelf)?;
            pairs.push((before, was, Some((item, is))));
        }
        let selected = selected(&selection, old);
        for item in old.catalog.items().filter(|item| selected(item)) {
            let now = project.catalog.renamed(&item.id).unwrap_or(&item.id);
            if project.catalog.item(&item.id).is_none() && project.catalog.item(now).is_none() {
                pairs.push((item, old.standing(context, item, settings, shelf)?, None));
            }
        }
        let pairs = pairs.iter().filter_map(|(before, was, after)| {
            let checklist = match after {
                Some((item, _)) => project.catalog.checklist_of(&item.id)?,
                None => old.catalog.checklist_of(&before.id)?,
            };
            let after = after.as_ref().map(|(item, is)| (*item, is));
            Some(Pair { checklist: &checklist.id, before: (*before, was), after })
        });
        Ok(Some(Comparison::new(base.clone(), pairs)))
    }
}

/// Which items of an earlier version a selection means. A name that nothing had then selects nothing of it.
fn selected<'a>(selection: &Selection, old: &'a Project) -> impl Fn(&Item) -> bool + use<'a> {
    let one = |names: Vec<String>| Selection { names, ..selection.clone() };
    let ways = if selection.names.is_empty() {
        vec![one(vec![])]
    } else {
        selection.names.iter().map(|name| one(vec![name.clone()])).collect()
    };
    let found = ways.iter().filter_map(|way| way.resolve(&old.catalog, |_| None).ok()).flatten();
    let found: std::collections::BTreeSet<_> = found.map(|item| &item.id).collect();
    move |item| found.contains(&item.id)
}

impl Then {
    fn of(context: &Context, name: &str, project: &Project) -> Result<Self, Failure> {
        let workspace = context.workspace()?;
        let repository = repository(&workspace)?;
        let found = || match name.strip_suffix(PARTED) {
            None => repository.revision(workspace.root(), name).map(|revision| revision.id),
            Some(other) => {
                let this = project.past.as_ref().map_or("HEAD", |past| &past.revision.id);
                repository.merge_base(other, this)
            }
        };
        let commit = found().map_err(|error| missing(context, &repository, error))?;
        let this_is_today = project.past.is_none();
        let mut project = Project::at(context, &commit)?;
        // What another mustdo did is no more anybody's change than what time did.
        if let Some(past) = &mut project.past {
            past.today = this_is_today;
        }
        let settings = project.effective_settings();
        Ok(Self { base: Base { name: name.to_owned(), commit }, project, settings })
    }
}

/// A base that is not there, and how to get it.
fn missing(context: &Context, repository: &Repository, error: StoreError) -> Failure {
    use super::server::Server;
    let absent = matches!(error, StoreError::Revision { .. } | StoreError::Unrelated { .. });
    let failure = Failure::from(error);
    if !absent {
        return failure;
    }
    let failure = if repository.is_shallow() {
        failure.hint("git fetch --unshallow    this clone ends before its history does")
    } else {
        failure
    };
    let failure =
        failure.hint("git fetch origin    gets the branches and tags of the server: name one as origin/main");
    match context.environment.server {
        Some(Server::Github { .. }) => failure.hint("with: { fetch-depth: 0 }    under actions/checkout"),
        Some(Server::Gitlab) => failure.hint("GIT_DEPTH: 0    among the variables of the job"),
        None => failure,
    }
}
