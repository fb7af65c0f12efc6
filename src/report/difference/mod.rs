//! What changed between two versions of a workspace: text, Markdown for a pull request, and JSON.

mod json;
mod markdown;
mod phrase;
mod text;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use thiserror::Error;

use super::View;
use crate::model::{Aspect, CheckId, ItemId, Staleness, Status, Tally, Text, plain};

pub(super) use json::DifferenceView;

/// The JSON Schema (2020-12) of [`DifferenceFormat::Json`].
pub const DIFFERENCE_SCHEMA: &str = include_str!("../schema/difference.json");

/// Two versions of a workspace side by side, both judged at one moment.
///
/// Made once and only read afterwards; text that somebody wrote is [`plain`] in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    version: &'static str,
    workspace: String,
    input: DifferenceInput,
}

/// What a [`Difference`] is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferenceInput {
    /// The moment at which both were judged.
    pub at: Timestamp,
    /// The commit of the first; none for the work tree.
    pub from: Option<String>,
    /// The commit of the second; none for the work tree, and where that is the first, for what an update makes of it.
    pub to: Option<String>,
    /// All items of the first.
    pub before: Tally,
    /// All items of the second.
    pub after: Tally,
    /// Checklists that differ, by id.
    pub checklists: Vec<ChecklistRow>,
    /// Items that differ, in the order of the second.
    pub items: Vec<ItemRow>,
}

/// A checklist whose version is another: none where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct ChecklistRow {
    /// Its id.
    pub id: String,
    /// The version it had.
    pub before: Option<String>,
    /// The version it has.
    pub after: Option<String>,
}

/// An item that differs in content, in where it stands, or in what is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Its id of the second version, else of the first.
    pub id: ItemId,
    /// The id it had, where that was another.
    pub formerly: Option<ItemId>,
    /// Its title.
    pub title: Text,
    /// What is different in the content.
    pub content: ContentChange,
    /// Whether the bindings in `mustdo.toml` ask for something else.
    pub rebound: bool,
    /// Where it stood; none where there was no such item.
    pub before: Option<Status>,
    /// Where it stands; none where there is no such item any more.
    pub after: Option<Status>,
    /// Why it is stale, by check; empty unless it is.
    pub staleness: Vec<(CheckId, Staleness)>,
    /// What failed, in the words of the checks; empty unless it is failing.
    pub failures: Vec<Text>,
    /// Whether something else is recorded: a verdict, a claim, a note, a waiver.
    pub recorded: bool,
}

/// What is different about an item's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentChange {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// These things about it; empty where nothing is.
    Aspects(Vec<Aspect>),
}

impl ItemRow {
    /// Whether its content is different, or what the bindings make of it.
    fn has_content(&self) -> bool {
        self.rebound || self.content != ContentChange::Aspects(vec![])
    }

    /// Whether it stands elsewhere. An open item that came or went has no progress.
    fn has_moved(&self) -> bool {
        self.before.unwrap_or_default() != self.after.unwrap_or_default()
    }
}

impl Difference {
    /// Puts it together.
    #[must_use]
    pub fn new(workspace: &str, mut input: DifferenceInput) -> Self {
        let clean = |text: &mut Text| *text = Text::new(plain(&text.en), plain(&text.zh));
        for item in &mut input.items {
            clean(&mut item.title);
            item.failures.iter_mut().for_each(clean);
        }
        Self { version: env!("CARGO_PKG_VERSION"), workspace: plain(workspace).into_owned(), input }
    }

    fn content(&self) -> impl Iterator<Item = &ItemRow> {
        self.input.items.iter().filter(|item| item.has_content())
    }

    fn progress(&self) -> impl Iterator<Item = &ItemRow> {
        self.input.items.iter().filter(|item| item.has_moved())
    }

    /// Items that stand where they stood, with something else recorded.
    fn again(&self) -> usize {
        self.input.items.iter().filter(|item| item.recorded && !item.has_moved()).count()
    }
}

/// A form of the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceFormat {
    /// For a terminal or a log.
    Text,
    /// GitHub-flavoured, for a comment on a pull request.
    Markdown,
    /// Everything, for programs; its shape is [`DIFFERENCE_SCHEMA`].
    Json,
}

impl DifferenceFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Text, Self::Markdown, Self::Json];
}

impl fmt::Display for DifferenceFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Json => "json",
        })
    }
}

/// A text that names no format of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a format is \"text\", \"markdown\" or \"json\"")]
pub struct ParseDifferenceFormatError;

impl FromStr for DifferenceFormat {
    type Err = ParseDifferenceFormatError;

    fn from_str(text: &str) -> Result<Self, ParseDifferenceFormatError> {
        Self::ALL.into_iter().find(|format| format.to_string() == text).ok_or(ParseDifferenceFormatError)
    }
}

/// The difference as text that ends with a line break.
#[must_use]
pub fn write_difference(difference: &Difference, format: DifferenceFormat, view: &View) -> String {
    match format {
        DifferenceFormat::Text => text::text(difference, *view),
        DifferenceFormat::Markdown => markdown::markdown(difference, view.language),
        DifferenceFormat::Json => json::json(difference),
    }
}

#[cfg(test)]
mod sample {
    use super::*;
    use crate::model::Span;

    fn row(id: &str, before: Option<Status>, after: Option<Status>) -> ItemRow {
        ItemRow {
            id: id.parse().unwrap(),
            formerly: None,
            title: Text::new("An <item> | of `mine`", "我的条目"),
            content: ContentChange::Aspects(vec![]),
            rebound: false,
            before,
            after,
            staleness: vec![],
            failures: vec![],
            recorded: false,
        }
    }

    /// One of everything.
    pub(super) fn difference() -> Difference {
        let at: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let mut renamed = row("a.studied", Some(Status::Claimed), Some(Status::Claimed));
        renamed.formerly = Some("a.read".parse().unwrap());
        renamed.content = ContentChange::Aspects(vec![Aspect::Id, Aspect::Proof]);
        let mut failing = row("a.get", Some(Status::Proven), Some(Status::Failing));
        failing.failures = vec![Text::new("GET deletes\u{1b}[31m the cart", "GET 会删除购物车")];
        failing.recorded = true;
        let mut stale = row("a.xss", Some(Status::Proven), Some(Status::Stale));
        let why = Staleness::Age { proven: "2026-01-01T00:00:00Z".parse().unwrap(), lasts: Span::days(90) };
        stale.staleness = vec![("web-security/xss".parse().unwrap(), why)];
        stale.rebound = true;
        let mut again = row("a.same", Some(Status::Proven), Some(Status::Proven));
        again.recorded = true;
        let added = ItemRow { content: ContentChange::Added, ..row("a.new", None, Some(Status::Open)) };
        let removed = ItemRow { content: ContentChange::Removed, ..row("a.old", Some(Status::Proven), None) };
        let tally = |proven| Tally { items: 4, proven, proven_weight: proven, weight: 4, ..Tally::default() };
        let checklists = vec![
            ChecklistRow {
                id: "a".to_owned(),
                before: Some("1.0.0".to_owned()),
                after: Some("2.0.0".to_owned()),
            },
            ChecklistRow { id: "b".to_owned(), before: None, after: Some("0.1.0".to_owned()) },
        ];
        let input = DifferenceInput {
            at,
            from: Some("a".repeat(40)),
            to: None,
            before: tally(3),
            after: tally(1),
            checklists,
            items: vec![renamed, failing, stale, again, added, removed],
        };
        Difference::new("shop", input)
    }

    /// Nothing is different.
    pub(super) fn same() -> Difference {
        let Difference { input, .. } = difference();
        let before = input.before;
        Difference::new("", DifferenceInput { checklists: vec![], items: vec![], after: before, ..input })
    }
}
