//! Jobs that are posted: accepted before they can be done, and done by nobody but the worker.

use std::time::Duration;

use mustdo_plugin::http::{Request, Response};
use mustdo_plugin::{Failure, Fault, Text};
use serde_json::Value;

use super::{ADVICE, ANSWER, CONCURRENCY, Job, READY, Run};
use crate::effects::{Seen, WEB};
use crate::trouble::{failed, unfound};

impl Run<'_, '_, '_> {
    /// Posts one job with a worker that runs. Until its effect is there, nothing is wrong.
    pub(super) fn works(&mut self) -> Result<Duration, Fault> {
        self.worker.start()?;
        let first = self.plan.first.clone();
        let began = self.context.monotonic();
        let response = self.client.send(&self.check.post(&first, self.check.work_ms.into()))?;
        if !response.is_success() {
            return Err(Self::unfit(
                &format!("POST {} answered {}", self.check.path, response.status),
                &format!("POST {} 返回 {}", self.check.path, response.status),
            ));
        }
        accepted(&self.check.path, &response)?;
        if !self.comes(&first, self.check.work() + READY)? {
            let (place, said) = (self.effects.place(), self.worker.last_words("; the worker said: "));
            return Err(Self::unfit(
                &format!("a job was accepted and {} did not show its id{said}", place.en),
                &format!("任务被接下，但在{}看不到它的编号{said}", place.zh),
            ));
        }
        let took = self.context.monotonic().saturating_sub(began);
        self.worker.pause(Duration::from_millis(200));
        self.unit = self.effects.look()?.times(&first).max(1);
        if took < self.check.work() / 2 {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "the job asked for {} ms of work and was done after {} ms: let it take as long as `work_ms` says, as slow work would",
                    self.check.work_ms,
                    took.as_millis()
                ),
                format!(
                    "任务要求工作 {} 毫秒，{} 毫秒就做完了：请让它按 `work_ms` 花掉这么久，像真正的慢工作那样",
                    self.check.work_ms,
                    took.as_millis()
                ),
            )));
        }
        Ok(took)
    }

    fn unfit(en: &str, zh: &str) -> Fault {
        let hint = ADVICE.hint(
            "say how jobs are posted and where their effects stand, in mustdo.toml, for example:",
            "请在 mustdo.toml 里写明怎样提交任务、效果在哪里，例如：",
        );
        unfound("no-job", Text::new(en, zh), hint)
    }

    /// Kills the worker in the middle of a job and posts many.
    pub(super) fn worker_down(&mut self) -> Result<(Vec<Job>, Duration), Fault> {
        let long = u64::from(self.check.work_ms) * 3;
        let met = self.plan.met.clone();
        let mut jobs = self.post(std::slice::from_ref(&met), long)?.0;
        self.worker.pause(self.check.work());
        self.worker.kill();
        // On a busy machine it may have been done before the kill; then it tells nothing.
        let before = self.effects.look()?;
        jobs.retain(|job| !before.has(&job.id));
        let ids = self.plan.ids.clone();
        let (posted, slowest) = self.post(&ids, self.check.work_ms.into())?;
        jobs.extend(posted);
        // As long as one job works twice, and the one that was met to its end.
        self.context.sleep(Duration::from_millis(long) + self.check.work());
        let seen = self.effects.look()?;
        let done = jobs.iter().filter(|job| seen.has(&job.id)).count();
        if done > 0 {
            return Err(failed(
                WEB,
                "own-work",
                Text::new(
                    format!(
                        "{done} jobs were done while the worker was dead: the service does the work itself, in the request or in a thread"
                    ),
                    format!("worker 死着的时候做完了 {done} 个任务：服务自己在请求里或线程里干活"),
                ),
                Text::new(
                    "put the job into a queue and answer; what runs in the service's process is lost with it",
                    "把任务放进队列就返回；在服务进程里做的工作会随进程一起丢掉",
                ),
            ));
        }
        // Two signals: they did not wait for the work, and nobody did it. A request that takes as long as the work of all
        // those beside it is no sign of that.
        let fair = self.check.work() * CONCURRENCY;
        if slowest > fair {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "a job was accepted only after {} ms; that is as long as work would take, so it can not be told what it waited for",
                    slowest.as_millis()
                ),
                format!(
                    "有一个任务 {} 毫秒后才被接下，和工作所需一样久，无法判断它在等什么",
                    slowest.as_millis()
                ),
            )));
        }
        Ok((jobs, slowest))
    }

    /// Posts jobs at once; each must be accepted. Also says how long the slowest took.
    pub(super) fn post(&self, ids: &[String], work: u64) -> Result<(Vec<Job>, Duration), Fault> {
        let requests: Vec<Request> = ids.iter().map(|id| self.check.post(id, work)).collect();
        let responses = self.client.send_all(&requests, CONCURRENCY)?;
        let mut slowest = Duration::ZERO;
        let mut jobs = Vec::new();
        for (id, response) in ids.iter().zip(responses) {
            let response = match response {
                Err(Failure::TimedOut) => {
                    return Err(failed(
                        WEB,
                        "accept-waits",
                        Text::new(
                            format!(
                                "a job was not answered within {} s while the worker was dead",
                                ANSWER.as_secs()
                            ),
                            format!("worker 死着的时候，一个任务 {} 秒都没有得到回应", ANSWER.as_secs()),
                        ),
                        Text::new(
                            "put the job into a queue and answer 202 at once; do not wait for whoever does it",
                            "把任务放进队列就马上返回 202，不要等做的人",
                        ),
                    ));
                }
                other => other?,
            };
            slowest = slowest.max(response.timing.total);
            let theirs = accepted(&self.check.path, &response)?;
            jobs.push(Job { id: id.clone(), theirs });
        }
        Ok((jobs, slowest))
    }

    /// Whether the states of jobs say that they are done, or that they are not.
    pub(super) fn states(&self, jobs: &[Job], done: bool) -> Result<(), Fault> {
        if self.check.status.is_empty() {
            return Err(Fault::skip(Text::new("no states are asked for", "没有写明状态地址")));
        }
        for job in jobs {
            let path = self.check.status.replace("{id}", &job.theirs);
            let request = self.check.with_headers(Request::get(path.clone())).timeout(ANSWER);
            let response = self.client.send(&request)?;
            let words = Seen::of(&response.text());
            if !response.is_success() {
                return Err(failed(
                    WEB,
                    "state",
                    Text::new(
                        format!("GET {path} answered {} for a job that was accepted", response.status),
                        format!("任务已经接下，GET {path} 却返回 {}", response.status),
                    ),
                    Text::new(
                        "let whoever posted a job ask what became of it; without such an address, set status = \"\"",
                        "要让提交者能查询任务的状态；没有这样的地址就设置 status = \"\"",
                    ),
                ));
            }
            if words.has(&self.check.done) != done {
                let word = &self.check.done;
                let came = if done {
                    Text::new(
                        format!("GET {path} does not say {word:?} of a job that is done"),
                        format!("任务已经做完，GET {path} 却没有 {word:?}"),
                    )
                } else {
                    Text::new(
                        format!("GET {path} says {word:?} of a job that nobody has done"),
                        format!("还没有人做这个任务，GET {path} 却有 {word:?}"),
                    )
                };
                let hint = Text::new(
                    "the worker says that a job is done, and nobody before it",
                    "任务是否完成由 worker 说了算，别人不能提前说",
                );
                return Err(failed(WEB, "state", came, hint));
            }
        }
        Ok(())
    }
}

/// The service's id of a job that it accepted.
fn accepted(path: &str, response: &Response) -> Result<String, Fault> {
    let status = response.status;
    if !matches!(status, 201 | 202) {
        return Err(failed(
            WEB,
            "accept-status",
            Text::new(
                format!(
                    "POST {path} answered {status}, and a job that is done later is accepted with 202 or 201"
                ),
                format!("POST {path} 返回 {status}，之后才做的任务应该用 202 或 201 接下"),
            ),
            Text::new(
                "202 Accepted says that the work is not done yet (RFC 9110, section 15.3.3); 503 that it could not be taken",
                "202 Accepted 表示工作还没做完（RFC 9110 第 15.3.3 节）；收不下时用 503",
            ),
        ));
    }
    let id = response.json().and_then(|json| match json.get("id") {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    });
    let at_the_end = || {
        let place = response.header("Location")?;
        place.trim_end_matches('/').rsplit('/').next().map(str::to_owned)
    };
    id.or_else(at_the_end).filter(|id| !id.is_empty()).ok_or_else(|| {
        failed(
            WEB,
            "no-id",
            Text::new(
                format!("POST {path} answered {status} without an id: nobody can ask what became of the job"),
                format!("POST {path} 返回 {status}，却没有编号：没法查询任务的下落"),
            ),
            Text::new(
                "answer {\"id\": …}, or Location with the address of its state",
                "返回 {\"id\": …}，或者用 Location 给出状态的地址",
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::http::Timing;
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.into(),
            body_bytes: body.len() as u64,
            truncated: false,
            timing: Timing::default(),
        }
    }

    #[test]
    fn a_job_is_accepted_with_a_status_and_an_id() {
        let id =
            |status, headers: &[(&str, &str)], body: &str| accepted("/jobs", &answer(status, headers, body));
        assert_eq!(id(202, &[], "{\"id\": \"a1\"}"), Ok("a1".to_owned()));
        assert_eq!(id(201, &[], "{\"id\": 7}"), Ok("7".to_owned()));
        assert_eq!(id(202, &[("Location", "/jobs/b2/")], ""), Ok("b2".to_owned()));
        for (status, body) in [(200, "{\"id\": \"a1\"}"), (202, "{}"), (202, "{\"id\": \"\"}"), (503, "")] {
            assert_eq!(id(status, &[], body).unwrap_err().status(), Status::Fail, "{status} {body}");
        }
    }
}
