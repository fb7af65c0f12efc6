//! The statistics that checks need: shares ([`Share`]), spreads over kinds ([`Spread`]), percentiles and slopes.
//!
//! A check that judges by chance says how often it is wrong: ask at an `alpha` of 1 in 10,000, run a failing part once
//! more with another seed and twice the sample, and let only two failures fail. The special functions are those of the
//! crate `statrs`; a plugin that uses none of this carries none of it.
//!
//! ```
//! use mustdo_plugin::statistics::Share;
//!
//! // 1 in 10 requests should go to the new version; 254 of 2,000 did.
//! let seen = Share::new(254, 2_000).unwrap();
//! assert!(seen.fits(0.1, 1e-4));
//! assert!(!seen.fits(0.05, 1e-4));
//! ```

mod order;
mod share;
mod spread;

pub use order::{median, percentile, slope};
pub use share::{Interval, Share};
pub use spread::{Spread, Unfit, critical_value};

/// The `x` of `low..=high` at which the rising `function` reaches `level`, by halving: slow and never astray.
fn solve(mut low: f64, mut high: f64, level: f64, function: impl Fn(f64) -> f64) -> f64 {
    // Each halving gains a bit; after these, both ends are neighbours as `f64`.
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if function(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}
