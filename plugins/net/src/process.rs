//! The process behind the learner's server, as far as the user lets a check look at it.

use std::time::Duration;

use mustdo_plugin::process::{Child, Command, without};
use mustdo_plugin::{Context, Failure, Fault, Text};

use crate::probe::SOCKET;
use crate::trouble::{told, wrong};

/// How long a server may take to be there again.
const RESTART: Duration = Duration::from_secs(15);

/// Descriptors that a server may keep more than before: a log, a connection to somewhere.
const SPARE: u32 = 3;

/// How long a server may take to see that everybody has left.
const LEFT: Duration = Duration::from_secs(5);

/// The part of one processor from which on a server spins. A busy machine makes it less and never more.
const SPINS: f64 = 0.2;

/// The part of one processor up to which it waits: three ticks of the kernel's clock, 100 a second (times(2)), in two seconds.
/// Between the two it may be a server that spins on a machine where it seldom has its turn.
const WAITS: f64 = 0.015;

/// How long the processor time is watched.
const WATCH: Duration = Duration::from_secs(2);

/// The running server, or a second copy of it.
pub(crate) struct Watched<'host> {
    child: Child<'host>,
}

/// What the system says of a process and its descendants together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The number of the first one.
    pub(crate) pid: u32,
    /// Open descriptors of all of them.
    pub(crate) open_files: u32,
    /// Memory in use by all of them, in bytes.
    pub(crate) resident: u64,
    /// Processor time of all of them.
    pub(crate) busy: Duration,
}

impl<'host> Watched<'host> {
    /// The process that owns the port; skipped, in words, where that is not allowed. `what` is what was to be done, as a
    /// noun.
    pub(crate) fn attach(context: &Context<'host>, what: &Text) -> Result<Self, Fault> {
        let child = context.attached(SOCKET).map_err(|failure| without(what, &failure))?;
        Ok(Self { child })
    }

    /// A second copy, started the way the first was; skipped, in words, where that is not allowed.
    pub(crate) fn beside(context: &Context<'host>, what: &Text) -> Result<Self, Fault> {
        let child = context.start(&Command::new(SOCKET)).map_err(|failure| without(what, &failure))?;
        Ok(Self { child })
    }

    /// Whether it has ended, or does within the time.
    pub(crate) fn has_ended(&self, patience: Duration) -> Result<bool, Failure> {
        Ok(self.child.wait(patience)?.is_some())
    }

    /// Whether it or what it started listens on the port.
    pub(crate) fn listens(&self, port: u16) -> Result<bool, Failure> {
        let sockets = self.child.sockets()?;
        Ok(sockets.iter().any(|socket| socket.state == "LISTEN" && socket.local_port == port))
    }

    /// The part of one processor that it uses.
    pub(crate) fn load(&self, context: &Context<'_>) -> Result<f64, Failure> {
        let (before, began) = (self.facts()?, context.monotonic());
        context.sleep(WATCH);
        let (after, ended) = (self.facts()?, context.monotonic());
        let used = after.busy.saturating_sub(before.busy);
        Ok(used.as_secs_f64() / ended.saturating_sub(began).as_secs_f64())
    }

    pub(crate) fn facts(&self) -> Result<Facts, Failure> {
        let tree = self.child.tree()?;
        let first = tree.first().ok_or_else(|| Failure::Other("the process is gone".to_owned()))?;
        Ok(Facts {
            pid: first.pid,
            open_files: tree.iter().map(|facts| facts.open_files).sum(),
            resident: tree.iter().map(|facts| facts.resident).sum(),
            busy: tree.iter().map(|facts| facts.user + facts.system).sum(),
        })
    }

    /// How many of the server's connections are in a state such as `CLOSE_WAIT`.
    pub(crate) fn in_state(&self, state: &str) -> Result<usize, Failure> {
        let sockets = self.child.sockets()?;
        Ok(sockets.iter().filter(|socket| socket.state == state).count())
    }
}

/// The server waits, now that something was `done`: of a processor it takes not much more than before, or not much where nothing
/// was watched before. Where it spins, the finding is called `id`, and `hint` says what to do; in between, nothing is told.
pub(crate) fn waits(id: &str, before: Option<f64>, now: f64, done: &Text, hint: Text) -> Result<(), Fault> {
    let more = now - before.unwrap_or(0.0);
    if more <= WAITS {
        return Ok(());
    }
    let now = now * 100.0;
    let came = match before.map(|before| before * 100.0) {
        Some(before) => Text::new(
            format!("the server used {now:.0} % of a processor, {before:.0} % before"),
            format!("服务器占用处理器 {now:.0}%，之前是 {before:.0}%"),
        ),
        None => Text::new(
            format!("the server used {now:.0} % of a processor afterwards"),
            format!("之后服务器占用处理器 {now:.0}%"),
        ),
    };
    if more < SPINS {
        return Err(Fault::inconclusive(Text::new(
            format!(
                "{}: more than one that waits, and less than one that spins and has its turn; run it on a machine that does less",
                came.en
            ),
            format!("{}：比等待的多，比得到时间的空转少；请在不忙的机器上再运行", came.zh),
        )));
    }
    Err(wrong(id, came.clone(), told(done, &came), hint))
}

/// What the system says of the server now; skipped, in words, where that look is not allowed.
pub(crate) fn facts(context: &Context<'_>) -> Result<Facts, Fault> {
    let what = Text::new("watching the process of the server", "查看服务器的进程");
    Ok(Watched::attach(context, &what)?.facts()?)
}

/// The server is still the process that it was `before`, and has as many descriptors as then. Returns the facts of now.
pub(crate) fn unchanged(context: &Context<'_>, before: Result<Facts, Fault>) -> Result<Facts, Fault> {
    let before = before?;
    let end = context.monotonic() + LEFT;
    let after = loop {
        let after = facts(context)?;
        let is_back = after.open_files <= before.open_files + SPARE;
        if is_back || after.pid != before.pid || context.monotonic() > end {
            break after;
        }
        context.sleep(Duration::from_millis(250));
    };
    if after.pid != before.pid {
        let came = Text::new(
            format!("another process serves ({} before, {} now): the first one died", before.pid, after.pid),
            format!("服务的已经是另一个进程（之前 {}，现在 {}）：第一个死了", before.pid, after.pid),
        );
        let hint = Text::new(
            "a supervisor that starts it again hides the crash; look for the error that ended the first one",
            "自动重启只是掩盖了崩溃；请找出让第一个进程退出的错误",
        );
        return Err(wrong("restarted", came.clone(), came, hint));
    }
    if after.open_files > before.open_files + SPARE {
        let came = Text::new(
            format!(
                "everybody has left, and the server holds {} descriptors, {} before",
                after.open_files, before.open_files
            ),
            format!(
                "客户端都走了，服务器还持有 {} 个描述符，之前是 {} 个",
                after.open_files, before.open_files
            ),
        );
        let hint = Text::new(
            "close() the connection on every way out, also after an error",
            "每条退出的路径都要 close()，出错时也一样",
        );
        return Err(wrong("descriptors-kept", came.clone(), came, hint));
    }
    Ok(after)
}

/// Starts a server again that a check has brought down, where that is allowed: a verdict about a target that is left down
/// is believed by nobody, and the next check needs it.
pub(crate) fn bring_back(context: &Context<'_>) {
    if let Err(failure) = context.restart(SOCKET, RESTART) {
        context.log(mustdo_plugin::Level::Info, &format!("not started again: {}", failure.explain().en));
    }
}
