//! `amqp-durable`: does what a publisher has handed over survive, and does it know what was not taken?
//!
//! The learner's publisher is started with the address of a relay of the check's own ([`relay`]), which hands everything on
//! to the broker and notes what is asked for. Then it refuses a message, as a broker does that can not keep it: who waits for
//! the confirmation says that it failed, and who does not says that all is well, however fast the machine is. What the queue
//! is made of is asked of the broker itself.

mod claim;
mod relay;
mod survival;

use std::time::Duration;

use mustdo_plugin::process::{Command, Exit};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};

use self::relay::{Mode, Noted, Relay};
use crate::amqp::{Broker, Fetched, TARGET};
use crate::login::logging_in;
use crate::request;
use crate::trouble::{failed, unfound};
use crate::worker::Worker;

/// The command target.
const PROGRAM: &str = "publisher";

/// How long a publisher may take for one message.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long one that was refused may take until it says so; longer than this it tries again, and claims nothing.
const REFUSED: Duration = Duration::from_secs(15);

/// How long a message may take from one queue into another.
const SOON: Duration = Duration::from_secs(10);

/// How long a broker may take to come back.
const RESTART: Duration = Duration::from_mins(2);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What says how the publisher is started, and where its message goes.
const ADVICE: Advice = Advice {
    item: "network.rabbitmq",
    with: "queue = \"jobs\"\nargs = [\"{url}\", \"{id}\"]\ndead = \"jobs.dead\"",
};

logging_in! {
    /// How the publisher is started, and where its message goes.
    pub struct AmqpDurable {
        /// The queue where the message goes. Nobody consumes it while the check runs.
        queue: String = "jobs".to_owned(),
        /// The arguments of the publisher, which publishes one message with the id in it and ends with 0 once the broker has it: `{url}` is where it connects to (`amqp://user:password@127.0.0.1:port/vhost`), `{port}` the port of that.
        args: Vec<String> = vec!["{url}".to_owned(), "{id}".to_owned()],
        /// The queue where messages end that can not be worked on; empty without one.
        dead: String = String::new(),
    }
}

impl Check for AmqpDurable {
    const ID: &'static str = "amqp-durable";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("What was published survives, or is known not to", "发布的消息不会悄悄丢掉"),
            description: Text::new(
                "Starts your publisher with the address of a relay that stands before your broker. Passes when its message is persistent, in a durable queue, and published with confirmations (confirm.select) or in a transaction; when the publisher does not end with 0 where the broker refuses the message; and when the message survives a restart of the broker, where the check may restart it. That an unroutable message is noticed (mandatory), and that what is rejected goes to a dead-letter queue, adds to the score. How a consumer acknowledges, and how much it takes at once, is asked by `ack-redeliver`. The command target `publisher` takes the arguments `args`, as `args = [\"publish.py\", \"**\"]` lets it; it runs in a copy of the directory `source`, or in an empty folder without one.",
                "让你的发布程序连接到消息服务器前面的一个中继。消息是持久化的、队列是 durable 的、发布时使用确认（confirm.select）或事务、消息被服务器拒绝时程序不以 0 退出，并且（允许重启消息服务器时）消息在重启后还在，才算通过。发现无法路由的消息（mandatory）、被拒绝的消息进入死信队列，会加分。消费者如何确认、一次拿多少，由 `ack-redeliver` 检查。命令目标 `publisher` 要能接收参数 `args`，例如 `args = [\"publish.py\", \"**\"]`；它在目录 `source` 的副本里运行，没有绑定时在空目录里运行。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Tcp(TARGET.to_owned()),
                    reason: "to hand on what your publisher says, and to look at your queues".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your publisher, with the address of the relay".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Listen,
                    reason: "to stand between your publisher and your broker".to_owned(),
                    required: true,
                },
                request::scratch("to run your publisher in a copy of its own"),
                CapabilityRequest {
                    capability: Capability::Process(TARGET.to_owned()),
                    reason: "to restart the broker and see what survives".to_owned(),
                    required: false,
                },
            ],
            typical: Duration::from_secs(20),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "what the broker took survives, and what it did not take is known",
            "服务器收下的消息不会丢，没收下的发布者知道",
        ));
        let generator = context.generator();
        let ids = [(); 4].map(|()| generator.token(16));
        let folder = request::folder(context);
        let opened = folder.and_then(|folder| Ok((folder, Broker::open(context, TARGET, &self.login())?)));
        let (folder, broker) = match opened {
            Ok(opened) => opened,
            Err(fault) => return request::ended(report, "publisher", fault),
        };
        let mut run = Run { check: self, context, folder: &folder, broker, ids };
        let _ = run.judge(&mut report);
        run.clean();
        report
    }
}

impl AmqpDurable {
    /// The program, with the address of a relay in its arguments.
    fn command(&self, port: u16, id: &str) -> Command {
        let [user, password, vhost] = [&self.user, &self.password, &self.vhost].map(|text| escaped(text));
        let url = format!("amqp://{user}:{password}@127.0.0.1:{port}/{vhost}");
        self.args.iter().fold(Command::new(PROGRAM), |command, argument| {
            let port = port.to_string();
            command.argument(argument.replace("{url}", &url).replace("{port}", &port).replace("{id}", id))
        })
    }
}

/// A part of an address (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// One run of the check.
struct Run<'check, 'run, 'host> {
    check: &'check AmqpDurable,
    context: &'run Context<'host>,
    folder: &'run Workspace<'host>,
    broker: Broker,
    /// Of the messages: one that is taken, one that is refused, one that reaches no queue, one that has to survive.
    ids: [String; 4],
}

/// How a publisher went.
struct Published {
    /// None where it had not ended.
    exit: Option<Exit>,
    noted: Noted,
    said: String,
}

impl Published {
    /// Whether it claims that its message was taken.
    fn claims(&self) -> bool {
        self.exit.is_some_and(|exit| exit.is_success())
    }
}

impl Run<'_, '_, '_> {
    fn judge(&mut self, report: &mut Report) -> Option<()> {
        let outcome = self.published();
        let (noted, message) = report.judge("publisher", Need::Must, outcome, |_| {
            Text::new("the message that was published is in the queue", "发布的消息在队列里")
        })?;
        let outcome = self.durable();
        report.judge("durable", Need::Must, outcome, |()| {
            Text::new(
                "the queue survives a restart of the broker, by what it was declared with",
                "按声明的参数，队列在服务器重启后还在",
            )
        });
        report.judge("persistent", Need::Must, survival::persistent(&message), |()| {
            Text::new("the message is persistent (delivery_mode 2)", "消息是持久化的（delivery_mode 2）")
        });
        let outcome = self.confirmed(&noted);
        report.judge("confirmed", Need::Must, outcome, |()| {
            Text::new(
                "the publisher waits for the broker's word, and does not call done what was refused",
                "发布者会等服务器的确认，被拒绝的消息不会当成发布成功",
            )
        });
        let outcome = self.mandatory(&noted);
        report.judge("mandatory", Need::Should, outcome, |()| {
            Text::new("a message that reaches no queue is noticed", "没有进入任何队列的消息会被发现")
        });
        let outcome = self.dead_letter(&message);
        report.judge("dead-letter", Need::Should, outcome, |()| {
            Text::new("a message that is rejected goes to the dead-letter queue", "被拒绝的消息进了死信队列")
        });
        let outcome = self.restarted();
        report.judge("restart", Need::Must, outcome, |()| {
            Text::new("a message survived a restart of the broker", "服务器重启后消息还在")
        });
        Some(())
    }

    /// Publishes one message, which everything else is about. Until it is in the queue, nothing is wrong.
    fn published(&mut self) -> Result<(Noted, Fetched), Fault> {
        let id = self.ids[0].clone();
        let name = self.check.queue.clone();
        if self.broker.queue(&name)?.is_some_and(|queue| queue.consumers > 0) {
            return Err(Fault::inconclusive(Text::new(
                format!(
                    "somebody consumes the queue {name}: stop your workers, or give the check a queue of its own"
                ),
                format!("有人在消费队列 {name}：请停掉 worker，或者给检查一个单独的队列"),
            )));
        }
        let published = self.publish(&id, Mode::HandOn, PATIENCE)?;
        if published.noted.exclusive.contains(&name) {
            return Err(failed(
                PROGRAM,
                "exclusive",
                Text::new(
                    format!(
                        "the queue {name} is exclusive: it is gone with the connection that declared it, and its messages too"
                    ),
                    format!("队列 {name} 是 exclusive 的：声明它的连接一断，队列和消息都没了"),
                ),
                Text::new(
                    "queue_declare(queue, durable=True): neither exclusive nor auto_delete",
                    "queue_declare(queue, durable=True)：不要 exclusive，也不要 auto_delete",
                ),
            ));
        }
        let hint = ADVICE.hint(
            "say how your publisher is started and where its message goes, in mustdo.toml; it connects to the address that it is given, for example:",
            "请在 mustdo.toml 里写明怎样启动发布程序、消息发到哪里；它要连接到给它的地址，例如：",
        );
        let said = &published.said;
        if !published.claims() || published.noted.published == 0 {
            return Err(unfound(
                "no-message",
                Text::new(
                    format!(
                        "the publisher {} and published {} messages through the relay; it said: {said}",
                        ended(published.exit).en,
                        published.noted.published
                    ),
                    format!(
                        "发布程序{}，通过中继发布了 {} 条消息；它说：{said}",
                        ended(published.exit).zh,
                        published.noted.published
                    ),
                ),
                hint,
            ));
        }
        let message = self.fetched(&name, &id)?;
        let message = message.ok_or_else(|| {
            unfound(
                "no-message",
                Text::new(
                    format!("the publisher ended with 0, and its id is in no message of the queue {name}"),
                    format!("发布程序以 0 退出，队列 {name} 里却没有带编号的消息"),
                ),
                hint,
            )
        })?;
        Ok((published.noted, message))
    }

    /// Starts the publisher on a relay, and waits for its end.
    fn publish(&self, id: &str, mode: Mode, patience: Duration) -> Result<Published, Fault> {
        let mut relay = Relay::open(self.context, mode)?;
        let command = self.check.command(relay.port(), id);
        let mut publisher = Worker::new(self.context, Some(self.folder), command);
        publisher.start()?;
        let end = self.context.monotonic() + patience;
        let exit = loop {
            relay.turn(self.context);
            let exit = publisher.exit();
            if exit.is_some() || self.context.monotonic() > end {
                break exit;
            }
        };
        // What it said last may still be on its way to the broker.
        for _ in 0..10 {
            relay.turn(self.context);
        }
        publisher.kill();
        Ok(Published { exit, noted: relay.noted, said: publisher.last_words("") })
    }

    /// The message with this id, fetched and not answered; the others are put back.
    fn fetched(&mut self, queue: &str, id: &str) -> Result<Option<Fetched>, Fault> {
        let Some(most) = self.broker.queue(queue)?.map(|queue| queue.ready) else { return Ok(None) };
        let (mut found, mut others) = (None, Vec::new());
        for _ in 0..most {
            let Some(fetched) = self.broker.get(queue)? else { break };
            if String::from_utf8_lossy(&fetched.body).contains(id) {
                found = Some(fetched);
                break;
            }
            others.push(fetched);
        }
        for other in &others {
            self.broker.put_back(other)?;
        }
        Ok(found)
    }

    /// Takes what is left of ours out of the learner's queues.
    fn clean(&mut self) {
        // What this session holds is given back with its end.
        let Ok(broker) = Broker::open(self.context, TARGET, &self.check.login()) else { return };
        self.broker = broker;
        self.context.sleep(LOOK);
        for name in [&self.check.queue, &self.check.dead] {
            if let Ok(Some(queue)) = self.broker.queue(name) {
                let is_ours = |body: &[u8]| {
                    let body = String::from_utf8_lossy(body);
                    self.ids.iter().any(|id| body.contains(id.as_str()))
                };
                let _ = self.broker.sweep(name, queue.ready, is_ours);
            }
        }
    }
}

/// How a program ended, in words.
fn ended(exit: Option<Exit>) -> Text {
    match exit {
        None => Text::new("did not end", "没有结束"),
        Some(Exit { code: Some(code), .. }) => {
            Text::new(format!("ended with {code}"), format!("以 {code} 退出"))
        }
        Some(_) => Text::new("was killed", "被杀掉了"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_is_escaped() {
        assert_eq!(escaped("/"), "%2F");
        assert_eq!(escaped("a-b.c_d~9@:中"), "a-b.c_d~9%40%3A%E4%B8%AD");
    }
}
