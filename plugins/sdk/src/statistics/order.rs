//! Figures that one wild value does not spoil.

/// The value below which `share` of the sorted values lie, between two of them by a straight line: type 7 of Hyndman and
/// Fan (1996), the default of R and of spreadsheets. None without values, with a NaN, or outside `0.0..=1.0`.
#[must_use]
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    if values.iter().any(|value| value.is_nan()) || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Values are as many as fit into a plugin's memory: a `u32` holds their number.
    let place = share * f64::from(u32::try_from(sorted.len().checked_sub(1)?).ok()?);
    let whole = place.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let below = whole as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    Some(if low.total_cmp(&high).is_eq() { low } else { low + (place - whole) * (high - low) })
}

/// The middle value.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 0.5)
}

/// How much `y` rises for each one of `x`, over `(x, y)`: the median of the slopes between any two points (Theil, 1950;
/// Sen, 1968). Up to 29 % of the points may be wild. Takes time and memory with the square of their number; none without
/// two different `x`.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let pairs = points.iter().enumerate().flat_map(|(index, one)| {
        points[index + 1..].iter().map(move |other| (other.0 - one.0, other.1 - one.1))
    });
    let slopes: Vec<f64> = pairs.filter(|(run, _)| *run != 0.0).map(|(run, rise)| rise / run).collect();
    median(&slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(found: Option<f64>, right: f64) {
        assert!(found.is_some_and(|found| (found - right).abs() < 1e-9), "{found:?} is not {right}");
    }

    #[test]
    fn percentiles_are_those_of_r() {
        // quantile(c(15, 20, 35, 40, 50), c(0, .05, .3, .4, .5, 1)), in any order.
        let values = [40.0, 15.0, 50.0, 20.0, 35.0];
        for (share, right) in [(0.0, 15.0), (0.05, 16.0), (0.3, 23.0), (0.4, 29.0), (0.5, 35.0), (1.0, 50.0)]
        {
            expect(percentile(&values, share), right);
        }
        // quantile(1:10, .9)
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        expect(percentile(&ten, 0.9), 9.1);
        expect(median(&ten), 5.5);
        expect(percentile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn what_has_no_percentile_is_none() {
        assert_eq!((median(&[]), median(&[1.0, f64::NAN]), percentile(&[1.0], 1.1)), (None, None, None));
        assert_eq!(median(&[f64::INFINITY, f64::INFINITY]), Some(f64::INFINITY));
    }

    #[test]
    fn the_slope_is_that_of_sen() {
        // P. K. Sen, JASA 63 (1968), 1379, section 6: the estimate is 4.
        let weights =
            [(1.0, 9.0), (2.0, 15.0), (3.0, 19.0), (4.0, 20.0), (10.0, 45.0), (12.0, 55.0), (18.0, 78.0)];
        expect(slope(&weights), 4.0);
    }

    #[test]
    fn one_wild_value_does_not_tilt_the_slope() {
        let line: Vec<(f64, f64)> = (0..20).map(|x| (f64::from(x), 3.0 + 0.5 * f64::from(x))).collect();
        expect(slope(&line), 0.5);
        let mut wild = line;
        wild[7].1 = 1e9;
        expect(slope(&wild), 0.5);
        assert_eq!((slope(&[(1.0, 1.0)]), slope(&[(1.0, 1.0), (1.0, 2.0)])), (None, None));
    }
}
