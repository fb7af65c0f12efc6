//! `client-robust`: does the learner's client survive a hostile server? The plugin is the server.

use std::time::Duration;

use mustdo_plugin::process::{Child, Command, Exit, Finished, Limits, Signal, without};
use mustdo_plugin::tcp::{Connection, Listener};
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{
    Capability, CapabilityRequest, Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters,
};

use crate::trouble::{excerpt, told};

/// The command target.
const PROGRAM: &str = "client";

/// How long a client may wait for a server that says nothing, and a little for starting.
const LIMIT: Duration = Duration::from_secs(13);

/// How long the server listens for a connection before it looks after the program again.
const TURN: Duration = Duration::from_millis(100);

/// What a runtime prints about a program that did not expect what happened.
const UNCAUGHT: [&str; 6] = [
    "Traceback (most recent call last)",
    "panicked at",
    "Exception in thread",
    "goroutine 1 [",
    "    at Object.<anonymous>",
    "core dumped",
];

parameters! {
    /// Nothing to set: the command target says it all.
    pub struct ClientRobust {}
}

impl Check for ClientRobust {
    const ID: &'static str = "client-robust";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("My client survives a hostile server", "我的客户端经得起恶意服务器"),
            description: Text::new(
                "Starts your client as `PROGRAM ADDRESS:PORT WORD WORD WORD`. For each word it must send the word as a line, read one line, and print that line; when a reply does not come, it must print an error on stderr and end with a code that is not 0. The server dribbles, coalesces, sends a mebibyte, breaks off, resets, says nothing (the client must give up within ten seconds), or is not there. Bind the command target `client`, with `args = [\"client.py\", \"**\"]` for instance.",
                "这样启动你的客户端：`程序 地址:端口 词 词 词`。对每个词，把它作为一行发出，读一行回应并打印这一行；得不到回应时，在 stderr 打印错误，并以非 0 退出。服务器会逐字节发送、合并发送、发 1 MiB、中途断开、重置、一言不发（客户端要在十秒内放弃），或者根本不存在。请绑定命令目标 `client`，例如 `args = [\"client.py\", \"**\"]`。",
            ),
            capabilities: vec![
                CapabilityRequest {
                    capability: Capability::Listen,
                    reason: "to be the server that your client connects to".to_owned(),
                    required: true,
                },
                CapabilityRequest {
                    capability: Capability::Process(PROGRAM.to_owned()),
                    reason: "to start your client and look at what it prints and how it ends".to_owned(),
                    required: true,
                },
            ],
            typical: Duration::from_secs(25),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "the right result or a clean error, whatever the server did",
            "不管服务器怎样，要么结果正确，要么报错干净",
        ));
        judge(context, &mut report);
        report
    }
}

/// What the server does with the second of the three words; the others are answered as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    Plain,
    Dribble,
    Large,
    Shorter,
    Coalesced,
    EndsAtOnce,
    EndsInReply,
    ResetsInReply,
    Silent,
    NobodyListens,
}

impl Scenario {
    const ALL: [Self; 10] = [
        Self::Plain,
        Self::Dribble,
        Self::Large,
        Self::Shorter,
        Self::Coalesced,
        Self::EndsAtOnce,
        Self::EndsInReply,
        Self::ResetsInReply,
        Self::Silent,
        Self::NobodyListens,
    ];

    fn id(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Dribble => "byte-by-byte",
            Self::Large => "one-mebibyte",
            Self::Shorter => "shorter-reply",
            Self::Coalesced => "more-than-asked",
            Self::EndsAtOnce => "ends-at-once",
            Self::EndsInReply => "ends-in-reply",
            Self::ResetsInReply => "resets-in-reply",
            Self::Silent => "silent",
            Self::NobodyListens => "nobody-listens",
        }
    }

    /// What the server did, in words.
    fn words(self) -> Text {
        match self {
            Self::Plain => Text::new("every reply came whole", "每个回应都完整到达"),
            Self::Dribble => Text::new("the reply came one byte at a time", "回应一个字节一个字节地到"),
            Self::Large => Text::new("the reply was a line of one mebibyte", "回应是 1 MiB 长的一行"),
            Self::Shorter => Text::new("the second reply was shorter than the first", "第二个回应比第一个短"),
            Self::Coalesced => Text::new("another line came behind the reply", "回应后面还跟着另一行"),
            Self::EndsAtOnce => Text::new("the server ended without a reply", "服务器没有回应就关闭"),
            Self::EndsInReply => {
                Text::new("the server ended in the middle of a reply", "服务器在回应中间关闭")
            }
            Self::ResetsInReply => {
                Text::new("the server reset the connection in a reply", "服务器在回应中间重置")
            }
            Self::Silent => {
                Text::new("the server took the request and said nothing", "服务器收下请求，一言不发")
            }
            Self::NobodyListens => Text::new("nobody listened on the port", "端口上没有服务器"),
        }
    }

    /// Whether a good client has all three results.
    fn can_succeed(self) -> bool {
        matches!(self, Self::Plain | Self::Dribble | Self::Large | Self::Shorter | Self::Coalesced)
    }
}

/// The three words of a run and their replies.
struct Script {
    words: [String; 3],
    replies: [String; 3],
}

impl Script {
    fn new(context: &mut Context<'_>, scenario: Scenario) -> Self {
        let generator = context.generator();
        let lengths = match scenario {
            Scenario::Large => [20, 1 << 20, 20],
            Scenario::Shorter => [200, 8, 30],
            Scenario::Plain
            | Scenario::Dribble
            | Scenario::Coalesced
            | Scenario::EndsAtOnce
            | Scenario::EndsInReply
            | Scenario::ResetsInReply
            | Scenario::Silent
            | Scenario::NobodyListens => [24, 28, 32],
        };
        let words = [(); 3].map(|()| generator.token(10));
        Self { words, replies: lengths.map(|length| generator.token(length)) }
    }
}

fn judge(context: &mut Context<'_>, report: &mut Report) -> Option<()> {
    let outcome = run(context, Scenario::Plain).and_then(|ran| first_run(&ran));
    report.judge(Scenario::Plain.id(), Need::Must, outcome, |()| {
        Text::new("a good server's replies were printed", "正常服务器的回应都打印了出来")
    })?;
    for (place, scenario) in (1_u16..).zip(Scenario::ALL.into_iter().skip(1)) {
        context.progress(Some(f32::from(place) / 10.0), scenario.id());
        let outcome = run(context, scenario).and_then(|ran| judge_run(scenario, &ran));
        report.judge(scenario.id(), Need::Must, outcome, |()| scenario.words());
    }
    Some(())
}

/// A run that is over.
struct Ran {
    script: Script,
    /// None where it had to be killed.
    finished: Option<Finished>,
    /// Whether it connected at all.
    connected: bool,
}

/// Starts the client and is its server until it ends.
fn run(context: &mut Context<'_>, scenario: Scenario) -> Result<Ran, Fault> {
    let script = Script::new(context, scenario);
    let listener = context.listen()?;
    let address = listener.local().to_string();
    let listener = if scenario == Scenario::NobodyListens {
        drop(listener);
        None
    } else {
        Some(listener)
    };
    let mut command = Command::new(PROGRAM).argument(address);
    for word in &script.words {
        command = command.argument(word.clone());
    }
    let what = Text::new("starting your client", "启动你的客户端");
    let child = context.start(&command).map_err(|failure| not_started(&what, &failure))?;
    let Served { connected, printed, hangs } = serve(context, listener.as_ref(), &child, scenario, &script)?;
    drop(listener);
    if hangs {
        return Ok(Ran { script, finished: None, connected });
    }
    let finished = match child.output(&Limits { time: Duration::from_secs(3), bytes: 4 << 20 }) {
        Ok(mut finished) => {
            finished.stdout = [printed, finished.stdout].concat();
            Some(finished)
        }
        Err(Failure::TimedOut) => None,
        Err(failure) => return Err(failure.into()),
    };
    Ok(Ran { script, finished, connected })
}

fn not_started(what: &Text, failure: &Failure) -> Fault {
    let fault = without(what, failure);
    // Without the client nothing can be told at all, so it is not skipped.
    Fault::inconclusive(fault.summary().clone())
}

/// What came of being the server for one run.
#[derive(Default)]
struct Served {
    /// Whether the client connected at all.
    connected: bool,
    /// What it has printed meanwhile: a client that prints a mebibyte would otherwise wait for somebody to read it.
    printed: Vec<u8>,
    /// The time was over and it still ran. It is killed before its connection is closed: the end would help it.
    hangs: bool,
}

/// Takes connections and answers lines until the program has ended or its time is over.
fn serve(
    context: &Context<'_>,
    listener: Option<&Listener>,
    child: &Child<'_>,
    scenario: Scenario,
    script: &Script,
) -> Result<Served, Fault> {
    let mut served = Served::default();
    let end = context.monotonic() + LIMIT;
    while child.wait(Duration::ZERO)?.is_none() {
        if context.monotonic() > end {
            child.signal(Signal::Kill)?;
            served.hangs = true;
            break;
        }
        served.printed.extend(child.printed()?);
        let Some(listener) = listener else {
            context.sleep(TURN);
            continue;
        };
        match listener.accept(TURN) {
            Ok(connection) => {
                served.connected = true;
                let visit = Visit { context, child, scenario, script, end };
                visit.answer(connection, &mut served)?;
            }
            Err(Failure::TimedOut) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(served)
}

/// One connection of the client's.
struct Visit<'run, 'host> {
    context: &'run Context<'host>,
    child: &'run Child<'host>,
    scenario: Scenario,
    script: &'run Script,
    end: Duration,
}

impl Visit<'_, '_> {
    /// Answers lines until either side ends.
    fn answer(&self, mut connection: Connection, served: &mut Served) -> Result<(), Fault> {
        connection.set_read_timeout(TURN);
        let mut heard = Vec::new();
        while self.context.monotonic() < self.end {
            match connection.receive(4_096) {
                Ok(bytes) if bytes.is_empty() => return Ok(()),
                Ok(bytes) => heard.extend(bytes),
                Err(Failure::TimedOut) => served.printed.extend(self.child.printed()?),
                // Whoever breaks off is looked at by how it ends.
                Err(_) => return Ok(()),
            }
            while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                let word = String::from_utf8_lossy(&line).trim().to_owned();
                let Some(place) = self.script.words.iter().position(|known| *known == word) else { continue };
                match self.reply(connection, place, &mut served.printed) {
                    Some(still) => connection = still,
                    None => return Ok(()),
                }
            }
        }
        // While the connection still stands.
        if self.child.wait(Duration::ZERO)?.is_none() {
            self.child.signal(Signal::Kill)?;
            served.hangs = true;
        }
        Ok(())
    }

    /// Sends the reply, or what the scenario has instead. None when that ended the connection.
    fn reply(&self, connection: Connection, place: usize, printed: &mut Vec<u8>) -> Option<Connection> {
        let reply = format!("{}\n", self.script.replies[place]);
        let half = &reply.as_bytes()[..reply.len() / 2];
        if place != 1 {
            return connection.send(reply.as_bytes()).is_ok().then_some(connection);
        }
        let still = match self.scenario {
            Scenario::Plain | Scenario::Shorter | Scenario::NobodyListens => {
                connection.send(reply.as_bytes())
            }
            Scenario::Large => self.send_slowly(&connection, reply.as_bytes(), 64 << 10, printed),
            Scenario::Dribble => self.send_slowly(&connection, reply.as_bytes(), 1, printed),
            Scenario::Coalesced => {
                let more = format!("{reply}{}\n", self.script.words[0].to_ascii_uppercase());
                connection.send(more.as_bytes())
            }
            Scenario::EndsAtOnce => return None,
            Scenario::EndsInReply => {
                // A client that has gone by itself is what its end will show.
                let _ = connection.send(half);
                return None;
            }
            Scenario::ResetsInReply => {
                let _ = connection.send(half);
                self.context.sleep(TURN);
                connection.reset();
                return None;
            }
            Scenario::Silent => Ok(()),
        };
        still.is_ok().then_some(connection)
    }

    fn send_slowly(
        &self,
        connection: &Connection,
        bytes: &[u8],
        step: usize,
        printed: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        for piece in bytes.chunks(step) {
            connection.send(piece)?;
            self.context.sleep(Duration::from_millis(4));
            printed.extend(self.child.printed()?);
        }
        Ok(())
    }
}

/// The run with a good server. Until it works, nothing is wrong with the client: it may be another program.
fn first_run(ran: &Ran) -> Result<(), Fault> {
    let finished = ran.finished.as_ref().ok_or_else(|| {
        Fault::inconclusive(Text::new(
            "the program did not end: it is started as `PROGRAM ADDRESS:PORT WORD WORD WORD`, prints a line for each word and ends",
            "程序没有结束：它以 `程序 地址:端口 词 词 词` 启动，每个词打印一行，然后结束",
        ))
    })?;
    if !ran.connected {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "the program made no connection to the address in its first argument{}",
                stderr_of(finished, ", and said ")
            ),
            format!("程序没有连接第一个参数里的地址{}", stderr_of(finished, "，它说 ")),
        )));
    }
    let lines = lines(finished);
    if finished.exit.is_success() && lines == ran.script.replies {
        return Ok(());
    }
    let got: Vec<String> = lines.iter().take(4).map(|line| excerpt(line.as_bytes())).collect();
    Err(Fault::inconclusive(Text::new(
        format!(
            "from a good server the program printed {got:?} and ended with {}; it must print the three replies, a line each, and end with 0",
            ending(finished.exit)
        ),
        format!(
            "面对正常的服务器，程序打印了 {got:?}，以 {} 结束；应该打印三个回应，每行一个，并以 0 结束",
            ending(finished.exit)
        ),
    )))
}

fn judge_run(scenario: Scenario, ran: &Ran) -> Result<(), Fault> {
    let fail = |came: Text| Err(failed(scenario, &came));
    let Some(finished) = &ran.finished else {
        return fail(Text::new(
            format!("the program still ran after {} s and was killed", LIMIT.as_secs()),
            format!("{} 秒后程序还没有结束，被杀掉了", LIMIT.as_secs()),
        ));
    };
    if !ran.connected && scenario != Scenario::NobodyListens {
        return Err(Fault::inconclusive(Text::new(
            "the program made no connection this time",
            "这一次程序没有连接",
        )));
    }
    let stderr = String::from_utf8_lossy(&finished.stderr);
    if finished.exit.signal.is_some() || UNCAUGHT.iter().any(|words| stderr.contains(words)) {
        return fail(Text::new(
            format!("the program crashed ({}){}", ending(finished.exit), stderr_of(finished, ": ")),
            format!("程序崩溃了（{}）{}", ending(finished.exit), stderr_of(finished, "：")),
        ));
    }
    let lines = lines(finished);
    let stranger = lines.iter().find(|line| !ran.script.replies.contains(line));
    if let Some(line) = stranger {
        return fail(Text::new(
            format!("the program printed {}, which no reply was", excerpt(line.as_bytes())),
            format!("程序打印了 {}，没有这样的回应", excerpt(line.as_bytes())),
        ));
    }
    let is_complete = lines == ran.script.replies;
    match (scenario.can_succeed(), finished.exit.is_success()) {
        (true, true) if is_complete => Ok(()),
        (true, _) => fail(Text::new(
            format!(
                "the program printed {} of 3 replies and ended with {}{}",
                lines.len(),
                ending(finished.exit),
                stderr_of(finished, ": ")
            ),
            format!(
                "程序打印了 3 个回应中的 {} 个，以 {} 结束{}",
                lines.len(),
                ending(finished.exit),
                stderr_of(finished, "：")
            ),
        )),
        (false, true) => fail(Text::new(
            "the program ended with 0, as if it had all the replies",
            "程序以 0 结束，好像收到了全部回应",
        )),
        (false, false) => Ok(()),
    }
}

fn lines(finished: &Finished) -> Vec<String> {
    let text = String::from_utf8_lossy(&finished.stdout);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// How it ended: `code 1` or `signal 11`.
fn ending(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no code".to_owned(),
    }
}

/// The last line of what it complained about, behind `before`; nothing where it did not.
fn stderr_of(finished: &Finished, before: &str) -> String {
    let text = String::from_utf8_lossy(&finished.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(String::new, |line| format!("{before}{}", line.chars().take(120).collect::<String>()))
}

fn failed(scenario: Scenario, came: &Text) -> Fault {
    let hint = if scenario == Scenario::Silent {
        Text::new(
            "give every connect and read a time-out (settimeout, SO_RCVTIMEO) of ten seconds at most",
            "给每个 connect 和 read 设置超时（settimeout、SO_RCVTIMEO），最多十秒",
        )
    } else {
        Text::new(
            "read until the newline has come; an empty read is the end and an error here; forget the buffer of the reply before, and turn every error into words on stderr and a code",
            "一直读到换行为止；读到空表示结束，在这里就是错误；不要沿用上一个回应的缓冲区；每种错误都在 stderr 说清楚，并返回非 0",
        )
    };
    let message = told(&scenario.words(), came);
    let finding = Finding::new(Severity::Problem, format!("net.client-{}", scenario.id()), message)
        .at(Location::Process(PROGRAM.to_owned()))
        .hint(hint);
    Fault::fail(told(&scenario.words(), came)).with(finding)
}
