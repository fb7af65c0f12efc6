//! Exit codes: one table, used by the code and printed by `--help`.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and what was asked holds.
    Holds,
    /// What was asked could not be decided.
    Undecided,
    /// What was asked does not hold.
    Fails,
    /// Wrong usage or content.
    Usage,
    /// Stopped by Ctrl-C.
    Interrupted,
    /// A bug in mustdo.
    Bug,
}

impl Exit {
    /// Every exit, by code.
    pub(crate) const ALL: [Self; 6] =
        [Self::Holds, Self::Fails, Self::Usage, Self::Undecided, Self::Bug, Self::Interrupted];

    /// The number.
    #[must_use]
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Holds => 0,
            Self::Fails => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// When it is used.
    #[must_use]
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Holds => {
                "done; the policy holds, and what was asked for was decided; or --soft, which says what does not hold"
            }
            Self::Fails => "the policy does not hold, a check failed, or a plugin does not build",
            Self::Usage => "wrong usage or content, or a file or repository that can not be used",
            Self::Undecided => {
                "could not be decided: a target is down, a grant is missing, a check could not tell, a learner's repository can not be read"
            }
            Self::Bug => "a bug in mustdo",
            Self::Interrupted => "stopped by Ctrl-C; finished verdicts are kept",
        }
    }

    /// The table for `--help`.
    #[must_use]
    pub(crate) fn table() -> String {
        let rows: Vec<_> =
            Self::ALL.iter().map(|exit| format!("  {:<4} {}", exit.code(), exit.meaning())).collect();
        format!("Exit codes:\n{}", rows.join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_news_wins_over_better() {
        assert!(Exit::Fails > Exit::Undecided && Exit::Undecided > Exit::Holds);
    }
}
