//! What becomes of jobs while the service, the worker or the broker is dead.

use std::time::Duration;

use mustdo_plugin::process::{Signal, without};
use mustdo_plugin::{Fault, Text};

use super::{BROKER, Job, LOOK, PROGRAM, RESTART, Run, SOON};
use crate::effects::WEB;
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// Kills the service while jobs wait.
    pub(super) fn web_killed(&mut self) -> Result<Vec<Job>, Fault> {
        let what = Text::new("killing and restarting the service", "杀掉并重启服务");
        // Also the question whether it may be done at all: nothing is killed before this has worked once.
        let child = self.context.restart(WEB, RESTART).map_err(|failure| without(&what, &failure))?;
        let ids = self.plan.kept.clone();
        let (kept, _) = self.post(&ids, 0)?;
        child.signal(Signal::Kill).map_err(|failure| without(&what, &failure))?;
        self.context.restart(WEB, RESTART).map_err(|failure| Fault::inconclusive(failure.explain()))?;
        Ok(kept)
    }

    pub(super) fn all_done(&mut self, jobs: &[Job]) -> Result<(), Fault> {
        self.worker.start()?;
        let work = self.check.work() * u32::try_from(jobs.len() + 3).unwrap_or(u32::MAX);
        let end = self.context.monotonic() + SOON + work * 3;
        let mut last = (self.context.monotonic(), 0);
        loop {
            let seen = self.effects.look()?;
            let done = jobs.iter().filter(|job| seen.has(&job.id)).count();
            if done == jobs.len() {
                return Ok(());
            }
            let now = self.context.monotonic();
            if done > last.1 {
                last = (now, done);
            }
            if now > end || now.saturating_sub(last.0) > SOON + self.check.work() * 4 {
                let missing: Vec<&str> =
                    jobs.iter().filter(|job| !seen.has(&job.id)).map(|job| job.id.as_str()).collect();
                let named = missing.iter().take(3).copied().collect::<Vec<_>>().join(", ");
                return Err(failed(
                    PROGRAM,
                    "lost",
                    Text::new(
                        format!(
                            "{} of {} accepted jobs were never done ({named}){}",
                            missing.len(),
                            jobs.len(),
                            self.worker.last_words("; the worker said: ")
                        ),
                        format!(
                            "接下的 {} 个任务里有 {} 个一直没有做（{named}）{}",
                            jobs.len(),
                            missing.len(),
                            self.worker.last_words("；worker 说：")
                        ),
                    ),
                    Text::new(
                        "keep the queue outside of the service and of the worker, and take a job out of it once it is done, not before",
                        "队列要放在服务和 worker 之外；任务做完再从队列里拿掉，不要提前",
                    ),
                ));
            }
            self.worker.pause(LOOK);
        }
    }

    pub(super) fn twice(&mut self) -> Result<(), Fault> {
        let twice = self.plan.twice.clone();
        let both = [twice.clone(), twice.clone()];
        let (work, client) = (0, &self.client);
        for id in &both {
            // The second may be answered as one that is known.
            client.send(&self.check.post(id, work))?;
        }
        if !self.comes(&twice, SOON)? {
            return Err(Fault::inconclusive(Text::new(
                "the job that was posted twice had no effect",
                "提交了两次的任务没有效果",
            )));
        }
        self.worker.pause(Duration::from_millis(800));
        if self.effects.look()?.times(&twice) <= self.unit {
            return Ok(());
        }
        Err(failed(
            WEB,
            "same-id",
            Text::new("a job that was posted twice was done twice", "同一个任务提交两次，做了两次"),
            Text::new(
                "keep the ids that are done, and leave out what was done before: whoever got no answer posts again",
                "保存做过的编号，做过的就跳过：没收到回应的人会再提交一次",
            ),
        ))
    }

    /// Stops the broker and posts; then starts it again and looks whether what was accepted was done.
    pub(super) fn broker_down(&mut self) -> Result<Vec<u16>, Fault> {
        let what = Text::new("stopping and starting the broker", "停掉并启动消息服务器");
        let child = self.context.restart(BROKER, RESTART).map_err(|failure| without(&what, &failure))?;
        // With the broker as it was before, everything works.
        let back = self.plan.back.clone();
        self.until_accepted(&back)?;
        child.signal(Signal::Kill).map_err(|failure| without(&what, &failure))?;
        let ids = self.plan.down.clone();
        let mut outcomes = Vec::new();
        for id in &ids {
            outcomes.push(self.client.send(&self.check.post(id, 0)));
        }
        self.context.restart(BROKER, RESTART).map_err(|failure| Fault::inconclusive(failure.explain()))?;
        let _ = self.worker.revive()?;
        let mut statuses = Vec::new();
        let mut taken = Vec::new();
        for (id, outcome) in ids.iter().zip(outcomes) {
            let response = outcome.map_err(|failure| {
                Fault::inconclusive(Text::new(
                    format!(
                        "while the broker was down a job was not answered ({}); answer 503 soon",
                        failure.explain().en
                    ),
                    format!(
                        "消息服务器停着的时候，任务没有得到回应（{}）；应该很快返回 503",
                        failure.explain().zh
                    ),
                ))
            })?;
            if response.is_success() {
                taken.push(id.clone());
            }
            statuses.push(response.status);
        }
        // Who keeps a job and hands it on later has accepted it rightly.
        for id in &taken {
            if !self.comes(id, SOON)? {
                return Err(failed(
                    WEB,
                    "false-accept",
                    Text::new(
                        format!(
                            "{} jobs were accepted while the broker was down, and nobody ever did them",
                            taken.len()
                        ),
                        format!("消息服务器停着的时候接下了 {} 个任务，之后没有人做", taken.len()),
                    ),
                    Text::new(
                        "answer 503 when the queue did not take the job: wait for its confirmation before you answer 202",
                        "队列没有收下任务时返回 503：等到它确认之后再返回 202",
                    ),
                ));
            }
        }
        Ok(statuses)
    }

    /// Posts a job until it is accepted: whoever reconnects may need a moment.
    fn until_accepted(&mut self, id: &str) -> Result<(), Fault> {
        let end = self.context.monotonic() + SOON;
        loop {
            let answer = self.client.send(&self.check.post(id, 0));
            if answer.is_ok_and(|response| response.is_success()) {
                return Ok(());
            }
            if self.context.monotonic() > end {
                return Err(failed(
                    WEB,
                    "reconnect",
                    Text::new(
                        "the broker was started again, and the service still accepts nothing",
                        "消息服务器已经重新启动，服务还是什么也不接",
                    ),
                    Text::new(
                        "connect again when the connection to the broker is gone",
                        "与消息服务器的连接断了之后要重新连接",
                    ),
                ));
            }
            self.worker.pause(LOOK * 5);
        }
    }
}

/// What was answered while the broker was down.
pub(super) fn unavailable(statuses: &[u16]) -> Result<(), Fault> {
    let other = statuses.iter().find(|status| **status != 503 && !(200..300).contains(*status));
    other.map_or(Ok(()), |status| {
        Err(failed(
            WEB,
            "unavailable",
            Text::new(
                format!("a job was refused with {status} while the broker was down"),
                format!("消息服务器停着的时候，任务被 {status} 拒绝"),
            ),
            Text::new(
                "503 Service Unavailable says that it is to be tried again later (RFC 9110, section 15.6.4)",
                "503 Service Unavailable 表示请稍后再试（RFC 9110 第 15.6.4 节）",
            ),
        ))
    })
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    #[test]
    fn only_503_says_that_it_is_to_be_tried_again() {
        assert_eq!(unavailable(&[503, 503]), Ok(()));
        assert_eq!(unavailable(&[503, 500]).unwrap_err().status(), Status::Fail);
        assert_eq!(unavailable(&[202]), Ok(()));
    }
}
