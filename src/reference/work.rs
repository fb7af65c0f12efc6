//! Work that outlives the connection it was asked for on.

use std::future::Future;

use tokio::{sync::watch, task::JoinHandle};

/// The work under way. A client that hangs up, or a user who reloads the page, does not undo what was begun.
#[derive(Debug)]
pub(super) struct Work {
    under_way: watch::Sender<usize>,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { under_way: watch::Sender::new(0) }
    }

    /// Starts `work` on a task of its own.
    pub(super) fn spawn<Outcome>(
        &self,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) -> JoinHandle<Outcome>
    where
        Outcome: Send + 'static,
    {
        let counted = Counted::new(self.under_way.clone());
        tokio::spawn(async move {
            let outcome = work.await;
            drop(counted);
            outcome
        })
    }

    /// Waits until nothing is under way.
    pub(super) async fn idle(&self) {
        // The only error is a closed channel, and `self` keeps it open.
        let _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// One piece of work; dropped when it ends in whatever way.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(under_way: watch::Sender<usize>) -> Self {
        under_way.send_modify(|count| *count += 1);
        Self(under_way)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn idle_waits_for_work_that_nobody_waits_for() {
        let work = Work::new();
        work.idle().await;
        let start = Instant::now();
        drop(work.spawn(tokio::time::sleep(Duration::from_millis(50))));
        work.idle().await;
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn work_that_panics_is_over() {
        let work = Work::new();
        let outcome = work.spawn(async { panic!("on purpose") }).await;
        assert!(outcome.is_err_and(|error| error.is_panic()));
        work.idle().await;
    }
}
