//! `ack-redeliver`: is a message neither lost nor half done when a consumer dies?
//!
//! The plugin publishes, starts the learner's worker and kills it in the middle of a long piece of work. What counts is the
//! effects, and how many messages the queue gives back: a message that has no effect and is not in the queue is lost, one
//! that has its effect and comes back was never acknowledged. Before anything is judged, one message must show its effect,
//! and another that the work takes as long as the message says; otherwise a kill could not meet it.

mod failure;
mod kill;
mod odd;

use std::time::Duration;

use mustdo_plugin::process::Command;
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};

use self::failure::Kept;
use self::kill::kills;
use crate::amqp::{self, Broker, Message, Queue};
use crate::effects::Effects;
use crate::login::logging_in;
use crate::request;
use crate::trouble::unfound;
use crate::worker::Worker;

/// The command target.
const PROGRAM: &str = "worker";

/// How long a worker may take until it consumes.
const READY: Duration = Duration::from_mins(1);

/// How long one message may take beside its work.
const SOON: Duration = Duration::from_secs(12);

/// How long nothing may happen before it is taken that nothing more will.
const STILL: Duration = Duration::from_millis(2_500);

/// Work that is long enough to be met by a kill, in milliseconds.
const LONG: u64 = 900;

/// Long works more than there are kills: some are done too early on a busy machine.
const SPARE: usize = 2;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// How often a worker is started again because it ended by itself.
const REVIVALS: u32 = 5;

/// What says how messages look and where their effects stand.
const ADVICE: Advice = Advice {
    item: "must-do.mq",
    with: "queue = \"jobs\"\nmessage = '{\"id\": \"{id}\", \"work_ms\": {work_ms}}'\neffects = \"effects.txt\"",
};

/// What says where messages end that can not be worked on.
const DEAD: Advice = Advice { with: "dead = \"jobs.dead\"", ..ADVICE };

/// What says which work fails.
const FAILING: Advice = Advice {
    with: "failing = '{\"id\": \"{id}\", \"customer\": \"nobody\"}'\ndead = \"jobs.dead\"",
    ..ADVICE
};

/// Messages behind the broken one, and messages that are sent twice.
const REST: usize = 5;

logging_in! {
    /// Where messages go, what they say, and where their effect is seen.
    pub struct AckRedeliver {
        /// The queue that your worker consumes.
        queue: String = "jobs".to_owned(),
        /// The message, with `{id}` and `{work_ms}`: the id of the effect, and how long the work must take, in milliseconds.
        message: String = r#"{"id": "{id}", "work_ms": {work_ms}}"#.to_owned(),
        /// Where ids stand once their work is done: a file in the folder where the worker runs, or, with a slash in front, a page of the target `web`.
        effects: String = "effects.txt".to_owned(),
        /// The queue where messages end that can not be worked on; empty without one.
        dead: String = String::new(),
        /// A message with `{id}` whose work fails each time: an order of what does not exist. Needed where effects are a page, or a file that your worker keeps open: there nothing else makes work fail. Empty: what is in the way of the file of effects does.
        failing: String = String::new(),
        /// How many messages are published.
        #[range(20..=2000)]
        n: u32 = 200,
        /// How long most of them work, in milliseconds.
        #[range(0..=1000)]
        work_ms: u32 = 20,
        /// How often the worker is killed.
        #[range(2..=8)]
        kills: u32 = 3,
        /// The most messages that the worker may hold at once.
        #[range(1..=1000)]
        prefetch: u32 = 100,
        /// A second effect of one message fails the check, whatever caused it.
        exactly_once: bool = false,
    }
}

impl Check for AckRedeliver {
    const ID: &'static str = "ack-redeliver";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("No message is lost when a consumer dies", "消费者死掉，消息不丢"),
            description: Text::new(
                "Starts your worker, publishes persistent messages into its queue and kills it (SIGKILL) in the middle of its work, several times. A message says how long its work takes; when it is done, its id must stand in the effects. Passes when no id is missing, the queue is empty at the end, work that failed is tried again or put aside, a broken message stops nobody, and the worker never holds more messages than it may. The worker runs in a copy of the directory `source`, or in an empty folder without one. Messages of others must not be in the queue.",
                "启动你的 worker，往它的队列发布持久化消息，并多次在它干活时杀掉它（SIGKILL）。消息里写明工作要多久；做完后，消息的编号要出现在效果里。编号一个不少、最后队列为空、失败的工作会重试或被放到一边、坏消息不影响其他消息、worker 手里的消息不超过上限，才算通过。worker 在目录 `source` 的副本里运行，没有绑定时在空目录里运行。队列里不能有别人的消息。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Tcp(amqp::TARGET.to_owned()),
                    reason: "to publish messages into your queue and see how many it holds".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your worker and kill it in the middle of its work".to_owned(),
                    required: true,
                },
                request::scratch("to run your worker in a copy of its own, where it writes its effects"),
                request::page(),
            ],
            typical: Duration::from_secs(30),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("nothing was lost, whoever died", "不管谁死掉，什么也没丢"));
        let plan = Plan::new(self, context);
        let folder = match request::folder(context) {
            Ok(folder) => folder,
            Err(fault) => return request::ended(report, "worker", fault),
        };
        let opened = Broker::open(context, amqp::TARGET, &self.login()).map_err(Fault::from);
        let opened = opened.and_then(|broker| Ok((broker, Effects::open(context, &folder, &self.effects)?)));
        let (broker, effects) = match opened {
            Ok(opened) => opened,
            Err(fault) => return request::ended(report, "worker", fault),
        };
        let worker = Worker::new(context, Some(&folder), Command::new(PROGRAM));
        let mut run = Run { check: self, context, plan, broker, worker, effects, unit: 1, held: 0 };
        let _ = run.judge(&mut report);
        run.clean();
        report
    }
}

/// What is sent, from the seed.
struct Plan {
    /// The two messages before anything is judged.
    first: [String; 2],
    /// Those among which the worker is killed, in their order.
    ids: Vec<String>,
    /// The places of those that work long.
    long: Vec<usize>,
    /// How long after its beginning the work is met, in milliseconds.
    moments: Vec<u64>,
    /// The one before the one whose work fails, and that.
    failing: [String; 2],
    /// The broken one.
    poison: String,
    /// Those behind it.
    rest: Vec<String>,
    /// Those that are sent twice.
    twice: Vec<String>,
}

impl Plan {
    fn new(check: &AckRedeliver, context: &mut Context<'_>) -> Self {
        let generator = context.generator();
        let mut id = || generator.token(16);
        let first = [id(), id()];
        let ids: Vec<String> = (0..check.n).map(|_| id()).collect();
        let failing = [id(), id()];
        let poison = id();
        let (rest, twice) =
            ((0..REST).map(|_| id()).collect::<Vec<_>>(), (0..REST).map(|_| id()).collect::<Vec<_>>());
        let kills = usize::try_from(check.kills).unwrap_or(1);
        // One in each part of the way, and none so late that nothing is left behind it.
        let chances = kills + SPARE;
        let part = ids.len() / (chances + 1);
        let long = (0..chances)
            .map(|kill| {
                let within = generator.number(1..part.max(2) as u64);
                kill * part + usize::try_from(within).unwrap_or(1)
            })
            .collect();
        let moments = (0..chances).map(|_| generator.number(LONG / 9..LONG / 3)).collect();
        Self { first, ids, long, moments, failing, poison, rest, twice }
    }

    fn is_ours(&self, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        let ids = [&self.first[..], &self.ids, &self.failing, &self.rest, &self.twice].concat();
        body.contains(&self.poison) || ids.iter().any(|id| body.contains(id))
    }
}

impl AckRedeliver {
    fn body(&self, id: &str, work: u64) -> String {
        self.message.replace("{id}", id).replace("{work_ms}", &work.to_string())
    }
}

/// One run of the check.
struct Run<'check, 'run, 'host> {
    check: &'check AckRedeliver,
    context: &'run Context<'host>,
    plan: Plan,
    broker: Broker,
    worker: Worker<'run, 'host>,
    effects: Effects<'run, 'host>,
    /// How often an id stands in the effects once its work is done.
    unit: u32,
    /// The most messages that the worker was seen to hold.
    held: usize,
}

impl Run<'_, '_, '_> {
    fn judge(&mut self, report: &mut Report) -> Option<()> {
        let outcome = self.first_messages();
        report.judge("worker", Need::Must, outcome, |took| {
            Text::new(
                format!("a message shows its effect, after {} ms of work", took.as_millis()),
                format!("消息的效果看得到，工作用了 {} 毫秒", took.as_millis()),
            )
        })?;
        let outcome = self.prefetch();
        report.judge("prefetch", Need::Must, outcome, |held| {
            Text::new(
                format!("the worker holds {held} messages at once"),
                format!("worker 手里同时有 {held} 条消息"),
            )
        });
        let after = self.kill();
        let after = match after {
            Ok(after) => after,
            Err(fault) => {
                report.judge("nothing-lost", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
                return None;
            }
        };
        report.measure("kills", number(after.hits), "1");
        let lost = report.judge("nothing-lost", Need::Must, self.lost(&after), |()| {
            let (n, hits) = (self.plan.ids.len(), after.hits);
            Text::new(
                format!("{n} messages, {} in the middle of the work, every effect is there", kills(hits)),
                format!("{n} 条消息，干活时被杀 {hits} 次，效果一个不少"),
            )
        });
        lost?;
        report.judge("acknowledged", Need::Must, self.acknowledged(&after), |()| {
            Text::new("the queue is empty once the worker is gone", "worker 退出后队列是空的")
        })?;
        report.judge("duplicates", Need::Must, self.duplicates(&after), |repeated| {
            Text::new(
                format!("{repeated} effects happened twice, no more than were delivered twice"),
                format!("有 {repeated} 个效果发生了两次，没有超过重新投递的数量"),
            )
        });
        let outcome = self.failed_work();
        report.judge("failed-work", Need::Must, outcome, |kept| match kept {
            Kept::Retried => {
                Text::new("work that failed was done once it could be done", "失败的工作在条件恢复后做完了")
            }
            Kept::Returned => Text::new("work that failed is in the queue again", "失败的工作回到了队列"),
            Kept::PutAside => Text::new("work that failed was put aside", "失败的工作被放进了死信队列"),
        });
        let outcome = self.poison();
        let survived = report.judge("poison", Need::Must, outcome, |()| {
            Text::new(
                "a message that is no JSON stopped nobody and is gone from the queue",
                "不是 JSON 的消息没有影响别人，也不再留在队列里",
            )
        });
        if survived.is_some() {
            let outcome = self.dead_letter();
            report.judge("dead-letter", Need::Should, outcome, |()| {
                Text::new("what became of it can be told", "能查到它的下落")
            });
        }
        let need = if self.check.exactly_once { Need::Must } else { Need::Should };
        let outcome = self.twice();
        report.judge("same-id", need, outcome, |()| {
            Text::new("a message that came twice had its effect once", "同一条消息来两次，效果只有一次")
        });
        Some(())
    }

    /// Starts the worker and sends it two messages. Until both are right, nothing is wrong with it: it may be another program,
    /// or ours may be other messages.
    fn first_messages(&mut self) -> Result<Duration, Fault> {
        self.worker.start()?;
        self.consuming()?;
        let queue = self.queue()?;
        if queue.ready > 0 {
            let (name, ready) = (&self.check.queue, queue.ready);
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "the queue {name} holds {ready} messages before anything is published: give the check a queue of its own, or empty it"
                ),
                format!(
                    "还没有发布消息，队列 {name} 里就有 {ready} 条：请给检查一个单独的队列，或者先清空它"
                ),
            )));
        }
        let [quick, slow] = self.plan.first.clone();
        self.publish(&[(&quick, 0)])?;
        if !self.comes(&quick, SOON)? {
            return Err(self.no_effect(&quick));
        }
        // A file may be written in two parts.
        self.worker.pause(Duration::from_millis(200));
        self.unit = self.effects.look()?.times(&quick).max(1);
        let began = self.context.monotonic();
        self.publish(&[(&slow, LONG)])?;
        if !self.comes(&slow, SOON + Duration::from_millis(LONG))? {
            return Err(self.no_effect(&slow));
        }
        let took = self.context.monotonic().saturating_sub(began);
        if took < Duration::from_millis(LONG / 2) {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "the message asked for {LONG} ms of work and was done after {} ms: let your worker take as long as `work_ms` says, as real work would, so that a kill can meet it",
                    took.as_millis()
                ),
                format!(
                    "消息要求工作 {LONG} 毫秒，{} 毫秒就做完了：请让 worker 按 `work_ms` 花掉这么久，像真正的工作那样，这样才能在干活时杀掉它",
                    took.as_millis()
                ),
            )));
        }
        Ok(took)
    }

    fn no_effect(&mut self, id: &str) -> Fault {
        let (body, place) = (self.check.body(id, 0), self.effects.place());
        let said = self.worker.last_words("");
        let en = format!(
            "the worker took a message and {} did not show its id; it was {body}{}",
            place.en,
            if said.is_empty() { String::new() } else { format!("; your worker said: {said}") }
        );
        let zh = format!(
            "worker 收到了消息，但在{}看不到它的编号；消息是 {body}{}",
            place.zh,
            if said.is_empty() { String::new() } else { format!("；worker 说：{said}") }
        );
        let hint = ADVICE.hint(
            "say how your messages look and where their effects stand, in mustdo.toml, for example:",
            "请在 mustdo.toml 里写明消息的样子和效果的位置，例如：",
        );
        unfound("no-effect", Text::new(en, zh), hint)
    }

    fn is_in_dead(&mut self, id: &str) -> Result<bool, Fault> {
        let dead = self.check.dead.clone();
        let Some(queue) = self.broker.queue(&dead)? else {
            return Err(Fault::inconclusive(Text::new(
                format!("there is no queue {dead}, which `dead` names"),
                format!("`dead`写明的队列 {dead} 不存在"),
            )));
        };
        let taken = self.broker.sweep(&dead, queue.ready, |body| contains(body, id))?;
        Ok(!taken.is_empty())
    }

    fn publish(&mut self, messages: &[(&str, u64)]) -> Result<(), Fault> {
        let bodies: Vec<String> = messages.iter().map(|(id, work)| self.check.body(id, *work)).collect();
        let messages: Vec<Message<'_>> = (messages.iter().zip(&bodies))
            .map(|((id, _), body)| Message::json(id, body.as_bytes()))
            .collect();
        Ok(self.broker.publish(&self.check.queue, &messages)?)
    }

    fn queue(&mut self) -> Result<Queue, Fault> {
        let name = &self.check.queue;
        let queue = self.broker.queue(name)?;
        queue.ok_or_else(|| {
            Fault::inconclusive(Text::new(format!("the queue {name} is gone"), format!("队列 {name} 不见了")))
        })
    }

    /// Waits until somebody consumes the queue.
    fn consuming(&mut self) -> Result<(), Fault> {
        let end = self.context.monotonic() + READY;
        loop {
            let queue = self.broker.queue(&self.check.queue)?;
            if queue.is_some_and(|queue| queue.consumers > 0) {
                return Ok(());
            }
            let has_ended = !self.worker.runs();
            if has_ended || self.context.monotonic() > end {
                let name = &self.check.queue;
                let what = if has_ended {
                    Text::new("the worker ended before it consumed", "worker 还没有消费就退出了")
                } else {
                    Text::new("nobody consumes", "没有人消费")
                };
                let en = format!("{} the queue {name}{}", what.en, self.worker.last_words("; it said: "));
                let zh = format!("{}队列 {name}{}", what.zh, self.worker.last_words("；它说："));
                let hint = ADVICE.hint(
                    "a worker runs in a copy of the directory `source`, with what the target `worker` says; bind both, and name its queue, for example:",
                    "worker 按目标 `worker` 的写法在目录 `source` 的副本里运行；请绑定这两个目标，并写明队列，例如：",
                );
                return Err(unfound("no-consumer", Text::new(en, zh), hint));
            }
            self.worker.pause(Duration::from_millis(100));
        }
    }

    /// Waits until nobody consumes any more: what the worker held is in the queue again.
    fn gone(&mut self) -> Result<(), Fault> {
        let end = self.context.monotonic() + SOON;
        while self.queue()?.consumers > 0 {
            if self.context.monotonic() > end {
                return Err(Fault::inconclusive(Text::new(
                    "somebody consumes the queue while the worker is dead: give the check a queue of its own",
                    "worker 已经死了，还有人在消费这个队列：请给检查一个单独的队列",
                )));
            }
            self.context.sleep(LOOK);
        }
        Ok(())
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

    /// As [`Run::comes`], and a worker that ends is started again, as whoever runs it would, a few times.
    fn comes_with(&mut self, id: &str, revivals: &mut u32) -> Result<bool, Fault> {
        let end = self.context.monotonic() + SOON;
        loop {
            if self.effects.look()?.has(id) {
                return Ok(true);
            }
            if self.context.monotonic() > end {
                return Ok(false);
            }
            if !self.worker.runs() {
                if *revivals >= REVIVALS {
                    return Ok(false);
                }
                *revivals += 1;
                self.worker.start()?;
            }
            self.worker.pause(LOOK);
        }
    }

    /// Takes what is left of ours out of the learner's queues.
    fn clean(&mut self) {
        self.worker.kill();
        // A queue that can not be cleaned is met as one that holds messages, in words, by the next run.
        let _ = self.gone();
        for name in [self.check.queue.clone(), self.check.dead.clone()] {
            if let Ok(Some(queue)) = self.broker.queue(&name) {
                let plan = &self.plan;
                let _ = self.broker.sweep(&name, queue.ready, |body| plan.is_ours(body));
            }
        }
    }
}

fn contains(body: &[u8], id: &str) -> bool {
    String::from_utf8_lossy(body).contains(id)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
