//! What the commits of a workspace told the last time, kept outside of it: a commit never changes, so its part of the history is
//! found out once.
//!
//! The file stands in the user's cache, a line for each fact, and ends with its own digest. Whatever is not exactly what this very
//! mustdo would write about these items is thrown away, and the commits are looked at again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::{FromStr, SplitWhitespace};

use jiff::Timestamp;

use super::context::Context;
use super::failure::Failure;
use super::project::Project;
use super::shelf::Shelf;
use super::timeline::Timeline;
use crate::model::{
    Change, CheckId, Digest, Hasher, ItemId, Point, Settings, Staleness, Status, Tally, plain,
};
use crate::store::{CHECKLISTS, PLUGINS, Repository, keep, read_text};

/// What was told up to a commit.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Chronicle {
    /// The commit up to which was told; empty before the first.
    pub(crate) tip: String,
    /// Every version up to it.
    pub(crate) points: Vec<Point>,
    /// Where the items stood in the last that could be read, by the id of today.
    pub(crate) statuses: HashMap<ItemId, Status>,
}

/// The first line of the file: another shape is another number.
const FORMAT: &str = "mustdo history 1";

/// What stands where there is nothing.
const NOTHING: &str = "-";

impl Chronicle {
    /// What the commits of a workspace tell of `wanted`, or of every item: up to `HEAD`, or up to the commit `until`.
    ///
    /// What was told before is not found out again. Of another end of the line nothing is kept: it would push out what was told
    /// of this one.
    pub(crate) fn told(
        context: &Context,
        project: &Project,
        repository: &Repository,
        wanted: Option<&[&ItemId]>,
        until: Option<String>,
    ) -> Result<Self, Failure> {
        let Some(workspace) = &project.workspace else { return Ok(Self::default()) };
        let place = Self::place(context, project, repository, wanted).filter(|_| until.is_none());
        let mut told = place.as_deref().map(Self::read).unwrap_or_default();
        let head = match until {
            Some(commit) => Some(commit),
            None => repository.head_id()?,
        };
        let Some(head) = head.filter(|head| *head != told.tip) else { return Ok(told) };
        let later = if told.tip.is_empty() {
            None
        } else {
            repository.revisions_after(workspace.root(), &head, &told.tip)?
        };
        let later = if let Some(later) = later {
            later
        } else {
            told = Self::default();
            repository.revisions(workspace.root(), &head)?
        };
        let shipped = Shelf::open(None)?;
        let chosen = wanted.map(|wanted| wanted.iter().copied().cloned().collect());
        let mut timeline = Timeline::new(context, repository, workspace, &shipped, &project.catalog, chosen)
            .after(told.statuses);
        for revision in &later {
            told.points.push(timeline.point(revision)?);
        }
        told.tip = head;
        told.statuses = timeline.into_statuses();
        if let Some(place) = &place {
            told.write(place);
        }
        Ok(told)
    }

    /// Where it is kept: the name depends on everything that a commit's standing depends on and that is not in the commit.
    /// None where nothing is kept.
    fn place(
        context: &Context,
        project: &Project,
        repository: &Repository,
        wanted: Option<&[&ItemId]>,
    ) -> Option<PathBuf> {
        let folder = context.environment.cache.as_ref()?.join("history");
        let mut hasher = Hasher::default();
        hasher.field(env!("CARGO_PKG_VERSION"));
        hasher.field(project.workspace.as_ref()?.root().as_os_str().as_encoded_bytes());
        for (name, text) in CHECKLISTS {
            hasher.field(name).field(text);
        }
        for plugin in PLUGINS {
            hasher.field(plugin.id).field(plugin.digest.to_string());
        }
        // Of the user's own settings, one thing is asked of a proof.
        let lasts = project.user_settings().fresh_for.unwrap_or(Settings::FRESH_FOR);
        hasher.field(lasts.to_string());
        // Ids of the past are told by the ids of today.
        for item in project.catalog.items() {
            hasher.field("item").field(item.id.as_str());
            for old in &item.formerly {
                hasher.field("formerly").field(old.as_str());
            }
        }
        // A clone that ends before its history does tells less than a whole one.
        hasher.field(if repository.is_shallow() { "shallow" } else { "whole" });
        hasher.field(if wanted.is_some() { "some" } else { "all" });
        for item in wanted.into_iter().flatten() {
            hasher.field("wanted").field(item.as_str());
        }
        Some(folder.join(hasher.finish().hex()))
    }

    /// Reads it; nothing told where there is none that can be used.
    fn read(place: &Path) -> Self {
        read_text(place).ok().flatten().and_then(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Keeps it. That it can not be kept costs time and nothing else.
    fn write(&self, place: &Path) {
        let _kept = keep(place, self.text().as_bytes());
    }

    fn text(&self) -> String {
        let mut lines = vec![FORMAT.to_owned(), format!("tip {}", self.tip)];
        let mut statuses: Vec<_> = self.statuses.iter().collect();
        statuses.sort_unstable();
        lines.extend(statuses.into_iter().map(|(id, status)| format!("status {id} {}", status.word())));
        for point in &self.points {
            point_lines(point, &mut lines);
        }
        let body = lines.join("\n");
        let digest = Digest::of(body.as_bytes());
        format!("{body}\nend {digest}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let (body, end) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let digest: Digest = end.strip_prefix("end ")?.parse().ok()?;
        if digest != Digest::of(body.as_bytes()) {
            return None;
        }
        let mut chronicle = Self::default();
        let mut lines = body.split('\n');
        if lines.next() != Some(FORMAT) {
            return None;
        }
        for line in lines {
            let (word, rest) = line.split_once(' ')?;
            let mut words = rest.split_whitespace();
            match word {
                "tip" => rest.clone_into(&mut chronicle.tip),
                "status" => {
                    chronicle.statuses.insert(next(&mut words)?, next(&mut words)?);
                }
                "point" => chronicle.points.push(point(rest)?),
                "trouble" => chronicle.points.last_mut()?.tally = Err(rest.to_owned()),
                "change" => chronicle.points.last_mut()?.changes.push(change(&mut words)?),
                "why" => {
                    let changed = chronicle.points.last_mut()?.changes.last_mut()?;
                    changed.staleness.push(why(&mut words)?);
                }
                _ => return None,
            }
        }
        Some(chronicle)
    }
}

fn point_lines(point: &Point, lines: &mut Vec<String>) {
    let Point { revision, at, summary, tally, changes } = point;
    let figures = numbers(tally.clone().unwrap_or_default()).map(|number| number.to_string()).join(",");
    let revision = revision.as_deref().unwrap_or(NOTHING);
    lines.push(format!("point {revision} {} {figures} {}", at.as_nanosecond(), plain(summary)));
    if let Err(trouble) = tally {
        lines.push(format!("trouble {}", plain(trouble)));
    }
    for Change { item, from, to, at, staleness } in changes {
        let [from, to] = [from, to].map(|status| status.map_or(NOTHING, Status::word));
        lines.push(format!("change {item} {from} {to} {}", at.as_nanosecond()));
        for (check, why) in staleness {
            let why = match why {
                Staleness::Age { proven, lasts } => format!("age {} {lasts}", proven.as_nanosecond()),
                Staleness::Future { proven } => format!("future {}", proven.as_nanosecond()),
                Staleness::Definition => "definition".to_owned(),
                Staleness::Plugin { then } => format!("plugin {then}"),
                Staleness::Watched => "watched".to_owned(),
                Staleness::Target { name } => format!("target {name}"),
            };
            lines.push(format!("why {check} {why}"));
        }
    }
}

fn point(rest: &str) -> Option<Point> {
    let mut parts = rest.splitn(4, ' ');
    let revision = parts.next()?;
    let at = moment(parts.next()?)?;
    let figures: Vec<u32> = parts.next()?.split(',').map(|text| text.parse().ok()).collect::<Option<_>>()?;
    let summary = parts.next()?.to_owned();
    let revision = (revision != NOTHING).then(|| revision.to_owned());
    Some(Point { revision, at, summary, tally: Ok(tally(figures.try_into().ok()?)), changes: vec![] })
}

fn change(words: &mut SplitWhitespace<'_>) -> Option<Change> {
    let item = next(words)?;
    let mut status = || match words.next()? {
        NOTHING => Some(None),
        word => word.parse().ok().map(Some),
    };
    let (from, to) = (status()?, status()?);
    Some(Change { item, from, to, at: moment(words.next()?)?, staleness: vec![] })
}

fn why(words: &mut SplitWhitespace<'_>) -> Option<(CheckId, Staleness)> {
    let check = next(words)?;
    let why = match words.next()? {
        "age" => Staleness::Age { proven: moment(words.next()?)?, lasts: next(words)? },
        "future" => Staleness::Future { proven: moment(words.next()?)? },
        "definition" => Staleness::Definition,
        "plugin" => Staleness::Plugin { then: next(words)? },
        "watched" => Staleness::Watched,
        "target" => Staleness::Target { name: next(words)? },
        _ => return None,
    };
    Some((check, why))
}

fn next<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::from_nanosecond(text.parse().ok()?).ok()
}

fn numbers(mut tally: Tally) -> [u32; 13] {
    tally.counters().map(|number| *number)
}

fn tally(numbers: [u32; 13]) -> Tally {
    let mut tally = Tally::default();
    for (place, number) in tally.counters().into_iter().zip(numbers) {
        *place = number;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;

    fn sample() -> Chronicle {
        let at: Timestamp = "2026-01-02T03:04:05.006Z".parse().unwrap();
        let reasons = [
            Staleness::Age { proven: at, lasts: Span::days(90) },
            Staleness::Future { proven: at },
            Staleness::Definition,
            Staleness::Plugin { then: Digest::of(b"then") },
            Staleness::Watched,
            Staleness::Target { name: "web".parse().unwrap() },
        ];
        let check: CheckId = "a/b".parse().unwrap();
        let staleness = reasons.into_iter().map(|why| (check.clone(), why)).collect();
        let change = |from, to, staleness| Change { item: "a.b".parse().unwrap(), from, to, at, staleness };
        let point = |summary: &str, tally, changes| Point {
            revision: Some("a".repeat(40)),
            at,
            summary: summary.to_owned(),
            tally,
            changes,
        };
        Chronicle {
            tip: "b".repeat(40),
            points: vec![
                point(
                    "a  summary ",
                    Ok(tally(std::array::from_fn(|number| u32::try_from(number).unwrap()))),
                    vec![],
                ),
                point("", Err("progress/a.toml: no".to_owned()), vec![]),
                point(
                    "x",
                    Ok(Tally::default()),
                    vec![
                        change(Some(Status::Proven), Some(Status::Stale), staleness),
                        change(None, Some(Status::Waived), vec![]),
                        change(Some(Status::Claimed), None, vec![]),
                    ],
                ),
            ],
            statuses: [("a.b".parse().unwrap(), Status::Stale), ("a.c".parse().unwrap(), Status::Open)]
                .into(),
        }
    }

    #[test]
    fn chronicle_reads_what_it_writes() {
        for chronicle in [sample(), Chronicle::default()] {
            assert_eq!(Chronicle::parse(&chronicle.text()).as_ref(), Some(&chronicle));
        }
    }

    #[test]
    fn what_is_not_whole_or_of_another_shape_is_thrown_away() {
        let text = sample().text();
        for length in 0..text.len() {
            assert_eq!(Chronicle::parse(&text[..length]), None);
        }
        assert_eq!(Chronicle::parse(&text.replace("stale", "open ")), None);
        let other = text.replace(FORMAT, "mustdo history 2");
        let body = other.rsplit_once("\nend ").unwrap().0;
        assert_eq!(Chronicle::parse(&format!("{body}\nend {}\n", Digest::of(body.as_bytes()))), None);
    }
}
