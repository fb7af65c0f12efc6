//! The page's pictures: a ring, bars and the burn-up, as SVG without a style of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::model::{Status, Tally};
use crate::report::phrase;
use crate::report::tree::{Report, Row};

/// Readiness as a ring: the proven, then the claimed share of what counts.
pub(super) fn ring(tally: &Tally) -> String {
    const RADIUS: f64 = 48.0;
    let around = 2.0 * std::f64::consts::PI * RADIUS;
    let share = |weight: u32| f64::from(weight) / f64::from(tally.weight.max(1)) * around;
    let arc = |class: &str, from: f64, length: f64| {
        format!(
            r#"<circle class="{class}" cx="58" cy="58" r="{RADIUS}" stroke-dasharray="{length:.2} {around:.2}" stroke-dashoffset="{:.2}"/>"#,
            -from
        )
    };
    let proven = share(tally.proven_weight);
    let mut text = String::from(r#"<svg viewBox="0 0 116 116" aria-hidden="true">"#);
    text.push_str(&arc("f-rest", 0.0, around));
    if tally.claimed_weight > 0 {
        text.push_str(&arc("f-claimed", proven, share(tally.claimed_weight)));
    }
    if tally.proven_weight > 0 {
        text.push_str(&arc("f-proven", 0.0, proven));
    }
    text.push_str("</svg>");
    text
}

/// The weights of `rows` by where they stand, waived ones left out: proven, claimed, stale, failing, and the ground.
pub(super) fn bar<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut weights: BTreeMap<Status, u32> = BTreeMap::new();
    for row in rows {
        *weights.entry(row.standing.status).or_default() += row.weight.get();
    }
    weights.remove(&Status::Waived);
    let whole = weights.values().sum();
    let parts = SEGMENTS.map(|(status, class)| (class, weights.get(&status).copied().unwrap_or_default()));
    stacked(&parts, whole)
}

/// Parts of a whole, one beside the other from the left, each with the class that gives it its colour; what is left is the
/// ground.
pub(in crate::report) fn stacked(parts: &[(&str, u32)], whole: u32) -> String {
    let whole = f64::from(whole.max(1));
    let mut text = String::from(
        r#"<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">"#,
    );
    let mut from = 0.0;
    for &(class, weight) in parts {
        let width = f64::from(weight) / whole * 100.0;
        if width > 0.0 {
            // Writing to a string can not fail.
            let _written = write!(
                text,
                r#"<rect class="{class}" stroke="none" x="{from:.3}" width="{width:.3}" height="1"/>"#
            );
        }
        from += width;
    }
    text.push_str("</svg>");
    text
}

/// What a bar is made of, from its left, and the class that gives it its colour.
pub(super) const SEGMENTS: [(Status, &str); 4] = [
    (Status::Proven, "f-proven"),
    (Status::Claimed, "f-claimed"),
    (Status::Stale, "f-stale"),
    (Status::Failing, "f-failing"),
];

/// How what is proven and claimed has grown.
pub(super) struct Growth {
    /// The first and the last day, with what was ready then.
    pub(super) ends: [String; 2],
    /// A picture without words.
    pub(super) picture: String,
    /// Whether it is of what each commit held. Where there is none, it is of what stands today, by the day since which it has.
    pub(super) of_commits: bool,
}

/// What counted at a moment.
#[derive(Clone, Copy)]
struct Height {
    at: Timestamp,
    proven: u32,
    claimed: u32,
    whole: u32,
    /// In percent; none where it is not known of that moment, or nothing counted.
    ready: Option<u32>,
}

impl Height {
    fn of(at: Timestamp, tally: &Tally) -> Self {
        let Tally { proven_weight: proven, claimed_weight: claimed, weight: whole, .. } = *tally;
        Self { at, proven, claimed, whole, ready: tally.readiness() }
    }

    fn end(self) -> String {
        let day = phrase::day(self.at);
        self.ready.map_or_else(|| day.clone(), |ready| format!("{day} · {ready}%"))
    }
}

/// What was proven and claimed from the first day on until the report; none where nothing ever was.
pub(super) fn growth(report: &Report) -> Option<Growth> {
    let now = Height::of(report.generated, &report.total);
    let mut heights = committed(report);
    let of_commits = !heights.is_empty();
    if !of_commits {
        heights = standing(report);
    }
    heights.push(now);
    if heights.iter().all(|height| height.proven + height.claimed == 0) {
        return None;
    }
    // A clock that was set back does not turn the line around.
    for place in 1..heights.len() {
        heights[place].at = heights[place].at.max(heights[place - 1].at);
    }
    let (first, last) = (heights[0], heights[heights.len() - 1]);
    let ends = [first.end(), last.end()];
    Some(Growth { ends, picture: drawn(&heights), of_commits })
}

/// What each commit held, from the first on in which anything counted; a commit that can not be read is left out.
fn committed(report: &Report) -> Vec<Height> {
    let told = report.past.iter().filter_map(|point| Some(Height::of(point.at, point.tally.as_ref().ok()?)));
    told.skip_while(|height| height.whole == 0).collect()
}

/// What stands today, added up by the day since which it has: a record keeps its latest decision only.
fn standing(report: &Report) -> Vec<Height> {
    let mut steps: Vec<(Timestamp, u32, u32)> = report.rows().filter_map(step).collect();
    steps.sort_unstable_by_key(|(at, ..)| *at);
    let (mut proven, mut claimed) = (0, 0);
    let add = |(at, more_proven, more_claimed): (Timestamp, u32, u32)| {
        proven += more_proven;
        claimed += more_claimed;
        Height { at, proven, claimed, whole: report.total.weight, ready: None }
    };
    steps.into_iter().map(add).collect()
}

/// Places side by side in the picture: of more moments, the last at each place is drawn.
const PLACES: f64 = 400.0;

/// Steps over time, in a square of 100 by 100: proven, claimed above it, and a line for all that counts.
fn drawn(heights: &[Height]) -> String {
    let (first, last) = (heights[0].at.as_second(), heights[heights.len() - 1].at.as_second());
    let span = (last - first).max(1);
    let most = f64::from(heights.iter().map(|height| height.whole).max().unwrap_or_default().max(1));
    #[expect(clippy::cast_precision_loss, reason = "seconds of a picture 100 wide")]
    let across =
        |at: Timestamp| ((at.as_second() - first) as f64 / span as f64 * PLACES).round() / PLACES * 100.0;
    let up = |weight: u32| 100.0 - f64::from(weight) / most * 100.0;
    let mut lines =
        [String::from("M0 100"), String::from("M0 100"), format!("M0 {:.2}", up(heights[0].whole))];
    for (place, height) in heights.iter().enumerate() {
        let x = across(height.at);
        if heights.get(place + 1).is_some_and(|next| across(next.at) <= x) {
            continue;
        }
        let Height { at: _, proven, claimed, whole, ready: _ } = *height;
        for (line, weight) in lines.iter_mut().zip([proven, proven + claimed, whole]) {
            // Writing to a string can not fail.
            let _written = write!(line, "H{x:.2}V{:.2}", up(weight));
        }
    }
    let [proven, both, whole] = lines;
    format!(
        r#"<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path class="area f-claimed" d="{both}H100V100Z"/><path class="area f-proven" d="{proven}H100V100Z"/><path class="whole" d="{whole}H100"/></svg>"#
    )
}

/// The moment from which an item has stood as it does, and its weight as proven and as claimed.
fn step(row: &Row) -> Option<(Timestamp, u32, u32)> {
    let weight = row.weight.get();
    match row.standing.status {
        Status::Proven => {
            let decided = row.checks.iter().filter_map(|check| check.decided.as_ref());
            Some((decided.map(|record| record.at).max()?, weight, 0))
        }
        Status::Claimed => Some((row.claim.as_ref()?.at, 0, weight)),
        Status::Failing | Status::Stale | Status::Open | Status::Waived => None,
    }
}
