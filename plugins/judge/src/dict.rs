//! `dict`: is it a real hash table?
//!
//! The hash of a key comes from the check, so that it can make keys collide, and a cost that depends on hashing well
//! depends on the table alone. What `STATS` says of the table is held against bounds that open addressing (CPython's dict
//! resizes at two thirds, `Objects/dictobject.c`) and chaining both keep with room to spare.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Answer, Exam, Growth, Model, Op, Wrong, error, expect, op, value};

/// The fullest that open addressing may be, and the longest mean chain.
const LOAD: f64 = 0.9;
const CHAIN: f64 = 4.0;

/// The most slots or entries that a GET may look at, on average, when hashes are spread well.
const PROBES: f64 = 5.0;

/// Keys alive at once while fresh ones come and go, and the most slots that they may need.
const CHURN_KEYS: usize = 50;
const CHURN_CAPACITY: u64 = 4_096;

/// Keys of one hash, and the GETs whose probes are counted.
const COLLIDING: usize = 1_000;
const COUNTED_GETS: usize = 2_000;

/// How much is stored when the cost of a GET is measured.
const SIZES: &[usize] = &[500, 2_000, 8_000, 32_000];

parameters! {
    /// Which sides of a hash table to look at.
    pub struct Dict {
        /// `basic`: put, get, delete, grow, and cost the same when there is more. `mixed`: keys that come and go. `collide`: equal and hostile hashes.
        profile: String = "basic".to_owned(),
        /// How many operations are compared with the model.
        #[range(200..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for Dict {
    const ID: &'static str = "dict";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A real hash table", "真正的哈希表"),
            description: Text::new(
                "Starts your program (task `dict` of MLP/1, docs/judge.md) and plays PUT, GET, DEL, LEN, ITER and CLEAR with hashes that the check chooses, against a model. With STATS it looks at load, probes and what is left of deleted keys. Passes when every answer is right and the bounds hold; a table that slows down with its size fails.",
                "启动你的程序（MLP/1 的 `dict` 任务，见 docs/judge.md），用检查给定的哈希值执行 PUT、GET、DEL、LEN、ITER、CLEAR，与模型逐一比较；有 STATS 时还看装载率、探测次数和已删除的键留下了什么。答案全对、界限都守住才算通过；越存越慢的表不通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let report = Report::new(Text::new("it is a hash table", "它是一个哈希表"));
        let params = json!({ "profile": self.profile });
        engine::run(context, report, "dict", params, |exam, report| {
            let _ = self.judge(exam, report);
        })
    }
}

impl Dict {
    fn judge(&self, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let count = usize::try_from(self.n).unwrap_or(usize::MAX);
        let collide = match self.profile.as_str() {
            "basic" | "mixed" => false,
            "collide" => true,
            other => {
                let words = Text::new(
                    format!("there is no profile {other}; write basic, mixed or collide"),
                    format!("没有 {other} 这种 profile；请写 basic、mixed 或 collide"),
                );
                return report
                    .judge("profile", Need::Must, Err(Fault::inconclusive(words)), |()| Text::same(""));
            }
        };
        let ops = if collide { colliding(count, exam.random()) } else { mixed(count, exam.random()) };
        let outcome = exam.hold(&ops, Table::default);
        report.judge("answers", Need::Must, outcome, |_| {
            Text::new(
                format!("{} operations answered right", ops.len()),
                format!("{} 个操作全部答对", ops.len()),
            )
        })?;
        if exam.has("STATS") {
            looks(exam, report, &self.profile)?;
        } else {
            // The basic profile measures the cost of a GET, and so can do without.
            let words = Text::new(
                "the program offers no STATS, so load and probes cannot be seen; add it as docs/judge.md says",
                "程序没有提供 STATS，看不到装载率和探测次数；请按 docs/judge.md 加上",
            );
            let need = if self.profile == "basic" { Need::Should } else { Need::Must };
            report.judge("load", need, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
        }
        if self.profile == "basic" {
            report.judge("growth", Need::Must, growth(exam), |ratio| {
                Text::new(
                    format!("a GET costs about the same with more keys (× {ratio:.1})"),
                    format!("键多了，GET 的代价差不多（× {ratio:.1}）"),
                )
            });
        }
        Some(())
    }
}

/// What STATS shows.
fn looks(exam: &mut Exam<'_, '_>, report: &mut Report, profile: &str) -> Option<()> {
    let ops = growing(300, exam.random());
    let outcome = exam.hold(&ops, Table::default);
    report.judge("load", Need::Must, outcome, |_| {
        Text::new("never too full, after any of 300 PUTs", "300 次 PUT 中任何一次之后都没有装得太满")
    })?;
    if profile == "mixed" {
        let ops = churning(20_000, exam.random());
        let outcome = exam.hold(&ops, Table::churned);
        report.judge("churn", Need::Must, outcome, |_| {
            Text::new("deleted keys leave no litter", "删掉的键没有留下垃圾")
        })?;
    }
    if profile != "collide" {
        let outcome = probes(exam);
        report.judge("probes", Need::Must, outcome, |mean| {
            Text::new(
                format!("a GET looks at {mean:.1} entries on average"),
                format!("一次 GET 平均看 {mean:.1} 个位置"),
            )
        })?;
    }
    Some(())
}

/// The mean of probes for one GET, of keys that are there and keys that are not.
fn probes(exam: &mut Exam<'_, '_>) -> Result<f64, Fault> {
    let mut keys = Keys::spread(10_000, exam.random());
    let mut ops: Vec<_> = keys.iter().map(|key| key.put(1)).collect();
    ops.push(op!("STATS"));
    exam.random().shuffle(&mut keys);
    let absent = Keys::spread(COUNTED_GETS / 2, exam.random());
    ops.extend(keys.iter().take(COUNTED_GETS / 2).chain(&absent).map(Key::get));
    ops.push(op!("STATS"));
    let table = exam.hold(&ops, Table::default)?;
    let seen = table.probes;
    let [.., before, after] = seen[..] else {
        return Err(Fault::inconclusive(Text::same("STATS")));
    };
    let gets = f64::from(u32::try_from(COUNTED_GETS).unwrap_or(u32::MAX));
    let whole = f64::from(u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX));
    let mean = whole / gets;
    // Half of the keys are there, and to find one at least one entry is looked at.
    if (0.5..=PROBES).contains(&mean) {
        return Ok(mean);
    }
    let summary = Text::new(
        format!("a GET looks at {mean:.1} entries on average; 0.5 to {PROBES} can be right"),
        format!("一次 GET 平均看 {mean:.1} 个位置；合理的是 0.5 到 {PROBES}"),
    );
    let message = Text::new(
        format!(
            "{COUNTED_GETS} GETs among 10000 keys with well spread hashes raised `probes` from {before} to {after}"
        ),
        format!("10000 个键、哈希均匀，{COUNTED_GETS} 次 GET 让 `probes` 从 {before} 变为 {after}"),
    );
    let hint = Text::new(
        "grow the table before it is full, use every bit of the hash, and count each entry that a GET looks at",
        "在装满之前扩容，用上哈希的每一位；每看一个位置就计一次数",
    );
    Err(exam.fail("probes", summary, message, hint))
}

fn growth(exam: &mut Exam<'_, '_>) -> Result<f64, Fault> {
    let keys = Keys::spread(SIZES.last().copied().unwrap_or_default(), exam.random());
    let growth = Growth {
        sizes: SIZES,
        prepare: |size, _: &mut Generator| keys[..size].iter().map(|key| key.put(1)).collect(),
        work: |size, random: &mut Generator| {
            (0..500).map(|_| engine::pick(&keys[..size], random).get()).collect()
        },
        model: Table::default,
    };
    let words = |grown: &engine::Grown| {
        let [small, large] = grown.sizes;
        Text::new(
            format!("a GET among {large} keys costs {:.1} times as much as among {small}", grown.ratio()),
            format!("{large} 个键时，一次 GET 的代价是 {small} 个键时的 {:.1} 倍", grown.ratio()),
        )
    };
    let hint = Text::new(
        "go from the hash to the place at once, and grow the table with what is in it",
        "由哈希值直接找到位置，并让表随内容一起扩大",
    );
    growth.judge(exam, "growth", words, hint).map(|grown| grown.ratio())
}

/// A key and the hash that the check gives it.
#[derive(Debug, Clone)]
struct Key {
    hash: i64,
    key: String,
}

/// Makers of keys; no key is made twice.
struct Keys;

impl Keys {
    /// Hashes all over 64 bits.
    fn spread(count: usize, random: &mut Generator) -> Vec<Key> {
        (0..count).map(|_| Key::of(random.number(0..u64::MAX).cast_signed(), random)).collect()
    }

    /// Hashes that meet: one for many keys, equal low bits, negative ones, and the ends of 64 bits.
    fn colliding(random: &mut Generator) -> Vec<Key> {
        let one = random.number(0..u64::MAX).cast_signed();
        let mut hashes = vec![one; COLLIDING];
        for power in [3, 8, 16, 32, 60] {
            let low = random.number(0..8).cast_signed();
            hashes.extend((0..20_i64).map(|high| (high << power) | low));
        }
        hashes.extend((1..200_i64).map(|number| -number));
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
        hashes.extend(ends.iter().flat_map(|end| [*end; 3]));
        random.shuffle(&mut hashes);
        hashes.into_iter().map(|hash| Key::of(hash, random)).collect()
    }
}

impl Key {
    fn of(hash: i64, random: &mut Generator) -> Self {
        let extra = ["", "字", "é", " "][usize::try_from(random.number(0..4)).unwrap_or_default()];
        Self { hash, key: random.token(12) + extra }
    }

    /// As a text: not every language has whole numbers of 64 bits in its JSON.
    fn hash(&self) -> String {
        self.hash.to_string()
    }

    fn put(&self, value: u64) -> Op {
        op!("PUT", self.hash(), self.key, value)
    }

    fn get(&self) -> Op {
        op!("GET", self.hash(), self.key)
    }

    fn delete(&self) -> Op {
        op!("DEL", self.hash(), self.key)
    }
}

/// PUT, overwrite, GET, DEL and put again, of keys that are there and keys that are not.
fn mixed(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Keys::spread(count / 8 + 8, random);
    let mut ops = among(&keys, count, random);
    // Everything goes, one by one, and comes back: what grew has to live on while it is nearly empty.
    ops.extend(keys.iter().map(Key::delete));
    ops.push(op!("LEN"));
    ops.extend(keys.iter().map(Key::get).take(200));
    ops.extend(among(&keys[..keys.len() / 2], count / 4, random));
    ops.extend([op!("ITER"), op!("CLEAR"), op!("LEN"), op!("ITER")]);
    ops.extend(among(&keys[..20.min(keys.len())], 60, random));
    ops.push(op!("ITER"));
    ops
}

/// The same among keys that meet. A chain of a thousand is slow by itself, so there are fewer operations.
fn colliding(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Keys::colliding(random);
    let mut ops: Vec<_> = keys.iter().map(|key| key.put(1)).collect();
    ops.extend(keys.iter().map(Key::get));
    ops.extend(keys.iter().step_by(2).map(Key::delete));
    // What stands behind a deleted key must still be found.
    ops.extend(keys.iter().map(Key::get));
    ops.extend(among(&keys, count / 4, random));
    ops.push(op!("ITER"));
    ops
}

fn among(keys: &[Key], count: usize, random: &mut Generator) -> Vec<Op> {
    let operation = |random: &mut Generator| {
        let key = engine::pick(keys, random);
        match random.weighted(&[45, 30, 22, 3]) {
            Some(0) => key.put(random.number(0..1_000_000)),
            Some(1) => key.get(),
            Some(2) => key.delete(),
            _ => op!("LEN"),
        }
    };
    (0..count).map(|_| operation(random)).collect()
}

/// A look at the table after each new key.
fn growing(count: usize, random: &mut Generator) -> Vec<Op> {
    Keys::spread(count, random).iter().flat_map(|key| [key.put(2), op!("STATS")]).collect()
}

/// Fresh keys that come and go, while few are there.
fn churning(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Keys::spread(count, random);
    let mut ops = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        ops.push(key.put(3));
        if place >= CHURN_KEYS {
            ops.push(keys[place - CHURN_KEYS].delete());
        }
        if place % 500 == 499 {
            ops.extend([op!("STATS"), op!("LEN"), key.get(), keys[place.saturating_sub(60)].get()]);
        }
    }
    ops
}

/// The model.
#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<(i64, String), Value>,
    churned: bool,
    /// What STATS said of probes, one after the other.
    probes: Vec<u64>,
}

impl Table {
    fn churned() -> Self {
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
    use super::*;

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
