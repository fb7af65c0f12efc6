//! The model of a search tree: a sorted list.

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Value, json};

use super::dump::{self, Kind};
use crate::engine::{Answer, Model, Op, Wrong, error, expect, value};

/// Pairs of key and value, by key.
#[derive(Debug)]
pub(super) struct Tree {
    kind: Kind,
    pairs: Vec<(i64, Value)>,
    /// What HEIGHT said since the last change.
    height: Option<u64>,
}

impl Tree {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, pairs: Vec::new(), height: None }
    }

    fn rank(&self, key: i64) -> usize {
        self.pairs.partition_point(|(other, _)| *other < key)
    }

    fn found(&self, key: i64) -> Option<usize> {
        let place = self.rank(key);
        self.pairs.get(place).is_some_and(|(other, _)| *other == key).then_some(place)
    }

    fn pair(&self, place: Option<usize>, missing: &str) -> Answer {
        let pair = place.and_then(|place| self.pairs.get(place));
        pair.map(|(key, value)| json!([key, value])).ok_or_else(|| missing.to_owned())
    }

    /// The levels of a tree that is balanced enough, with log2 rounded up: 2·log2(n+1)+2 for the kinds that promise it.
    /// A treap is as high as a random search tree, about 4.31·ln n (Devroye 1986), which is more than twice log2 n: a right
    /// one would fail by that bound. Twice as much is still far below the n levels of a tree without balance.
    fn most_levels(&self) -> u64 {
        let keys = self.pairs.len() as u64 + 1;
        let factor = match self.kind {
            Kind::Avl | Kind::RedBlack => 2,
            Kind::Treap | Kind::Any => 4,
        };
        factor * u64::from(keys.next_power_of_two().trailing_zeros()) + 2
    }

    fn height(&mut self, answer: &Answer) -> Result<(), Wrong> {
        let most = self.most_levels();
        let levels = answer.as_ref().ok().and_then(Value::as_u64);
        self.height = levels;
        let is_empty = self.pairs.is_empty();
        match levels {
            Some(levels) if levels <= most && (levels == 0) == is_empty => Ok(()),
            _ if is_empty => expect(answer, &value(0)),
            _ => Err(Wrong::new(
                "height",
                Text::new(
                    format!("1 to {most} levels for {} keys", self.pairs.len()),
                    format!("{} 个键，1 到 {most} 层", self.pairs.len()),
                ),
            )
            .hint(Text::new(
                "rotate after inserting and deleting, so that the sides of each node stay alike",
                "插入和删除之后要旋转，让每个节点的两边保持接近",
            ))),
        }
    }
}

impl Model for Tree {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let key = op.integer(0);
        let right = match op.name {
            "HEIGHT" => return self.height(answer),
            "DUMP" => return dump::judge(self.kind, &self.pairs, self.height, answer),
            "PUT" => {
                self.height = None;
                let new = op.args.get(1).cloned().unwrap_or_default();
                match self.found(key) {
                    Some(place) => self.pairs[place].1 = new,
                    None => self.pairs.insert(self.rank(key), (key, new)),
                }
                value(Value::Null)
            }
            "DEL" => {
                self.height = None;
                self.found(key).map(|place| self.pairs.remove(place).1).ok_or_else(|| "KEY".to_owned())
            }
            "GET" => self.found(key).map(|place| self.pairs[place].1.clone()).ok_or_else(|| "KEY".to_owned()),
            "LEN" => value(self.pairs.len()),
            "RANK" => value(self.rank(key)),
            "SELECT" => self.pair(usize::try_from(key).ok(), "INDEX"),
            "FLOOR" => self.pair(self.rank(key + 1).checked_sub(1), "KEY"),
            "CEIL" => self.pair(Some(self.rank(key)), "KEY"),
            "RANGE" => {
                let (low, high) = (self.rank(key), self.rank(op.integer(1)));
                let run = self.pairs.get(low..high).unwrap_or_default();
                value(run.iter().map(|(key, value)| json!([key, value])).collect::<Vec<_>>())
            }
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::op;

    #[test]
    fn the_model_counts_and_looks_beside() {
        let mut tree = Tree::new(Kind::Any);
        for key in [5, 1, 9] {
            tree.judge(&op!("PUT", key, key * 10), &value(Value::Null)).unwrap();
        }
        for (asked, right) in [
            (op!("RANK", 5), value(1)),
            (op!("RANK", 6), value(2)),
            (op!("SELECT", 2), value(json!([9, 90]))),
            (op!("SELECT", 3), error("INDEX")),
            (op!("SELECT", -1), error("INDEX")),
            (op!("FLOOR", 0), error("KEY")),
            (op!("FLOOR", 5), value(json!([5, 50]))),
            (op!("CEIL", 6), value(json!([9, 90]))),
            (op!("RANGE", 1, 9), value(json!([[1, 10], [5, 50]]))),
            (op!("HEIGHT"), value(3)),
        ] {
            assert_eq!(tree.judge(&asked, &right), Ok(()), "{asked:?}");
        }
        assert_eq!(tree.judge(&op!("HEIGHT"), &value(11)).unwrap_err().rule, "height");
        assert_eq!(tree.judge(&op!("HEIGHT"), &value(0)).unwrap_err().rule, "height");
    }
}
