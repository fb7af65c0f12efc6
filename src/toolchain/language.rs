//! The languages that plugins are written in.

use std::path::Path;

use super::ToolchainError;

/// A language with a template and a way to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// With the crate `mustdo-plugin`.
    Rust,
    /// With componentize-py: the component carries the interpreter.
    Python,
    /// With componentize-qjs: the component carries QuickJS.
    JavaScript,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::JavaScript];

    /// As it is typed, and the name of its template.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
        }
    }

    /// The files that tell it, any one of them.
    fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["Cargo.toml"],
            Self::Python => &["pyproject.toml", "app.py"],
            Self::JavaScript => &["package.json"],
        }
    }

    /// The language of the project in `folder`.
    pub fn of(folder: &Path) -> Result<Self, ToolchainError> {
        let mark = |language: &Self| {
            language
                .marks()
                .iter()
                .copied()
                .find(|mark| folder.join(mark).is_file())
                .map(|mark| (*language, mark))
        };
        let found: Vec<_> = Self::ALL.iter().filter_map(mark).collect();
        match found[..] {
            [(language, _)] => Ok(language),
            [] => Err(ToolchainError::NoProject { folder: folder.to_owned() }),
            _ => Err(ToolchainError::Ambiguous {
                folder: folder.to_owned(),
                found: found.into_iter().map(|(_, mark)| mark).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn language_is_told_by_its_project_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Language::of(folder.path()), Err(ToolchainError::NoProject { .. })));
        File::create(folder.path().join("app.py")).unwrap();
        assert_eq!(Language::of(folder.path()).unwrap(), Language::Python);
        File::create(folder.path().join("pyproject.toml")).unwrap();
        assert_eq!(Language::of(folder.path()).unwrap(), Language::Python);
        File::create(folder.path().join("Cargo.toml")).unwrap();
        let told = Language::of(folder.path()).unwrap_err().to_string();
        assert!(told.ends_with("holds several projects: Cargo.toml and pyproject.toml"), "{told}");
    }
}
