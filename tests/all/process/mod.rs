//! Programs that plugins start, signal and bring back; and that nothing of them is left, however a run ends.

pub(crate) mod bench;
mod census;
mod copy;
mod remains;
pub(crate) mod script;
mod start;
mod target;
