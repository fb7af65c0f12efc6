//! `dribble`: does reading one byte at a time work?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::{Message, Probe};
use crate::talk::Talk;
use crate::trouble::{Trouble, told, wrong};

/// A pause of somebody who types.
const LONG_PAUSE: Duration = Duration::from_millis(300);

parameters! {
    /// How the server is spoken to, and how slowly.
    pub struct Dribble {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Requests that are sent byte by byte.
        #[range(2..=100)]
        requests: u32 = 20,
        /// Milliseconds between two bytes.
        #[range(1..=50)]
        gap_ms: u32 = 2,
    }
}

impl Check for Dribble {
    const ID: &'static str = "dribble";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("A request may come one byte at a time", "请求可以一个字节一个字节地到"),
            description: Text::new(
                "Sends requests one byte a segment: each must be answered rightly, and not before it is complete; meanwhile another client must be served. A good server collects what recv() gives until a request is whole: reading fewer bytes than asked for is not an error, and TCP keeps no borders of writes.",
                "每个报文段只发一个字节：每个请求都要得到正确的回应，而且不能在请求完整之前回应；期间另一个客户端也要能得到服务。好的服务器把 recv() 读到的数据攒到请求完整为止：读到的比要的少并不是错误。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "requests that came byte by byte were answered",
            "逐字节到达的请求都得到了回应",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl Dribble {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let outcome = self.dribble_all(probe);
        report.judge("byte-by-byte", Need::Must, outcome, |()| {
            Text::new(
                format!("{} requests sent byte by byte were answered when they were whole", self.requests),
                format!("{} 个逐字节发送的请求都在完整之后得到回应", self.requests),
            )
        })?;
        let outcome = serve_another(probe);
        report.judge("others-served", Need::Must, outcome, |()| {
            Text::new(
                "another client was served while one was typing",
                "一个客户端慢慢发的时候，另一个得到了服务",
            )
        })?;
        let outcome = self.type_slowly(probe);
        report.judge("slow-typist", Need::Must, outcome, |()| {
            Text::new("pauses inside a request are waited for", "请求中间的停顿会等")
        })
    }

    fn dribble_all(&self, probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
        let talk = probe.connect().map_err(|trouble| fault(trouble, &opening()))?;
        let gap = Duration::from_millis(self.gap_ms.into());
        for count in 1..=self.requests {
            let length = probe.pick(6, 24);
            let message = probe.word(length);
            let sent = Text::new(
                format!("sent request {count} one byte a segment"),
                format!("第 {count} 个请求每段只发一个字节"),
            );
            dribble(probe, &talk, &message, |_| gap)
                .and_then(|()| talk.expect(&message.reply))
                .map_err(|trouble| early_or(trouble, &sent))?;
        }
        Ok(())
    }

    /// One request with pauses in it, one of them in front of its last byte.
    fn type_slowly(&self, probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
        let message = probe.word(12);
        let last = message.request.len() - 1;
        let pauses = [probe.pick(1, last / 2), probe.pick(last / 2 + 1, last), last];
        let gap = Duration::from_millis(self.gap_ms.into());
        let sent = Text::new(
            "sent a request byte by byte, with pauses of 300 ms",
            "逐字节发送一个请求，中间停顿几次，每次 300 毫秒",
        );
        let outcome = probe.connect().and_then(|talk| {
            dribble(probe, &talk, &message, |place| if pauses.contains(&place) { LONG_PAUSE } else { gap })?;
            talk.expect(&message.reply)
        });
        outcome.map_err(|trouble| early_or(trouble, &sent))
    }
}

/// Sends a request byte by byte, with `pause` in front of each but the first.
fn dribble(
    probe: &Probe<'_, '_>,
    talk: &Talk,
    message: &Message,
    pause: impl Fn(usize) -> Duration,
) -> Result<(), Trouble> {
    let bytes: Vec<&[u8]> = message.request.chunks(1).collect();
    probe.send_apart(talk, &bytes, pause)
}

/// One client stops in the middle of a request; another is served; then the first goes on.
fn serve_another(probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    let message = probe.word(16);
    let (first, second) = message.request.split_at(message.request.len() / 2);
    let half = Text::new("one client sent half a request", "一个客户端只发了半个请求");
    let talk = probe.connect().map_err(|trouble| fault(trouble, &opening()))?;
    talk.send(first).map_err(|trouble| fault(trouble, &half))?;
    // Until the server has read it, nobody waits for it.
    probe.context().sleep(LONG_PAUSE);
    let sent = Text::new(
        "one client sent half a request; then another sent a whole one",
        "一个客户端只发了半个请求，随后另一个发了完整的请求",
    );
    probe.exchange_once().map_err(|trouble| {
        trouble.fault(
            "others-wait",
            &sent,
            Text::new(
                "do not wait for one client alone: a thread for each connection, or an event loop that never blocks on one",
                "不要只等一个客户端：每个连接一个线程，或者使用不会阻塞在单个连接上的事件循环",
            ),
        )
    })?;
    let outcome = if probe.dialect().has_borders() {
        talk.send(second).and_then(|()| talk.expect(&message.reply))
    } else {
        talk.exchange(probe.context(), &[second], &message.reply)
    };
    outcome.map_err(|trouble| fault(trouble, &half))
}

fn opening() -> Text {
    Text::new("opened a connection", "打开一个连接")
}

/// A reply to less than a request has a name of its own.
fn early_or(trouble: Trouble, sent: &Text) -> Fault {
    if let Trouble::Extra(_) = trouble {
        let text = trouble.text();
        return wrong(
            "early-reply",
            Text::new(
                "the server answered before the request was complete",
                "请求还没有完整，服务器就回应了",
            ),
            told(sent, &text),
            hint(),
        );
    }
    fault(trouble, sent)
}

fn fault(trouble: Trouble, sent: &Text) -> Fault {
    trouble.fault("dribble-differs", sent, hint())
}

fn hint() -> Text {
    Text::new(
        "one recv() is not one request: append what it gives to a buffer of the connection, and take requests out only when they are whole",
        "一次 recv() 不等于一个请求：把读到的数据追加到该连接的缓冲区，完整了才取出请求",
    )
}
