//! One run on several machines: who takes which items.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::{Digest, Hasher, ItemId};

/// One of the equal parts of a run: `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    index: u16,
    of: u16,
}

impl Partition {
    /// Parts at most: each costs the start of a machine.
    pub const MOST: u16 = 256;

    /// The part `index` of `of`, counted from 1; none where there is no such part.
    #[must_use]
    pub fn new(index: u16, of: u16) -> Option<Self> {
        ((1..=of).contains(&index) && of <= Self::MOST).then_some(Self { index, of })
    }

    /// Which, counted from 1.
    #[must_use]
    pub fn index(self) -> u16 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub fn of(self) -> u16 {
        self.of
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.of)
    }
}

/// A text that is not a partition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a partition is a number, \"/\" and how many there are, 256 at most: \"1/4\" is the first of four")]
pub struct ParsePartitionError;

impl FromStr for Partition {
    type Err = ParsePartitionError;

    fn from_str(text: &str) -> Result<Self, ParsePartitionError> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        let parts = text.split_once('/').and_then(|(index, of)| Self::new(number(index)?, number(of)?));
        parts.ok_or(ParsePartitionError)
    }
}

/// How long the checks of an item are expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// It has no check.
    Nothing,
    /// It has never run.
    Unknown,
    /// What it took the last time.
    Last(Duration),
}

/// Which partition takes which item: the same on every machine that knows the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Each item once, with the index of its partition, by id.
    shares: Vec<(ItemId, u16)>,
}

impl Division {
    /// Divides items, each named once, into `of` parts.
    ///
    /// An item that has never run goes where its own digest says, so that it stays there whatever else comes or goes. Those
    /// of which it is known how long they took then level out the rest: the longest first, each to the part that has the
    /// least to do.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = (ItemId, Cost)>, of: u16) -> Self {
        let of = of.max(1);
        let mut loads = vec![Duration::ZERO; usize::from(of)];
        let (mut known, mut unknown) = (vec![], vec![]);
        let mut shares = vec![];
        for (id, cost) in items {
            let number = Digest::of(id.as_str().as_bytes()).number();
            match cost {
                Cost::Nothing => shares.push((id, own(number, of))),
                Cost::Unknown => unknown.push((number, id)),
                Cost::Last(took) => known.push((took, number, id)),
            }
        }
        let total: Duration = known.iter().map(|(took, ..)| *took).sum();
        // What nobody knows is taken to be usual.
        let usual = u32::try_from(known.len()).ok().and_then(|count| total.checked_div(count));
        for (number, id) in unknown {
            let index = own(number, of);
            loads[usize::from(index - 1)] += usual.unwrap_or_default();
            shares.push((id, index));
        }
        known.sort_by(|(took, number, id), other| (&other.0, number, id).cmp(&(took, &other.1, &other.2)));
        for (took, _, id) in known {
            let place = (0..loads.len()).min_by_key(|&place| loads[place]).unwrap_or_default();
            loads[place] += took;
            shares.push((id, u16::try_from(place + 1).unwrap_or(of)));
        }
        Self::of_shares(shares)
    }

    /// A division that is already made.
    #[must_use]
    pub fn of_shares(mut shares: Vec<(ItemId, u16)>) -> Self {
        shares.sort();
        Self { shares }
    }

    /// What a partition takes, by id.
    pub fn share(&self, partition: Partition) -> impl Iterator<Item = &ItemId> {
        self.shares.iter().filter(move |(_, index)| *index == partition.index()).map(|(id, _)| id)
    }

    /// Two divisions with the same digest are the same.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::default();
        for (id, index) in &self.shares {
            hasher.field(id.as_str()).field(index.to_le_bytes());
        }
        hasher.finish()
    }
}

/// Where an item belongs by its digest alone.
fn own(number: u64, of: u16) -> u16 {
    u16::try_from(number % u64::from(of)).map_or(1, |place| place + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> ItemId {
        format!("shop.i{number}").parse().unwrap()
    }

    fn shares(division: &Division, of: u16) -> Vec<Vec<ItemId>> {
        (1..=of).map(|index| division.share(Partition::new(index, of).unwrap()).cloned().collect()).collect()
    }

    #[test]
    fn partitions_parse_what_they_print() {
        for text in ["1/1", "2/4", "256/256"] {
            assert_eq!(text.parse::<Partition>().unwrap().to_string(), text);
        }
        for text in ["", "1", "0/4", "5/4", "1/257", "+1/4", "1/ 4", "1/4/4", "-1/4", "a/b"] {
            assert_eq!(text.parse::<Partition>(), Err(ParsePartitionError), "{text}");
        }
    }

    #[test]
    fn item_that_never_ran_stays_where_it_is_whatever_comes_beside_it() {
        let few = Division::new((0..20).map(|number| (id(number), Cost::Unknown)), 4);
        let many = Division::new((0..60).map(|number| (id(number), Cost::Unknown)), 4);
        for (few, many) in shares(&few, 4).iter().zip(shares(&many, 4)) {
            assert!(few.iter().all(|id| many.contains(id)));
        }
    }

    #[test]
    fn one_long_check_has_a_machine_to_itself() {
        let cost = |number| Cost::Last(Duration::from_secs(if number == 7 { 60 } else { 3 }));
        let division = Division::new((0..21).map(|number| (id(number), cost(number))), 2);
        let counts: Vec<_> = shares(&division, 2).iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 20]);
    }

    proptest! {
        #[test]
        fn each_item_is_in_one_part_and_the_order_does_not_matter(
            costs in proptest::collection::vec(proptest::option::of(0..100_u64), 0..40),
            of in 1..9_u16,
        ) {
            let cost = |seconds: Option<u64>| match seconds {
                None => Cost::Unknown,
                Some(0) => Cost::Nothing,
                Some(seconds) => Cost::Last(Duration::from_secs(seconds)),
            };
            let items: Vec<_> = costs.iter().enumerate().map(|(number, &seconds)| (id(number), cost(seconds))).collect();
            let division = Division::new(items.clone(), of);
            let backwards = Division::new(items.clone().into_iter().rev(), of);
            prop_assert_eq!(&division, &backwards);
            prop_assert_eq!(division.digest(), backwards.digest());
            let mut all: Vec<_> = shares(&division, of).concat();
            all.sort();
            let mut ids: Vec<_> = items.into_iter().map(|(id, _)| id).collect();
            ids.sort();
            prop_assert_eq!(all, ids);
        }
    }
}
