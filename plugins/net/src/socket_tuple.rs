//! `socket-tuple`: do address, protocol and port together make the socket?

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::tcp::Options;
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters,
};

use crate::trouble::{excerpt, told};

/// The three listeners of streams: 127.0.0.1:P, 127.0.0.2:P, 127.0.0.1:P+1.
const STREAMS: [&str; 3] = ["socket", "other-address", "other-port"];

/// The socket of datagrams on 127.0.0.1:P.
const DATAGRAM: &str = "datagram";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Source addresses that are talked from, so that no answer can be prepared.
const SOURCES: std::ops::Range<u64> = 3..250;

parameters! {
    /// Nothing to set: the four targets say it all.
    pub struct SocketTuple {}
}

impl Check for SocketTuple {
    const ID: &'static str = "socket-tuple";

    fn info() -> CheckInfo {
        let asked = STREAMS.map(|name| Capability::Tcp(name.to_owned())).into_iter();
        CheckInfo {
            title: Text::new("A socket is address + protocol + port", "Socket = IP 地址 + TCP/UDP + 端口"),
            description: Text::new(
                "One program listens four times: tcp 127.0.0.1:P, udp 127.0.0.1:P, tcp 127.0.0.2:P and tcp 127.0.0.1:P+1; the targets `socket`, `datagram`, `other-address` and `other-port` lead there. Whatever is sent to one of them, a line or a datagram, it answers `MARKER ADDRESS:PORT` and a newline: a word of its own, and whom it saw. The four words must differ, and the address and port must be the client's (RFC 9293 3.3.1, RFC 768).",
                "一个程序监听四次：tcp 127.0.0.1:P、udp 127.0.0.1:P、tcp 127.0.0.2:P 和 tcp 127.0.0.1:P+1，分别对应目标 `socket`、`datagram`、`other-address`、`other-port`。不管收到一行还是一个数据报，都回应 `标记 地址:端口` 加换行：标记是这个监听自己的词，地址和端口是它看到的对方。四个标记必须不同，地址和端口必须是客户端的（RFC 9293 3.3.1、RFC 768）。",
            ),
            capabilities: asked
                .chain([Capability::Udp(DATAGRAM.to_owned())])
                .map(|capability| CapabilityRequest {
                    capability,
                    reason: "to ask each of the four sockets who it is and whom it sees".to_owned(),
                    required: true,
                })
                .collect(),
            typical: Duration::from_secs(5),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "four sockets, told apart by address, protocol and port",
            "四个套接字，由地址、协议和端口区分",
        ));
        judge(context, &mut report);
        report
    }
}

/// What a socket says: its word, and whom it saw.
struct Seen {
    marker: String,
    address: String,
    port: u16,
}

fn judge(context: &mut Context<'_>, report: &mut Report) -> Option<()> {
    let mut markers = Vec::new();
    for target in STREAMS {
        let outcome = ask_stream(context, target);
        markers.push(report.judge(target, Need::Must, outcome, |marker| saw(marker))?);
    }
    let outcome = ask_datagram(context);
    markers.push(report.judge(DATAGRAM, Need::Must, outcome, |marker| saw(marker))?);
    let different: BTreeSet<&String> = markers.iter().collect();
    let outcome = if different.len() == markers.len() {
        Ok(())
    } else {
        Err(failed(
            "socket",
            "same-marker",
            &Text::new("asked the four sockets who they are", "问四个套接字各是谁"),
            &Text::new(format!("they said {markers:?}"), format!("回答是 {markers:?}")),
        ))
    };
    report.judge("four-sockets", Need::Must, outcome, |()| {
        Text::new(format!("four different words: {markers:?}"), format!("四个不同的标记：{markers:?}"))
    })
}

fn saw(marker: &str) -> Text {
    Text::new(
        format!("\"{marker}\" saw the client's address and port"),
        format!("“{marker}”看到了客户端的地址和端口"),
    )
}

/// Two connections from addresses of their own; the same word and both clients must be told.
fn ask_stream(context: &mut Context<'_>, target: &str) -> Result<String, Fault> {
    let mut markers = Vec::new();
    for _ in 0..2 {
        let source = source(context);
        let options =
            Options { source: Some(source), no_delay: true, timeout: PATIENCE, ..Options::default() };
        let connection = context.tcp(target, &options)?;
        connection.send(b"who\n")?;
        let mut heard = Vec::new();
        while !heard.ends_with(b"\n") && heard.len() < 200 {
            match connection.receive(200) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => heard.extend(bytes),
                Err(failure) => return Err(failure.into()),
            }
        }
        let local = connection.local();
        markers.push(judge_seen(target, &heard, &local.address, Some(local.port))?);
    }
    same(target, &markers)
}

/// The port of a datagram socket is not known to the check: two sockets must be seen with two ports, and none is the
/// server's own.
fn ask_datagram(context: &mut Context<'_>) -> Result<String, Fault> {
    let mut markers = Vec::new();
    let mut ports = BTreeSet::new();
    let own = context.tcp(STREAMS[0], &Options::default())?.peer().port;
    let sources = [source(context), source(context)];
    let mut sockets = Vec::new();
    for source in &sources {
        sockets.push(context.udp(DATAGRAM, Some(source))?);
    }
    for (socket, source) in sockets.iter().zip(&sources) {
        let heard = (0..3).find_map(|_| {
            socket.send(b"who\n").ok()?;
            socket.receive(Duration::from_secs(1)).ok()
        });
        let heard = heard.ok_or_else(|| Fault::from(Failure::TimedOut))?;
        markers.push(judge_seen(DATAGRAM, &heard, source, None)?);
        ports.extend(read(&heard).map(|seen| seen.port));
    }
    if ports.len() < 2 || ports.contains(&own) {
        return Err(failed(
            DATAGRAM,
            "wrong-peer",
            &Text::new("sent a datagram from two sockets", "从两个套接字各发一个数据报"),
            &Text::new(
                format!("the ports {ports:?} were seen, where two that are not {own} must be"),
                format!("看到的端口是 {ports:?}，应该是两个、且都不是 {own}"),
            ),
        ));
    }
    same(DATAGRAM, &markers)
}

fn source(context: &mut Context<'_>) -> String {
    format!("127.0.0.{}", context.generator().number(SOURCES))
}

fn same(target: &str, markers: &[String]) -> Result<String, Fault> {
    match markers {
        [first, second] if first == second => Ok(first.clone()),
        _ => Err(Fault::inconclusive(Text::new(
            format!("target `{target}` said {markers:?}: its word must stay the same"),
            format!("目标 `{target}` 的回答是 {markers:?}：它的标记必须不变"),
        ))),
    }
}

fn judge_seen(target: &str, heard: &[u8], address: &str, port: Option<u16>) -> Result<String, Fault> {
    let Some(seen) = read(heard) else {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "target `{target}` answered {}; it must answer `MARKER ADDRESS:PORT` and a newline",
                excerpt(heard)
            ),
            format!("目标 `{target}` 的回应是 {}；应为 `标记 地址:端口` 加换行", excerpt(heard)),
        )));
    };
    if seen.address == address && port.is_none_or(|port| port == seen.port) {
        return Ok(seen.marker);
    }
    let own = port.map_or_else(|| address.to_owned(), |port| format!("{address}:{port}"));
    Err(failed(
        target,
        "wrong-peer",
        &Text::new(format!("asked from {own}"), format!("从 {own} 提问")),
        &Text::new(
            format!("the program saw {}:{}", seen.address, seen.port),
            format!("程序看到的是 {}:{}", seen.address, seen.port),
        ),
    ))
}

/// `MARKER ADDRESS:PORT`.
fn read(heard: &[u8]) -> Option<Seen> {
    let line = std::str::from_utf8(heard).ok()?.trim_end();
    let (marker, peer) = line.split_once(' ')?;
    let (address, port) = peer.trim().rsplit_once(':')?;
    // A dual-stack socket shows IPv4 clients in this form (RFC 4291 2.5.5.2).
    let address = address.trim_matches(['[', ']']).trim_start_matches("::ffff:");
    Some(Seen { marker: marker.to_owned(), address: address.to_owned(), port: port.parse().ok()? })
}

fn failed(target: &str, code: &str, sent: &Text, came: &Text) -> Fault {
    let hint = Text::new(
        "bind each socket to its own address, protocol and port, not to 0.0.0.0, and say what accept() or recvfrom() gives as the peer's address",
        "每个套接字绑定到自己的地址、协议和端口，不要用 0.0.0.0；对方的地址以 accept() 或 recvfrom() 给出的为准",
    );
    let finding = Finding::new(Severity::Problem, format!("net.{code}"), told(sent, came))
        .at(Location::Endpoint(target.to_owned()))
        .hint(hint);
    Fault::fail(told(sent, came)).with(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_word_and_a_peer() {
        let seen = read(b"first 127.0.0.5:4711\n").unwrap();
        assert_eq!((seen.marker.as_str(), seen.address.as_str(), seen.port), ("first", "127.0.0.5", 4711));
        assert_eq!(read(b"x [::ffff:127.0.0.5]:1\n").unwrap().address, "127.0.0.5");
        assert!(read(b"hello\n").is_none() && read(b"a b:c").is_none());
    }
}
