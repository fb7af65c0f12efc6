//! What is no tree, and says that it is one.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use serde_json::{Value, json};

use super::{Answer, Program, integer, ordered, params};

/// A leaf that a wrapper makes up: its id, the least key that belongs to it, and what is in it.
struct Leaf<'pairs> {
    id: u64,
    low: i64,
    pairs: Vec<(&'pairs i64, &'pairs Value)>,
}

/// Ids of made-up nodes above the leaves begin here.
const ABOVE: u64 = 1 << 40;

/// A B+tree without a fault over these leaves, built level by level from below.
fn stacked(order: usize, leaves: &[Leaf<'_>]) -> Value {
    let mut nodes: Vec<Value> = leaves
        .iter()
        .enumerate()
        .map(|(place, Leaf { id, pairs, .. })| {
            json!({
                "id": id,
                "keys": pairs.iter().map(|(key, _)| **key).collect::<Vec<_>>(),
                "values": pairs.iter().map(|(_, value)| (*value).clone()).collect::<Vec<_>>(),
                "next": leaves.get(place + 1).map(|leaf| leaf.id),
                "prev": place.checked_sub(1).map(|place| leaves[place].id),
            })
        })
        .collect();
    // The nodes of a level, each with the least key below it.
    let mut level: Vec<(u64, i64)> = leaves.iter().map(|leaf| (leaf.id, leaf.low)).collect();
    while level.len() > 1 {
        let parents = level.len().div_ceil(order);
        let mut above = Vec::new();
        for place in 0..parents {
            let part = &level[place * level.len() / parents..(place + 1) * level.len() / parents];
            let id = ABOVE + nodes.len() as u64;
            nodes.push(json!({
                "id": id,
                "keys": part[1..].iter().map(|(_, low)| *low).collect::<Vec<_>>(),
                "children": part.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
            }));
            above.push((id, part[0].1));
        }
        level = above;
    }
    json!({ "root": level[0].0, "nodes": nodes })
}

/// A sorted array. Its dump is cut out of it anew each time.
pub(in crate::judge) struct Sorted {
    order: usize,
    pairs: BTreeMap<i64, Value>,
    cost: u64,
}

impl Sorted {
    pub(in crate::judge) fn new(hello: &Value) -> Self {
        Self { order: params(hello).1, pairs: BTreeMap::new(), cost: 0 }
    }

    fn dump(&self) -> Value {
        let pairs: Vec<_> = self.pairs.iter().collect();
        let leaves = pairs.len().div_ceil(self.order - 1).max(1);
        let leaf = |place: usize| {
            let pairs = pairs[place * pairs.len() / leaves..(place + 1) * pairs.len() / leaves].to_vec();
            Leaf { id: place as u64 + 1, low: pairs.first().map_or(0, |(key, _)| **key), pairs }
        };
        stacked(self.order, &(0..leaves).map(leaf).collect::<Vec<_>>())
    }
}

impl Program for Sorted {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = integer(arguments, 0);
        if matches!(operation, "PUT" | "GET" | "DEL") {
            self.cost += u64::from(self.pairs.len().max(2).ilog(self.order.div_ceil(2).max(2))) + 1;
        }
        match operation {
            "PUT" => {
                self.pairs.insert(key, arguments.get(1).cloned().unwrap_or_default());
                Ok(Value::Null)
            }
            "GET" => self.pairs.get(&key).cloned().ok_or("KEY"),
            "DEL" => self.pairs.remove(&key).ok_or("KEY"),
            "LEN" => Ok(json!(self.pairs.len())),
            "COST" => Ok(json!(self.cost)),
            "DUMP" => Ok(self.dump()),
            other => {
                let pairs: Vec<_> = self.pairs.iter().map(|(key, value)| (*key, value.clone())).collect();
                ordered(&pairs, other, arguments)
            }
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["DUMP", "COST"]
    }
}

/// A published tree behind a wrapper, which shows leaves of its own. Those keep their ids and their places as a tree's do; what
/// is above them is cut anew each time.
pub(in crate::judge) struct Wrapped {
    order: usize,
    library: BTreeMap<i64, Value>,
    /// The id of each leaf, by the least key that belongs to it.
    leaves: BTreeMap<i64, u64>,
    next: u64,
    cost: u64,
}

impl Wrapped {
    pub(in crate::judge) fn new(hello: &Value) -> Self {
        let leaves = BTreeMap::from([(i64::MIN, 1)]);
        Self { order: params(hello).1, library: BTreeMap::new(), leaves, next: 2, cost: 0 }
    }

    /// The least keys of the leaf of a key, and of the one behind it.
    fn leaf(&self, key: i64) -> (i64, Option<i64>) {
        let low = self.leaves.range(..=key).next_back().map_or(i64::MIN, |(low, _)| *low);
        let behind = (Bound::Excluded(low), Bound::Unbounded);
        (low, self.leaves.range(behind).next().map(|(low, _)| *low))
    }

    fn pairs(&self, (low, end): (i64, Option<i64>)) -> Vec<(&i64, &Value)> {
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.library.range((Bound::Included(low), end)).collect()
    }

    /// Cuts the leaf of a key in two, where it is too full.
    fn split(&mut self, key: i64) {
        let pairs = self.pairs(self.leaf(key));
        if pairs.len() >= self.order {
            let middle = *pairs[pairs.len() / 2].0;
            self.leaves.insert(middle, self.next);
            self.next += 1;
        }
    }

    /// Joins the leaf of a key with one beside it, where it is too empty.
    fn join(&mut self, key: i64) {
        let (low, behind) = self.leaf(key);
        if self.leaves.len() > 1 && self.pairs((low, behind)).len() < self.order.div_ceil(2) - 1 {
            self.leaves.remove(&behind.unwrap_or(low));
            self.split(key);
        }
    }

    /// How many levels the dump has.
    fn levels(&self) -> u64 {
        let below = |nodes: &usize| (*nodes > 1).then(|| nodes.div_ceil(self.order));
        std::iter::successors(Some(self.leaves.len()), below).count() as u64
    }

    fn dump(&self) -> Value {
        let leaf = |(low, id): (&i64, &u64)| Leaf { id: *id, low: *low, pairs: self.pairs(self.leaf(*low)) };
        stacked(self.order, &self.leaves.iter().map(leaf).collect::<Vec<_>>())
    }
}

impl Program for Wrapped {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = integer(arguments, 0);
        if matches!(operation, "PUT" | "GET" | "DEL") {
            self.cost += self.levels();
        }
        match operation {
            "PUT" => {
                self.library.insert(key, arguments.get(1).cloned().unwrap_or_default());
                self.split(key);
                Ok(Value::Null)
            }
            "GET" => self.library.get(&key).cloned().ok_or("KEY"),
            "DEL" => {
                let taken = self.library.remove(&key).ok_or("KEY");
                self.join(key);
                taken
            }
            "LEN" => Ok(json!(self.library.len())),
            "COST" => Ok(json!(self.cost)),
            "DUMP" => Ok(self.dump()),
            other => {
                let pairs: Vec<_> = self.library.iter().map(|(key, value)| (*key, value.clone())).collect();
                ordered(&pairs, other, arguments)
            }
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["DUMP", "COST"]
    }
}

/// A hash map.
#[derive(Default)]
pub(in crate::judge) struct Hashed {
    pairs: HashMap<i64, Value>,
    cost: u64,
}

impl Program for Hashed {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = integer(arguments, 0);
        self.cost += 1;
        match operation {
            "PUT" => {
                self.pairs.insert(key, arguments.get(1).cloned().unwrap_or_default());
                Ok(Value::Null)
            }
            "GET" => self.pairs.get(&key).cloned().ok_or("KEY"),
            "DEL" => self.pairs.remove(&key).ok_or("KEY"),
            "LEN" => Ok(json!(self.pairs.len())),
            "COST" => Ok(json!(self.cost)),
            "DUMP" => {
                let (keys, values): (Vec<_>, Vec<_>) =
                    (self.pairs.keys().collect(), self.pairs.values().collect());
                Ok(json!({ "root": 1, "nodes": [{ "id": 1, "keys": keys, "values": values }] }))
            }
            other => {
                let pairs: Vec<_> = self.pairs.iter().map(|(key, value)| (*key, value.clone())).collect();
                ordered(&pairs, other, arguments)
            }
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["DUMP", "COST"]
    }
}
