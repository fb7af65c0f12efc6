//! `queue`: first in, first out, in a ring of fixed size.

use std::collections::VecDeque;

use mustdo_plugin::Generator;
use mustdo_plugin::serde_json::Value;

use crate::engine::{Answer, Model, Op, Wrong, error, expect, op, value};

/// Runs that fill the ring to the last place and empty it again, at every place of the ring.
pub(super) fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = Vec::new();
    while ops.len() < count {
        let capacity = random.number(1..12);
        ops.push(op!("NEW", capacity));
        for _ in 0..random.number(4..40) {
            let run = random.number(1..capacity + 2);
            let puts = random.number(0..2) == 0;
            for _ in 0..run {
                ops.push(if puts { op!("ENQ", random.number(0..1_000)) } else { op!("DEQ") });
            }
            ops.push(if random.number(0..2) == 0 { op!("LEN") } else { op!("PEEK") });
        }
    }
    // Once round and round again.
    ops.push(op!("NEW", 64));
    ops.extend((0..40).map(|number| op!("ENQ", number)));
    for number in 0..count / 4 {
        ops.extend([op!("DEQ"), op!("ENQ", number)]);
    }
    ops.push(op!("FILL", 24, 5));
    ops.extend([
        op!("LEN"),
        op!("ENQ", 1),
        op!("FILL", 1, 1),
        op!("DEQ"),
        op!("FILL", 2, 7),
        op!("FILL", 1, 8),
    ]);
    ops.extend(std::iter::repeat_n(op!("DEQ"), 66));
    ops
}

/// A queue with as much inside, and a little room.
pub(super) fn filled(size: usize, random: &mut Generator) -> Vec<Op> {
    vec![op!("NEW", size + 10), op!("FILL", size, random.number(0..1_000))]
}

/// The first out and a new one in.
pub(super) fn turning(_: usize, random: &mut Generator) -> Vec<Op> {
    (0..500).flat_map(|_| [op!("DEQ"), op!("ENQ", random.number(0..1_000))]).collect()
}

/// The model.
#[derive(Debug, Default)]
pub(super) struct Queue {
    values: VecDeque<i64>,
    capacity: usize,
}

impl Model for Queue {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let first = |value: Option<i64>| value.map(Value::from).ok_or_else(|| "EMPTY".to_owned());
        let room = self.capacity - self.values.len();
        let right = match op.name {
            "NEW" => {
                self.capacity = usize::try_from(op.integer(0)).unwrap_or_default();
                self.values.clear();
                value(Value::Null)
            }
            "ENQ" if room == 0 => error("FULL"),
            "ENQ" => {
                self.values.push_back(op.integer(0));
                value(Value::Null)
            }
            "FILL" if usize::try_from(op.integer(0)).unwrap_or_default() > room => error("FULL"),
            "FILL" => {
                self.values.extend((0..op.integer(0)).map(|number| op.integer(1) + number));
                value(self.values.len())
            }
            "DEQ" => first(self.values.pop_front()),
            "PEEK" => first(self.values.front().copied()),
            "LEN" => value(self.values.len()),
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}
