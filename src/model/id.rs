//! Names that are looked up: each is a newtype that only a valid text becomes.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing there, or nothing between two separators.
    #[error("{what} may not be empty, nor have an empty part")]
    Empty {
        /// What was read, with its article: "an item id".
        what: &'static str,
    },
    /// A character outside the alphabet.
    #[error("{what} may not contain {found:?}: use {alphabet}")]
    Character {
        /// What was read, with its article.
        what: &'static str,
        /// The first character that does not belong.
        found: char,
        /// The characters that do, in words.
        alphabet: &'static str,
    },
    /// Longer than any id has a reason to be.
    #[error("{what} may have at most {limit} characters")]
    Long {
        /// What was read, with its article.
        what: &'static str,
        /// How many bytes are allowed.
        limit: usize,
    },
    /// A check is not written `plugin/check`.
    #[error("a check is written \"plugin/check\", for example \"http-idempotency/safe-get\"")]
    CheckForm,
}

/// Long enough for every name a person would type, short enough for a table cell, a file name and a log line.
const LONGEST: usize = 96;

fn validate(
    text: &str,
    what: &'static str,
    separators: &[char],
    alphabet: &'static str,
) -> Result<(), IdError> {
    if text.len() > LONGEST {
        return Err(IdError::Long { what, limit: LONGEST });
    }
    let allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || separators.contains(&c);
    if let Some(found) = text.chars().find(|&c| !allowed(c)) {
        return Err(IdError::Character { what, found, alphabet });
    }
    if text.split(separators).any(str::is_empty) {
        return Err(IdError::Empty { what });
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $separators:expr, $alphabet:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The id as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                validate(text, $what, $separators, $alphabet)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, formatter)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// An item: dotted, unique in the workspace, never reused: `must-do.xss`.
    ItemId, "an item id", &['.'], "a-z, 0-9, \"-\", and \".\" between parts"
);
id!(
    /// A group: dotted, unique in the workspace.
    GroupId, "a group id", &['.'], "a-z, 0-9, \"-\", and \".\" between parts"
);
id!(
    /// A quiz card: unique in the workspace.
    CardId, "a card id", &['.'], "a-z, 0-9, \"-\", and \".\" between parts"
);
id!(
    /// A checklist; also the name of its progress file.
    ChecklistId, "a checklist id", &[], "a-z, 0-9 and \"-\""
);
id!(
    /// A plugin; third parties prefix their namespace: `acme:http-extra`.
    PluginId, "a plugin id", &[':'], "a-z, 0-9, \"-\", and \":\" after a namespace"
);
id!(
    /// A target, as a plugin asks for it or as the workspace binds it.
    TargetName, "a target name", &[], "a-z, 0-9 and \"-\""
);
id!(
    /// A case that a plugin is proven with; unique in its plugin.
    CaseId, "a case's name", &[], "a-z, 0-9 and \"-\""
);
id!(
    /// A word that items are selected by.
    Tag, "a tag", &[], "a-z, 0-9 and \"-\""
);

impl PluginId {
    /// The name of its file, without what stands after the last dot: with "." for the ":" after a namespace.
    #[must_use]
    pub fn stem(&self) -> String {
        self.as_str().replace(':', ".")
    }
}

/// One question a plugin can answer, written `plugin/check`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    /// The plugin that answers it.
    pub plugin: PluginId,
    /// Its name inside the plugin, kebab-case.
    pub check: Box<str>,
}

impl FromStr for CheckId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (plugin, check) = text.split_once('/').ok_or(IdError::CheckForm)?;
        validate(check, "a check name", &[], "a-z, 0-9 and \"-\"")?;
        Ok(Self { plugin: plugin.parse()?, check: check.into() })
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.plugin, self.check)
    }
}

impl fmt::Debug for CheckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_what_was_written() {
        assert_eq!("must-do.xss".parse::<ItemId>().unwrap().as_str(), "must-do.xss");
        let check: CheckId = "acme:http-extra/a-b".parse().unwrap();
        assert_eq!((check.plugin.as_str(), &*check.check), ("acme:http-extra", "a-b"));
        assert_eq!(check.to_string(), "acme:http-extra/a-b");
    }

    #[test]
    fn ids_refuse_what_could_leave_a_folder_or_a_table() {
        for text in ["", ".", "a..b", "A", "a b", "../x", "a/b", "a\n", "é"] {
            assert!(text.parse::<ItemId>().is_err(), "{text:?}");
            assert!(text.parse::<ChecklistId>().is_err(), "{text:?}");
        }
        assert!("a.b".parse::<ChecklistId>().is_err());
        assert!("x".repeat(97).parse::<ItemId>().is_err());
        assert_eq!("plugin".parse::<CheckId>(), Err(IdError::CheckForm));
    }
}
