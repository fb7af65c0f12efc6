//! Which checks run, in which order, and what they report while they do.
//!
//! Knows no files and no wasm: whatever can run one [`Task`] is a [`Verifier`], so the scheduler is tested with a fake.

mod event;
mod task;
mod verifier;

pub use event::{Event, Reporter};
pub use task::{Task, TaskId};
pub use verifier::{Access, Run, RunError, RunFault, Verifier};
