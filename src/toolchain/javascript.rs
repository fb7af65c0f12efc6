//! JavaScript: componentize-qjs puts QuickJS and the sources into one component.
//!
//! It is what `jco componentize --backend quickjs` calls, without the ten times larger rest of jco.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{Surroundings, ask, run};
use super::{Order, ToolchainError};

/// The tool, as npm names it.
const TOOL: &str = "componentize-qjs";

/// Builds the module that package.json names as `main`. WASI is stubbed and nothing is asynchronous: the host has
/// neither.
pub(super) fn build(order: &Order<'_>, around: &Surroundings) -> Result<PathBuf, ToolchainError> {
    let node = around.find("node").ok_or_else(|| ToolchainError::Missing {
        what: "Node.js".to_owned(),
        install: vec!["apt-get install nodejs npm".to_owned(), "https://nodejs.org/en/download".to_owned()],
    })?;
    let local = order.folder.join("node_modules/.bin").join(TOOL);
    let tool = Some(local).filter(|tool| tool.is_file()).or_else(|| around.find(TOOL)).ok_or_else(|| {
        let manifest = read(&node, order, "Object.keys(p.devDependencies ?? {}).join()").unwrap_or_default();
        // Not `npm ci`: it refuses a lock file that leaves out a binding for another machine.
        let named = manifest.split(',').any(|name| name == TOOL);
        let install = if named { "npm install".to_owned() } else { format!("npm install --save-dev {TOOL}") };
        ToolchainError::Missing { what: TOOL.to_owned(), install: vec![install] }
    })?;
    let main = read(&node, order, "p.main ?? 'plugin.js'");
    let main = main.filter(|main| order.folder.join(main).is_file()).ok_or_else(|| ToolchainError::NoPlugin {
        reason: format!("package.json in {} names no file as \"main\"", order.folder.display()),
        hint: "\"main\": \"plugin.js\" names the module that exports `plugin`; mustdo plugin new shows how",
    })?;
    let made = order.scratch.join("javascript.wasm");
    let mut command = Command::new(tool);
    command
        .current_dir(order.folder)
        .arg("--wit")
        .arg(order.scratch.join("wit"))
        .args(["--world", order.world.name(), "--js", &main, "--module-root", "."])
        .args(["--sync", "--stub-wasi", "--opt-size"])
        .arg("--output")
        .arg(&made);
    run(&mut command)?;
    Ok(made)
}

/// What an expression over package.json, as `p`, gives.
fn read(node: &Path, order: &Order<'_>, expression: &str) -> Option<String> {
    let script =
        format!("const p = JSON.parse(require('fs').readFileSync('package.json', 'utf8')); {expression}");
    ask(node, &["--print", &script], order.folder)
}
