//! `mustdo plugin info`: what a plugin does, asks for and takes.

use clap::Args;

use super::page;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::permission::find;
use crate::cli::plugins::Plugins;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;
use crate::model::{CheckInfo, Language, PluginId};
use crate::report::paragraph;

/// What can follow `mustdo plugin info`.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: PluginId,
}

/// Describes one plugin.
pub(crate) fn run(context: &Context, args: &InfoArgs) -> Result<Exit, Failure> {
    let project = Project::read(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let language = project.language(context);
    let file = find(&shelf, &args.plugin)?;
    let plugins = Plugins::describe(context, &project.effective_settings(), [file])?;
    let Some(opened) = plugins.opened(&file.id) else {
        return Err(Failure::bug(format!("{} was described and is not there", file.id)));
    };
    let (info, width) = (&opened.info, context.environment.width);
    let rows = [("size", format!("{} bytes", file.bytes.len())), ("from", file.origin())];
    let mut text = page::head(opened, language, width, &rows);
    text.push_str(&page::requests(info, language, width));
    for check in &info.checks {
        text.push_str(&describe(&info.id, check, language, width));
    }
    answer(&text)?;
    Ok(Exit::Holds)
}

fn describe(plugin: &PluginId, check: &CheckInfo, language: Language, width: Option<u16>) -> String {
    let mut text = format!("\n{plugin}/{}: {}\n", check.id, check.title.get(language));
    for line in check.description.get(language).lines() {
        text.push_str(&paragraph("", line, 2, width));
    }
    text.push_str(&format!("  takes about {:.0} s", check.typical.as_secs_f64().ceil()));
    text.push_str(if check.exclusive { ", alone on its targets\n" } else { "\n" });
    for request in &check.capabilities {
        let must = if request.required { "needs" } else { "would like" };
        let words = format!("{must} {}: {}", request.capability, request.reason.get(language));
        text.push_str(&paragraph("", &words, 2, width));
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
