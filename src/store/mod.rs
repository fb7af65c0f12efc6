//! Files and git: the only place that reads and writes the workspace.
//!
//! Start at [`Workspace`]. Files are replaced atomically under a lock ([`WriteLock`]); reading writes nothing. What a
//! file means is not this layer's business: texts go in and out whole.

mod atomic;
mod draft;
mod embedded;
mod error;
mod evidence;
mod fingerprint;
mod folder;
mod git;
mod guard;
mod lock;
mod mirror;
mod revision;
mod scratch;
mod taken;
mod transcript;
mod workspace;

pub use atomic::{Sink, keep, replace, write_program};
pub use draft::write_folder;
pub use embedded::{CHECKLISTS, EmbeddedPlugin, PLUGINS};
pub use error::StoreError;
pub use evidence::Evidence;
pub use fingerprint::fingerprint;
pub use folder::{changed, files, make_folder, newest, read_file};
pub use git::{Commit, Repository};
pub use lock::WriteLock;
pub use mirror::Mirror;
pub use revision::{BlobId, Revision, Room, StoredFile, StoredFolder, Watch};
pub use scratch::Scratch;
pub use taken::{checklists_at, checklists_of_commit};
pub use transcript::TranscriptKey;
pub use workspace::{TextFile, Workspace, read_at_most, read_text};
