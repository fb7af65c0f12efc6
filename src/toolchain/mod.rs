//! What the author of a plugin needs: a project to begin with ([`project`]), and its language's own tools, found and
//! run ([`build()`]).
//!
//! It starts compilers and nothing else, in the author's folder, because the author asked for it. What they print goes
//! where mustdo's own words go; what they make is not looked at here.

mod error;
mod javascript;
mod language;
mod program;
mod python;
mod rust;
mod template;

use std::path::{Path, PathBuf};

pub use error::ToolchainError;
pub use language::Language;
pub use program::Surroundings;
pub use template::{Named, project};

/// The contract's world that a plugin in Python or JavaScript is built for; one in Rust says so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// Everything but starting programs.
    Verifier,
    /// Programs and scratch copies too.
    VerifierWithProcess,
}

impl World {
    fn name(self) -> &'static str {
        match self {
            Self::Verifier => "verifier",
            Self::VerifierWithProcess => "verifier-with-process",
        }
    }
}

/// What is built.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The author's folder.
    pub folder: &'a Path,
    /// A folder for the life of the build; [`contract`] stands in it.
    pub scratch: &'a Path,
    /// The world, where the sources do not say.
    pub world: World,
}

/// The contract's files by name, relative to [`Order::scratch`]: to be written before [`build()`].
pub fn contract() -> impl Iterator<Item = (PathBuf, &'static [u8])> {
    template::below("wit/").map(|(name, bytes)| (Path::new("wit").join(name), bytes))
}

/// Builds the plugin in `order.folder` and tells where the bytes are: a component, or a core module that becomes one.
pub fn build(
    language: Language,
    order: &Order<'_>,
    around: &Surroundings,
) -> Result<PathBuf, ToolchainError> {
    match language {
        Language::Rust => rust::build(order, around),
        Language::Python => python::build(order, around),
        Language::JavaScript => javascript::build(order, around),
    }
}
