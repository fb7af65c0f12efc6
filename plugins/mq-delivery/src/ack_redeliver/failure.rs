//! What becomes of a message whose work fails: it is tried again or put aside, and never acknowledged as if it were done.

use std::time::Duration;

use mustdo_plugin::{Fault, Text};

use super::{DEAD, FAILING, LOOK, PROGRAM, Run, SOON, contains};
use crate::amqp::Message;
use crate::effects::Place;
use crate::trouble::{failed, unfound};

/// What became of a message whose work failed.
pub(super) enum Kept {
    Retried,
    Returned,
    PutAside,
}

impl Run<'_, '_, '_> {
    /// Makes the work of one message fail: by what it asks for, where the learner says what that is, else by standing in
    /// the way of its effect.
    pub(super) fn failed_work(&mut self) -> Result<Kept, Fault> {
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
}

/// Why work could not be made to fail from outside, and how it can be from inside.
fn unobstructed(en: &str, zh: &str) -> Fault {
    let hint = FAILING.hint(
        "name a message whose work fails each time, and the queue where such messages end, for example:",
        "请写一条每次都会失败的消息，以及这种消息最后所在的队列，例如：",
    );
    unfound("failed-work", Text::new(en, zh), hint)
}
