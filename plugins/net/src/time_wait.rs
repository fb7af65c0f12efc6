//! `time-wait`: is `TIME_WAIT` on the side that closes actively, and can the server restart at once?
//!
//! The side that ends first is the one that waits (RFC 9293 3.6): who ends first is seen from either side, so the rows of
//! the system's table, which belong to no process, are not needed.

use std::time::Duration;

use mustdo_plugin::process::without;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Parameter, Report, Text, parameters};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::probe::{Probe, SOCKET};
use crate::process::{Watched, bring_back};
use crate::talk::Talk;
use crate::trouble::{Trouble, told, wrong};

/// Exchanges whose ends are looked at, and connections that are open when the server is killed.
const EXCHANGES: u32 = 20;

/// How long a server that waits for the client's end is watched.
const WATCH: Duration = Duration::from_millis(60);

/// How long a restart may take. Linux keeps `TIME_WAIT` for a minute.
const RESTART: Duration = Duration::from_secs(10);

/// How long a server that could not restart is tried again, so that it is there for the next check.
const RECOVERY: Duration = Duration::from_secs(75);

/// How long a second copy may try to get the port, at least, and in starts of the first: gunicorn tries for five seconds.
const SECOND: Duration = Duration::from_secs(10);
const STARTS: u32 = 10;

/// Who ends a connection first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Closer {
    /// The client, when it has its reply.
    Client,
    /// The server, behind its reply.
    Server,
}

impl Parameter for Closer {
    fn schema() -> Value {
        json!({ "enum": ["client", "server"] })
    }
}

parameters! {
    /// How the server is spoken to, and who ends a connection.
    pub struct TimeWait {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        dialect: Dialect = Dialect::default(),
        /// Who closes actively: "client", or "server" where the server closes behind each reply.
        closer: Closer = Closer::Client,
        /// Whether copies of the server share the port on purpose, by SO_REUSEPORT, as workers that each have a queue of their own: then no second copy is tried.
        shares_port: bool = false,
    }
}

impl Check for TimeWait {
    const ID: &'static str = "time-wait";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new(
                "TIME_WAIT is where it belongs, and a restart works",
                "TIME_WAIT 在该在的一侧，并且能立即重启",
            ),
            description: Text::new(
                "Makes 20 exchanges and looks who ends first: that side waits in TIME_WAIT (RFC 9293 3.6), and a reset to avoid it is no way out. With the permission to restart the server: it is killed with 20 connections open, and must listen again at once on the same port; and a second copy that is started beside it must be refused the port. A good server sets SO_REUSEADDR before bind(), and SO_REUSEPORT only where copies share the port on purpose, `shares_port = true` (socket(7)).",
                "做 20 次交换，看谁先关闭：先关闭的一侧进入 TIME_WAIT（RFC 9293 3.6），用重置来躲开它不算数。如果允许重启服务器：在 20 个连接还开着时杀掉它，它必须马上能在同一端口重新监听；在旁边再启动一个副本时，副本必须拿不到这个端口。好的服务器在 bind() 之前设置 SO_REUSEADDR，只有本来就要共用端口时才设置 SO_REUSEPORT，并写 `shares_port = true`（socket(7)）。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch(
                    "to kill your server with connections open, start it again on the same port, and start a second copy beside it",
                ),
            ],
            typical: Duration::from_secs(25),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "the side that should closes first, and nothing stands in the way of a restart",
            "由该关闭的一侧先关闭，重启也没有障碍",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl TimeWait {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let outcome = (0..EXCHANGES).try_for_each(|_| self.exchange(probe));
        let side = match self.closer {
            Closer::Client => Text::new("the client", "客户端"),
            Closer::Server => Text::new("the server", "服务器"),
        };
        report.judge("who-closes", Need::Must, outcome, |()| {
            Text::new(
                format!("{} closed first, {EXCHANGES} times", side.en),
                format!("{EXCHANGES} 次都是{}先关闭", side.zh),
            )
        })?;
        let outcome = restart_at_once(probe);
        let start = report.judge("restart", Need::Must, outcome, |_| {
            Text::new(
                "killed with connections open, it listened again at once",
                "连接还开着时被杀，也能马上重新监听",
            )
        })?;
        let outcome = self.second_copy(probe, start);
        report.judge("second-copy", Need::Must, outcome, Clone::clone).map(drop)
    }

    /// One exchange, and who ends it.
    fn exchange(&self, probe: &mut Probe<'_, '_>) -> Result<(), Fault> {
        let message = probe.word(20);
        let sent = Text::new("exchanged a message and waited for the end", "交换一条消息，等待结束");
        let outcome = probe.connect().and_then(|talk| {
            talk.send(&message.request)?;
            talk.expect(&message.reply)?;
            Ok(talk)
        });
        let talk = outcome.map_err(|trouble| fault(trouble, &sent))?;
        match self.closer {
            Closer::Server => talk.expect_end().map_err(|trouble| fault(trouble, &sent)),
            Closer::Client => client_closes(probe, &talk, &sent),
        }
    }
}

impl TimeWait {
    /// What becomes of a second copy beside the first, whose start took `start`. What counts is who listens on the port, and
    /// not how a copy ends that was refused it.
    fn second_copy(&self, probe: &mut Probe<'_, '_>, start: Duration) -> Result<Text, Fault> {
        if self.shares_port {
            return Err(Fault::skip(Text::new(
                "not tried: copies share the port on purpose (`shares_port`)",
                "没有试：副本本来就共用端口（`shares_port`）",
            )));
        }
        let what = Text::new("starting a second copy of the server", "再启动一个服务器副本");
        let port = probe.connect().map_err(|trouble| fault(trouble, &what))?.connection().peer().port;
        let first = Watched::attach(probe.context(), &what)?;
        let second = Watched::beside(probe.context(), &what)?;
        let end = probe.context().monotonic() + SECOND.max(start * STARTS);
        let refused = loop {
            let has_ended = second.has_ended(Duration::from_millis(50))?;
            if second.listens(port)? {
                return Err(if first.listens(port)? { two_copies(port) } else { taken_over(probe) });
            }
            if has_ended {
                break Text::new(
                    "a second copy ended without listening on the port",
                    "第二个副本没有监听这个端口就退出了",
                );
            }
            if probe.context().monotonic() > end {
                break Text::new(
                    "a second copy runs, and does not listen on the port",
                    "第二个副本还在运行，但没有监听这个端口",
                );
            }
        };
        drop(second);
        if probe.exchange_once().is_err() {
            return Err(taken_over(probe));
        }
        Ok(refused)
    }
}

fn two_copies(port: u16) -> Fault {
    let came = Text::new(
        format!("the second one listens on port {port}, too: the system gives each a part of the clients"),
        format!("第二个也在监听端口 {port}：系统把客户端分给两边"),
    );
    let hint = Text::new(
        "leave SO_REUSEPORT out: SO_REUSEADDR is enough for a restart; or, if copies are meant to share the port, say `with = { shares_port = true }`",
        "不要设置 SO_REUSEPORT：重启只需要 SO_REUSEADDR；如果本来就要多个副本共用端口，请写 `with = { shares_port = true }`",
    );
    let sent = Text::new("started a second copy beside the first", "在第一个旁边启动了第二个副本");
    let summary = Text::new("two copies of the server listen at once", "两个服务器副本同时在监听");
    wrong("two-copies", summary, told(&sent, &came), hint)
}

/// The second copy has ended the first one, or broken it.
fn taken_over(probe: &Probe<'_, '_>) -> Fault {
    bring_back(probe.context());
    Fault::inconclusive(Text::new(
        "when a second copy was started, the first one answered no more, so whether both could listen was not seen",
        "启动第二个副本之后，第一个不再回应，所以没能看出两个能否同时监听",
    ))
}

fn client_closes(probe: &Probe<'_, '_>, talk: &Talk, sent: &Text) -> Result<(), Fault> {
    if talk.is_readable(probe.context(), WATCH) {
        talk.expect_end().map_err(|trouble| fault(trouble, sent))?;
        let came = Text::new(
            "the server closed first, so TIME_WAIT is on its side",
            "服务器先关闭了，TIME_WAIT 落在它那一侧",
        );
        let hint = Text::new(
            "keep the connection until recv() returns 0; or, if closing behind each reply is meant, say `with = { closer = \"server\" }`",
            "保持连接直到 recv() 返回 0；如果本来就打算每次回应后关闭，请写 `with = { closer = \"server\" }`",
        );
        return Err(wrong("other-closer", came.clone(), told(sent, &came), hint));
    }
    talk.finish().and_then(|()| talk.expect_end()).map_err(|trouble| fault(trouble, sent))
}

/// Kills the server with connections open and wants it back. Nothing is killed before a restart without any has worked.
///
/// Returns how long that first one took.
fn restart_at_once(probe: &mut Probe<'_, '_>) -> Result<Duration, Fault> {
    let what = Text::new(
        "killing and restarting the server, and a second copy beside it,",
        "杀掉并重启服务器，以及在旁边启动第二个副本，",
    );
    let began = probe.context().monotonic();
    probe.context().restart(SOCKET, RECOVERY).map_err(|failure| without(&what, &failure))?;
    let start = probe.context().monotonic().saturating_sub(began);
    let sent = Text::new(
        format!("killed the server with {EXCHANGES} connections open and started it again"),
        format!("在 {EXCHANGES} 个连接还开着时杀掉服务器，再启动它"),
    );
    let talks = probe.connect_served(EXCHANGES).map_err(|trouble| fault(trouble, &sent))?;
    let outcome = probe.context().restart(SOCKET, RESTART);
    drop(talks);
    if let Err(failure) = outcome {
        return Err(not_at_once(probe, &failure, &sent));
    }
    probe.exchange_once().map_err(|trouble| fault(trouble, &sent))?;
    Ok(start)
}

/// What a restart that did not work says, once the server is back.
fn not_at_once(probe: &Probe<'_, '_>, failure: &Failure, sent: &Text) -> Fault {
    let context = probe.context();
    let began = context.monotonic();
    let is_back = loop {
        if context.restart(SOCKET, RESTART).is_ok() {
            break true;
        }
        if context.monotonic().saturating_sub(began) > RECOVERY {
            break false;
        }
        context.sleep(Duration::from_secs(2));
    };
    if !is_back {
        return Fault::inconclusive(failure.explain());
    }
    let seconds = context.monotonic().saturating_sub(began).as_secs();
    let came = Text::new(
        format!("it could not listen again for about {seconds} s: its old connections are in TIME_WAIT"),
        format!("大约 {seconds} 秒之后才能重新监听：旧连接还在 TIME_WAIT"),
    );
    let hint = Text::new(
        "set SO_REUSEADDR on the listening socket before bind(); it lets bind() pass where only TIME_WAIT is left",
        "在 bind() 之前给监听套接字设置 SO_REUSEADDR：只剩 TIME_WAIT 时 bind() 就能成功",
    );
    wrong(
        "no-restart",
        Text::new("the server could not restart at once", "服务器不能马上重启"),
        told(sent, &came),
        hint,
    )
}

fn fault(trouble: Trouble, sent: &Text) -> Fault {
    trouble.fault(
        "close-broken",
        sent,
        Text::new(
            "end with close() and let TIME_WAIT be: SO_LINGER with 0 sends a reset, and what was on its way is lost",
            "正常 close()，不要躲避 TIME_WAIT：SO_LINGER 设为 0 会发送重置，路上的数据会丢",
        ),
    )
}
