//! The report as a value: what every format shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use semver::Version;

use super::place::Files;
use crate::model::{
    Asked, Attempt, Base, Catalog, CheckId, CheckRecord, Checklist, ChecklistId, Claim, Comparison, Digest,
    Entry, Exhibit, Finding, Group, GroupId, Item, ItemId, Judged, Judgement, Kind, Level, Location,
    Measurement, Point, Policy, Record, Span, Standing, Status, Step, Tag, Tally, TargetName, Text, Verdict,
    Violation, Waiver, Weight, Worse, plain,
};

/// What is known of a selection of items at one moment, in catalog order.
///
/// Made once and only read afterwards. All text that a plugin or a hand wrote is [`plain`] in it, so that no writer can
/// forget: none of it holds a line break or a control character.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The version of mustdo that made it.
    pub(super) version: &'static str,
    /// The moment it speaks of.
    pub(super) generated: Timestamp,
    /// The workspace's name; may be empty.
    pub(super) workspace: String,
    /// The learner's commit; none outside one.
    pub(super) revision: Option<String>,
    /// Whether a selection was given: the totals are then not those of the workspace.
    pub(super) narrowed: bool,
    /// Checklists that hold a selected item.
    pub(super) sections: Vec<Section>,
    /// All selected items.
    pub(super) total: Tally,
    /// What was asked.
    pub(super) policy: Policy,
    /// How the policy was judged on the selected items.
    pub(super) judgement: Judgement,
    /// Whether the exit code says nothing of the policy.
    pub(super) soft: bool,
    /// Where things stand in the learner's repository.
    pub(super) files: Files,
    /// What the commits held, the oldest first; empty where nobody looked.
    pub(super) past: Vec<Point>,
}

/// What a report is made of.
#[derive(Debug)]
pub struct Input<'a> {
    /// Where the items stand.
    pub catalog: &'a Catalog,
    /// The selected items, each once, in any order.
    pub items: Vec<&'a Item>,
    /// What is known of each, in the same order.
    pub entries: Vec<Option<&'a Entry>>,
    /// The checks of each today, in the same order and inside in the item's.
    pub asked: Vec<Vec<Asked>>,
    /// Where items stand that these need and that are not among them, as far as anybody knows.
    pub needed: BTreeMap<ItemId, Status>,
    /// What is asked of them.
    pub policy: &'a Policy,
    /// How that was judged, where more is asked about than is shown; none to judge what is shown.
    pub judgement: Option<Judgement>,
    /// What is worse than at the base; none where nothing is compared.
    pub comparison: Option<Comparison>,
    /// Whether the exit code says nothing of the policy.
    pub soft: bool,
    /// The moment to speak of.
    pub now: Timestamp,
    /// The workspace's name; may be empty.
    pub workspace: String,
    /// The learner's commit; none outside one.
    pub revision: Option<String>,
    /// Whether the items are a part of the workspace only.
    pub narrowed: bool,
    /// Where things stand in the learner's repository.
    pub files: Files,
}

/// One checklist.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) id: ChecklistId,
    pub(super) version: Version,
    pub(super) title: Text,
    pub(super) tally: Tally,
    /// A heading before those below it, in file order; only those with an item at or below them.
    pub(super) headings: Vec<Heading>,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heading {
    pub(super) id: GroupId,
    pub(super) parent: Option<GroupId>,
    pub(super) title: Text,
    /// Groups above it in the same checklist.
    pub(super) depth: usize,
    /// Its items and all below it.
    pub(super) tally: Tally,
    /// Its own items, in file order.
    pub(super) rows: Vec<Row>,
}

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: ItemId,
    pub(super) title: Text,
    pub(super) level: Level,
    pub(super) weight: Weight,
    pub(super) kind: Kind,
    pub(super) tags: Vec<Tag>,
    pub(super) needs: Vec<ItemId>,
    /// Those of them that are neither proven nor waived, with where they stand.
    pub(super) unmet: Vec<(ItemId, Status)>,
    pub(super) source: Option<String>,
    /// The first hint of the item's own.
    pub(super) hint: Option<Text>,
    pub(super) standing: Standing,
    pub(super) claim: Option<Claim>,
    pub(super) waiver: Option<Waiver>,
    /// In the item's order.
    pub(super) checks: Vec<Check>,
}

/// One check of an item, as it is asked today and as it went.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    pub(super) id: CheckId,
    /// The plugin's target name to the workspace's.
    pub(super) targets: BTreeMap<TargetName, TargetName>,
    pub(super) unbound: BTreeSet<TargetName>,
    /// The plugin's bytes today; none where there is no such plugin.
    pub(super) plugin: Option<Digest>,
    pub(super) fresh_for: Span,
    pub(super) decided: Option<Record>,
    pub(super) undecided: Option<Record>,
    /// Whether it was not run again because nothing has changed since it passed.
    pub(super) kept: bool,
}

impl Report {
    /// Puts everything in its place and counts it.
    #[must_use]
    pub fn new(input: Input<'_>) -> Self {
        let Input {
            catalog,
            items,
            entries,
            asked,
            mut needed,
            policy,
            judgement,
            comparison,
            soft,
            now,
            workspace,
            revision,
            narrowed,
            files,
        } = input;
        let known = items.iter().zip(entries).zip(asked);
        let mut known: HashMap<_, _> =
            known.map(|((item, entry), asked)| (&item.id, (entry, asked))).collect();
        let mut judged = vec![];
        let mut sections = vec![];
        let mut total = Tally::default();
        for checklist in catalog.checklists() {
            let mut rows = vec![];
            for item in &checklist.items {
                if let Some((entry, asked)) = known.remove(&item.id) {
                    let standing = Standing::of(item, &asked, entry, now);
                    rows.push((item, Row::new(item, entry, asked, standing.clone())));
                    judged.push((&checklist.id, item, standing));
                }
            }
            if !rows.is_empty() {
                let section = Section::new(checklist, rows);
                total += section.tally;
                sections.push(section);
            }
        }
        needed.extend(judged.iter().map(|(_, item, standing)| (item.id.clone(), standing.status)));
        let headings = sections.iter_mut().flat_map(|section: &mut Section| &mut section.headings);
        for row in headings.flat_map(|heading| &mut heading.rows) {
            row.unmet = unmet(&row.needs, &needed);
        }
        let judge = || {
            let judged = judged.iter();
            let judged = judged.map(|(checklist, item, standing)| Judged { checklist, item, standing });
            policy.judge(judged, narrowed)
        };
        let judgement = judgement.unwrap_or_else(judge);
        let judgement = match comparison {
            Some(comparison) => judgement.compared(self::comparison(comparison)),
            None => judgement,
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            generated: now,
            workspace: plain(&workspace).into_owned(),
            revision: revision.map(|revision| plain(&revision).into_owned()),
            narrowed,
            sections,
            total,
            policy: policy.clone(),
            judgement,
            soft,
            files: self::files(files),
            past: vec![],
        }
    }

    /// The same, with these checks said not to have been run again.
    #[must_use]
    pub fn keeping(mut self, kept: &BTreeSet<(ItemId, CheckId)>) -> Self {
        let headings = self.sections.iter_mut().flat_map(|section| &mut section.headings);
        for row in headings.flat_map(|heading| &mut heading.rows) {
            for check in &mut row.checks {
                check.kept = kept.contains(&(row.id.clone(), check.id.clone()));
            }
        }
        self
    }

    /// The same, with what the commits before it held of the same items, the oldest first.
    #[must_use]
    pub fn after(self, past: Vec<Point>) -> Self {
        Self { past, ..self }
    }

    /// The selected items, in catalog order; none where that is every item there is.
    #[must_use]
    pub fn selected(&self) -> Option<Vec<&ItemId>> {
        self.narrowed.then(|| self.rows().map(|row| &row.id).collect())
    }

    /// How the policy was judged on the selected items.
    #[must_use]
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Whether the exit code says nothing of the policy.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        self.soft
    }

    /// All selected items, counted.
    #[must_use]
    pub fn total(&self) -> &Tally {
        &self.total
    }

    /// What an item was at the base, where it was proven there and is not any more.
    pub(super) fn worse(&self, item: &ItemId) -> Option<(&Base, &Worse)> {
        self.judgement.violations.iter().find_map(|violation| match violation {
            Violation::Worse { base, items } => Some((base, items.iter().find(|worse| worse.item == *item)?)),
            Violation::Failing { .. }
            | Violation::Must { .. }
            | Violation::Readiness { .. }
            | Violation::Stale { .. }
            | Violation::Claimed { .. }
            | Violation::Unproven { .. }
            | Violation::Flaky { .. }
            | Violation::Fallen { .. } => None,
        })
    }

    /// Every row, in catalog order.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(Section::rows)
    }
}

impl Section {
    /// Hangs the rows under their groups and sums the groups from the leaves up.
    fn new(checklist: &Checklist, rows: Vec<(&Item, Row)>) -> Self {
        let mut groups: Vec<Heading> = checklist.groups.iter().map(Heading::new).collect();
        let mut places: HashMap<_, _> =
            groups.iter().enumerate().rev().map(|(place, group)| (group.id.clone(), place)).collect();
        let mut tally = Tally::default();
        for (item, row) in rows {
            tally.add(item, &row.standing);
            // Content that was read has every group; a catalog made otherwise must not lose an item for it.
            let place = *places.entry(item.group.clone()).or_insert_with(|| {
                groups.push(Heading::missing(&item.group));
                groups.len() - 1
            });
            groups[place].tally.add(item, &row.standing);
            groups[place].rows.push(row);
        }
        let visits = preorder(&groups, &places);
        for visit in visits.iter().rev() {
            if let Some(above) = visit.above {
                let below = groups[visit.place].tally;
                groups[above].tally += below;
            }
        }
        let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
        let headings = visits.iter().filter_map(|visit| {
            let heading = groups[visit.place].take()?;
            (heading.tally.items > 0).then_some(Heading { depth: visit.depth, ..heading })
        });
        Self {
            id: checklist.id.clone(),
            version: checklist.version.clone(),
            title: text(&checklist.title),
            tally,
            headings: headings.collect(),
        }
    }

    /// How many headings at the start hold the whole checklist and so add nothing to its title.
    pub(super) fn repeated(&self) -> usize {
        self.headings.iter().take_while(|heading| heading.tally.items == self.tally.items).count()
    }

    /// The headings that add something, each with how many of these stand above it, as far as an indent shows it.
    pub(super) fn telling(&self) -> impl Iterator<Item = (usize, &Heading)> {
        let repeated = self.repeated();
        let depth = move |heading: &Heading| heading.depth.saturating_sub(repeated).min(DEEPEST);
        self.headings.iter().skip(repeated).map(move |heading| (depth(heading), heading))
    }

    /// Every row, in the order of the headings.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.headings.iter().flat_map(|heading| &heading.rows)
    }
}

/// Headings further down are indented like this one: a deeper indent would leave no room for the title.
const DEEPEST: usize = 3;

/// One step of a walk over groups.
struct Visit {
    place: usize,
    above: Option<usize>,
    depth: usize,
}

/// Every group once, those above before those below, else in file order. A circle begins anywhere.
fn preorder(groups: &[Heading], places: &HashMap<GroupId, usize>) -> Vec<Visit> {
    let above = |place: usize| groups[place].parent.as_ref().and_then(|parent| places.get(parent).copied());
    let mut below = vec![vec![]; groups.len()];
    for place in (0..groups.len()).rev() {
        if let Some(above) = above(place) {
            below[above].push(place);
        }
    }
    let mut visits = Vec::with_capacity(groups.len());
    let mut visited = vec![false; groups.len()];
    let roots = (0..groups.len()).filter(|&place| above(place).is_none());
    for start in roots.chain(0..groups.len()) {
        let mut waiting = vec![Visit { place: start, above: None, depth: 0 }];
        while let Some(visit) = waiting.pop() {
            let Visit { place, depth, .. } = visit;
            if std::mem::replace(&mut visited[place], true) {
                continue;
            }
            visits.push(visit);
            let inside = below[place].iter();
            waiting.extend(inside.map(|&inner| Visit { place: inner, above: Some(place), depth: depth + 1 }));
        }
    }
    visits
}

impl Heading {
    fn new(group: &Group) -> Self {
        Self {
            id: group.id.clone(),
            parent: group.parent.clone(),
            title: text(&group.title),
            depth: 0,
            tally: Tally::default(),
            rows: vec![],
        }
    }

    fn missing(id: &GroupId) -> Self {
        Self {
            id: id.clone(),
            parent: None,
            title: Text::same(id.as_str()),
            depth: 0,
            tally: Tally::default(),
            rows: vec![],
        }
    }
}

impl Row {
    fn new(item: &Item, entry: Option<&Entry>, asked: Vec<Asked>, standing: Standing) -> Self {
        let checks = asked.into_iter().map(|asked| {
            let known = entry.and_then(|entry| entry.checks.get(&asked.definition.uses));
            Check::new(asked, known)
        });
        Self {
            checks: checks.collect(),
            id: item.id.clone(),
            title: text(&item.title),
            level: item.level,
            weight: item.weight,
            kind: item.kind,
            tags: item.tags.clone(),
            needs: item.needs.clone(),
            unmet: vec![],
            source: item.source.as_deref().map(line),
            hint: item.hints.first().map(text),
            standing,
            claim: entry.and_then(|entry| entry.claim.as_ref()).map(claim),
            waiver: entry.and_then(|entry| entry.waiver.as_ref()).map(waiver),
        }
    }

    /// The checks whose pass was not seen again, and when it was.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&CheckId, Timestamp)> {
        let kept = self.checks.iter().filter(|check| check.kept);
        kept.filter_map(|check| Some((&check.id, check.decided.as_ref()?.at)))
    }
}

impl Check {
    fn new(asked: Asked, known: Option<&CheckRecord>) -> Self {
        let Asked { definition, plugin, unbound, watched: _, targets: _ } = asked;
        Self {
            id: definition.uses,
            targets: definition.target,
            unbound,
            plugin,
            fresh_for: definition.fresh_for,
            decided: known.and_then(|known| known.decided.as_ref()).map(record),
            undecided: known.and_then(|known| known.undecided.as_ref()).map(record),
            kept: false,
        }
    }

    /// The newest attempt.
    pub(super) fn latest(&self) -> Option<&Record> {
        self.undecided.as_ref().or(self.decided.as_ref())
    }
}

/// The needs that are neither proven nor waived.
fn unmet(needs: &[ItemId], stand: &BTreeMap<ItemId, Status>) -> Vec<(ItemId, Status)> {
    let known = needs.iter().filter_map(|need| Some((need.clone(), *stand.get(need)?)));
    known.filter(|(_, status)| !matches!(status, Status::Proven | Status::Waived)).collect()
}

/// A base's name is what somebody typed or what stands in a file.
fn comparison(comparison: Comparison) -> Comparison {
    let Base { name, commit } = comparison.base;
    Comparison { base: Base { name: plain(&name).into_owned(), commit }, ..comparison }
}

fn files(files: Files) -> Files {
    let Files { settings, items, folders } = files;
    let items = items.into_iter().map(|(item, (path, at))| (item, (line(&path), at)));
    let folders = folders.into_iter().map(|(name, path)| (name, line(&path)));
    Files { settings: line(&settings), items: items.collect(), folders: folders.collect() }
}

fn line(text: &str) -> String {
    plain(text).into_owned()
}

fn text(text: &Text) -> Text {
    let Text { en, zh } = text;
    Text { en: line(en), zh: line(zh) }
}

/// A text whose lines matter.
fn paragraph(text: &Text) -> Text {
    let lines = |text: &str| text.lines().map(line).collect::<Vec<_>>().join("\n");
    let Text { en, zh } = text;
    Text { en: lines(en), zh: lines(zh) }
}

fn claim(claim: &Claim) -> Claim {
    let Claim { at, note, links } = claim;
    Claim { at: *at, note: note.as_deref().map(line), links: links.iter().map(|link| line(link)).collect() }
}

fn waiver(waiver: &Waiver) -> Waiver {
    let Waiver { at, why, until } = waiver;
    Waiver { at: *at, why: line(why), until: *until }
}

fn record(record: &Record) -> Record {
    let Record {
        verdict,
        fault,
        at,
        plugin,
        version,
        proven,
        definition,
        seed,
        commit,
        watched,
        targets,
        elapsed,
        evidence,
        attempts,
    } = record;
    let Verdict { outcome, summary, score, steps, findings, evidence: _, measurements } = verdict;
    Record {
        verdict: Verdict {
            outcome: *outcome,
            summary: text(summary),
            score: *score,
            steps: steps.iter().map(step).collect(),
            findings: findings.iter().map(finding).collect(),
            evidence: vec![],
            measurements: measurements.iter().map(measurement).collect(),
        },
        fault: *fault,
        at: *at,
        plugin: *plugin,
        version: version.clone(),
        proven: *proven,
        definition: *definition,
        seed: *seed,
        commit: commit.as_deref().map(line),
        watched: *watched,
        targets: targets.iter().map(|(name, identity)| (name.clone(), line(identity))).collect(),
        elapsed: *elapsed,
        evidence: evidence.iter().map(exhibit).collect(),
        attempts: attempts
            .iter()
            .map(|attempt| Attempt { summary: text(&attempt.summary), ..*attempt })
            .collect(),
    }
}

fn exhibit(exhibit: &Exhibit) -> Exhibit {
    let Exhibit { label, media_type, size, digest } = exhibit;
    Exhibit { label: line(label), media_type: line(media_type), size: *size, digest: *digest }
}

fn step(step: &Step) -> Step {
    let Step { id, need, outcome, summary } = step;
    Step { id: line(id), need: *need, outcome: *outcome, summary: text(summary) }
}

fn finding(finding: &Finding) -> Finding {
    let Finding { severity, code, message, at, hint } = finding;
    Finding {
        severity: *severity,
        code: line(code),
        message: text(message),
        at: at.as_ref().map(location),
        hint: hint.as_ref().map(paragraph),
    }
}

fn location(location: &Location) -> Location {
    match location {
        Location::Source { target, path, line: from, column, end_line, end_column } => Location::Source {
            target: target.clone(),
            path: line(path),
            line: *from,
            column: *column,
            end_line: *end_line,
            end_column: *end_column,
        },
        Location::Exchange { target, request } => {
            Location::Exchange { target: target.clone(), request: line(request) }
        }
        Location::Endpoint(target) => Location::Endpoint(target.clone()),
        Location::Process(target) => Location::Process(target.clone()),
        Location::Note(note) => Location::Note(line(note)),
    }
}

fn measurement(measurement: &Measurement) -> Measurement {
    let Measurement { name, value, unit, samples, statistic } = measurement;
    Measurement {
        name: line(name),
        value: *value,
        unit: line(unit),
        samples: *samples,
        statistic: line(statistic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn groups_count_what_is_below_them_and_the_empty_ones_are_left_out() {
        let report = sample::mixed();
        let stack = &report.sections[1];
        let headings: Vec<_> = stack
            .headings
            .iter()
            .map(|heading| (heading.id.as_str(), heading.depth, heading.tally.items))
            .collect();
        assert_eq!(
            headings,
            [
                ("stack", 0, 6),
                ("stack.deployment", 1, 4),
                ("stack.release", 2, 2),
                ("stack.build", 2, 2),
                ("stack.coding", 1, 2),
            ]
        );
        let sum = report.sections.iter().map(|section| section.tally.items).sum::<u32>();
        assert_eq!((report.total.items, sum), (12, 12));
    }

    #[test]
    fn headings_that_hold_the_whole_checklist_are_not_telling() {
        let telling = |section: &Section| section.telling().map(|(depth, _)| depth).collect::<Vec<_>>();
        let report = sample::mixed();
        assert_eq!(telling(&report.sections[0]), Vec::<usize>::new());
        assert_eq!(telling(&report.sections[1]), [0, 1, 1, 0]);
    }

    #[test]
    fn groups_in_a_circle_or_without_a_parent_lose_no_item() {
        let group = |id: &str, parent: Option<&str>| Heading {
            parent: parent.map(|parent| parent.parse().unwrap()),
            ..Heading::missing(&id.parse().unwrap())
        };
        let groups = [group("a", Some("b")), group("b", Some("a")), group("c", Some("gone"))];
        let places = groups.iter().enumerate().map(|(place, group)| (group.id.clone(), place)).collect();
        let visits = preorder(&groups, &places);
        assert_eq!(visits.iter().map(|visit| visit.place).collect::<Vec<_>>(), [2, 0, 1]);
    }

    #[test]
    fn nothing_in_a_report_is_hidden() {
        let text = format!("{:?}", sample::hostile());
        for hidden in ["\\u{1b}", "\\u{202e}", "\\u{9b}", "\\0", "\\r", "\\u{ffff}"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
        // Only a hint has lines: some are there to paste.
        let hints = text.split("hint: Some(Text {");
        let outside = hints
            .enumerate()
            .map(|(place, part)| if place == 0 { part } else { &part[part.find("})").unwrap()..] });
        assert!(outside.clone().count() > 1 && outside.into_iter().all(|part| !part.contains("\\n")));
    }
}
