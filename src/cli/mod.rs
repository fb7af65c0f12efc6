//! Arguments, commands, the terminal and exit codes.
//!
//! The only layer that knows the command line, the environment, the clock, stdout and stderr. One command is one file
//! under `command`; `Failure` is the one way out for all of them.

mod acquisition;
mod argument;
pub mod binding;
mod building;
mod chronicle;
mod cohort;
mod command;
mod conclusion;
mod context;
mod difference;
mod display;
mod edit;
mod environment;
mod exit;
mod failure;
mod gate;
mod hidden;
mod kept;
mod mirror;
mod origin;
mod output;
mod partition;
mod past;
mod permission;
mod planning;
mod plugins;
mod printer;
mod project;
mod prompt;
mod proof;
mod recording;
mod renewal;
mod secret;
mod server;
mod shelf;
mod timeline;
mod transcript;
mod trial;
mod verification;

use std::process::ExitCode;

use clap::Parser as _;

use argument::{Arguments, Command};
use context::Context;
use environment::Environment;
use exit::Exit;
use failure::Failure;
use hidden::Hidden;

use crate::process::guard;

/// Runs the program: parses what was typed, does it, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(exit) = guard(std::env::args_os()) {
        return exit;
    }
    if let Some(hidden) = Hidden::of(std::env::args_os().skip(1)) {
        return hidden.run();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Holds };
            // Help that can not be printed has no reader to tell.
            let _ = error.print();
            return exit.into();
        }
    };
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            let failure = Failure::usage(error).hint("start mustdo in a folder that exists");
            printer::warn(failure.render().trim_end());
            return failure.exit().into();
        }
    };
    let context = Context::new(environment, &arguments.global);
    match run(&context, &arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer::warn(failure.render().trim_end());
            failure.exit().into()
        }
    }
}

fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => command::init::run(context, args),
        Command::List(args) => command::list::run(context, args),
        Command::Show(args) => command::show::run(context, args),
        Command::Tick(args) => command::tick::run(context, args),
        Command::Untick(args) => command::tick::run_untick(context, args),
        Command::Waive(args) => command::waive::run(context, args),
        Command::Verify(args) => command::verify::run(context, args),
        Command::Merge(args) => command::merge::run(context, args),
        Command::Replay(args) => command::replay::run(context, args),
        Command::Report(args) => command::report::run(context, args),
        Command::History(args) => command::history::run(context, args),
        Command::Cohort(args) => command::cohort::run(context, args),
        Command::Diff(args) => command::diff::run(context, args),
        Command::Ci(command) => command::ci::run(context, command),
        Command::Grant(args) => command::grant::run(context, args),
        Command::Revoke(args) => command::grant::run_revoke(context, args),
        Command::Grants(args) => command::grant::run_list(context, args),
        Command::Update(args) => command::update::run(context, args),
        Command::Plugin(command) => command::plugin::run(context, command),
        Command::Lint(args) => command::lint::run(context, args),
        Command::Explain(args) => command::explain::run(args),
        Command::Schema(args) => command::schema::run(args),
        Command::MergeDriver(args) => command::merge_driver::run(context, args),
        Command::Demo(args) => command::demo::run(context, args),
        Command::Completions(args) => command::completions::run(args),
        Command::Man => command::man::run(),
    }
}
