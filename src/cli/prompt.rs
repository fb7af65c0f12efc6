//! Questions to a person at a terminal.

use std::io::{self, BufRead as _, Write as _};

use super::failure::Failure;

/// Shows `words`, asks, and gives what the answer stands for; none for every other answer and for the end of input.
pub(crate) fn choose<T: Copy>(
    words: &str,
    question: &str,
    answers: &[(&str, T)],
) -> Result<Option<T>, Failure> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{words}{question} ").and_then(|()| stderr.flush()).map_err(Failure::usage)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::usage)?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(answers.iter().find(|(word, _)| *word == answer).map(|(_, meaning)| *meaning))
}
