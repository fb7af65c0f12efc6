//! A program that somebody keeps running.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Program;

/// A program behind a target, that its owner started and can start once more. Whoever is handed one may disturb it, and
/// its owner keeps account of that: a death that nobody caused is never made good by a restart.
pub trait Supervised: Debug + Send + Sync {
    /// The program as it runs now, or as it ended.
    fn program(&self) -> Arc<Program>;

    /// To be called before a signal is sent to it or to what it started: what happens to it from now on was caused.
    fn disturb(&self);

    /// Starts a second copy beside it, exactly as it was started itself, on the same port; or says why none started.
    /// Whether the copy gets ready is for whoever asked to see. Blocks for as long as the system takes to start it.
    fn beside(&self) -> Result<Program, String>;

    /// Kills what is left of it, starts it exactly as before and waits until it is ready, for `patience` at most; or
    /// says what is missing. When the future is dropped, nothing runs.
    fn restart(
        &self,
        patience: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<Program>, String>> + Send + '_>>;
}
