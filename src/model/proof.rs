//! Whether anybody has shown that a plugin's checks tell right from wrong.

/// What is known of a plugin's own proof. It shows its author's care, not honesty: a plugin can know its cases by heart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The recordings that it carries were replayed on this machine, and each gave what it had to.
    Replayed {
        /// How many known-good targets.
        good: usize,
        /// How many known-bad ones.
        bad: usize,
    },
    /// It ships with mustdo, whose own tests hold it against known mistakes.
    Shipped {
        /// How many.
        mistakes: usize,
    },
    /// Nothing shows it.
    Unproven {
        /// What is missing or wrong, in words.
        why: String,
    },
}

impl Proof {
    /// Whether something shows that it tells right from wrong.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        match self {
            Self::Replayed { .. } | Self::Shipped { .. } => true,
            Self::Unproven { .. } => false,
        }
    }

    /// The word for it: `proven` or `unproven`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.is_proven() { "proven" } else { "unproven" }
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = self.word();
        match self {
            Self::Replayed { good, bad } => {
                write!(formatter, "{word}: replayed here, {good} known-good and {bad} known-bad")
            }
            Self::Shipped { mistakes } => {
                write!(formatter, "{word}: held against {mistakes} known mistakes, docs/proof.md")
            }
            Self::Unproven { why } => write!(formatter, "{word}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_words_of_its_own() {
        let words = [
            (Proof::Replayed { good: 1, bad: 3 }, "proven: replayed here, 1 known-good and 3 known-bad"),
            (Proof::Shipped { mistakes: 18 }, "proven: held against 18 known mistakes, docs/proof.md"),
            (Proof::Unproven { why: "it carries no cases".to_owned() }, "unproven: it carries no cases"),
        ];
        for (proof, said) in words {
            assert_eq!(proof.to_string(), said);
            assert_eq!(proof.is_proven(), said.starts_with("proven"));
        }
    }
}
