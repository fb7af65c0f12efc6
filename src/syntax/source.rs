//! A text that was read, and a place in it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One file as it was read. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as shown to people, "/" between parts.
    pub name: Arc<str>,
    /// All of it; U+FFFD stands for bytes that are not UTF-8.
    pub text: Arc<str>,
    /// Where the first such byte is; none in a text that is one.
    pub(super) invalid: Option<usize>,
}

impl Source {
    /// A text and what to call it.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), invalid: None }
    }

    /// The bytes of a file and what to call it. Where they are no text, a reader says so and gives no value.
    pub fn of_bytes(name: impl Into<Arc<str>>, bytes: &[u8]) -> Self {
        let name = name.into();
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { name, text: text.into(), invalid: None },
            Err(error) => {
                let text = String::from_utf8_lossy(bytes).into();
                Self { name, text, invalid: Some(error.valid_up_to()) }
            }
        }
    }

    /// A place in this text, in bytes.
    #[must_use]
    pub fn spot(&self, span: Range<usize>) -> Spot {
        Spot { source: self.clone(), span }
    }
}

impl fmt::Debug for Source {
    /// The name alone: the text would bury everything around it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Source").field(&self.name).finish()
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub source: Source,
    /// From where to where, in bytes; may be empty.
    pub span: Range<usize>,
}
