//! Python: componentize-py puts the interpreter and the sources into one component.

use std::path::PathBuf;
use std::process::Command;

use super::program::{Surroundings, run};
use super::{Order, ToolchainError};

/// The tool, as pip names it.
const TOOL: &str = "componentize-py";

/// The module whose class `Plugin` is exported.
const MODULE: &str = "app";

/// Builds the module `app`. WASI is stubbed: the host's is empty, and a plugin that needs it is told while it is built.
pub(super) fn build(order: &Order<'_>, around: &Surroundings) -> Result<PathBuf, ToolchainError> {
    let environments = [Some(order.folder.join(".venv")), around.virtual_env.clone()];
    let installed = environments
        .into_iter()
        .flatten()
        .map(|environment| environment.join("bin").join(TOOL))
        .find(|program| program.is_file());
    let tool = installed.or_else(|| around.find(TOOL)).ok_or_else(|| missing(order))?;
    if !order.folder.join(MODULE).with_extension("py").is_file() {
        return Err(ToolchainError::NoPlugin {
            reason: format!("there is no {MODULE}.py in {}", order.folder.display()),
            hint: "app.py defines the class Plugin; mustdo plugin new shows how",
        });
    }
    let made = order.scratch.join("python.wasm");
    let mut command = Command::new(tool);
    command
        .current_dir(order.folder)
        .args(["--quiet", "--wit-path"])
        .arg(order.scratch.join("wit"))
        .args(["--world", order.world.name(), "componentize", MODULE, "--stub-wasi"])
        .args(["--python-path", "."])
        .arg("--output")
        .arg(&made);
    run(&mut command)?;
    Ok(made)
}

fn missing(order: &Order<'_>) -> ToolchainError {
    let what = if order.folder.join("requirements.txt").is_file() { "-r requirements.txt" } else { TOOL };
    let install = format!("python3 -m venv .venv && .venv/bin/pip install {what}");
    ToolchainError::Missing { what: TOOL.to_owned(), install: vec![install] }
}
