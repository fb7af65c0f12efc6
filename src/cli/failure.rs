//! What a command gives back when it can not do its work.

use std::error::Error;
use std::fmt::Write as _;

use super::exit::Exit;
use crate::model::{SelectError, plain_line, plain_text};
use crate::store::StoreError;

/// A command that could not do its work: what went wrong, and ways out.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: What,
    hints: Vec<String>,
}

#[derive(Debug)]
enum What {
    /// An error and its causes.
    Error(Box<dyn Error + Send + Sync>),
    /// Text that is already laid out, such as diagnostics with carets.
    Rendered(String),
}

impl Failure {
    /// Wrong usage or content.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Usage, what: What::Error(error.into()), hints: vec![] }
    }

    /// Something needed is missing, so that nothing could be decided.
    pub(crate) fn undecided(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Undecided, what: What::Error(error.into()), hints: vec![] }
    }

    /// Problems in content, laid out with their places.
    pub(crate) fn content(rendered: String) -> Self {
        Self { exit: Exit::Usage, what: What::Rendered(rendered), hints: vec![] }
    }

    /// A bug in mustdo.
    pub(crate) fn bug(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let hint = "this is a bug in mustdo: please report it with the command and this text".to_owned();
        Self { exit: Exit::Bug, what: What::Error(error.into()), hints: vec![hint] }
    }

    /// Adds a way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The error and its causes on one line, without the hints: what is said of one of many.
    pub(crate) fn line(&self) -> String {
        match &self.what {
            What::Rendered(rendered) => plain_line(rendered, usize::MAX),
            What::Error(error) => {
                let mut line = error.to_string();
                let mut cause = error.source();
                while let Some(error) = cause {
                    // Writing to a string can not fail.
                    let _ = write!(line, ": {error}");
                    cause = error.source();
                }
                plain_line(&line, usize::MAX)
            }
        }
    }

    /// What is printed on stderr: the error, its causes, and the hints.
    pub(crate) fn render(&self) -> String {
        let mut text = match &self.what {
            What::Rendered(rendered) => rendered.clone(),
            What::Error(error) => {
                let mut text = format!("error: {}\n", fit(error.as_ref()));
                let mut cause = error.source();
                while let Some(error) = cause {
                    // Writing to a string can not fail.
                    let _ = writeln!(text, "  because: {}", fit(error));
                    cause = error.source();
                }
                text
            }
        };
        for hint in &self.hints {
            let _ = writeln!(text, "  try: {}", plain_text(hint, usize::MAX));
        }
        text
    }
}

/// An error may name a file, and a file may be called anything.
fn fit(error: &dyn Error) -> String {
    plain_text(&error.to_string(), usize::MAX)
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let way_out = if let StoreError::Foreign { path } = &error {
            Some(format!("git config --global --add safe.directory {}", path.display()))
        } else {
            None
        };
        way_out.into_iter().fold(Self::usage(error), Self::hint)
    }
}

impl From<Vec<SelectError>> for Failure {
    fn from(errors: Vec<SelectError>) -> Self {
        let mut rendered = String::new();
        for error in errors {
            let _ = writeln!(rendered, "error: {error}");
            match error {
                SelectError::Unknown { nearest: Some(nearest), .. }
                | SelectError::Tag { nearest: Some(nearest), .. } => {
                    let _ = writeln!(rendered, "  try: did you mean \"{nearest}\"?");
                }
                SelectError::Unknown { nearest: None, .. }
                | SelectError::Tag { nearest: None, .. }
                | SelectError::Empty { .. } => {
                    let _ = writeln!(rendered, "  try: mustdo list");
                }
                SelectError::Ambiguous { .. } => {
                    let _ = writeln!(rendered, "  try: one of these ids in full");
                }
                SelectError::Pattern { .. } => {}
            }
        }
        Self { exit: Exit::Usage, what: What::Rendered(rendered), hints: vec![] }
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        vec![error].into()
    }
}
