//! What can go wrong between mustdo and the disk.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A file or repository that could not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file could not be read.
    #[error("can not read {}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written; what stood there before still does.
    #[error("can not write {}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has more bytes than a file of its kind has.
    #[error("{} has more than {} MiB", .path.display(), .limit >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Bytes.
        limit: usize,
    },
    /// A link that leads out of somebody else's workspace.
    #[error("{} leads out of its workspace", .path.display())]
    Outside {
        /// Which.
        path: PathBuf,
    },
    /// More than is read of somebody else's workspace.
    #[error("{} has more, or larger, files than a workspace has", .path.display())]
    TooMuch {
        /// Which.
        path: PathBuf,
    },
    /// A file is not UTF-8.
    #[error("{} is not UTF-8 text: byte {offset} does not belong to any character", .path.display())]
    Encoding {
        /// Which.
        path: PathBuf,
        /// The first byte that is wrong, counted from 0.
        offset: usize,
    },
    /// Another mustdo holds the lock for too long.
    #[error("another mustdo has been writing to {} for more than {seconds} seconds", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// Git refused.
    #[error("git: can not {action}")]
    Git {
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// Why.
        source: git2::Error,
    },
    /// No commit has that name.
    #[error("git: there is no commit \"{name}\"")]
    Revision {
        /// As written.
        name: String,
        /// Why.
        source: git2::Error,
    },
    /// Two commits that go back to nothing in common.
    #[error("git: \"{one}\" and \"{other}\" have no commit in common")]
    Unrelated {
        /// As written.
        one: String,
        /// As written.
        other: String,
    },
    /// The repository is in the middle of something else.
    #[error("git: the repository is in the middle of a {state}; nothing was committed")]
    Busy {
        /// What is going on: "merge", "rebase".
        state: &'static str,
    },
    /// Git trusts no repository of another user: its settings can name programs.
    #[error("git: {} belongs to another user, and git does not trust it", .path.display())]
    Foreign {
        /// Where the repository was looked for.
        path: PathBuf,
    },
    /// There is no work tree to write in.
    #[error("{} is a bare git repository: a workspace needs a work tree", .path.display())]
    Bare {
        /// Which.
        path: PathBuf,
    },
    /// Something that is no ordinary file stands where a checklist is taken from.
    #[error("{place} is not taken: {why}")]
    Unfit {
        /// Where, as people are to see it.
        place: String,
        /// What it is.
        why: &'static str,
    },
    /// A glob of a watched path is not one.
    #[error("\"{glob}\" is not a pattern")]
    Glob {
        /// As written.
        glob: String,
        /// Why.
        source: globset::Error,
    },
    /// A folder could not be walked.
    #[error("can not list {}", .path.display())]
    Walk {
        /// Where it began.
        path: PathBuf,
        /// Why.
        source: ignore::Error,
    },
}
