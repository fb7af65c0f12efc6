//! What a publisher claims of messages that the broker did not take.

use mustdo_plugin::{Fault, Text};

use super::relay::{Mode, Noted};
use super::{PROGRAM, REFUSED, Run};
use crate::trouble::failed;

impl Run<'_, '_, '_> {
    /// Refuses a message, and looks what the publisher says of that.
    pub(super) fn confirmed(&mut self, noted: &Noted) -> Result<(), Fault> {
        let hint = Text::new(
            "confirm_delivery() before you publish, wait for the broker's word, and end with an error or try again where it says no",
            "发布前先 confirm_delivery()，等服务器确认；被拒绝时以错误退出或者重试",
        );
        if noted.unconfirmed || !noted.confirmed {
            return Err(failed(
                PROGRAM,
                "unconfirmed",
                Text::new(
                    "the message was published without confirm.select or tx.select: whether the broker took it nobody knows",
                    "发布时没有用 confirm.select 或 tx.select：服务器收没收下，没有人知道",
                ),
                hint,
            ));
        }
        let id = self.ids[1].clone();
        let published = self.publish(&id, Mode::Refuse, REFUSED)?;
        if published.noted.published == 0 {
            return Err(Fault::inconclusive(Text::new(
                format!("the publisher published nothing the second time; it said: {}", published.said),
                format!("第二次发布程序什么也没有发布；它说：{}", published.said),
            )));
        }
        if !published.claims() {
            return Ok(());
        }
        Err(failed(
            PROGRAM,
            "refused",
            Text::new(
                "the broker refused a message (basic.nack), and the publisher ended with 0, as if all were well",
                "服务器拒绝了消息（basic.nack），发布程序却以 0 退出，好像一切正常",
            ),
            hint,
        ))
    }

    /// Lets a message reach no queue.
    pub(super) fn mandatory(&mut self, noted: &Noted) -> Result<(), Fault> {
        let hint = Text::new(
            "basic_publish(…, mandatory=True), and take what comes back (basic.return) for a failure: else a message without a queue is thrown away, and confirmed",
            "basic_publish(…, mandatory=True)，并把退回的消息（basic.return）当作失败：否则没有队列的消息会被丢掉，而且照样确认",
        );
        if noted.mandatory < noted.published {
            let came = Text::new(
                "the message is not mandatory: where no queue takes it, it is thrown away, and confirmed",
                "消息没有设置 mandatory：没有队列接收时会被丢掉，而且照样确认",
            );
            return Err(failed(PROGRAM, "mandatory", came, hint));
        }
        let id = self.ids[2].clone();
        let published = self.publish(&id, Mode::Return, REFUSED)?;
        if published.noted.published == 0 {
            return Err(Fault::inconclusive(Text::new(
                format!("the publisher published nothing the third time; it said: {}", published.said),
                format!("第三次发布程序什么也没有发布；它说：{}", published.said),
            )));
        }
        if !published.claims() {
            return Ok(());
        }
        let came = Text::new(
            "a message came back because no queue took it (basic.return), and the publisher ended with 0",
            "消息因为没有队列接收而被退回（basic.return），发布程序却以 0 退出",
        );
        Err(failed(PROGRAM, "mandatory", came, hint))
    }
}
