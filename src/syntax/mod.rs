//! Text to model and back, collecting every problem with its place. Pure.
//!
//! A reader never stops at the first problem: it gives a [`Read`] with the best value it could make and every
//! [`Diagnostic`]. Where one of them is an error the value serves only to look for more problems.
//!
//! The way of content: [`read_checklist`] for each file, [`link()`] for the rules between files, [`check_bindings`] for
//! what plugins have to say about it; then [`render()`] shows all that was found.
//!
//! What is written back ([`write_progress`], [`write_lock`], [`grant()`]) is edited, never regenerated: comments, unknown keys and the
//! bytes of everything that did not change survive.

mod address;
mod against;
mod binding;
mod cases;
mod checklist;
mod circle;
mod code;
mod cohort;
mod combine;
mod diagnostic;
mod edit;
mod grant;
mod json;
mod link;
mod lock;
mod manifest;
mod mark;
mod merge;
mod parameter;
mod part;
mod policy;
mod progress;
mod render;
mod result;
pub mod schema;
mod section;
mod settings;
mod shape;
mod source;
mod table;
mod target;
mod write;

pub use against::check_against;
pub use binding::{Unfit, check_bindings, params};
pub use cases::{CasesFile, point_cases, read_cases};
pub use checklist::{ChecklistFile, read_checklist};
pub use code::{Code, ParseCodeError};
pub use cohort::read_cohort;
pub use combine::{CombinedChecklist, Prefer, checklist_base, combine_checklists};
pub use diagnostic::{Diagnostic, Label, Read, Severity};
pub use edit::BrokenText;
pub use grant::{grant, ungrant};
pub use json::params_json;
pub use link::{Linked, Places, link};
pub use lock::{LockFile, misnamed_plugin, read_lock, unlocked_plugin, write_lock};
pub use manifest::standalone_manifest;
pub use merge::merge_progress;
pub use policy::check_policy;
pub use progress::read_progress;
pub use render::render;
pub use result::{read_result, write_result};
pub use section::{ItemProgress, ProgressReader, ProgressVersion};
pub use settings::{SettingsFile, read_settings, read_user_settings};
pub use source::{Source, Spot};
pub use write::write_progress;
