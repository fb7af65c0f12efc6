//! `udp`: are the borders and the senders of datagrams kept?

use std::time::Duration;

use mustdo_plugin::udp::Socket;
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters,
};

use crate::trouble::{excerpt, told};

const TARGET: &str = "datagram";

/// How long one datagram is waited for. On loopback it takes well below a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a datagram is sent before it counts as not answered: a full buffer may lose one.
const TRIES: usize = 3;

/// How long nothing may follow a reply.
const QUIET: Duration = Duration::from_millis(20);

/// Clients at once, each with an address of its own.
const CLIENTS: u8 = 50;

/// Datagrams without a pause: as many as the usual buffer of 208 KiB holds.
const BURST: usize = 200;

/// What may be lost of them.
const LOST: usize = BURST / 20;

parameters! {
    /// Which datagrams are sent.
    pub struct Udp {
        /// Bytes of the datagrams; 65507 is the most that IPv4 carries.
        sizes: Vec<u32> = vec![0, 1, 512, 1472, 9000, 65507],
    }
}

impl Check for Udp {
    const ID: &'static str = "udp";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "Datagrams keep their borders and their sender",
                "数据报保持边界，回应送回发送者",
            ),
            description: Text::new(
                "Sends datagrams of 0 to 65507 bytes: each must come back once, whole and by itself. Then 50 clients on addresses of their own, interleaved: each must get its own. Then 200 at once: none merged, at most one in twenty lost (costs score). A good server answers each recvfrom() by one sendto() with the same bytes to that address (RFC 862, RFC 768). Bind target `datagram` to its address.",
                "发送 0 到 65507 字节的数据报：每个都要单独、完整地返回一次。然后 50 个客户端用各自的地址交错发送：每个都要收到自己的。再一次发 200 个：不能合并，丢失不超过二十分之一（否则扣分）。好的服务器每次 recvfrom() 之后用 sendto() 把同样的字节送回那个地址（RFC 862、RFC 768）。请把目标 `datagram` 绑定到它的地址。",
            ),
            capabilities: vec![CapabilityRequest {
                capability: Capability::Udp(TARGET.to_owned()),
                reason: "to send datagrams to your server and hold its replies against them".to_owned(),
                required: true,
            }],
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "every datagram came back whole, and to its sender",
            "每个数据报都完整地回到了发送者",
        ));
        self.judge(context, &mut report);
        report
    }
}

impl Udp {
    fn judge(&self, context: &mut Context<'_>, report: &mut Report) -> Option<()> {
        let outcome = greet(context);
        let socket = report.judge("answers", Need::Must, outcome, |_| {
            Text::new("the server sends a datagram back", "服务器会送回数据报")
        })?;
        let mut sizes = self.sizes.clone();
        context.generator().shuffle(&mut sizes);
        let outcome = sizes.iter().try_for_each(|size| try_size(context, &socket, *size as usize));
        report.judge("borders", Need::Must, outcome, |()| {
            Text::new(
                format!("datagrams of {:?} bytes came back whole", self.sizes),
                format!("{:?} 字节的数据报都完整返回", self.sizes),
            )
        })?;
        let outcome = many_clients(context);
        report.judge("senders", Need::Must, outcome, |()| {
            Text::new(
                format!("{CLIENTS} clients each got their own"),
                format!("{CLIENTS} 个客户端各自收到自己的"),
            )
        })?;
        let outcome = burst(context, &socket);
        let lost = report.judge("burst-borders", Need::Must, outcome, |_| {
            Text::new(
                format!("{BURST} at once: none merged or changed"),
                format!("一次 {BURST} 个：没有合并或改变"),
            )
        })?;
        let outcome = if lost <= LOST {
            Ok(())
        } else {
            Err(Fault::fail(Text::new(
                format!("{lost} of {BURST} datagrams sent at once were lost"),
                format!("一次发送的 {BURST} 个数据报丢了 {lost} 个"),
            )))
        };
        report.judge("burst-losses", Need::Should, outcome, |()| {
            Text::new(format!("{lost} of {BURST} were lost"), format!("{BURST} 个里丢了 {lost} 个"))
        })
    }
}

/// One datagram that comes back. Nothing is judged before; only a reply that holds the word shows a server that answers
/// wrongly.
fn greet(context: &mut Context<'_>) -> Result<Socket, Fault> {
    let socket = context.udp(TARGET, None)?;
    let word = context.generator().token(24).into_bytes();
    let mut silence = None;
    for _ in 0..TRIES {
        socket.send(&word)?;
        match socket.receive(PATIENCE) {
            Ok(reply) if reply == word => return Ok(socket),
            Ok(reply) if holds_part(&reply, &word) => {
                return Err(differs(
                    &Text::new("sent a datagram of 24 bytes", "发送 24 字节的数据报"),
                    &word,
                    &reply,
                ));
            }
            Ok(reply) => {
                return Err(Fault::inconclusive(Text::new(
                    format!(
                        "the reply to {} was {}: is target `{TARGET}` the port of your own server, which sends each datagram back?",
                        excerpt(&word),
                        excerpt(&reply)
                    ),
                    format!(
                        "对 {} 的回应是 {}：目标 `{TARGET}` 是你自己的、把数据报原样送回的服务器吗？",
                        excerpt(&word),
                        excerpt(&reply)
                    ),
                )));
            }
            Err(failure) => silence = Some(failure),
        }
    }
    Err(match silence {
        None | Some(Failure::TimedOut) => lost_words(),
        Some(failure) => failure.into(),
    })
}

fn lost_words() -> Fault {
    Fault::inconclusive(Text::new(
        format!(
            "no reply to {TRIES} datagrams: does a server run at target `{TARGET}`, and does it send each datagram back?"
        ),
        format!("{TRIES} 个数据报都没有回应：目标 `{TARGET}` 上有服务器在运行吗？它会把每个数据报送回吗？"),
    ))
}

fn try_size(context: &mut Context<'_>, socket: &Socket, size: usize) -> Result<(), Fault> {
    let sent = Text::new(format!("sent a datagram of {size} bytes"), format!("发送 {size} 字节的数据报"));
    let mut earlier: Vec<Vec<u8>> = Vec::new();
    for _ in 0..TRIES {
        let datagram = fresh(context, size);
        socket.send(&datagram)?;
        match await_own(socket, &datagram, &earlier)? {
            Some(reply) if reply == datagram => return nothing_else(socket, &sent),
            Some(reply) => return Err(differs(&sent, &datagram, &reply)),
            None => earlier.push(datagram),
        }
    }
    let came = Text::new(format!("no reply, {TRIES} times"), format!("{TRIES} 次都没有回应"));
    Err(failed("not-answered", &sent, &came))
}

/// The next reply that is not a late one to an earlier try; none when the time is over.
fn await_own(socket: &Socket, datagram: &[u8], earlier: &[Vec<u8>]) -> Result<Option<Vec<u8>>, Fault> {
    loop {
        match socket.receive(PATIENCE) {
            Ok(reply) if reply != datagram && earlier.contains(&reply) => {}
            Ok(reply) => return Ok(Some(reply)),
            Err(Failure::TimedOut | Failure::Unreachable(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
    }
}

fn nothing_else(socket: &Socket, sent: &Text) -> Result<(), Fault> {
    match socket.receive(QUIET) {
        Ok(extra) => {
            let came = Text::new(
                format!("behind the reply came another datagram, {}", excerpt(&extra)),
                format!("回应之后又来了一个数据报 {}", excerpt(&extra)),
            );
            Err(failed("split", sent, &came))
        }
        Err(Failure::TimedOut) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// Everybody sends, in a seeded order; then everybody listens.
fn many_clients(context: &mut Context<'_>) -> Result<(), Fault> {
    let mut clients = Vec::new();
    for host in 2..2 + CLIENTS {
        clients.push(context.udp(TARGET, Some(&format!("127.0.0.{host}")))?);
    }
    let sent = Text::new(
        format!("{CLIENTS} clients sent a datagram each, interleaved"),
        format!("{CLIENTS} 个客户端交错地各发一个数据报"),
    );
    let words: Vec<Vec<u8>> = clients.iter().map(|_| context.generator().token(20).into_bytes()).collect();
    let mut waiting: Vec<usize> = (0..clients.len()).collect();
    for _ in 0..TRIES {
        context.generator().shuffle(&mut waiting);
        for place in &waiting {
            clients[*place].send(&words[*place])?;
        }
        let mut missing = Vec::new();
        for place in waiting {
            match clients[place].receive(if missing.is_empty() { PATIENCE } else { QUIET }) {
                Ok(reply) if reply == words[place] => {}
                Ok(reply) => return Err(foreign(&sent, place, &reply, &words)),
                Err(Failure::TimedOut | Failure::Unreachable(_)) => missing.push(place),
                Err(other) => return Err(other.into()),
            }
        }
        waiting = missing;
        if waiting.is_empty() {
            return Ok(());
        }
    }
    let came = Text::new(
        format!("{} of them got no reply, {TRIES} times", waiting.len()),
        format!("其中 {} 个 {TRIES} 次都没有收到回应", waiting.len()),
    );
    Err(failed("no-reply-to-sender", &sent, &came))
}

fn foreign(sent: &Text, place: usize, reply: &[u8], words: &[Vec<u8>]) -> Fault {
    let owner = words.iter().position(|word| word == reply);
    let came = owner.map_or_else(
        || {
            Text::new(
                format!("client {} got {}", place + 1, excerpt(reply)),
                format!("客户端 {} 收到 {}", place + 1, excerpt(reply)),
            )
        },
        |owner| {
            Text::new(
                format!("client {} got what client {} had sent", place + 1, owner + 1),
                format!("客户端 {} 收到了客户端 {} 发送的内容", place + 1, owner + 1),
            )
        },
    );
    failed("foreign-reply", sent, &came)
}

/// Many datagrams without a pause. Returns how many were not answered.
fn burst(context: &mut Context<'_>, socket: &Socket) -> Result<usize, Fault> {
    let sent = Text::new(format!("sent {BURST} datagrams at once"), format!("一次发送 {BURST} 个数据报"));
    let mut waiting: Vec<Vec<u8>> = (0..BURST).map(|_| context.generator().token(24).into_bytes()).collect();
    for datagram in &waiting {
        socket.send(datagram)?;
    }
    while !waiting.is_empty() {
        match socket.receive(PATIENCE / 2) {
            Ok(reply) => {
                let place = waiting.iter().position(|datagram| *datagram == reply);
                let place = place.ok_or_else(|| unsent(&sent, &reply))?;
                waiting.swap_remove(place);
            }
            Err(Failure::TimedOut) => break,
            Err(other) => return Err(other.into()),
        }
    }
    Ok(waiting.len())
}

fn unsent(sent: &Text, reply: &[u8]) -> Fault {
    let came = Text::new(
        format!("a datagram came that was not sent, or a second time: {}", excerpt(reply)),
        format!("收到一个没有发送过的、或重复的数据报：{}", excerpt(reply)),
    );
    failed("merged", sent, &came)
}

/// Bytes of which no two datagrams of a run have the same, unless they are very short.
fn fresh(context: &mut Context<'_>, size: usize) -> Vec<u8> {
    let words = size.div_ceil(8);
    (0..words).flat_map(|_| context.generator().number(0..u64::MAX).to_le_bytes()).take(size).collect()
}

fn holds_part(reply: &[u8], word: &[u8]) -> bool {
    let reply = reply.to_ascii_lowercase();
    word.windows(8).any(|part| reply.windows(8).any(|window| window == part))
}

fn differs(sent: &Text, datagram: &[u8], reply: &[u8]) -> Fault {
    let came = if datagram.starts_with(reply) {
        Text::new(
            format!("its first {} bytes came back, the rest was cut off", reply.len()),
            format!("只回来了前 {} 字节，后面被截掉了", reply.len()),
        )
    } else {
        Text::new(
            format!("{} bytes came back, another datagram: {}", reply.len(), excerpt(reply)),
            format!("回来的是另一个 {} 字节的数据报：{}", reply.len(), excerpt(reply)),
        )
    };
    failed("datagram-differs", sent, &came)
}

fn failed(code: &str, sent: &Text, came: &Text) -> Fault {
    let hint = Text::new(
        "recvfrom() into a buffer of 65,535 bytes, and sendto() exactly the bytes it returned to the address it gave; a datagram of 0 bytes is one, too, and no end",
        "用 65535 字节的缓冲区调用 recvfrom()，再用 sendto() 把它返回的那些字节送回它给出的地址；0 字节的数据报也是数据报，不表示结束",
    );
    let finding = Finding::new(Severity::Problem, format!("net.{code}"), told(sent, came))
        .at(Location::Endpoint(TARGET.to_owned()))
        .hint(hint);
    Fault::fail(told(sent, came)).with(finding)
}
