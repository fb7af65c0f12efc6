//! How long a check may take.

use std::time::Duration;

use crate::model::Span;

/// A check gets at least this long, however fast its plugin thinks it is: machines are busy.
const SHORTEST: Duration = Duration::from_secs(10);

/// A check that takes this many times as long as usual hangs.
const PATIENCE: u32 = 5;

/// How long a check may take: `flag` where given; otherwise some times its usual time, but not more than `setting`.
#[must_use]
pub fn deadline(typical: Duration, setting: Option<Span>, flag: Option<Span>) -> Duration {
    flag.map_or_else(
        || {
            let patient = typical.saturating_mul(PATIENCE).max(SHORTEST);
            setting.map_or(patient, |limit| patient.min(limit.get()))
        },
        Span::get,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_patient_and_the_command_line_has_the_last_word() {
        let span = |text: &str| Some(text.parse().unwrap());
        for (typical, setting, flag, seconds) in [
            (1, None, None, 10),
            (60, None, None, 300),
            (60, span("30s"), None, 30),
            (1, span("30s"), None, 10),
            (1, span("3s"), None, 3),
            (60, span("30s"), span("20m"), 1200),
            (60, None, span("1s"), 1),
        ] {
            let planned = deadline(Duration::from_secs(typical), setting, flag);
            assert_eq!(planned, Duration::from_secs(seconds), "{typical} {setting:?} {flag:?}");
        }
    }
}
