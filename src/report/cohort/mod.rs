//! A class or a team side by side: who is how far, and which items are hard.
//!
//! A [`CohortReport`] is made once from what was seen of each learner; [`write_cohort`] turns it into text.

mod csv;
mod html;
mod json;
mod markdown;
mod phrase;
#[cfg(test)]
mod sample;
mod table;
mod usual;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::View;
use crate::model::{
    Catalog, ChecklistId, Digest, ItemId, Level, Standing, Status, Tally, Text, plain, plain_line,
};
use usual::Usual;

/// The JSON Schema (2020-12) of [`CohortFormat::Json`].
pub const COHORT_SCHEMA: &str = include_str!("../schema/cohort.json");

/// Characters of the reason why a workspace can not be read.
const REASON: usize = 400;

/// What is known of a cohort at one moment.
///
/// Text that somebody wrote is [`plain`] in it.
#[derive(Debug, Clone, PartialEq)]
pub struct CohortReport {
    version: &'static str,
    generated: Timestamp,
    title: Option<String>,
    /// Those that count, as most learners have them.
    checklists: Vec<ChecklistLine>,
    /// In file order.
    learners: Vec<LearnerLine>,
    /// By checklist, then in file order.
    items: Vec<ItemLine>,
}

/// What a [`CohortReport`] is made of.
#[derive(Debug)]
pub struct CohortInput {
    /// The moment at which everything is judged.
    pub at: Timestamp,
    /// What the cohort is called.
    pub title: Option<String>,
    /// Checklists that were asked for; empty for all.
    pub wanted: Vec<ChecklistId>,
    /// In file order.
    pub learners: Vec<LearnerInput>,
}

/// A learner, and what was seen of the workspace.
#[derive(Debug)]
pub struct LearnerInput {
    /// Unique in the cohort.
    pub name: String,
    /// Where the workspace is, for people.
    pub place: String,
    /// What was seen, or why nothing can be said.
    pub seen: Result<Seen, String>,
}

/// What was seen of a learner's workspace.
#[derive(Debug)]
pub struct Seen {
    /// The commit, 40 hexadecimal digits; none for the files as they lie there.
    pub revision: Option<String>,
    /// When something was recorded last; none where nothing is.
    pub activity: Option<Timestamp>,
    /// Every item of the checklists that count.
    pub tally: Tally,
    /// Its checklists; learners with the same ones share it.
    pub catalog: Arc<Catalog>,
    /// Those of them that count.
    pub checklists: Vec<SeenChecklist>,
}

/// A checklist of a learner.
#[derive(Debug)]
pub struct SeenChecklist {
    /// Which of the catalog.
    pub id: ChecklistId,
    /// Of the file.
    pub digest: Digest,
    /// Where its items stand, one each, in file order.
    pub stands: Vec<Stand>,
}

/// Where an item stands for one learner, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Where.
    pub status: Status,
    /// Whether the latest attempt of one of its checks could not tell.
    pub inconclusive: bool,
    /// Whether it is proven by the word of a plugin that is unproven itself.
    pub unproven: bool,
}

impl From<&Standing> for Stand {
    fn from(standing: &Standing) -> Self {
        Self {
            status: standing.status,
            inconclusive: !standing.inconclusive.is_empty(),
            unproven: standing.status == Status::Proven && !standing.unproven.is_empty(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct ChecklistLine {
    id: ChecklistId,
    title: Text,
    version: String,
    /// How many learners have it so, byte for byte.
    learners: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct LearnerLine {
    name: String,
    place: String,
    seen: Result<SeenLine, String>,
}

#[derive(Debug, Clone, PartialEq)]
struct SeenLine {
    revision: Option<String>,
    activity: Option<Timestamp>,
    tally: Tally,
    /// Proven items that are so by the word of an unproven plugin.
    unproven: usize,
    marks: Vec<Mark>,
}

/// Why a learner's figures are not those of the others' checklists.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// Another version than most have.
    Version { checklist: ChecklistId, own: String, usual: String },
    /// Other words, weights or checks under the version that most have.
    Changed { checklist: ChecklistId, version: String },
    /// Nobody else has it.
    Own { checklist: ChecklistId },
    /// It was asked for, or most have it.
    Missing { checklist: ChecklistId },
}

/// An item, and where it stands for each learner.
#[derive(Debug, Clone, PartialEq)]
struct ItemLine {
    id: ItemId,
    checklist: ChecklistId,
    title: Text,
    level: Level,
    /// As many as there are learners, in their order; none where a learner has no such item, or can not be read.
    stands: Vec<Option<Stand>>,
}

impl ItemLine {
    fn count(&self, status: Status) -> usize {
        self.stands.iter().flatten().filter(|stand| stand.status == status).count()
    }

    fn inconclusive(&self) -> usize {
        self.stands.iter().flatten().filter(|stand| stand.inconclusive).count()
    }

    fn unproven(&self) -> usize {
        self.stands.iter().flatten().filter(|stand| stand.unproven).count()
    }

    fn known(&self) -> usize {
        self.stands.iter().flatten().count()
    }
}

impl CohortReport {
    /// Puts it together.
    #[must_use]
    pub fn new(input: CohortInput) -> Self {
        let CohortInput { at, title, wanted, learners } = input;
        let usual = Usual::of(&wanted, &learners);
        let items = usual.items(&learners);
        let lines = learners.into_iter().map(|learner| {
            let LearnerInput { name, place, seen } = learner;
            let seen = match seen {
                Ok(seen) => {
                    let marks = usual.marks(&seen);
                    let Seen { revision, activity, tally, catalog: _, checklists } = seen;
                    let stands = checklists.iter().flat_map(|checklist| &checklist.stands);
                    let unproven = stands.filter(|stand| stand.unproven).count();
                    Ok(SeenLine { revision, activity, tally, unproven, marks })
                }
                Err(reason) => Err(plain_line(&reason, REASON)),
            };
            LearnerLine { name: plain(&name).into_owned(), place: plain(&place).into_owned(), seen }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            generated: at,
            title: title.map(|title| plain(&title).into_owned()),
            learners: lines.collect(),
            checklists: usual.lines(),
            items,
        }
    }

    /// Whether every learner's workspace could be read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unreadable() == 0
    }

    fn unreadable(&self) -> usize {
        self.learners.iter().filter(|learner| learner.seen.is_err()).count()
    }

    fn seen(&self) -> impl Iterator<Item = &SeenLine> {
        self.learners.iter().filter_map(|learner| learner.seen.as_ref().ok())
    }

    /// The readiness of the learner in the middle, the lower of two; none where nobody has one.
    fn median(&self) -> Option<u32> {
        let mut values: Vec<_> = self.seen().filter_map(|seen| seen.tally.readiness()).collect();
        values.sort_unstable();
        values.get(values.len().checked_sub(1)? / 2).copied()
    }
}

/// A form of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortFormat {
    /// For a terminal or a log.
    Table,
    /// GitHub-flavoured.
    Markdown,
    /// For a spreadsheet (RFC 4180).
    Csv,
    /// Everything, for programs; its shape is [`COHORT_SCHEMA`].
    Json,
    /// Everything, on one page for a browser.
    Html,
}

impl CohortFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Table, Self::Markdown, Self::Csv, Self::Json, Self::Html];
}

impl fmt::Display for CohortFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Table => "table",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Html => "html",
        })
    }
}

/// A text that names no format of a cohort.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a format is \"table\", \"markdown\", \"csv\", \"json\" or \"html\"")]
pub struct ParseCohortFormatError;

impl FromStr for CohortFormat {
    type Err = ParseCohortFormatError;

    fn from_str(text: &str) -> Result<Self, ParseCohortFormatError> {
        Self::ALL.into_iter().find(|format| format.to_string() == text).ok_or(ParseCohortFormatError)
    }
}

/// The cohort as text that ends with a line break. `view` says whether the table, Markdown and CSV have every item; JSON and
/// the page always do.
#[must_use]
pub fn write_cohort(report: &CohortReport, format: CohortFormat, view: &View) -> String {
    match format {
        CohortFormat::Table => table::table(report, *view),
        CohortFormat::Markdown => markdown::markdown(report, *view),
        CohortFormat::Csv => csv::csv(report, view.items),
        CohortFormat::Json => json::json(report),
        CohortFormat::Html => html::html(report, view.language),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Language;

    #[test]
    fn formats_parse_what_they_print_and_end_with_a_line_break() {
        let report = sample::cohort();
        for format in CohortFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            for language in Language::ALL {
                let view = View { language, color: false, width: Some(100), items: true, why: false };
                assert!(write_cohort(&report, format, &view).ends_with('\n'), "{format}");
            }
        }
        assert_eq!("xlsx".parse::<CohortFormat>(), Err(ParseCohortFormatError));
    }

    #[test]
    fn what_most_have_is_usual_and_others_are_marked() {
        let report = sample::cohort();
        let marks: Vec<_> = report
            .learners
            .iter()
            .map(|learner| learner.seen.as_ref().map_or(0, |seen| seen.marks.len()))
            .collect();
        assert_eq!(marks, [0, 0, 2, 0, 0]);
        let cy = report.learners[2].seen.as_ref().unwrap();
        let id = |text: &str| text.parse::<ChecklistId>().unwrap();
        let version =
            Mark::Version { checklist: id("own"), own: "2.0.0".to_owned(), usual: "1.0.0".to_owned() };
        assert_eq!(cy.marks, [version, Mark::Own { checklist: id("easy") }]);
        assert_eq!((report.is_whole(), report.median()), (false, Some(0)));
    }

    #[test]
    fn items_are_those_of_what_is_usual_with_a_place_for_each_learner() {
        let report = sample::cohort();
        let ids: Vec<_> = report.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["own.get", "own.read"]);
        let get = &report.items[0];
        assert_eq!((get.count(Status::Proven), get.inconclusive(), get.known()), (2, 1, 4));
        // Cy has another version, in which the other item is gone.
        assert_eq!(
            report.items[1].stands.iter().map(Option::is_some).collect::<Vec<_>>(),
            [true, true, false, true, false]
        );
    }
}
