//! A share that was counted, against the one that should be there.

use statrs::function::beta::beta_reg;
use statrs::function::erf::erf_inv;
use statrs::function::gamma::ln_gamma;

use super::solve;

/// What is nearer than this counts as equally likely (as in R's `binom.test`): the sums are not exact to the last bit.
const TIE: f64 = 1.0 + 1e-7;

/// `hits` of `trials`: a binomial sample.
///
/// Everything about it is exact, not by a normal curve, and meant for up to 10,000 trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    hits: u32,
    trials: u32,
}

/// Both ends of an interval of shares, `0.0..=1.0`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Share {
    /// The most trials that are computed exactly.
    pub const MOST: u32 = 10_000;

    /// None without trials, with more hits than trials, or with more than [`MOST`](Self::MOST) trials.
    #[must_use]
    pub fn new(hits: u32, trials: u32) -> Option<Self> {
        (hits <= trials && (1..=Self::MOST).contains(&trials)).then_some(Self { hits, trials })
    }

    /// Hits by trials.
    #[must_use]
    pub fn estimate(self) -> f64 {
        f64::from(self.hits) / f64::from(self.trials)
    }

    /// How likely at least as many hits are where each trial hits with the probability `p`.
    #[must_use]
    pub fn at_least(self, p: f64) -> f64 {
        if self.hits == 0 {
            return 1.0;
        }
        // P(X ≥ k) = I_p(k, n - k + 1): Abramowitz and Stegun 26.5.24.
        beta_reg(f64::from(self.hits), f64::from(self.trials - self.hits) + 1.0, p.clamp(0.0, 1.0))
    }

    /// How likely at most as many hits are where each trial hits with the probability `p`.
    #[must_use]
    pub fn at_most(self, p: f64) -> f64 {
        // As many misses or more.
        Self { hits: self.trials - self.hits, ..self }.at_least(1.0 - p)
    }

    /// How likely a count is that `p` makes no likelier than this one: the exact two-sided test.
    #[must_use]
    pub fn two_sided(self, p: f64) -> f64 {
        let limit = self.likelihood(p) * TIE;
        let every = (0..=self.trials).map(|hits| Self { hits, ..self }.likelihood(p));
        every.filter(|likelihood| *likelihood <= limit).sum::<f64>().min(1.0)
    }

    /// Whether neither tail is rarer than half of `alpha` under `p`: the share is not seen to be another.
    #[must_use]
    pub fn fits(self, p: f64, alpha: f64) -> bool {
        self.at_least(p).min(self.at_most(p)) >= alpha / 2.0
    }

    /// The shares that fit what was seen, by Clopper and Pearson (1934): it holds the true one with at least
    /// `confidence`, whatever that is.
    #[must_use]
    pub fn interval(self, confidence: f64) -> Interval {
        let tail = (1.0 - confidence.clamp(0.0, 1.0)) / 2.0;
        Interval {
            low: if self.hits == 0 { 0.0 } else { solve(0.0, 1.0, tail, |p| self.at_least(p)) },
            high: if self.hits == self.trials {
                1.0
            } else {
                solve(0.0, 1.0, 1.0 - tail, |p| 1.0 - self.at_most(p))
            },
        }
    }

    /// The same by Wilson (1927): shorter, and right on average instead of always. For a report, not for a verdict.
    #[must_use]
    pub fn wilson(self, confidence: f64) -> Interval {
        let z = std::f64::consts::SQRT_2 * erf_inv(confidence.clamp(0.0, 1.0));
        let (n, p) = (f64::from(self.trials), self.estimate());
        let middle = p + z * z / (2.0 * n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z * z / n;
        Interval { low: ((middle - half) / whole).max(0.0), high: ((middle + half) / whole).min(1.0) }
    }

    /// How likely exactly this count is.
    fn likelihood(self, p: f64) -> f64 {
        let (hits, misses) = (f64::from(self.hits), f64::from(self.trials - self.hits));
        let power = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
        let ways = ln_gamma(hits + misses + 1.0) - ln_gamma(hits + 1.0) - ln_gamma(misses + 1.0);
        (ways + power(hits, p) + power(misses, 1.0 - p)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(hits: u32, trials: u32) -> Share {
        Share::new(hits, trials).unwrap()
    }

    #[track_caller]
    fn expect(found: f64, published: f64, within: f64) {
        assert!((found - published).abs() <= within, "{found} is not {published}");
    }

    #[test]
    fn intervals_are_those_of_newcombe() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998), 857, table I: methods 5 (exact) and 3 (score).
        for (hits, trials, exact, score) in [
            (81, 263, [0.2527, 0.3676], [0.2553, 0.3662]),
            (15, 148, [0.0578, 0.1617], [0.0624, 0.1605]),
            (0, 20, [0.0, 0.1684], [0.0, 0.1611]),
            (1, 29, [0.0009, 0.1776], [0.0061, 0.1718]),
        ] {
            let (found, wilson) = (share(hits, trials).interval(0.95), share(hits, trials).wilson(0.95));
            expect(found.low, exact[0], 5e-5);
            expect(found.high, exact[1], 5e-5);
            expect(wilson.low, score[0], 5e-5);
            expect(wilson.high, score[1], 5e-5);
        }
        assert_eq!(share(29, 29).interval(0.95).high.to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn mendels_peas_are_those_of_conover() {
        // W. J. Conover, Practical Nonparametric Statistics (1971), 97: 682 tall plants of 925, three quarters expected.
        let peas = share(682, 925);
        expect(peas.two_sided(0.75), 0.3825, 5e-5);
        let interval = peas.interval(0.95);
        expect(interval.low, 0.707_668_3, 5e-8);
        expect(interval.high, 0.765_406_6, 5e-8);
    }

    #[test]
    fn tails_are_sums() {
        // Of ten fair coins: 1 + 10 + 45 of 1,024.
        expect(share(8, 10).at_least(0.5), 56.0 / 1_024.0, 1e-12);
        expect(share(2, 10).at_most(0.5), 56.0 / 1_024.0, 1e-12);
        expect(share(8, 10).two_sided(0.5), 112.0 / 1_024.0, 1e-12);
        expect(share(10, 10).at_least(0.1), 1e-10, 1e-20);
        expect(share(3, 10).at_least(0.3) + share(2, 10).at_most(0.3), 1.0, 1e-12);
        assert_eq!((share(0, 5).at_least(0.0), share(5, 5).at_most(1.0)), (1.0, 1.0));
    }

    #[test]
    fn ten_thousand_trials_are_exact_still() {
        let whole = share(5_000, 10_000);
        let middle = whole.likelihood(0.5);
        // The middle term of a binomial: 1 / √(π n / 2), but for a part in 4 n.
        expect(middle * (std::f64::consts::PI * 5_000.0).sqrt(), 1.0 - 1.0 / 40_000.0, 1e-8);
        expect(whole.at_least(0.5), 0.5 + middle / 2.0, 1e-9);
        let summed: f64 = (5_200..=10_000).map(|hits| share(hits, 10_000).likelihood(0.5)).sum();
        expect(share(5_200, 10_000).at_least(0.5) / summed, 1.0, 1e-6);
    }

    #[test]
    fn a_share_that_fits_is_told_from_one_that_does_not() {
        let fitting = |p| (0..=2_000).filter(|hits| share(*hits, 2_000).fits(p, 1e-4)).collect::<Vec<_>>();
        let tenth = fitting(0.1);
        assert_eq!((tenth.first(), tenth.last()), (Some(&150), Some(&254)));
        assert!(share(0, 10).fits(0.0, 1e-4) && !share(1, 10).fits(0.0, 1e-4));
    }

    #[test]
    fn what_is_no_share_is_none() {
        assert_eq!((Share::new(1, 0), Share::new(3, 2), Share::new(0, 10_001)), (None, None, None));
    }
}
