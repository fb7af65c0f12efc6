//! Readiness over the versions of a workspace: a table with a curve, and JSON.

mod json;
mod spark;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use thiserror::Error;

use super::View;
use crate::model::{ItemId, Point, Text, plain};

/// The JSON Schema (2020-12) of [`HistoryFormat::Json`].
pub const HISTORY_SCHEMA: &str = include_str!("../schema/history.json");

/// What is known of a workspace over its commits.
///
/// Made once and only read afterwards; text that somebody wrote is [`plain`] in it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    version: &'static str,
    generated: Timestamp,
    workspace: String,
    narrowed: bool,
    /// The oldest first; the work tree, where it is there, is the last.
    points: Vec<Point>,
    /// Of the items of today.
    titles: BTreeMap<ItemId, Text>,
}

impl History {
    /// Puts it together: `points` are the versions, the oldest first, `titles` those of the items of today, and `narrowed`
    /// says whether only a part of the items was looked at.
    #[must_use]
    pub fn new(
        generated: Timestamp,
        workspace: &str,
        narrowed: bool,
        mut points: Vec<Point>,
        titles: impl IntoIterator<Item = (ItemId, Text)>,
    ) -> Self {
        for point in &mut points {
            point.summary = plain(&point.summary).into_owned();
            if let Err(trouble) = &mut point.tally {
                *trouble = plain(trouble).into_owned();
            }
        }
        let clean = |(id, title): (ItemId, Text)| (id, Text::new(plain(&title.en), plain(&title.zh)));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            generated,
            workspace: plain(workspace).into_owned(),
            narrowed,
            points,
            titles: titles.into_iter().map(clean).collect(),
        }
    }
}

/// A form of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryFormat {
    /// For a terminal or a log.
    Table,
    /// Everything, for programs; its shape is [`HISTORY_SCHEMA`].
    Json,
}

impl HistoryFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Table, Self::Json];
}

impl fmt::Display for HistoryFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Table => "table",
            Self::Json => "json",
        })
    }
}

/// A text that names no format of the history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a format is \"table\" or \"json\"")]
pub struct ParseHistoryFormatError;

impl FromStr for HistoryFormat {
    type Err = ParseHistoryFormatError;

    fn from_str(text: &str) -> Result<Self, ParseHistoryFormatError> {
        Self::ALL.into_iter().find(|format| format.to_string() == text).ok_or(ParseHistoryFormatError)
    }
}

/// The history as text that ends with a line break. `view` says whether the table tells each item's own story, and `last`
/// how many versions it has; JSON has everything.
#[must_use]
pub fn write_history(history: &History, format: HistoryFormat, view: &View, last: usize) -> String {
    match format {
        HistoryFormat::Table => table::table(history, *view, last),
        HistoryFormat::Json => json::json(history),
    }
}

#[cfg(test)]
mod sample {
    use super::*;
    use crate::model::{Change, CheckId, Span, Staleness, Status, Tally};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tally(proven: u32, claimed: u32, failing: u32, stale: u32) -> Tally {
        let items = 10;
        let open = items - proven - claimed - failing - stale;
        let weights = (proven * 3, claimed * 3, items * 3);
        Tally {
            items,
            proven,
            claimed,
            failing,
            stale,
            open,
            checkable: 8,
            proven_weight: weights.0,
            claimed_weight: weights.1,
            weight: weights.2,
            ..Tally::default()
        }
    }

    fn change(item: &str, from: Option<Status>, to: Option<Status>, when: &str) -> Change {
        Change { item: item.parse().unwrap(), from, to, at: at(when), staleness: vec![] }
    }

    /// A claim, a failure, a file that can not be read, proofs, and one that grew old before today.
    pub(super) fn history() -> History {
        let point = |revision: &str, when: &str, summary: &str, tally, changes| Point {
            revision: (!revision.is_empty()).then(|| revision.repeat(40)),
            at: at(when),
            summary: summary.to_owned(),
            tally,
            changes,
        };
        let check: CheckId = "http-api/safe-get".parse().unwrap();
        let why = Staleness::Age { proven: at("2026-01-03T10:00:00Z"), lasts: Span::days(90) };
        let mut stale = change("a.get", Some(Status::Proven), Some(Status::Stale), "2026-04-03T10:00:00Z");
        stale.staleness = vec![(check, why)];
        let points = vec![
            point("a", "2026-01-01T09:00:00Z", "begin", Ok(tally(0, 0, 0, 0)), vec![]),
            point(
                "b",
                "2026-01-02T09:00:00Z",
                "tick \u{1b}[31mxss",
                Ok(tally(0, 1, 1, 0)),
                vec![
                    change("a.xss", Some(Status::Open), Some(Status::Claimed), "2026-01-02T08:59:00Z"),
                    change("a.get", None, Some(Status::Failing), "2026-01-02T08:59:30Z"),
                ],
            ),
            point(
                "c",
                "2026-01-03T08:00:00Z",
                "merge",
                Err("progress/a.toml: no value\n".to_owned()),
                vec![],
            ),
            point(
                "d",
                "2026-01-03T10:01:00Z",
                "verify",
                Ok(tally(7, 1, 0, 0)),
                vec![
                    change("a.get", Some(Status::Failing), Some(Status::Proven), "2026-01-03T10:00:00Z"),
                    change("a.gone", Some(Status::Claimed), None, "2026-01-03T10:01:00Z"),
                ],
            ),
            point("", "2026-06-01T12:00:00Z", "", Ok(tally(6, 1, 0, 1)), vec![stale]),
        ];
        let titles =
            [("a.get", "GET 安全", "GET is safe"), ("a.xss", "不执行脚本", "No page\nruns a script")]
                .map(|(id, zh, en)| (id.parse().unwrap(), Text::new(en, zh)));
        History::new(at("2026-06-01T12:00:00Z"), "shop", false, points, titles)
    }
}
