//! Questions to a person at a terminal.

use std::io::{self, BufRead as _, Write as _};

use super::failure::Failure;

/// Shows `words`, asks, and takes only a clear yes for one. The end of input is a no.
pub(crate) fn confirm(words: &str, question: &str) -> Result<bool, Failure> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{words}{question} [y/N] ").and_then(|()| stderr.flush()).map_err(Failure::usage)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::usage)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
