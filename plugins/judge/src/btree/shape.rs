//! The numbers of a tree of one order.

/// A kind of tree and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Values in linked leaves only.
    pub(super) bplus: bool,
    /// The most children of a node.
    pub(super) order: u32,
}

impl Shape {
    /// Only an order from 3 to 1024 makes a tree.
    pub(super) fn new(bplus: bool, order: u32) -> Option<Self> {
        (3..=1_024).contains(&order).then_some(Self { bplus, order })
    }

    /// The most keys of a node: one less than children.
    pub(super) fn most_keys(self) -> usize {
        as_count(self.order) - 1
    }

    /// The fewest keys of a node that is not the root: with one child less than half of the most, rounded up, a node would
    /// have to borrow or merge (Knuth's definition). Some books ask one more of the leaves of a B+tree; both are right here.
    pub(super) fn fewest_keys(self) -> usize {
        as_count(self.order.div_ceil(2)) - 1
    }

    /// The most levels that a tree of so many keys may have, all nodes as empty as can be.
    pub(super) fn most_levels(self, keys: usize) -> usize {
        let (mut levels, mut room) = (1, 1);
        // A root of one key, and then the fewest children at each level. The leaves of a B+tree hold all keys by themselves.
        let mut leaves = 2;
        loop {
            room = if self.bplus { leaves * self.fewest_keys() } else { room + leaves * self.fewest_keys() };
            if room > keys {
                return levels;
            }
            levels += 1;
            leaves *= self.fewest_keys() + 1;
        }
    }
}

fn as_count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_few_keys_is_low() {
        let five = Shape { bplus: false, order: 5 };
        assert_eq!((five.most_keys(), five.fewest_keys()), (4, 2));
        // A root and two children with two keys each make five.
        assert_eq!([0, 4, 5, 16, 17].map(|keys| five.most_levels(keys)), [1, 1, 2, 2, 3]);
        let leaves = Shape { bplus: true, order: 5 };
        assert_eq!([3, 4, 11, 12].map(|keys| leaves.most_levels(keys)), [1, 2, 2, 3]);
    }
}
