//! `mustdo tick` and `mustdo untick`: claims.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::edit::edit;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::model::{Claim, Item, Selection};

/// What can follow `mustdo tick`.
#[derive(Debug, Args)]
pub(crate) struct TickArgs {
    /// Item ids or their unique endings
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<String>,
    /// Your own words on it
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Where to look: a URL or a path; may be given several times
    #[arg(long, value_name = "LINK")]
    pub(crate) link: Vec<String>,
    /// Commit the progress file
    #[arg(long)]
    pub(crate) commit: bool,
}

/// What can follow `mustdo untick`.
#[derive(Debug, Args)]
pub(crate) struct UntickArgs {
    /// Item ids or their unique endings
    #[arg(value_name = "ITEM", required = true)]
    pub(crate) items: Vec<String>,
    /// Commit the progress file
    #[arg(long)]
    pub(crate) commit: bool,
}

/// Ticks.
pub(crate) fn run(context: &Context, args: &TickArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let items = named(&project, &args.items)?;
    let claim = Claim { at: context.environment.now, note: args.note.clone(), links: args.link.clone() };
    let message = message("tick", &items);
    let commit = args.commit || project.effective_settings().commit == Some(true);
    // Ticking again keeps a note and links that are not given anew.
    let set = |_: &Item, entry: &mut crate::model::Entry| {
        let old = entry.claim.take();
        let mut claim = claim.clone();
        if let Some(old) = old {
            claim.note = claim.note.or(old.note);
            if claim.links.is_empty() {
                claim.links = old.links;
            }
        }
        entry.claim = Some(claim);
    };
    edit(context, &project, &items, set, commit.then_some(&message))?;
    for item in &items {
        let next = if item.checks.is_empty() {
            "no check in this version: a claim is all it can be".to_owned()
        } else {
            format!("prove it: mustdo verify {}", item.id)
        };
        answer(&format!("ticked {} ({next})\n", item.id))?;
    }
    Ok(Exit::Holds)
}

/// Takes ticks back; notes and links go with them, verdicts stay.
pub(crate) fn run_untick(context: &Context, args: &UntickArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let items = named(&project, &args.items)?;
    let message = message("untick", &items);
    let commit = args.commit || project.effective_settings().commit == Some(true);
    let mut unticked = vec![];
    let take = |item: &Item, entry: &mut crate::model::Entry| {
        unticked.push((item.id.clone(), entry.claim.take().is_some()));
    };
    edit(context, &project, &items, take, commit.then_some(&message))?;
    for (id, was) in unticked {
        answer(&format!("{} {id}\n", if was { "unticked" } else { "was not ticked:" }))?;
    }
    Ok(Exit::Holds)
}

/// The one item that each name stands for; every wrong name at once.
pub(crate) fn named<'a>(project: &'a Project, names: &[String]) -> Result<Vec<&'a Item>, Failure> {
    let (mut items, mut errors) = (vec![], vec![]);
    for name in names {
        match Selection::one(&project.catalog, name) {
            Ok(item) if items.contains(&item) => {}
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(items) } else { Err(errors.into()) }
}

/// A commit message that says what changed.
pub(crate) fn message(verb: &str, items: &[&Item]) -> String {
    match items {
        [item] => format!("mustdo: {verb} {}\n", item.id),
        items => {
            let list: String = items.iter().map(|item| format!("- {}\n", item.id)).collect();
            format!("mustdo: {verb} {} items\n\n{list}", items.len())
        }
    }
}
