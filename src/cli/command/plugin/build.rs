//! `mustdo plugin build`: from sources to the one file that is shipped.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::page;
use crate::cli::building::{Built, build_folder};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::runtime;
use crate::cli::printer::answer;
use crate::model::PluginId;
use crate::store::replace;
use crate::toolchain::World;

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

impl WorldChoice {
    /// The world.
    pub(super) fn world(self) -> World {
        match self {
            Self::Verifier => World::Verifier,
            Self::VerifierWithProcess => World::VerifierWithProcess,
        }
    }
}

/// Builds, checks and writes the component.
pub(crate) fn run(context: &Context, args: &BuildArgs) -> Result<Exit, Failure> {
    let folder = context.environment.directory.join(&args.folder);
    // Paths are shown as they were typed, and given to tools as they are.
    let folder = folder.canonicalize().map_err(|source| {
        Failure::usage(format!("there is no folder {}: {source}", args.folder.display()))
            .hint("mustdo plugin new NAME --lang rust    makes one")
    })?;
    let began = Instant::now();
    let built = runtime()?.block_on(build_folder(context, &folder, args.world.world()))?;
    let Some(Built { component, opened }) = built else { return Ok(Exit::Fails) };
    let shown = args.output.clone().unwrap_or_else(|| args.folder.join(component_name(&opened.info.id)));
    replace(&context.environment.directory.join(&shown), &component)?;
    let language = context.language.unwrap_or(context.environment.language);
    let checks: Vec<_> = opened.info.checks.iter().map(|check| &*check.id).collect();
    let rows = [
        ("file", shown.strip_prefix(".").unwrap_or(&shown).display().to_string()),
        ("size", format!("{} bytes", component.len())),
        ("checks", checks.join(", ")),
    ];
    answer(&page::head(&opened, language, context.environment.width, &rows))?;
    context.printer.note(&format!("built in {:.1} s", began.elapsed().as_secs_f64()));
    if !opened.proof.is_proven() {
        context.printer.note("to prove it: mustdo plugin test --record");
    }
    Ok(Exit::Holds)
}

/// What the component of a plugin is called.
pub(super) fn component_name(id: &PluginId) -> String {
    format!("{}.wasm", id.stem())
}
