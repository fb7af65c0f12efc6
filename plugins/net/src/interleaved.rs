//! `interleaved`: do connections keep their own buffers?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::{Message, Probe};
use crate::talk::Talk;
use crate::trouble::{Trouble, excerpt, told, wrong};

/// Pieces that a request is cut into.
const PIECES: usize = 3;

parameters! {
    /// How the server is spoken to, and by how many at once.
    pub struct Interleaved {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Connections at once.
        #[range(4..=500)]
        connections: u32 = 40,
        /// How often each of them sends a request.
        #[range(1..=50)]
        rounds: u32 = 10,
    }
}

impl Check for Interleaved {
    const ID: &'static str = "interleaved";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Connections never mix", "连接之间互不干扰"),
            description: Text::new(
                "Cuts the requests of 40 connections into three pieces each and sends all pieces interleaved: each reply must carry its own connection's word. Then a quarter of the connections closes in the middle of a request; the others, and new ones that may get the same descriptors, must be answered rightly.",
                "把 40 个连接的请求各切成三段，交错发送：每个回应都必须是自己那个连接的内容。然后四分之一的连接在请求中间关闭；其余的连接，以及可能拿到相同描述符的新连接，都要得到正确的回应。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(6),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("no connection saw anything of another", "没有一个连接看到别人的数据"));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl Interleaved {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let count = self.connections;
        let opened = Text::new(
            format!("opened {count} connections, and sent a message on each"),
            format!("打开 {count} 个连接，各发一条消息"),
        );
        let talks = probe.connect_served(count).map_err(|trouble| fault(trouble, &opened));
        let outcome = talks.and_then(|talks| {
            for round in 1..=self.rounds {
                one_round(probe, &talks, round)?;
            }
            Ok(talks)
        });
        let mut talks = report.judge("own-replies", Need::Must, outcome, |_| {
            Text::new(
                format!("{count} connections got their own replies in {} rounds", self.rounds),
                format!("{count} 个连接在 {} 轮里都得到自己的回应", self.rounds),
            )
        })?;
        let outcome = leave_in_the_middle(probe, &mut talks);
        report.judge("leavers", Need::Must, outcome, |gone| {
            Text::new(
                format!(
                    "{gone} clients left in the middle of a request; the others and the next were served"
                ),
                format!("{gone} 个客户端在请求中间离开，其余的和后来的都得到正确的服务"),
            )
        })?;
        Some(())
    }
}

/// Each connection sends one request, all pieces of all of them in a seeded order that keeps each one's own.
fn one_round(probe: &mut Probe<'_, '_>, talks: &[Talk], round: u32) -> Result<(), Fault> {
    let messages: Vec<Message> = talks
        .iter()
        .map(|_| {
            let length = probe.pick(12, 40);
            probe.word(length)
        })
        .collect();
    let mut turns: Vec<usize> = (0..talks.len()).flat_map(|place| [place; PIECES]).collect();
    probe.generator().shuffle(&mut turns);
    let mut pieces: Vec<Vec<&[u8]>> = messages.iter().map(|message| cut(probe, message)).collect();
    let sent = Text::new(
        format!("round {round}: sent the pieces of {} requests interleaved", talks.len()),
        format!("第 {round} 轮：交错发送 {} 个请求的各段", talks.len()),
    );
    for place in turns {
        if let Some(piece) = pieces[place].pop() {
            talks[place].send(piece).map_err(|trouble| fault(trouble, &sent))?;
        }
    }
    for (place, (talk, message)) in talks.iter().zip(&messages).enumerate() {
        talk.expect(&message.reply).map_err(|trouble| foreign_or(trouble, place, &messages, &sent))?;
    }
    Ok(())
}

/// The pieces of a request, the last first.
fn cut<'message>(probe: &mut Probe<'_, '_>, message: &'message Message) -> Vec<&'message [u8]> {
    let length = message.request.len();
    let first = probe.pick(1, length / 2 - 1);
    let second = probe.pick(length / 2, length - 1);
    vec![&message.request[second..], &message.request[first..second], &message.request[..first]]
}

/// A quarter of the clients close inside a request, half of them by a reset; then everybody else is asked, and as many new
/// clients. Returns how many left.
fn leave_in_the_middle(probe: &mut Probe<'_, '_>, talks: &mut Vec<Talk>) -> Result<usize, Fault> {
    let leaving = talks.len() / 4;
    let sent = Text::new(
        format!(
            "{leaving} clients closed in the middle of a request; then the others and new ones sent one each"
        ),
        format!("{leaving} 个客户端在请求中间关闭；之后其余的和新来的各发一个请求"),
    );
    for (place, talk) in talks.split_off(talks.len() - leaving).into_iter().enumerate() {
        let message = probe.word(24);
        talk.send(&message.request[..message.request.len() / 2]).map_err(|trouble| fault(trouble, &sent))?;
        if place % 2 == 0 {
            talk.reset();
        }
    }
    // The descriptors of those that left are free when the server has seen it.
    probe.context().sleep(Duration::from_millis(50));
    let new = u32::try_from(leaving).unwrap_or_default();
    talks.extend(probe.connect_served(new).map_err(|trouble| fault(trouble, &sent))?);
    for talk in talks.iter() {
        let message = probe.word(24);
        talk.send(&message.request)
            .and_then(|()| talk.expect(&message.reply))
            .map_err(|trouble| fault(trouble, &sent))?;
    }
    Ok(leaving)
}

/// What came belongs to another connection: that has a name of its own.
fn foreign_or(trouble: Trouble, place: usize, messages: &[Message], sent: &Text) -> Fault {
    let Trouble::Differs { at, got, .. } = &trouble else { return fault(trouble, sent) };
    let came = [&messages[place].reply[..*at], got].concat();
    let holds =
        |other: &Message| other.body.windows(10).any(|part| came.windows(10).any(|window| window == part));
    let owner = messages.iter().enumerate().position(|(other, message)| other != place && holds(message));
    let Some(owner) = owner else { return fault(trouble, sent) };
    let message = Text::new(
        format!("connection {} got {}, which connection {} had sent", place + 1, excerpt(&came), owner + 1),
        format!("连接 {} 收到 {}，那是连接 {} 发送的", place + 1, excerpt(&came), owner + 1),
    );
    let summary =
        Text::new("a connection got what another one had sent", "一个连接收到了另一个连接发送的内容");
    wrong("cross-talk", summary, told(sent, &message), hint())
}

fn fault(trouble: Trouble, sent: &Text) -> Fault {
    trouble.fault("interleaved-differs", sent, hint())
}

fn hint() -> Text {
    Text::new(
        "keep one buffer for each connection, begin each with an empty one, and let an error of one client end that client only",
        "每个连接有自己的缓冲区，新连接从空的开始；一个客户端出错只结束它自己",
    )
}
