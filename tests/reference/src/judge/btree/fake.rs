//! What is no tree, and says that it is one.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{Answer, Program, integer, ordered, params};

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

    /// A B+tree without a fault, built level by level from below; and how many levels.
    fn dump(&self) -> (Value, usize) {
        let pairs: Vec<_> = self.pairs.iter().collect();
        let mut nodes = Vec::new();
        let leaves = pairs.len().div_ceil(self.order - 1).max(1);
        // The nodes of a level, each with the first key below it.
        let mut level: Vec<(u64, i64)> = Vec::new();
        for place in 0..leaves {
            let part = &pairs[place * pairs.len() / leaves..(place + 1) * pairs.len() / leaves];
            let id = place as u64 + 1;
            nodes.push(json!({
                "id": id,
                "keys": part.iter().map(|(key, _)| **key).collect::<Vec<_>>(),
                "values": part.iter().map(|(_, value)| (*value).clone()).collect::<Vec<_>>(),
                "next": (place + 1 < leaves).then_some(id + 1),
                "prev": (place > 0).then(|| id - 1),
            }));
            level.push((id, part.first().map_or(0, |(key, _)| **key)));
        }
        let mut levels = 1;
        while level.len() > 1 {
            let parents = level.len().div_ceil(self.order);
            let mut above = Vec::new();
            for place in 0..parents {
                let part = &level[place * level.len() / parents..(place + 1) * level.len() / parents];
                let id = nodes.len() as u64 + 1;
                nodes.push(json!({
                    "id": id,
                    "keys": part[1..].iter().map(|(_, first)| *first).collect::<Vec<_>>(),
                    "children": part.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
                }));
                above.push((id, part[0].1));
            }
            level = above;
            levels += 1;
        }
        (json!({ "root": level[0].0, "nodes": nodes }), levels)
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
            "DUMP" => Ok(self.dump().0),
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
