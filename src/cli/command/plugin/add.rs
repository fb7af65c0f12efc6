//! `mustdo plugin add`: takes a plugin into the workspace.

use clap::Args;

use super::page;
use crate::cli::acquisition::{acquire, install, locked, refuse_shipped, settled};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::runtime;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::{Provenance, Shelf};
use crate::model::PluginSource;
use crate::report::paragraph;
use crate::store::Workspace;

/// What can follow `mustdo plugin add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// A file, `https://…` or `oci://REGISTRY/NAME:TAG`; with `@sha256:…` at the end, only what has that digest
    #[arg(value_name = "SOURCE")]
    pub(crate) source: PluginSource,
}

/// Fetches it, shows what it is and what it asks for, and writes it down. Grants nothing.
pub(crate) fn run(context: &Context, args: &AddArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let language = project.language(context);
    let workspace = context.workspace()?;
    // A file with a wrong name is no reason not to add or to update others, and adding it gives it its right one.
    let (shelf, _) = Shelf::gather(Some(&workspace))?;
    let acquired = runtime()?.block_on(acquire(
        context,
        &project.effective_settings(),
        &args.source,
        &context.environment.directory,
    ))?;
    refuse_shipped(&acquired.opened)?;
    let (id, opened) = (&acquired.opened.info.id, &acquired.opened);
    let entry = locked(opened, settled(context, &workspace, &args.source));
    let place = Workspace::plugin_name(id);
    let known = shelf.find(id).filter(|file| !matches!(file.provenance(), Provenance::Shipped));
    if let Some(file) = known.filter(|file| file.digest() != opened.digest)
        && !shelf.lock().plugins.contains_key(id)
    {
        return Err(Failure::usage(format!(
            "{} is there already, with other bytes that nobody added",
            file.place
        ))
        .hint(format!("mustdo plugin add {}    takes that one", file.place))
        .hint(format!("mustdo plugin remove {id}    takes it away")));
    }
    let width = context.environment.width;
    let before = shelf.lock().plugins.get(id).cloned();
    install(&workspace, id, &acquired.bytes, entry.clone())?;
    answer(&page::head(opened, language, width, &[("from", entry.source.to_string())]))?;
    answer(&page::requests(&opened.info, language, width))?;
    match before {
        Some(before) if before == entry => context.printer.note(&format!("{id} was there already, as it is")),
        Some(before) => context.printer.note(&format!("replaced {id} {}, {}", before.version, before.digest)),
        None => context.printer.note(&format!("wrote {place} and {}; nothing is granted", Workspace::LOCK)),
    }
    let next = format!(
        "next: name a check in a checklist (uses = \"{id}/{}\"); mustdo verify asks you before the plugin reaches anything",
        opened.info.checks.first().map_or("CHECK", |check| &check.id)
    );
    context.printer.note(paragraph("", &next, 0, context.environment.asking_width).trim_end());
    Ok(Exit::Holds)
}
