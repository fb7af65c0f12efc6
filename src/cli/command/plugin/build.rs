//! `mustdo plugin build`: from sources to the one file that is shipped.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::page;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{inspect, runtime};
use crate::cli::printer::{answer, warn};
use crate::model::Settings;
use crate::plugin::{COMPONENT_BYTES, package};
use crate::store::{Scratch, read_at_most, replace};
use crate::toolchain::{Language, Order, Surroundings, ToolchainError, World, build, contract};

/// What can follow `mustdo plugin build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// The component's file [default: NAME.wasm in the folder, after the plugin's id]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What a plugin in Python or JavaScript may import
    #[arg(long, value_name = "WORLD", default_value = "verifier")]
    pub(crate) world: WorldChoice,
}

/// A world of the contract.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WorldChoice {
    /// Everything but starting programs
    Verifier,
    /// Programs and scratch copies too
    VerifierWithProcess,
}

/// Builds, checks and writes the component.
pub(crate) fn run(context: &Context, args: &BuildArgs) -> Result<Exit, Failure> {
    let folder = context.environment.directory.join(&args.folder);
    // Paths are shown as they were typed, and given to tools as they are.
    let folder = folder.canonicalize().map_err(|source| {
        Failure::usage(format!("there is no folder {}: {source}", args.folder.display()))
            .hint("mustdo plugin new NAME --lang rust    makes one")
    })?;
    let language = Language::of(&folder).map_err(failure)?;
    let scratch = Scratch::new("mustdo-build")?;
    for (name, bytes) in contract() {
        replace(&scratch.path().join(name), bytes)?;
    }
    let world = match args.world {
        WorldChoice::Verifier => World::Verifier,
        WorldChoice::VerifierWithProcess => World::VerifierWithProcess,
    };
    let began = Instant::now();
    context.printer.note(&format!("building with the tools of {}", language.name()));
    let order = Order { folder: &folder, scratch: scratch.path(), world };
    let made = match build(language, &order, &surroundings(context)) {
        Ok(made) => made,
        Err(ToolchainError::Failed { program, printed }) => {
            // The sources do not hold: what is wrong with them is the tool's to say, in its own words.
            warn(format!("{printed}\nerror: {program} did not build the plugin").trim_start());
            return Ok(Exit::Fails);
        }
        Err(error) => return Err(failure(error)),
    };
    // One byte more than a plugin may have is enough to be told so.
    let bytes = read_at_most(&made, COMPONENT_BYTES)?;
    context.printer.note("checking the component as a workspace would");
    let unusable =
        |error: &dyn std::error::Error| Failure::usage(format!("what was built can not be used: it {error}"));
    let component = package(&bytes).map_err(|error| unusable(&error))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let opened = runtime()?
        .block_on(inspect(context, &Settings::default(), &name, &component))?
        .map_err(|error| unusable(&error))?;
    let file = format!("{}.wasm", opened.info.id.stem());
    let shown = args.output.clone().unwrap_or_else(|| args.folder.join(file));
    replace(&context.environment.directory.join(&shown), &component)?;
    let language = context.language.unwrap_or(context.environment.language);
    let checks: Vec<_> = opened.info.checks.iter().map(|check| &*check.id).collect();
    let rows = [
        ("file", shown.strip_prefix(".").unwrap_or(&shown).display().to_string()),
        ("size", format!("{} bytes", component.len())),
        ("checks", checks.join(", ")),
    ];
    answer(&page::head(&opened, language, &rows))?;
    context.printer.note(&format!("built in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(Exit::Holds)
}

fn surroundings(context: &Context) -> Surroundings {
    let environment = &context.environment;
    Surroundings {
        path: environment.path.clone(),
        cargo_home: environment.cargo_home.clone(),
        virtual_env: environment.virtual_env.clone(),
    }
}

fn failure(error: ToolchainError) -> Failure {
    let hints = match &error {
        ToolchainError::NoProject { .. } => {
            vec!["mustdo plugin new NAME --lang rust    makes one".to_owned()]
        }
        ToolchainError::Missing { install, .. } => install.clone(),
        ToolchainError::NoPlugin { hint, .. } => vec![(*hint).to_owned()],
        ToolchainError::Ambiguous { .. } => {
            vec!["mustdo plugin build DIR, with one of them in DIR".to_owned()]
        }
        ToolchainError::Start { .. } | ToolchainError::Failed { .. } => vec![],
    };
    hints.into_iter().fold(Failure::usage(error), Failure::hint)
}
