//! Other people's tools: found, and run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ToolchainError;

/// Where tools are looked for.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The search path.
    pub path: Option<OsString>,
    /// Where cargo keeps what it fetched; none where there is no home.
    pub cargo_home: Option<PathBuf>,
    /// The Python environment that is active.
    pub virtual_env: Option<PathBuf>,
}

impl Surroundings {
    /// The program of that name on the search path.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        env::split_paths(path).map(|folder| folder.join(name)).find(|program| program.is_file())
    }
}

/// Runs a tool to its end and gives what it printed on standard output; its standard error is mustdo's own.
pub(super) fn run(command: &mut Command) -> Result<String, ToolchainError> {
    let program = PathBuf::from(command.get_program());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| ToolchainError::Start { program: program.clone(), source })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let program = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    Err(ToolchainError::Failed { program, printed })
}

/// What a tool says of itself; none where it fails or cannot be started.
pub(super) fn ask(program: &Path, arguments: &[&str], folder: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
