//! What every command is given.

use super::argument::{GlobalArgs, Tongue};
use super::environment::Environment;
use super::failure::Failure;
use super::printer::Printer;
use crate::model::Language;
use crate::store::Workspace;

/// The world and the options that hold for every command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The world.
    pub(crate) environment: Environment,
    /// Where words go.
    pub(crate) printer: Printer,
    /// The language asked for on the command line or by `MUSTDO_LANG`.
    pub(crate) language: Option<Language>,
    /// Whether a question may be asked.
    pub(crate) interactive: bool,
}

impl Context {
    /// Joins both.
    pub(crate) fn new(mut environment: Environment, global: &GlobalArgs) -> Self {
        let printer = Printer::new(&environment, global.color, global.quiet);
        if let Some(directory) = &global.directory {
            let directory = environment.directory.join(directory);
            // The folders above "a/.." are not those above "a": only the real path tells which workspace it lies in.
            environment.directory = directory.canonicalize().unwrap_or(directory);
        }
        let interactive = environment.terminal.interactive && !global.no_input;
        let language = match global.lang {
            Some(Tongue::Content(language)) => Some(language),
            Some(Tongue::Code(_)) | None => None,
        };
        Self { environment, printer, language, interactive }
    }

    /// The workspace around the current folder.
    pub(crate) fn workspace(&self) -> Result<Workspace, Failure> {
        self.find_workspace()?.ok_or_else(|| {
            Failure::usage(format!(
                "there is no {} in {} or above it",
                Workspace::SETTINGS,
                self.environment.directory.display()
            ))
            .hint("mustdo init    makes this folder a workspace")
            .hint("mustdo demo    shows what mustdo does, without a workspace")
        })
    }

    /// The workspace around the current folder; none where it lies in none.
    pub(crate) fn find_workspace(&self) -> Result<Option<Workspace>, Failure> {
        let directory = &self.environment.directory;
        if !directory.is_dir() {
            return Err(Failure::usage(format!("there is no folder {}", directory.display())));
        }
        Ok(Workspace::find(directory))
    }
}
