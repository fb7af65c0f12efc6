//! What happens while checks run.

use tokio::sync::mpsc::UnboundedSender;

use super::{Run, RunError, TaskId, Trace};

/// Something worth showing.
#[derive(Debug)]
pub enum Event {
    /// A check was started.
    Started(TaskId),
    /// A check says how far it is.
    Progress {
        /// Which.
        task: TaskId,
        /// From 0 to 1, where it knows.
        fraction: Option<f32>,
        /// The plugin's own words, free of control characters.
        message: String,
    },
    /// A check ended.
    Finished {
        /// Which.
        task: TaskId,
        /// Its verdict, or why there is none.
        result: Result<Box<Run>, RunError>,
    },
    /// A check was stopped before it ended; [`Event::Cancelled`] follows.
    Stopped {
        /// Which.
        task: TaskId,
        /// What it did until then.
        trace: Box<Trace>,
    },
    /// A check was stopped or never begun: the run was cancelled.
    Cancelled(TaskId),
}

/// Where a running check says how far it is.
#[derive(Debug, Clone)]
pub struct Reporter {
    task: TaskId,
    events: UnboundedSender<Event>,
}

impl Reporter {
    /// Reports as `task` to `events`.
    #[must_use]
    pub fn new(task: TaskId, events: UnboundedSender<Event>) -> Self {
        Self { task, events }
    }

    /// Says how far the check is; nobody listening is not an error.
    pub fn progress(&self, fraction: Option<f32>, message: String) {
        // A display that has gone away must not stop a check.
        drop(self.events.send(Event::Progress { task: self.task, fraction, message }));
    }

    /// Says what the check did until it was stopped from outside, as the last thing it says.
    pub fn stopped(&self, trace: Trace) {
        drop(self.events.send(Event::Stopped { task: self.task, trace: Box::new(trace) }));
    }
}
