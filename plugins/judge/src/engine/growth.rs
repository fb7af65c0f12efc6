//! Whether an operation costs the same however much is stored.
//!
//! What is measured is the program's processor time, so a busy machine does not matter; and only the ratio between two
//! sizes counts, so neither do the language nor the cost of reading JSON. A ratio over the limit is measured once more, and
//! counts only when it is over the limit again.

use std::time::Duration;

use mustdo_plugin::{Fault, Generator, Text};

use super::exam::Exam;
use super::model::Model;
use super::wire::Op;

/// How many times the cost at the smallest size is too much. Reading more memory costs some; work that grows with the size
/// costs as many times as there is more stored, which is far above.
const LIMIT: f64 = 4.0;

/// Processor time that a measurement should see; the system counts it in steps of 10 ms.
const ENOUGH: Duration = Duration::from_millis(150);

/// The most operations of one measurement, and the time for it.
const MOST_OPS: usize = 60_000;
const MOST_TIME: Duration = Duration::from_secs(3);

/// Below this an operation is as fast as it can be, in seconds: reading its line takes longer.
const FLOOR: f64 = 1e-6;

/// What is measured.
pub(crate) struct Growth<P, W, N> {
    /// How much is stored, rising.
    pub(crate) sizes: &'static [usize],
    /// The operations that store as much.
    pub(crate) prepare: P,
    /// Some of the operations that should cost the same, when as much is stored.
    pub(crate) work: W,
    /// The model of an empty program.
    pub(crate) model: N,
}

/// What an operation costs at the first size and at the one that was last looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grown {
    /// How much was stored.
    pub(crate) sizes: [usize; 2],
    /// Seconds of processor time for one operation.
    pub(crate) costs: [f64; 2],
}

impl Grown {
    /// How many times as much.
    pub(crate) fn ratio(&self) -> f64 {
        self.costs[1].max(FLOOR) / self.costs[0].max(FLOOR)
    }
}

impl<P, W, N, M> Growth<P, W, N>
where
    P: Fn(usize, &mut Generator) -> Vec<Op>,
    W: Fn(usize, &mut Generator) -> Vec<Op>,
    N: Fn() -> M,
    M: Model,
{
    /// Measures size after size, and stops at the first that costs too much. The fault is told by `words`.
    pub(crate) fn judge(
        &self,
        exam: &mut Exam<'_, '_>,
        rule: &str,
        words: impl Fn(&Grown) -> Text,
        hint: Text,
    ) -> Result<Grown, Fault> {
        let mut grown = self.grown(exam)?;
        if grown.ratio() > LIMIT {
            let again = self.grown(exam)?;
            if again.ratio() > LIMIT {
                let summary = words(&again);
                return Err(exam.fail(rule, summary.clone(), told(&summary, &[grown, again]), hint));
            }
            grown = again;
        }
        Ok(grown)
    }

    fn grown(&self, exam: &mut Exam<'_, '_>) -> Result<Grown, Fault> {
        let mut costs = Vec::new();
        for size in self.sizes {
            let cost = self.cost(exam, *size)?;
            costs.push((*size, cost));
            let grown = between(&costs);
            if grown.ratio() > LIMIT {
                return Ok(grown);
            }
        }
        Ok(between(&costs))
    }

    /// Seconds of processor time for one operation.
    fn cost(&self, exam: &mut Exam<'_, '_>, size: usize) -> Result<f64, Fault> {
        let mut session = exam.open().map_err(|breach| breach.fault())?;
        let mut model = (self.model)();
        let stored = (self.prepare)(size, exam.random());
        exam.follow(&mut session, &stored, &mut model)?;
        let before = session.processor_time().ok_or_else(untold)?;
        let began = exam.context().monotonic();
        let (mut count, mut spent) = (0, Duration::ZERO);
        while spent < ENOUGH
            && count < MOST_OPS
            && exam.context().monotonic().saturating_sub(began) < MOST_TIME
        {
            let ops = (self.work)(size, exam.random());
            exam.follow(&mut session, &ops, &mut model)?;
            count += ops.len();
            spent = session.processor_time().ok_or_else(untold)?.saturating_sub(before);
        }
        session.finish().map_err(|breach| breach.fault())?;
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        Ok(spent.as_secs_f64() / f64::from(count))
    }
}

fn between(costs: &[(usize, f64)]) -> Grown {
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    Grown { sizes: [first.0, last.0], costs: [first.1, last.1] }
}

fn untold() -> Fault {
    Fault::inconclusive(Text::new(
        "this system does not tell how much processor time a program uses; Linux does",
        "这个系统不告诉程序用了多少处理器时间；请在 Linux 上检查",
    ))
}

fn told(summary: &Text, measured: &[Grown; 2]) -> Text {
    let figures = |word: [&str; 2]| {
        let line = |grown: &Grown| {
            let [small, large] = grown.costs.map(|cost| cost * 1e6);
            format!(
                "{}: {small:.1} µs {} {}: {large:.1} µs (× {:.1})",
                grown.sizes[0],
                word[0],
                grown.sizes[1],
                grown.ratio()
            )
        };
        measured.iter().map(line).collect::<Vec<_>>().join(word[1])
    };
    Text::new(
        format!(
            "{}; processor time for one operation, by how much is stored, measured twice: {}",
            summary.en,
            figures(["→", "; "])
        ),
        format!("{}；按存放数量测得的每次操作处理器时间（测了两遍）：{}", summary.zh, figures(["→", "；"])),
    )
}
