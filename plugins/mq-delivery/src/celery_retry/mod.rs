//! `celery-retry`: is a task of Celery that fails tried again, later each time, and given up in the end?
//!
//! The plugin is what the task calls: it fails as often as was planned, and counts. How long a task waits is judged by the
//! pauses that the worker announces, and never by the time between two calls: that grows with the load too.

mod attempt;
mod endurance;
mod outcome;
mod provider;
mod words;

use std::time::Duration;

use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};
use serde_json::Value;

use self::attempt::{Attempts, MOST};
use self::provider::{First, Plan, Provider};
use self::words::{End, Told};
use crate::celery::message::Task;
use crate::celery::queue::{Queue, TARGET};
use crate::celery::{self, PROGRAM};
use crate::login::sending_tasks;
use crate::request;
use crate::trouble::unfound;
use crate::worker::Worker;

/// How long one step of a task may take beside its pauses.
const SOON: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Tasks whose calls all fail: so many that the random part of a pause is of no account.
const FAILING: usize = 10;

/// What says which task it is.
const ADVICE: Advice = Advice {
    item: "pyweb.celery",
    with: "task = \"tasks.call\"\nargs = '[\"{url}\"]'\nqueue = \"celery\"\nbroker = \"amqp\"",
};

sending_tasks! {
    /// Which task, and where it is sent.
    pub struct CeleryRetry {
        /// The name of a task that calls another service over HTTP, is tried again where that answers 503, and returns the number `value` of the JSON that it answers.
        task: String = "tasks.call".to_owned(),
        /// Its arguments, as a JSON array with `{url}`: what to call, once in each attempt.
        args: String = r#"["{url}"]"#.to_owned(),
        /// How long all the retries of one task may take together, in seconds.
        #[range(10..=240)]
        patience: u32 = 60,
        /// How long a call that is never answered may hold its worker, in seconds.
        #[range(2..=60)]
        hang: u32 = 15,
    }
}

impl Check for CeleryRetry {
    const ID: &'static str = "celery-retry";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "A task that fails is tried again, and not for ever",
                "失败的任务会重试，但不会没完没了",
            ),
            description: Text::new(
                "Starts your Celery worker with one process and sends tasks that call a service of the check's own, which answers 503 as often as it was planned. Passes when each is tried again through Celery until it succeeds, when one that always fails is given up as failed, when the worker announces pauses between the attempts, and when results are those of the tasks, where the application keeps any. Pauses that grow, a call that is never answered and does not hold the worker, and a worker that takes no pickle add to the score. Results of chains and groups are not looked at: the check sends single tasks. The command target `celery` is `celery -A APPLICATION` with `args = [\"-A\", \"tasks\", \"**\"]`; it runs in a copy of the directory `source`, or in an empty folder without one.",
                "用一个进程启动你的 Celery worker，发送会调用检查自带服务的任务；那个服务按计划返回若干次 503。每个任务都由 Celery 重试到成功、总是失败的最后以失败告终、worker 宣布了重试之间的间隔、有结果存储时结果正确，才算通过。间隔逐次变长、没有回应的调用不会一直占住 worker、不接受 pickle，会加分。链（chain）和组（group）的结果不检查：只发单个任务。命令目标 `celery` 写成 `celery -A 应用`，例如 `args = [\"-A\", \"tasks\", \"**\"]`；它在目录 `source` 的副本里运行，没有绑定时在空目录里运行。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Tcp(TARGET.to_owned()),
                    reason: "to put tasks into your queue and see how many it holds".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your worker, and to ask it for its settings and results".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Listen,
                    reason: "to be the service that your task calls, and to fail".to_owned(),
                    required: true,
                },
                request::scratch("to run your worker in a copy of its own"),
            ],
            typical: Duration::from_secs(45),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "what failed was tried again after a pause, and given up in the end",
            "失败的任务隔一段时间重试，最后会放弃",
        ));
        let plan = Ids::new(context);
        let folder = request::folder(context);
        let opened = folder
            .and_then(|folder| Ok((folder, Queue::open(context, &self.place())?, Provider::open(context)?)));
        let (folder, queue, provider) = match opened {
            Ok(opened) => opened,
            Err(fault) => return request::ended(report, "worker", fault),
        };
        let worker = Worker::new(context, Some(&folder), celery::worker(&plan.worker));
        let mut run = Run { check: self, context, folder: &folder, ids: plan, queue, worker, provider };
        let _ = run.judge(&mut report);
        run.clean();
        report
    }
}

/// The tasks, from the seed: what each is called, and the number that its call brings.
struct Ids {
    /// What the worker is called.
    worker: String,
    /// Before anything is judged.
    first: (String, u64),
    /// Those that fail once and twice.
    flaky: [(String, u64); 2],
    failing: Vec<(String, u64)>,
    /// The one that is never answered, and the one behind it.
    silent: (String, u64),
    behind: (String, u64),
    /// After everything.
    last: (String, u64),
}

impl Ids {
    fn new(context: &mut Context<'_>) -> Self {
        let generator = context.generator();
        let mut task = || (generator.token(16), generator.number(1_000_000_000..10_000_000_000));
        Self {
            worker: format!("mustdo-{}@localhost", task().0),
            first: task(),
            flaky: [task(), task()],
            failing: (0..FAILING).map(|_| task()).collect(),
            silent: task(),
            behind: task(),
            last: task(),
        }
    }

    fn is_ours(&self, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        let others = [&self.first, &self.silent, &self.behind, &self.last];
        self.flaky.iter().chain(&self.failing).chain(others).any(|(id, _)| body.contains(id.as_str()))
    }
}

impl CeleryRetry {
    fn task(&self, id: &str, address: &str) -> Result<Task, Fault> {
        let written = self.args.replace("{url}", address);
        match serde_json::from_str(&written) {
            Ok(Value::Array(arguments)) if written.contains(address) => {
                Ok(Task { name: self.task.clone(), id: id.to_owned(), arguments })
            }
            _ => Err(Fault::inconclusive(Text::new(
                format!("`args` is no JSON array with {{url}} in it: {}", self.args),
                format!("`args` 应该是含有 {{url}} 的 JSON 数组：{}", self.args),
            ))),
        }
    }
}

/// One run of the check.
struct Run<'check, 'run, 'host> {
    check: &'check CeleryRetry,
    context: &'run Context<'host>,
    folder: &'run Workspace<'host>,
    ids: Ids,
    queue: Queue,
    worker: Worker<'run, 'host>,
    provider: Provider,
}

/// What the worker says of itself.
struct Settings {
    conf: Value,
    /// How often a task is tried again; none where there is no end of it.
    retries: Option<usize>,
}

impl Run<'_, '_, '_> {
    fn judge(&mut self, report: &mut Report) -> Option<()> {
        let outcome = self.first_task();
        report.judge("worker", Need::Must, outcome, |()| {
            Text::new("a task calls where it is told to, and succeeds", "任务按给定的地址调用，并且成功")
        })?;
        let outcome = self.settings();
        let settings = report.judge("settings", Need::Must, outcome, |_| {
            Text::new("tasks are sent to the worker, and not run in place", "任务交给 worker，而不是就地执行")
        })?;
        let outcome = self.attempts(&settings);
        let tasks = report.judge("attempts", Need::Must, outcome, |tasks| {
            let most = tasks.iter().map(|task| task.calls.len()).max().unwrap_or_default();
            Text::new(
                format!("what failed was tried again, and given up after {most} attempts"),
                format!("失败的任务重试了，试过 {most} 次之后放弃"),
            )
        })?;
        report.judge("pauses", Need::Must, attempt::paused(&tasks), |longest| {
            Text::new(
                format!("there are pauses before retries, of {longest} s at most"),
                format!("重试之前有间隔，最长 {longest} 秒"),
            )
        });
        report.judge("backoff", Need::Should, attempt::grown(&tasks), |()| {
            Text::new("later pauses are longer", "后面的间隔更长")
        });
        let outcome = self.results(&settings);
        report.judge("result", Need::Must, outcome, |()| {
            Text::new(
                "the result of a task is its own, and a failed one has none",
                "任务的结果是它自己的，失败的任务没有结果",
            )
        });
        let outcome = self.silence();
        report.judge("unanswered", Need::Should, outcome, |()| {
            Text::new(
                "a call that is never answered does not hold the worker",
                "没有回应的调用不会一直占住 worker",
            )
        });
        report.judge("serializer", Need::Should, endurance::json_only(&settings.conf), |()| {
            Text::new("the worker takes no pickle", "worker 不接受 pickle")
        });
        let outcome = self.goes_on();
        report.judge("goes-on", Need::Must, outcome, |()| {
            Text::new(
                "after all of that the worker does its next task",
                "经历这些之后，worker 照常做下一个任务",
            )
        });
        Some(())
    }

    /// Starts the worker and sends it a task whose call succeeds. Until that is seen, nothing is wrong with it.
    fn first_task(&mut self) -> Result<(), Fault> {
        if self.queue.waiting()?.is_some_and(|waiting| waiting > 0) {
            let name = &self.check.queue;
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "tasks of others wait in the queue {name}: give the check a queue of its own, or empty it"
                ),
                format!("队列 {name} 里有别人的任务：请给检查一个单独的队列，或者先清空它"),
            )));
        }
        self.worker.start()?;
        celery::ready(self.context, &mut self.queue, &mut self.worker, &self.check.queue, ADVICE)?;
        let first = self.ids.first.clone();
        self.send(&first, First::Fail(0))?;
        let told = self.until_end(&first.0, celery::READY);
        let said = self.worker.last_words("");
        match (self.provider.calls(&first.0).len(), told.end) {
            (0, _) => Err(unfound(
                "no-call",
                Text::new(
                    format!("a task {} was sent and called nobody; your worker said: {said}", self.check.task),
                    format!("发出了任务 {}，它没有发起调用；worker 说：{said}", self.check.task),
                ),
                ADVICE.hint(
                    "say which task it is, in mustdo.toml; it calls the address that it is given, for example:",
                    "请在 mustdo.toml 里写明任务；它要调用给它的地址，例如：",
                ),
            )),
            (_, Some(End::Succeeded)) => Ok(()),
            (_, None) if told.received == 0 => Err(attempt::unread()),
            (_, _) => Err(Fault::inconclusive(Text::new(
                format!("a task whose call was answered 200 did not succeed; your worker said: {said}"),
                format!("调用得到了 200，任务却没有成功；worker 说：{said}"),
            ))),
        }
    }

    fn settings(&mut self) -> Result<Settings, Fault> {
        let conf = celery::settings(self.folder, &self.ids.worker)?;
        celery::expect_sent(&conf)?;
        // What is None is left out; the delay is a number, so that it shows that options are told at all.
        let names = ["max_retries", "default_retry_delay"];
        let options = celery::options(self.folder, &self.ids.worker, &self.check.task, &names)?;
        let told = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let retries = match (told(names[0]), told(names[1])) {
            (None | Some("None"), Some(_)) => None,
            (Some(number), _) if number.parse::<usize>().is_ok() => number.parse().ok(),
            _ => {
                return Err(Fault::inconclusive(Text::new(
                    format!("the worker does not tell the max_retries of {}", self.check.task),
                    format!("worker 没有说任务 {} 的 max_retries", self.check.task),
                )));
            }
        };
        Ok(Settings { conf, retries })
    }

    /// Sends tasks that fail once, twice and always, all at once, and waits for their ends.
    fn attempts(&mut self, settings: &Settings) -> Result<Vec<Attempts>, Fault> {
        // What may be tried again once only can not succeed after two failures.
        let most = settings.retries.unwrap_or(usize::MAX).clamp(1, self.ids.flaky.len());
        let flaky =
            self.ids.flaky.iter().take(most).enumerate().map(|(place, task)| (task.clone(), Some(place + 1)));
        let failing = self.ids.failing.iter().map(|task| (task.clone(), None));
        let sent: Vec<((String, u64), Option<usize>)> = flaky.chain(failing).collect();
        for (task, fails) in &sent {
            self.send(task, fails.map_or(First::AllFail, First::Fail))?;
        }
        let tasks = self.until_all_end(&sent, settings)?;
        // A mistake says more than what could not be told of another task.
        let mut undecided = Ok(());
        for fault in tasks.iter().filter_map(|task| task.judge(settings.retries).err()) {
            if fault.status() == mustdo_plugin::verdict::Status::Fail {
                return Err(fault);
            }
            undecided = Err(fault);
        }
        undecided.map(|()| tasks)
    }

    fn until_all_end(
        &mut self,
        sent: &[((String, u64), Option<usize>)],
        settings: &Settings,
    ) -> Result<Vec<Attempts>, Fault> {
        let patience = Duration::from_secs(self.check.patience.into());
        let most = settings.retries.map_or(MOST, |retries| MOST.max(retries + 2));
        let end = self.context.monotonic() + patience + SOON;
        let mut last = (self.context.monotonic(), 0);
        loop {
            self.look(LOOK);
            let tasks = self.seen(sent);
            let announced = tasks.iter().flat_map(|task| task.told.pauses.iter().copied().flatten());
            let longest = announced.fold(0.0, f64::max);
            let is_long = longest > patience.as_secs_f64();
            // What the worker says to have no end need not be waited for.
            if is_long && settings.retries.is_some() {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "a task is tried again after {longest} s, and the check waits for {} s: let the pauses begin short (retry_backoff=True, default_retry_delay=1), or set `patience`",
                        patience.as_secs()
                    ),
                    format!(
                        "任务要隔 {longest} 秒才重试，检查只等 {} 秒：请让间隔从很短开始（retry_backoff=True、default_retry_delay=1），或者设置 `patience`",
                        patience.as_secs()
                    ),
                )));
            }
            let now = self.context.monotonic();
            let events: usize = tasks.iter().map(|task| task.calls.len() + task.told.received).sum();
            if events > last.1 {
                last = (now, events);
            }
            let still = SOON + Duration::from_secs_f64(longest);
            let is_over = tasks.iter().all(|task| task.told.end.is_some())
                || tasks.iter().any(|task| task.calls.len() > most)
                || is_long
                || now > end
                || now.saturating_sub(last.0) > still
                || !self.worker.runs();
            if is_over {
                return Ok(tasks);
            }
        }
    }

    fn seen(&self, sent: &[((String, u64), Option<usize>)]) -> Vec<Attempts> {
        let log = self.worker.said_now();
        let mut told = words::read(&log, sent.iter().map(|((id, _), _)| id.as_str()));
        let seen = |((id, _), fails): &((String, u64), Option<usize>)| Attempts {
            fails: *fails,
            calls: self.provider.calls(id).to_vec(),
            told: told.remove(id.as_str()).unwrap_or_default(),
        };
        sent.iter().map(seen).collect()
    }

    fn send(&mut self, (id, value): &(String, u64), first: First) -> Result<(), Fault> {
        self.provider.expect(id, Plan { first, value: *value });
        let task = self.check.task(id, &self.provider.address(id))?;
        self.queue.send(&[task])
    }

    /// Answers calls for a moment, and hears the worker.
    fn look(&mut self, time: Duration) {
        self.provider.serve(self.context, time);
        self.worker.pause(Duration::ZERO);
    }

    /// What is said of one task by its end, or when the time is over.
    fn until_end(&mut self, id: &str, within: Duration) -> Told {
        let end = self.context.monotonic() + within;
        loop {
            self.look(LOOK);
            let told = words::read(&self.worker.said_now(), [id]).remove(id).unwrap_or_default();
            if told.end.is_some() || self.context.monotonic() > end || !self.worker.runs() {
                return told;
            }
        }
    }

    /// Takes what is left of ours out of the learner's queue.
    fn clean(&mut self) {
        self.worker.kill();
        let end = self.context.monotonic() + SOON;
        while matches!(self.queue.is_consumed(), Ok(Some(true))) && self.context.monotonic() < end {
            self.context.sleep(LOOK);
        }
        let ids = &self.ids;
        // A queue that can not be cleaned is met as one that holds tasks, in words, by the next run.
        let _ = self.queue.clean(|body| ids.is_ours(body));
    }
}
