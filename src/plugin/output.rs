//! Standard output and error of plugins built for WASI: lines of the log.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::log::Log;

/// A stream that never blocks, never fills and never fails: a chatty plugin loses words, not its run.
#[derive(Clone)]
pub(super) struct Output {
    name: &'static str,
    log: Log,
}

impl Output {
    /// Writes to `log`, each line behind `name`. A panic message is the last thing on standard error, so what is
    /// written there counts as an error.
    pub(super) fn new(name: &'static str, log: Log) -> Self {
        Self { name, log }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { output: self.clone(), line: Vec::new() })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Writer { output: self.clone(), line: Vec::new() })
    }
}

/// One writer; it keeps the unfinished line.
struct Writer {
    output: Output,
    line: Vec<u8>,
}

/// Bytes of a line that are kept; more than a line of the log has. What follows is left out and no line of its own: that
/// would begin in the middle of a word, which may be a secret.
const LONGEST_LINE: usize = 8 << 10;

/// What one write may carry.
const PERMIT: usize = 64 << 10;

impl Writer {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        if self.output.name == "stderr" {
            self.output.log.add_error(&line);
        } else {
            self.output.log.add(self.output.name, &line);
        }
        self.line.clear();
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_whole_and_the_last_one_needs_no_end() {
        let log = Log::default();
        let mut writer = Writer { output: Output::new("stderr", log.clone()), line: Vec::new() };
        writer.add(b"panicked ");
        writer.add(b"at lib.rs\nno");
        drop(writer);
        assert_eq!(log.last_error().as_deref(), Some("no"));
        assert_eq!(log.finish(), ["error: panicked at lib.rs", "error: no"]);
    }

    #[test]
    fn line_without_end_is_cut_and_nothing_begins_in_its_middle() {
        let log = Log::default();
        let mut writer = Writer { output: Output::new("stdout", log.clone()), line: Vec::new() };
        writer.add(&vec![b'x'; LONGEST_LINE - 3]);
        writer.add(b"hunter22");
        writer.add(&vec![b'x'; 10 * LONGEST_LINE]);
        assert_eq!(writer.line.len(), LONGEST_LINE);
        writer.add(b"\nnext");
        drop(writer);
        let lines = log.finish();
        assert!(lines[0].ends_with("x…") && lines[1..] == ["stdout: next"], "{:?}", &lines[1..]);
    }
}
