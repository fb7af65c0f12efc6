//! `net` against the reference server of streams inside the tests, that of datagrams, the name server, the four sockets and the client.

use std::{collections::BTreeMap, net::TcpListener, time::Duration};

use mustdo::model::{Address, Launch, Place};
use mustdo_reference::{
    client, dns,
    tcp::{self, Flaw, Framing, Service},
    tuple, udp,
};
use serde_json::{Value, json};

use crate::launch::READY_TIMEOUT;

use super::{Column, Entangled, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told, reference};

pub(super) const PLUGIN: &str = "net";

/// The checks of a server of streams that one inside the tests can answer.
pub(super) const STREAM: [&str; 10] = [
    "echo",
    "exact-bytes",
    "dribble",
    "pipelined",
    "interleaved",
    "large-write",
    "half-close",
    "error-survival",
    "close-wait",
    "time-wait",
];

pub(super) fn columns(checks: &[&'static str]) -> Vec<Column> {
    checks.iter().map(|check| Column::new(check, json!({}))).collect()
}

/// The server inside this process.
fn stream(name: &str, summary: &str, kind: Kind, framing: Framing, flaw: Option<Flaw>) -> Row {
    Row::new(name, summary, kind, move || {
        let service =
            Service::bind(tcp::Options { framing, flaw }, ([127, 0, 0, 1], 0).into()).unwrap().spawn();
        Subject::tcp("socket", service.address()).asked_with(dialect(framing)).keeping(service)
    })
}

pub(super) fn dialect(framing: Framing) -> Value {
    let name = match framing {
        Framing::Line => "line",
        Framing::Echo => "echo",
        Framing::Len32 => "len32",
    };
    json!({ "dialect": name })
}

/// The check that a mistake was written for, from its name; none for a trap.
pub(super) fn own_check(name: &'static str) -> Option<&'static str> {
    let (check, _) = name.split_once('/').unwrap();
    (check != "trap").then_some(check)
}

fn kind(name: &'static str) -> Kind {
    own_check(name).map_or(Kind::Trap, |check| Kind::Flaw(vec![check]))
}

/// Mistakes that only a process shows, or a thousand connections.
pub(super) fn is_of_a_process(flaw: Flaw) -> bool {
    matches!(
        flaw,
        Flaw::NoReuseAddress
            | Flaw::SharesPort
            | Flaw::SpinsAfterEnd
            | Flaw::SpinsWhenFull
            | Flaw::Supervised
            | Flaw::KeepsUpstream
            | Flaw::LeaksHalfClosed
            | Flaw::Replaced
            | Flaw::SelectDies
            | Flaw::SetOverflow
            | Flaw::ShortQueue
            | Flaw::LastIsLate
    )
}

fn flawed(flaw: Flaw) -> Row {
    // Waiting replies cost memory and no byte: a `should`.
    let kind = if flaw == Flaw::Unbounded { Kind::Weak(vec!["large-write"]) } else { kind(flaw.name()) };
    let asked: Vec<&str> = STREAM.into_iter().filter(|column| !is_left_to_chance(flaw, column)).collect();
    let row = stream(flaw.name(), flaw.summary(), kind, flaw.framing(), Some(flaw)).only(&asked).slow();
    if flaw == Flaw::ReadErrorKills {
        // The step at which the server is gone is a matter of the moment.
        row.depending_on_load()
    } else if flaw == Flaw::ByteTimeout {
        // A busy machine makes pauses longer, where none was meant as well.
        row.depending_on_seed()
    } else {
        row
    }
}

/// Mistakes that other checks see as well, and why.
const ENTANGLED: &[(Flaw, &[&str], &str)] = &[
    (Flaw::Constant, OTHERS_THAN_ECHO, NO_REPLY),
    (Flaw::UpperCase, OTHERS_THAN_ECHO, NO_REPLY),
    (Flaw::DropsLastByte, OTHERS_THAN_ECHO, NO_REPLY),
    (
        Flaw::AddsNewline,
        &[
            "exact-bytes",
            "dribble",
            "pipelined",
            "interleaved",
            "large-write",
            "half-close",
            "close-wait",
            "time-wait",
        ],
        "the newline stands in front of the next reply or in the place of the end",
    ),
    (Flaw::StopsAtNul, &["echo"], "its frames carry every byte, too"),
    (
        Flaw::RequestedLength,
        &["echo", "dribble", "pipelined", "interleaved", "large-write"],
        "what was never received stands in front of the next request",
    ),
    (
        Flaw::Leftover,
        &["echo", "dribble", "pipelined", "interleaved"],
        "their replies are shorter than the ones before, too",
    ),
    (Flaw::ReceiveIsMessage, CUT_REQUESTS, CUT),
    (Flaw::ComparesReceived, CUT_REQUESTS, CUT),
    (Flaw::BlocksEverybody, &["large-write"], "the client that reads nothing is inside a request"),
    (Flaw::ByteTimeout, &["pipelined"], "the other half of a request comes a tenth of a second later"),
    (Flaw::FirstOnly, TOGETHER, "its requests come together"),
    (Flaw::LosesTail, &["large-write"], "its stream of requests is cut anywhere"),
    (Flaw::OutOfOrder, TOGETHER, "its requests come together"),
    (Flaw::Merged, TOGETHER, "its requests come together"),
    (Flaw::GlobalBuffer, &["large-write"], "another client speaks while one is inside a request"),
    (
        Flaw::Iterative,
        &["echo", "dribble", "large-write", "close-wait"],
        "it speaks on several connections at once",
    ),
    (Flaw::WriteErrorKills, &["interleaved"], LEAVERS),
    (Flaw::ReadErrorKills, &["interleaved"], LEAVERS),
    (Flaw::EndSpins, ENDS, END),
    (Flaw::NeverCloses, ENDS, END),
    (
        Flaw::Deaf,
        &[
            "echo",
            "exact-bytes",
            "dribble",
            "pipelined",
            "interleaved",
            "large-write",
            "half-close",
            "time-wait",
        ],
        "a second request, or the end, is never read",
    ),
    (Flaw::KeepsEnded, ENDED, END),
    (Flaw::IdleMinute, ENDED, END),
    (
        Flaw::ClosesFirst,
        &["echo", "exact-bytes", "dribble", "pipelined", "interleaved", "large-write"],
        "it sends several requests on one connection",
    ),
    (Flaw::Lingers, &["half-close"], "the reset comes where the end must come"),
];

const OTHERS_THAN_ECHO: &[&str] = &[
    "exact-bytes",
    "dribble",
    "pipelined",
    "interleaved",
    "large-write",
    "half-close",
    "error-survival",
    "close-wait",
    "time-wait",
];
const NO_REPLY: &str = "without one right reply nothing else is judged";
const CUT_REQUESTS: &[&str] = &["exact-bytes", "pipelined", "interleaved", "large-write", "half-close"];
const CUT: &str = "its requests come in pieces or together";
const TOGETHER: &[&str] = &["large-write", "half-close"];
const LEAVERS: &str = "clients leave in the middle of a request";
const ENDS: &[&str] = &["close-wait", "time-wait"];
const ENDED: &[&str] = &["half-close", "time-wait"];
const END: &str = "it waits for the server's end as well";

/// Whether nonsense, a busy machine or two clients at once bring the mistake out is a matter of the moment: not asked.
#[expect(clippy::wildcard_enum_match_arm, reason = "what all others do is certain")]
fn is_left_to_chance(flaw: Flaw, column: &str) -> bool {
    match flaw {
        Flaw::GlobalBuffer => ["dribble", "error-survival"].contains(&column),
        Flaw::ByteTimeout => ["exact-bytes", "interleaved", "large-write"].contains(&column),
        Flaw::StaleBuffer | Flaw::OneEndsAll | Flaw::BlocksEverybody => column == "error-survival",
        _ => false,
    }
}

fn matrix() -> Matrix {
    let mut rows = vec![
        stream("lines", "The good server of lines.", Kind::Good, Framing::Line, None),
        stream("bytes", "The good server of bytes.", Kind::Good, Framing::Echo, None),
        stream("frames", "The good server of frames.", Kind::Good, Framing::Len32, None),
    ];
    rows.extend(Flaw::ALL.iter().copied().filter(|flaw| !is_of_a_process(*flaw)).map(flawed));
    let entangled = ENTANGLED.iter().flat_map(|(flaw, columns, reason)| {
        columns.iter().map(|column| Entangled { row: flaw.name(), column, reason })
    });
    Matrix {
        plugin: PLUGIN,
        page: "net",
        introduction: "\
Every server is the reference server of streams, inside the test, with one thing different. The steps that look at its
process are left out here; they stand on the [page of processes](net-process.md).",
        columns: columns(&STREAM),
        rows,
        entangled: entangled.collect(),
    }
}

pub(super) fn launch(run: Vec<String>) -> Launch {
    let ready_timeout = READY_TIMEOUT;
    Launch { run, cwd: None, env: BTreeMap::new(), ready: None, ready_timeout }
}

/// A port whose next one is free as well, on both addresses and for both protocols, as far as one can know.
fn two_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = [("127.0.0.1", port.saturating_add(1)), ("127.0.0.2", port)];
        if others.iter().all(|(host, port)| TcpListener::bind((*host, *port)).is_ok()) {
            return port;
        }
    }
}

fn sockets(name: &str, summary: &str, kind: Kind, flaw: Option<tuple::Flaw>) -> Row {
    let row = Row::new(name, summary, kind, move || {
        let port = two_ports();
        let mut run = vec![reference().to_owned(), "tuple".to_owned(), port.to_string()];
        run.extend(flaw.map(|flaw| flaw.name().to_owned()));
        let at = |host: &str, port| Address { host: host.to_owned(), port: Some(port) };
        Subject::default()
            .with("socket", Place::Tcp(at("127.0.0.1", port)), Some(launch(run)))
            .with("other-address", Place::Tcp(at("127.0.0.2", port)), None)
            .with("other-port", Place::Tcp(at("127.0.0.1", port + 1)), None)
            .with("datagram", Place::Udp(at("127.0.0.1", port)), None)
    });
    row.only(&["socket-tuple"])
}

fn datagrams(name: &str, summary: &str, kind: Kind, flaw: Option<udp::Flaw>) -> Row {
    let row = Row::new(name, summary, kind, move || {
        let server = udp::start(flaw).unwrap();
        let address = Address { host: "127.0.0.1".to_owned(), port: Some(server.address().port()) };
        Subject::default().with("datagram", Place::Udp(address), None).keeping(server)
    });
    row.only(&["udp"])
}

fn names(name: &str, summary: &str, kind: Kind, flaw: Option<dns::Flaw>) -> Row {
    let row = Row::new(name, summary, kind, move || {
        let server = dns::start(flaw).unwrap();
        let address = Address { host: "127.0.0.1".to_owned(), port: Some(server.address().port()) };
        Subject::default()
            .with("dns", Place::Udp(address.clone()), None)
            .with("dns-tcp", Place::Tcp(address), None)
            .asked_with(json!({ "name": dns::NAME, "addresses": dns::ADDRESSES }))
            .keeping(server)
    });
    row.only(&["dns-round-robin"])
}

fn client(name: &str, summary: &str, kind: Kind, flaw: Option<client::Flaw>) -> Row {
    let row = Row::new(name, summary, kind, move || {
        let flaw: Vec<&str> = flaw.iter().flat_map(|flaw| ["--flaw", flaw.name()]).collect();
        let args = [&["client"], &flaw[..], &["**"]].concat();
        Subject::default().with_command("client", reference(), &args)
    });
    row.only(&["client-robust"])
}

fn others() -> Matrix {
    let mut rows = vec![
        datagrams("datagrams", "The good server of datagrams.", Kind::Good, None),
        names("names", "The good name server.", Kind::Good, None),
        sockets("sockets", "The good program with four sockets.", Kind::Good, None),
        client("client", "The good client.", Kind::Good, None),
    ];
    let prefixed = |program: &str, name: &str| name.replace("trap/", &format!("trap/{program}-"));
    for flaw in udp::Flaw::ALL {
        let name = prefixed("udp", flaw.name());
        rows.push(datagrams(&name, flaw.summary(), kind(flaw.name()), Some(*flaw)).slow());
    }
    for flaw in dns::Flaw::ALL {
        let name = prefixed("dns", flaw.name());
        // Not a matter of rotation: a `should`.
        let is_weak =
            matches!(flaw, dns::Flaw::UnknownExists | dns::Flaw::UnknownIsEmpty | dns::Flaw::NoOtherType);
        let kind = if is_weak { Kind::Weak(vec!["dns-round-robin"]) } else { kind(flaw.name()) };
        rows.push(names(&name, flaw.summary(), kind, Some(*flaw)).slow());
    }
    for flaw in tuple::Flaw::ALL {
        rows.push(sockets(flaw.name(), flaw.summary(), kind(flaw.name()), Some(*flaw)).slow());
    }
    for flaw in client::Flaw::ALL {
        rows.push(client(flaw.name(), flaw.summary(), kind(flaw.name()), Some(*flaw)).slow());
    }
    Matrix {
        plugin: PLUGIN,
        page: "net-other",
        introduction: "\
Four programs, each for one check: a server of datagrams and a name server inside the test, and a program with four sockets and
a client as processes of their own.",
        columns: columns(&["udp", "dns-round-robin", "socket-tuple", "client-robust"]),
        rows,
        entangled: vec![],
    }
}

#[test]
fn every_server_of_streams_is_told() {
    matrix().prove();
}

#[test]
fn every_other_program_is_told() {
    others().prove();
}

#[test]
fn no_verdict_about_a_good_program_depends_on_the_seed_or_on_what_else_runs() {
    matrix().repeat_the_good(3);
    others().repeat_the_good(3);
}

#[tokio::test]
async fn where_no_such_server_is_nothing_is_told() {
    let cases: [(Wrong, u64, &[&str]); 8] = [
        (Wrong::Closed, 2, &["is it running"]),
        (Wrong::Silent, 8, &["another protocol"]),
        (Wrong::Garbage, 3, &["speaks first"]),
        (Wrong::Web, 8, &["HTTP", "another protocol"]),
        (Wrong::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), 2, &["SSH"]),
        (Wrong::Says(b"220 mail ESMTP\r\n"), 2, &["SMTP"]),
        (Wrong::Says(b"J\0\0\0\n8.0.36\0\x08\0\0\0caching_sha2_password\0"), 2, &["MySQL"]),
        (Wrong::Says(b"\x15\x03\x01\0\x02\x02\x0a"), 2, &["TLS"]),
    ];
    let mut asked = columns(&STREAM);
    asked.extend(columns(&["beyond-select", "suite"]));
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::tcp("socket", address);
        expect_nothing_told(PLUGIN, &asked, wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

/// Real programs of the field, which nobody wrote for these checks.
#[cfg(feature = "live-servers")]
mod live {
    use std::{fs, path::Path, process::Command};

    use super::*;

    /// A server of streams that mustdo starts, asked in its dialect.
    fn server(name: &str, summary: &str, kind: Kind, dialect: Value, run: &[&str]) -> Row {
        let run: Vec<String> = run.iter().map(|&argument| argument.to_owned()).collect();
        Row::new(name, summary, kind, move || {
            let address = Address { host: "127.0.0.1".to_owned(), port: None };
            Subject::default()
                .with("socket", Place::Tcp(address), Some(launch(run.clone())))
                .asked_with(json!({ "dialect": dialect }))
        })
    }

    /// The server of lines in C, built for each row.
    fn compiled(name: &str, summary: &str, kind: Kind, flags: &'static [&str]) -> Row {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/net/lines.c");
        Row::new(name, summary, kind, move || {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("lines");
            let mut compiler = Command::new("cc");
            compiler.args(["-O1", "-pthread"]).args(flags).arg("-o").arg(&program).arg(&source);
            let built = compiler.output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            let run = vec![program.to_str().unwrap().to_owned(), "{port}".to_owned()];
            let address = Address { host: "127.0.0.1".to_owned(), port: None };
            Subject::default()
                .with("socket", Place::Tcp(address), Some(launch(run)))
                .asked_with(json!({ "dialect": "line" }))
                .keeping(folder)
        })
    }

    /// Three addresses for one name, and nothing else in its world: what `records` makes of a hosts file that has them.
    fn dnsmasq(name: &str, summary: &str, kind: Kind, records: fn(&str) -> Vec<String>) -> Row {
        let row = Row::new(name, summary, kind, move || {
            let hosts = tempfile::NamedTempFile::new().unwrap();
            let lines = dns::ADDRESSES.map(|address| format!("{address} {}\n", dns::NAME));
            fs::write(hosts.path(), lines.concat()).unwrap();
            let mut run: Vec<String> =
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="]
                    .map(str::to_owned)
                    .into();
            run.extend(["--no-resolv", "--no-hosts", "--bind-interfaces"].map(str::to_owned));
            run.extend(["--listen-address=127.0.0.1", "--port={port}"].map(str::to_owned));
            run.extend(["--local=/shop.test/", "--local-ttl=60", "--user="].map(str::to_owned));
            run.extend(records(hosts.path().to_str().unwrap()));
            let address = Address { host: "127.0.0.1".to_owned(), port: None };
            Subject::default()
                .with("dns", Place::Udp(address), Some(launch(run)))
                .asked_with(json!({ "name": dns::NAME, "addresses": dns::ADDRESSES }))
                .keeping(hosts)
        });
        row.only(&["dns-round-robin"])
    }

    fn name_servers() -> [Row; 3] {
        [
            dnsmasq("dnsmasq", "dnsmasq with three host records of one name.", Kind::Good, |_| {
                dns::ADDRESSES.map(|address| format!("--host-record={},{address}", dns::NAME)).into()
            }),
            dnsmasq(
                "dnsmasq-hosts",
                "dnsmasq with a hosts file, three lines for one name.",
                Kind::Good,
                |hosts| vec![format!("--addn-hosts={hosts}")],
            ),
            dnsmasq(
                "dnsmasq-hosts-in-order",
                "The same, answered in the order of the file (`no-round-robin`).",
                Kind::Flaw(vec!["dns-round-robin"]),
                |hosts| vec![format!("--addn-hosts={hosts}"), "--no-round-robin".to_owned()],
            ),
        ]
    }

    fn matrix() -> Matrix {
        let lines = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/net/lines.py");
        let redis = json!({
            "request": "*2\r\n$4\r\nECHO\r\n${length}\r\n{text}\r\n",
            "reply": "${length}\r\n{text}\r\n",
        });
        let mut rows = vec![
            server(
                "asyncio",
                "A server of lines in Python, with streams of asyncio.",
                Kind::Good,
                json!("line"),
                &["python3", lines.to_str().unwrap(), "{port}"],
            )
            .only(&[&STREAM[..], &["beyond-select", "suite"]].concat()),
            server(
                "redis",
                "redis-server, asked to ECHO. It keeps replies without a bound, which costs score in large-write.",
                Kind::Odd,
                redis,
                &["redis-server", "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            )
            .only(&[&STREAM[..], &["beyond-select"]].concat()),
            server(
                "socat",
                "socat, which starts cat for each connection.",
                Kind::Odd,
                json!("echo"),
                &["socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"],
            )
            // Its queue holds five that it has not accepted yet.
            .only(&["echo", "exact-bytes", "dribble", "interleaved", "half-close", "close-wait"]),
        ];
        rows.extend([
            compiled("lines.c", "A server of lines in C, a thread for each connection.", Kind::Good, &[])
                .only(&[&STREAM[..], &["beyond-select", "suite"]].concat()),
            compiled(
                "lines.c/sigpipe",
                "The same, which leaves SIGPIPE as it is.",
                Kind::Flaw(vec!["error-survival", "suite"]),
                &["-DFLAW_SIGPIPE"],
            )
            .only(&["error-survival", "suite"])
            .depending_on_seed(),
        ]);
        rows.extend(name_servers());
        let checks = [&STREAM[..], &["beyond-select", "suite", "dns-round-robin"]].concat();
        Matrix {
            plugin: PLUGIN,
            page: "net-live",
            introduction: "\
Real programs that nobody wrote for these checks: redis-server, socat and dnsmasq of Debian, and asyncio of Python; and a
server in C, because the runtimes of other languages keep SIGPIPE from them. mustdo starts each, so the steps that look at its
process are among these.",
            columns: columns(&checks),
            rows,
            entangled: vec![],
        }
    }

    #[test]
    fn real_programs_pass() {
        matrix().prove();
    }
}
