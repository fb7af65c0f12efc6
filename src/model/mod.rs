//! What mustdo talks about: checklists, items, proofs, status and readiness.
//!
//! Values and rules only: no input or output, no clock (`now` is an argument), no serde, no wasm. Start at
//! [`Catalog`] for content, [`Verdict`] for proofs and [`Standing`] for the one rule that joins them.

mod capability;
mod digest;
mod id;
mod manifest;
mod target;
mod text;
mod value;
mod verdict;

pub use capability::{Capability, CapabilityRequest, ParseCapabilityError};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use id::{CardId, CheckId, ChecklistId, GroupId, IdError, ItemId, PluginId, Tag, TargetName};
pub use manifest::{CheckInfo, PluginInfo};
pub use target::{Authority, Endpoint, TargetKind};
pub use text::{Language, ParseLanguageError, Text};
pub use value::Value;
pub use verdict::{
    Evidence, Finding, Location, Measurement, Need, Outcome, Score, Severity, Step, Verdict, VerdictError,
};
