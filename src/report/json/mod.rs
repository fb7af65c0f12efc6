//! The report as JSON, for programs. Its shape has a number and a schema: `schema/report.json`.

mod gate;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use self::gate::{JudgementView, PolicyView};
use super::tree::{Check, Heading, Report, Row, Section};
use crate::model::{
    Attempt, CheckId, Claim, Exhibit, Finding, GroupId, ItemId, Location, Measurement, Record, Score,
    Staleness, Standing, Step, Tag, Tally, TargetName, Text, Verdict, Waiver,
};

/// The number of the shape: keys may be added under it; removing or changing one is the next.
const FORMAT: u32 = 1;

/// The report.
pub(super) fn json(report: &Report) -> String {
    // Strings, numbers and maps with string keys, written to memory: there is nothing that could fail.
    let mut text = serde_json::to_string_pretty(&ReportView::new(report)).expect("a report is plain data");
    text.push('\n');
    text
}

/// The whole report as it is serialized.
#[derive(Serialize)]
pub(super) struct ReportView<'a> {
    format: u32,
    tool: String,
    generated: String,
    workspace: &'a str,
    revision: Option<&'a str>,
    narrowed: bool,
    total: TallyView,
    policy: PolicyView<'a>,
    judgement: JudgementView<'a>,
    checklists: Vec<ChecklistView<'a>>,
}

impl<'a> ReportView<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        // Places in files are for the formats that point into them.
        let Report {
            version,
            generated,
            workspace,
            revision,
            narrowed,
            sections,
            total,
            policy,
            judgement,
            soft,
            files: _,
            past: _,
        } = report;
        Self {
            format: FORMAT,
            tool: format!("mustdo {version}"),
            generated: generated.to_string(),
            workspace,
            revision: revision.as_deref(),
            narrowed: *narrowed,
            total: TallyView::new(total),
            policy: PolicyView::new(policy),
            judgement: JudgementView::new(judgement, *soft),
            checklists: sections.iter().map(ChecklistView::new).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct TextView<'a> {
    en: &'a str,
    zh: &'a str,
}

impl<'a> TextView<'a> {
    pub(super) fn new(text: &'a Text) -> Self {
        let Text { en, zh } = text;
        Self { en, zh }
    }
}

#[derive(Serialize)]
pub(super) struct TallyView {
    items: u32,
    proven: u32,
    claimed: u32,
    failing: u32,
    stale: u32,
    open: u32,
    waived: u32,
    inconclusive: u32,
    not_bound: u32,
    with_check: u32,
    weight: u32,
    proven_weight: u32,
    claimed_weight: u32,
    readiness: Option<u32>,
    claimed_share: Option<u32>,
}

impl TallyView {
    pub(super) fn new(tally: &Tally) -> Self {
        let Tally {
            items,
            proven,
            claimed,
            failing,
            stale,
            waived,
            open,
            inconclusive,
            unbound,
            checkable,
            proven_weight,
            claimed_weight,
            weight,
        } = *tally;
        Self {
            items,
            proven,
            claimed,
            failing,
            stale,
            open,
            waived,
            inconclusive,
            not_bound: unbound,
            with_check: checkable,
            weight,
            proven_weight,
            claimed_weight,
            readiness: tally.readiness(),
            claimed_share: tally.claimed_share(),
        }
    }
}

fn ids(items: &[ItemId]) -> Vec<&str> {
    items.iter().map(ItemId::as_str).collect()
}

#[derive(Serialize)]
struct ChecklistView<'a> {
    id: &'a str,
    version: String,
    title: TextView<'a>,
    total: TallyView,
    groups: Vec<GroupView<'a>>,
}

impl<'a> ChecklistView<'a> {
    fn new(section: &'a Section) -> Self {
        let Section { id, version, title, tally, headings } = section;
        Self {
            id: id.as_str(),
            version: version.to_string(),
            title: TextView::new(title),
            total: TallyView::new(tally),
            groups: headings.iter().map(GroupView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct GroupView<'a> {
    id: &'a str,
    parent: Option<&'a str>,
    depth: usize,
    title: TextView<'a>,
    total: TallyView,
    items: Vec<ItemView<'a>>,
}

impl<'a> GroupView<'a> {
    fn new(heading: &'a Heading) -> Self {
        let Heading { id, parent, title, depth, tally, rows } = heading;
        Self {
            id: id.as_str(),
            parent: parent.as_ref().map(GroupId::as_str),
            depth: *depth,
            title: TextView::new(title),
            total: TallyView::new(tally),
            items: rows.iter().map(ItemView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ItemView<'a> {
    id: &'a str,
    title: TextView<'a>,
    level: &'static str,
    weight: u32,
    kind: &'static str,
    tags: Vec<&'a str>,
    needs: Vec<&'a str>,
    source: Option<&'a str>,
    hint: Option<TextView<'a>>,
    status: &'static str,
    staleness: Vec<StalenessView>,
    inconclusive: Vec<String>,
    not_bound: Vec<&'a str>,
    claim: Option<ClaimView<'a>>,
    waiver: Option<WaiverView<'a>>,
    waiver_ended: Option<String>,
    checks: Vec<CheckView<'a>>,
}

impl<'a> ItemView<'a> {
    fn new(row: &'a Row) -> Self {
        let Row {
            id,
            title,
            level,
            weight,
            kind,
            tags,
            needs,
            unmet: _,
            source,
            hint,
            standing,
            claim,
            waiver,
            checks,
        } = row;
        // Which plugins are unproven and which checks flaky stands with each record.
        let Standing {
            status,
            staleness,
            changed: _,
            inconclusive,
            flaky: _,
            passed_at_last: _,
            unbound,
            unproven: _,
            waiver_ended,
        } = standing;
        Self {
            id: id.as_str(),
            title: TextView::new(title),
            level: level.word(),
            weight: weight.get(),
            kind: kind.word(),
            tags: tags.iter().map(Tag::as_str).collect(),
            needs: ids(needs),
            source: source.as_deref(),
            hint: hint.as_ref().map(TextView::new),
            status: status.word(),
            staleness: staleness.iter().map(|(check, why)| StalenessView::new(check, why)).collect(),
            inconclusive: inconclusive.iter().map(ToString::to_string).collect(),
            not_bound: unbound.iter().map(TargetName::as_str).collect(),
            claim: claim.as_ref().map(ClaimView::new),
            waiver: waiver.as_ref().map(WaiverView::new),
            waiver_ended: waiver_ended.map(|until| until.to_string()),
            checks: checks.iter().map(CheckView::new).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct StalenessView {
    check: String,
    #[serde(flatten)]
    reason: ReasonView,
}

#[derive(Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum ReasonView {
    Age { proven: String, lasts: String },
    Future { proven: String },
    Definition,
    Plugin { then: String },
    Watched,
    Target { target: String },
}

impl StalenessView {
    pub(super) fn new(check: &CheckId, why: &Staleness) -> Self {
        let reason = match why {
            Staleness::Age { proven, lasts } => {
                ReasonView::Age { proven: proven.to_string(), lasts: lasts.to_string() }
            }
            Staleness::Future { proven } => ReasonView::Future { proven: proven.to_string() },
            Staleness::Definition => ReasonView::Definition,
            Staleness::Plugin { then } => ReasonView::Plugin { then: then.to_string() },
            Staleness::Watched => ReasonView::Watched,
            Staleness::Target { name } => ReasonView::Target { target: name.to_string() },
        };
        Self { check: check.to_string(), reason }
    }
}

#[derive(Serialize)]
struct ClaimView<'a> {
    at: String,
    note: Option<&'a str>,
    links: &'a [String],
}

impl<'a> ClaimView<'a> {
    fn new(claim: &'a Claim) -> Self {
        let Claim { at, note, links } = claim;
        Self { at: at.to_string(), note: note.as_deref(), links }
    }
}

#[derive(Serialize)]
struct WaiverView<'a> {
    at: String,
    why: &'a str,
    until: String,
}

impl<'a> WaiverView<'a> {
    fn new(waiver: &'a Waiver) -> Self {
        let Waiver { at, why, until } = waiver;
        Self { at: at.to_string(), why, until: until.to_string() }
    }
}

#[derive(Serialize)]
struct CheckView<'a> {
    id: String,
    targets: BTreeMap<&'a str, &'a str>,
    not_bound: Vec<&'a str>,
    plugin: Option<String>,
    fresh_for: String,
    decided: Option<RecordView<'a>>,
    undecided: Option<RecordView<'a>>,
    kept: bool,
}

impl<'a> CheckView<'a> {
    fn new(check: &'a Check) -> Self {
        let Check { id, targets, unbound, plugin, fresh_for, decided, undecided, kept } = check;
        Self {
            id: id.to_string(),
            targets: targets
                .iter()
                .map(|(plugin, workspace)| (plugin.as_str(), workspace.as_str()))
                .collect(),
            not_bound: unbound.iter().map(TargetName::as_str).collect(),
            plugin: plugin.map(|digest| digest.to_string()),
            fresh_for: fresh_for.to_string(),
            decided: decided.as_ref().map(RecordView::new),
            undecided: undecided.as_ref().map(RecordView::new),
            kept: *kept,
        }
    }
}

#[derive(Serialize)]
struct RecordView<'a> {
    outcome: &'static str,
    fault: bool,
    summary: TextView<'a>,
    at: String,
    elapsed_ms: u64,
    plugin: String,
    plugin_version: String,
    plugin_proven: Option<bool>,
    definition: String,
    seed: String,
    commit: Option<&'a str>,
    watched: Option<String>,
    targets: BTreeMap<&'a str, &'a str>,
    score: Option<ScoreView>,
    steps: Vec<StepView<'a>>,
    findings: Vec<FindingView<'a>>,
    figures: Vec<FigureView<'a>>,
    evidence: Vec<ExhibitView<'a>>,
    attempts: Vec<AttemptView<'a>>,
}

/// A piece of what the check saw.
#[derive(Serialize)]
struct ExhibitView<'a> {
    label: &'a str,
    media_type: &'a str,
    size: u64,
    digest: String,
}

impl<'a> ExhibitView<'a> {
    fn new(exhibit: &'a Exhibit) -> Self {
        let Exhibit { label, media_type, size, digest } = exhibit;
        Self { label, media_type, size: *size, digest: digest.to_string() }
    }
}

/// An attempt that could not tell.
#[derive(Serialize)]
struct AttemptView<'a> {
    fault: bool,
    summary: TextView<'a>,
    elapsed_ms: u64,
}

impl<'a> AttemptView<'a> {
    fn new(attempt: &'a Attempt) -> Self {
        let Attempt { summary, fault, elapsed } = attempt;
        Self { fault: *fault, summary: TextView::new(summary), elapsed_ms: millis(*elapsed) }
    }
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> RecordView<'a> {
    fn new(record: &'a Record) -> Self {
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
        // The bytes of evidence stay in the transcript of its run.
        let Verdict { outcome, summary, score, steps, findings, evidence: _, measurements } = verdict;
        Self {
            outcome: outcome.word(),
            fault: *fault,
            summary: TextView::new(summary),
            at: at.to_string(),
            elapsed_ms: millis(*elapsed),
            plugin: plugin.to_string(),
            plugin_version: version.to_string(),
            plugin_proven: *proven,
            definition: definition.to_string(),
            seed: format!("{seed:016x}"),
            commit: commit.as_deref(),
            watched: watched.map(|digest| digest.to_string()),
            targets: targets.iter().map(|(name, identity)| (name.as_str(), &**identity)).collect(),
            score: score.as_ref().map(ScoreView::new),
            steps: steps.iter().map(StepView::new).collect(),
            findings: findings.iter().map(FindingView::new).collect(),
            figures: measurements.iter().map(FigureView::new).collect(),
            evidence: evidence.iter().map(ExhibitView::new).collect(),
            attempts: attempts.iter().map(AttemptView::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct ScoreView {
    earned: f64,
    possible: f64,
}

impl ScoreView {
    fn new(score: &Score) -> Self {
        let Score { earned, possible } = *score;
        Self { earned, possible }
    }
}

#[derive(Serialize)]
struct StepView<'a> {
    id: &'a str,
    need: &'static str,
    outcome: &'static str,
    summary: TextView<'a>,
}

impl<'a> StepView<'a> {
    fn new(step: &'a Step) -> Self {
        let Step { id, need, outcome, summary } = step;
        Self { id, need: need.word(), outcome: outcome.word(), summary: TextView::new(summary) }
    }
}

#[derive(Serialize)]
struct FindingView<'a> {
    severity: &'static str,
    code: &'a str,
    message: TextView<'a>,
    at: Option<LocationView<'a>>,
    hint: Option<TextView<'a>>,
}

impl<'a> FindingView<'a> {
    fn new(finding: &'a Finding) -> Self {
        let Finding { severity, code, message, at, hint } = finding;
        Self {
            severity: severity.word(),
            code,
            message: TextView::new(message),
            at: at.as_ref().map(LocationView::new),
            hint: hint.as_ref().map(TextView::new),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum LocationView<'a> {
    Source {
        target: &'a str,
        path: &'a str,
        line: Option<u32>,
        column: Option<u32>,
        end_line: Option<u32>,
        end_column: Option<u32>,
    },
    Exchange {
        target: &'a str,
        request: &'a str,
    },
    Endpoint {
        target: &'a str,
    },
    Process {
        target: &'a str,
    },
    Note {
        text: &'a str,
    },
}

impl<'a> LocationView<'a> {
    fn new(location: &'a Location) -> Self {
        match location {
            Location::Source { target, path, line, column, end_line, end_column } => Self::Source {
                target: target.as_str(),
                path,
                line: *line,
                column: *column,
                end_line: *end_line,
                end_column: *end_column,
            },
            Location::Exchange { target, request } => Self::Exchange { target: target.as_str(), request },
            Location::Endpoint(target) => Self::Endpoint { target: target.as_str() },
            Location::Process(target) => Self::Process { target: target.as_str() },
            Location::Note(text) => Self::Note { text },
        }
    }
}

#[derive(Serialize)]
struct FigureView<'a> {
    name: &'a str,
    value: f64,
    unit: &'a str,
    samples: u32,
    statistic: &'a str,
}

impl<'a> FigureView<'a> {
    fn new(figure: &'a Measurement) -> Self {
        let Measurement { name, value, unit, samples, statistic } = figure;
        Self { name, value: *value, unit, samples: *samples, statistic }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::{JSON_SCHEMA, sample};

    #[test]
    fn every_report_fits_its_schema() {
        let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for report in sample::all() {
            let value: Value = serde_json::from_str(&json(&report)).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&value)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }

    #[test]
    fn schema_refuses_what_is_not_a_report() {
        let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let good: Value = serde_json::from_str(&json(&sample::mixed())).unwrap();
        for (pointer, value) in [
            ("/format", Value::from(2)),
            ("/generated", Value::from("yesterday")),
            ("/total/items", Value::from(-1)),
            ("/checklists/0/groups/0/items/0/status", Value::from("done")),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert!(!validator.is_valid(&bad), "{pointer}");
        }
    }

    #[test]
    fn json_holds_everything() {
        insta::assert_snapshot!("json", json(&sample::mixed()));
    }
}
