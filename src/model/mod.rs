//! What mustdo talks about: checklists, items, proofs, status and readiness.
//!
//! Values and rules only: no input or output, no clock (`now` is an argument), no serde, no wasm. Start at
//! [`Catalog`] for content, [`Verdict`] for proofs and [`Standing`] for the one rule that joins them.

mod capability;
mod case;
mod catalog;
mod checklist;
mod cohort;
mod comparison;
mod digest;
mod history;
mod id;
mod judgement;
mod level;
mod limits;
mod lock;
mod manifest;
mod mask;
mod merge;
mod merged;
mod nearest;
mod origin;
mod partition;
mod pattern;
mod plain;
mod policy;
mod progress;
mod proof;
mod reach;
mod regression;
mod selection;
mod settings;
mod source;
mod span;
mod standing;
mod tally;
mod target;
mod text;
mod value;
mod verdict;

pub use capability::{Capability, CapabilityRequest, ParseCapabilityError};
pub use case::{Case, Cases, Expect, Lack};
pub use catalog::Catalog;
pub use checklist::{Card, CardForm, CheckUse, Checklist, Group, Item, Kind};
pub use cohort::{Cohort, Home, Learner, RepositoryUrl, RepositoryUrlError, RevisionName, RevisionNameError};
pub use comparison::{Aspect, Bump, ChecklistChange, ItemChange, compare, compare_checklists, earlier};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use history::{Change, Point};
pub use id::{CardId, CaseId, CheckId, ChecklistId, GroupId, IdError, ItemId, PluginId, Tag, TargetName};
pub use judgement::{Base, Compared, Judged, Judgement, Scope, Violation};
pub use level::{Level, ParseLevelError, Weight};
pub use limits::{Limit, Limits};
pub use lock::{CommitId, Lock, LockedChecklist, LockedPlugin, ParseCommitIdError, TakenCommit};
pub use manifest::{CheckInfo, PluginInfo};
pub use mask::Mask;
pub use merge::merge_entries;
pub use merged::{Basis, Difference, MergeError, Merged, PartitionResult};
pub use nearest::nearest;
pub use origin::{GitOrigin, Origin, OriginError, TagName};
pub use partition::{Cost, Division, ParsePartitionError, Partition};
pub use pattern::{ArgumentError, Arguments, Pattern};
pub use plain::{disarmed, is_invisible, plain, plain_line, plain_text};
pub use policy::{Ask, Demand, Figures, Flaky, Policy, Undecided, Unproven};
pub use progress::{Attempt, CheckRecord, Claim, Entry, Exhibit, Progress, Record, Waiver};
pub use proof::Proof;
pub use reach::Reach;
pub use regression::{Comparison, Decline, Fallen, Pair, Share, Worse};
pub use selection::{SelectError, Selection};
pub use settings::{
    Address, Definition, Grant, ItemBinding, Launch, Permit, Place, Secrets, Settings, Target,
};
pub use source::{Artifact, PluginSource, Remote, SourceError, SourcePlace};
pub use span::{ParseSpanError, Span};
pub use standing::{Asked, ParseStatusError, Staleness, Standing, Status, turns};
pub use tally::Tally;
pub use target::{Authority, Endpoint, TargetKind};
pub use text::{Language, ParseLanguageError, Text};
pub use value::Value;
pub use verdict::{
    Evidence, Finding, Location, Measurement, Need, Outcome, Score, Severity, Step, Verdict, VerdictError,
};
