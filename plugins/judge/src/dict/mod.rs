//! `dict`: is it a real hash table?
//!
//! The hash of a key comes from the check, so that it can make keys collide, and a cost that depends on hashing well
//! depends on the table alone. What `STATS` says of the table is held against bounds that open addressing (`CPython`'s dict
//! resizes at two thirds, `Objects/dictobject.c`) and chaining both keep with room to spare.

mod key;
mod model;

use std::time::Duration;

use mustdo_plugin::serde_json::json;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Exam, Growth, op};
use key::Key;
use model::Table;

/// The most slots or entries that a GET may look at, on average, when hashes are spread well.
const PROBES: f64 = 5.0;

/// GETs whose probes are counted.
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
        let mut report = Report::new(Text::new("it is a hash table", "它是一个哈希表"));
        if !matches!(self.profile.as_str(), "basic" | "mixed" | "collide") {
            let words = Text::new(
                format!("there is no profile {}; write basic, mixed or collide", self.profile),
                format!("没有 {} 这种 profile；请写 basic、mixed 或 collide", self.profile),
            );
            report
                .judge("profile", Need::Must, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
            return report;
        }
        let params = json!({ "profile": self.profile });
        engine::run(context, report, "dict", params, |exam, report| {
            let _ = self.judge(exam, report);
        })
    }
}

impl Dict {
    fn judge(&self, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let count = usize::try_from(self.n).unwrap_or(usize::MAX);
        let collide = self.profile == "collide";
        let ops =
            if collide { key::colliding(count, exam.random()) } else { key::mixed(count, exam.random()) };
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
    let ops = key::growing(300, exam.random());
    let outcome = exam.hold(&ops, Table::default);
    report.judge("load", Need::Must, outcome, |_| {
        Text::new("never too full, after any of 300 PUTs", "300 次 PUT 中任何一次之后都没有装得太满")
    })?;
    if profile == "mixed" {
        let ops = key::churning(20_000, exam.random());
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
    let mut keys = Key::spread(10_000, exam.random());
    let mut ops: Vec<_> = keys.iter().map(|key| key.put(1)).collect();
    ops.push(op!("STATS"));
    exam.random().shuffle(&mut keys);
    let absent = Key::spread(COUNTED_GETS / 2, exam.random());
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
    let keys = Key::spread(SIZES.last().copied().unwrap_or_default(), exam.random());
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
