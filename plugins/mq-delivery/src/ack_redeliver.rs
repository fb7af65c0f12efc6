//! `ack-redeliver`: is a message neither lost nor half done when a consumer dies?
//!
//! The plugin publishes, starts the learner's worker and kills it in the middle of a long piece of work. What counts is the
//! effects, and how many messages the queue gives back: a message that has no effect and is not in the queue is lost, one
//! that has its effect and comes back was never acknowledged. Before anything is judged, one message must show its effect,
//! and another that the work takes as long as the message says; otherwise a kill could not meet it.

use std::time::Duration;

use mustdo_plugin::process::{Command, Signal};
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text, parameters,
};

use crate::amqp::{self, Broker, Login, Message, Queue};
use crate::effects::{Effects, Place, Seen, WEB};
use crate::trouble::{failed, unfound};
use crate::worker::Worker;

/// The command target.
const PROGRAM: &str = "worker";

/// The directory that the worker runs in a copy of.
pub(crate) const SOURCE: &str = "source";

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

parameters! {
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
        /// Who logs in at the broker.
        user: String = "guest".to_owned(),
        /// The password; `{ env = "NAME" }` takes it from a variable.
        password: String = "guest".to_owned(),
        /// The virtual host.
        vhost: String = "/".to_owned(),
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
                CapabilityRequest {
                    capability: Capability::Scratch(SOURCE.to_owned()),
                    reason: "to run your worker in a copy of its own, where it writes its effects".to_owned(),
                    required: false,
                },
                CapabilityRequest {
                    capability: Capability::Http(WEB.to_owned()),
                    reason: "to see effects on a page, where they are in no file".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(30),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("nothing was lost, whoever died", "不管谁死掉，什么也没丢"));
        let plan = Plan::new(self, context);
        let folder = match context.scratch(context.has_target(SOURCE).then_some(SOURCE)) {
            Ok(folder) => folder,
            Err(failure) => {
                report.judge("worker", Need::Must, Err::<(), _>(failure.into()), |()| Text::same(""));
                return report;
            }
        };
        let opened = Broker::open(context, amqp::TARGET, &self.login()).map_err(Fault::from);
        let opened = opened.and_then(|broker| Ok((broker, Effects::open(context, &folder, &self.effects)?)));
        let (broker, effects) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                report.judge("worker", Need::Must, Err::<(), _>(fault), |()| Text::same(""));
                return report;
            }
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
    fn login(&self) -> Login<'_> {
        Login { user: &self.user, password: &self.password, vhost: &self.vhost }
    }

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

/// What the kills left behind.
struct Aftermath {
    /// How many kills met the long work.
    hits: usize,
    seen: Seen,
    /// What the queue holds once the worker is gone.
    ready: usize,
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
                format!("{n} messages, {hits} kills in the middle of the work, every effect is there"),
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

    /// Lets the worker stand still while messages come: those that leave the queue are in its hands.
    fn prefetch(&mut self) -> Result<usize, Fault> {
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
    fn kill(&mut self) -> Result<Aftermath, Fault> {
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

    fn lost(&self, after: &Aftermath) -> Result<(), Fault> {
        let ids = &self.plan.ids;
        let missing: Vec<&String> = ids.iter().filter(|id| !after.seen.has(id)).collect();
        if missing.len() > after.ready {
            let lost = missing.len() - after.ready;
            let named = missing.iter().take(3).map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            let came = Text::new(
                format!(
                    "{lost} of {} messages are lost after {} kills: no effect, and not in the queue ({named})",
                    ids.len(),
                    after.hits
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
                    "only {} kills met the work: the effects of the long messages were there too early or too late",
                    after.hits
                ),
                format!("只有 {} 次杀在干活的时候：长消息的效果出现得太早或太晚", after.hits),
            )));
        }
        Ok(())
    }

    fn acknowledged(&self, after: &Aftermath) -> Result<(), Fault> {
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

    fn duplicates(&self, after: &Aftermath) -> Result<usize, Fault> {
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

    /// Makes the work of one message fail: by what it asks for, where the learner says what that is, else by standing in
    /// the way of its effect.
    fn failed_work(&mut self) -> Result<Kept, Fault> {
        self.worker.start()?;
        self.consuming()?;
        if self.check.failing.is_empty() { self.obstructed() } else { self.impossible() }
    }

    /// Stands in the way of the effect of one message, and lets it happen again.
    fn obstructed(&mut self) -> Result<Kept, Fault> {
        let [before, failing] = self.plan.failing.clone();
        let Some(place) = Place::of(&self.effects) else {
            return Err(unobstructed(
                "work can be made to fail where its effects are a file, here they are a page",
                "效果是文件时才能让工作失败，这里是网页",
            ));
        };
        place.renew()?;
        self.publish(&[(&before, 0)])?;
        if !self.comes(&before, SOON)? {
            // It writes to one that is gone by now, and would not even notice that another stands in its way. Started
            // again it opens the one that is looked at.
            self.worker.kill();
            self.gone()?;
            self.worker.start()?;
            self.consuming()?;
            return Err(unobstructed(
                "the worker keeps its file of effects open, so its work can not be made to fail",
                "worker 一直打开着效果文件，没法让它的工作失败",
            ));
        }
        let obstacle = place.obstruct()?;
        let sent = self.publish(&[(&failing, 0)]);
        self.let_it_fail();
        // Nobody may write while the file is put back.
        self.worker.kill();
        obstacle.clear()?;
        sent?;
        self.gone()?;
        self.worker.start()?;
        self.consuming()?;
        if self.comes_with(&failing, &mut 0)? {
            return Ok(Kept::Retried);
        }
        if !self.check.dead.is_empty() && self.is_in_dead(&failing)? {
            return Ok(Kept::PutAside);
        }
        Err(self.never_seen_again())
    }

    /// Sends one message whose work fails each time. It must be in the queue still, once the worker is gone, or put aside.
    fn impossible(&mut self) -> Result<Kept, Fault> {
        let [before, failing] = self.plan.failing.clone();
        let body = self.check.failing.replace("{id}", &failing);
        if !contains(body.as_bytes(), &failing) {
            return Err(unfound(
                "failed-work",
                Text::new("`failing` has no `{id}`", "`failing` 里没有 `{id}`"),
                FAILING.hint("the message names its id, for example:", "消息里要写编号，例如："),
            ));
        }
        self.broker.publish(&self.check.queue, &[Message::json(&failing, body.as_bytes())])?;
        self.publish(&[(&before, 0)])?;
        // The one behind it shows that the worker had its chance.
        let mut revivals = 0;
        if !self.comes_with(&before, &mut revivals)? {
            return Err(Fault::inconclusive(Text::new(
                "behind a message whose work fails nothing was done any more, so it can not be told what becomes of it",
                "失败的消息之后什么也没做了，无法判断它的下落",
            )));
        }
        self.let_it_fail();
        let end = self.context.monotonic() + SOON;
        while !self.check.dead.is_empty() && self.context.monotonic() < end {
            if self.is_in_dead(&failing)? {
                return self.without_effect(&failing, Kept::PutAside);
            }
            if self.queue()?.ready > 0 {
                break;
            }
            self.worker.pause(LOOK * 5);
        }
        self.worker.kill();
        self.gone()?;
        let ready = self.queue()?.ready;
        let ids = [failing.clone(), before];
        let back =
            self.broker.sweep(&self.check.queue, ready, |body| ids.iter().any(|id| contains(body, id)))?;
        if back.iter().any(|body| contains(body, &failing)) {
            return self.without_effect(&failing, Kept::Returned);
        }
        if !self.check.dead.is_empty() && self.is_in_dead(&failing)? {
            return self.without_effect(&failing, Kept::PutAside);
        }
        self.without_effect(&failing, Kept::Returned)?;
        Err(self.never_seen_again())
    }

    /// Work that has its effect did not fail, and tells nothing of work that does.
    fn without_effect(&self, failing: &str, kept: Kept) -> Result<Kept, Fault> {
        if !self.effects.look()?.has(failing) {
            return Ok(kept);
        }
        let came = Text::new(
            "the message that `failing` names had its effect: its work did not fail",
            "`failing` 写的消息产生了效果：它的工作没有失败",
        );
        let hint = FAILING.hint(
            "name a message whose work fails each time, for example:",
            "请写一条每次都会失败的消息，例如：",
        );
        Err(unfound("failed-work", came, hint))
    }

    fn never_seen_again(&self) -> Fault {
        let came = Text::new(
            "the work of a message failed, and the message was never seen again",
            "一条消息的工作失败了，之后再也没有见到这条消息",
        );
        if self.check.dead.is_empty() {
            let hint = DEAD.hint(
                "acknowledge only what succeeded; if it went to a dead-letter queue, name that in mustdo.toml:",
                "只确认成功的消息；如果它进了死信队列，请在 mustdo.toml 里写明：",
            );
            return unfound("failed-work", came, hint);
        }
        let hint = Text::new(
            "acknowledge only what succeeded: no basic.ack in a `finally`; what fails is put back, or goes to the dead-letter queue",
            "只确认成功的消息：不要在 `finally` 里 basic.ack；失败的放回队列，或者进死信队列",
        );
        failed(PROGRAM, "failed-work", came, hint)
    }

    /// Waits until the worker has had its chance with the message that can not be done.
    fn let_it_fail(&mut self) {
        let end = self.context.monotonic() + Duration::from_millis(1_500);
        while self.context.monotonic() < end && self.worker.runs() {
            self.worker.pause(LOOK);
        }
    }

    /// A message that is no JSON, and others behind it.
    fn poison(&mut self) -> Result<(), Fault> {
        let _ = self.worker.revive()?;
        self.consuming()?;
        let whole = self.check.body(&self.plan.poison, 0);
        let broken = format!("{{\"broken\": \"{}\", {}", self.plan.poison, &whole[..whole.len() / 2]);
        let poison = self.plan.poison.clone();
        let message = Message::json(&poison, broken.as_bytes());
        self.broker.publish(&self.check.queue, &[message])?;
        let rest = self.plan.rest.clone();
        let sent: Vec<(&str, u64)> = rest.iter().map(|id| (id.as_str(), 0)).collect();
        self.publish(&sent)?;
        let hint = Text::new(
            "reject what can not be read without requeue (basic.reject, requeue=False), into a dead-letter queue, and go on",
            "读不懂的消息用 basic.reject、requeue=False 拒绝，让它进死信队列，然后继续",
        );
        let mut revivals = 0;
        for id in &rest {
            if !self.comes_with(id, &mut revivals)? {
                let came = Text::new(
                    format!(
                        "behind a message that is no JSON nothing was done any more{}{}",
                        if revivals > 0 { "; the worker ended each time it was started" } else { "" },
                        self.worker.last_words("; it said: ")
                    ),
                    format!(
                        "一条不是 JSON 的消息之后，什么也没做了{}{}",
                        if revivals > 0 { "；worker 每次启动后都退出" } else { "" },
                        self.worker.last_words("；它说：")
                    ),
                );
                return Err(failed(PROGRAM, "poison", came, hint));
            }
        }
        self.worker.pause(Duration::from_secs(1));
        self.worker.kill();
        self.gone()?;
        let back = usize::try_from(self.queue()?.ready).unwrap_or(usize::MAX);
        if back == 0 {
            return Ok(());
        }
        let came = Text::new(
            "a message that is no JSON is still in the queue: it is put back and delivered for ever",
            "不是 JSON 的消息还在队列里：它被放回队列，会永远投递下去",
        );
        Err(failed(PROGRAM, "poison", came, hint))
    }

    /// What became of the broken message.
    fn dead_letter(&mut self) -> Result<(), Fault> {
        let poison = self.plan.poison.clone();
        if !self.check.dead.is_empty() && self.is_in_dead(&poison)? {
            return Ok(());
        }
        if self.worker.has_said(&poison) {
            return Ok(());
        }
        let came = Text::new(
            "the broken message is in no dead-letter queue, and the worker said nothing of it",
            "坏消息不在死信队列里，worker 也没有提到它",
        );
        let hint = Text::new(
            "give the queue an x-dead-letter-exchange and name its queue with `dead`, or print what is thrown away",
            "给队列设置 x-dead-letter-exchange，并用 `dead` 写明死信队列；或者把丢弃的内容打印出来",
        );
        Err(failed(PROGRAM, "dead-letter", came, hint))
    }

    /// Sends messages twice, under the same ids.
    fn twice(&mut self) -> Result<(), Fault> {
        self.worker.start()?;
        self.consuming()?;
        let twice = self.plan.twice.clone();
        let sent: Vec<(&str, u64)> = twice.iter().map(|id| (id.as_str(), 0)).collect();
        self.publish(&sent)?;
        self.publish(&sent)?;
        let mut revivals = 0;
        for id in &twice {
            if !self.comes_with(id, &mut revivals)? {
                return Err(Fault::inconclusive(Text::new(
                    "not all of the messages that were sent twice had an effect",
                    "发了两次的消息没有全部产生效果",
                )));
            }
        }
        let end = self.context.monotonic() + SOON;
        while self.queue()?.ready > 0 && self.context.monotonic() < end {
            self.worker.pause(LOOK);
        }
        self.worker.pause(Duration::from_millis(500));
        let seen = self.effects.look()?;
        let repeated = twice.iter().filter(|id| seen.times(id) > self.unit).count();
        if repeated == 0 {
            return Ok(());
        }
        let came = Text::new(
            format!("{repeated} of {REST} messages that came twice had their effect twice"),
            format!("{REST} 条来了两次的消息，有 {repeated} 条的效果发生了两次"),
        );
        let hint = Text::new(
            "a broker delivers at least once: keep the ids that are done, and leave out what was done before",
            "消息队列保证至少投递一次：保存做过的编号，做过的就跳过",
        );
        Err(failed(PROGRAM, "same-id", came, hint))
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

/// What became of a message whose work failed.
enum Kept {
    Retried,
    Returned,
    PutAside,
}

/// Why work could not be made to fail from outside, and how it can be from inside.
fn unobstructed(en: &str, zh: &str) -> Fault {
    let hint = FAILING.hint(
        "name a message whose work fails each time, and the queue where such messages end, for example:",
        "请写一条每次都会失败的消息，以及这种消息最后所在的队列，例如：",
    );
    unfound("failed-work", Text::new(en, zh), hint)
}

fn contains(body: &[u8], id: &str) -> bool {
    String::from_utf8_lossy(body).contains(id)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
