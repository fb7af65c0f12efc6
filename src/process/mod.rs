//! Starting programs and being sure that they end; and what the system tells of processes.
//!
//! The lowest layer beside `model`: it knows no targets, no plugins and no files of the workspace. Start at
//! [`Program::start`] for a program with everything it starts itself, and at [`ProcessId`] for any other process.
//!
//! A program is started by a *guard* where one is known: this very executable once more, in a small role of its own
//! ([`guard()`]). The guard adopts whatever the program leaves behind and kills all of it as soon as mustdo is gone or
//! says so. So nothing survives a run, also not a child that detached itself, and not when mustdo is killed.

mod exit;
mod facts;
mod guard;
mod identity;
mod owner;
mod program;
mod supervised;
mod table;
mod wire;

pub use exit::{Ended, Exit};
pub use facts::{Facts, Socket};
pub use guard::guard;
pub use identity::ProcessId;
pub use owner::{OwnerError, owner};
pub use program::{Order, Program, Streams, Variables};
pub use rustix::process::Signal;
pub use supervised::Supervised;
pub use table::{facts, is_below, sockets};
