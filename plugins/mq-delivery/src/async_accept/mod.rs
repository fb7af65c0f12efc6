//! `async-accept`: is slow work accepted at once and done later?
//!
//! A service that takes jobs is asked while its worker is dead, and is killed itself while jobs wait: whoever does the work in
//! the request, in a thread or from a list in its memory shows it there, however fast the machine is. Times are compared
//! with the work of the same run only.

mod accept;
mod outage;

use std::time::Duration;

use mustdo_plugin::http::{Client, Options, Request};
use mustdo_plugin::process::Command;
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text, parameters,
};

use crate::effects::{Effects, WEB};
use crate::request;
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
                request::scratch("to run your worker in a copy of its own"),
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
        let opened = request::folder(context);
        let folder = match opened {
            Ok(folder) => folder,
            Err(fault) => return request::ended(report, "works", fault),
        };
        let client = context.http(WEB, &Options::default()).map_err(Fault::from);
        let opened = client.and_then(|client| Ok((client, Effects::open(context, &folder, &self.effects)?)));
        let (client, effects) = match opened {
            Ok(opened) => opened,
            Err(fault) => return request::ended(report, "works", fault),
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
            let outcome = outage::unavailable(&statuses);
            report.judge("unavailable", Need::Should, outcome, |()| {
                Text::new("503 says that it is to be tried again later", "503 表示请稍后再试")
            });
        }
        Some(())
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
