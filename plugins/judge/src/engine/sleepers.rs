//! Whether a program waits: it and everything that it started, for long enough.

use mustdo_plugin::process::Facts;

/// How many looks in a row, a turn apart, have to find the same processes asleep. A shell or a launcher sleeps beside what it
/// started, and one look may meet it between two programs.
const STILL: u32 = 20;

/// Processes that were found asleep, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    found: Vec<u32>,
    looks: u32,
}

impl Sleepers {
    /// Looks once more; whether the same ones have been asleep for long enough. Where nobody is seen, nobody sleeps; one that
    /// has ended and was not waited for works no more, and is left out.
    pub(super) fn look(&mut self, processes: &[Facts]) -> bool {
        let living = || processes.iter().filter(|process| process.state != "Z");
        let found: Vec<u32> = living().map(|process| process.pid).collect();
        let are_asleep = !found.is_empty() && living().all(|process| process.state == "S");
        self.looks = if are_asleep && self.found == found { self.looks + 1 } else { 0 };
        self.found = found;
        self.looks >= STILL
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn process(pid: u32, state: &str) -> Facts {
        Facts {
            pid,
            parent: 1,
            command: "sh".to_owned(),
            threads: 1,
            resident: 1,
            peak_resident: 1,
            user: Duration::ZERO,
            system: Duration::ZERO,
            open_files: 3,
            state: state.to_owned(),
        }
    }

    /// What each of as many looks as are enough said.
    fn looks(each: impl Fn(u32) -> Vec<Facts>) -> Vec<bool> {
        let mut sleepers = Sleepers::default();
        (0..=STILL).map(|look| sleepers.look(&each(look))).collect()
    }

    #[test]
    fn who_stays_asleep_is_told_at_the_last_look() {
        let mut still = looks(|_| vec![process(7, "S"), process(8, "S"), process(9, "Z")]);
        assert_eq!((still.pop(), still.contains(&true)), (Some(true), false));
    }

    #[test]
    fn who_works_or_starts_programs_does_not_sleep() {
        for awake in [
            looks(|look| vec![process(7, "S"), process(8 + look, "S")]),
            looks(|look| vec![process(7, "S"), process(8, if look == 5 { "R" } else { "S" })]),
            looks(|_| vec![process(7, "S"), process(8, "D")]),
            looks(|_| vec![process(7, "Z")]),
            looks(|_| Vec::new()),
        ] {
            assert!(!awake.contains(&true), "{awake:?}");
        }
    }
}
