//! What is asked of a worker that came back: that nothing was done twice, that it goes on, and that results are still there.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};

use super::{LOOK, Run, SOON, Settings};
use crate::celery::PROGRAM;
use crate::celery::result::Results;
use crate::effects::Seen;
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// One effect of each, also of one that is sent twice under its id.
    pub(super) fn once(&mut self, seen: &Seen) -> Result<(), Fault> {
        let twice = self.plan.twice.clone();
        self.send(&[(&twice, 0)])?;
        self.send(&[(&twice, 0)])?;
        if !self.comes(&twice, SOON)? {
            return Err(Fault::inconclusive(Text::new(
                "the task that was sent twice had no effect",
                "发了两次的任务没有效果",
            )));
        }
        let end = self.context.monotonic() + SOON;
        while self.queue.waiting()?.is_some_and(|waiting| waiting > 0) && self.context.monotonic() < end {
            self.worker.pause(LOOK);
        }
        self.worker.pause(Duration::from_millis(800));
        let now = self.effects.look()?;
        let repeated = self.plan.ids.iter().filter(|id| seen.times(id) > self.unit).count();
        if repeated == 0 && now.times(&twice) <= self.unit {
            return Ok(());
        }
        let came = if repeated > 0 {
            Text::new(
                format!("{repeated} tasks had their effect more than once"),
                format!("{repeated} 个任务的效果不止一次"),
            )
        } else {
            Text::new(
                "a task that came twice, as after a crash, had its effect twice",
                "同一个任务来了两次（就像崩溃之后那样），效果也发生了两次",
            )
        };
        Err(failed(
            PROGRAM,
            "twice",
            came,
            Text::new(
                "late acknowledgement means at least once: keep the id in one transaction with the effect, and leave out what was done",
                "晚确认意味着至少执行一次：把编号和效果放在同一个事务里保存，做过的就跳过",
            ),
        ))
    }

    /// A task that the application does not have, and one behind it.
    pub(super) fn unknown(&mut self) -> Result<(), Fault> {
        let mut unknown = self.check.task(&self.plan.unknown, 0)?;
        unknown.name = format!("{}.{}", unknown.name, self.plan.unknown);
        self.queue.send(&[unknown])?;
        let behind = self.plan.behind.clone();
        self.send(&[(&behind, 0)])?;
        if self.comes(&behind, SOON)? && self.worker.runs() {
            return Ok(());
        }
        Err(failed(
            PROGRAM,
            "unknown-task",
            Text::new(
                format!(
                    "behind a task that nobody knows nothing was done any more{}",
                    self.worker.last_words("; the worker said: ")
                ),
                format!("一个未知的任务之后，什么也没做了{}", self.worker.last_words("；worker 说：")),
            ),
            Text::new("a worker must go on whatever it is sent", "不管收到什么，worker 都要继续工作"),
        ))
    }

    /// Asks for a result in a process of its own, when the worker that made it is gone.
    pub(super) fn result(&mut self, settings: &Settings) -> Result<(), Fault> {
        let asked = Results::of(&settings.conf)?.ask(self.folder, &self.plan.first)?;
        if asked.exit.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&asked.stderr);
        let said = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Err(Fault::inconclusive(Text::new(
            format!("`celery result` could not be asked: {said}"),
            format!("`celery result` 没有成功：{said}"),
        )))
    }
}
