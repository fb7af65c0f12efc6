//! Messages that no worker likes: one that is no JSON, and those that come twice.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};

use super::{LOOK, PROGRAM, REST, Run, SOON};
use crate::amqp::Message;
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// A message that is no JSON, and others behind it.
    pub(super) fn poison(&mut self) -> Result<(), Fault> {
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
    pub(super) fn dead_letter(&mut self) -> Result<(), Fault> {
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
    pub(super) fn twice(&mut self) -> Result<(), Fault> {
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
}
