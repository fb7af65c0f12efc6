//! What `mustdo update` made of the checklists, as JSON. Its shape has a number and a schema: `schema/update.json`.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::Serialize;
use thiserror::Error;

use super::difference::{Difference, DifferenceView};
use crate::model::{ChecklistId, Digest};

/// The JSON Schema (2020-12) of [`update_json`].
pub const UPDATE_SCHEMA: &str = include_str!("schema/update.json");

/// The number of the shape: keys may be added under it; removing or changing one is the next.
const FORMAT: u32 = 1;

/// What became of one checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedChecklist<'a> {
    /// Which.
    pub id: &'a ChecklistId,
    /// Its file, relative to the workspace.
    pub file: &'a str,
    /// `same`, `new`, `updated`, `merged` or `marked`.
    pub outcome: &'static str,
    /// The version that it had here; none where it is new.
    pub before: Option<&'a Version>,
    /// The version where it comes from.
    pub after: &'a Version,
    /// Where that is.
    pub source: String,
    /// Its text there.
    pub digest: &'a Digest,
}

/// A form of what an update says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateFormat {
    /// For people.
    Text,
    /// Everything, for programs; its shape is [`UPDATE_SCHEMA`].
    Json,
}

impl UpdateFormat {
    const ALL: [Self; 2] = [Self::Text, Self::Json];
}

impl fmt::Display for UpdateFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// A text that names no format of an update.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a format is \"text\" or \"json\"")]
pub struct ParseUpdateFormatError;

impl FromStr for UpdateFormat {
    type Err = ParseUpdateFormatError;

    fn from_str(text: &str) -> Result<Self, ParseUpdateFormatError> {
        Self::ALL.into_iter().find(|format| format.to_string() == text).ok_or(ParseUpdateFormatError)
    }
}

/// What became of every checklist, and what is different then; nothing is written where it was only `checked`.
#[must_use]
pub fn update_json(
    checked: bool,
    checklists: &[UpdatedChecklist<'_>],
    difference: Option<&Difference>,
) -> String {
    let checklists = checklists.iter().map(ChecklistView::new).collect();
    let tool = format!("mustdo {}", env!("CARGO_PKG_VERSION"));
    let difference = difference.map(DifferenceView::new);
    written(&UpdateView { format: FORMAT, tool, checked, checklists, difference })
}

fn written(view: &UpdateView<'_>) -> String {
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(view).expect("an update is plain data");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct UpdateView<'a> {
    format: u32,
    tool: String,
    checked: bool,
    checklists: Vec<ChecklistView<'a>>,
    difference: Option<DifferenceView<'a>>,
}

#[derive(Serialize)]
struct ChecklistView<'a> {
    id: &'a str,
    file: &'a str,
    outcome: &'static str,
    before: Option<String>,
    after: String,
    source: &'a str,
    digest: String,
}

impl<'a> ChecklistView<'a> {
    fn new(checklist: &'a UpdatedChecklist<'a>) -> Self {
        let UpdatedChecklist { id, file, outcome, before, after, source, digest } = checklist;
        Self {
            id: id.as_str(),
            file,
            outcome,
            before: before.map(ToString::to_string),
            after: after.to_string(),
            source,
            digest: digest.to_string(),
        }
    }
}
