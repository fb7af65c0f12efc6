//! What `plugins/build` needs besides cargo: digest the sources, make a component, compare two.
//!
//! Start at [`run`]. It reads and writes files below the workspace it is pointed at and nothing else.

mod artifact;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use artifact::ArtifactError;
use source::SourceError;

/// What the program was asked to do.
const USAGE: &str = "usage: xtask digest WORKSPACE PLUGIN
       xtask component WORKSPACE PLUGIN CORE.wasm OUT.wasm
       xtask check WORKSPACE PLUGIN COMMITTED.wasm BUILT.wasm";

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{USAGE}")]
    Usage,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for a terminal")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<String, Failure> {
    match arguments {
        ["digest", workspace, plugin] => Ok(source::digest(Path::new(workspace), plugin)?),
        ["component", workspace, plugin, core, out] => {
            let digest = source::digest(Path::new(workspace), plugin)?;
            let bytes = artifact::component(Path::new(core), &digest)?;
            artifact::write(Path::new(out), &bytes)?;
            Ok(format!("{out}: {} bytes, sources {digest}", bytes.len()))
        }
        ["check", workspace, plugin, committed, built] => {
            let digest = source::digest(Path::new(workspace), plugin)?;
            let same = artifact::check(&digest, &PathBuf::from(committed), &PathBuf::from(built))?;
            Ok(format!(
                "{committed}: made from these sources; {}",
                if same {
                    "a fresh build is the same, byte for byte"
                } else {
                    "a fresh build differs in bytes"
                }
            ))
        }
        _ => Err(Failure::Usage),
    }
}
