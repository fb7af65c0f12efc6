//! Readiness as a picture.

use super::paint::Ink;
use crate::model::Tally;

/// Proven reaches the top, claimed half of it, and what is left is the ground: height tells them apart without colour.
const PROVEN: &str = "█";
const CLAIMED: &str = "▄";
const REST: &str = "▁";

/// A bar of `cells` columns: the proven, then the claimed share of the weight.
///
/// What there is shows, if only as one cell, and the bar is full only where nothing is left.
pub(super) fn bar(tally: &Tally, cells: usize, color: bool) -> String {
    let (proven, claimed) = parts(tally, cells);
    let rest = cells - proven - claimed;
    [(Ink::Good, PROVEN, proven), (Ink::Claim, CLAIMED, claimed), (Ink::Faint, REST, rest)]
        .map(|(ink, cell, count)| ink.paint(&cell.repeat(count), color))
        .concat()
}

/// What the heights mean, given the words for proven and claimed.
pub(super) fn legend(proven: &str, claimed: &str) -> String {
    format!("{PROVEN} {proven}  {CLAIMED} {claimed}")
}

fn parts(tally: &Tally, cells: usize) -> (usize, usize) {
    let whole = tally.weight as usize;
    let share = |weight: u32| {
        let weight = weight as usize;
        let exact = (weight * cells).checked_div(whole).unwrap_or_default();
        if weight > 0 { exact.max(1) } else { 0 }
    };
    let left = tally.proven_weight + tally.claimed_weight < tally.weight;
    // A part that was lifted to one cell must not push out what is left over, and rounding must not leave a gap.
    let kept = usize::from(left || (tally.claimed_weight > 0 && whole > 0));
    let proven = share(tally.proven_weight).min(cells.saturating_sub(kept));
    let claimed = match tally.claimed_weight {
        0 => 0,
        _ if !left => cells - proven,
        weight => share(weight).min((cells - proven).saturating_sub(1)),
    };
    (proven, claimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(proven: u32, claimed: u32, weight: u32) -> String {
        let tally = Tally { proven_weight: proven, claimed_weight: claimed, weight, ..Tally::default() };
        bar(&tally, 10, false)
    }

    #[test]
    fn bar_is_full_only_when_everything_is_proven() {
        assert_eq!(shown(10, 0, 10), "██████████");
        assert_eq!(shown(999, 0, 1000), "█████████▁");
        assert_eq!(shown(0, 999, 1000), "▄▄▄▄▄▄▄▄▄▁");
    }

    #[test]
    fn little_shows_and_nothing_does_not() {
        assert_eq!(shown(1, 1, 1000), "█▄▁▁▁▁▁▁▁▁");
        assert_eq!(shown(0, 0, 1000), "▁▁▁▁▁▁▁▁▁▁");
        assert_eq!(shown(0, 0, 0), "▁▁▁▁▁▁▁▁▁▁");
    }

    #[test]
    fn proven_and_claimed_stand_side_by_side() {
        assert_eq!(shown(4, 3, 10), "████▄▄▄▁▁▁");
        assert_eq!(shown(1, 2, 3), "███▄▄▄▄▄▄▄");
        assert_eq!(shown(999, 1, 1000), "█████████▄");
    }
}
