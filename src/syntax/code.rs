//! Every kind of problem: its stable code and what it means.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Severity;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal)*) => {
        /// A kind of problem. The letter says how much it matters: `E` error, `W` warning. A code is never given to
        /// another kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as shown: `E0103`.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What it means, an example of it and how to mend it: plain text with Markdown's code fences. The first
            /// line is a title.
            #[must_use]
            pub fn explain(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("explain/", $code, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// Not TOML.
    Syntax "E0101"
    /// A format of a newer mustdo.
    Format "E0102"
    /// A key that means nothing.
    UnknownKey "E0103"
    /// A key that has to be there.
    MissingKey "E0104"
    /// A value of another type.
    WrongType "E0105"
    /// A name that can't be one.
    BadName "E0106"
    /// A word that is not one of the few known.
    UnknownWord "E0107"
    /// A number that is too small or too large.
    OutOfRange "E0108"
    /// A text that lacks a language.
    MissingLanguage "E0109"
    /// Nothing where something has to be.
    Empty "E0110"
    /// Not a span of time.
    BadSpan "E0111"
    /// Not a semantic version.
    BadVersion "E0112"
    /// Not a glob, or one that can match nothing.
    BadGlob "E0113"
    /// A parameter that JSON can't hold.
    BadParameter "E0114"
    /// Not a moment or a day.
    BadTime "E0115"
    /// Not a digest or a seed.
    BadDigest "E0116"
    /// Bytes that are not UTF-8.
    NotText "E0117"
    /// A variable of the user's where an author writes.
    ForeignVariable "E0118"
    /// An id that something else has.
    DuplicateId "E0201"
    /// A former id that is in use.
    FormerId "E0202"
    /// A needed item that does not exist.
    UnknownNeed "E0203"
    /// Items that need each other.
    NeedCircle "E0204"
    /// A group that does not exist.
    UnknownGroup "E0205"
    /// Groups that stand under each other.
    GroupCircle "E0206"
    /// A check that an item uses twice.
    DuplicateCheck "E0207"
    /// An entry that is in a list twice.
    Repeated "W0208"
    /// A version that is too low for what changed.
    VersionTooLow "E0209"
    /// An id that was another item's.
    ReusedId "E0210"
    /// A checklist that does not exist.
    UnknownChecklist "E0211"
    /// Not an address.
    BadAddress "E0301"
    /// An address of an encrypted service.
    NotClearText "E0302"
    /// A port to be chosen, for a program that is not told.
    PortUntold "E0303"
    /// A key that has no effect where it is.
    UselessKey "E0304"
    /// Not a capability.
    BadCapability "E0305"
    /// Not the absolute path of a program.
    BadProgram "E0306"
    /// A plugin that is not there.
    UnknownPlugin "E0401"
    /// A check that its plugin does not have.
    UnknownCheck "E0402"
    /// A target name that the plugin does not ask for.
    UnaskedTarget "E0403"
    /// A target of another kind than the check works on.
    TargetKind "E0404"
    /// A parameter that the check does not take.
    RefusedParameter "E0405"
    /// Settings for an item that does not exist.
    UnknownItem "E0406"
    /// A plugin whose description of its parameters is broken.
    BrokenSchema "E0407"
    /// A target that `mustdo.toml` does not have.
    UnknownTarget "W0408"
    /// A permission for a plugin that is not there.
    UnknownGrant "W0409"
    /// A permission to start a target that does not say which program.
    GrantWithoutProgram "W0410"
    /// A record in a place where it can't be.
    MisplacedRecord "E0501"
    /// A progress file that is not named after its checklist.
    MisnamedFile "E0502"
    /// A record whose verdict contradicts itself.
    BrokenRecord "E0503"
    /// A source that is none.
    BadSource "E0601"
    /// A plugin that is not the one that was added.
    ChangedPlugin "E0602"
    /// A plugin that was added and is not there.
    MissingPlugin "E0603"
    /// A plugin file that is not named after an id.
    MisnamedPlugin "E0604"
    /// A plugin that nobody added.
    UnlockedPlugin "W0605"
    /// A target of a case that `cases.toml` does not have.
    UnknownCaseTarget "E0701"
    /// A checklist that was changed here and where it came from.
    Conflict "E0801"
    /// A checklist that was changed from nobody knows what.
    LostBase "E0802"
    /// Not the address of a repository.
    BadRepository "E0901"
}

impl Code {
    /// How much problems of this kind matter.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.code().starts_with('W') { Severity::Warning } else { Severity::Error }
    }

    /// What it is called: the first line of its explanation.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.explain().lines().next().unwrap_or_default()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

/// A text that is no code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no code \"{0}\"")]
pub struct ParseCodeError(String);

impl FromStr for Code {
    type Err = ParseCodeError;

    /// Reads a code; small letters will do.
    fn from_str(text: &str) -> Result<Self, ParseCodeError> {
        let found = Self::ALL.iter().find(|code| code.code().eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| ParseCodeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_parse_what_they_print_and_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for &code in Code::ALL {
            assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
            assert!(seen.insert(code.code()), "{code} twice");
        }
        assert!("E9999".parse::<Code>().is_err());
    }

    #[test]
    fn explanations_have_a_title_a_wrong_example_and_a_right_one() {
        for &code in Code::ALL {
            let text = code.explain();
            assert!(!code.title().is_empty() && text.lines().nth(1) == Some(""), "{code}");
            assert!(text.contains("\nWrong:\n") && text.contains("\nRight:\n"), "{code}");
            assert_eq!(text.matches("\n```").count(), 4, "{code}");
        }
    }

    #[test]
    fn right_examples_are_toml() {
        for &code in Code::ALL {
            let right = code.explain().split("\nRight:\n").nth(1).unwrap();
            let example = right.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
            assert!(example.parse::<toml::Table>().is_ok(), "{code}:\n{example}");
        }
    }
}
