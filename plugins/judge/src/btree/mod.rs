//! `btree`: is it a B-tree or a B+tree, and not something that looks like one?
//!
//! Answers alone cannot tell a sorted array from a tree. `DUMP` shows every node with an identity that lasts, and three
//! things have to agree: the invariants (Knuth, The Art of Computer Programming 3, 6.2.4; Comer, "The Ubiquitous B-Tree",
//! 1979), how few nodes one operation changes, and how many nodes it visits (`COST`).

mod dump;
mod model;
mod shape;

use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Exam, Op, op};
use model::Model;
use shape::Shape;

/// How many times in one list the whole tree is looked at.
const DUMPS: usize = 40;

/// Keys of a tree of many levels, with which is counted what one operation changes and visits; how far apart they are.
const MANY_KEYS: usize = 4_000;
const APART: usize = 20;

/// Operations whose visits are counted.
const COST_OPS: usize = 400;

/// The most keys that are put side by side, with a look at the tree after each: as many as fill a leaf of a usual order.
const CROWD: u32 = 12;

parameters! {
    /// Which tree, of which orders, and what to do with it.
    pub struct Btree {
        /// `btree`: values in every node. `bplus`: values in linked leaves only.
        shape: String = "bplus".to_owned(),
        /// The most children of a node, one run for each.
        orders: Vec<u32> = vec![4, 5, 8, 64],
        /// `all`, or mostly `insert`, `search` or `delete`.
        ops: String = "all".to_owned(),
        /// How many operations are compared with the model, in all runs together.
        #[range(400..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for Btree {
    const ID: &'static str = "btree";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A B-tree or B+tree", "B 树或 B+ 树"),
            description: Text::new(
                "Starts your program (task `btree` of MLP/1, docs/judge.md) with several orders and plays PUT, GET, DEL, RANGE, MIN, MAX and LEN against a model. DUMP shows the nodes: order, fill, depth, separators and leaf links must be right, one operation may change few nodes only, and COST, the nodes visited, must fit the height. Passes when all of it holds.",
                "用几种阶数启动你的程序（MLP/1 的 `btree` 任务，见 docs/judge.md），执行 PUT、GET、DEL、RANGE、MIN、MAX、LEN，与模型比较。DUMP 展示节点：次序、充填、深度、分隔键、叶子链接都要对，一次操作只能改动少数节点，COST（访问过的节点数）要与高度相称。全部成立才算通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(12),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("it is the tree that it claims to be", "它确实是所说的那种树"));
        let (Some(bplus), Some(mix)) = (self.is_bplus(), Mix::named(&self.ops)) else {
            let words = Text::new(
                "shape is btree or bplus, and ops is all, insert, search or delete",
                "shape 写 btree 或 bplus；ops 写 all、insert、search 或 delete",
            );
            report.judge("params", Need::Must, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
            return report;
        };
        let shapes: Vec<_> = self.orders.iter().filter_map(|order| Shape::new(bplus, *order)).collect();
        if shapes.len() != self.orders.len() || shapes.is_empty() {
            let words = Text::new("an order is a number from 3 to 1024", "阶数是 3 到 1024 的数");
            report.judge("params", Need::Must, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
            return report;
        }
        let params = params(shapes[0]);
        engine::run(context, report, "btree", params, |exam, report| {
            let _ = self.judge(&shapes, mix, exam, report);
        })
    }
}

/// What the program is told.
fn params(shape: Shape) -> Value {
    json!({ "shape": if shape.bplus { "bplus" } else { "btree" }, "order": shape.order })
}

impl Btree {
    fn is_bplus(&self) -> Option<bool> {
        match self.shape.as_str() {
            "bplus" => Some(true),
            "btree" => Some(false),
            _ => None,
        }
    }

    fn judge(&self, shapes: &[Shape], mix: Mix, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        for (operation, zh) in [("DUMP", "看不到节点"), ("COST", "看不到访问了多少节点")] {
            if !exam.has(operation) {
                let words = Text::new(
                    format!(
                        "the program offers no {operation}, so nobody can see that there is a tree; add it as docs/judge.md says"
                    ),
                    format!("程序没有提供 {operation}，{zh}；请按 docs/judge.md 加上"),
                );
                return report
                    .judge("shape", Need::Must, Err(Fault::inconclusive(words)), |()| Text::same(""));
            }
        }
        let count = usize::try_from(self.n).unwrap_or(usize::MAX) / shapes.len();
        for shape in shapes {
            exam.set_params(params(*shape));
            let order = shape.order;
            let ops = operations(count, mix, *shape, exam.random());
            let outcome = exam.hold(&ops, || Model::new(*shape));
            report.judge(&format!("order-{order}"), Need::Must, outcome, |model| {
                Text::new(
                    format!(
                        "order {order}: {} operations right, {} dumps whole, few nodes changed",
                        ops.len(),
                        model.dumps
                    ),
                    format!(
                        "{order} 阶：{} 个操作全对，{} 次 DUMP 完好，每次只改动少数节点",
                        ops.len(),
                        model.dumps
                    ),
                )
            })?;
        }
        let shape = shapes[0];
        exam.set_params(params(shape));
        let ops = crowds(shape, mix, exam.random());
        let outcome = exam.hold(&ops, || Model::new(shape));
        report.judge("locality", Need::Must, outcome, |_| {
            Text::new(
                format!("with {MANY_KEYS} keys, too, one operation changes few nodes, where it splits some as well"),
                format!("{MANY_KEYS} 个键时，一次操作同样只改动少数节点，分裂时也一样"),
            )
        })?;
        let ops = costs(shape, mix, exam.random());
        let outcome = exam.hold(&ops, || Model::new(shape));
        report.judge("cost", Need::Must, outcome, |model| {
            let mean = model.mean_cost;
            Text::new(
                format!("an operation visits {mean:.1} nodes of {MANY_KEYS} keys on average"),
                format!("{MANY_KEYS} 个键时，一次操作平均访问 {mean:.1} 个节点"),
            )
        })?;
        Some(())
    }
}

/// What is done most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    All,
    Insert,
    Search,
    Delete,
}

impl Mix {
    fn named(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "insert" => Some(Self::Insert),
            "search" => Some(Self::Search),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }

    /// Whether keys go again. Inserting and searching can be right before deleting is written.
    fn deletes(self) -> bool {
        matches!(self, Self::All | Self::Delete)
    }

    /// PUT, DEL, GET, RANGE, MIN, MAX, LEN while the tree grows, and afterwards.
    fn weights(self) -> [[u32; 7]; 2] {
        match self {
            Self::All => [[50, 15, 20, 6, 3, 3, 3], [15, 50, 20, 6, 3, 3, 3]],
            Self::Insert => [[70, 0, 15, 4, 2, 2, 4], [60, 0, 20, 8, 3, 3, 6]],
            Self::Search => [[30, 0, 45, 15, 4, 4, 2], [10, 0, 65, 15, 4, 4, 2]],
            Self::Delete => [[50, 25, 15, 4, 2, 2, 2], [8, 70, 12, 4, 2, 2, 2]],
        }
    }
}

/// Keys that rise, fall, zig-zag and come at random; a tree that grows, shrinks, is emptied and filled again; and dumps in
/// pairs with one operation between them.
fn operations(count: usize, mix: Mix, shape: Shape, random: &mut Generator) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut base = random.number(0..100_000).cast_signed();
    // Enough for three levels, or as much as there is time for.
    let size = i64::from(shape.order * shape.order * 2).min(i64::try_from(count / 4).unwrap_or(i64::MAX));
    let orders: [fn(i64, i64) -> i64; 3] = [
        |place, _| place,
        |place, size| size - place,
        |place, size| if place % 2 == 0 { place } else { size - place },
    ];
    let every = (count / DUMPS).max(10);
    let push = |ops: &mut Vec<Op>, op: Op| {
        let between = ops.len() % every;
        if between == every - 3 {
            ops.push(op!("DUMP"));
        }
        ops.push(op);
        if between == every - 3 {
            ops.push(op!("DUMP"));
        }
    };
    let mut turn = 0;
    while ops.len() < count {
        let order = orders[turn % orders.len()];
        turn += 1;
        let some = size.min(i64::try_from((count - ops.len()) / 3).unwrap_or(i64::MAX)).max(4);
        for place in 0..some {
            push(&mut ops, op!("PUT", base + order(place, some), place));
        }
        for weights in mix.weights() {
            for _ in 0..some {
                let key = base + random.number(0..some.cast_unsigned() * 3 / 2).cast_signed();
                let op = match random.weighted(&weights) {
                    Some(0) => op!("PUT", key, random.number(0..1_000)),
                    Some(1) => op!("DEL", key),
                    Some(2) => op!("GET", key),
                    Some(3) => op!("RANGE", key, key + random.number(0..40).cast_signed()),
                    Some(4) => op!("MIN"),
                    Some(5) => op!("MAX"),
                    _ => op!("LEN"),
                };
                push(&mut ops, op);
            }
        }
        if !mix.deletes() {
            // Each part of the tree is filled in another order.
            base += some * 2;
            continue;
        }
        // To the last key: the root has to come down again.
        let mut going: Vec<_> = (0..some * 3 / 2).map(|place| base + place).collect();
        random.shuffle(&mut going);
        for key in going {
            push(&mut ops, op!("DEL", key));
        }
        ops.extend([op!("DUMP"), op!("MIN"), op!("RANGE", base, base + some), op!("LEN")]);
    }
    ops
}

/// The keys of a large tree, in random order.
fn many(random: &mut Generator) -> Vec<i64> {
    let mut keys: Vec<_> = (0..MANY_KEYS).filter_map(|place| i64::try_from(place * APART).ok()).collect();
    random.shuffle(&mut keys);
    keys
}

/// A tree of many keys, and more of them side by side: before all others, behind them, and between two. A leaf has to split
/// then, wherever it was filled to; and merge, when they go again. What is made up of sorted keys moves along with that.
fn crowds(shape: Shape, mix: Mix, random: &mut Generator) -> Vec<Op> {
    let keys = many(random);
    let mut ops: Vec<_> = keys.iter().map(|key| op!("PUT", key, 1)).collect();
    ops.push(op!("DUMP"));
    let last = keys.iter().copied().max().unwrap_or_default();
    let crowd = i64::from(CROWD.min(shape.order + 1));
    for start in [-crowd, *engine::pick(&keys, random) + 1, last + 1] {
        let mut crowd: Vec<_> = (start..start + crowd).collect();
        random.shuffle(&mut crowd);
        ops.extend(crowd.iter().flat_map(|key| [op!("PUT", key, 2), op!("DUMP")]));
        if mix.deletes() {
            ops.extend(crowd.iter().flat_map(|key| [op!("DEL", key), op!("DUMP")]));
        }
    }
    ops
}

/// A tree of many keys, and point operations between two looks at COST.
fn costs(shape: Shape, mix: Mix, random: &mut Generator) -> Vec<Op> {
    let keys = many(random);
    let mut ops: Vec<_> = keys.iter().map(|key| op!("PUT", key, 1)).collect();
    ops.push(op!("DUMP"));
    for kind in 0..if mix.deletes() { 3 } else { 2 } {
        ops.push(op!("COST"));
        for key in random.sample(&keys, COST_OPS) {
            ops.push(match kind {
                0 => op!("GET", key),
                1 => op!("PUT", key + 1, shape.order),
                _ => op!("DEL", key),
            });
        }
        ops.push(op!("COST"));
    }
    ops
}
