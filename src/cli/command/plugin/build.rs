//! `mustdo plugin build`: from sources to the one file that is shipped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{host, runtime};
use crate::cli::printer::{answer, warn};
use crate::model::PluginInfo;
use crate::plugin::{Plugin, package};
use crate::store::{Scratch, read_bytes, replace};
use crate::toolchain::{Language, Named, Order, Surroundings, ToolchainError, World, build, contract};

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
    let bytes = read_bytes(&made)?.ok_or_else(|| {
        Failure::usage(format!("the tools are content, and there is no {}", made.display()))
    })?;
    let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::usage(format!("what was built can not be used: it {error}"))
    };
    context.printer.note("checking the component as a workspace would");
    let component = package(&bytes).map_err(|error| unusable(error.into()))?;
    let (plugin, info) = check(context, &component).map_err(|error| unusable(error.into()))?;
    let name = format!("{}.wasm", Named(&info.id).stem());
    let shown = args.output.clone().unwrap_or_else(|| args.folder.join(name));
    replace(&context.environment.directory.join(&shown), &component)?;
    answer(&summary(&shown, &plugin, &info))?;
    context.printer.note(&format!("built in {:.1} s", began.elapsed().as_secs_f64()));
    Ok(Exit::Holds)
}

/// Loads the component as any workspace would, and asks it what it is.
fn check(context: &Context, component: &[u8]) -> Result<(Plugin, PluginInfo), String> {
    let host = host(context).map_err(|error| error.render())?;
    let plugin = host.load(component).map_err(|error| error.to_string())?.plugin;
    let runtime = runtime().map_err(|error| error.render())?;
    let info = runtime.block_on(host.describe(&plugin)).map_err(|error| error.to_string())?;
    Ok((plugin, info))
}

fn summary(path: &Path, plugin: &Plugin, info: &PluginInfo) -> String {
    let checks: Vec<_> = info.checks.iter().map(|check| &*check.id).collect();
    let (own, others): (Vec<_>, Vec<_>) =
        plugin.imports().into_iter().partition(|import| import.starts_with("mustdo:verifier/"));
    let short =
        |import: &String| import.trim_start_matches("mustdo:verifier/").split('@').next().map(str::to_owned);
    let own: Vec<_> = own.iter().filter_map(short).collect();
    let mut rows = vec![
        ("plugin", format!("{} {}", info.id, info.version)),
        ("digest", plugin.digest().to_string()),
        ("size", format!("{} bytes", plugin.size())),
        ("contract", format!("mustdo:verifier@{}", plugin.contract())),
        ("imports", own.join(", ")),
        ("checks", checks.join(", ")),
    ];
    if !others.is_empty() {
        rows.push((
            "besides",
            format!("{} (there, and empty: no files, no clock, no network)", others.join(", ")),
        ));
    }
    let mut text = format!("{}\n", path.strip_prefix(".").unwrap_or(path).display());
    for (name, value) in rows {
        text.push_str(&format!("  {name:<9} {value}\n"));
    }
    text
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
