//! Writes down the calls of one run while they happen.

use std::time::Instant;

use serde_json::Value;

use crate::model::{Digest, Mask};
use crate::plugin::clock::nanos;
use crate::plugin::contract::{RunError, types};
use crate::plugin::fault;
use crate::plugin::limit::RECORDING_BYTES;
use crate::verify::RunFault;

use super::header::Header;
use super::line::{Call, End, Ending, harmless};
use super::written::{Arguments, Written};

/// A recording in the making. It is kept in memory, up to a limit, and leaves whole.
pub(in crate::plugin) struct Writer {
    text: String,
    mask: Mask,
    origin: Instant,
    limit: usize,
    calls: u64,
    /// Calls that the limit left out.
    left_out: u64,
    /// The call that has no answer yet: a plugin makes one at a time.
    open: Option<Call>,
    returned: Value,
}

impl Writer {
    /// A recording of a run that began at `origin`.
    pub(super) fn new(header: &Header, mask: Mask, origin: Instant) -> Self {
        Self {
            text: harmless(header.write(&mask)),
            mask,
            origin,
            limit: RECORDING_BYTES,
            calls: 0,
            left_out: 0,
            open: None,
            returned: Value::Null,
        }
    }

    /// A call begins.
    pub(super) fn begin(
        &mut self,
        call: &'static str,
        arguments: impl FnOnce(Arguments<'_>) -> Arguments<'_>,
    ) {
        self.open = Some(Call {
            name: call.to_owned(),
            // Where nothing more is kept, nothing is worth the work of writing it.
            arguments: if self.left_out > 0 { Value::Null } else { Arguments::write(&self.mask, arguments) },
            ending: Ending::Stopped,
            at: nanos(self.origin.elapsed()),
            took: 0,
        });
    }

    /// The call that began last ended.
    pub(super) fn end<T: Written>(&mut self, answer: Result<&T, &wasmtime::Error>) {
        let ending = match answer {
            _ if self.left_out > 0 => Ending::Stopped,
            Ok(answer) => Ending::Answer(answer.write(&self.mask)),
            Err(error) => match fault::over_limit(error) {
                Some(what) => Ending::OverLimit(self.mask.text(&what)),
                None => Ending::Trap(self.mask.text(&error.root_cause().to_string())),
            },
        };
        self.close(ending);
    }

    fn close(&mut self, ending: Ending) {
        let Some(mut call) = self.open.take() else { return };
        call.took = nanos(self.origin.elapsed()).saturating_sub(call.at);
        call.ending = ending;
        if self.left_out == 0 {
            let line = harmless(call.write(self.calls + 1));
            if self.text.len() + line.len() <= self.limit {
                self.text.push_str(&line);
                self.calls += 1;
                return;
            }
        }
        self.left_out += 1;
    }

    /// What the plugin returned.
    pub(super) fn returned(&mut self, answer: &Result<types::Verdict, RunError>) {
        self.returned = answer.write(&self.mask);
    }

    /// The recording of a run that ended like this.
    pub(super) fn finish(&mut self, fault: Option<&RunFault>) -> String {
        // The deadline passed while the plugin waited for an answer.
        self.close(Ending::Stopped);
        let mut text = std::mem::take(&mut self.text);
        let incomplete = (self.left_out > 0).then(|| {
            format!("a recording may have {} MiB: {} calls are missing", self.limit >> 20, self.left_out)
        });
        let end = End {
            calls: self.calls,
            digest: Digest::of(text.as_bytes()),
            incomplete,
            returned: std::mem::take(&mut self.returned),
            fault: fault.map(|fault| self.mask.text(&fault.to_string())),
            took: nanos(self.origin.elapsed()),
        };
        text.push_str(&harmless(end.write()));
        text
    }

    /// Keeps less than it would.
    #[cfg(test)]
    pub(super) fn limited(self, limit: usize) -> Self {
        Self { limit, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plugin::fault::OverLimit;
    use crate::plugin::tape::recording::Recording;
    use crate::plugin::tape::sample::recorded_until;

    #[test]
    fn recording_ends_at_its_limit_and_says_so() {
        let (few, full) = (recorded_until(10).finish(None).len(), recorded_until(0).finish(None).len());
        let mut writer = recorded_until(0).limited(few - full);
        for number in 0..100_u64 {
            writer.begin("clock.millis-left", |arguments| arguments);
            writer.end(Ok(&number));
        }
        let recording = Recording::read(&writer.finish(None)).unwrap();
        let calls = recording.calls();
        assert!((1..12).contains(&calls), "{calls}");
        let missing = recording.end.incomplete.unwrap();
        assert!(missing.ends_with(&format!("{} calls are missing", 100 - calls)), "{missing}");
    }

    #[test]
    fn call_that_was_cut_off_and_the_fault_stand_at_the_end() {
        let mut writer = recorded_until(1);
        writer.begin("clock.sleep-millis", |arguments| arguments.with(&5_000_u64));
        let text = writer.finish(Some(&RunFault::TimedOut { limit: Duration::from_secs(2) }));
        assert!(text.contains("\"args\":[5000],\"stopped\":true"), "{text}");
        let recording = Recording::read(&text).unwrap();
        assert_eq!((recording.calls(), recording.concluded().as_str()), (2, "was stopped after 2.0 s"));
    }

    #[test]
    fn limits_are_told_from_other_ends() {
        let mut writer = recorded_until(0);
        writer.begin("clock.random-bytes", |arguments| arguments.with(&u32::MAX));
        writer.end::<Vec<u8>>(Err(&OverLimit("too many".to_owned()).into()));
        writer.begin("http.client.drop", |arguments| arguments.with(&1_u32));
        writer.end::<()>(Err(&wasmtime::Error::msg("no such handle")));
        let recording = Recording::read(&writer.finish(None)).unwrap();
        let ending = |index| recording.call(index).unwrap().1.ending;
        assert_eq!(ending(0), Ending::OverLimit("too many".to_owned()));
        assert_eq!(ending(1), Ending::Trap("no such handle".to_owned()));
    }
}
