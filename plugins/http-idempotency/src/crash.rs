//! The crash step of `key-protocol`: the service is killed in the middle of the operation and started again, and the
//! operation is retried with its key. Whatever the moment, the effect must be there exactly once.
//!
//! **When to kill.** A service that commits key and effect apart is wrong only between the two commits. So the first
//! kill comes early (50 ms), the second late in the operation, and each further one halves the time between the latest
//! kill that found no effect and the earliest that found one. Where the key is committed apart, its commit lies beside
//! that of the effect, and the kills close in on it from both sides. With six kills, a gap of a tenth of the operation
//! is always hit if it lasts from the effect's commit on, or up to it; a shorter one as often as the clock's jitter has it.
//!
//! **What is asked.** That a kill hit the operation is told by its request, whose connection is held open and which got
//! no answer. What is judged does not depend on it: the effect may be there before the retry or not, it must be there
//! once after it. A retry may be told to wait for a while, for locks end by themselves.
//!
//! **What is not.** A service none of whose rows survive the restart keeps nothing on disk, or empties it when it starts:
//! nothing can be said of its keys, and nothing is. If some of them survive and some do not, what was answered as done
//! was not, and that fails in words of its own.

use std::fmt;
use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::process::{Child, Signal, without};
use mustdo_plugin::service::{Probe, Values, excerpt, line_of, refused};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Failure, Fault, Generator, Report, Text};

use crate::double_submit::long_enough;
use crate::key_protocol::{ADVICE, KeyProtocol, problem};
use crate::operation::{Operation, Pace, Submitted, is_accepted};

/// How long the service has for starting again.
const START: Duration = Duration::from_secs(30);

/// When the service is killed first.
const EARLY: Duration = Duration::from_millis(50);

/// How long a retry is put off by a service that declares no lease, before it cannot be told.
const UNDECLARED_LEASE: Duration = Duration::from_secs(10);

/// Beyond a declared lease: a service looks at its clock now and then, not always.
const LEASE_SLACK: Duration = Duration::from_secs(2);

/// Between two retries.
const PAUSE: Duration = Duration::from_millis(250);

/// How far two runs of the same operation are apart at least.
const JITTER: Duration = Duration::from_millis(6);

/// What one trial takes at most, beside the operation and the start, as far as it is known before the first.
const TRIAL: Duration = Duration::from_secs(4);

/// Answers that tell a retry to come again: in use (draft, 2.6), too early (RFC 8470), not ready.
const COME_AGAIN: [u16; 4] = [409, 425, 502, 503];

/// What is done, as a noun.
fn what() -> Text {
    Text::new("killing and restarting the service", "杀掉并重启服务")
}

impl KeyProtocol {
    /// Records the step `crash-restart`.
    pub(crate) fn judge_crashes(
        &self,
        probe: &mut Probe,
        report: &mut Report,
        operation: &Operation,
        first: &Submitted,
        pace: Pace,
    ) {
        let mut trials = Vec::new();
        let outcome = self.crash(probe, operation, first, pace, &mut trials);
        let cut_off = trials.iter().filter(|trial| trial.is_cut_off).count();
        if !trials.is_empty() {
            report.measure("crashes", count(trials.len()), "1");
            report.measure("crashes-during-the-operation", count(cut_off), "1");
            let lines: Vec<_> = trials.iter().map(ToString::to_string).collect();
            report.evidence("crashes", lines.join("\n"));
        }
        report.judge("crash-restart", Need::Must, outcome, |()| {
            let all = trials.len();
            let early = trials.iter().filter(|trial| !trial.had_effect).count();
            Text::new(
                format!(
                    "killed {all} times, {cut_off} of them during the operation ({early} before its effect, {} after), and retried: one effect each time",
                    all - early
                ),
                format!(
                    "杀掉 {all} 次，其中 {cut_off} 次操作还没完成（{early} 次在产生效果之前，{} 次在之后），重试后每次都恰好一次",
                    all - early
                ),
            )
        });
    }

    fn crash(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        first: &Submitted,
        pace: Pace,
        trials: &mut Vec<Trial>,
    ) -> Result<(), Fault> {
        if self.crashes == 0 {
            return Err(Fault::skip(Text::new("left out: `crashes` is 0", "已用 crashes = 0 省略")));
        }
        let before = operation.counter.before(probe)?;
        // Also the question whether it may be done at all: nothing is killed before this has worked once.
        let mut child = probe.restart(START).map_err(|failure| without(&what(), &failure))?;
        let survival = Survival { base: first.count.saturating_sub(1) };
        survival.expect(operation, before, operation.counter.settled(probe)?)?;
        self.replay(probe, operation, first).map_err(after_a_restart)?;
        long_enough(pace.quickest, self.slow_ms)?;

        let mut moments = Moments::new(pace.quickest);
        let mut longest = TRIAL;
        for round in 1..=self.crashes {
            if !probe.has_time(longest) {
                return Err(unfinished(trials.len(), self.crashes));
            }
            probe.progress(0.7, &format!("crash {round} of {}", self.crashes));
            let began = probe.clock();
            let moment = moments.next(probe.generator());
            let (trial, next) = self.trial(probe, operation, survival, &child, moment)?;
            moments.learn(trial);
            trials.push(trial);
            child = next;
            longest = longest.max(probe.clock().saturating_sub(began) * 3 / 2);
        }
        if trials.iter().any(|trial| trial.is_cut_off) {
            return Ok(());
        }
        Err(Fault::inconclusive(Text::new(
            "the operation was answered before each kill, so no crash hit it; run again when the machine is less busy",
            "每次杀掉之前操作都已得到回应，没有一次打断它；请在机器空闲时再试",
        )))
    }

    /// Sends the operation, kills the service after `moment`, starts it again and retries.
    fn trial<'host>(
        &self,
        probe: &mut Probe<'_, 'host>,
        operation: &Operation,
        survival: Survival,
        child: &Child<'_>,
        moment: Duration,
    ) -> Result<(Trial, Child<'host>), Fault> {
        let before = operation.counter.before(probe)?;
        let request = operation.request(&Values::fresh(probe.generator()));
        let (answer, held) = probe.send_and_hold(request.clone(), moment)?;
        // At once: what was answered is looked at afterwards.
        let killed = child.signal(Signal::Kill);
        let answered = match answer {
            Ok(response) if is_accepted(&response) => Some(response),
            Ok(response) => return Err(refused(&request, &response, ADVICE)),
            Err(Failure::TimedOut) => None,
            Err(failure) => return Err(failure.into()),
        };
        killed.map_err(|failure| without(&what(), &failure))?;
        let next = probe.restart(START).map_err(|failure| not_back(&failure))?;
        drop(held);

        let crash = Crash { request, moment, before };
        let between = operation.counter.settled(probe)?;
        if between > before + 1 {
            return Err(crash.doubled(between));
        }
        survival.expect(operation, before + u64::from(answered.is_some()), between)?;
        let retried = self.retry(probe, &crash)?;
        let after = operation.counter.settled(probe)?;
        crash.judge(probe, operation, &retried, after)?;
        let trial = Trial {
            moment,
            is_cut_off: answered.is_none(),
            had_effect: between > before,
            status: retried.status,
        };
        // From now on it must be known as if nothing had happened: by the answer that was given first, if one was.
        let known = answered.unwrap_or(retried);
        let done = Submitted { request: crash.request, response: known, count: after };
        self.replay(probe, operation, &done).map_err(after_a_restart)?;
        Ok((trial, next))
    }

    /// Sends the request again until the service decides.
    fn retry(&self, probe: &mut Probe, crash: &Crash) -> Result<Response, Fault> {
        let lease = Duration::from_secs(self.lease_s.into());
        let patience = if lease.is_zero() { UNDECLARED_LEASE } else { lease + LEASE_SLACK };
        let began = probe.clock();
        loop {
            let response = probe.send(crash.request.clone())?;
            if !COME_AGAIN.contains(&response.status) {
                return Ok(response);
            }
            let waited = probe.clock().saturating_sub(began);
            if waited >= patience || !probe.has_time(PAUSE * 4) {
                return Err(crash.locked(&response, waited, waited >= patience && !lease.is_zero()));
            }
            probe.sleep(PAUSE);
        }
    }
}

/// What came of one kill.
#[derive(Debug, Clone, Copy)]
struct Trial {
    moment: Duration,
    /// The request got no answer.
    is_cut_off: bool,
    /// The effect was there when the service was back, before the retry.
    had_effect: bool,
    /// What the retry was answered.
    status: u16,
}

impl fmt::Display for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = if self.is_cut_off { "no answer" } else { "answered before" };
        let effect = if self.had_effect { "the effect was there" } else { "no effect yet" };
        let (millis, status) = (self.moment.as_millis(), self.status);
        write!(
            formatter,
            "killed after {millis} ms: {answer}, {effect}; the retry got {status}, one effect in all"
        )
    }
}

/// When to kill next: closes in on the moment at which the effect is committed.
#[derive(Debug)]
struct Moments {
    /// How long the operation takes.
    whole: Duration,
    /// The latest at which there was no effect yet.
    low: Duration,
    /// The earliest at which there was one.
    high: Duration,
    taken: u32,
}

impl Moments {
    fn new(whole: Duration) -> Self {
        Self { whole, low: Duration::ZERO, high: whole, taken: 0 }
    }

    fn next(&mut self, generator: &mut Generator) -> Duration {
        self.taken += 1;
        let mut between = |low: Duration, high: Duration| {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            Duration::from_micros(generator.number(micros(low)..micros(high)))
        };
        match self.taken {
            1 => EARLY.min(self.whole / 4),
            2 => between(self.whole * 3 / 4, self.whole * 19 / 20),
            _ => {
                // No two runs take equally long: the ends may have crossed.
                let low = self.low.min(self.high);
                let span = self.low.abs_diff(self.high).max(JITTER);
                between(low + span / 4, low + span * 3 / 4)
            }
        }
    }

    fn learn(&mut self, trial: Trial) {
        if trial.had_effect {
            self.high = self.high.min(trial.moment);
        } else {
            self.low = self.low.max(trial.moment);
        }
    }
}

/// What of the rows must be there after a restart.
#[derive(Debug, Clone, Copy)]
struct Survival {
    /// How many rows there were before this run added any.
    base: u64,
}

impl Survival {
    /// Passes when at least `promised` rows were `found`.
    fn expect(self, operation: &Operation, promised: u64, found: u64) -> Result<(), Fault> {
        if found >= promised {
            return Ok(());
        }
        let line = operation.counter.line();
        if found <= self.base {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "nothing that was stored is in {line} after a restart, so nothing can be said of the keys: keep the rows in a database, and start the service without emptying it"
                ),
                format!(
                    "重启之后 {line} 里什么都没有留下，无从判断键的处理：请把数据放进数据库，启动时也不要清空"
                ),
            )));
        }
        let lost = promised - found;
        Err(Fault::fail(Text::new(
            format!("{lost} of the rows that were answered as done are not in {line} after a crash"),
            format!("崩溃之后，{line} 里少了 {lost} 行已经返回成功的数据"),
        ))
        .with(lost_rows(operation, promised, found)))
    }
}

/// One kill, for the words about it.
struct Crash {
    request: Request,
    moment: Duration,
    before: u64,
}

impl Crash {
    /// Passes when the retry was told that the operation is done and it was done once.
    fn judge(
        &self,
        probe: &mut Probe,
        operation: &Operation,
        retried: &Response,
        after: u64,
    ) -> Result<(), Fault> {
        let status = retried.status;
        match (after.saturating_sub(self.before), is_accepted(retried)) {
            (2.., _) => Err(self.doubled(after)),
            (1, true) => Ok(()),
            (_, true) => {
                // A view that is full shows no row either.
                operation.still_counts(probe)?;
                let summary = Text::new(
                    format!(
                        "an operation was cut off by a crash; its retry was answered {status} as done, but nothing is stored"
                    ),
                    format!("操作被崩溃打断；重试返回 {status} 表示成功，却没有存下任何数据"),
                );
                Err(self.fault("crash-lost", summary, retried, after))
            }
            // A restart may have ended the session, or a limit may be reached.
            (_, false) if matches!(status, 400 | 401 | 403 | 404 | 429) => {
                Err(refused(&self.request, retried, ADVICE))
            }
            (_, false) => {
                let summary = Text::new(
                    format!(
                        "an operation was cut off by a crash, and its retry was answered {status}: it can never be finished"
                    ),
                    format!("操作被崩溃打断，重试返回 {status}：它永远无法完成"),
                );
                Err(self.fault("crash-refused", summary, retried, after))
            }
        }
    }

    fn doubled(&self, after: u64) -> Fault {
        let times = after - self.before;
        let summary = Text::new(
            format!("an operation that was cut off by a crash and retried was carried out {times} times"),
            format!("操作被崩溃打断后重试，共执行了 {times} 次"),
        );
        let message = self.message("", after);
        problem(&self.request, "crash-doubled", summary, message, hint())
    }

    fn locked(&self, response: &Response, waited: Duration, is_declared: bool) -> Fault {
        let (status, seconds) = (response.status, waited.as_secs());
        let summary = Text::new(
            format!(
                "a key whose operation was cut off by a crash is still answered {status} after {seconds} s"
            ),
            format!("操作被崩溃打断后，它的键过了 {seconds} 秒仍然返回 {status}"),
        );
        if is_declared {
            return self.fault("crash-locked", summary, response, self.before);
        }
        let Text { en, zh } = summary;
        Fault::inconclusive(Text::new(
            format!(
                "{en}: free the keys of a process that is gone, or, where a lock ends by itself, name its length as `lease_s`"
            ),
            format!("{zh}：请释放已经消失的进程占着的键；如果锁会自行到期，请用 lease_s 写明时长"),
        ))
    }

    fn fault(&self, code: &str, summary: Text, retried: &Response, after: u64) -> Fault {
        let message = self.message(&excerpt(&retried.body), after);
        problem(&self.request, code, summary, message, hint())
    }

    fn message(&self, answer: &str, after: u64) -> Text {
        let (line, millis, before) = (line_of(&self.request), self.moment.as_millis(), self.before);
        let (answer_en, answer_zh) = if answer.is_empty() {
            (String::new(), String::new())
        } else {
            (format!(" and got: {answer}"), format!("，得到：{answer}"))
        };
        let expected = before + 1;
        Text::new(
            format!(
                "sent {line}, killed the service after {millis} ms, started it again and sent the same with the same key{answer_en}. There were {before} rows before and {after} after, where {expected} would be right"
            ),
            format!(
                "发送 {line}，{millis} 毫秒后杀掉服务，重启后用同一个键再发一次{answer_zh}。之前有 {before} 行，之后 {after} 行，应为 {expected} 行"
            ),
        )
    }
}

fn hint() -> Text {
    Text::new(
        "commit the effect and the key with its answer in one transaction, and free at start-up what was only begun",
        "把业务写入、键和回应放在同一个事务里提交；启动时释放那些只开了头的键",
    )
}

fn lost_rows(operation: &Operation, promised: u64, found: u64) -> Finding {
    let line = operation.counter.line();
    let message = Text::new(
        format!(
            "{promised} rows were answered as done before the service was killed; {line} counts {found} now. Whoever was told that theirs is done believes it still"
        ),
        format!(
            "服务被杀掉之前，有 {promised} 行返回了成功；现在 {line} 数到 {found}。得到成功回应的人还以为事情办成了"
        ),
    );
    let hint = Text::new("answer only after the commit, and commit to the disk", "提交到磁盘之后再回应");
    Finding::new(Severity::Problem, "http-idempotency.crash-lost-rows", message).hint(hint)
}

fn after_a_restart(fault: Fault) -> Fault {
    let Text { en, zh } = fault.summary().clone();
    fault.headed(Text::new(
        format!("after the service was killed and started again: {en}"),
        format!("服务被杀掉并重启之后：{zh}"),
    ))
}

fn not_back(failure: &Failure) -> Fault {
    let Text { en, zh } = failure.explain();
    Fault::inconclusive(Text::new(
        format!("the service did not start again after it was killed in the middle of an operation: {en}"),
        format!("服务在操作进行中被杀掉之后，没有再启动起来：{zh}"),
    ))
}

fn unfinished(done: usize, planned: u32) -> Fault {
    Fault::inconclusive(Text::new(
        format!(
            "there was time for {done} of {planned} crashes only; allow more with `--timeout`, or ask for fewer with `crashes`"
        ),
        format!("时间只够崩溃 {done} 次（计划 {planned} 次）；请用 --timeout 延长，或用 crashes 减少次数"),
    ))
}

fn count(length: usize) -> f64 {
    f64::from(u32::try_from(length).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments against an operation whose effect is committed at `commit` of 300 ms.
    fn moments(commit: Duration, seed: u64) -> Vec<Duration> {
        let mut generator = Generator::new(seed);
        let mut moments = Moments::new(Duration::from_millis(300));
        let mut taken = Vec::new();
        for _ in 0..6 {
            let moment = moments.next(&mut generator);
            let had_effect = moment >= commit;
            moments.learn(Trial { moment, is_cut_off: true, had_effect, status: 201 });
            taken.push(moment);
        }
        taken
    }

    #[test]
    fn kills_close_in_on_the_commit_from_both_sides() {
        let tenth = Duration::from_millis(30);
        for seed in 0..200 {
            for commit in [100, 150, 200, 250].map(Duration::from_millis) {
                let taken = moments(commit, seed);
                assert_eq!(taken[0], EARLY);
                let before = |moment: &&Duration| **moment < commit && **moment + tenth >= commit;
                let after = |moment: &&Duration| **moment >= commit && **moment < commit + tenth;
                let (before, after) =
                    (taken.iter().filter(before).count(), taken.iter().filter(after).count());
                assert!(before + after > 0, "{commit:?} with seed {seed}: {taken:?}");
            }
        }
    }

    #[test]
    fn a_kill_follows_though_the_ends_have_crossed() {
        let mut moments = Moments {
            low: Duration::from_millis(40),
            high: Duration::from_millis(39),
            ..Moments::new(Duration::from_millis(80))
        };
        moments.taken = 2;
        let moment = moments.next(&mut Generator::new(1));
        assert!((39..=45).contains(&moment.as_millis()), "{moment:?}");
    }
}
