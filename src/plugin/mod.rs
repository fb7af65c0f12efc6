//! The wasm host: the only place that knows wasmtime.
//!
//! Start at [`Host`]: it loads plugins, asks them what they are, and runs their checks as a
//! [`Verifier`](crate::verify::Verifier). Each run has a store of its own with limits on time, memory, tables, handles
//! and messages (`limit`), reaches only what its task allows, and leaves a list of what it reached (`access`). A plugin
//! that crashes, hangs, lies or floods ends as a [`RunError`](crate::verify::RunError), never as the learner's failure.

mod access;
mod attachment;
mod attempt;
mod bundle;
mod cache;
mod clock;
mod compile;
mod component;
mod contract;
mod control;
mod description;
mod engine;
mod environment;
mod failure;
mod fault;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod host;
mod http;
mod limit;
mod log;
mod network;
mod output;
mod package;
mod process;
mod scratch;
mod stage;
mod state;
mod tape;
mod tcp;
mod udp;
mod upgrade;
mod verdict;

pub use bundle::{Bundle, BundleError};
pub use cache::{CacheError, CachePolicy};
pub use compile::{CompileError, Compiler, compile};
pub use component::LoadError;
pub use engine::Backend;
pub use files::SecretError;
pub use host::{Backends, DescribeError, Host, HostError, HostOptions, Loaded, Plugin};
pub use limit::COMPONENT_BYTES;
pub use package::{PackageError, package};
pub use process::ProgramOptions;
pub use tape::{Comparison, Keep, Recorder, Recording, RecordingError, Replayed, Replayer, Unplayable};
pub use upgrade::optimise;
