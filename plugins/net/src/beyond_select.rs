//! `beyond-select`: more than 1024 descriptors?

use std::time::Duration;

use mustdo_plugin::tcp::Options;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::{Probe, SOCKET};
use crate::process::{Watched, bring_back};
use crate::talk::{PATIENCE, Talk};
use crate::trouble::{Trouble, told, wrong};

/// Connections that every server holds.
const FEW: u32 = 50;

/// Connections that are opened at once, so that no queue overflows.
const BATCH: u32 = 50;

/// How long opening them all may take: sixty a second.
const OPENING: Duration = Duration::from_secs(20);

parameters! {
    /// How the server is spoken to, and by how many.
    pub struct BeyondSelect {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Connections that are open at once. More than 1,024, or nothing is shown.
        #[range(1100..=7000)]
        connections: u32 = 1200,
    }
}

impl Check for BeyondSelect {
    const ID: &'static str = "beyond-select";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("More than 1024 connections at once", "同时超过 1024 个连接"),
            description: Text::new(
                "Holds 50 connections, then 1200, and asks on the last, the first and some others. select() knows descriptors below FD_SETSIZE, 1024, only (select(2)); epoll, kqueue, poll and threads know more. Start your server with `ulimit -n 4096` or more: with the usual 1024 it cannot hold them, and nothing can be told.",
                "先保持 50 个连接，再到 1200 个，在最后一个、第一个和另外几个上提问。select() 只认识小于 FD_SETSIZE（1024）的描述符（select(2)）；epoll、kqueue、poll 和线程没有这个限制。请用 `ulimit -n 4096` 或更大的值启动服务器：常见的 1024 不够，那样什么也判断不了。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch(
                    "to count the descriptors that your server holds, and to start it again should it die",
                ),
            ],
            typical: Duration::from_secs(15),
            exclusive: true,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new(
            format!("{} connections at once were served", self.connections),
            format!("同时 {} 个连接都得到服务", self.connections),
        ));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl BeyondSelect {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let mut talks = Vec::new();
        let outcome = hold(probe, &mut talks, FEW).and_then(|()| ask_some(probe, &talks));
        // What fifty connections show is another check's business.
        let outcome = outcome.map_err(|trouble| Fault::inconclusive(trouble.text()));
        report.judge("fifty", Need::Must, outcome, |()| {
            Text::new(format!("{FEW} connections were served"), format!("{FEW} 个连接都得到服务"))
        })?;
        let count = self.connections;
        let outcome = hold(probe, &mut talks, count).and_then(|()| ask_some(probe, &talks));
        let outcome = outcome.map_err(|trouble| self.explain(probe, &mut talks, trouble));
        drop(talks);
        let outcome = report.judge("beyond-1024", Need::Must, outcome, |()| {
            Text::new(format!("{count} connections were served"), format!("{count} 个连接都得到服务"))
        });
        let outcome = outcome.map(|()| probe.exchange_once().map_err(|trouble| self.fault(trouble)));
        let Some(outcome) = outcome else {
            if probe.exchange_once().is_err() {
                bring_back(probe.context());
            }
            return None;
        };
        report.judge("afterwards", Need::Must, outcome, |()| {
            Text::new("it serves when they have left", "它们离开之后仍正常服务")
        })
    }

    /// Whether it is the server that can not, or the limit on its descriptors that it was started with.
    fn explain(&self, probe: &mut Probe<'_, '_>, talks: &mut [Talk], trouble: Trouble) -> Fault {
        let is_silent = matches!(trouble, Trouble::Silent(_) | Trouble::Refused(_));
        let what = Text::same("");
        let held = Watched::attach(probe.context(), &what).ok().and_then(|watched| watched.facts().ok());
        let early_is_served = talks.first().is_some_and(|talk| ask(probe, talk).is_ok());
        if !is_silent || !early_is_served {
            return self.fault(trouble);
        }
        // A server at its limit holds 1024 descriptors, or a little less, and accepts no more.
        match held {
            Some(facts) if !(1_000..=1_024).contains(&facts.open_files) => self.fault(trouble),
            Some(_) | None => Fault::inconclusive(Text::new(
                format!(
                    "the first connections are served, the last of {} are not: either the server was started with a limit of 1024 descriptors, or it uses select(); start it with `ulimit -n 4096` and run this again",
                    self.connections
                ),
                format!(
                    "最早的连接有服务，{} 个里最后的没有：要么服务器启动时描述符上限是 1024，要么它用了 select()；请用 `ulimit -n 4096` 启动后重试",
                    self.connections
                ),
            )),
        }
    }

    fn fault(&self, trouble: Trouble) -> Fault {
        let text = trouble.text();
        if let Trouble::Host(failure) = trouble {
            return failure.into();
        }
        let sent = Text::new(
            format!("held {} connections and asked on some of them", self.connections),
            format!("保持 {} 个连接，在其中几个上提问", self.connections),
        );
        wrong(
            "beyond-select",
            Text::new(
                format!("with {} connections: {}", self.connections, text.en),
                format!("{} 个连接时：{}", self.connections, text.zh),
            ),
            told(&sent, &text),
            Text::new(
                "select() ends at descriptor 1023: wait with epoll, kqueue or poll, and listen with a backlog of 128 or more",
                "select() 到描述符 1023 为止：改用 epoll、kqueue 或 poll，listen 的 backlog 至少 128",
            ),
        )
    }
}

/// Opens connections until there are `count`.
fn hold(probe: &Probe<'_, '_>, talks: &mut Vec<Talk>, count: u32) -> Result<(), Trouble> {
    let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
    let end = probe.context().monotonic() + OPENING;
    while talks.len() < count as usize {
        if probe.context().monotonic() > end {
            return Err(Trouble::Slow(talks.len(), OPENING.as_secs()));
        }
        let missing = count - u32::try_from(talks.len()).unwrap_or(count);
        let opened = probe.context().connect_many(SOCKET, &options, missing.min(BATCH));
        for one in opened.map_err(Trouble::of_connect)? {
            talks.push(Talk::new(one.map_err(Trouble::of_connect)?));
        }
        // A moment for each fifty, so that the queue of those who wait does not overflow.
        probe.context().sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// One message on the last connection, the first and five others.
fn ask_some(probe: &mut Probe<'_, '_>, talks: &[Talk]) -> Result<(), Trouble> {
    let places: Vec<usize> = (1..talks.len() - 1).collect();
    let mut chosen = probe.generator().sample(&places, 5);
    chosen.extend([0, talks.len() - 1]);
    probe.generator().shuffle(&mut chosen);
    chosen.into_iter().try_for_each(|place| ask(probe, &talks[place]))
}

fn ask(probe: &mut Probe<'_, '_>, talk: &Talk) -> Result<(), Trouble> {
    let message = probe.word(20);
    talk.send(&message.request)?;
    talk.expect(&message.reply)
}
