//! `tree`: is the search tree balanced and right?
//!
//! A tree is seen by its `DUMP`: order and shape follow from its nodes, not from what the program says of them, and
//! `HEIGHT` has to agree. AVL: Adelson-Velsky and Landis (1962), heights of siblings differ by one at most; red-black:
//! Guibas and Sedgewick (1978), no red node under a red one, as many black ones on every way down.

mod dump;
mod model;

use std::time::Duration;

use mustdo_plugin::serde_json::json;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Exam, Op, op};
use dump::Kind;
use model::Tree as Model;

parameters! {
    /// Which tree, and how much of it.
    pub struct Tree {
        /// What is asked of the shape, beside its height: `avl`, `rb`, `treap`, or `any`.
        kind: String = "any".to_owned(),
        /// How many operations are compared with the model.
        #[range(200..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for Tree {
    const ID: &'static str = "tree";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A balanced search tree", "平衡查找树"),
            description: Text::new(
                "Starts your program (task `tree` of MLP/1, docs/judge.md) and plays PUT, GET, DEL, RANK, SELECT, FLOOR, CEIL and RANGE against a model, with keys that rise, fall, come at random and come again. HEIGHT may be 2·log2(n+1)+2 at most (twice that for `treap` and `any`), and DUMP has to be a search tree of that height, by the rules of `kind`. Passes when all of it holds.",
                "启动你的程序（MLP/1 的 `tree` 任务，见 docs/judge.md），执行 PUT、GET、DEL、RANK、SELECT、FLOOR、CEIL、RANGE，与模型比较；键有递增、递减、随机和重复的。HEIGHT 不得超过 2·log2(n+1)+2（`treap` 和 `any` 可到两倍），DUMP 必须是这样高的查找树，并符合 `kind` 的规则。全部成立才算通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("it is a balanced search tree", "它是一棵平衡查找树"));
        let Some(kind) = Kind::named(&self.kind) else {
            let words = Text::new(
                format!("there is no kind {}; write avl, rb, treap or any", self.kind),
                format!("没有 {} 这一种；请写 avl、rb、treap 或 any", self.kind),
            );
            report.judge("kind", Need::Must, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
            return report;
        };
        engine::run(context, report, "tree", json!({ "kind": self.kind }), |exam, report| {
            let _ = self.judge(kind, exam, report);
        })
    }
}

impl Tree {
    fn judge(&self, kind: Kind, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let count = usize::try_from(self.n).unwrap_or(usize::MAX);
        let ops = operations(count, exam.random());
        let outcome = exam.hold(&ops, || Model::new(kind));
        report.judge("answers", Need::Must, outcome, |_| {
            Text::new(
                format!("{} operations answered right", ops.len()),
                format!("{} 个操作全部答对", ops.len()),
            )
        })?;
        let ops = ascending(count / 2, false, exam.random());
        let outcome = exam.hold(&ops, || Model::new(kind));
        report.judge("height", Need::Must, outcome, |_| {
            Text::new("low, whatever order the keys come in", "不管键以什么顺序来，都不高")
        })?;
        if !exam.has("DUMP") {
            let words = Text::new(
                "the program offers no DUMP, so nobody can see that there is a tree; add it as docs/judge.md says",
                "程序没有提供 DUMP，看不到里面是不是树；请按 docs/judge.md 加上",
            );
            return report.judge("shape", Need::Must, Err(Fault::inconclusive(words)), |()| Text::same(""));
        }
        let ops = ascending(count / 4, true, exam.random());
        let outcome = exam.hold(&ops, || Model::new(kind));
        report.judge("shape", Need::Must, outcome, |_| {
            Text::new("every dump is a search tree that keeps its rules", "每次 DUMP 都是守规则的查找树")
        })?;
        Some(())
    }
}

/// Keys of a small range, so that the same come again, and every question about their order.
fn operations(count: usize, random: &mut Generator) -> Vec<Op> {
    let mut ops = Vec::new();
    while ops.len() < count {
        let range = [6, 40, 400, 4_000][usize::try_from(random.number(0..4)).unwrap_or_default()];
        let shrinks = random.number(0..3) == 0;
        for _ in 0..count / 12 {
            let key = random.number(0..range).cast_signed() - 2;
            let weights = if shrinks { [12, 8, 40, 8, 8, 8, 8, 3, 1] } else { [40, 8, 12, 8, 8, 8, 8, 3, 1] };
            ops.push(match random.weighted(&weights) {
                Some(0) => op!("PUT", key, random.number(0..1_000)),
                Some(1) => op!("GET", key),
                Some(2) => op!("DEL", key),
                Some(3) => op!("RANK", key),
                Some(4) => op!("SELECT", random.number(0..range / 2 + 1).cast_signed() - 1),
                Some(5) => op!("FLOOR", key),
                Some(6) => op!("CEIL", key),
                Some(7) => op!("RANGE", key, key + random.number(0..30).cast_signed()),
                _ => op!("LEN"),
            });
        }
        ops.push(op!("HEIGHT"));
    }
    ops
}

/// Keys that rise, fall, and close in from both ends; half of them go again. HEIGHT now and then, and DUMP with it.
fn ascending(count: usize, dumps: bool, random: &mut Generator) -> Vec<Op> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let orders: [Box<dyn Fn(i64) -> i64>; 3] = [
        Box::new(|place| place),
        Box::new(move |place| count - place),
        Box::new(move |place| if place % 2 == 0 { place } else { count - place }),
    ];
    let mut ops = Vec::new();
    for order in orders {
        let base = random.number(0..1_000_000).cast_signed();
        let keys: Vec<_> = (0..count / 3).map(|place| base + order(place)).collect();
        let every = (keys.len() / 6).max(1);
        let look = |ops: &mut Vec<Op>, place: usize| {
            if place % every == every - 1 {
                ops.push(op!("HEIGHT"));
                if dumps {
                    ops.push(op!("DUMP"));
                }
            }
        };
        for (place, key) in keys.iter().enumerate() {
            ops.push(op!("PUT", key, place));
            look(&mut ops, place);
        }
        let mut going = keys.clone();
        random.shuffle(&mut going);
        for (place, key) in going.iter().enumerate() {
            ops.push(op!("DEL", key));
            look(&mut ops, place);
        }
    }
    ops
}
