//! Why a run gave no verdict, told from what wasmtime reports.

use thiserror::Error;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::model::plain_line;
use crate::verify::RunFault;

use super::limit::{HOSTCALL_BYTES, LINE_CHARS, RESOURCES, Refusal, STACK_BYTES, TABLE_ELEMENTS};
use super::state::State;

/// A host function was asked for more than it gives and has no failure to answer with.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct OverLimit(pub(super) String);

/// What ended a call that `error` came out of.
pub(super) fn of(error: &wasmtime::Error, state: &State) -> RunFault {
    match state.limiter.refused() {
        Some(Refusal::Memory) => {
            return RunFault::OutOfMemory { limit: state.limiter.memory_limit() as u64 };
        }
        Some(Refusal::Table) => {
            return RunFault::OverLimit(format!("tables may have {TABLE_ELEMENTS} elements"));
        }
        None => {}
    }
    if let Some(what) = over_limit(error) {
        return RunFault::OverLimit(what);
    }
    // wasmtime has a type for this and keeps it to itself; a test holds the words.
    if error.root_cause().to_string().contains("fuel allocated for hostcalls") {
        return RunFault::OverLimit(format!("one call may carry {} MiB to the host", HOSTCALL_BYTES >> 20));
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref() {
        return RunFault::OutOfStack { limit: STACK_BYTES as u64 };
    }
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let cause = cause.trim_start_matches("wasm trap: ");
    // A panic reaches the host as `unreachable`; what the plugin logged just before tells people more.
    RunFault::Trapped(match state.log.last_error() {
        Some(words) => plain_line(&format!("{words} ({cause})"), LINE_CHARS),
        None => plain_line(cause, LINE_CHARS),
    })
}

/// The limit that a host function ended the run with, where it was one.
pub(super) fn over_limit(error: &wasmtime::Error) -> Option<String> {
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(format!("a run may hold {RESOURCES} clients and trees"));
    }
    error.downcast_ref().map(|OverLimit(what)| what.clone())
}
