//! The model of a hash table: a sorted map, and the bounds of what it says of itself.

use std::collections::BTreeMap;

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Value, json};

use crate::engine::{Answer, Model, Op, Wrong, error, expect, value};

/// The fullest that open addressing may be, and the longest mean chain.
const LOAD: f64 = 0.9;
const CHAIN: f64 = 4.0;

/// Keys alive at once while fresh ones come and go, and the most slots that they may need.
pub(super) const CHURN_KEYS: usize = 50;
const CHURN_CAPACITY: u64 = 4_096;

/// The pairs, and what STATS said.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<(i64, String), Value>,
    churned: bool,
    /// What STATS said of probes, one after the other.
    pub(super) probes: Vec<u64>,
}

impl Table {
    /// One in which few keys live while many come and go.
    pub(super) fn churned() -> Self {
        Self { churned: true, ..Self::default() }
    }
}

impl Model for Table {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let key = || (op.text(0).parse().unwrap_or_default(), op.text(1).to_owned());
        let found = |value: Option<Value>| value.ok_or_else(|| "KEY".to_owned());
        let right = match op.name {
            "PUT" => {
                let new = op.args.get(2).cloned().unwrap_or_default();
                value(self.entries.insert(key(), new).unwrap_or_default())
            }
            "GET" => found(self.entries.get(&key()).cloned()),
            "DEL" => found(self.entries.remove(&key())),
            "LEN" => value(self.entries.len()),
            "CLEAR" => {
                self.entries.clear();
                value(Value::Null)
            }
            "ITER" => return self.iterated(answer),
            "STATS" => return self.stats(answer),
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}

impl Table {
    /// Pairs of key and value, in any order.
    fn iterated(&self, answer: &Answer) -> Result<(), Wrong> {
        let sorted = |mut pairs: Vec<Value>| {
            pairs.sort_by_cached_key(ToString::to_string);
            Ok(Value::Array(pairs))
        };
        let pairs = self.entries.iter().map(|((_, key), value)| json!([key, value])).collect();
        match answer {
            Ok(Value::Array(seen)) => expect(&sorted(seen.clone()), &sorted(pairs)),
            _ => expect(answer, &sorted(pairs)),
        }
    }

    fn stats(&mut self, answer: &Answer) -> Result<(), Wrong> {
        let number = |name: &str| answer.as_ref().ok()?.get(name)?.as_u64();
        let kind = answer.as_ref().ok().and_then(|stats| stats.get("kind")?.as_str());
        let numbers = [number("capacity"), number("used"), number("dummies"), number("probes")];
        let ([Some(capacity), Some(used), Some(dummies), Some(probes)], Some(kind @ ("open" | "chain"))) =
            (numbers, kind)
        else {
            return Err(Wrong::new(
                "stats",
                Text::same(
                    r#"{"ok":{"kind":"open" | "chain","capacity":…,"used":…,"dummies":…,"probes":…}}"#,
                ),
            ));
        };
        self.probes.push(probes);
        if used != self.entries.len() as u64 {
            let expected = format!("\"used\": {}", self.entries.len());
            return Err(Wrong::new("stats", Text::same(expected)));
        }
        let exact = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let (filled, most) =
            if kind == "open" { (used.saturating_add(dummies), LOAD) } else { (used, CHAIN) };
        if exact(filled) > most * exact(capacity) {
            return Err(Wrong::new(
                "load",
                Text::new(
                    format!("a capacity of which at most {most} are filled"),
                    format!("装载率不超过 {most} 的容量"),
                ),
            )
            .hint(Text::new(
                "grow before the table is too full: count what is deleted, too, where it still fills a place",
                "在太满之前扩容；已删除但还占着位置的也要算进去",
            )));
        }
        if self.churned && capacity >= CHURN_CAPACITY {
            return Err(Wrong::new(
                "litter",
                Text::new(
                    format!("fewer than {CHURN_CAPACITY} slots for {} keys", self.entries.len()),
                    format!("{} 个键，容量应小于 {CHURN_CAPACITY}", self.entries.len()),
                ),
            )
            .hint(Text::new(
                "when the table is rebuilt, leave the deleted places out and choose its size by the keys that live",
                "重建表时丢掉已删除的位置，并按还在的键来决定大小",
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Key;
    use super::*;
    use crate::engine::op;

    #[test]
    fn the_table_is_held_against_what_it_says() {
        let mut table = Table::default();
        let key = Key { hash: -1, key: "a".to_owned() };
        table.judge(&key.put(5), &value(Value::Null)).unwrap();
        let stats = |capacity: u64, dummies: u64| {
            value(json!({ "kind": "open", "capacity": capacity, "used": 1, "dummies": dummies, "probes": 0 }))
        };
        assert_eq!(table.judge(&op!("STATS"), &stats(8, 6)), Ok(()));
        assert_eq!(table.judge(&op!("STATS"), &stats(8, 7)).unwrap_err().rule, "load");
        assert_eq!(Table::churned().judge(&op!("STATS"), &stats(8, 0)).unwrap_err().rule, "stats");
        table.churned = true;
        assert_eq!(table.judge(&op!("STATS"), &stats(4_096, 0)).unwrap_err().rule, "litter");
    }

    #[test]
    fn an_iteration_may_come_in_any_order() {
        let mut table = Table::default();
        for (hash, key) in [(1, "a"), (2, "b")] {
            let key = Key { hash, key: key.to_owned() };
            table.judge(&key.put(hash.unsigned_abs()), &value(Value::Null)).unwrap();
        }
        assert_eq!(table.judge(&op!("ITER"), &value(json!([["b", 2], ["a", 1]]))), Ok(()));
        for wrong in [json!([["b", 2]]), json!([["b", 2], ["a", 1], ["a", 1]]), json!(null)] {
            assert!(table.judge(&op!("ITER"), &value(wrong)).is_err());
        }
    }
}
