//! `half-close`: is `read() == 0` understood?

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::Probe;
use crate::process::{Watched, waits};
use crate::talk::Talk;
use crate::trouble::{Trouble, excerpt, told, wrong};

/// Connections that have ended their side while the processor time is watched.
const ENDED: u32 = 20;

/// How often a client ends its side while its replies are due: what a server keeps of each must show.
const ROUNDS: usize = 8;

parameters! {
    /// How the server is spoken to.
    pub struct HalfClose {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
    }
}

impl Check for HalfClose {
    const ID: &'static str = "half-close";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("The end of a client is seen as one", "客户端结束时，服务器明白已经结束"),
            description: Text::new(
                "Sends a request and ends the sending side: the whole reply must still come, then the server's end. Half a request and an end: no reply as if it were whole, and an end. With the permission to look at the process: it must not spin. A good server takes a read of 0 bytes for the end of the file, answers what it has, and closes (RFC 9293 3.6).",
                "发送请求后关闭发送方向：完整的回应仍要到达，然后服务器也结束。只发半个请求就结束：不能当成完整请求来回应，并且要结束。如果允许查看进程：它不能空转。好的服务器把读到 0 字节当作结束，答完手上的请求就关闭（RFC 9293 3.6）。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch("to see that your server uses no processor time for clients that have ended"),
            ],
            typical: Duration::from_secs(8),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "an end was answered with the rest and an end",
            "对方结束后，发完剩下的回应并关闭",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            judge(&mut probe, &mut report);
        }
        report
    }
}

fn judge(probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
    let outcome = (0..ROUNDS).try_for_each(|_| whole_request(probe));
    report.judge("reply-then-end", Need::Must, outcome, |()| {
        Text::new("the reply came whole, then the end", "回应完整到达，然后连接结束")
    })?;
    let outcome = half_request(probe);
    report.judge("half-request", Need::Must, outcome, |()| {
        Text::new("half a request and an end brought an end", "半个请求之后结束，服务器也结束")
    });
    let outcome = idle(probe);
    report.judge("no-spin", Need::Must, outcome, |share| {
        Text::new(
            format!("{ENDED} ended connections cost {:.0} % of a processor", share * 100.0),
            format!("{ENDED} 个已结束的连接占用处理器 {:.0}%", share * 100.0),
        )
    });
    Some(())
}

/// A few requests in one write, then the end.
fn whole_request(probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    let messages: Vec<_> = (0..3).map(|_| probe.word(20)).collect();
    let requests: Vec<u8> = messages.iter().flat_map(|message| message.request.clone()).collect();
    let replies: Vec<u8> = messages.iter().flat_map(|message| message.reply.clone()).collect();
    let sent = Text::new("sent three requests and ended the sending side", "发送三个请求，然后关闭发送方向");
    let outcome = probe.connect().and_then(|talk| {
        talk.send(&requests)?;
        talk.finish()?;
        talk.expect(&replies)?;
        talk.expect_end()
    });
    outcome.map_err(|trouble| {
        trouble.fault(
            "end-misread",
            &sent,
            Text::new(
                "when recv() returns 0, answer what is already whole, then close() the connection",
                "recv() 返回 0 时，先答完已经完整的请求，再 close() 连接",
            ),
        )
    })
}

fn half_request(probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
    if !probe.dialect().has_borders() {
        return Err(Fault::skip(Text::new(
            "an echo of bytes has no half requests",
            "逐字节回显没有“半个请求”",
        )));
    }
    let message = probe.word(24);
    // For a line that is all but its end: the body is there, and only the border is missing.
    let cut = if message.request.ends_with(&message.body) {
        message.request.len() - message.body.len() / 2
    } else {
        message.request.len() - 1
    };
    let part = &message.request[..cut];
    let sent = Text::new(
        format!("sent {} and ended the sending side", excerpt(part)),
        format!("发送 {} 之后关闭发送方向", excerpt(part)),
    );
    let outcome = probe.connect().and_then(|talk| {
        talk.send(part)?;
        talk.finish()?;
        read_to_end(&talk)
    });
    let heard = outcome.map_err(|trouble| {
        trouble.fault(
            "end-misread",
            &sent,
            Text::new(
                "close the connection when recv() returns 0, also with half a request in the buffer",
                "recv() 返回 0 就关闭连接，缓冲区里有半个请求时也一样",
            ),
        )
    })?;
    let shorter = probe.dialect().reply(&message.body[..message.body.len() / 2]);
    if heard.starts_with(&message.reply) || heard.starts_with(&shorter) {
        let came = Text::new(
            format!("{} came, the reply to a whole request", excerpt(&heard)),
            format!("收到 {}，那是完整请求的回应", excerpt(&heard)),
        );
        return Err(wrong(
            "half-answered",
            Text::new("half a request was answered as if it were whole", "半个请求被当成完整的请求回应了"),
            told(&sent, &came),
            Text::new(
                "a request is whole when its border has come, not when the connection ends: a client that crashed must not have its half command run",
                "请求以边界为准，而不是以连接结束为准：崩溃的客户端发来的半条命令不应该被执行",
            ),
        ));
    }
    Ok(())
}

/// What comes until the server ends its side; a reset counts as an end here, since bytes were left unread.
fn read_to_end(talk: &Talk) -> Result<Vec<u8>, Trouble> {
    let mut heard = Vec::new();
    loop {
        match talk.connection().receive(4_096) {
            Ok(bytes) if bytes.is_empty() => return Ok(heard),
            Ok(bytes) if heard.len() < (64 << 10) => heard.extend(bytes),
            Ok(bytes) => return Err(Trouble::Extra(bytes)),
            Err(mustdo_plugin::Failure::Unreachable(_)) => return Ok(heard),
            Err(mustdo_plugin::Failure::TimedOut) => return Err(Trouble::StaysOpen),
            Err(other) => return Err(Trouble::Host(other)),
        }
    }
}

/// The share of a processor that the server takes for connections that have ended.
fn idle(probe: &mut Probe<'_, '_>) -> Result<f64, Fault> {
    let what = Text::new("watching the processor time of the server", "查看服务器的处理器时间");
    let watched = Watched::attach(probe.context(), &what)?;
    let sent = Text::new(
        format!("ended the sending side of {ENDED} connections"),
        format!("关闭 {ENDED} 个连接的发送方向"),
    );
    let opened = probe.connect_served(ENDED).and_then(|talks| {
        talks.iter().try_for_each(Talk::finish)?;
        Ok(talks)
    });
    let talks = opened.map_err(|trouble| trouble.fault("end-misread", &sent, Text::same("close()")))?;
    probe.context().sleep(Duration::from_millis(100));
    let load = watched.load(probe.context())?;
    drop(talks);
    let hint = Text::new(
        "a socket at its end is readable for ever: close it, or take it out of the set that is waited for",
        "到了结尾的套接字永远可读：关闭它，或者从等待的集合里去掉",
    );
    // Connections that ended before may make it spin already: what it took then is no measure.
    waits("spins", None, load, &sent, hint).map(|()| load.used)
}
