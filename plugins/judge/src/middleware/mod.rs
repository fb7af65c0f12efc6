//! `middleware-chain`: does the onion hold?
//!
//! The chain is that of PEP 3333 ("Middleware: Components that Play Both Sides"): each layer is an application to the one
//! outside and a server to the one inside. Calls inside calls stand for requests that overlap: what a layer keeps on
//! itself instead of on the request is lost in them just as it is between threads, and the trace is the same every time.

mod model;

use std::time::Duration;

use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Generator, Report, Text, parameters};

use crate::engine::{self, Exam, Op, op};
use model::Chain;

/// The calls that are inside one another at most.
const NESTED: u64 = 32;

/// Stacks in which a call counts otherwise than the one inside it. Only there is it seen that a layer keeps a count on itself,
/// so it is not left to chance that there are some.
const RECOUNTED: usize = 5;

parameters! {
    /// How long to look.
    pub struct MiddlewareChain {
        /// How many stacks of layers are built and called.
        #[range(20..=2_000)]
        stacks: u32 = 150,
    }
}

impl Check for MiddlewareChain {
    const ID: &'static str = "middleware-chain";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The onion of middleware", "中间件洋葱"),
            description: Text::new(
                "Starts your program (task `middleware` of MLP/1, docs/judge.md), builds stacks of 0 to 12 layers (log, auth, cache, retry, header, catch, count, service) around a handler, and calls them: short cuts, exceptions, retries, calls inside calls, layers added meanwhile. Passes when every trace and every response is the model's.",
                "启动你的程序（MLP/1 的 `middleware` 任务，见 docs/judge.md），在处理函数外包上 0 到 12 层（log、auth、cache、retry、header、catch、count、service），然后调用：提前返回、抛异常、重试、调用套调用、中途加层。所有轨迹和响应都与模型相同才算通过。",
            ),
            capabilities: vec![engine::capability()],
            typical: Duration::from_secs(4),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let report = Report::new(Text::new("the onion holds", "洋葱成立"));
        engine::run(context, report, "middleware", json!({}), |exam, report| {
            let _ = self.judge(exam, report);
        })
    }
}

impl MiddlewareChain {
    /// A step a question, so that what holds is seen beside what does not.
    fn judge(&self, exam: &mut Exam<'_, '_>, report: &mut Report) -> Option<()> {
        let steps: [(&str, Wish, [&str; 2]); 4] = [
            (
                "order",
                Wish::default(),
                ["in from the first to the last, out the other way", "进去从第一层到最后一层，出来反过来"],
            ),
            (
                "failures",
                Wish { fails: true, ..Wish::default() },
                ["an exception and a short cut pass the outer layers once", "异常和提前返回各经过外层一次"],
            ),
            (
                "state",
                Wish { nests: true, ..Wish::default() },
                ["calls inside calls keep their own state", "调用套调用，状态互不干扰"],
            ),
            (
                "all",
                Wish { fails: true, nests: true, adds: true },
                ["all of it together, with layers added meanwhile", "全部一起，并且中途加层"],
            ),
        ];
        for (id, wish, [en, zh]) in steps {
            let ops = operations(self.stacks, wish, exam.random());
            let outcome = exam.hold(&ops, Chain::default);
            report.judge(id, Need::Must, outcome, |_| Text::new(en, zh))?;
        }
        Some(())
    }
}

/// What a step asks for beside order.
#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    fails: bool,
    nests: bool,
    adds: bool,
}

/// Stacks, and some calls of each.
fn operations(stacks: u32, wish: Wish, random: &mut Generator) -> Vec<Op> {
    let mut ops = Vec::new();
    for stack in 0..stacks {
        let handler = random.token(6);
        ops.push(op!("HANDLER", handler));
        let layers = if stack == 0 { 0 } else { random.number(0..13) };
        for _ in 0..layers {
            let [name, kind, argument] = layer(wish, random);
            ops.push(op!("REGISTER", name, kind, argument));
        }
        ops.push(op!("NAME"));
        let paths: Vec<_> = (0..3).map(|_| format!("/{}", random.token(3))).collect();
        for _ in 0..random.number(1..6) {
            let deepest = if wish.nests && random.number(0..12) == 0 { NESTED } else { 3 };
            ops.push(op!("CALL", request(wish, &paths, deepest, random)));
        }
    }
    if wish.nests {
        ops.extend((0..RECOUNTED).flat_map(|_| recounted(random)));
    }
    ops
}

/// A stack and a call that is tried again below a layer that counts, and then makes another, which is counted once.
fn recounted(random: &mut Generator) -> Vec<Op> {
    let mut ops = vec![op!("HANDLER", random.token(6))];
    let plain = |ops: &mut Vec<Op>, random: &mut Generator| {
        for _ in 0..random.number(0..3) {
            ops.push(op!("REGISTER", random.token(4), "log", Value::Null));
        }
    };
    plain(&mut ops, random);
    ops.push(op!("REGISTER", random.token(4), "retry", random.number(2..5)));
    plain(&mut ops, random);
    ops.push(op!("REGISTER", random.token(4), "count", Value::Null));
    plain(&mut ops, random);
    let mut path = || format!("/{}", random.token(3));
    let inside = json!({ "path": path(), "token": "sesame" });
    let call = json!({ "path": path(), "token": "sesame", "fail": 1, "then": inside });
    ops.push(op!("CALL", call));
    ops
}

fn layer(wish: Wish, random: &mut Generator) -> [Value; 3] {
    let name = random.token(4);
    let failing = u32::from(wish.fails);
    let (kind, argument) =
        match random.weighted(&[20, 8 * failing, 12, 14 * failing, 15, 8 * failing, 15, 10]) {
            Some(0) => ("log", Value::Null),
            Some(1) => ("auth", json!("sesame")),
            Some(2) => ("cache", Value::Null),
            Some(3) => ("retry", json!(random.number(1..4))),
            Some(4) => ("header", json!(random.token(5))),
            Some(5) => ("catch", Value::Null),
            Some(6) => ("count", Value::Null),
            _ => ("service", json!(["clock", "store"][usize::from(random.number(0..2) == 1)])),
        };
    [json!(name), json!(kind), argument]
}

/// A request, and the one that its handler makes.
fn request(wish: Wish, paths: &[String], deepest: u64, random: &mut Generator) -> Value {
    let path = random.sample(paths, 1).concat();
    let token = if wish.fails && random.number(0..3) == 0 { "wrong" } else { "sesame" };
    let mut request = json!({ "path": path, "token": token });
    if wish.fails && random.number(0..2) == 0 {
        request["fail"] = json!(random.number(1..6));
    }
    if wish.adds && random.number(0..8) == 0 {
        request["add"] = json!(layer(wish, random));
    }
    if wish.nests && deepest > 0 && (deepest > 4 || random.number(0..2) == 0) {
        request["then"] = self::request(wish, paths, deepest - 1, random);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Model;

    #[test]
    fn a_call_always_counts_otherwise_than_the_one_inside_it() {
        let count = |answer: &Value| {
            let headers = answer.pointer("/response/headers")?.as_object()?;
            headers.iter().find(|(name, _)| name.starts_with("count-")).map(|(_, number)| number.clone())
        };
        for seed in 0..50 {
            let mut random = Generator::new(seed);
            let mut chain = Chain::default();
            let ops = recounted(&mut random);
            for op in &ops[..ops.len() - 1] {
                // The answer is not what is asked for here.
                let _ = chain.judge(op, &Ok(Value::Null));
            }
            let told = chain.call(ops.last().unwrap().args[0].clone());
            assert_eq!(
                (count(&told), count(&told["inner"])),
                (Some(json!(2)), Some(json!(1))),
                "{seed}: {told}"
            );
        }
    }
}
