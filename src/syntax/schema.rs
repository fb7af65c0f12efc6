//! JSON Schemas (draft 2020-12) of the kinds of file, for editors.

/// Of a checklist: `checklists/*.toml`.
pub const CHECKLIST: &str = include_str!("schema/checklist.json");
/// Of `mustdo.toml`.
pub const WORKSPACE: &str = include_str!("schema/workspace.json");
/// Of a progress file: `progress/*.toml`.
pub const PROGRESS: &str = include_str!("schema/progress.json");
/// Of `mustdo.lock`.
pub const LOCK: &str = include_str!("schema/lock.json");
/// Of a plugin's `cases.toml`.
pub const CASES: &str = include_str!("schema/cases.json");
/// Of what `mustdo verify --partition` writes.
pub const RESULT: &str = include_str!("schema/result.json");
/// Of the file that `mustdo cohort` reads.
pub const COHORT: &str = include_str!("schema/cohort.json");
