//! What becomes of tasks whose worker, or whose process, is killed.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};

use super::{LOOK, Run, SOON, Settings};
use crate::celery::{self, PROGRAM};
use crate::effects::Seen;
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// What the worker says would become of a task whose process is lost.
    pub(super) fn lost_child(&mut self) -> Result<(), Fault> {
        let names = ["acks_late", "reject_on_worker_lost"];
        let options = celery::options(self.folder, &self.plan.worker, &self.check.task, &names)?;
        let is_on = |name: &str| options.iter().any(|(key, value)| key == name && value == "True");
        if names.iter().all(|name| is_on(name)) {
            return Ok(());
        }
        let off: Vec<&str> = names.iter().copied().filter(|name| !is_on(name)).collect();
        let off = off.join(", ");
        Err(failed(
            PROGRAM,
            "lost-process",
            Text::new(
                format!(
                    "{} has no {off}: a task whose process is killed, for memory perhaps, counts as done",
                    self.check.task
                ),
                format!("{} 没有打开 {off}：进程被杀（例如内存不足）时，任务会被当作已完成", self.check.task),
            ),
            Text::new(
                "@app.task(acks_late=True, reject_on_worker_lost=True), and the same effect once, however often it runs",
                "@app.task(acks_late=True, reject_on_worker_lost=True)，并保证执行多少次效果都只有一次",
            ),
        ))
    }

    /// Kills the worker and everything of it in the middle of a task, and starts it again.
    pub(super) fn kill(&mut self, settings: &Settings) -> Result<Seen, Fault> {
        let work = u64::from(self.check.work_ms);
        let ids = self.plan.ids.clone();
        let sent: Vec<(&str, u64)> = ids.iter().map(|id| (id.as_str(), work)).collect();
        self.send(&sent)?;
        // The end of one is the beginning of the next.
        let end = self.context.monotonic() + SOON + Duration::from_millis(work);
        while !ids.iter().any(|id| self.effects.look().is_ok_and(|seen| seen.has(id))) {
            if self.context.monotonic() > end {
                return Err(Fault::inconclusive(Text::new(
                    "no effect of the tasks was seen before the kill",
                    "杀掉之前没有看到任何任务的效果",
                )));
            }
            self.worker.pause(LOOK);
        }
        self.worker.pause(Duration::from_millis(self.plan.moment));
        self.worker.kill();
        let before = self.effects.look()?;
        if ids.iter().all(|id| before.has(id)) {
            return Err(Fault::inconclusive(Text::new(
                "all tasks were done before the kill: they must run one after the other in a worker of one process",
                "杀掉之前任务全做完了：只有一个进程的 worker 应该一个接一个地做",
            )));
        }
        self.gone()?;
        // A worker of Redis looks for what is due when it starts, and then not for minutes.
        self.context.sleep(settings.hidden);
        self.worker.start()?;
        self.ready()?;
        let per_task = Duration::from_millis(work * 2);
        let patience = SOON + per_task * u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let mut last = (self.context.monotonic(), Seen::default());
        let still = per_task + Duration::from_secs(6);
        let end = self.context.monotonic() + patience;
        let seen = loop {
            let seen = self.effects.look()?;
            if ids.iter().all(|id| seen.has(id)) {
                break seen;
            }
            let now = self.context.monotonic();
            if seen != last.1 {
                last = (now, seen.clone());
            }
            if now > end || now.saturating_sub(last.0) > still {
                return Err(self.lost(&seen));
            }
            self.worker.pause(LOOK * 2);
        };
        // A second time would come now.
        self.worker.pause(Duration::from_millis(work + work / 2));
        self.effects.look().or(Ok(seen))
    }

    fn lost(&mut self, seen: &Seen) -> Fault {
        let ids = &self.plan.ids;
        let missing = ids.iter().filter(|id| !seen.has(id)).count();
        let lost: Vec<&String> = ids.iter().filter(|id| !seen.has(id)).collect();
        let is_lost = |body: &[u8]| lost.iter().any(|id| String::from_utf8_lossy(body).contains(id.as_str()));
        let waiting = self.queue.waiting().ok().flatten().unwrap_or_default();
        // What the broker still keeps back is not lost, only late.
        let waiting = waiting + self.queue.kept_back(is_lost).unwrap_or(missing);
        if !self.worker.runs() || waiting >= missing {
            return Fault::inconclusive(Text::new(
                format!(
                    "{missing} tasks were not done after the worker was started again, and {waiting} still wait{}",
                    self.worker.last_words("; it said: ")
                ),
                format!(
                    "worker 重新启动后还有 {missing} 个任务没做，队列里还有 {waiting} 个{}",
                    self.worker.last_words("；它说：")
                ),
            ));
        }
        failed(
            PROGRAM,
            "lost",
            Text::new(
                format!(
                    "{missing} of {} tasks are lost: the worker was killed in the middle, and nobody did them again",
                    ids.len()
                ),
                format!("{} 个任务丢了 {missing} 个：worker 在干活时被杀，之后没有人再做", ids.len()),
            ),
            Text::new(
                "Celery acknowledges a task before it runs: set task_acks_late = True, or acks_late=True at the task",
                "Celery 默认在执行之前就确认任务：请设置 task_acks_late = True，或在任务上写 acks_late=True",
            ),
        )
    }

    /// Waits until nobody takes tasks any more.
    pub(super) fn gone(&mut self) -> Result<(), Fault> {
        let end = self.context.monotonic() + SOON;
        while self.queue.is_consumed()? == Some(true) {
            if self.context.monotonic() > end {
                return Err(Fault::inconclusive(Text::new(
                    "somebody takes tasks while the worker is dead: give the check a queue of its own",
                    "worker 已经死了，还有人在接任务：请给检查一个单独的队列",
                )));
            }
            self.context.sleep(LOOK);
        }
        Ok(())
    }
}
