//! Recordings for the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use semver::Version;

use crate::model::{Digest, Mask};
use crate::plugin::contract::RunRequest;
use crate::verify::{Task, TaskId};

use super::header::Header;
use super::writer::Writer;

/// A recording with so many calls, each answered with its number.
pub(super) fn recorded(calls: u64) -> String {
    recorded_until(calls).finish(None)
}

/// The same before its end.
pub(super) fn recorded_until(calls: u64) -> Writer {
    let request = RunRequest {
        check: "probe".to_owned(),
        params: "{}".to_owned(),
        targets: vec![],
        seed: 7,
        extras: vec![("mustdo.version".to_owned(), "0.1.0".to_owned())],
    };
    let started = "2026-06-01T12:00:00Z".parse().unwrap();
    let header = Header::new(&task(), &Version::new(1, 2, 3), &request, started);
    let mut writer = Writer::new(&header, Mask::default(), Instant::now());
    for number in 1..=calls {
        writer.begin("clock.millis-left", |arguments| arguments);
        writer.end(Ok(&number));
    }
    writer
}

/// The task that was recorded.
pub(super) fn task() -> Task {
    Task {
        id: TaskId(0),
        item: "must-do.probe".parse().unwrap(),
        check: "test-guest/probe".parse().unwrap(),
        plugin: Digest::of(b"plugin"),
        params: "{}".to_owned(),
        targets: BTreeMap::new(),
        names: BTreeMap::new(),
        supervised: BTreeMap::new(),
        allowed: BTreeSet::from(["http:api".parse().unwrap()]),
        exclusive: false,
        seed: 7,
        deadline: Duration::from_secs(20),
    }
}
