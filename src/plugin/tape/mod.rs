//! Recordings of host calls, and runs that are answered from one.
//!
//! Every call of a plugin goes through [`Taped`](call::Taped), a thin layer over the interfaces, which know nothing of
//! it. What it does with a call is up to the run's [`Tape`]: pass it on ([`Tape::Live`]), pass it on and write down what
//! was asked and answered ([`writer`]), or answer it from a recording without touching anything ([`reader`]). The file
//! format is documented in `docs/recording.md`.
//!
//! Start at [`Recorder`] for making recordings and at [`Replayer`] for running a plugin from one.

mod call;
mod header;
mod line;
mod reader;
mod recorder;
mod recording;
mod replayer;
#[cfg(test)]
mod sample;
mod shape;
mod wasi;
mod writer;
mod written;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::verify::RunFault;

use super::contract::{RunError, types};

pub use recorder::{Keep, Recorder};
pub use recording::{Recording, RecordingError};
pub use replayer::{Comparison, Replayed, Replayer, Unplayable};

pub(super) use call::{OnTape, Taped};
use reader::Reader;
pub(super) use wasi::on_tape;
use writer::Writer;
use written::{Arguments, Written};

/// What becomes of the host calls of one run. Copies share it.
#[derive(Clone)]
pub(super) enum Tape {
    /// They reach the world, and nothing is kept.
    Live,
    /// They reach the world and are written down.
    Recording(Arc<Mutex<Writer>>),
    /// They are answered from a recording.
    Replaying(Arc<Mutex<Reader>>),
}

/// What the tape says of a call that is about to be made.
enum Asked<T> {
    /// Make it.
    Live,
    /// Make it, and tell the tape how it ended.
    Recorded,
    /// It was made when the recording was: this was the answer.
    Replayed(T),
}

impl Tape {
    /// Announces a call. Fails where a replay has no answer to it.
    fn ask<T: Written>(
        &self,
        call: &'static str,
        arguments: impl FnOnce(Arguments<'_>) -> Arguments<'_>,
    ) -> wasmtime::Result<Asked<T>> {
        match self {
            Self::Live => Ok(Asked::Live),
            Self::Recording(writer) => {
                locked(writer).begin(call, arguments);
                Ok(Asked::Recorded)
            }
            Self::Replaying(reader) => Ok(Asked::Replayed(locked(reader).answer(call, arguments)?)),
        }
    }

    /// Tells how a recorded call ended.
    fn tell<T: Written>(&self, answer: Result<&T, &wasmtime::Error>) {
        if let Self::Recording(writer) = self {
            locked(writer).end(answer);
        }
    }

    /// A call that can not fail, of something that wasmtime's own WASI asks for: `live` where the tape has no answer.
    fn observe<T: Written>(
        &self,
        call: &'static str,
        arguments: impl FnOnce(Arguments<'_>) -> Arguments<'_>,
        live: impl FnOnce() -> T,
    ) -> T {
        match self.ask(call, arguments) {
            Ok(Asked::Replayed(answer)) => answer,
            Ok(Asked::Live) | Err(_) => live(),
            Ok(Asked::Recorded) => {
                let answer = live();
                self.tell(Ok(&answer));
                answer
            }
        }
    }

    /// Compares the answer to a call that a replay makes, too, with the recorded one.
    fn confirm<T: Written>(&self, call: &'static str, recorded: &T, live: &T) {
        if let Self::Replaying(reader) = self {
            locked(reader).confirm(call, recorded, live);
        }
    }

    /// Takes what the plugin returned.
    pub(super) fn returned(&self, answer: &Result<types::Verdict, RunError>) {
        match self {
            Self::Live => {}
            Self::Recording(writer) => locked(writer).returned(answer),
            Self::Replaying(reader) => locked(reader).returned(answer),
        }
    }

    /// Why a replay is no run of the plugin, if so. It comes before everything that the plugin concludes.
    pub(super) fn fault(&self) -> Option<RunFault> {
        match self {
            Self::Live | Self::Recording(_) => None,
            Self::Replaying(reader) => locked(reader).fault(),
        }
    }
}

/// Nothing that holds the lock can leave half a line behind.
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
