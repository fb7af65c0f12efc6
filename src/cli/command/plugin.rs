//! `mustdo plugin`: what plugins there are, and what they do.

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::Plugins;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::{CheckInfo, Language, PluginId, nearest};

/// What can follow `mustdo plugin`.
#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the shipped plugins and the workspace's own
    List,
    /// Tell what a plugin does, asks for and takes
    Info(InfoArgs),
}

/// What can follow `mustdo plugin info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: PluginId,
}

/// Does one of them.
pub(crate) fn run(context: &Context, command: &PluginCommand) -> Result<Exit, Failure> {
    let project = Project::read(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    match command {
        PluginCommand::List => list(context, &shelf, &project),
        PluginCommand::Info(args) => info(context, &shelf, args, &project),
    }
}

fn list(context: &Context, shelf: &Shelf, project: &Project) -> Result<Exit, Failure> {
    let language = project.language(context);
    let plugins = Plugins::describe_all(context, &project.effective_settings().limits, shelf)?;
    let mut text = String::new();
    for file in shelf.iter() {
        let Some(info) = plugins.info(&file.id) else { continue };
        text.push_str(&format!(
            "{} {}  {} ({})\n",
            info.id,
            info.version,
            info.title.get(language),
            file.place
        ));
        for check in &info.checks {
            text.push_str(&format!("  {:<18} {}\n", check.id, check.title.get(language)));
        }
    }
    answer(&text)?;
    Ok(Exit::Holds)
}

fn info(context: &Context, shelf: &Shelf, args: &InfoArgs, project: &Project) -> Result<Exit, Failure> {
    let Some(file) = shelf.find(&args.plugin) else {
        let failure = Failure::usage(format!("there is no plugin \"{}\"", args.plugin));
        let near = nearest(args.plugin.as_str(), shelf.iter().map(|plugin| plugin.id.as_str()));
        return Err(failure
            .hint(near.map_or("mustdo plugin list".to_owned(), |near| format!("did you mean \"{near}\"?"))));
    };
    let language = project.language(context);
    let plugins = Plugins::describe(context, &project.effective_settings().limits, [file])?;
    let Some(info) = plugins.info(&file.id) else {
        return Err(Failure::bug(format!("{} was described and is not there", file.id)));
    };
    let mut text = format!("{} {}: {}\n\n", info.id, info.version, info.title.get(language));
    let rows = [
        ("digest", file.digest.to_string()),
        ("contract", "mustdo:verifier@0.1.0".to_owned()),
        ("size", format!("{} bytes", file.bytes.len())),
        ("from", file.place.clone()),
        ("license", info.license.clone()),
        ("homepage", info.homepage.clone()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("  {name:<9} {value}\n"));
    }
    for check in &info.checks {
        text.push_str(&describe(&info.id, check, language));
    }
    answer(&text)?;
    Ok(Exit::Holds)
}

fn describe(plugin: &PluginId, check: &CheckInfo, language: Language) -> String {
    let mut text = format!("\n{plugin}/{}: {}\n", check.id, check.title.get(language));
    for line in check.description.get(language).lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!("  takes about {:.0} s", check.typical.as_secs_f64().ceil()));
    text.push_str(if check.exclusive { ", alone on its targets\n" } else { "\n" });
    for request in &check.capabilities {
        let must = if request.required { "needs" } else { "would like" };
        text.push_str(&format!("  {must} {}: {}\n", request.capability, request.reason.get(language)));
    }
    if let Some(schema) = &check.params_schema {
        let pretty = serde_json::from_str::<serde_json::Value>(schema)
            .and_then(|value| serde_json::to_string_pretty(&value));
        text.push_str("  parameters (JSON Schema):\n");
        for line in pretty.unwrap_or_else(|_| schema.clone()).lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}
