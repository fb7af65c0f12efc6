//! `list`: a linked list, by handles that the check gives.

use std::collections::HashMap;

use mustdo_plugin::Generator;
use mustdo_plugin::serde_json::{Value, json};

use crate::engine::{Answer, Model, Op, Wrong, error, expect, op, value};

/// Nodes come, go, move and turn round; handles of nodes that are gone are tried again.
pub(super) fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = vec![op!("MIDDLE"), op!("REVERSE"), op!("ALL")];
    let mut handle = 0_u64;
    while ops.len() < count {
        ops.push(op!("CLEAR"));
        let first = handle + 1;
        for _ in 0..random.number(5..80) {
            // Of this list, one that was deleted, or none at all.
            let known = |random: &mut Generator| random.number(first..handle.max(first) + 2);
            let (one, two, three) = (known(random), known(random), known(random));
            let new = random.number(0..100);
            let op = random.weighted(&[25, 15, 14, 8, 10, 8, 10, 6, 4]);
            if matches!(op, Some(0 | 1)) {
                handle += 1;
            }
            ops.push(match op {
                Some(0) => op!("PUSH", handle, new),
                Some(1) => op!("INSERT", if random.number(0..4) == 0 { 0 } else { one }, handle, new),
                Some(2) => op!("DELETE", one),
                Some(3) => op!("GET", one),
                Some(4) => op!("SPLICE", one, two, if random.number(0..4) == 0 { 0 } else { three }),
                Some(5) => op!("REVERSE"),
                Some(6) => op!("ALL"),
                Some(7) => op!("MIDDLE"),
                _ => cycle(random),
            });
        }
        // What a list turned round has lost is seen by what is put behind its end.
        handle += 1;
        ops.extend([op!("REVERSE"), op!("PUSH", handle, 1), op!("ALL"), op!("REVERSE"), op!("ALL")]);
    }
    ops
}

/// Who follows whom, by number; a chain that ends, runs into itself, or goes round from its start.
fn cycle(random: &mut Generator) -> Op {
    let count = random.number(1..30);
    let mut order: Vec<u64> = (0..count).collect();
    random.shuffle(&mut order);
    let mut next = vec![json!(null); order.len()];
    for pair in order.windows(2) {
        next[usize::try_from(pair[0]).unwrap_or_default()] = json!(pair[1]);
    }
    if let (Some(last), true) = (order.last(), random.number(0..3) > 0) {
        let back = order[usize::try_from(random.number(0..count)).unwrap_or_default()];
        next[usize::try_from(*last).unwrap_or_default()] = json!(back);
    }
    op!("CYCLE", next, order[0])
}

/// The model: the handles in their order.
#[derive(Debug, Default)]
pub(super) struct List {
    order: Vec<i64>,
    values: HashMap<i64, i64>,
}

impl Model for List {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let right = self.answer(op);
        expect(answer, &right)
    }
}

impl List {
    fn answer(&mut self, op: &Op) -> Answer {
        let one = op.integer(0);
        match op.name {
            "CLEAR" => *self = Self::default(),
            "PUSH" => self.insert(self.order.len(), one, op.integer(1)),
            "INSERT" => {
                let place = self.behind(one)?;
                self.insert(place, op.integer(1), op.integer(2));
            }
            "GET" => {
                self.place(one)?;
                return value(self.values[&one]);
            }
            "DELETE" => {
                let place = self.place(one)?;
                self.order.remove(place);
                return value(self.values.remove(&one).unwrap_or_default());
            }
            "SPLICE" => self.splice(one, op.integer(1), op.integer(2))?,
            "REVERSE" => self.order.reverse(),
            "ALL" => return value(self.order.iter().map(|handle| self.values[handle]).collect::<Vec<_>>()),
            "MIDDLE" => {
                let middle = self.order.get(self.order.len() / 2);
                return middle.map(|handle| self.values[handle].into()).ok_or_else(|| "EMPTY".to_owned());
            }
            "CYCLE" => return value(find_cycle(op)),
            _ => return error("OP"),
        }
        value(Value::Null)
    }

    fn place(&self, handle: i64) -> Result<usize, String> {
        self.order.iter().position(|other| *other == handle).ok_or_else(|| "HANDLE".to_owned())
    }

    /// The place behind a node; behind none, for 0, is the front.
    fn behind(&self, handle: i64) -> Result<usize, String> {
        if handle == 0 { Ok(0) } else { self.place(handle).map(|place| place + 1) }
    }

    fn insert(&mut self, place: usize, handle: i64, value: i64) {
        self.order.insert(place, handle);
        self.values.insert(handle, value);
    }

    /// Moves the run from `first` to `last` behind `at`, which may not be a part of it.
    fn splice(&mut self, first: i64, last: i64, at: i64) -> Result<(), String> {
        let (from, to) = (self.place(first)?, self.place(last)?);
        let target = self.behind(at)?;
        let is_inside = at != 0 && (from..=to).contains(&(target - 1));
        if from > to || is_inside {
            return Err("RANGE".to_owned());
        }
        let run: Vec<_> = self.order.drain(from..=to).collect();
        let target = self.behind(at)?;
        self.order.splice(target..target, run);
        Ok(())
    }
}

/// Where a chain runs into itself, and how long it then takes to come round; null when it ends.
fn find_cycle(op: &Op) -> Value {
    let next = op.args.first().and_then(Value::as_array).cloned().unwrap_or_default();
    let mut seen: Vec<u64> = Vec::new();
    let mut here = op.args.get(1).and_then(Value::as_u64);
    while let Some(node) = here {
        if let Some(start) = seen.iter().position(|other| *other == node) {
            return json!([node, seen.len() - start]);
        }
        seen.push(node);
        here = usize::try_from(node).ok().and_then(|node| next.get(node)?.as_u64());
    }
    Value::Null
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(values: &[i64]) -> List {
        let mut list = List::default();
        for (handle, value) in (1..).zip(values) {
            list.answer(&op!("PUSH", handle, value)).unwrap();
        }
        list
    }

    #[test]
    fn a_run_is_moved_whole_and_never_into_itself() {
        let mut list = list(&[10, 20, 30, 40]);
        list.answer(&op!("SPLICE", 2, 3, 4)).unwrap();
        assert_eq!(list.answer(&op!("ALL")), value(json!([10, 40, 20, 30])));
        list.answer(&op!("SPLICE", 2, 3, 0)).unwrap();
        assert_eq!(list.answer(&op!("ALL")), value(json!([20, 30, 10, 40])));
        for (first, last, at) in [(2, 3, 3), (3, 2, 0), (2, 2, 2)] {
            assert_eq!(list.answer(&op!("SPLICE", first, last, at)), error("RANGE"));
        }
        assert_eq!(list.answer(&op!("SPLICE", 2, 9, 0)), error("HANDLE"));
        list.answer(&op!("SPLICE", 3, 1, 2)).unwrap();
        assert_eq!(list.answer(&op!("ALL")), value(json!([20, 30, 10, 40])));
    }

    #[test]
    fn a_cycle_has_a_start_and_a_length() {
        let mut list = List::default();
        let found = |next, start| op!("CYCLE", next, start);
        assert_eq!(list.answer(&found(json!([1, 2, 3, 1]), 0)), value(json!([1, 3])));
        assert_eq!(list.answer(&found(json!([0]), 0)), value(json!([0, 1])));
        assert_eq!(list.answer(&found(json!([1, null]), 0)), value(Value::Null));
    }
}
