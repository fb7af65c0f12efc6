//! Everything that needs more than one module: one binary, a file a subject.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the fences are for the tool: a test reads what it likes, and says where it stood when it can not go on"
)]

mod command;
mod content;
mod examiner;
#[cfg(feature = "live-servers")]
mod flask;
mod guest;
mod host;
mod hostile;
mod invalid;
mod layers;
mod limits;
mod matrix;
mod progress;
mod readme;
mod sandbox;
mod schema;
mod shipped;
mod shop;
#[cfg(target_os = "linux")]
mod startup;
mod verify;
