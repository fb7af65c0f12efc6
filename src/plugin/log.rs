//! What a plugin writes while it runs, kept up to a limit.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::plain_line;

use super::limit::{LINE_CHARS, LOG_BYTES};

/// The log of one run; copies share it.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    kept: Vec<String>,
    bytes: usize,
    left_out: u64,
    last_error: Option<String>,
}

impl Log {
    /// Adds every line of `message` behind `level`; past the limit lines are only counted.
    pub(super) fn add(&self, level: &str, message: &str) {
        self.change(|lines| {
            for line in message.lines() {
                // Once the log is full, nothing is worth the work of making it plain.
                if lines.left_out > 0 {
                    lines.left_out += 1;
                    continue;
                }
                let line = plain_line(line, LINE_CHARS);
                if !line.is_empty() {
                    lines.push(format!("{level}: {line}"));
                }
            }
        });
    }

    /// As [`Log::add`], and remembers the first line: should the plugin crash, it is the likely cause.
    pub(super) fn add_error(&self, message: &str) {
        self.add("error", message);
        let first = message.lines().map(|line| plain_line(line, LINE_CHARS)).find(|line| !line.is_empty());
        self.change(|lines| lines.last_error = first.or(lines.last_error.take()));
    }

    /// The error that was logged last.
    pub(super) fn last_error(&self) -> Option<String> {
        self.change(|lines| lines.last_error.clone())
    }

    /// The lines; the last one says how many were left out, where any were.
    pub(super) fn finish(&self) -> Vec<String> {
        let lines = self.change(std::mem::take);
        let mut kept = lines.kept;
        if lines.left_out > 0 {
            kept.push(format!(
                "mustdo: {} more lines were left out, the log is limited to {} KiB",
                lines.left_out,
                LOG_BYTES >> 10
            ));
        }
        kept
    }

    fn change<T>(&self, change: impl FnOnce(&mut Lines) -> T) -> T {
        // Nothing that holds the lock can leave half a line behind.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lines {
    fn push(&mut self, line: String) {
        let bytes = self.bytes.saturating_add(line.len() + 1);
        if bytes > LOG_BYTES {
            self.left_out += 1;
        } else {
            self.bytes = bytes;
            self.kept.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_past_the_limit_are_counted() {
        let log = Log::default();
        for _ in 0..300 {
            log.add("info", &"x".repeat(1_000));
        }
        let lines = log.finish();
        assert!(lines.iter().map(String::len).sum::<usize>() < LOG_BYTES + 200);
        assert_eq!(lines.len(), 261);
        assert_eq!(lines[260], "mustdo: 40 more lines were left out, the log is limited to 256 KiB");
    }

    #[test]
    fn lines_can_not_steer_a_terminal() {
        let log = Log::default();
        log.add("info", "a\u{1b}[2J\nb\r\n\n");
        assert_eq!(log.finish(), ["info: a", "info: b"]);
    }

    #[test]
    fn last_error_is_the_first_line_of_the_last_one() {
        let log = Log::default();
        log.add_error("one");
        log.add("info", "two");
        log.add_error("panicked at src/lib.rs:3\nnote: backtrace");
        assert_eq!(log.last_error().as_deref(), Some("panicked at src/lib.rs:3"));
    }
}
