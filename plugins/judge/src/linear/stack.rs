//! `stack`: last in, first out, with the least of all at hand.

use mustdo_plugin::Generator;
use mustdo_plugin::serde_json::Value;

use crate::engine::{Answer, Model, Op, Wrong, error, expect, op, value};

/// Rising and falling stacks of few different values, so that the least one comes more than once and goes again.
pub(super) fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = vec![op!("POP"), op!("TOP"), op!("MIN"), op!("LEN")];
    while ops.len() < count {
        let rising = random.number(0..2) == 0;
        let weights = if rising { [60, 20, 5, 20, 3, 2] } else { [20, 60, 5, 20, 3, 0] };
        for _ in 0..random.number(5..80) {
            ops.push(match random.weighted(&weights) {
                Some(0) => op!("PUSH", random.number(0..30).cast_signed() - 15),
                Some(1) => op!("POP"),
                Some(2) => op!("TOP"),
                Some(3) => op!("MIN"),
                Some(4) => op!("LEN"),
                _ => op!("FILL", random.number(0..5), random.number(0..30).cast_signed() - 20),
            });
        }
    }
    ops
}

/// A stack with as much inside.
pub(super) fn filled(size: usize, random: &mut Generator) -> Vec<Op> {
    vec![op!("FILL", size, random.number(1_000..2_000))]
}

/// One on top, the least, and off again.
pub(super) fn topping(_: usize, random: &mut Generator) -> Vec<Op> {
    (0..300).flat_map(|_| [op!("PUSH", random.number(0..10_000)), op!("MIN"), op!("POP")]).collect()
}

/// The model: each value with the least of it and all below.
#[derive(Debug, Default)]
pub(super) struct Stack {
    values: Vec<(i64, i64)>,
}

impl Stack {
    fn push(&mut self, value: i64) {
        let least = self.values.last().map_or(value, |(_, least)| value.min(*least));
        self.values.push((value, least));
    }
}

impl Model for Stack {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let top = |value: Option<i64>| value.map(Value::from).ok_or_else(|| "EMPTY".to_owned());
        let right = match op.name {
            "PUSH" => {
                self.push(op.integer(0));
                value(Value::Null)
            }
            "FILL" => {
                (0..op.integer(0)).for_each(|number| self.push(op.integer(1) + number));
                value(self.values.len())
            }
            "POP" => top(self.values.pop().map(|(value, _)| value)),
            "TOP" => top(self.values.last().map(|(value, _)| *value)),
            "MIN" => top(self.values.last().map(|(_, least)| *least)),
            "LEN" => value(self.values.len()),
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}
