//! Recordings on disk: where those of a run go, and what is wrong with one that can not be read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::printer;
use crate::model::{CheckId, ItemId, Mask, plain_line};
use crate::plugin::{Recorder, Recording, RecordingError};
use crate::store::{make_folder, read_file, replace};
use crate::verify::Task;

/// What a recording's file name ends in: JSON Lines.
pub(crate) const EXTENSION: &str = "jsonl";

/// Characters of a wrong line that are shown on each side of its wrong place.
const AROUND: usize = 40;

/// Writes the recording of each run into `folder`, which is made now: a bad path fails before anything runs.
pub(crate) fn recorder(folder: PathBuf, mask: Mask, started: Timestamp) -> Result<Recorder, Failure> {
    make_folder(&folder)?;
    let keep = move |task: &Task, text: &str| {
        let path = place(&folder, &task.item, &task.check);
        if let Err(error) = replace(&path, text.as_bytes()) {
            let because =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            printer::warn(&format!("error: the calls of {} are not recorded: {error}{because}", task.check));
        }
    };
    Ok(Recorder { mask, started, keep: Arc::new(keep) })
}

/// Where the recording of a check is in a folder of them: one file for each check of each item, the last run's.
pub(crate) fn place(folder: &Path, item: &ItemId, check: &CheckId) -> PathBuf {
    let plugin = check.plugin.as_str().replace(':', ".");
    folder.join(format!("{item}--{plugin}--{}.{EXTENSION}", check.check))
}

/// Reads a recording that is called `name`; the failure shows the place that is wrong.
pub(crate) fn read(path: &Path, name: &str) -> Result<Recording, Failure> {
    let bytes = read_file(path, Recording::LARGEST)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        Failure::usage(format!("{name} is no recording: byte {offset} belongs to no character of UTF-8"))
    })?;
    Recording::read(&text).map_err(|error| refused(name, &text, &error))
}

fn refused(name: &str, text: &str, error: &RecordingError) -> Failure {
    let RecordingError::Malformed { line, column, what } = error else {
        let failure = Failure::usage(format!("{name} can not be replayed: {error}"));
        return match error {
            RecordingError::Torn { .. } => failure.hint("record it again: mustdo verify --record DIR"),
            RecordingError::Malformed { .. }
            | RecordingError::TooLarge { .. }
            | RecordingError::Format { .. } => failure,
        };
    };
    // A line may be longer than any terminal is wide.
    let characters: Vec<char> = text.lines().nth(line - 1).unwrap_or_default().chars().collect();
    let place = (column - 1).min(characters.len());
    let (first, last) = (place.saturating_sub(AROUND), (place + AROUND).min(characters.len()));
    // What is there may not steer the terminal, and one character is to stay one, so that the caret stands right.
    let shown: String =
        characters[first..last].iter().map(|&c| if c.is_control() { '�' } else { c }).collect();
    let shown = plain_line(&shown, 3 * AROUND);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let caret = " ".repeat(place - first);
    Failure::content(format!(
        "error: {name} is no recording that can be replayed: {what}\n\
         {margin}--> {name}:{line}:{column}\n\
         {margin} |\n\
         {number} | {shown}\n\
         {margin} | {caret}^\n\
         {margin} = help: a recording is replayed as mustdo wrote it; docs/recording.md tells what each line means\n"
    ))
}
