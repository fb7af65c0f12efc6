//! `ordered-dict`: is it an `OrderedDict`?
//!
//! The rules are those of Python's `collections.OrderedDict` (library reference, "`OrderedDict` objects"): a key keeps its
//! place when it is written again, moves to an end when it is told to, and two of them are equal when their order is, too;
//! beside a plain dict the order does not matter.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Answer, Exam, Grown, Growth, Model, Op, Wrong, error, expect, op, value};

/// How much is stored when the cost of a MOVE is measured.
const SIZES: &[usize] = &[500, 2_000, 8_000, 32_000];

parameters! {
    /// How long to look.
    pub struct OrderedDict {
        /// How many operations are compared with the model.
        #[range(200..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for OrderedDict {
    const ID: &'static str = "ordered-dict";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("An OrderedDict", "OrderedDict"),
            description: Text::new(
                "Starts your program (task `ordered-dict` of MLP/1, docs/judge.md) and plays SET, GET, DEL, MOVE, POPFIRST, POPLAST, KEYS, RKEYS and EQ against a model, then measures whether MOVE costs the same with 64 times as many keys. Passes when every answer is right and the cost stays.",
                "启动你的程序（MLP/1 的 `ordered-dict` 任务，见 docs/judge.md），执行 SET、GET、DEL、MOVE、POPFIRST、POPLAST、KEYS、RKEYS、EQ，与模型比较；再看键多到 64 倍时 MOVE 的代价是否不变。答案全对、代价不变才算通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let report = Report::new(Text::new("it is an OrderedDict", "它是一个 OrderedDict"));
        engine::run(context, report, "ordered-dict", json!({}), |exam, report| {
            let _ = self.judge(exam, report);
        })
    }
}

impl OrderedDict {
    fn judge(&self, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let ops = operations(usize::try_from(self.n).unwrap_or(usize::MAX), exam.random());
        let outcome = exam.hold(&ops, Ordered::default);
        report.judge("answers", Need::Must, outcome, |_| {
            Text::new(
                format!("{} operations answered right", ops.len()),
                format!("{} 个操作全部答对", ops.len()),
            )
        })?;
        report.judge("growth", Need::Must, growth(exam), |ratio| {
            Text::new(
                format!("MOVE costs about the same with more keys (× {ratio:.1})"),
                format!("键多了，MOVE 的代价差不多（× {ratio:.1}）"),
            )
        })?;
        Some(())
    }
}

fn growth(exam: &mut Exam<'_, '_>) -> Result<f64, Fault> {
    let most = SIZES.last().copied().unwrap_or_default();
    let keys: Vec<String> = (0..most).map(|_| exam.random().token(12)).collect();
    let growth = Growth {
        sizes: SIZES,
        prepare: |size, _: &mut Generator| keys[..size].iter().map(|key| op!("SET", key, 1)).collect(),
        work: |size, random: &mut Generator| {
            (0..500).map(|_| op!("MOVE", engine::pick(&keys[..size], random), "last")).collect()
        },
        model: Ordered::default,
    };
    let words = |grown: &Grown| {
        let [small, large] = grown.sizes;
        Text::new(
            format!("MOVE among {large} keys costs {:.1} times as much as among {small}", grown.ratio()),
            format!("{large} 个键时，一次 MOVE 的代价是 {small} 个键时的 {:.1} 倍", grown.ratio()),
        )
    };
    let hint = Text::new(
        "keep the order in a doubly linked list whose nodes the table points to: moving a node looks at its neighbours only",
        "用双向链表保存顺序，哈希表指向链表的节点：移动一个节点只涉及它的邻居",
    );
    growth.judge(exam, "growth", words, hint).map(|grown| grown.ratio())
}

fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    // Long runs on few keys and short ones on many: order goes wrong at the ends and in the middle.
    let mut ops = Vec::new();
    for (keys, share) in [(3, 8), (12, 4), (200, 2)] {
        let keys: Vec<_> = (0..keys).map(|_| random.token(8)).collect();
        let mut model = Ordered::default();
        for _ in 0..count / share {
            let op = operation(&keys, &model, random);
            // Only what it holds matters here.
            let _ = model.answer(&op);
            ops.push(op);
        }
        ops.extend(std::iter::repeat_n(op!("POPFIRST"), keys.len() + 1));
    }
    ops
}

fn operation(keys: &[String], model: &Ordered, random: &mut Generator) -> Op {
    let key = engine::pick(keys, random);
    let end = ["first", "last"][usize::from(random.number(0..2) == 1)];
    match random.weighted(&[30, 12, 10, 18, 3, 3, 7, 7, 2, 8]) {
        Some(0) => op!("SET", key, random.number(0..1_000)),
        Some(1) => op!("GET", key),
        Some(2) => op!("DEL", key),
        Some(3) => op!("MOVE", key, end),
        Some(4) => op!("POPFIRST"),
        Some(5) => op!("POPLAST"),
        Some(6) => op!("KEYS"),
        Some(7) => op!("RKEYS"),
        Some(8) => op!("LEN"),
        _ => equality(model, random),
    }
}

/// EQ with the same pairs, in the same order or another, with one value changed, or with one pair less.
fn equality(model: &Ordered, random: &mut Generator) -> Op {
    let kind = ["ordered", "plain"][usize::from(random.number(0..2) == 1)];
    let mut pairs = model.pairs();
    match random.number(0..4) {
        0 => random.shuffle(&mut pairs),
        1 => drop(pairs.pop()),
        2 => {
            if let Some(pair) = pairs.first_mut() {
                pair[1] = json!(1_000);
            }
        }
        _ => {}
    }
    op!("EQ", pairs, kind)
}

/// The model: each key has a place that only grows at one end and only falls at the other.
#[derive(Debug, Default)]
struct Ordered {
    entries: HashMap<String, (i64, Value)>,
    order: BTreeMap<i64, String>,
}

impl Model for Ordered {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let right = self.answer(op);
        expect(answer, &right)
    }
}

impl Ordered {
    fn answer(&mut self, op: &Op) -> Answer {
        let key = op.text(0);
        let missing = || "KEY".to_owned();
        match op.name {
            "SET" => {
                let new = op.args.get(1).cloned().unwrap_or_default();
                match self.entries.get_mut(key) {
                    Some((_, value)) => *value = new,
                    None => self.put_at_end(key, new, true),
                }
                value(Value::Null)
            }
            "GET" => self.entries.get(key).map(|(_, value)| value.clone()).ok_or_else(missing),
            "DEL" => self.take(key).ok_or_else(missing),
            "MOVE" => {
                let taken = self.take(key).ok_or_else(missing)?;
                self.put_at_end(key, taken, op.text(1) == "last");
                value(Value::Null)
            }
            "POPFIRST" | "POPLAST" => {
                let end = if op.name == "POPFIRST" {
                    self.order.first_key_value()
                } else {
                    self.order.last_key_value()
                };
                let key = end.map(|(_, key)| key.clone()).ok_or_else(|| "EMPTY".to_owned())?;
                let taken = self.take(&key).unwrap_or_default();
                value(json!([key, taken]))
            }
            "KEYS" => value(self.order.values().cloned().collect::<Vec<_>>()),
            "RKEYS" => value(self.order.values().rev().cloned().collect::<Vec<_>>()),
            "LEN" => value(self.order.len()),
            "EQ" => {
                let sorted = |mut pairs: Vec<Value>| {
                    if op.text(1) == "plain" {
                        pairs.sort_by_cached_key(ToString::to_string);
                    }
                    pairs
                };
                let other = op.args.first().and_then(Value::as_array).cloned().unwrap_or_default();
                value(sorted(self.pairs()) == sorted(other))
            }
            _ => error("OP"),
        }
    }

    fn pairs(&self) -> Vec<Value> {
        let value = |key: &String| self.entries.get(key).map(|(_, value)| value.clone());
        self.order.values().map(|key| json!([key, value(key)])).collect()
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let (place, value) = self.entries.remove(key)?;
        self.order.remove(&place);
        Some(value)
    }

    fn put_at_end(&mut self, key: &str, value: Value, last: bool) {
        let place = if last {
            self.order.last_key_value().map_or(0, |(place, _)| place + 1)
        } else {
            self.order.first_key_value().map_or(0, |(place, _)| place - 1)
        };
        self.order.insert(place, key.to_owned());
        self.entries.insert(key.to_owned(), (place, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_place_until_it_is_moved_or_put_again() {
        let mut model = Ordered::default();
        for key in ["a", "b", "c"] {
            model.answer(&op!("SET", key, 1)).unwrap();
        }
        model.answer(&op!("SET", "a", 2)).unwrap();
        assert_eq!(model.answer(&op!("KEYS")), value(json!(["a", "b", "c"])));
        model.answer(&op!("MOVE", "c", "first")).unwrap();
        model.answer(&op!("DEL", "a")).unwrap();
        model.answer(&op!("SET", "a", 3)).unwrap();
        assert_eq!(model.answer(&op!("RKEYS")), value(json!(["a", "b", "c"])));
        let turned = json!([["b", 1], ["c", 1], ["a", 3]]);
        assert_eq!(model.answer(&op!("EQ", turned, "ordered")), value(false));
        assert_eq!(model.answer(&op!("EQ", turned, "plain")), value(true));
    }
}
