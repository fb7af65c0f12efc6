//! Which checks run, in which order, and what they report while they do.
//!
//! Knows no files and no wasm: whatever can run one [`Task`] is a [`Verifier`], so the scheduler is tested with a fake.
//! Start at [`Plan`], which says what runs and why the rest is left out, and go on with [`run`].

mod event;
mod job;
mod leftout;
mod masking;
mod order;
mod permission;
mod plan;
mod queue;
mod retry;
mod schedule;
mod task;
mod verifier;

pub use event::{Event, Reporter};
pub use job::Job;
pub use leftout::{LeftOut, Unbound, Why};
pub use permission::{Installed, MissingGrant, Programs};
pub use plan::{ParamsFault, ParamsText, Plan, PlanInput, Planned, deadline};
pub use retry::Retrying;
pub use schedule::run;
pub use task::{Task, TaskId};
pub use verifier::{Access, Run, RunError, RunFault, Trace, Verifier};
