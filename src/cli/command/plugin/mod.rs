//! `mustdo plugin`: what plugins there are, and what they do. One file for each command below it.

mod add;
mod build;
mod info;
mod list;
mod new;
mod page;
mod remove;
mod test;
mod update;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// What can follow `mustdo plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the shipped plugins and the workspace's own
    List,
    /// Take a plugin into the workspace, from a file, an address or a registry
    Add(add::AddArgs),
    /// Take a plugin out of the workspace, with what it was granted
    Remove(remove::RemoveArgs),
    /// Look at the sources of plugins again and take what is newer
    Update(update::UpdateArgs),
    /// Tell what a plugin does, asks for and takes
    Info(info::InfoArgs),
    /// Begin a plugin in Rust, Python or JavaScript: a folder with one check that works
    New(new::NewArgs),
    /// Build a plugin from its sources into one file, and check it
    Build(build::BuildArgs),
    /// Hold a plugin against its cases.toml: targets that are known to be right, and known to be wrong
    Test(test::TestArgs),
}

/// Does one of them.
pub(crate) fn run(context: &Context, command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::List => list::run(context),
        PluginCommand::Add(args) => add::run(context, args),
        PluginCommand::Remove(args) => remove::run(context, args),
        PluginCommand::Update(args) => update::run(context, args),
        PluginCommand::Info(args) => info::run(context, args),
        PluginCommand::New(args) => new::run(context, args),
        PluginCommand::Build(args) => build::run(context, args),
        PluginCommand::Test(args) => test::run(context, args),
    }
}
