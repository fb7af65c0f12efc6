//! `error-survival`: does a call that returns -1 leave the server alive?

use std::time::Duration;

use mustdo_plugin::tcp::Options;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::departure;
use crate::dialect::Dialect;
use crate::exhaustion;
use crate::probe::{Probe, SOCKET};
use crate::process::{bring_back, facts, unchanged};
use crate::talk::PATIENCE;
use crate::trouble::Trouble;

/// Messages after each kind of trouble.
const CONTROL: usize = 5;

/// How long a server has to die of it: one that answers just before it does has not survived.
const AFTERMATH: Duration = Duration::from_millis(200);

/// More than servers queue (SOMAXCONN was 128 for long).
const FLOOD: u32 = 200;

/// Bytes of nonsense.
const GARBAGE: usize = 64 << 10;

parameters! {
    /// How the server is spoken to, and how often it is treated badly.
    pub struct ErrorSurvival {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// How often each of the clients does it.
        #[range(5..=500)]
        times: u32 = 50,
    }
}

impl Check for ErrorSurvival {
    const ID: &'static str = "error-survival";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("Errors of one client leave the server alive", "一个客户端出错，服务器照常工作"),
            description: Text::new(
                "Clients that reset before the reply, also behind an end, and in the middle of a large one, that hang up at once, 200 at the same time, and nonsense of 64 KiB; after each kind five messages must be answered. With the permission to look at the process: it is still the same one, its descriptors are back, and, where it has few of them (start it with `ulimit -n 256`), it uses no processor time while it has none left. A good server looks at every -1: EPIPE and ECONNRESET end one connection, EMFILE waits, and SIGPIPE is ignored.",
                "客户端在回应之前重置（包括先结束再重置）、在大回应中间重置、一连上就断开、200 个同时连接、发来 64 KiB 的乱码；每种之后五条消息都要得到回应。如果允许查看进程：仍是同一个进程，描述符也还了回去；如果描述符不多（用 `ulimit -n 256` 启动），用完时也不占用处理器。好的服务器检查每个 -1：EPIPE 和 ECONNRESET 只结束一个连接，EMFILE 就等一等，并忽略 SIGPIPE。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch(
                    "to see that your server is still the same process and keeps no descriptors, and to start it again should it die",
                ),
            ],
            typical: Duration::from_secs(15),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            "whatever clients did, the server went on",
            "不管客户端怎么做，服务器都照常工作",
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

/// One way to treat a server.
struct Storm {
    step: &'static str,
    act: fn(&mut Probe<'_, '_>, u32) -> Result<(), Trouble>,
    done: Text,
}

impl ErrorSurvival {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) {
        let before = facts(probe.context());
        for storm in self.storms() {
            let outcome = match (storm.act)(probe, self.times) {
                Err(Trouble::Host(failure)) => Err(Fault::from(failure)),
                // What becomes of the bad client is not asked.
                Ok(()) | Err(_) => Ok(()),
            };
            let outcome = outcome.and_then(|()| control(probe, &storm.done));
            if report.judge(storm.step, Need::Must, outcome, |()| storm.done.clone()).is_none() {
                bring_back(probe.context());
                return;
            }
        }
        let outcome = exhaustion::judge(probe);
        exhaustion::calm(probe);
        let done = Text::new("clients took every descriptor and left", "客户端占满描述符，然后离开");
        // A server that has died of it is told by what follows, and not by what could not be watched.
        let outcome = control(probe, &done).and(outcome);
        report.judge("out-of-descriptors", Need::Must, outcome, |full| {
            Text::new(
                format!(
                    "with {} descriptors it took nobody else, and used {:.0} % of a processor",
                    full.open_files,
                    full.load * 100.0
                ),
                format!(
                    "有 {} 个描述符时不再接受连接，占用处理器 {:.0}%",
                    full.open_files,
                    full.load * 100.0
                ),
            )
        });
        let outcome = unchanged(probe.context(), before);
        report.judge("same-process", Need::Must, outcome, |after| {
            Text::new(
                format!("the same process, with {} descriptors", after.open_files),
                format!("仍是同一个进程，有 {} 个描述符", after.open_files),
            )
        });
    }

    fn storms(&self) -> Vec<Storm> {
        let times = self.times;
        // The gentle ones first: what fails is named by the first that it can not take.
        vec![
            Storm {
                step: "hang-ups",
                act: hang_ups,
                done: Text::new(
                    format!("{times} clients connected and hung up at once"),
                    format!("{times} 个客户端一连上就断开"),
                ),
            },
            Storm {
                step: "flood",
                act: flood,
                done: Text::new(
                    format!("{FLOOD} clients were connected at the same time, and left"),
                    format!("{FLOOD} 个客户端同时连接，然后离开"),
                ),
            },
            Storm {
                step: "resets",
                act: departure::resets,
                done: Text::new(
                    format!("{times} clients sent a request and reset the connection"),
                    format!("{times} 个客户端发出请求后重置连接"),
                ),
            },
            Storm {
                step: "resets-in-reply",
                act: departure::resets_in_reply,
                done: Text::new(
                    "ten clients reset the connection in the middle of a large reply",
                    "10 个客户端在大回应中间重置连接",
                ),
            },
            Storm {
                step: "ends-and-resets",
                act: departure::ends_and_resets,
                done: Text::new(
                    "clients sent requests, ended their side and reset the connection before or in the middle of the reply",
                    "客户端发出请求、关闭发送方向，然后在回应之前或中间重置连接",
                ),
            },
            Storm {
                step: "garbage",
                act: garbage,
                done: Text::new(
                    format!("a client sent {GARBAGE} bytes of nonsense"),
                    format!("一个客户端发来 {GARBAGE} 字节的乱码"),
                ),
            },
        ]
    }
}

fn hang_ups(probe: &mut Probe<'_, '_>, times: u32) -> Result<(), Trouble> {
    (0..times).try_for_each(|_| probe.connect().map(drop))
}

fn flood(probe: &mut Probe<'_, '_>, _: u32) -> Result<(), Trouble> {
    let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
    let opened = probe.context().connect_many(SOCKET, &options, FLOOD).map_err(Trouble::of_connect)?;
    // Those that were refused are not missed; the others stay for a moment.
    probe.context().sleep(Duration::from_millis(300));
    drop(opened);
    Ok(())
}

fn garbage(probe: &mut Probe<'_, '_>, _: u32) -> Result<(), Trouble> {
    let nonsense: Vec<u8> =
        (0..GARBAGE / 8).flat_map(|_| probe.generator().number(0..u64::MAX).to_le_bytes()).collect();
    let talk = probe.connect()?;
    let mut sent = 0;
    for _ in 0..100 {
        sent += talk
            .connection()
            .write_some(&nonsense[sent..])
            .map_err(|failure| Trouble::of_write(failure, sent))?;
        if sent == nonsense.len() {
            break;
        }
        if talk.is_readable(probe.context(), Duration::from_millis(10)) {
            // An echo sends it back, and would stop if nobody read.
            let _ = talk.connection().receive(64 << 10);
        }
    }
    Ok(())
}

fn control(probe: &mut Probe<'_, '_>, done: &Text) -> Result<(), Fault> {
    probe.context().sleep(AFTERMATH);
    for _ in 0..CONTROL {
        probe.exchange_once().map_err(|trouble| {
            trouble.fault(
                "died-of-error",
                &Text::new(
                    format!("{}; then a new client sent a request", done.en),
                    format!("{}；然后一个新客户端发来请求", done.zh),
                ),
                Text::new(
                    "look at what each call returns: on -1 close that one connection and go on; ignore SIGPIPE, and never let an exception of one client leave the accept loop",
                    "检查每个调用的返回值：-1 时只关闭这一个连接，继续服务；忽略 SIGPIPE，不要让一个客户端的异常跳出 accept 循环",
                ),
            )
        })?;
    }
    Ok(())
}
