//! `mustdo completions`: scripts for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::argument::Arguments;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::answer;

/// What can follow `mustdo completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut Arguments::command(), "mustdo", &mut script);
    answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Holds)
}
