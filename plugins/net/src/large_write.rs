//! `large-write`: are short writes finished, and does a client that does not read slow down only itself?

use std::time::Duration;

use mustdo_plugin::tcp::Options;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::Probe;
use crate::talk::{PATIENCE, Talk};
use crate::trouble::{Trouble, wrong};

/// Small, so that the server's writes do not fit.
const RECEIVE_BUFFER: u32 = 16 << 10;

/// Bytes of one body: many messages make the stream, since one of 8 MiB would be too long for good servers.
const BODY: usize = 3_000;

/// What a server may take from a client that reads nothing: the system's own buffers, 6 MiB to receive and 4 MiB to send on
/// each side where Linux grows them, and as much again.
const BOUND: usize = 32 << 20;

/// How long a server that takes no more is watched before it counts as full.
const FULL: Duration = Duration::from_millis(400);

parameters! {
    /// How the server is spoken to, and how much at once.
    pub struct LargeWrite {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Mebibytes of replies. Below four the system's buffers may hold them all, and nothing is shown.
        #[range(4..=32)]
        mebibytes: u32 = 8,
        /// Milliseconds in which nothing is read.
        #[range(200..=5000)]
        pause_ms: u32 = 1000,
    }
}

impl Check for LargeWrite {
    const ID: &'static str = "large-write";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Short writes are finished", "写不完的会接着写完"),
            description: Text::new(
                "Asks for 8 MiB of replies, reads nothing for a second, then reads slowly: every byte must come, in order, and another client must be served meanwhile. A good server looks at what send() returns, waits for room (EAGAIN is not an error), and reads no further from a client that does not read: taking 32 MiB from one costs score.",
                "请求 8 MiB 的回应，先一秒不读，再慢慢读：每个字节都要按顺序到达，期间另一个客户端要得到服务。好的服务器会看 send() 的返回值，没有空间就等（EAGAIN 不是错误），客户端不读时也不再继续读它的请求：从这样的客户端收下 32 MiB 会扣分。",
            ),
            capabilities: vec![crate::reach()],
            typical: Duration::from_secs(10),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "a client that read late got every byte, and slowed down nobody else",
            "读得晚的客户端收到了每个字节，也没有拖慢别人",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

/// A stream of requests and of the only right replies.
struct Stream {
    requests: Vec<u8>,
    replies: Vec<u8>,
}

impl LargeWrite {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let stream = self.stream(probe);
        let outcome = self.offer(probe, &stream);
        let (talk, taken) = report.judge("reads-nothing", Need::Must, outcome, |(_, taken)| {
            Text::new(
                format!("the server took {taken} bytes from a client that read nothing"),
                format!("客户端什么都不读，服务器收下了 {taken} 字节"),
            )
        })?;
        let sent = Text::new(
            "while one client read nothing, another one sent a request",
            "一个客户端不读，另一个发来请求",
        );
        let outcome = probe.exchange_once().map_err(|trouble| {
            trouble.fault(
                "others-wait",
                &sent,
                Text::new(
                    "never block in send() where other clients wait: give each connection its own thread, or queue and write when there is room",
                    "不要在别人等待的地方阻塞于 send()：每个连接一个线程，或者排队、等可写时再写",
                ),
            )
        });
        report.judge("others-served", Need::Must, outcome, |()| {
            Text::new("another client was served meanwhile", "期间另一个客户端得到了服务")
        });
        let outcome = read_all(probe, &talk, &stream, taken);
        drop(talk);
        report.judge("every-byte", Need::Must, outcome, |()| {
            let bytes = stream.replies.len();
            Text::new(format!("all {bytes} bytes came, in order"), format!("{bytes} 字节全部按顺序到达"))
        })?;
        let outcome = Self::flood(probe, &stream);
        report.judge("bounded", Need::Should, outcome, |taken| {
            Text::new(
                format!("the server stopped reading after {taken} bytes"),
                format!("收下 {taken} 字节之后，服务器不再读取"),
            )
        });
        Some(())
    }

    fn stream(&self, probe: &mut Probe<'_, '_>) -> Stream {
        let bytes = (self.mebibytes as usize) << 20;
        let mut stream = Stream { requests: Vec::with_capacity(bytes), replies: Vec::with_capacity(bytes) };
        // A few bodies in an order that is new each time: making eight mebibytes of new ones would be the longest part.
        let messages: Vec<_> = (0..64).map(|_| probe.word(BODY)).collect();
        while stream.replies.len() < bytes {
            let message = &messages[probe.pick(0, messages.len() - 1)];
            stream.requests.extend(&message.request);
            stream.replies.extend(&message.reply);
        }
        stream
    }

    /// Sends as much as the server takes during the pause. Returns how much that was.
    fn offer(&self, probe: &Probe<'_, '_>, stream: &Stream) -> Result<(Talk, usize), Fault> {
        let pause = Duration::from_millis(self.pause_ms.into());
        let sent = Text::new("sent requests and read no reply", "只发请求，不读回应");
        let outcome = reader_to_be(probe).and_then(|talk| {
            let began = probe.context().monotonic();
            let taken = push(probe, &talk, &stream.requests, stream.requests.len(), pause)?;
            probe.context().sleep((began + pause).saturating_sub(probe.context().monotonic()));
            Ok((talk, taken))
        });
        outcome.map_err(|trouble| fault(trouble, &sent))
    }

    /// Sends on and on and reads nothing.
    fn flood(probe: &Probe<'_, '_>, stream: &Stream) -> Result<usize, Fault> {
        let outcome = reader_to_be(probe).and_then(|talk| {
            let taken = push(probe, &talk, &stream.requests, BOUND, FULL)?;
            talk.reset();
            Ok(taken)
        });
        match outcome {
            Ok(taken) if taken < BOUND => Ok(taken),
            // One that hangs up on such a client has a bound, too.
            Err(Trouble::Reset(_) | Trouble::Ended(_)) => Ok(0),
            Err(trouble) => Err(Fault::inconclusive(trouble.text())),
            Ok(taken) => Err(wrong(
                "unbounded-queue",
                Text::new(
                    format!(
                        "the server took {taken} bytes from a client that read nothing, and would take more"
                    ),
                    format!("客户端什么都不读，服务器却收下了 {taken} 字节，而且还会继续"),
                ),
                Text::new(
                    format!(
                        "sent {taken} bytes of requests, read no reply, and the server still read: the replies wait in its memory"
                    ),
                    format!(
                        "发送了 {taken} 字节的请求，一个回应也没有读，服务器仍在读取：回应都堆在它的内存里"
                    ),
                ),
                Text::new(
                    "stop reading from a client while its replies wait (asyncio: await writer.drain()), or end the connection at a limit",
                    "某个客户端的回应还没发完时，先不要再读它的请求（asyncio：await writer.drain()），或者到达上限就断开",
                ),
            )),
        }
    }
}

fn reader_to_be(probe: &Probe<'_, '_>) -> Result<Talk, Trouble> {
    probe.connect_with(&Options {
        receive_buffer: RECEIVE_BUFFER,
        no_delay: true,
        timeout: PATIENCE,
        ..Options::default()
    })
}

/// Writes the block again and again, up to `most` bytes, until the server has taken nothing for `full`.
fn push(
    probe: &Probe<'_, '_>,
    talk: &Talk,
    block: &[u8],
    most: usize,
    full: Duration,
) -> Result<usize, Trouble> {
    let mut taken = 0;
    let mut moved_at = probe.context().monotonic();
    while taken < most {
        let at = taken % block.len();
        let end = block.len().min(at + (256 << 10)).min(at + most - taken);
        let written = talk.connection().write_some(&block[at..end]);
        let written = written.map_err(|failure| Trouble::of_write(failure, taken))?;
        taken += written;
        let now = probe.context().monotonic();
        if written > 0 {
            moved_at = now;
        } else if now.saturating_sub(moved_at) >= full {
            break;
        } else {
            probe.context().sleep(Duration::from_millis(10));
        }
    }
    Ok(taken)
}

/// Reads a little at a time, then everything, sending what is left of the requests.
fn read_all(probe: &Probe<'_, '_>, talk: &Talk, stream: &Stream, taken: usize) -> Result<(), Fault> {
    let sent = Text::new(
        format!("sent {} bytes of requests, read nothing at first, then slowly", stream.requests.len()),
        format!("发送 {} 字节的请求，先不读，然后慢慢读", stream.requests.len()),
    );
    let slowly = 64 << 10;
    let (first, rest) = stream.replies.split_at(slowly);
    let outcome = first.chunks(4 << 10).try_for_each(|piece| {
        probe.context().sleep(Duration::from_millis(5));
        talk.expect(piece)
    });
    outcome
        .and_then(|()| talk.exchange(probe.context(), &[&stream.requests[taken..]], rest))
        .map_err(|trouble| fault(trouble, &sent))
}

fn fault(trouble: Trouble, sent: &Text) -> Fault {
    trouble.fault(
        "write-cut-short",
        sent,
        Text::new(
            "send() may take less than it was given: send the rest when there is room, and wait for room on EAGAIN instead of closing",
            "send() 可能只发出一部分：等有空间时把剩下的发完；遇到 EAGAIN 要等待，而不是关闭连接",
        ),
    )
}
