//! What became of tasks whose calls fail: how often they called, what the worker said of them, and what follows.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};

use super::words::{End, Told};
use crate::celery::PROGRAM;
use crate::trouble::failed;

/// Attempts beyond which nobody believes in an end, where the worker tells of none.
pub(crate) const MOST: usize = 25;

/// How many times longer the later pauses must be.
const GROWTH: f64 = 1.5;

/// One task, and how it went.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempts {
    /// How many of its calls fail; none where all do.
    pub(crate) fails: Option<usize>,
    /// When the calls came.
    pub(crate) calls: Vec<Duration>,
    pub(crate) told: Told,
}

impl Attempts {
    /// Whether it was tried as often as it had to be, and not more. `most` is the number of retries that the worker tells
    /// of; none where there is no end.
    pub(crate) fn judge(&self, most: Option<usize>) -> Result<(), Fault> {
        let calls = self.calls.len();
        if self.told.received == 0 {
            return Err(unread());
        }
        if calls > 1 && self.told.pauses.is_empty() && self.told.received == 1 {
            return Err(in_place(calls));
        }
        if self.told.end.is_none() {
            return Err(self.endless(most));
        }
        if self.told.end == Some(End::Succeeded) && self.fails.is_none_or(|fails| calls <= fails) {
            return Err(swallowed(calls));
        }
        if calls > self.told.received {
            return Err(several_calls(calls, self.told.received));
        }
        match self.fails {
            Some(0) => Ok(()),
            _ if calls == 1 => Err(given_up(calls)),
            Some(fails) if self.told.end == Some(End::Raised) && calls <= fails => Err(given_up(calls)),
            Some(_) | None => Ok(()),
        }
    }

    /// Why it has not come to an end.
    fn endless(&self, most: Option<usize>) -> Fault {
        let calls = self.calls.len();
        if calls == 0 {
            return Fault::inconclusive(Text::new(
                "a task never made its call: another one held the worker all the time",
                "有一个任务一直没有发起调用：worker 被别的任务占住了",
            ));
        }
        if let Some(fails) = self.fails {
            return Fault::inconclusive(Text::new(
                format!(
                    "a task that succeeds after {fails} failures had not come to its end after {calls} attempts"
                ),
                format!("一个失败 {fails} 次之后会成功的任务，试了 {calls} 次还没有结束"),
            ));
        }
        let is_too_many = calls > most.map_or(MOST, |most| MOST.max(most + 2));
        if most.is_some() && !is_too_many {
            return Fault::inconclusive(Text::new(
                format!("a task that always fails had not come to its end after {calls} attempts"),
                format!("一个总是失败的任务在 {calls} 次尝试之后还没有结束"),
            ));
        }
        failed(
            PROGRAM,
            "no-end",
            Text::new(
                format!("a task that always fails was tried {calls} times, and there is no end of it"),
                format!("一个总是失败的任务试了 {calls} 次，还没有尽头"),
            ),
            Text::new(
                "set max_retries to a number: what fails for ever must be given up and looked at",
                "把 max_retries 设成一个数：一直失败的任务应该放弃，交给人看",
            ),
        )
    }

    /// Whether a pause that was announced was not kept: then what is announced tells nothing.
    fn is_early(&self) -> bool {
        self.calls.windows(2).zip(&self.told.pauses).any(|(pair, pause)| {
            let passed = pair[1].saturating_sub(pair[0]).as_secs_f64();
            pause.is_some_and(|pause| passed < pause / 2.0 - 0.5)
        })
    }
}

/// That retries wait, by what the worker announced. Gives the longest pause, in seconds.
pub(crate) fn paused(tasks: &[Attempts]) -> Result<f64, Fault> {
    let announced: Vec<Option<f64>> = tasks.iter().flat_map(|task| task.told.pauses.clone()).collect();
    let seconds: Vec<f64> = announced.iter().copied().flatten().collect();
    if seconds.is_empty() || seconds.len() < announced.len() {
        return Err(Fault::inconclusive(Text::new(
            "the worker does not say after how many seconds a task is tried again: retry with `countdown` or `retry_backoff`, and let it log as Celery does, at INFO",
            "worker 没有说隔多少秒重试：请用 `countdown` 或 `retry_backoff` 重试，并保留 Celery 自己的 INFO 日志",
        )));
    }
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    if longest <= 0.0 {
        return Err(failed(
            PROGRAM,
            "no-pause",
            Text::new(
                format!("each of {} retries was made at once, without a pause", seconds.len()),
                format!("{} 次重试都是立刻进行的，没有间隔", seconds.len()),
            ),
            Text::new(
                "retry_backoff=True, or self.retry(countdown=2 ** self.request.retries): whoever is down needs time, and not more calls",
                "retry_backoff=True，或者 self.retry(countdown=2 ** self.request.retries)：对方出故障时需要的是时间，而不是更多的调用",
            ),
        ));
    }
    if tasks.iter().any(Attempts::is_early) {
        return Err(Fault::inconclusive(Text::new(
            "the worker announced pauses, and called before they were over",
            "worker 说了重试的间隔，却没等到就调用了",
        )));
    }
    Ok(longest)
}

/// That later pauses are longer, by the longest of each place: a random part of a pause, as Celery's `retry_jitter` takes,
/// is of no account over several tasks.
pub(crate) fn grown(tasks: &[Attempts]) -> Result<(), Fault> {
    let longest = |place: usize| {
        let pauses = tasks.iter().filter_map(|task| task.told.pauses.get(place).copied().flatten());
        pauses.fold(0.0, f64::max)
    };
    let most = tasks.iter().map(|task| task.told.pauses.len()).max().unwrap_or_default();
    if most < 2 {
        return Err(Fault::skip(Text::new(
            "not looked at: a task is tried again only once",
            "没有看：任务只重试一次",
        )));
    }
    let (first, later) = (longest(0), (1..most).map(longest).fold(0.0, f64::max));
    if later > 0.0 && later >= first * GROWTH {
        return Ok(());
    }
    Err(failed(
        PROGRAM,
        "no-backoff",
        Text::new(
            format!("the pauses do not grow: {first} s before the first retry, at most {later} s later"),
            format!("间隔没有变长：第一次重试前 {first} 秒，后来最多 {later} 秒"),
        ),
        Text::new(
            "retry_backoff=True lets each pause be twice as long as the one before, with a random part",
            "retry_backoff=True 让间隔每次加倍，并带随机量",
        ),
    ))
}

/// What a worker logs of its tasks could not be read.
pub(crate) fn unread() -> Fault {
    Fault::inconclusive(Text::new(
        "the worker said nothing of a task that it did: let it log as Celery does, at INFO (no setup_logging, no worker_log_format of its own)",
        "worker 做了任务，日志里却没有：请保留 Celery 自己的 INFO 日志（不要用 setup_logging，也不要改 worker 的日志格式）",
    ))
}

fn in_place(calls: usize) -> Fault {
    failed(
        PROGRAM,
        "in-place",
        Text::new(
            format!(
                "a task called {calls} times in one go: it tries again inside itself, and holds its worker meanwhile"
            ),
            format!("一个任务一口气调用了 {calls} 次：它在自己里面重试，一直占着 worker"),
        ),
        Text::new(
            "let Celery try again (autoretry_for, or self.retry): the task goes back into the queue, and the worker is free",
            "让 Celery 来重试（autoretry_for 或 self.retry）：任务回到队列，worker 就空出来了",
        ),
    )
}

fn swallowed(calls: usize) -> Fault {
    failed(
        PROGRAM,
        "swallowed",
        Text::new(
            format!("a task succeeded although each of its {calls} calls failed"),
            format!("一个任务的 {calls} 次调用全部失败，它却算成功了"),
        ),
        Text::new(
            "let the exception out, so that the task is tried again, and fails in the end; check the answer's status too (raise_for_status)",
            "让异常抛出去，任务才会重试，最后才算失败；还要检查响应的状态码（raise_for_status）",
        ),
    )
}

fn given_up(calls: usize) -> Fault {
    failed(
        PROGRAM,
        "given-up",
        Text::new(
            format!("a task was given up after {calls} attempts; the next one would have succeeded"),
            format!("一个任务试了 {calls} 次就放弃了；再试一次就会成功"),
        ),
        Text::new(
            "autoretry_for names the exceptions after which a task is tried again; 503 and a broken connection are among them",
            "autoretry_for 写明哪些异常之后要重试；503 和连接断开都在其中",
        ),
    )
}

fn several_calls(calls: usize, received: usize) -> Fault {
    Fault::inconclusive(Text::new(
        format!("a task was tried {received} times and called {calls} times: let one attempt make one call"),
        format!("一个任务试了 {received} 次，却调用了 {calls} 次：请让每次尝试只调用一次"),
    ))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn task(fails: Option<usize>, calls: usize, pauses: &[f64], end: Option<End>) -> Attempts {
        let pauses: Vec<_> = pauses.iter().copied().map(Some).collect();
        let told = Told { received: pauses.len() + 1, pauses, end };
        let calls = (0..calls as u64).map(|call| Duration::from_secs(call * 60)).collect();
        Attempts { fails, calls, told }
    }

    fn status(outcome: Result<(), Fault>) -> Status {
        outcome.map_or_else(|fault| fault.status(), |()| Status::Pass)
    }

    #[test]
    fn a_task_is_tried_until_it_succeeds_or_is_given_up() {
        let (good, bad) = (Some(End::Succeeded), Some(End::Raised));
        let cases = [
            (task(Some(0), 1, &[], good), Status::Pass),
            (task(Some(2), 3, &[1.0, 2.0], good), Status::Pass),
            (task(None, 4, &[1.0, 2.0, 4.0], bad), Status::Pass),
            // Swallowed, at once or in the end.
            (task(None, 1, &[], good), Status::Fail),
            (task(None, 4, &[1.0, 2.0, 4.0], good), Status::Fail),
            (task(Some(2), 1, &[], good), Status::Fail),
            // Never tried again.
            (task(None, 1, &[], bad), Status::Fail),
            (task(Some(2), 2, &[1.0], bad), Status::Fail),
            // In a loop of its own, to its end and for ever.
            (task(Some(2), 3, &[], good), Status::Fail),
            (task(None, 9, &[], None), Status::Fail),
            // A client that calls twice in each attempt.
            (task(None, 4, &[1.0], bad), Status::Inconclusive),
            (task(None, 0, &[], None), Status::Inconclusive),
        ];
        for (case, expected) in cases {
            assert_eq!(status(case.judge(Some(3))), expected, "{case:?}");
        }
        let unheard = Attempts { told: Told::default(), ..task(None, 4, &[], None) };
        assert_eq!(status(unheard.judge(Some(3))), Status::Inconclusive);
    }

    #[test]
    fn without_an_end_is_told_by_the_worker_or_by_too_many() {
        let on = task(None, 5, &[1.0; 4], None);
        assert_eq!(status(on.judge(Some(3))), Status::Inconclusive);
        assert_eq!(status(on.judge(None)), Status::Fail);
        let many = task(None, MOST + 1, &[0.0; MOST], None);
        assert_eq!(status(many.judge(Some(3))), Status::Fail);
        assert_eq!(status(many.judge(Some(100))), Status::Inconclusive);
    }

    #[test]
    fn pauses_are_those_that_were_announced_and_not_those_of_a_busy_worker() {
        let at_once = task(None, 4, &[0.0; 3], Some(End::Raised));
        assert_eq!(paused(std::slice::from_ref(&at_once)).unwrap_err().status(), Status::Fail);
        // One minute passed between the calls, whatever was announced.
        assert_eq!(paused(&[at_once, task(None, 3, &[0.0, 1.0], None)]), Ok(1.0));
        let unknown =
            Attempts { told: Told { pauses: vec![None], ..Told::default() }, ..task(None, 2, &[], None) };
        assert_eq!(paused(&[unknown]).unwrap_err().status(), Status::Inconclusive);
        assert_eq!(paused(&[]).unwrap_err().status(), Status::Inconclusive);
        let early = task(None, 2, &[200.0], None);
        assert_eq!(paused(&[early]).unwrap_err().status(), Status::Inconclusive);
    }

    #[test]
    fn the_longest_pause_of_each_place_must_grow() {
        let tasks = |all: &[&[f64]]| all.iter().map(|one| task(None, 4, one, None)).collect::<Vec<_>>();
        assert_eq!(grown(&tasks(&[&[1.0, 0.0, 0.0], &[0.0, 2.0, 1.0]])), Ok(()));
        assert_eq!(grown(&tasks(&[&[0.0, 1.0]])), Ok(()));
        assert_eq!(status(grown(&tasks(&[&[1.0, 1.0, 1.0]]))), Status::Fail);
        assert_eq!(status(grown(&tasks(&[&[2.0, 1.0, 1.0]]))), Status::Fail);
        assert_eq!(status(grown(&tasks(&[&[2.0]]))), Status::Skip);
    }
}
