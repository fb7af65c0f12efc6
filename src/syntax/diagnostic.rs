//! A problem as data: what, where, and what to do.

use std::ops::Range;

use super::{Code, Source, Spot};

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What was read can't be used.
    Error,
    /// It can be used and is probably not what was meant.
    Warning,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem; explained by [`Code::explain`].
    pub code: Code,
    /// How much it matters; always [`Code::severity`].
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; the first is the primary one. Never empty.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

/// A place that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file.
    pub source: Source,
    /// From where to where, in bytes; may be empty.
    pub span: Range<usize>,
    /// What is the matter there; may be empty.
    pub text: String,
    /// Whether the problem is here, not only related to here.
    pub primary: bool,
}

impl Label {
    fn new(spot: Spot, text: impl Into<String>, primary: bool) -> Self {
        Self { source: spot.source, span: spot.span, text: text.into(), primary }
    }
}

impl Diagnostic {
    /// A problem at a place.
    pub(super) fn new(code: Code, message: impl Into<String>, spot: Spot, text: impl Into<String>) -> Self {
        let labels = vec![Label::new(spot, text, true)];
        Self { code, severity: code.severity(), message: message.into(), labels, help: None }
    }

    /// Another place it is about.
    pub(super) fn also(mut self, spot: Spot, text: impl Into<String>) -> Self {
        self.labels.push(Label::new(spot, text, false));
        self
    }

    /// What to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do, where the nearest known name is known.
    pub(super) fn did_you_mean(mut self, nearest: Option<&str>) -> Self {
        if let Some(nearest) = nearest {
            self.help = Some(format!("did you mean \"{nearest}\"?"));
        }
        self
    }
}

/// What a reader made of a text.
#[derive(Debug)]
pub struct Read<T> {
    /// The value; none where nothing could be made of the text. Where an error was found it is a best effort, good
    /// only for finding more problems.
    pub value: Option<T>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}
