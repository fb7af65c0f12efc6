//! The queue of an application of Celery, at either kind of broker.

use mustdo_plugin::{Context, Fault, Text};

use super::message::Task;
use crate::amqp::{Broker, Login, Message};
use crate::redis::{Answer, Redis};

/// The tcp target.
pub(crate) const TARGET: &str = "broker";

/// Where kombu keeps what was taken from a queue in Redis and not acknowledged, and since when.
const UNACKED: &str = "unacked";
const UNACKED_INDEX: &str = "unacked_index";

/// Where tasks are put.
pub(crate) struct Queue {
    broker: Kind,
    name: String,
}

enum Kind {
    Amqp(Broker),
    Redis(Redis),
}

/// How a checklist or a learner writes it.
pub(crate) struct Place<'a> {
    /// `amqp` or `redis`.
    pub(crate) broker: &'a str,
    pub(crate) login: Login<'a>,
    pub(crate) database: u32,
    pub(crate) name: &'a str,
}

impl Queue {
    pub(crate) fn open(context: &Context<'_>, place: &Place<'_>) -> Result<Self, Fault> {
        let broker = match place.broker {
            "amqp" => Kind::Amqp(Broker::open(context, TARGET, &place.login)?),
            "redis" => {
                // Redis has one user by default, whom nobody names, and often no password.
                let Login { user, password, .. } = place.login;
                let login = if user == "guest" && password == "guest" { ("", "") } else { (user, password) };
                Kind::Redis(Redis::open(context, TARGET, login, place.database)?)
            }
            other => {
                return Err(Fault::inconclusive(Text::new(
                    format!("`broker` is \"amqp\" or \"redis\", and not \"{other}\""),
                    format!("`broker` 只能是 \"amqp\" 或 \"redis\"，不能是 \"{other}\""),
                )));
            }
        };
        Ok(Self { broker, name: place.name.to_owned() })
    }

    /// Whether what was taken and not acknowledged comes back only after a time, and not when its connection ends.
    pub(crate) fn hides_what_was_taken(&self) -> bool {
        matches!(self.broker, Kind::Redis(_))
    }

    pub(crate) fn send(&mut self, tasks: &[Task]) -> Result<(), Fault> {
        match &mut self.broker {
            Kind::Amqp(broker) => {
                let bodies: Vec<String> = tasks.iter().map(Task::body).collect();
                let messages: Vec<Message<'_>> = (tasks.iter().zip(&bodies))
                    .map(|(task, body)| Message {
                        headers: task.table(),
                        ..Message::json(&task.id, body.as_bytes())
                    })
                    .collect();
                broker.publish(&self.name, &messages)?;
            }
            Kind::Redis(redis) => {
                for task in tasks {
                    redis.number(&["LPUSH", &self.name, &task.envelope(&self.name)])?;
                }
            }
        }
        Ok(())
    }

    /// How many tasks wait; none where there is no such queue, which Redis can not tell from an empty one.
    pub(crate) fn waiting(&mut self) -> Result<Option<usize>, Fault> {
        let count = match &mut self.broker {
            Kind::Amqp(broker) => broker.queue(&self.name)?.map(|queue| i64::from(queue.ready)),
            Kind::Redis(redis) => Some(redis.number(&["LLEN", &self.name])?),
        };
        Ok(count.map(|count| usize::try_from(count).unwrap_or_default()))
    }

    /// Whether somebody takes tasks; none where the broker does not tell.
    pub(crate) fn is_consumed(&mut self) -> Result<Option<bool>, Fault> {
        match &mut self.broker {
            Kind::Amqp(broker) => {
                Ok(Some(broker.queue(&self.name)?.is_some_and(|queue| queue.consumers > 0)))
            }
            Kind::Redis(_) => Ok(None),
        }
    }

    /// How many of those that were taken and not acknowledged the broker keeps back; in AMQP it gives them back at once.
    pub(crate) fn kept_back(&mut self, ours: impl Fn(&[u8]) -> bool) -> Result<usize, Fault> {
        let Kind::Redis(redis) = &mut self.broker else { return Ok(0) };
        let Answer::Many(taken) = redis.ask(&["HVALS", UNACKED])? else { return Ok(0) };
        let is_ours = |answer: &&Answer| matches!(answer, Answer::Text(body) if ours(body.as_bytes()));
        Ok(taken.iter().filter(is_ours).count())
    }

    /// Takes out what is `ours`.
    pub(crate) fn clean(&mut self, ours: impl Fn(&[u8]) -> bool) -> Result<(), Fault> {
        match &mut self.broker {
            Kind::Amqp(broker) => {
                if let Some(queue) = broker.queue(&self.name)? {
                    broker.sweep(&self.name, queue.ready, ours)?;
                }
            }
            Kind::Redis(redis) => {
                let Answer::Many(messages) = redis.ask(&["LRANGE", &self.name, "0", "-1"])? else {
                    return Ok(());
                };
                for message in messages {
                    if let Answer::Text(message) = message
                        && ours(message.as_bytes())
                    {
                        redis.number(&["LREM", &self.name, "1", &message])?;
                    }
                }
                // What was taken and never came back.
                let Answer::Many(taken) = redis.ask(&["HGETALL", UNACKED])? else { return Ok(()) };
                for pair in taken.chunks_exact(2) {
                    if let [Answer::Text(tag), Answer::Text(message)] = pair
                        && ours(message.as_bytes())
                    {
                        redis.number(&["HDEL", UNACKED, tag])?;
                        redis.number(&["ZREM", UNACKED_INDEX, tag])?;
                    }
                }
            }
        }
        Ok(())
    }
}
