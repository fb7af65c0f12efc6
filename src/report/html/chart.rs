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

/// How what stands today has grown.
pub(super) struct Growth {
    /// The first and the last day.
    pub(super) days: [String; 2],
    /// A picture without words.
    pub(super) picture: String,
}

/// What is proven and claimed today, by the day it became so; none where there is nothing.
///
/// A record keeps its latest decision only, so this is not what was proven on those days, and the page says so.
pub(super) fn growth(report: &Report) -> Option<Growth> {
    let mut steps: Vec<(Timestamp, u32, u32)> = report.rows().filter_map(step).collect();
    steps.sort_unstable_by_key(|(at, ..)| *at);
    let (first, last) = (steps.first()?.0, report.generated.max(steps.last()?.0));
    let whole = f64::from(report.total.weight.max(1));
    let span = (last.as_second() - first.as_second()).max(1);
    // Whoever begins and ends on one moment has a line all the same.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a picture 100 wide")]
    let across = |at: Timestamp| (at.as_second() - first.as_second()) as f64 / span as f64 * 100.0;
    let up = |weight: u32| 100.0 - f64::from(weight) / whole * 100.0;
    let (mut proven, mut claimed) = (0, 0);
    let mut lines = [String::from("M0 100"), String::from("M0 100")];
    for (at, more_proven, more_claimed) in &steps {
        proven += more_proven;
        claimed += more_claimed;
        let x = across(*at);
        for (line, weight) in lines.iter_mut().zip([proven, proven + claimed]) {
            let _written = write!(line, "H{x:.2}V{:.2}", up(weight));
        }
    }
    let [proven, both] = lines.map(|line| format!("{line}H100V100Z"));
    let picture = format!(
        r#"<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><path class="area f-claimed" d="{both}"/><path class="area f-proven" d="{proven}"/><line x1="0" y1="0" x2="100" y2="0"/></svg>"#
    );
    Some(Growth { days: [phrase::day(first), phrase::day(last)], picture })
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
