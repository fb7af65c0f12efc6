//! stdout is the answer, stderr is the rest.

use std::io::{self, Write as _};

use clap::ValueEnum;

use super::environment::Environment;
use super::failure::Failure;

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
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(error).hint("standard output can not be written to: is the disk full?"))
        }
        _ => Ok(()),
    }
}

/// Says something beside the answer that must be seen.
pub(crate) fn warn(text: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
