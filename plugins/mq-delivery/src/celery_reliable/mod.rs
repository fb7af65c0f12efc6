//! `celery-reliable`: does a task of Celery survive its worker?
//!
//! The plugin starts the learner's worker with one process, puts tasks into its queue as Celery itself would, and kills the
//! whole worker in the middle of one. Nothing of the host reaches a single process of a pool, so what happens when only that
//! dies is read from the options of the task, as the running worker tells them.

mod after;
mod lost;

use std::time::Duration;

use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};
use serde_json::Value;

use crate::celery::message::Task;
use crate::celery::queue::{Queue, TARGET};
use crate::celery::{self, PROGRAM};
use crate::effects::Effects;
use crate::login::sending_tasks;
use crate::request;
use crate::trouble::unfound;
use crate::worker::Worker;

/// How long one task may take beside its work.
const SOON: Duration = Duration::from_secs(10);

/// The longest time that is waited until a broker gives back what nobody acknowledged.
const BUDGET: Duration = Duration::from_secs(30);

/// What says which task it is and where its effect stands.
const ADVICE: Advice = Advice {
    item: "must-do.celery",
    with: "task = \"tasks.work\"\nargs = '[\"{id}\", {work_ms}]'\nqueue = \"celery\"\nbroker = \"amqp\"\neffects = \"effects.txt\"",
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// How long a task that nobody acknowledged is kept back in Redis, unless an application says otherwise.
const VISIBILITY: Duration = Duration::from_hours(1);

sending_tasks! {
    /// Which task, where it is sent, and where its effect is seen.
    pub struct CeleryReliable {
        /// The name of the task.
        task: String = "tasks.work".to_owned(),
        /// Its arguments, as a JSON array with `{id}` and `{work_ms}`: the id of the effect, and how long the work must take, in milliseconds.
        args: String = r#"["{id}", {work_ms}]"#.to_owned(),
        /// Where ids stand once their task is done: a file in the folder where the worker runs, or, with a slash in front, a page of the target `web`.
        effects: String = "effects.txt".to_owned(),
        /// How many tasks are sent.
        #[range(3..=50)]
        n: u32 = 10,
        /// How long each works, in milliseconds.
        #[range(300..=5000)]
        work_ms: u32 = 1000,
    }
}

impl Check for CeleryReliable {
    const ID: &'static str = "celery-reliable";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A task survives its worker", "worker 死掉，任务还会做完"),
            description: Text::new(
                "Starts your Celery worker with one process, sends tasks of a second and kills all of it in the middle of one (SIGKILL), then starts it again. Passes when every effect is there once, also for a task that comes twice, when the worker says that a task whose process is lost goes back into the queue, when a task that nobody knows stops nobody, and when results outlive the worker, where it keeps any. The command target `celery` is `celery -A APPLICATION` with `args = [\"-A\", \"tasks\", \"**\"]`; it runs in a copy of the directory `source`, or in an empty folder without one.",
                "用一个进程启动你的 Celery worker，发送每个约一秒的任务，在干活时把它整个杀掉（SIGKILL），再重新启动。每个效果恰好出现一次（同一个任务来两次也一样）、worker 声明进程丢失时任务会回到队列、未知任务不影响其他任务、有结果存储时结果在 worker 死后还在，才算通过。命令目标 `celery` 写成 `celery -A 应用`，例如 `args = [\"-A\", \"tasks\", \"**\"]`；它在目录 `source` 的副本里运行，没有绑定时在空目录里运行。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Tcp(TARGET.to_owned()),
                    reason: "to put tasks into your queue and see how many it holds".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason:
                        "to start your worker, ask it for its settings, and kill it in the middle of a task"
                            .to_owned(),
                    required: true,
                },
                request::scratch("to run your worker in a copy of its own, where it writes its effects"),
                request::page(),
            ],
            typical: Duration::from_secs(40),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "no task was lost, and none had its effect twice",
            "任务一个没丢，效果也没有重复",
        ));
        let plan = Plan::new(self, context);
        let folder = match request::folder(context) {
            Ok(folder) => folder,
            Err(fault) => return request::ended(report, "worker", fault),
        };
        let opened = Queue::open(context, &self.place());
        let opened = opened.and_then(|queue| Ok((queue, Effects::open(context, &folder, &self.effects)?)));
        let (queue, effects) = match opened {
            Ok(opened) => opened,
            Err(fault) => return request::ended(report, "worker", fault),
        };
        let worker = Worker::new(context, Some(&folder), celery::worker(&plan.worker));
        let mut run = Run { check: self, context, folder: &folder, plan, queue, worker, effects, unit: 1 };
        let _ = run.judge(&mut report);
        run.clean();
        report
    }
}

/// What is sent, from the seed.
struct Plan {
    /// What the worker is called.
    worker: String,
    /// The one before anything is judged.
    first: String,
    ids: Vec<String>,
    /// How long after the beginning of a task it is met, in milliseconds.
    moment: u64,
    /// The one that is sent twice, the one that nobody knows, and the one behind that.
    twice: String,
    unknown: String,
    behind: String,
}

impl Plan {
    fn new(check: &CeleryReliable, context: &mut Context<'_>) -> Self {
        let work = u64::from(check.work_ms);
        let generator = context.generator();
        let mut id = || generator.token(16);
        let (worker, first) = (format!("mustdo-{}@localhost", id()), id());
        let ids = (0..check.n).map(|_| id()).collect();
        let (twice, unknown, behind) = (id(), id(), id());
        let moment = generator.number(work / 4..work * 3 / 5);
        Self { worker, first, ids, moment, twice, unknown, behind }
    }

    fn is_ours(&self, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        let others = [&self.first, &self.twice, &self.unknown, &self.behind];
        self.ids.iter().chain(others).any(|id| body.contains(id.as_str()))
    }
}

impl CeleryReliable {
    fn task(&self, id: &str, work: u64) -> Result<Task, Fault> {
        let written = self.args.replace("{id}", id).replace("{work_ms}", &work.to_string());
        let Ok(Value::Array(arguments)) = serde_json::from_str(&written) else {
            return Err(Fault::inconclusive(Text::new(
                format!("`args` is no JSON array: {written}"),
                format!("`args` 不是 JSON 数组：{written}"),
            )));
        };
        Ok(Task { name: self.task.clone(), id: id.to_owned(), arguments })
    }
}

/// One run of the check.
struct Run<'check, 'run, 'host> {
    check: &'check CeleryReliable,
    context: &'run Context<'host>,
    folder: &'run mustdo_plugin::scratch::Workspace<'host>,
    plan: Plan,
    queue: Queue,
    worker: Worker<'run, 'host>,
    effects: Effects<'run, 'host>,
    /// How often an id stands in the effects once its task is done.
    unit: u32,
}

/// What the worker says of itself.
struct Settings {
    conf: Value,
    /// How long the broker keeps back what nobody acknowledged.
    hidden: Duration,
}

impl Run<'_, '_, '_> {
    fn judge(&mut self, report: &mut Report) -> Option<()> {
        let outcome = self.first_task();
        report.judge("worker", Need::Must, outcome, |took| {
            Text::new(
                format!("a task shows its effect, after {} ms", took.as_millis()),
                format!("任务的效果看得到，用了 {} 毫秒", took.as_millis()),
            )
        })?;
        let outcome = self.settings();
        let settings = report.judge("settings", Need::Must, outcome, |_| {
            Text::new("tasks are sent to the worker, and not run in place", "任务交给 worker，而不是就地执行")
        })?;
        let outcome = self.lost_child();
        report.judge("lost-process", Need::Must, outcome, |()| {
            Text::new(
                "a task whose process is lost goes back into the queue, by its options",
                "按任务的选项，进程丢失时任务会回到队列",
            )
        });
        let outcome = self.kill(&settings);
        let seen = report.judge("killed", Need::Must, outcome, |_| {
            Text::new(
                format!(
                    "{} tasks, the worker killed in the middle of one, every effect is there",
                    self.plan.ids.len()
                ),
                format!("{} 个任务，worker 在干活时被杀，效果一个不少", self.plan.ids.len()),
            )
        });
        let outcome = seen.map_or_else(
            || Err(Fault::skip(Text::new("not looked at: tasks were lost", "没有看：任务丢了"))),
            |seen| self.once(&seen),
        );
        report.judge("once", Need::Must, outcome, |()| {
            Text::new(
                "no effect happened twice, also of a task that came twice",
                "效果没有重复，同一个任务来两次也一样",
            )
        });
        let outcome = self.unknown();
        report.judge("unknown-task", Need::Must, outcome, |()| {
            Text::new("a task that nobody knows stopped nobody", "未知的任务没有影响别人")
        });
        let outcome = self.result(&settings);
        report.judge("result", Need::Must, outcome, |()| {
            Text::new("the result of a task outlives its worker", "worker 死后，任务的结果还在")
        });
        Some(())
    }

    /// Starts the worker and sends it one task. Until its effect is there, nothing is wrong with it.
    fn first_task(&mut self) -> Result<Duration, Fault> {
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
        self.ready()?;
        let work = u64::from(self.check.work_ms);
        let first = self.plan.first.clone();
        let began = self.context.monotonic();
        self.send(&[(&first, work)])?;
        if !self.comes(&first, Duration::from_millis(work) + celery::READY)? {
            let (place, said) = (self.effects.place(), self.worker.last_words(""));
            return Err(unfound(
                "no-effect",
                Text::new(
                    format!(
                        "a task {} was sent and {} did not show its id; your worker said: {said}",
                        self.check.task, place.en
                    ),
                    format!(
                        "发出了任务 {}，但在{}看不到它的编号；worker 说：{said}",
                        self.check.task, place.zh
                    ),
                ),
                ADVICE.hint(
                    "say which task it is and where its effect stands, in mustdo.toml, for example:",
                    "请在 mustdo.toml 里写明任务和效果的位置，例如：",
                ),
            ));
        }
        let took = self.context.monotonic().saturating_sub(began);
        self.worker.pause(Duration::from_millis(200));
        self.unit = self.effects.look()?.times(&first).max(1);
        if took < Duration::from_millis(work / 2) {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "the task asked for {work} ms of work and was done after {} ms: let it take as long as `work_ms` says, so that a kill can meet it",
                    took.as_millis()
                ),
                format!(
                    "任务要求工作 {work} 毫秒，{} 毫秒就做完了：请让它按 `work_ms` 花掉这么久，这样才能在干活时杀掉它",
                    took.as_millis()
                ),
            )));
        }
        Ok(took)
    }

    /// What the worker says of its settings, and that tasks are sent at all.
    fn settings(&mut self) -> Result<Settings, Fault> {
        let conf = celery::settings(self.folder, &self.plan.worker)?;
        celery::expect_sent(&conf)?;
        let hidden = if self.queue.hides_what_was_taken() {
            let set = conf.pointer("/broker_transport_options/visibility_timeout");
            let set = set.and_then(Value::as_f64).and_then(|set| Duration::try_from_secs_f64(set).ok());
            let hidden = set.unwrap_or(VISIBILITY);
            let seconds = hidden.as_secs();
            if hidden > BUDGET {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "with Redis a task that nobody acknowledged comes back after visibility_timeout, here {seconds} s: set broker_transport_options = {{\"visibility_timeout\": 5}} for this check"
                    ),
                    format!(
                        "用 Redis 时，没有确认的任务要等 visibility_timeout（这里是 {seconds} 秒）之后才回来：检查时请设置 broker_transport_options = {{\"visibility_timeout\": 5}}"
                    ),
                )));
            }
            hidden + Duration::from_secs(1)
        } else {
            Duration::ZERO
        };
        Ok(Settings { conf, hidden })
    }

    fn send(&mut self, tasks: &[(&str, u64)]) -> Result<(), Fault> {
        let tasks: Result<Vec<Task>, Fault> =
            tasks.iter().map(|(id, work)| self.check.task(id, *work)).collect();
        self.queue.send(&tasks?)
    }

    fn comes(&mut self, id: &str, within: Duration) -> Result<bool, Fault> {
        let end = self.context.monotonic() + within;
        loop {
            if self.effects.look()?.has(id) {
                return Ok(true);
            }
            if self.context.monotonic() > end || !self.worker.runs() {
                return Ok(self.effects.look()?.has(id));
            }
            self.worker.pause(LOOK);
        }
    }

    fn ready(&mut self) -> Result<(), Fault> {
        let name = &self.check.queue;
        celery::ready(self.context, &mut self.queue, &mut self.worker, name, ADVICE)
    }

    /// Takes what is left of ours out of the learner's queue.
    fn clean(&mut self) {
        self.worker.kill();
        // A queue that can not be cleaned is met as one that holds tasks, in words, by the next run.
        let _ = self.gone();
        let plan = &self.plan;
        let _ = self.queue.clean(|body| plan.is_ours(body));
    }
}
