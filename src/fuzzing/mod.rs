//! What the fuzzer drives: every door through which foreign bytes come in, and what must hold behind it.
//!
//! Each [`Door`] takes any bytes at all and panics where a promise is broken. The seeds and every input that once broke one
//! lie in `fuzz/corpus`, and an ordinary test sends them through their doors; `fuzz/run` looks for more.

mod content;
mod told;

/// A way in for bytes that mustdo did not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A checklist file.
    Checklist,
    /// `mustdo.toml`.
    Settings,
    /// A progress file.
    Progress,
    /// Three versions of a progress file, to be merged.
    Merge,
    /// The versions of a progress file in the commits of a workspace.
    Versions,
    /// A plugin's `cases.toml`.
    Cases,
    /// The file that `mustdo cohort` reads.
    Cohort,
    /// What a plugin carries to be proven with.
    Bundle,
    /// `mustdo.lock`.
    Lock,
    /// What a partition of a run saw.
    Result,
    /// The recording of a run.
    Recording,
    /// A server's answer to an HTTP request.
    Answer,
    /// A registry's manifest, or its challenge to who asks for one.
    Registry,
    /// A plugin's verdict.
    Verdict,
    /// A plugin's description of itself.
    Description,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 15] = [
        Self::Checklist,
        Self::Settings,
        Self::Progress,
        Self::Merge,
        Self::Versions,
        Self::Cases,
        Self::Cohort,
        Self::Bundle,
        Self::Lock,
        Self::Result,
        Self::Recording,
        Self::Answer,
        Self::Registry,
        Self::Verdict,
        Self::Description,
    ];

    /// The word on the fuzzer's command line, and the name of the folder with its seeds.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Checklist => "checklist",
            Self::Settings => "settings",
            Self::Progress => "progress",
            Self::Merge => "merge",
            Self::Versions => "versions",
            Self::Cases => "cases",
            Self::Cohort => "cohort",
            Self::Bundle => "bundle",
            Self::Lock => "lock",
            Self::Result => "result",
            Self::Recording => "recording",
            Self::Answer => "answer",
            Self::Registry => "registry",
            Self::Verdict => "verdict",
            Self::Description => "description",
        }
    }

    /// Sends `bytes` through.
    ///
    /// # Panics
    ///
    /// Where something that must hold does not.
    pub fn enter(self, bytes: &[u8]) {
        match self {
            Self::Checklist => content::checklist(bytes),
            Self::Settings => content::settings(bytes),
            Self::Progress => content::progress(bytes),
            Self::Merge => content::merge(bytes),
            Self::Versions => content::versions(bytes),
            Self::Cases => content::cases(bytes),
            Self::Cohort => content::cohort(bytes),
            Self::Bundle => crate::plugin::fuzz::bundle(bytes),
            Self::Lock => content::lock(bytes),
            Self::Result => content::result(bytes),
            Self::Recording => told::recording(bytes),
            Self::Answer => crate::plugin::fuzz::answer(bytes),
            Self::Registry => told::registry(bytes),
            Self::Verdict => told::verdict(bytes),
            Self::Description => told::description(bytes),
        }
    }
}

/// Whether `text` may go to a terminal: no character in it steers one.
fn assert_plain(text: &str, what: &str) {
    let steers = |c: char| (c.is_control() && c != '\n') || crate::model::is_invisible(c);
    if let Some(at) = text.find(steers) {
        let from = text.floor_char_boundary(at.saturating_sub(80));
        panic!("{what} has a character that steers: {:?}", &text[from..text.ceil_char_boundary(at + 4)]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the seeds are files")]
    fn seeds_and_what_once_broke_pass_through_every_door() {
        for door in Door::ALL {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(door.word());
            let mut seen = 0;
            for entry in std::fs::read_dir(&folder).unwrap() {
                door.enter(&std::fs::read(entry.unwrap().path()).unwrap());
                seen += 1;
            }
            assert!(seen > 3, "{} has {seen} seeds", folder.display());
        }
    }
}
