//! Counts of several kinds, against the shares that they should have.

use statrs::function::gamma::gamma_ur;

use super::solve;

/// Fewer than this many expected of a kind, and the chi-square distribution does not describe the statistic (Cochran,
/// 1954).
const FEWEST_EXPECTED: f64 = 5.0;

/// How well counts fit the shares that were expected: Pearson's chi-square test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The sum of (seen - expected)² / expected.
    pub statistic: f64,
    /// Kinds less one.
    pub freedom: u32,
    /// How likely a spread at least as far off is by chance.
    pub p_value: f64,
}

/// Why counts cannot be compared with shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// There is less than two kinds, or not a share for each.
    Kinds,
    /// A share is not above zero, or together they are not one.
    Shares,
    /// Fewer than five are expected of a kind: draw more.
    TooFew,
}

impl Spread {
    /// Compares `seen` with `shares`, which add up to one.
    pub fn of(seen: &[u32], shares: &[f64]) -> Result<Self, Unfit> {
        if seen.len() < 2 || seen.len() != shares.len() {
            return Err(Unfit::Kinds);
        }
        // A NaN is not above zero either.
        if !shares.iter().all(|share| *share > 0.0) || (shares.iter().sum::<f64>() - 1.0).abs() > 1e-9 {
            return Err(Unfit::Shares);
        }
        let total: f64 = seen.iter().copied().map(f64::from).sum();
        if shares.iter().any(|share| share * total < FEWEST_EXPECTED) {
            return Err(Unfit::TooFew);
        }
        let off = |(seen, share): (&u32, &f64)| (f64::from(*seen) - share * total).powi(2) / (share * total);
        let statistic: f64 = seen.iter().zip(shares).map(off).sum();
        let freedom = u32::try_from(seen.len() - 1).map_err(|_| Unfit::Kinds)?;
        Ok(Self { statistic, freedom, p_value: beyond(statistic, freedom) })
    }

    /// Compares `seen` with equal shares.
    pub fn even(seen: &[u32]) -> Result<Self, Unfit> {
        let kinds = f64::from(u32::try_from(seen.len()).map_err(|_| Unfit::Kinds)?.max(1));
        Self::of(seen, &vec![1.0 / kinds; seen.len()])
    }
}

/// The statistic that is exceeded by chance with the probability `alpha`, which is above zero.
#[must_use]
pub fn critical_value(freedom: u32, alpha: f64) -> f64 {
    let enough = (1..64).map(|power| 2.0_f64.powi(power)).find(|high| beyond(*high, freedom) < alpha);
    solve(0.0, enough.unwrap_or(f64::MAX), 1.0 - alpha, |statistic| 1.0 - beyond(statistic, freedom))
}

/// How likely a chi-square variable is above `statistic`.
fn beyond(statistic: f64, freedom: u32) -> f64 {
    if statistic <= 0.0 || freedom == 0 { 1.0 } else { gamma_ur(f64::from(freedom) / 2.0, statistic / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(found: f64, published: f64, within: f64) {
        assert!((found - published).abs() <= within, "{found} is not {published}");
    }

    #[test]
    fn mendels_dihybrid_peas() {
        // Mendel (1866): 315, 101, 108 and 32 of 556, where 9:3:3:1 is expected. Fisher (1936): chi-square 0.470.
        let ninths = [9.0 / 16.0, 3.0 / 16.0, 3.0 / 16.0, 1.0 / 16.0];
        let peas = Spread::of(&[315, 101, 108, 32], &ninths).unwrap();
        expect(peas.statistic, 0.470, 5e-4);
        expect(peas.p_value, 0.9254, 5e-5);
        assert_eq!(peas.freedom, 3);
    }

    #[test]
    fn an_uneven_spread_of_the_r_manual() {
        // The example of R's `chisq.test`.
        let found = Spread::of(&[89, 37, 30, 28, 2], &[0.40, 0.20, 0.20, 0.15, 0.05]).unwrap();
        expect(found.statistic, 9.990_1, 5e-5);
        expect(found.p_value, 0.040_59, 5e-6);
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
        for (freedom, alpha, published) in [
            (1, 0.05, 3.841),
            (1, 0.001, 10.828),
            (5, 0.001, 20.515),
            (10, 0.05, 18.307),
            (10, 0.99, 2.558),
            (100, 0.001, 149.449),
        ] {
            expect(critical_value(freedom, alpha), published, 5e-4);
        }
    }

    #[test]
    fn two_degrees_are_an_exponential() {
        for statistic in [0.1, 1.0, 18.42, 60.0] {
            let exact = (-statistic / 2.0_f64).exp();
            expect(beyond(statistic, 2) / exact, 1.0, 1e-12);
        }
        assert_eq!(Spread::even(&[50, 50, 50]).map(|spread| spread.p_value), Ok(1.0));
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        assert_eq!(Spread::even(&[7]), Err(Unfit::Kinds));
        assert_eq!(Spread::of(&[7, 7], &[1.0]), Err(Unfit::Kinds));
        assert_eq!(Spread::of(&[7, 7], &[0.5, 0.4]), Err(Unfit::Shares));
        assert_eq!(Spread::of(&[7, 7], &[f64::NAN, 0.5]), Err(Unfit::Shares));
        assert_eq!(Spread::of(&[30, 2], &[0.9, 0.1]), Err(Unfit::TooFew));
        assert_eq!(Spread::even(&[0, 0]), Err(Unfit::TooFew));
    }
}
