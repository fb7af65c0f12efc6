//! Why a plugin was not built.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is nothing to look at.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// The folder holds no project of a language that is known.
    #[error(
        "{} holds no plugin: there is no Cargo.toml (Rust), package.json (JavaScript), pyproject.toml or app.py (Python)",
        .folder.display()
    )]
    NoProject {
        /// Where was looked.
        folder: PathBuf,
    },
    /// The folder holds projects of several languages.
    #[error("{} holds several projects: {}", .folder.display(), .found.join(" and "))]
    Ambiguous {
        /// Where was looked.
        folder: PathBuf,
        /// The files that say so.
        found: Vec<&'static str>,
    },
    /// Something that the build needs is not there.
    #[error("{what} is not installed")]
    Missing {
        /// What, in words.
        what: String,
        /// The commands that install it, any one of them.
        install: Vec<String>,
    },
    /// A tool could not be started.
    #[error("{} could not be started", .program.display())]
    Start {
        /// Which.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A tool found fault with the sources; it has said why on standard error.
    #[error("{program} did not build the plugin")]
    Failed {
        /// Which.
        program: String,
        /// What it printed on standard output, where some tools put their errors.
        printed: String,
    },
    /// The project builds, and no plugin comes of it.
    #[error("{reason}")]
    NoPlugin {
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
}
