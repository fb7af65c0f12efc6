//! What survives: by how the queue and the message were made, by a rejection, and by a restart of the broker.

use mustdo_plugin::process::without;
use mustdo_plugin::{Fault, Text};

use super::relay::Mode;
use super::{ADVICE, LOOK, PATIENCE, PROGRAM, RESTART, Run, SOON};
use crate::amqp::{Broker, Fetched, PERSISTENT, TARGET};
use crate::trouble::{failed, unfound};

impl Run<'_, '_, '_> {
    pub(super) fn durable(&mut self) -> Result<(), Fault> {
        let name = self.check.queue.clone();
        let Some(words) = self.broker.is_passing(&name)? else { return Ok(()) };
        // A channel that was closed gives back what it held.
        Err(failed(
            PROGRAM,
            "durable",
            Text::new(
                format!("the queue {name} does not survive: {words}"),
                format!("队列 {name} 留不住：{words}"),
            ),
            Text::new(
                "queue_declare(queue, durable=True): neither exclusive nor auto_delete; a queue that is there keeps what it was made with, so delete it first",
                "queue_declare(queue, durable=True)：不要 exclusive，也不要 auto_delete；已有的队列不会改变参数，要先删掉",
            ),
        ))
    }

    /// Rejects the message and looks where it went.
    pub(super) fn dead_letter(&mut self, message: &Fetched) -> Result<(), Fault> {
        let (queue, dead, id) = (self.check.queue.clone(), self.check.dead.clone(), self.ids[0].clone());
        if dead.is_empty() {
            return Err(unfound(
                "dead-letter",
                Text::new("no dead-letter queue is named", "没有写明死信队列"),
                ADVICE.hint(
                    "give the queue an x-dead-letter-exchange and name the queue behind it with `dead`, for example:",
                    "给队列设置 x-dead-letter-exchange，并用 `dead` 写明它后面的队列，例如：",
                ),
            ));
        }
        // The question whether the queue is durable may have closed the channel that held it.
        let held = match self.fetched(&queue, &id)? {
            Some(again) => again,
            None => message.clone(),
        };
        self.broker.reject(&held)?;
        let end = self.context.monotonic() + SOON;
        while self.context.monotonic() < end {
            if let Some(found) = self.fetched(&dead, &id)? {
                let was_dead = found.was_dead;
                self.broker.remove(&found)?;
                if was_dead {
                    return Ok(());
                }
            }
            self.context.sleep(LOOK);
        }
        Err(failed(
            PROGRAM,
            "dead-letter",
            Text::new(
                format!("a message of {queue} was rejected, and did not come to the queue {dead}"),
                format!("队列 {queue} 的消息被拒绝之后，没有进入队列 {dead}"),
            ),
            Text::new(
                "declare the queue with the arguments x-dead-letter-exchange and x-dead-letter-routing-key",
                "声明队列时带上参数 x-dead-letter-exchange 和 x-dead-letter-routing-key",
            ),
        ))
    }

    /// Publishes a message and starts the broker again.
    pub(super) fn restarted(&mut self) -> Result<(), Fault> {
        let what = Text::new("restarting the broker", "重启消息服务器");
        // Also the question whether it may be done at all.
        self.context.restart(TARGET, RESTART).map_err(|failure| without(&what, &failure))?;
        self.broker = self.opened()?;
        let (queue, id) = (self.check.queue.clone(), self.ids[3].clone());
        let published = self.publish(&id, Mode::HandOn, PATIENCE)?;
        if !published.claims() {
            return Err(Fault::inconclusive(Text::new(
                format!("the publisher did not publish before the restart; it said: {}", published.said),
                format!("重启之前发布程序没有发布成功；它说：{}", published.said),
            )));
        }
        self.context.restart(TARGET, RESTART).map_err(|failure| Fault::inconclusive(failure.explain()))?;
        self.broker = self.opened()?;
        let survived = self.broker.queue(&queue)?.is_some() && self.fetched(&queue, &id)?.is_some();
        if survived {
            return Ok(());
        }
        Err(failed(
            PROGRAM,
            "restart",
            Text::new(
                "a message that was published was gone after a restart of the broker",
                "发布成功的消息在服务器重启后没有了",
            ),
            Text::new(
                "a durable queue, delivery_mode 2, and a broker that keeps its data on a disk",
                "durable 队列、delivery_mode 2，并且服务器要把数据保存在磁盘上",
            ),
        ))
    }

    /// A session with a broker that has just been started: its port may be open before it takes anybody.
    fn opened(&self) -> Result<Broker, Fault> {
        let end = self.context.monotonic() + RESTART;
        loop {
            match Broker::open(self.context, TARGET, &self.check.login()) {
                Err(_) if self.context.monotonic() < end => self.context.sleep(LOOK * 5),
                opened => return Ok(opened?),
            }
        }
    }
}

pub(super) fn persistent(message: &Fetched) -> Result<(), Fault> {
    if message.delivery_mode == Some(PERSISTENT) {
        return Ok(());
    }
    let mode = message.delivery_mode.map_or_else(|| "none".to_owned(), |mode| mode.to_string());
    Err(failed(
        PROGRAM,
        "persistent",
        Text::new(
            format!(
                "the message is not persistent (delivery_mode: {mode}): a restart of the broker loses it, also from a durable queue"
            ),
            format!("消息不是持久化的（delivery_mode：{mode}）：队列再 durable，服务器重启后它也没了"),
        ),
        Text::new("BasicProperties(delivery_mode=2)", "BasicProperties(delivery_mode=2)"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_a_mode_is_not_persistent() {
        let message = |delivery_mode| {
            let mut message = Fetched::default();
            message.delivery_mode = delivery_mode;
            message
        };
        assert_eq!(persistent(&message(Some(2))), Ok(()));
        assert!(persistent(&message(Some(1))).is_err() && persistent(&message(None)).is_err());
    }
}
