//! stdout is the answer, stderr is the rest.

use std::borrow::Cow;
use std::io::{self, Write as _};

use clap::ValueEnum;

use super::environment::Environment;
use super::failure::Failure;
use crate::model;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where a command's words go.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    quiet: bool,
    /// Whether the answer is coloured.
    pub(crate) stdout_color: bool,
    /// Whether the rest is coloured.
    pub(crate) stderr_color: bool,
}

impl Printer {
    /// Decides colour once.
    pub(crate) fn new(environment: &Environment, choice: ColorChoice, quiet: bool) -> Self {
        let decide = |terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => environment.color.unwrap_or(terminal),
        };
        Self {
            quiet,
            stdout_color: decide(environment.terminal.stdout),
            stderr_color: decide(environment.terminal.stderr),
        }
    }

    /// Says something beside the answer; `--quiet` leaves it out.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            warn(text);
        }
    }

    /// Whether only the answer and errors are wanted.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }
}

/// Prints a part of the answer. A reader that has gone away (`mustdo list | head`) is no error.
pub(crate) fn answer(text: &str) -> Result<(), Failure> {
    print(&disarmed(text))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(error).hint("standard output can not be written to: is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// Prints lines that the build server around this run is meant to obey: mustdo's own, whatever is foreign in them escaped.
pub(crate) fn orders(text: &str) -> Result<(), Failure> {
    print(text)
}

/// Says something beside the answer that must be seen.
pub(crate) fn warn(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{}", disarmed(text));
}

/// The text with nothing that a build server would take for an order: `##[group]x` anywhere, and `::error::x` at the start
/// of a line, spaces before it left out, and lines are broken where a terminal ends. Nothing of mustdo's own is like that.
pub(crate) fn disarmed(text: &str) -> Cow<'_, str> {
    let order = |line: &str| line.trim_start().starts_with("::");
    let text = model::disarmed(text);
    if !text.lines().any(order) {
        return text;
    }
    let line = |line: &str| if order(line) { line.replacen("::", ": :", 1) } else { line.to_owned() };
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_that_a_build_server_obeys_is_taken_apart() {
        assert!(matches!(disarmed("a ::error::b\nstd::x\n"), Cow::Borrowed(_)));
        assert_eq!(disarmed("a ##[group]b"), "a # #[group]b");
        assert_eq!(disarmed("a\n  ::error file=x::b\n::::\n"), "a\n  : :error file=x::b\n: :::\n");
    }
}
