//! What calls leave behind and what they cost: counts of references, memory, processor time.

use std::time::Duration;

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::serde_json::{Value, json};
use mustdo_plugin::{Fault, Report, Text};

use super::Exam;
use crate::encoded::same;
use crate::session::Session;
use crate::trouble::{Trouble, wrong};

/// Calls over which counts of references must stay.
const REFERENCE_CALLS: u32 = 20_000;

/// Batches over which memory must stay, the first of which warm up, and the calls of each.
const BATCHES: usize = 8;
const WARM: usize = 3;
const BATCH_CALLS: u32 = 20_000;

/// Bytes a call from which memory leaks: the smallest object of Python's has 16, and one is never lost in part.
const LEAK: f64 = 8.0;

/// Most rounds of a race, and the shortest time that is taken for one.
const ROUNDS: usize = 3;
const SHORTEST: Duration = Duration::from_millis(200);

/// What the system counts processor time in.
const TICK: Duration = Duration::from_millis(10);

impl<'host> Exam<'_, 'host> {
    /// Over how many calls the counts of references stay.
    pub(super) fn references(&self, folder: &Workspace<'host>) -> Result<u32, Fault> {
        for (size, is_wrong) in [(1, false), (16, false), (16, true)] {
            let mut session = self.extension(folder)?;
            let seed = format!("{}-references", self.seed);
            let arguments = json!({ "kinds": self.check.arguments, "seed": seed, "size": size, "calls": REFERENCE_CALLS, "is_wrong": is_wrong });
            let answer = ask(&mut session, "references", &arguments)?;
            let failed = answer.get("failed").and_then(Value::as_u64);
            self.expect_failures(failed, is_wrong, REFERENCE_CALLS)?;
            let changes = answer.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
            let change = |item: &Value| Some((item.get(0)?.as_str()?.to_owned(), item.get(1)?.as_i64()?));
            let changes: Vec<_> = changes.iter().filter_map(change).collect();
            if changes.is_empty() {
                return Err(Trouble::Foreign(answer.to_string()).fault());
            }
            let moved = changes.iter().find(|(_, by)| by.unsigned_abs() > u64::from(REFERENCE_CALLS / 10));
            if let Some((what, by)) = moved {
                return Err(moving(what, *by, is_wrong));
            }
        }
        Ok(3 * REFERENCE_CALLS)
    }

    /// How many bytes a call leaves behind, on the path that leaves more.
    pub(super) fn memory(&self, folder: &Workspace<'host>, report: &mut Report) -> Result<f64, Fault> {
        let mut most = 0.0_f64;
        for is_wrong in [false, true] {
            let mut session = self.extension(folder)?;
            let mut resident = Vec::new();
            for _ in 0..BATCHES {
                let seed = format!("{}-memory", self.seed);
                let arguments = json!({ "kinds": self.check.arguments, "seed": seed, "calls": BATCH_CALLS, "is_wrong": is_wrong });
                let failed = ask(&mut session, "churn", &arguments)?.as_u64();
                self.expect_failures(failed, is_wrong, BATCH_CALLS)?;
                resident.push(session.resident().ok_or_else(untold)?);
            }
            let slope = slope(&resident);
            let name = if is_wrong { "bytes-per-failed-call" } else { "bytes-per-call" };
            report.measure(name, slope, "By");
            most = most.max(slope);
            if slope >= LEAK {
                return Err(leaking(slope, is_wrong, &resident));
            }
        }
        Ok(most)
    }

    /// How many times as fast it is.
    pub(super) fn speed(
        &self,
        folder: &Workspace<'host>,
        load: Load,
        report: &mut Report,
    ) -> Result<f64, Fault> {
        let wanted = f64::from(self.check.speedup);
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            self.context.progress(None, "speed");
            let seed = format!("{}-speed-{round}", self.seed);
            let (slow, expected) = self.race(&mut self.model(folder)?, &seed, load)?;
            let (fast, own) = self.race(&mut self.extension(folder)?, &seed, load)?;
            if own.len() != expected.len()
                || !own.iter().zip(&expected).all(|(own, expected)| same(own, expected))
            {
                return Err(wrong(
                    "c-extension.large",
                    Text::new("on large inputs its answers differ", "输入很大时结果不一样"),
                    Text::new(
                        format!(
                            "{} inputs of {} items each, changed a little from call to call: the answers are not those of the Python function",
                            load.count, load.size
                        ),
                        format!(
                            "{} 个输入、每个 {} 项，每次调用稍有改动：结果与 Python 函数不同",
                            load.count, load.size
                        ),
                    ),
                    Text::new(
                        "does it keep answers by the identity of a list, or count in a type that is too small?",
                        "是不是按列表的身份缓存了结果，或者用了太小的类型计数？",
                    ),
                ));
            }
            // What is less than a tick counts as one: the ratio is never too good.
            let times = slow.as_secs_f64() / (fast + TICK).as_secs_f64();
            ratios.push(times);
            // What is clear needs no more rounds.
            if times >= 1.5 * wanted || times <= 0.5 * wanted {
                break;
            }
        }
        ratios.sort_by(f64::total_cmp);
        let times = ratios[ratios.len() / 2];
        let rounds = u32::try_from(ratios.len()).unwrap_or(0);
        report.measure_many("speedup", times, "1", rounds, "p50");
        if times >= wanted {
            return Ok(times);
        }
        let best = ratios[ratios.len() - 1];
        if best >= wanted {
            return Err(Fault::inconclusive(Text::new(
                format!("between {:.1} and {:.1} times as fast: too uneven to tell", ratios[0], best),
                format!("快 {:.1} 到 {:.1} 倍：起伏太大，看不出来", ratios[0], best),
            )));
        }
        let summary = Text::new(
            format!("{times:.1} times as fast as Python, not {wanted}"),
            format!("只比 Python 快 {times:.1} 倍，不到 {wanted} 倍"),
        );
        let message = Text::new(
            format!(
                "processor time of {} calls on {} items each, {rounds} rounds: {times:.1} times as fast in the middle",
                load.count * load.turns,
                load.size
            ),
            format!(
                "{} 次调用、每次 {} 项、{rounds} 轮的处理器时间：中间值快 {times:.1} 倍",
                load.count * load.turns,
                load.size
            ),
        );
        let hint = Text::new(
            "does it call Python for each item, or copy the input? Work on C values inside the loop",
            "是不是每一项都回到 Python，或者复制了输入？循环里只处理 C 的值",
        );
        Err(wrong("c-extension.slow", summary, message, hint))
    }

    /// How much there has to be to do until the Python function takes long enough to be measured.
    pub(super) fn load(&self, folder: &Workspace<'host>) -> Result<Load, Fault> {
        let shortest = SHORTEST.max(TICK * 6 * self.check.speedup);
        let mut session = self.model(folder)?;
        let mut load = Load { size: 64, count: 4, turns: 1 };
        let seed = format!("{}-load", self.seed);
        loop {
            let (time, _) = self.race(&mut session, &seed, load)?;
            if time >= shortest {
                return Ok(load);
            }
            // Longer inputs first: what grows faster than its input gets there soon.
            if load.size < 4_096 {
                load.size *= 2;
            } else if load.turns < 1 << 14 {
                load.turns *= if time < shortest / 8 { 4 } else { 2 };
            } else {
                return Err(Fault::inconclusive(Text::new(
                    "the Python function is too quick to compare with; let it do more work",
                    "Python 函数太快，没法比较；让它多做点事",
                )));
            }
        }
    }

    /// The processor time of one race, and what came out.
    fn race(
        &self,
        session: &mut Session<'_, 'host>,
        seed: &str,
        load: Load,
    ) -> Result<(Duration, Vec<Value>), Fault> {
        let Load { size, count, turns } = load;
        let arguments = json!({ "kinds": self.check.arguments, "seed": seed, "size": size, "count": count });
        ask(session, "prepare", &arguments)?;
        let before = session.processor_time().ok_or_else(untold)?;
        ask(session, "race", &json!({ "turns": turns }))?;
        let after = session.processor_time().ok_or_else(untold)?;
        let results = ask(session, "results", &json!({}))?;
        let results = results.as_array().cloned().unwrap_or_default();
        if results.len() != count as usize * turns as usize {
            return Err(Trouble::Foreign("answers of another number".to_owned()).fault());
        }
        Ok((after.saturating_sub(before), results))
    }

    /// A step about failed calls needs calls that fail, and one about others calls that do not.
    fn expect_failures(&self, failed: Option<u64>, is_wrong: bool, calls: u32) -> Result<(), Fault> {
        let expected = if is_wrong { u64::from(calls) } else { 0 };
        match failed {
            Some(failed) if failed == expected => Ok(()),
            Some(0) => Err(Fault::inconclusive(Text::new(
                format!(
                    "{} takes an object where it should not: its way through an error can not be seen",
                    self.check.function
                ),
                format!("{} 接受了不该接受的对象：看不到它出错的路径", self.check.function),
            ))),
            Some(failed) => Err(Fault::inconclusive(Text::new(
                format!("{failed} of {calls} calls failed on an ordinary input"),
                format!("普通输入的 {calls} 次调用里有 {failed} 次失败"),
            ))),
            None => Err(Trouble::Foreign("no count".to_owned()).fault()),
        }
    }
}

/// How much a race has to do: inputs of a size, gone through so many times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) size: u32,
    count: u32,
    turns: u32,
}

fn ask(session: &mut Session<'_, '_>, operation: &str, arguments: &Value) -> Result<Value, Fault> {
    session.value(operation, arguments).map_err(|trouble| trouble.fault())
}

fn untold() -> Fault {
    Fault::inconclusive(Text::new(
        "this system does not tell what a process uses; Linux does",
        "这个系统不告诉进程用了多少资源；请在 Linux 上检查",
    ))
}

/// Bytes a call, from the smallest after warming up to the last.
#[expect(clippy::cast_precision_loss, reason = "neither bytes nor calls come near 2^52")]
fn slope(resident: &[u64]) -> f64 {
    let warm = resident.len().min(WARM) - 1;
    let more = resident.last().copied().unwrap_or_default().saturating_sub(resident[warm]);
    let calls = (resident.len() - warm - 1) as f64 * f64::from(BATCH_CALLS);
    more as f64 / calls
}

fn moving(what: &str, by: i64, is_wrong: bool) -> Fault {
    let (en, zh) = if is_wrong { ("failed calls", "出错的调用") } else { ("calls", "调用") };
    let summary = Text::new(
        format!("{REFERENCE_CALLS} {en} change the references of {what} by {by:+}"),
        format!("{REFERENCE_CALLS} 次{zh}使 {what} 的引用计数变化 {by:+}"),
    );
    let hint = if by > 0 {
        Text::new(
            "a reference that you took is never given back: each Py_INCREF, and each call that returns a new reference, needs a Py_DECREF on every way out",
            "有引用拿了没还：每个 Py_INCREF、每个返回新引用的调用，在每条返回路径上都要有 Py_DECREF",
        )
    } else {
        Text::new(
            "a reference that is not yours is given back: what PyList_GetItem and its like return is borrowed, and what you return must be yours (Py_INCREF it)",
            "还掉了不属于你的引用：PyList_GetItem 之类返回的是借用的，要返回它得先 Py_INCREF",
        )
    };
    wrong("c-extension.references", summary.clone(), summary, hint)
}

fn leaking(slope: f64, is_wrong: bool, resident: &[u64]) -> Fault {
    let (en, zh) = if is_wrong { ("failed call", "出错的调用") } else { ("call", "调用") };
    let kib: Vec<_> = resident.iter().map(|bytes| (bytes >> 10).to_string()).collect();
    wrong(
        "c-extension.leak",
        Text::new(
            format!("each {en} leaves {slope:.0} bytes behind"),
            format!("每次{zh}留下 {slope:.0} 字节"),
        ),
        Text::new(
            format!("KiB in use after each {BATCH_CALLS} calls: {}", kib.join(" ")),
            format!("每 {BATCH_CALLS} 次调用之后占用的 KiB：{}", kib.join(" ")),
        ),
        Text::new(
            "every object that you make needs a Py_DECREF, and every malloc a free, on each way out",
            "你创建的每个对象在每条返回路径上都要 Py_DECREF，每个 malloc 都要 free",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_looked_at_once_it_is_warm() {
        let warm = [10 << 20, 14 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20, 15 << 20];
        assert!(slope(&warm) < 0.1);
        let step = u64::from(BATCH_CALLS) * 32;
        let leaking: Vec<u64> = (0..8).map(|batch| (10 << 20) + batch * step).collect();
        assert!((slope(&leaking) - 32.0).abs() < 0.1);
    }

    #[test]
    fn giving_back_what_is_not_ones_own_has_words_of_its_own() {
        let (more, less) = (moving("None", 20_000, false), moving("None", -20_000, true));
        assert_ne!(more.summary(), less.summary());
    }
}
