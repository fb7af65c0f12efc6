//! Every choice of a run, from its seed.

use std::ops::Range;

const FIRST: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const REST: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const SYLLABLES: [&str; 16] =
    ["ba", "del", "fi", "gor", "ha", "jun", "ka", "lin", "mo", "ner", "o", "pa", "ri", "su", "tam", "vel"];

/// A small seeded generator: the same seed makes the same run. Never for secrets.
#[derive(Debug)]
pub struct Generator {
    random: oorandom::Rand64,
}

impl Generator {
    /// Starts from the run's seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: oorandom::Rand64::new(u128::from(seed)) }
    }

    /// `length` characters of `[a-z0-9]`, the first a letter. Twelve make 61 bits: no two of a run are alike.
    pub fn token(&mut self, length: usize) -> String {
        (0..length).map(|index| char::from(self.pick(if index == 0 { FIRST } else { REST }))).collect()
    }

    /// Two made-up words that look like a person's name.
    pub fn name(&mut self) -> String {
        let mut word = || {
            let syllables: String = (0..3).map(|_| self.pick(&SYLLABLES)).collect();
            let (first, rest) = syllables.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        format!("{} {}", word(), word())
    }

    /// A number of the range, each equally likely. An empty range gives its start.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        if range.is_empty() { range.start } else { self.random.rand_range(range) }
    }

    /// Puts the items in a random order, each order equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.number(0..length as u64)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let draw = |seed| {
            let mut generator = Generator::new(seed);
            (generator.token(12), generator.name(), generator.number(0..1_000_000))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn a_token_starts_with_a_letter() {
        let mut generator = Generator::new(1);
        for _ in 0..200 {
            let token = generator.token(12);
            assert!(
                token.len() == 12 && token.starts_with(|first: char| first.is_ascii_lowercase()),
                "{token}"
            );
        }
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Generator::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
