//! Recordings that were read.

use std::ops::Range;

use semver::Version;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::model::{CheckId, Digest, ItemId, plain_line};
use crate::plugin::limit::RECORDING_BYTES;

use super::header::{FORMAT, Header, own_version};
use super::line::{Call, End};
use super::written::{Unreadable, Written};

/// Bytes of a recording beside what its limit counts: the last line, with a verdict and its evidence.
const LAST_LINE_BYTES: usize = 16 << 20;

/// A recording that was read to its end: its form is right, whatever it says.
#[derive(Debug)]
pub struct Recording {
    text: String,
    pub(super) header: Header,
    /// The calls' lines; each was read once and is read again when it is its turn.
    calls: Vec<Range<usize>>,
    pub(super) end: End,
    /// Whether the text before its last line is what was written.
    pub(super) whole: bool,
}

/// Why a text is no recording.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// A place in it is wrong.
    #[error("{what}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// It has no last line: it was cut, or is still being written.
    #[error("it ends after line {lines} without its last line: it was cut")]
    Torn {
        /// How many lines there are.
        lines: usize,
    },
    /// More than mustdo ever writes.
    #[error("it has {} MiB; a recording has {} at most", .bytes >> 20, Recording::LARGEST >> 20)]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// A newer mustdo wrote it.
    #[error("it has the format {found}; this mustdo reads {FORMAT}: update mustdo")]
    Format {
        /// Its format.
        found: u64,
    },
}

impl Recording {
    /// Bytes that a recording has at most.
    pub const LARGEST: usize = RECORDING_BYTES + LAST_LINE_BYTES;

    /// Reads a recording to its end.
    pub fn read(text: &str) -> Result<Self, RecordingError> {
        if text.len() > Self::LARGEST {
            return Err(RecordingError::TooLarge { bytes: text.len() });
        }
        let mut lines = lines(text);
        let (first, value) = match lines.next() {
            None => return Err(RecordingError::Torn { lines: 0 }),
            Some(span) => (span.clone(), object(text, &span, 1)?),
        };
        let header = read_header(value).map_err(|what| match what {
            Misread::Format(found) => RecordingError::Format { found },
            Misread::Wrong(what) => malformed(text, &first, 1, &what),
        })?;
        let mut calls = vec![];
        let mut end: Option<End> = None;
        let mut whole = false;
        for (index, span) in lines.enumerate() {
            let number = index + 2;
            let wrong = |what: Unreadable| malformed(text, &span, number, &what);
            if end.is_some() {
                return Err(wrong("nothing follows the last line of a recording".to_owned()));
            }
            let entries = match object(text, &span, number) {
                // What is left of a line that was being written is not what is wrong with it.
                Err(RecordingError::Malformed { .. }) if span.end == text.len() => {
                    return Err(RecordingError::Torn { lines: number });
                }
                read => read?,
            };
            if entries.contains_key("end") {
                let read = End::read(entries).map_err(wrong)?;
                if read.calls != calls.len() as u64 {
                    return Err(wrong(format!(
                        "the recording says it has {} calls, and has {}",
                        read.calls,
                        calls.len()
                    )));
                }
                whole = read.digest == Digest::of(&text.as_bytes()[..span.start]);
                end = Some(read);
            } else {
                let (found, _) = Call::read(entries).map_err(wrong)?;
                if found != calls.len() as u64 + 1 {
                    return Err(wrong(format!("call {found} follows call {}", calls.len())));
                }
                calls.push(span);
            }
        }
        let end = end.ok_or(RecordingError::Torn { lines: calls.len() + 1 })?;
        Ok(Self { text: text.to_owned(), header, calls, end, whole })
    }

    /// The item whose check was run.
    #[must_use]
    pub fn item(&self) -> &ItemId {
        &self.header.item
    }

    /// The check that was run.
    #[must_use]
    pub fn check(&self) -> &CheckId {
        &self.header.check
    }

    /// The check's parameters, as JSON text.
    #[must_use]
    pub fn params(&self) -> &str {
        &self.header.params
    }

    /// The plugin's bytes.
    #[must_use]
    pub fn plugin(&self) -> Digest {
        self.header.digest
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.header.version
    }

    /// What the plugin concluded, in its own words.
    #[must_use]
    pub fn concluded(&self) -> String {
        let returned = &self.end.returned;
        let verdict = |field: &str| returned.get("ok").and_then(|verdict| verdict.get(field)?.as_str());
        match (&self.end.fault, verdict("status"), verdict("summary")) {
            (Some(fault), ..) => fault.clone(),
            (None, Some(status), Some(summary)) => format!("{status}: {summary}"),
            (None, ..) => returned.to_string(),
        }
    }

    /// How many calls stand in it.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The call at a place, counted from 0, with the number of its line.
    pub(super) fn call(&self, index: usize) -> Option<(usize, Call)> {
        let span = self.calls.get(index)?;
        let entries = serde_json::from_str(&self.text[span.clone()]).ok()?;
        Call::read(entries).ok().map(|(_, call)| (index + 2, call))
    }
}

enum Misread {
    Format(u64),
    Wrong(Unreadable),
}

fn read_header(entries: Map<String, Value>) -> Result<Header, Misread> {
    let value = Value::Object(entries);
    let format =
        value.get("format").ok_or_else(|| Misread::Wrong("this is no recording of mustdo".to_owned()))?;
    match u64::read(format) {
        Ok(FORMAT) => Header::read(&value).map_err(Misread::Wrong),
        Ok(found) if found > FORMAT => Err(Misread::Format(found)),
        Ok(_) | Err(_) => Err(Misread::Wrong(format!(
            "\"format\" is {}; mustdo {} reads {FORMAT}",
            plain_line(&format.to_string(), 20),
            own_version()
        ))),
    }
}

/// Where the lines are, without their ends; an empty last one is none.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let begin = start;
        start += line.len();
        begin..begin + line.strip_suffix('\n').unwrap_or(line).len()
    })
}

fn object(text: &str, span: &Range<usize>, line: usize) -> Result<Map<String, Value>, RecordingError> {
    serde_json::from_str(&text[span.clone()]).map_err(|error| {
        // serde_json counts bytes from 1, and says where it stands in words of its own.
        let bytes = error.column().saturating_sub(1).min(span.len());
        let before = text.as_bytes().get(span.start..span.start + bytes).unwrap_or_default();
        let column = String::from_utf8_lossy(before).chars().count() + 1;
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        RecordingError::Malformed { line, column, what: plain_line(what, 200) }
    })
}

fn malformed(text: &str, span: &Range<usize>, line: usize, what: &str) -> RecordingError {
    // The first name that the words give is the best place there is.
    let named = what.split('"').nth(1).filter(|name| !name.is_empty());
    let at = named.and_then(|name| text[span.clone()].find(&format!("\"{name}\"")));
    let column = text[span.clone()][..at.unwrap_or(0)].chars().count() + 1;
    RecordingError::Malformed { line, column, what: plain_line(what, 400) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plugin::tape::sample::recorded;

    #[test]
    fn recording_reads_as_it_was_written() {
        let recording = Recording::read(&recorded(3)).unwrap();
        assert_eq!(recording.calls(), 3);
        assert_eq!(recording.check().to_string(), "test-guest/probe");
        let (line, call) = recording.call(2).unwrap();
        assert_eq!((line, call.name.as_str()), (4, "clock.millis-left"));
        assert_eq!(recording.end.incomplete, None);
    }

    #[test]
    fn torn_recording_is_told_wherever_it_was_cut() {
        let text = recorded(3);
        assert!(text.ends_with('\n'));
        for end in 0..text.len() - 1 {
            let error = Recording::read(&text[..end]).unwrap_err();
            let torn = matches!(error, RecordingError::Torn { .. });
            // In the first line there is nothing yet that says what it is.
            assert!(torn || text[..end].lines().count() < 2, "cut at {end}: {error:?}");
        }
        // Only the last line break may be lost.
        assert!(Recording::read(text.trim_end()).is_ok());
    }

    #[test]
    fn wrong_places_are_named() {
        let broken = |from: &str, to: &str| {
            let text = recorded(3);
            assert!(text.contains(from), "{from} is not in {text}");
            let error = Recording::read(&text.replacen(from, to, 1)).unwrap_err();
            let RecordingError::Malformed { line, column, what } = error else { panic!("{error:?}") };
            (line, column, what)
        };
        let (line, column, what) = broken("\"n\":2", "\"n\":9");
        assert_eq!((line, column, what.as_str()), (3, 1, "call 9 follows call 1"));
        let (line, column, what) = broken("{\"n\":2,", "{\"n\":2;");
        assert_eq!((line, column, what.as_str()), (3, 7, "expected `,` or `}`"));
        let (line, _, what) = broken("\"calls\":3", "\"calls\":4");
        assert_eq!((line, what.as_str()), (5, "the recording says it has 4 calls, and has 3"));
        let (line, column, what) = broken("\"item\":\"must-do.probe\"", "\"item\":\"Must\"");
        assert_eq!(line, 1);
        assert!(column > 1 && what.contains("\"item\""), "{column} {what}");
        assert_eq!(broken("\"format\":1,", "\"format\":0,").2, "\"format\" is 0; mustdo 0.1.0 reads 1");
        assert_eq!(broken("\"format\":1,", "").2, "this is no recording of mustdo");
    }

    #[test]
    fn newer_format_asks_for_an_update() {
        let error = Recording::read(&recorded(1).replacen("\"format\":1", "\"format\":2", 1)).unwrap_err();
        assert_eq!(error, RecordingError::Format { found: 2 });
        assert!(error.to_string().contains("update mustdo"));
    }

    #[test]
    fn nothing_may_follow_the_end() {
        let text = recorded(1);
        let last = text.lines().last().unwrap().to_owned();
        let error = Recording::read(&format!("{text}{last}\n")).unwrap_err();
        assert!(error.to_string().contains("nothing follows"), "{error}");
    }

    proptest! {
        #[test]
        fn whatever_is_read_does_no_harm(text in "\\PC{0,200}") {
            prop_assert!(Recording::read(&text).is_err());
        }

        #[test]
        fn changed_bytes_are_refused_or_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = recorded(4).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes)
                && let Ok(recording) = Recording::read(&text)
            {
                prop_assert_eq!(recording.calls(), 4);
                prop_assert!((0..4).all(|index| recording.call(index).is_some()));
            }
        }

        #[test]
        fn lines_in_another_order_are_refused(first in 1_usize..5, second in 1_usize..5) {
            prop_assume!(first != second);
            let text = recorded(4);
            let mut lines: Vec<_> = text.lines().collect();
            lines.swap(first, second);
            prop_assert!(Recording::read(&lines.join("\n")).is_err());
        }
    }
}
