//! `mustdo grant`: what a plugin may reach.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::{PluginFile, Shelf};
use crate::model::{Capability, Grant, PluginId, nearest};
use crate::store::Workspace;
use crate::syntax::{self, Source};

/// What can follow `mustdo grant`.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: PluginId,
    /// What it may do, with your own target names: `http:web`, `tcp:db`, `read:src`, …
    #[arg(value_name = "CAPABILITY", required = true)]
    pub(crate) capabilities: Vec<Capability>,
}

/// Adds to what the plugin may do and writes it into `mustdo.toml`.
pub(crate) fn run(context: &Context, args: &GrantArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let Some(plugin) = shelf.find(&args.plugin) else {
        let failure = Failure::usage(format!("there is no plugin \"{}\"", args.plugin));
        let near = nearest(args.plugin.as_str(), shelf.iter().map(|plugin| plugin.id.as_str()));
        return Err(failure
            .hint(near.map_or("mustdo plugin list".to_owned(), |near| format!("did you mean \"{near}\"?"))));
    };
    give(&project, plugin, &args.capabilities)?;
    for capability in &args.capabilities {
        answer(&format!("{} {} may use {capability}\n", plugin.id, plugin.digest.short()))?;
    }
    Ok(Exit::Holds)
}

/// Writes a grant into `mustdo.toml`: what was granted to the same bytes before stays, what was granted to others goes.
pub(crate) fn give(
    project: &Project,
    plugin: &PluginFile,
    capabilities: &[Capability],
) -> Result<Grant, Failure> {
    let workspace = project.workspace.as_ref().ok_or_else(|| Failure::bug("a grant outside a workspace"))?;
    let lock = workspace.lock()?;
    // Read again under the lock, so that what another mustdo granted meanwhile stays.
    let bytes = workspace.settings()?.map(|file| file.bytes).unwrap_or_default();
    let source = Source::of_bytes(Workspace::SETTINGS, &bytes);
    let read = syntax::read_settings(&source);
    let Some(settings) = read.value else {
        return Err(Failure::content(syntax::render(&read.diagnostics, false)).hint("nothing was written"));
    };
    let known = settings.settings().grants.get(&plugin.id).cloned();
    let mut grant = known
        .filter(|grant| grant.digest == plugin.digest)
        .unwrap_or_else(|| Grant { digest: plugin.digest, allow: std::collections::BTreeSet::new() });
    grant.allow.extend(capabilities.iter().cloned());
    let text = syntax::grant(&source.text, &plugin.id, &grant).map_err(Failure::usage)?;
    workspace.write(&lock, Workspace::SETTINGS, &text)?;
    Ok(grant)
}
