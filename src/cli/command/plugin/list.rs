//! `mustdo plugin list`: the shipped plugins and the workspace's own.

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{Opened, Plugins};
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::Shelf;

/// Lists every plugin with its checks.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let project = Project::read(context)?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let language = project.language(context);
    let plugins = Plugins::describe_all(context, &project.effective_settings(), &shelf)?;
    let mut text = String::new();
    for file in shelf.iter() {
        let Some(Opened { info, proof, .. }) = plugins.opened(&file.id) else { continue };
        text.push_str(&format!(
            "{} {}  {} ({})\n  {proof}\n",
            info.id,
            info.version,
            info.title.get(language),
            file.origin()
        ));
        for check in &info.checks {
            text.push_str(&format!("  {:<18} {}\n", check.id, check.title.get(language)));
        }
    }
    answer(&text)?;
    Ok(Exit::Holds)
}
