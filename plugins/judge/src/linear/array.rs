//! `array`: fixed storage, bounds, rotation, binary search.

use mustdo_plugin::Generator;
use mustdo_plugin::serde_json::Value;

use crate::engine::{Answer, Model, Op, Wrong, error, expect, op, value};

/// NEW, SET, GET at and beside the bounds, ROTATE by any number, SORT, and LOWER in what is sorted.
pub(super) fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = Vec::new();
    while ops.len() < count {
        let size = random.number(0..40).cast_signed();
        ops.push(op!("NEW", size));
        for _ in 0..random.number(5..60) {
            let edge = [-1, 0, size - 1, size, size + 1, i64::from(i32::MIN)];
            let inside = random.number(0..size.max(1).cast_unsigned()).cast_signed();
            let place = if random.number(0..4) == 0 { random.sample(&edge, 1)[0] } else { inside };
            let turn = random.number(0..200).cast_signed() - 100;
            ops.push(match random.weighted(&[40, 20, 12, 4, 8]) {
                Some(0) => op!("SET", place, random.number(0..50)),
                Some(1) => op!("GET", place),
                Some(2) => op!("ROTATE", turn),
                Some(3) => op!("LEN"),
                _ => op!("ALL"),
            });
        }
        ops.push(op!("SORT"));
        for _ in 0..random.number(2..12) {
            ops.push(op!("LOWER", random.number(0..55).cast_signed() - 2));
        }
        ops.push(op!("ALL"));
    }
    ops
}

/// The model. LOWER is the first place of a number that is not less, so it means something once the array is sorted; the
/// model answers it by the definition in any case, and no list asks for it before.
#[derive(Debug, Default)]
pub(super) struct Array {
    slots: Vec<i64>,
}

impl Model for Array {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        if op.name == "LOWER" && !self.slots.is_sorted() {
            // Operations were left out. There is nothing to say.
            return Ok(());
        }
        let place = usize::try_from(op.integer(0)).ok().filter(|place| *place < self.slots.len());
        let right = match op.name {
            "NEW" => {
                self.slots = vec![0; usize::try_from(op.integer(0)).unwrap_or_default()];
                value(Value::Null)
            }
            "GET" => place.map(|place| self.slots[place].into()).ok_or_else(|| "INDEX".to_owned()),
            "SET" => match place {
                Some(place) => {
                    self.slots[place] = op.integer(1);
                    value(Value::Null)
                }
                None => error("INDEX"),
            },
            "ROTATE" => {
                let length = i64::try_from(self.slots.len()).unwrap_or(i64::MAX).max(1);
                let left = usize::try_from(op.integer(0).rem_euclid(length)).unwrap_or_default();
                self.slots.rotate_left(left);
                value(Value::Null)
            }
            "SORT" => {
                self.slots.sort_unstable();
                value(Value::Null)
            }
            "LOWER" => value(self.slots.partition_point(|slot| *slot < op.integer(0))),
            "LEN" => value(self.slots.len()),
            "ALL" => value(self.slots.clone()),
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}
