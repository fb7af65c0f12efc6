//! A shorter list that still fails: halves are left out, then quarters, down to single operations.
//!
//! This is the minimising of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), section 3,
//! without its first half: only complements are tried, since a prefix was cut before.

/// What came of a shorter list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It still fails in the same way, at this place.
    Fails(usize),
    /// It does not.
    Holds,
    /// There is no time to try on.
    Stop,
}

/// Shrinks a list that fails at its last item, as far as `attempt` goes along.
pub(super) fn shrink<T: Clone>(mut items: Vec<T>, mut attempt: impl FnMut(&[T]) -> Attempt) -> Vec<T> {
    let mut chunk = items.len() / 2;
    while chunk > 0 {
        let mut start = 0;
        let mut shorter = false;
        // The last one is what fails: without it there is nothing to see.
        while start + 1 < items.len() {
            let end = (start + chunk).min(items.len() - 1);
            let rest = [&items[..start], &items[end..]].concat();
            match attempt(&rest) {
                Attempt::Fails(at) => {
                    items = rest;
                    items.truncate(at + 1);
                    shorter = true;
                }
                Attempt::Holds => start = end,
                Attempt::Stop => return items,
            }
        }
        // Once single ones are left out, what was needed before may not be any more.
        if chunk > 1 || !shorter {
            chunk /= 2;
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails at the last of `needed`, once all of them were seen.
    fn fails(items: &[u32], needed: &[u32]) -> Attempt {
        let places: Option<Vec<_>> =
            needed.iter().map(|needed| items.iter().position(|item| item == needed)).collect();
        places.and_then(|places| places.into_iter().max()).map_or(Attempt::Holds, Attempt::Fails)
    }

    #[test]
    fn what_is_needed_is_left() {
        for needed in [vec![999], vec![3, 999], vec![0, 1, 500, 999]] {
            let mut tries = 0;
            let left = shrink((0..1_000).collect(), |items| {
                tries += 1;
                fails(items, &needed)
            });
            assert_eq!(left, needed);
            assert!(tries < 100, "{tries}");
        }
    }

    #[test]
    fn the_end_may_come_earlier() {
        assert_eq!(shrink((0..10).collect(), |items| fails(items, &[4])), [4]);
    }

    #[test]
    fn without_time_the_list_stays() {
        assert_eq!(shrink(vec![1, 2, 3], |_| Attempt::Stop), [1, 2, 3]);
    }
}
