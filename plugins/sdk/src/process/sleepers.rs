//! Whether a program waits: it and everything that it started, for long enough.

use super::Facts;

/// How many looks in a row have to find the same processes asleep. A shell or a launcher sleeps beside what it started, and one
/// look may meet it between two programs.
const STILL: u32 = 20;

/// Whether a program waits for something, found out by looking at it again and again, some tens of milliseconds apart.
///
/// It is about the processes alone: one that waits for an answer of its database sleeps, too.
#[derive(Debug, Default)]
pub struct Sleepers {
    found: Vec<u32>,
    looks: u32,
}

impl Sleepers {
    /// Looks once more; whether the same ones have been asleep for long enough. Where nobody is seen, nobody sleeps; one that
    /// has ended and was not waited for works no more, and is left out.
    pub fn look(&mut self, processes: &[Facts]) -> bool {
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
    use super::*;

    fn process(pid: u32, state: &str) -> Facts {
        Facts { pid, state: state.to_owned(), ..Facts::default() }
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
