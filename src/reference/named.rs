//! Enums whose variants go by a name on the command line: the flaws and the quirks.

/// A name that no variant has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} is called {name:?}")]
pub struct UnknownName {
    /// What was looked for: `flaw` or `quirk`.
    pub kind: &'static str,
    /// The name as it was given.
    pub name: String,
}

/// Declares an enum from rows of variant, name and summary, so that a row cannot be half there.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $Enum:ident is $kind:literal {
            $($Variant:ident $name:literal $summary:literal)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $Enum {
            $(#[doc = $summary] $Variant,)+
        }

        impl $Enum {
            /// Every variant once, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// The name on the command line: lower case, unique in the enum.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)+
                }
            }

            /// What is different from the good service, as one English sentence.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self {
                    $(Self::$Variant => $summary,)+
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl std::str::FromStr for $Enum {
            type Err = $crate::reference::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|variant| variant.name() == name)
                    .ok_or_else(|| $crate::reference::UnknownName { kind: $kind, name: name.to_owned() })
            }
        }
    };
}
pub(super) use named;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{Flaw, Quirk};

    #[test]
    fn names_are_unique_and_parse_back() {
        let mut seen = HashSet::new();
        for flaw in Flaw::ALL {
            assert!(seen.insert(flaw.name()), "{flaw}");
            assert_eq!(flaw.name().parse(), Ok(*flaw));
        }
        for quirk in Quirk::ALL {
            assert!(seen.insert(quirk.name()), "{quirk}");
            assert_eq!(quirk.name().parse(), Ok(*quirk));
        }
    }

    #[test]
    fn an_unknown_name_is_told_back() {
        let error = "double-submit/nothing".parse::<Flaw>().unwrap_err();
        assert_eq!(error.to_string(), "no flaw is called \"double-submit/nothing\"");
    }

    #[test]
    fn summaries_are_one_sentence() {
        for summary in
            Flaw::ALL.iter().map(|flaw| flaw.summary()).chain(Quirk::ALL.iter().map(|quirk| quirk.summary()))
        {
            assert!(summary.ends_with('.') && summary.len() < 110, "{summary}");
        }
    }
}
