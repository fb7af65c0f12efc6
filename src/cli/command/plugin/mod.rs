//! `mustdo plugin`: what plugins there are, and what they do. One file for each command below it.

mod info;
mod list;

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// What can follow `mustdo plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the shipped plugins and the workspace's own
    List,
    /// Tell what a plugin does, asks for and takes
    Info(info::InfoArgs),
}

/// Does one of them.
pub(crate) fn run(context: &Context, command: &PluginCommand) -> Result<Exit, Failure> {
    match command {
        PluginCommand::List => list::run(context),
        PluginCommand::Info(args) => info::run(context, args),
    }
}
