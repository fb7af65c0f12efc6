//! The learner's targets: finding them, starting them, waiting until they are ready, stopping them.
//!
//! What a target *is* comes from the learner's own `mustdo.toml`, so the programs started here are the learner's and run
//! as the learner would run them: with the whole environment and without limits. The rule that matters: what is judged
//! must be what the learner named. A port that somebody else answers on is an error, not a target.
//!
//! Start at [`start()`] and [`Started`].

mod behind;
mod error;
mod identity;
mod locate;
mod log;
mod port;
mod probe;
mod service;
mod start;

pub use behind::{Behind, behind};
pub use error::TargetError;
pub use identity::identity;
pub use port::Reserved;
pub use start::{Died, StartOptions, Started, program, start};
