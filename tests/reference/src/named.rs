//! Enums whose variants go by a name on the command line: the flaws.

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

            /// The variant of a name.
            ///
            /// # Errors
            ///
            /// That there is none, in words.
            pub fn named(name: &str) -> Result<Self, String> {
                let known = Self::ALL.iter().copied().find(|variant| variant.name() == name);
                known.ok_or_else(|| format!("no {} is called '{name}'", $kind))
            }
        }
    };
}
pub(crate) use named;
