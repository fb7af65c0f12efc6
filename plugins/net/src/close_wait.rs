//! `close-wait`: do sockets pile up in `CLOSE_WAIT`?
//!
//! A connection is in `CLOSE_WAIT` from the client's FIN to the server's own (RFC 9293 3.3.2). The client sees that one as
//! the end of the stream, so the ends that come tell exactly how many sockets have left the state, without a look at the
//! server's machine; where that look is allowed, it is taken as well.

use std::time::Duration;

use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Check, CheckInfo, Context, Failure, Fault, Report, Text, parameters};

use crate::dialect::Dialect;
use crate::probe::Probe;
use crate::process::Watched;
use crate::talk::Talk;
use crate::trouble::{Trouble, told, wrong};

parameters! {
    /// How the server is spoken to, and by how many.
    pub struct CloseWait {
        /// "line" (each line comes back), "echo" (each byte comes back), "len32" (four bytes of length, then the body), or a request and a reply with "{text}".
        pub(crate) dialect: Dialect = Dialect::default(),
        /// Connections that the client ends.
        #[range(10..=1000)]
        connections: u32 = 100,
        /// Milliseconds that the server may take to end its side, and once more as much.
        #[range(200..=10000)]
        wait_ms: u32 = 2000,
    }
}

impl Check for CloseWait {
    const ID: &'static str = "close-wait";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("CLOSE_WAIT does not pile up", "CLOSE_WAIT 不会堆积"),
            description: Text::new(
                "Opens 100 connections, exchanges a message on each and ends the client's side: the server's side must end, too. Until it does, its socket is in CLOSE_WAIT (RFC 9293 3.3.2). With the permission to look at the process, its sockets in that state are counted. A good server closes when a read returns 0.",
                "打开 100 个连接，各交换一条消息，然后关闭客户端一侧：服务器一侧也必须结束。在那之前，它的套接字处于 CLOSE_WAIT（RFC 9293 3.3.2）。如果允许查看进程，就数出处于该状态的套接字。好的服务器读到 0 就关闭。",
            ),
            capabilities: vec![
                crate::reach(),
                crate::watch("to count the sockets of your server that are in CLOSE_WAIT"),
            ],
            typical: Duration::from_secs(6),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report =
            Report::new(Text::new("no socket stayed in CLOSE_WAIT", "没有套接字停留在 CLOSE_WAIT"));
        if let Some(mut probe) = Probe::greet(context, &self.dialect, &mut report) {
            self.judge(&mut probe, &mut report);
        }
        report
    }
}

impl CloseWait {
    fn judge(&self, probe: &mut Probe<'_, '_>, report: &mut Report) -> Option<()> {
        let what = Text::new("looking at the sockets of the server", "查看服务器的套接字");
        let watched = Watched::attach(probe.context(), &what);
        let before = watched.and_then(|watched| {
            let before = watched.in_state("CLOSE_WAIT")?;
            Ok((watched, before))
        });
        let talks = self.converse(probe);
        let talks = report.judge("all-answered", Need::Must, talks, |_| {
            Text::new(
                format!("{} connections were answered", self.connections),
                format!("{} 个连接都得到回应", self.connections),
            )
        })?;
        let outcome = self.end_all(probe, &talks);
        report.judge("all-ended", Need::Must, outcome, |late| {
            Text::new(
                format!("the server ended all {} connections, {late} of them late", self.connections),
                format!("服务器结束了全部 {} 个连接，其中 {late} 个较晚", self.connections),
            )
        });
        let outcome = before.and_then(|(watched, before)| self.count(probe, &watched, before));
        report.judge("none-in-close-wait", Need::Must, outcome, |rows| {
            Text::new(format!("{rows} sockets in CLOSE_WAIT"), format!("{rows} 个套接字处于 CLOSE_WAIT"))
        });
        Some(())
    }

    fn converse(&self, probe: &mut Probe<'_, '_>) -> Result<Vec<Talk>, Fault> {
        let sent = Text::new(
            format!("sent one message on each of {} connections", self.connections),
            format!("在 {} 个连接上各发一条消息", self.connections),
        );
        let outcome = probe.connect_served(self.connections);
        outcome.map_err(|trouble| trouble.fault("not-answered", &sent, hint()))
    }

    /// Ends the client's side of all. One in a hundred may be late, none may be missing. Returns how many were late.
    fn end_all(&self, probe: &Probe<'_, '_>, talks: &[Talk]) -> Result<usize, Fault> {
        let sent = Text::new(
            format!("ended the client's side of {} connections", talks.len()),
            format!("关闭 {} 个连接的客户端一侧", talks.len()),
        );
        talks
            .iter()
            .try_for_each(Talk::finish)
            .map_err(|trouble| trouble.fault("close-wait", &sent, hint()))?;
        let mut open: Vec<&Talk> = talks.iter().collect();
        self.await_ends(probe, &mut open, &sent)?;
        let late = open.len();
        if late * 100 <= talks.len() {
            self.await_ends(probe, &mut open, &sent)?;
        }
        if open.is_empty() {
            return Ok(late);
        }
        let came = Text::new(
            format!(
                "{} of {} were not ended by the server: they are in CLOSE_WAIT there",
                open.len(),
                talks.len()
            ),
            format!("{} / {} 个没有被服务器结束：在服务器上处于 CLOSE_WAIT", open.len(), talks.len()),
        );
        Err(wrong("close-wait", came.clone(), told(&sent, &came), hint()))
    }

    /// Takes out those that end within the time.
    fn await_ends(&self, probe: &Probe<'_, '_>, open: &mut Vec<&Talk>, sent: &Text) -> Result<(), Fault> {
        let end = probe.context().monotonic() + Duration::from_millis(self.wait_ms.into());
        while !open.is_empty() {
            let left = end.saturating_sub(probe.context().monotonic());
            let connections: Vec<_> = open.iter().map(|talk| talk.connection()).collect();
            let ready = probe.context().wait_readable(&connections, left);
            if ready.is_empty() {
                break;
            }
            for place in ready.into_iter().rev() {
                match open[place].connection().receive(1_024) {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Err(Trouble::Extra(bytes).fault("close-wait", sent, hint())),
                    // A reset ends it, too.
                    Err(Failure::Unreachable(_)) => {}
                    Err(other) => return Err(other.into()),
                }
                open.swap_remove(place);
            }
        }
        Ok(())
    }

    /// How many sockets are left in the state. Those of the clients have left it when their ends came; the server may have
    /// others, such as one to a backend for each client.
    fn count(&self, probe: &Probe<'_, '_>, watched: &Watched<'_>, before: usize) -> Result<usize, Fault> {
        let end = probe.context().monotonic() + Duration::from_millis(self.wait_ms.into());
        let rows = loop {
            let rows = watched.in_state("CLOSE_WAIT")?;
            // As many as there were before belong to somebody else.
            if rows <= before {
                return Ok(rows);
            }
            if probe.context().monotonic() > end {
                break rows;
            }
            probe.context().sleep(Duration::from_millis(100));
        };
        let came = Text::new(
            format!("{rows} sockets of the server are in CLOSE_WAIT, {before} before"),
            format!("服务器有 {rows} 个套接字处于 CLOSE_WAIT，之前是 {before} 个"),
        );
        let sent = Text::new(
            format!("ended the client's side of {} connections", self.connections),
            format!("关闭 {} 个连接的客户端一侧", self.connections),
        );
        Err(wrong("close-wait", came.clone(), told(&sent, &came), hint()))
    }
}

fn hint() -> Text {
    Text::new(
        "close() the connection as soon as recv() returns 0, on every way out of the handler, and keep no reference to it",
        "recv() 返回 0 就 close()，处理函数的每条退出路径都要关，也不要留着对它的引用",
    )
}
