//! Runs a plugin again from a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use semver::Version;
use thiserror::Error;

use crate::model::{Digest, Mask};
use crate::plugin::contract;
use crate::plugin::host::Host;
use crate::verify::{Reporter, Run, RunError, RunFault, Task, TaskId, Verifier};

use super::reader::Reader;
use super::recording::Recording;
use super::{Tape, locked};

/// A replay waits for nothing, so it needs no more time than a run may compute; and a recording that somebody sent may
/// say anything.
const LONGEST: Duration = Duration::from_mins(10);

/// Runs a plugin of a host from one recording. It touches nothing: no network, no files, no processes, no clock.
pub struct Replayer<'a> {
    host: &'a Host,
    recording: Arc<Recording>,
    mask: Mask,
}

/// Why a recording is not one that this version can replay.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unplayable {
    /// The calls are those of another contract.
    #[error(
        "it was recorded with contract {found}; this mustdo speaks {}: {}",
        contract::VERSION,
        if *.found > contract::VERSION { "update mustdo" } else { "record it again" }
    )]
    Contract {
        /// The recording's.
        found: Version,
    },
    /// Somebody edited it.
    #[error("it was changed after it was written: its last line has the digest of other lines")]
    Changed,
    /// The recording reached its limit.
    #[error("it is not complete: {0}")]
    Incomplete(String),
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// What the plugin concluded now.
    pub run: Result<Run, RunError>,
    /// How that is to what it concluded then.
    pub comparison: Comparison,
    /// Calls of the recording that it did not make this time.
    pub left: usize,
}

/// A replay beside its recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// The same verdict in every field, or the same reason why there is none.
    Same,
    /// Another one.
    Different {
        /// Where they differ first, as a path into the recording's last line.
        place: String,
        /// What was concluded then.
        recorded: String,
        /// What was concluded now.
        found: String,
    },
    /// The plugin asked for something that the recording does not have: nothing can be told.
    Astray,
}

impl<'a> Replayer<'a> {
    /// Replays `recording` on `host`. What `mask` hides is hidden in what the plugin says now, as it was in what it said
    /// then.
    pub fn new(host: &'a Host, recording: Arc<Recording>, mask: Mask) -> Result<Self, Unplayable> {
        let found = &recording.header.contract;
        let ours = contract::VERSION;
        // Below 1.0 the minor version is the one that breaks; a newer patch may have calls that are not known here.
        let same_line = (found.major, if found.major == 0 { found.minor } else { 0 })
            == (ours.major, if ours.major == 0 { ours.minor } else { 0 });
        if !same_line || *found > ours {
            return Err(Unplayable::Contract { found: found.clone() });
        }
        if !recording.whole {
            return Err(Unplayable::Changed);
        }
        if let Some(why) = &recording.end.incomplete {
            return Err(Unplayable::Incomplete(why.clone()));
        }
        Ok(Self { host, recording, mask })
    }

    /// The recorded task, for the plugin of these bytes. It may touch nothing.
    #[must_use]
    pub fn task(&self, plugin: Digest) -> Task {
        let header = &self.recording.header;
        Task {
            id: TaskId(0),
            item: header.item.clone(),
            check: header.check.clone(),
            plugin,
            params: header.params.clone(),
            targets: BTreeMap::new(),
            names: BTreeMap::new(),
            supervised: BTreeMap::new(),
            allowed: BTreeSet::new(),
            exclusive: false,
            seed: header.seed,
            deadline: header.deadline.min(LONGEST),
        }
    }

    /// Runs the plugin of these bytes, which need not be those that were recorded, and compares.
    pub async fn replay(&self, plugin: Digest, reporter: Reporter) -> Replayed {
        let reader = self.reader();
        let run = self.run(&self.task(plugin), reporter, &reader).await;
        let reader = locked(&reader);
        let fault = run.as_ref().err().map(|error| &error.fault);
        Replayed { comparison: self.compare(fault, &reader), left: reader.left(), run }
    }

    fn reader(&self) -> Arc<Mutex<Reader>> {
        Arc::new(Mutex::new(Reader::new(self.recording.clone(), self.mask.clone())))
    }

    async fn run(
        &self,
        task: &Task,
        reporter: Reporter,
        reader: &Arc<Mutex<Reader>>,
    ) -> Result<Run, RunError> {
        let tape = Tape::Replaying(reader.clone());
        self.host.verify_on(tape, task, self.recording.header.request(), reporter).await
    }

    fn compare(&self, fault: Option<&RunFault>, reader: &Reader) -> Comparison {
        if let Some(RunFault::Replay(_)) = fault {
            return Comparison::Astray;
        }
        let end = &self.recording.end;
        let fault = fault.map(|fault| self.mask.text(&fault.to_string()));
        if end.fault != fault {
            let words = |fault: &Option<String>| fault.clone().unwrap_or_else(|| "a verdict".to_owned());
            return Comparison::Different {
                place: "fault".to_owned(),
                recorded: words(&end.fault),
                found: words(&fault),
            };
        }
        reader.difference().map_or(Comparison::Same, |difference| Comparison::Different {
            place: format!("returned{}", difference.place),
            recorded: difference.recorded,
            found: difference.found,
        })
    }
}

impl Verifier for Replayer<'_> {
    async fn verify(&self, task: &Task, reporter: Reporter) -> Result<Run, RunError> {
        self.run(task, reporter, &self.reader()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::tape::sample::{recorded, recorded_until};
    use crate::plugin::{CachePolicy, HostOptions};

    fn unplayable(text: &str) -> Unplayable {
        let options = HostOptions::new(CachePolicy::Off);
        let host = Host::new(options).unwrap();
        let recording = Arc::new(Recording::read(text).unwrap());
        Replayer::new(&host, recording, Mask::default()).err().unwrap()
    }

    #[test]
    fn recording_of_another_contract_is_refused_with_the_way_out() {
        let of = |version: &str| {
            let contract = format!("\"contract\":\"{version}\"");
            unplayable(&recorded(1).replace("\"contract\":\"0.1.0\"", &contract)).to_string()
        };
        assert_eq!(
            of("0.2.0"),
            "it was recorded with contract 0.2.0; this mustdo speaks 0.1.0: update mustdo"
        );
        assert_eq!(
            of("0.1.9"),
            "it was recorded with contract 0.1.9; this mustdo speaks 0.1.0: update mustdo"
        );
        assert_eq!(
            of("0.0.9"),
            "it was recorded with contract 0.0.9; this mustdo speaks 0.1.0: record it again"
        );
    }

    #[test]
    fn edited_recording_is_refused() {
        assert_eq!(unplayable(&recorded(3).replace("\"result\":2", "\"result\":9")), Unplayable::Changed);
    }

    #[test]
    fn recording_that_reached_its_limit_is_refused() {
        let mut writer = recorded_until(0).limited(0);
        writer.begin("clock.millis-left", |arguments| arguments);
        writer.end(Ok(&1_u64));
        assert!(
            matches!(unplayable(&writer.finish(None)), Unplayable::Incomplete(why) if why.contains("1 calls"))
        );
    }
}
