//! Progress and logging.

use std::time::Instant;

use crate::model::plain_line;

use super::contract::control::{Host, Level};
use super::contract::{manifest, types};
use super::limit::{LINE_CHARS, PROGRESS_EVERY};
use super::state::State;

impl Host for State {
    fn report_progress(&mut self, fraction: Option<f32>, message: String) -> wasmtime::Result<()> {
        let now = Instant::now();
        let due = self.reported.is_none_or(|last| now.duration_since(last) >= PROGRESS_EVERY);
        if let (true, Some(reporter)) = (due, &self.reporter) {
            let fraction =
                fraction.filter(|fraction| fraction.is_finite()).map(|fraction| fraction.clamp(0.0, 1.0));
            reporter.progress(fraction, plain_line(&message, LINE_CHARS));
            self.reported = Some(now);
        }
        Ok(())
    }

    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        match level {
            Level::Debug => self.log.add("debug", &message),
            Level::Info => self.log.add("info", &message),
            Level::Warn => self.log.add("warn", &message),
            Level::Error => self.log.add_error(&message),
        }
        Ok(())
    }

    fn millis_left(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.left().as_millis()).unwrap_or(u64::MAX))
    }
}

impl types::Host for State {}

impl manifest::Host for State {}
