//! How many messages the worker holds, and what is left of them when it is killed in the middle of its work.

use std::time::Duration;

use mustdo_plugin::process::Signal;
use mustdo_plugin::{Fault, Text};

use super::{LONG, LOOK, PROGRAM, Run, STILL};
use crate::effects::Seen;
use crate::trouble::failed;

/// What the kills left behind.
pub(super) struct Aftermath {
    /// How many kills met the long work.
    pub(super) hits: usize,
    pub(super) seen: Seen,
    /// What the queue holds once the worker is gone.
    pub(super) ready: usize,
}

impl Run<'_, '_, '_> {
    /// Lets the worker stand still while messages come: those that leave the queue are in its hands.
    pub(super) fn prefetch(&mut self) -> Result<usize, Fault> {
        self.worker.signal(Signal::Stop)?;
        let count = self.plan.ids.len();
        let long = &self.plan.long;
        let quick = u64::from(self.check.work_ms);
        let works = |place| if long.contains(&place) { LONG } else { quick };
        let messages: Vec<(String, u64)> =
            self.plan.ids.iter().enumerate().map(|(place, id)| (id.clone(), works(place))).collect();
        let sent: Vec<(&str, u64)> = messages.iter().map(|(id, work)| (id.as_str(), *work)).collect();
        self.publish(&sent)?;
        let mut before = self.queue()?;
        for _ in 0..20 {
            self.worker.pause(Duration::from_millis(150));
            let now = self.queue()?;
            if now == before {
                break;
            }
            before = now;
        }
        // Where the worker has others that go on, what they have done is in nobody's hands any more.
        let seen = self.effects.look()?;
        let done = self.plan.ids.iter().filter(|id| seen.has(id)).count();
        self.held = count.saturating_sub(usize::try_from(before.ready).unwrap_or(usize::MAX) + done);
        self.worker.signal(Signal::Resume)?;
        let most = usize::try_from(self.check.prefetch).unwrap_or(usize::MAX).min(count - 1);
        if self.held <= most {
            return Ok(self.held);
        }
        let held = self.held;
        let came = Text::new(
            format!("the worker took {held} of {count} messages at once; at most {most} are all right"),
            format!("worker 一下拿走了 {count} 条里的 {held} 条；最多 {most} 条"),
        );
        let hint = Text::new(
            "set basic.qos(prefetch_count) before you consume: what one worker holds, no other can do, and memory grows with the queue",
            "消费前先设置 basic.qos(prefetch_count)：一个 worker 拿着的消息别人做不了，内存也会随队列增长",
        );
        Err(failed(PROGRAM, "prefetch", came, hint))
    }

    /// Kills the worker in the middle of each long work and starts it again, then waits until nothing happens any more and
    /// takes it away.
    pub(super) fn kill(&mut self) -> Result<Aftermath, Fault> {
        let mut hits = 0;
        let wanted = usize::try_from(self.check.kills).unwrap_or(usize::MAX);
        for (place, moment) in self.plan.long.clone().into_iter().zip(self.plan.moments.clone()) {
            if hits == wanted {
                break;
            }
            self.context.progress(None, "killing the worker in the middle of its work");
            if !self.reaches(place)? {
                break;
            }
            self.worker.pause(Duration::from_millis(moment));
            self.worker.kill();
            let id = self.plan.ids[place].clone();
            hits += usize::from(!self.effects.look()?.has(&id));
            self.gone()?;
            self.worker.start()?;
            self.consuming()?;
        }
        let mut seen = self.settle()?;
        self.worker.kill();
        self.gone()?;
        // The last moment counts.
        let late = self.effects.look()?;
        if late != seen {
            seen = late;
        }
        let ready = usize::try_from(self.queue()?.ready).unwrap_or(usize::MAX);
        Ok(Aftermath { hits, seen, ready })
    }

    /// Whether the worker has come to the message at `place`: what was sent before it is done. Not if it never comes there.
    fn reaches(&mut self, place: usize) -> Result<bool, Fault> {
        let mut last = (self.context.monotonic(), 0);
        loop {
            let seen = self.effects.look()?;
            let done = self.plan.ids.iter().filter(|id| seen.has(id)).count();
            let earlier = &self.plan.ids[..place];
            if seen.has(&self.plan.ids[place]) || earlier.iter().all(|id| seen.has(id)) {
                return Ok(true);
            }
            let now = self.context.monotonic();
            if done > last.1 {
                last = (now, done);
            }
            // Where messages wait, a worker on a busy machine may still be about to take them.
            let still = now.saturating_sub(last.0);
            let waits = still > STILL + Duration::from_millis(LONG) && self.queue()?.ready > 0;
            if still > (STILL + Duration::from_millis(LONG)) * if waits { 3 } else { 1 } {
                return Ok(false);
            }
            self.worker.pause(LOOK);
        }
    }

    /// Waits until every effect is there, or nothing has happened for a while.
    fn settle(&mut self) -> Result<Seen, Fault> {
        let mut last = (self.context.monotonic(), Seen::default());
        loop {
            let seen = self.effects.look()?;
            let now = self.context.monotonic();
            let is_done = self.plan.ids.iter().all(|id| seen.has(id));
            if seen != last.1 {
                last = (now, seen);
            }
            // Acknowledgements may be sent together, a little later.
            let still = if is_done { STILL / 2 } else { STILL + Duration::from_millis(LONG) };
            if now.saturating_sub(last.0) > still {
                return Ok(last.1);
            }
            self.worker.pause(LOOK);
        }
    }

    pub(super) fn lost(&self, after: &Aftermath) -> Result<(), Fault> {
        let ids = &self.plan.ids;
        let missing: Vec<&String> = ids.iter().filter(|id| !after.seen.has(id)).collect();
        if missing.len() > after.ready {
            let lost = missing.len() - after.ready;
            let named = missing.iter().take(3).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            let came = Text::new(
                format!(
                    "{lost} of {} messages are lost after {}: no effect, and not in the queue ({named})",
                    ids.len(),
                    kills(after.hits)
                ),
                format!(
                    "杀了 {} 次，{} 条消息丢了 {lost} 条：没有效果，也不在队列里（{named}）",
                    after.hits,
                    ids.len()
                ),
            );
            let hint = Text::new(
                "consume without auto_ack (no_ack), and acknowledge a message after its work is done, not before",
                "消费时不要用 auto_ack（no_ack）；工作做完之后再确认，不要提前",
            );
            return Err(failed(PROGRAM, "lost", came, hint));
        }
        // Where the worker stands still, it was not met; that is judged by the next step.
        if missing.is_empty() && after.hits < 2 {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "only {} met the work: the effects of the long messages were there too early or too late",
                    kills(after.hits)
                ),
                format!("只有 {} 次杀在干活的时候：长消息的效果出现得太早或太晚", after.hits),
            )));
        }
        Ok(())
    }

    pub(super) fn acknowledged(&self, after: &Aftermath) -> Result<(), Fault> {
        if after.ready == 0 {
            return Ok(());
        }
        let done = self.plan.ids.iter().filter(|id| after.seen.has(id)).count();
        let (ready, n) = (after.ready, self.plan.ids.len());
        let came = Text::new(
            format!(
                "{done} of {n} messages have their effect, and {ready} came back into the queue when the worker was gone"
            ),
            format!("{n} 条消息里有 {done} 条有效果，worker 退出后却有 {ready} 条回到队列"),
        );
        let hint = Text::new(
            "send basic.ack once the work is done: what is not acknowledged is delivered again, and a worker that holds its whole prefetch gets nothing more",
            "工作做完要发 basic.ack：没有确认的消息会重新投递，手里的消息达到 prefetch 后就收不到新的了",
        );
        Err(failed(PROGRAM, "not-acknowledged", came, hint))
    }

    pub(super) fn duplicates(&self, after: &Aftermath) -> Result<usize, Fault> {
        let repeated = self.plan.ids.iter().filter(|id| after.seen.times(id) > self.unit).collect::<Vec<_>>();
        let most = if self.check.exactly_once { 0 } else { self.held.max(1) * after.hits };
        if repeated.len() <= most {
            return Ok(repeated.len());
        }
        let came = Text::new(
            format!(
                "{} messages had their effect more than once; at most {most} were delivered twice",
                repeated.len()
            ),
            format!("{} 条消息的效果不止一次；最多只有 {most} 条被重新投递", repeated.len()),
        );
        let hint = Text::new(
            "keep the ids that are done, in one transaction with the effect, and leave out what was done before",
            "把做过的编号和效果放在同一个事务里保存，做过的就跳过",
        );
        Err(failed(PROGRAM, "duplicates", came, hint))
    }
}

/// `1 kill`, `3 kills`.
pub(super) fn kills(hits: usize) -> String {
    let plural = if hits == 1 { "" } else { "s" };
    format!("{hits} kill{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kill_is_no_plural() {
        assert_eq!([0, 1, 3].map(kills), ["0 kills", "1 kill", "3 kills"]);
    }
}
