//! The model of Python's list.

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Value, json};

use crate::engine::{Answer, Model, Op, Wrong, error, expect, value};

/// The most sizes that the array may have while it grows: of 200,000 values doubling takes 18, an eighth more each time 93.
const CHANGES: u32 = 200;

/// How much more room than values there may be, in each case with some values more: for short lists any rule wastes.
const WASTE: u64 = 2;
const LEFT: u64 = 4;
const SOME: u64 = 64;

/// What was seen of the capacity.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Growth {
    /// Looks that saw another capacity than the one before, while values came.
    pub(super) changes: u32,
    /// Values that came.
    pub(super) appended: usize,
    latest: u64,
    /// Whether values go by now.
    shrinks: bool,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct List {
    values: Vec<i64>,
    watched: bool,
    pub(super) growth: Growth,
}

impl List {
    /// One whose growth is watched.
    pub(super) fn growing() -> Self {
        Self { watched: true, ..Self::default() }
    }

    /// A place, counted from the end when negative.
    fn place(&self, index: i64) -> Result<usize, String> {
        let length = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        let place = if index < 0 { index + length } else { index };
        usize::try_from(place)
            .ok()
            .filter(|place| *place < self.values.len())
            .ok_or_else(|| "INDEX".to_owned())
    }

    /// Where INSERT puts something: beyond an end is at that end.
    fn gap(&self, index: i64) -> usize {
        let length = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        let place = if index < 0 { index + length } else { index };
        usize::try_from(place.clamp(0, length)).unwrap_or_default()
    }

    fn answer(&mut self, op: &Op) -> Answer {
        match op.name {
            "NEW" => self.values.clear(),
            "APPEND" => {
                self.growth.appended += 1;
                self.values.push(op.integer(0));
            }
            "EXTEND" => {
                let more = op.args.first().and_then(Value::as_array).into_iter().flatten();
                self.values.extend(more.filter_map(Value::as_i64));
            }
            "INSERT" => self.values.insert(self.gap(op.integer(0)), op.integer(1)),
            "POP" => {
                self.growth.shrinks = true;
                let place = self.place(op.integer(0))?;
                return value(self.values.remove(place));
            }
            "DEL" => {
                let place = self.place(op.integer(0))?;
                self.values.remove(place);
            }
            "GET" => return self.place(op.integer(0)).map(|place| self.values[place].into()),
            "SET" => {
                let place = self.place(op.integer(0))?;
                self.values[place] = op.integer(1);
            }
            "SLICE" => return self.slice(op),
            "REVERSE" => self.values.reverse(),
            "SORT" => self.values.sort_by_key(|value| value % op.integer(0).max(1)),
            "INDEX" => {
                let place = self.values.iter().position(|value| *value == op.integer(0));
                return place.map(Value::from).ok_or_else(|| "VALUE".to_owned());
            }
            "COUNT" => return value(self.values.iter().filter(|value| **value == op.integer(0)).count()),
            "LEN" => return value(self.values.len()),
            "ALL" => return value(self.values.clone()),
            _ => return error("OP"),
        }
        value(Value::Null)
    }

    /// Python's `list[from:to:step]` (language reference 3.3.1 "slice"; `PySlice_AdjustIndices`).
    fn slice(&self, op: &Op) -> Answer {
        let given = |place: usize| op.args.get(place).and_then(Value::as_i64);
        let step = given(2).unwrap_or(1);
        if step == 0 {
            return error("STEP");
        }
        let length = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let bound = |index: i64| (if index < 0 { index + length } else { index }).clamp(low, high);
        let (first, last) = if step > 0 { (low, high) } else { (high, low) };
        let mut here = given(0).map_or(first, bound);
        let end = given(1).map_or(last, bound);
        let mut taken: Vec<i64> = Vec::new();
        while (step > 0 && here < end) || (step < 0 && here > end) {
            taken.extend(usize::try_from(here).ok().and_then(|place| self.values.get(place)));
            here += step;
        }
        value(json!(taken))
    }

    fn capacity(&mut self, answer: &Answer) -> Result<(), Wrong> {
        let Some(capacity) = answer.as_ref().ok().and_then(Value::as_u64) else {
            return Err(Wrong::new("capacity", Text::new("the slots of the array", "数组的容量")));
        };
        let length = self.values.len() as u64;
        let most = if self.growth.shrinks { LEFT } else { WASTE } * length + SOME;
        if capacity < length || capacity > most {
            return Err(Wrong::new(
                "capacity",
                Text::new(
                    format!("{length} to {most} slots for {length} values"),
                    format!("{length} 个值，容量应在 {length} 到 {most} 之间"),
                ),
            )
            .hint(Text::new(
                "grow by a share of the length, and give room back when most of it is empty",
                "按长度的比例增长；大半空着时还掉一些",
            )));
        }
        if !self.growth.shrinks && self.growth.latest != capacity {
            self.growth.changes += 1;
        }
        self.growth.latest = capacity;
        if self.growth.changes > CHANGES {
            return Err(Wrong::new(
                "reallocations",
                Text::new(
                    format!("at most {CHANGES} different capacities so far"),
                    format!("到现在最多 {CHANGES} 种容量"),
                ),
            )
            .hint(Text::new(
                "grow by a share of the length (an eighth, a half, double), not by a fixed number of slots",
                "按长度的比例（八分之一、一半、翻倍）增长，不要每次加固定的个数",
            )));
        }
        Ok(())
    }
}

impl Model for List {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        if op.name == "CAP" {
            return if self.watched { self.capacity(answer) } else { Ok(()) };
        }
        let right = self.answer(op);
        expect(answer, &right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::op;

    fn list(values: &[i64]) -> List {
        List { values: values.to_vec(), ..List::default() }
    }

    /// As Python 3.11 answered.
    #[test]
    fn slices_are_pythons() {
        for (from, to, step, right) in [
            (None, None, Some(-1), vec![4, 3, 2, 1, 0]),
            (Some(3), None, Some(-1), vec![3, 2, 1, 0]),
            (Some(3), Some(0), Some(-1), vec![3, 2, 1]),
            (Some(-2), None, None, vec![3, 4]),
            (Some(-9), Some(9), Some(2), vec![0, 2, 4]),
            (Some(9), Some(-9), Some(-2), vec![4, 2, 0]),
            (Some(2), Some(2), None, vec![]),
            (Some(0), Some(-1), Some(-1), vec![]),
        ] {
            let op = op!("SLICE", from, to, step);
            assert_eq!(list(&[0, 1, 2, 3, 4]).answer(&op), value(json!(right)), "{op:?}");
        }
        assert_eq!(list(&[1]).answer(&op!("SLICE", 0, 1, 0)), error("STEP"));
        assert_eq!(list(&[]).answer(&op!("SLICE", None::<i64>, None::<i64>, -1)), value(json!([])));
    }

    #[test]
    fn an_insert_beyond_an_end_is_at_that_end() {
        let mut list = list(&[1, 2]);
        for (index, new) in [(-9, 10), (9, 20), (-1, 30)] {
            list.answer(&op!("INSERT", index, new)).unwrap();
        }
        assert_eq!(list.values, [10, 1, 2, 30, 20]);
        assert_eq!(list.answer(&op!("POP", -6)), error("INDEX"));
        assert_eq!(list.answer(&op!("SORT", 10)), value(Value::Null));
        assert_eq!(list.values, [10, 30, 20, 1, 2]);
    }

    #[test]
    fn growth_by_one_and_too_much_room_are_refused() {
        let mut list = List::growing();
        let refused = (0..1_000).find_map(|place| {
            list.answer(&op!("APPEND", place)).unwrap();
            list.judge(&op!("CAP"), &value(place + 1)).err()
        });
        assert_eq!(refused.map(|wrong| wrong.rule), Some("reallocations"));
        let mut list = List::growing();
        assert_eq!(list.judge(&op!("CAP"), &value(65)).unwrap_err().rule, "capacity");
    }
}
