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

    /// `count` of the items, no place twice, each choice equally likely; all of them, shuffled, where there are not more.
    pub fn sample<T: Clone>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut chosen = items.to_vec();
        for place in 0..count.min(chosen.len()) {
            let other = place + self.index(chosen.len() - place);
            chosen.swap(place, other);
        }
        chosen.truncate(count);
        chosen
    }

    /// The place of one weight, each as likely as its weight says; none where all are zero.
    pub fn weighted(&mut self, weights: &[u32]) -> Option<usize> {
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let mut drawn = (total > 0).then(|| self.number(0..total))?;
        weights.iter().position(|weight| {
            let here = drawn < u64::from(*weight);
            drawn = drawn.saturating_sub((*weight).into());
            here
        })
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
    use crate::statistics::Spread;

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

    /// Tells that `draw` gives each of `kinds` outcomes equally often; wrong once in ten thousand seeds.
    #[track_caller]
    fn expect_even(kinds: usize, mut draw: impl FnMut(&mut Generator) -> usize) {
        let mut generator = Generator::new(11);
        let mut seen = vec![0_u32; kinds];
        (0..kinds * 400).for_each(|_| seen[draw(&mut generator)] += 1);
        let spread = Spread::even(&seen).unwrap();
        assert!(spread.p_value > 1e-4, "{spread:?} {seen:?}");
    }

    #[test]
    fn every_order_is_equally_likely() {
        expect_even(24, |generator| {
            let mut items = [0, 1, 2, 3];
            generator.shuffle(&mut items);
            // The number of the order, by Lehmer.
            let smaller = |place: usize| items[place..].iter().filter(|item| **item < items[place]).count();
            smaller(0) * 6 + smaller(1) * 2 + smaller(2)
        });
    }

    #[test]
    fn every_sample_is_equally_likely_and_without_repetition() {
        expect_even(20, |generator| {
            let drawn = generator.sample(&[0, 1, 2, 3, 4], 2);
            let [one, two] = drawn[..] else { panic!("{drawn:?}") };
            assert_ne!(one, two);
            one * 4 + if two > one { two - 1 } else { two }
        });
        let mut all = Generator::new(5).sample(&[1, 2, 3], 9);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);
    }

    #[test]
    fn a_weight_of_two_is_drawn_twice_as_often() {
        let mut generator = Generator::new(2);
        let mut seen = [0_u32; 4];
        (0..4_000).for_each(|_| seen[generator.weighted(&[1, 0, 2, 1]).unwrap()] += 1);
        assert_eq!(seen[1], 0);
        let spread = Spread::of(&[seen[0], seen[2], seen[3]], &[0.25, 0.5, 0.25]).unwrap();
        assert!(spread.p_value > 1e-4, "{spread:?}");
        assert_eq!((generator.weighted(&[]), generator.weighted(&[0, 0])), (None, None));
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
