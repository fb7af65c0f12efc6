//! What a worker of Celery says of a task in its log, at the level INFO: when it was received, in how many seconds it will
//! be tried again, and how it ended (`celery/app/trace.py`, `celery/worker/strategy.py`).
//!
//! The pause that it announces is what the task asked for. The time between two calls is not: a busy worker takes longer.

use std::collections::BTreeMap;

/// What was said of one task.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// How often the worker received it: first, and again for each retry.
    pub(crate) received: usize,
    /// The pauses that were announced, in seconds, in their order; none for one that was given as a date.
    pub(crate) pauses: Vec<Option<f64>>,
    pub(crate) end: Option<End>,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Raised,
}

/// What was said of each of these tasks, by id.
pub(crate) fn read<'a>(log: &str, ids: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, Told> {
    let mut told: BTreeMap<&str, Told> = ids.into_iter().map(|id| (id, Told::default())).collect();
    for line in log.lines() {
        // `Task tasks.call[ID] retry: Retry in 2s: HTTPError(...)`
        let Some((_, task)) = line.split_once("Task ") else { continue };
        let Some((before, words)) = task.split_once("] ") else { continue };
        let Some(told) = before.rsplit('[').next().and_then(|id| told.get_mut(id)) else { continue };
        if words.starts_with("received") {
            told.received += 1;
        } else if let Some(when) = words.strip_prefix("retry: Retry ") {
            told.pauses.push(seconds(when));
        } else if words.starts_with("succeeded") {
            told.end = Some(End::Succeeded);
        } else if words.starts_with("raised") {
            told.end = Some(End::Raised);
        }
    }
    told
}

/// The number in `in 2s: …`.
fn seconds(when: &str) -> Option<f64> {
    let number = when.strip_prefix("in ")?.split_once('s')?.0;
    number.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_says_of_a_task_is_read() {
        let log = "\
[2026-01-02 03:04:05,678: INFO/MainProcess] Task tasks.call[i1] received
[2026-01-02 03:04:05,680: INFO/ForkPoolWorker-1] Task tasks.call[i1] retry: Retry in 2s: HTTPError('503')
Traceback (most recent call last):
[2026-01-02 03:04:05,700: INFO/MainProcess] Task tasks.call[i1] received
[2026-01-02 03:04:07,700: INFO/ForkPoolWorker-1] Task tasks.call[i1] retry: Retry in 0.5s
[2026-01-02 03:04:08,700: INFO/ForkPoolWorker-1] Task tasks.call[i1] retry: Retry at 2026-01-02 03:05:00: HTTPError('503')
[2026-01-02 03:04:09,700: ERROR/ForkPoolWorker-1] Task tasks.call[i1] raised unexpected: HTTPError('503')
[2026-01-02 03:04:09,800: INFO/ForkPoolWorker-1] Task tasks.call[i2] succeeded in 0.01s: 'i3'
[2026-01-02 03:04:09,900: INFO/ForkPoolWorker-1] Task tasks.call[i4] received
";
        let told = read(log, ["i1", "i2", "i3"]);
        let one = Told { received: 2, pauses: vec![Some(2.0), Some(0.5), None], end: Some(End::Raised) };
        assert_eq!(told["i1"], one);
        assert_eq!(told["i2"].end, Some(End::Succeeded));
        assert_eq!(told["i3"], Told::default());
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn a_pause_is_a_number_of_seconds() {
        assert_eq!(seconds("in 180s: Timeout()"), Some(180.0));
        for other in ["in some seconds", "at 2026-01-02", "in -1s", "in s"] {
            assert_eq!(seconds(other), None, "{other}");
        }
    }
}
