//! Writes down the calls of one run while they happen.

use std::time::Instant;

use serde_json::Value;

use crate::model::Mask;
use crate::plugin::clock::nanos;
use crate::plugin::contract::{RunError, types};
use crate::plugin::fault;
use crate::plugin::limit::RECORDING_BYTES;
use crate::verify::RunFault;

use super::header::Header;
use super::line::{Call, End, Ending};
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
            text: header.write(&mask),
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
            call: call.to_owned(),
            // Where nothing more is kept, nothing is worth the work of writing it.
            arguments: if self.left_out > 0 { Value::Null } else { Arguments::write(&self.mask, arguments) },
            ending: Ending::Stopped,
            at: nanos(self.origin.elapsed()),
            took: 0,
        });
    }

    /// The call that began last ended.
    pub(super) fn end<T: Written>(&mut self, answer: &wasmtime::Result<T>) {
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
            let line = call.write(self.calls + 1);
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
        let incomplete = (self.left_out > 0).then(|| {
            format!("a recording may have {} MiB: {} calls are missing", self.limit >> 20, self.left_out)
        });
        let end = End {
            calls: self.calls,
            incomplete,
            returned: std::mem::take(&mut self.returned),
            fault: fault.map(|fault| self.mask.text(&fault.to_string())),
            took: nanos(self.origin.elapsed()),
        };
        let mut text = std::mem::take(&mut self.text);
        text.push_str(&end.write());
        text
    }

    /// Keeps less than it would.
    #[cfg(test)]
    pub(super) fn limited(self, limit: usize) -> Self {
        Self { limit, ..self }
    }
}
