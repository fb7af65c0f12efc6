//! `async-accept`: is slow work accepted at once and done later?
//!
//! A service that takes jobs is asked while its worker is dead, and is killed itself while jobs wait: whoever does the work in
//! the request, in a thread or from a list in its memory shows it there, however fast the machine is. Times are compared
//! with the work of the same run only.

use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request, Response};
use mustdo_plugin::process::{Command, Signal, without};
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters,
};
use serde_json::Value;

use crate::ack_redeliver::SOURCE;
use crate::effects::{Effects, Seen, WEB};
use crate::trouble::{failed, unfound};
use crate::worker::Worker;

/// The command target of the worker, and the tcp target of the broker.
const PROGRAM: &str = "worker";
const BROKER: &str = "broker";

/// How long a worker may take until it works.
const READY: Duration = Duration::from_mins(1);

/// How long a job may take beside its work.
const SOON: Duration = Duration::from_secs(15);

/// How long a request may take before it counts as unanswered.
const ANSWER: Duration = Duration::from_secs(12);

/// How long a service or a broker may take to come back.
const RESTART: Duration = Duration::from_secs(40);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(40);

/// What says how jobs are posted and where their effects stand.
const ADVICE: Advice = Advice {
    item: "nginx.mq",
    with: "path = \"/jobs\"\nbody = '{\"id\": \"{id}\", \"work_ms\": {work_ms}}'\nstatus = \"/jobs/{id}\"\ndone = \"done\"\neffects = \"/effects\"",
};

/// Requests at once.
const CONCURRENCY: u32 = 10;

parameters! {
    /// How jobs are posted, and where it is seen that they are done.
    pub struct AsyncAccept {
        /// Where jobs are posted.
        path: String = "/jobs".to_owned(),
        /// The job, with `{id}` and `{work_ms}`: the id of the effect, and how long the work must take, in milliseconds.
        body: String = r#"{"id": "{id}", "work_ms": {work_ms}}"#.to_owned(),
        /// The media type of the job.
        media_type: String = "application/json".to_owned(),
        /// Headers of every request.
        headers: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new(),
        /// Where a job's state is asked for; `{id}` is the id that the answer gave it. Empty where there is none.
        status: String = "/jobs/{id}".to_owned(),
        /// The word that stands in the state of a job when it is done, and not before.
        done: String = "done".to_owned(),
        /// Where ids stand once their job is done: a page of the target `web`, or, without a slash in front, a file in the folder where the worker runs.
        effects: String = "/effects".to_owned(),
        /// How many jobs are posted at once.
        #[range(5..=200)]
        n: u32 = 50,
        /// How long each works, in milliseconds.
        #[range(100..=3000)]
        work_ms: u32 = 300,
    }
}

impl Check for AsyncAccept {
    const ID: &'static str = "async-accept";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Slow work is accepted at once and done later", "慢的工作马上接下，之后再做"),
            description: Text::new(
                "Posts jobs to your service, starts and kills your worker, and, where it may, kills the service while jobs wait and stops the broker. Passes when each job is answered with 202 or 201 and an id well before its work could be done, also while the worker is dead; when its state says that it is done only then; when every accepted job is done once the worker is back; and when nothing is accepted that nobody will do. The worker runs in a copy of the directory `source`, or in an empty folder without one.",
                "向你的服务提交任务，启动并杀掉你的 worker；得到许可时，还会在任务排队时杀掉服务、停掉消息服务器。每个任务都在工作可能完成之前就得到 202 或 201 和编号（worker 死了也一样），只有真正做完时状态才显示完成，worker 回来后接下的任务全部做完，没人会做的任务不会被接下，才算通过。worker 在目录 `source` 的副本里运行，没有绑定时在空目录里运行。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Http(WEB.to_owned()),
                    reason: "to post jobs and see what becomes of them".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your worker and kill it in the middle of its work".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Scratch(SOURCE.to_owned()),
                    reason: "to run your worker in a copy of its own".to_owned(),
                    required: false,
                },
                CapabilityRequest {
                    capability: Capability::Process(WEB.to_owned()),
                    reason: "to kill your service while accepted jobs wait, and start it again".to_owned(),
                    required: false,
                },
                CapabilityRequest {
                    capability: Capability::Process(BROKER.to_owned()),
                    reason: "to stop the broker and see that nothing is accepted then, and start it again"
                        .to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(40),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "accepted at once, done later, and nothing accepted was lost",
            "马上接下，之后做完，接下的一个也没丢",
        ));
        let plan = Plan::new(self, context);
        let opened = context.scratch(context.has_target(SOURCE).then_some(SOURCE)).map_err(Fault::from);
        let folder = match opened {
            Ok(folder) => folder,
            Err(fault) => {
                report.judge("works", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
                return report;
            }
        };
        let client = context.http(WEB, &Options::default()).map_err(Fault::from);
        let opened = client.and_then(|client| Ok((client, Effects::open(context, &folder, &self.effects)?)));
        let (client, effects) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                report.judge("works", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
                return report;
            }
        };
        let worker = Worker::new(context, Some(&folder), Command::new(PROGRAM));
        let mut run = Run { check: self, context, client, plan, worker, effects, unit: 1 };
        let _ = run.judge(&mut report);
        report
    }
}

/// What is sent, from the seed.
struct Plan {
    first: String,
    /// The one that the worker has in its hands when it is killed.
    met: String,
    ids: Vec<String>,
    /// Those that wait while the service is killed.
    kept: Vec<String>,
    /// Posted while the broker is down, and once it is back.
    down: Vec<String>,
    back: String,
    /// Posted twice.
    twice: String,
}

impl Plan {
    fn new(check: &AsyncAccept, context: &mut Context<'_>) -> Self {
        let generator = context.generator();
        let mut id = || generator.token(16);
        Self {
            first: id(),
            met: id(),
            ids: (0..check.n).map(|_| id()).collect(),
            kept: (0..5).map(|_| id()).collect(),
            down: (0..3).map(|_| id()).collect(),
            back: id(),
            twice: id(),
        }
    }
}

impl AsyncAccept {
    fn post(&self, id: &str, work: u64) -> Request {
        let body = self.body.replace("{id}", id).replace("{work_ms}", &work.to_string());
        let request = Request::new("POST", self.path.clone()).header("Content-Type", self.media_type.clone());
        self.with_headers(request.body(body)).timeout(ANSWER)
    }

    fn with_headers(&self, request: Request) -> Request {
        self.headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name.clone(), value.clone()))
    }

    fn work(&self) -> Duration {
        Duration::from_millis(self.work_ms.into())
    }
}

/// A job that was accepted: our id of it and the service's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    id: String,
    theirs: String,
}

/// One run of the check.
struct Run<'check, 'run, 'host> {
    check: &'check AsyncAccept,
    context: &'run Context<'host>,
    client: Client,
    plan: Plan,
    worker: Worker<'run, 'host>,
    effects: Effects<'run, 'host>,
    /// How often an id stands in the effects once its job is done.
    unit: u32,
}

impl Run<'_, '_, '_> {
    fn judge(&mut self, report: &mut Report) -> Option<()> {
        let outcome = self.works();
        report.judge("works", Need::Must, outcome, |took| {
            Text::new(
                format!("a job shows its effect, {} ms after it was posted", took.as_millis()),
                format!("任务的效果看得到，提交后 {} 毫秒", took.as_millis()),
            )
        })?;
        let outcome = self.worker_down();
        let jobs = report.judge("accepted", Need::Must, outcome, |(jobs, slowest)| {
            Text::new(
                format!(
                    "{} jobs accepted while the worker was dead, the slowest after {} ms",
                    jobs.len(),
                    slowest.as_millis()
                ),
                format!(
                    "worker 死着的时候接下 {} 个任务，最慢的用了 {} 毫秒",
                    jobs.len(),
                    slowest.as_millis()
                ),
            )
        });
        let (mut jobs, slowest) = jobs?;
        report.measure_many("accept", slowest.as_secs_f64() * 1_000.0, "ms", self.check.n, "max");
        let outcome = self.states(&jobs, false);
        report.judge("waiting", Need::Must, outcome, |()| {
            Text::new("no state says that a job is done before it is", "任务做完之前，状态不会显示完成")
        });
        let outcome = self.web_killed();
        if let Some(kept) = report.judge("service-killed", Need::Must, outcome, |_| {
            Text::new("the service was killed while jobs waited", "任务排队时，服务被杀过一次")
        }) {
            jobs.extend(kept);
        }
        let outcome = self.all_done(&jobs);
        report.judge("done", Need::Must, outcome, |()| {
            Text::new(
                format!("all {} accepted jobs were done once the worker was back", jobs.len()),
                format!("worker 回来后，接下的 {} 个任务全部做完", jobs.len()),
            )
        })?;
        let outcome = self.states(&jobs, true);
        report.judge("state", Need::Must, outcome, |()| {
            Text::new("every state says that it is done", "每个任务的状态都显示完成")
        });
        let outcome = self.twice();
        report.judge("same-id", Need::Should, outcome, |()| {
            Text::new("a job that was posted twice was done once", "同一个任务提交两次，只做了一次")
        });
        let outcome = self.broker_down();
        let answered = report.judge("broker-down", Need::Must, outcome, |_| {
            Text::new(
                "nothing was accepted that nobody did while the broker was down",
                "消息服务器停着的时候，没有接下没人做的任务",
            )
        });
        if let Some(statuses) = answered {
            let outcome = unavailable(&statuses);
            report.judge("unavailable", Need::Should, outcome, |()| {
                Text::new("503 says that it is to be tried again later", "503 表示请稍后再试")
            });
        }
        Some(())
    }

    /// Posts one job with a worker that runs. Until its effect is there, nothing is wrong.
    fn works(&mut self) -> Result<Duration, Fault> {
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
    fn worker_down(&mut self) -> Result<(Vec<Job>, Duration), Fault> {
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
    fn post(&self, ids: &[String], work: u64) -> Result<(Vec<Job>, Duration), Fault> {
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
    fn states(&self, jobs: &[Job], done: bool) -> Result<(), Fault> {
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

    /// Kills the service while jobs wait.
    fn web_killed(&mut self) -> Result<Vec<Job>, Fault> {
        let what = Text::new("killing and restarting the service", "杀掉并重启服务");
        // Also the question whether it may be done at all: nothing is killed before this has worked once.
        let child = self.context.restart(WEB, RESTART).map_err(|failure| without(&what, &failure))?;
        let ids = self.plan.kept.clone();
        let (kept, _) = self.post(&ids, 0)?;
        child.signal(Signal::Kill).map_err(|failure| without(&what, &failure))?;
        self.context.restart(WEB, RESTART).map_err(|failure| Fault::inconclusive(failure.explain()))?;
        Ok(kept)
    }

    fn all_done(&mut self, jobs: &[Job]) -> Result<(), Fault> {
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

    fn twice(&mut self) -> Result<(), Fault> {
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
    fn broker_down(&mut self) -> Result<Vec<u16>, Fault> {
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

    fn comes(&mut self, id: &str, within: Duration) -> Result<bool, Fault> {
        let end = self.context.monotonic() + within;
        loop {
            if self.effects.look()?.has(id) {
                return Ok(true);
            }
            if self.context.monotonic() > end {
                return Ok(false);
            }
            self.worker.pause(LOOK);
        }
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

/// What was answered while the broker was down.
fn unavailable(statuses: &[u16]) -> Result<(), Fault> {
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

    #[test]
    fn only_503_says_that_it_is_to_be_tried_again() {
        assert_eq!(unavailable(&[503, 503]), Ok(()));
        assert_eq!(unavailable(&[503, 500]).unwrap_err().status(), Status::Fail);
        assert_eq!(unavailable(&[202]), Ok(()));
    }
}
