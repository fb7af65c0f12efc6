//! `pipelined`: are several requests in one segment answered in order, each whole?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::{Message, Probe};
use crate::trouble::Trouble;

/// How long nothing may follow the last reply.
const QUIET: Duration = Duration::from_millis(100);

parameters! {
    /// How the server is spoken to, and how many requests are sent at once.
    pub struct Pipelined {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// How many requests are sent at once, for each try.
        batches: Vec<u32> = vec![1, 2, 50, 500],
    }
}

impl Check for Pipelined {
    const ID: &'static str = "pipelined";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "Requests sent together are answered one by one",
                "一起发来的请求逐个按顺序回应",
            ),
            description: Text::new(
                "Sends 1, 2, 50 and 500 different requests in one write: as many replies must come, whole and in order. Then one and a half requests, and the other half later. A good server takes every whole request out of its buffer and keeps the rest; TCP is a stream and keeps no borders (RFC 9293), and clients may pipeline (RFC 9112 9.3.2).",
                "一次写入 1、2、50、500 个不同的请求：必须收到同样多的回应，完整且按顺序。再发一个半请求，稍后补上另一半。好的服务器把缓冲区里每个完整的请求都取出来，剩下的留着；TCP 是字节流，没有边界（RFC 9293），客户端可以流水线发送（RFC 9112 9.3.2）。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(4),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "every request of a batch was answered in order",
            "每批请求都按顺序逐个回应",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl Pipelined {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let outcome = self.batches.iter().try_for_each(|count| send_batch(probe, *count));
        report.judge("batches", Need::Must, outcome, |()| {
            Text::new(
                format!("batches of {:?} requests were answered in order", self.batches),
                format!("{:?} 个一批的请求都按顺序回应", self.batches),
            )
        })?;
        let outcome = one_and_a_half(probe);
        report.judge("half-later", Need::Must, outcome, |()| {
            Text::new("half a request is kept until its other half comes", "半个请求会留到另一半到来")
        })
    }
}

fn messages(probe: &mut Probe<'_, '_>, count: u32) -> Vec<Message> {
    (0..count)
        .map(|_| {
            let length = probe.pick(8, 24);
            probe.word(length)
        })
        .collect()
}

fn send_batch(probe: &mut Probe<'_, '_>, count: u32) -> Result<(), Fault> {
    let messages = messages(probe, count);
    let requests: Vec<u8> = messages.iter().flat_map(|message| message.request.clone()).collect();
    let replies: Vec<u8> = messages.iter().flat_map(|message| message.reply.clone()).collect();
    let sent = Text::new(format!("sent {count} requests in one write"), format!("一次写入 {count} 个请求"));
    let outcome = probe.connect().and_then(|talk| {
        talk.exchange(probe.context(), &[&requests], &replies)?;
        talk.expect_quiet(probe.context(), QUIET)
    });
    outcome.map_err(|trouble| fault(&trouble, &sent, &messages))
}

fn one_and_a_half(probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    let messages = messages(probe, 2);
    let [first, second] = &messages[..] else { return Ok(()) };
    let (half, rest) = second.request.split_at(second.request.len() / 2);
    // An echo of bytes has no half requests: half of the reply comes at once.
    let known = if probe.dialect().has_borders() { 0 } else { half.len() };
    let sent = Text::new(
        "sent one and a half requests in one write, and the other half later",
        "一次写入一个半请求，稍后补上另一半",
    );
    let outcome = probe.connect().and_then(|talk| {
        talk.send(&[&first.request, half].concat())?;
        talk.expect(&first.reply)?;
        talk.expect(&second.reply[..known])?;
        talk.expect_quiet(probe.context(), QUIET)?;
        talk.send(rest)?;
        talk.expect(&second.reply[known..])
    });
    outcome.map_err(|trouble| fault(&trouble, &sent, &messages))
}

fn fault(trouble: &Trouble, sent: &Text, messages: &[Message]) -> Fault {
    let place = place(trouble, messages).map_or_else(
        || sent.clone(),
        |(reply, foreign)| {
            let swapped = foreign.map_or_else(
                || Text::same(""),
                |other| {
                    Text::new(
                        format!(", where the reply to request {other} came instead"),
                        format!("，在它的位置来的却是第 {other} 个请求的回应"),
                    )
                },
            );
            Text::new(
                format!("{}; wrong at reply {reply}{}", sent.en, swapped.en),
                format!("{}；第 {reply} 个回应不对{}", sent.zh, swapped.zh),
            )
        },
    );
    trouble.clone().fault(
        "pipeline-broken",
        &place,
        Text::new(
            "after each recv() take every whole request out of the buffer, answer them in order, each with its own end, and keep the rest for the next recv()",
            "每次 recv() 之后，把缓冲区里所有完整的请求依次取出并按顺序回应，每个回应都有自己的结尾，剩下的留给下一次 recv()",
        ),
    )
}

/// Which reply went wrong, counted from one, and which request's reply came in its place, if any.
fn place(trouble: &Trouble, messages: &[Message]) -> Option<(usize, Option<usize>)> {
    let (at, got) = match trouble {
        Trouble::Differs { at, got, .. } => (*at, &got[..]),
        Trouble::Ended(progress) | Trouble::Reset(progress) | Trouble::Silent(progress) => {
            (progress.came, &[][..])
        }
        Trouble::Extra(_)
        | Trouble::Stuck(_)
        | Trouble::StaysOpen
        | Trouble::Slow(..)
        | Trouble::Refused(_)
        | Trouble::Host(_) => return None,
    };
    let mut start = 0;
    for (place, message) in messages.iter().enumerate() {
        let end = start + message.reply.len();
        if at < end {
            let came = [&message.reply[..at - start], got].concat();
            let foreign = messages.iter().position(|other| came.starts_with(&other.reply));
            return Some((place + 1, foreign.map(|other| other + 1)));
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_out_of_its_turn_is_named() {
        let message = |word: &str| {
            let reply = format!("{word}\n").into_bytes();
            Message { body: word.into(), request: reply.clone(), reply }
        };
        let messages = [message("abc"), message("axy"), message("azz")];
        let trouble = Trouble::Differs { at: 5, expected: b"xy\n".to_vec(), got: b"zz\naxy\n".to_vec() };
        assert_eq!(place(&trouble, &messages), Some((2, Some(3))));
        assert_eq!(place(&Trouble::StaysOpen, &messages), None);
    }
}
