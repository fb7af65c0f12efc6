//! `mustdo plugin remove`: takes a plugin out of the workspace.

use clap::Args;

use crate::cli::acquisition::uninstall;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::model::PluginId;
use crate::store::PLUGINS;

/// What can follow `mustdo plugin remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: PluginId,
}

/// Removes its file, its entry in `mustdo.lock` and what it was granted. Opens nothing, so that a plugin that can not be
/// used can be removed.
pub(crate) fn run(context: &Context, args: &RemoveArgs) -> Result<Exit, Failure> {
    let id = &args.plugin;
    let workspace = context.workspace()?;
    let shipped = PLUGINS.iter().any(|shipped| shipped.id == id.as_str());
    if shipped && workspace.plugin(id)?.is_none() {
        return Err(Failure::usage(format!("{id} ships with mustdo and can not be removed"))
            .hint("a plugin runs only where a checklist names it and you verify"));
    }
    let gone = uninstall(&workspace, id)?;
    if gone.is_empty() {
        return Err(Failure::usage(format!("there is no plugin \"{id}\" in this workspace"))
            .hint("mustdo plugin list"));
    }
    answer(&format!("removed {id}: {}\n", gone.join(", ")))?;
    Ok(Exit::Holds)
}
