//! `linear`: an array, a queue, a stack, a linked list. One kind is one task, with a file each.

mod array;
mod list;
mod queue;
mod stack;

use std::time::Duration;

use mustdo_plugin::serde_json::json;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Generator, Report, Text, parameters};

use crate::engine::{self, Exam, Grown, Growth, Model, Op};

/// How much is stored when the cost of an operation is measured. Moving a block of memory by one place is fast: it takes a
/// million values until it shows beside the reading of a line. Looking at each of them is not.
const QUEUE_SIZES: &[usize] = &[1_000, 1_000_000];
const STACK_SIZES: &[usize] = &[1_000, 200_000];

parameters! {
    /// Which of the four to look at, and how long.
    pub struct Linear {
        /// `array`, `queue`, `stack` or `list`: also the task that the program is told.
        kind: String = "array".to_owned(),
        /// How many operations are compared with the model.
        #[range(200..=100_000)]
        n: u32 = 20_000,
    }
}

impl Check for Linear {
    const ID: &'static str = "linear";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Array, queue, stack, linked list", "数组、队列、栈、链表"),
            description: Text::new(
                "Starts your program (task `array`, `queue`, `stack` or `list` of MLP/1, docs/judge.md) and plays seeded operations against a model; for a queue and a stack it measures whether an operation costs the same with hundreds of times as much inside. Passes when every answer is right and the cost stays.",
                "启动你的程序（MLP/1 的 `array`、`queue`、`stack` 或 `list` 任务，见 docs/judge.md），执行随机操作并与模型比较；对队列和栈还看内容多到几百倍时操作的代价是否不变。答案全对、代价不变才算通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(6),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let count = usize::try_from(self.n).unwrap_or(usize::MAX);
        let report =
            Report::new(Text::new(format!("it is a right {}", self.kind), format!("{} 是对的", self.kind)));
        let Some(kind) = Kind::named(&self.kind) else {
            let mut report = report;
            let words = Text::new(
                format!("there is no kind {}; write array, queue, stack or list", self.kind),
                format!("没有 {} 这一种；请写 array、queue、stack 或 list", self.kind),
            );
            report.judge("kind", Need::Must, Err::<(), _>(Fault::inconclusive(words)), |()| Text::same(""));
            return report;
        };
        engine::run(context, report, kind.task(), json!({}), |exam, report| {
            let _ = kind.judge(count, exam, report);
        })
    }
}

/// One of the four.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Array,
    Queue,
    Stack,
    List,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        [Self::Array, Self::Queue, Self::Stack, Self::List].into_iter().find(|kind| kind.task() == name)
    }

    fn task(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Queue => "queue",
            Self::Stack => "stack",
            Self::List => "list",
        }
    }

    fn judge(self, count: usize, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let mut random = exam.fork();
        let mut ops = |make: fn(usize, &mut Generator) -> Vec<Op>| make(count, &mut random);
        match self {
            Self::Array => answers(exam, report, &ops(array::operations), array::Array::default),
            Self::List => answers(exam, report, &ops(list::operations), list::List::default),
            Self::Queue => {
                answers(exam, report, &ops(queue::operations), queue::Queue::default)?;
                let growth = Growth {
                    sizes: QUEUE_SIZES,
                    prepare: queue::filled,
                    work: queue::turning,
                    model: queue::Queue::default,
                };
                let hint = Text::new(
                    "keep where the first and the next free place are, and let both run round the array",
                    "记住队首和下一个空位的下标，让它们在数组里循环前进",
                );
                grows(exam, report, &growth, ["DEQ and ENQ", "DEQ 与 ENQ"], hint)
            }
            Self::Stack => {
                answers(exam, report, &ops(stack::operations), stack::Stack::default)?;
                let growth = Growth {
                    sizes: STACK_SIZES,
                    prepare: stack::filled,
                    work: stack::topping,
                    model: stack::Stack::default,
                };
                let hint = Text::new(
                    "store beside each value the least of all below it: MIN only looks at the top",
                    "每个元素旁边存下它及以下的最小值：MIN 只看栈顶",
                );
                grows(exam, report, &growth, ["PUSH, MIN and POP", "PUSH、MIN、POP"], hint)
            }
        }
    }
}

fn answers<M: Model>(
    exam: &mut Exam<'_, '_>,
    report: &mut Report,
    ops: &[Op],
    model: impl Fn() -> M,
) -> Option<()> {
    let outcome = exam.hold(ops, model);
    report.judge("answers", Need::Must, outcome, |_| {
        Text::new(format!("{} operations answered right", ops.len()), format!("{} 个操作全部答对", ops.len()))
    })?;
    Some(())
}

fn grows<M: Model>(
    exam: &mut Exam<'_, '_>,
    report: &mut Report,
    growth: &Growth<
        impl Fn(usize, &mut Generator) -> Vec<Op>,
        impl Fn(usize, &mut Generator) -> Vec<Op>,
        impl Fn() -> M,
    >,
    [en, zh]: [&str; 2],
    hint: Text,
) -> Option<()> {
    let words = |grown: &Grown| {
        let ([small, large], ratio) = (grown.sizes, grown.ratio());
        Text::new(
            format!("{en} with {large} inside cost {ratio:.1} times as much as with {small}"),
            format!("存 {large} 个时，{zh} 的代价是存 {small} 个时的 {ratio:.1} 倍"),
        )
    };
    let outcome = growth.judge(exam, "growth", words, hint);
    report.judge("growth", Need::Must, outcome, |grown| {
        Text::new(
            format!("{en} cost about the same with more inside (× {:.1})", grown.ratio()),
            format!("存得多了，{zh} 的代价差不多（× {:.1}）", grown.ratio()),
        )
    })?;
    Some(())
}
