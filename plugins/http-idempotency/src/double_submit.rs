//! `double-submit`: when the user refreshes during a long operation, is the operation done once?

use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe, Values, excerpt, identity, line_of, place_of};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::operation::{Operation, Pace, Race, is_accepted};
use crate::submission::{self, submission};

const ADVICE: Advice = Advice {
    item: "idempotence.refresh-retry",
    with: "op = { method = \"POST\", path = \"/orders\", body = { sku = \"{token}\", quantity = \"{number}\" } }\nobserve = \"GET /orders\"",
};

/// Rounds, each with a fresh key; every other one sends all copies at the same instant.
const ROUNDS: u32 = 4;

/// Between the copies of the other rounds.
const STAGGER: Duration = Duration::from_millis(1);

submission! {
    /// The slow operation and how its effect is counted.
    pub struct DoubleSubmit {}
}

impl Check for DoubleSubmit {
    const ID: &'static str = "double-submit";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Submitting twice acts once", "重复提交只执行一次"),
            description: Text::new(
                "Submits different things and sees each counted; then sends one submission many times while it is still running, and again when it is done. Passes when each round adds exactly one row, whoever asks gets the same one, and nobody meets an error. The rows stay: use a test database.",
                "先提交不同的内容，确认每一次都被数到；再在操作还没完成时把同一次提交发很多遍，完成后再发一遍。每一轮只多一行、大家得到同一个结果、没有人遇到错误，才算通过。产生的数据会留下，请用测试库。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(6),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "one submission was carried out once, however often it was sent",
            "同一次提交无论发多少遍，都只执行一次",
        );
        submission::run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl DoubleSubmit {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let operation = self.operation();
        let (_, _, pace) = submission::begin(probe, report, &operation)?;
        let quickest = pace.quickest;
        report.measure("quickest-submission", quickest.as_secs_f64() * 1_000.0, "ms");
        report.judge("long-enough", Need::Must, long_enough(quickest, self.slow_ms), |()| {
            let millis = quickest.as_millis();
            Text::new(format!("the operation takes {millis} ms"), format!("操作耗时 {millis} 毫秒"))
        })?;

        let outcome = self.rounds(probe, &operation, pace);
        let rounds = report.judge("once-while-running", Need::Must, outcome, |rounds| {
            let seen = rounds.iter().map(|(race, _)| race.statuses()).collect::<Vec<_>>().join("; ");
            Text::new(format!("each round added one row ({seen})"), format!("每一轮只多一行（{seen}）"))
        })?;
        let outcome = again(probe, &operation, &rounds);
        report.judge("once-when-done", Need::Must, outcome, |()| {
            Text::new("sending it again later added nothing", "完成之后再发，没有多出数据")
        })?;
        let outcome = operation.still_counts(probe);
        report.judge("control-after", Need::Must, outcome, |()| {
            Text::new("another submission is still counted", "再次提交依然数得到")
        });
        let outcome = rounds.iter().try_for_each(|(race, _)| race.duplicates_understood());
        report.judge("duplicate-answer", Need::Should, outcome, |()| {
            Text::new("duplicates got the result or a conflict", "重复提交得到结果或冲突提示")
        });
        Some(())
    }

    fn rounds(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        pace: Pace,
    ) -> Result<Vec<(Race, Values)>, Fault> {
        let mut rounds = Vec::new();
        for (round, part) in (0..ROUNDS).zip([0.3, 0.45, 0.6, 0.75]) {
            probe.progress(part, &format!("round {}", round + 1));
            let values = Values::fresh(probe.generator());
            let stagger = if round % 2 == 0 { STAGGER } else { Duration::ZERO };
            let race = operation.race(probe, &values, self.n, stagger)?;
            operation.happened_once(probe, &race)?;
            pace.expect_concurrent()?;
            expect_overlap(&race, self.slow_ms)?;
            rounds.push((race, values));
        }
        Ok(rounds)
    }
}

/// Sends each submission once more, when its work is long done.
fn again(probe: &mut Probe, operation: &Operation, rounds: &[(Race, Values)]) -> Result<(), Fault> {
    for (race, values) in rounds {
        let before = operation.counter.before(probe)?;
        let request = operation.request(values);
        let response = probe.send(request.clone())?;
        let after = operation.counter.settled(probe)?;
        let line = line_of(&request);
        let other = is_accepted(&response)
            && identity(&response).zip(race.resource()).is_some_and(|(now, then)| now != then);
        if after == before && response.status < 500 && !other {
            continue;
        }
        let status = response.status;
        let summary = if after != before {
            Text::new(
                "a submission that was already done was carried out again when it was sent again",
                "已经完成的提交，再发一次又执行了一遍",
            )
        } else if status >= 500 {
            Text::new(
                format!("a submission that was already done met an error ({status}) when it was sent again"),
                format!("已经完成的提交，再发一次就出错了（{status}）"),
            )
        } else {
            Text::new(
                "a submission that was already done was told of another resource when it was sent again",
                "已经完成的提交，再发一次得到的是另一个资源",
            )
        };
        let body = excerpt(&response.body);
        let message = Text::new(
            format!(
                "waited until {line} was done, sent it once more with its key and got {status} with: {body}; there were {before} rows before and {after} after. So it goes when a user refreshes the page"
            ),
            format!(
                "等 {line} 完成后，用原来的键再发一次，返回 {status}，内容：{body}；之前有 {before} 行，之后 {after} 行。用户刷新页面就是这样"
            ),
        );
        let hint = Text::new(
            "keep the key after the work is done, with the reply, and answer a repetition with that reply",
            "执行完成后保留这个键和它的结果，重复时返回同样的结果",
        );
        let finding = Finding::new(Severity::Problem, "http-idempotency.done-again", message);
        return Err(Fault::fail(summary).with(finding.at(place_of(&request)).hint(hint)));
    }
    Ok(())
}

/// A race against an operation that is over at once proves nothing.
pub(crate) fn long_enough(quickest: Duration, slow_ms: u32) -> Result<(), Fault> {
    let least = least(slow_ms);
    if quickest >= least {
        return Ok(());
    }
    let (took, least) = (quickest.as_millis(), least.as_millis());
    let summary = Text::new(
        format!(
            "the operation is over in {took} ms, too soon to be submitted again while it runs (needed: {least} ms)"
        ),
        format!("操作 {took} 毫秒就结束了，来不及在执行中重复提交（至少要 {least} 毫秒）"),
    );
    let message = Text::new(
        format!(
            "the quickest of several submissions took {took} ms; a duplicate that arrives after the end shows nothing about one that arrives during the work"
        ),
        format!("几次提交里最快的只用了 {took} 毫秒；结束之后才到的重复请求，说明不了执行中会怎样"),
    );
    let hint = Text::new(
        format!(
            "let the operation sleep for {} ms in the tested set-up, inside the work (say, behind an environment variable), or name its real length as `slow_ms`",
            u128::from(slow_ms)
        ),
        format!(
            "测试时让操作在处理过程中睡眠 {} 毫秒（比如用环境变量打开），或用 `slow_ms` 写明它真实的时长",
            u128::from(slow_ms)
        ),
    );
    let finding = Finding::new(Severity::Warning, "http-idempotency.too-quick", message).hint(hint);
    Err(Fault::inconclusive(summary).with(finding))
}

/// The shortest time that the work may take.
fn least(slow_ms: u32) -> Duration {
    Duration::from_millis(u64::from(slow_ms / 2))
}

/// Most copies must have been sent before the work was done.
pub(crate) fn expect_overlap(race: &Race, slow_ms: u32) -> Result<(), Fault> {
    if race.overlapped(least(slow_ms)) {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        "the copies did not run at the same time, so they did not race; run again when the machine is less busy",
        "这些副本没有同时执行，谈不上竞争；请在机器空闲时再试",
    )))
}
