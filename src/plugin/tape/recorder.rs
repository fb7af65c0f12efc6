//! What makes recordings of every run of a host.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;
use semver::Version;

use crate::model::Mask;
use crate::plugin::contract::RunRequest;
use crate::verify::{RunFault, Task};

use super::header::Header;
use super::writer::Writer;
use super::{Tape, locked};

/// Takes a finished recording: of which task, and its text. It may wait for a disk.
pub type Keep = Arc<dyn Fn(&Task, &str) + Send + Sync>;

/// How the runs of a [`Host`](crate::plugin::Host) are recorded.
#[derive(Clone)]
pub struct Recorder {
    /// What may not stand in a recording.
    pub mask: Mask,
    /// When mustdo was started.
    pub started: Timestamp,
    /// Where recordings go. A run that is cancelled leaves none.
    pub keep: Keep,
}

impl Recorder {
    /// The tape of a run that begins now.
    pub(in crate::plugin) fn start(&self, task: &Task, version: &Version, request: &RunRequest) -> Tape {
        let header = Header::new(task, version, request, self.started);
        Tape::Recording(Arc::new(Mutex::new(Writer::new(&header, self.mask.clone(), Instant::now()))))
    }

    /// Ends the recording of a run and hands it over.
    pub(in crate::plugin) async fn finish(&self, tape: &Tape, task: &Task, fault: Option<&RunFault>) {
        let Tape::Recording(writer) = tape else { return };
        let text = locked(writer).finish(fault);
        let (keep, task) = (self.keep.clone(), task.clone());
        // A panic in there is the caller's, and no reason to lose the verdict.
        drop(tokio::task::spawn_blocking(move || keep(&task, &text)).await);
    }
}
