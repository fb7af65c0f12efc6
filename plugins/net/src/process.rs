//! The process behind the learner's server, as far as the user lets a check look at it.

use std::time::Duration;

use mustdo_plugin::process::{Child, Command, without};
use mustdo_plugin::{Context, Failure, Fault, Text};

use crate::probe::SOCKET;
use crate::trouble::wrong;

/// How long a server may take to be there again.
const RESTART: Duration = Duration::from_secs(15);

/// Descriptors that a server may keep more than before: a log, a connection to somewhere.
const SPARE: u32 = 3;

/// How long a server may take to see that everybody has left.
const LEFT: Duration = Duration::from_secs(5);

/// The part of one processor that a server with nothing to do may use. A busy machine makes it less and never more.
pub(crate) const BUSY: f64 = 0.2;

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

    /// The part of one processor that it uses for `time`.
    pub(crate) fn load(&self, context: &Context<'_>, time: Duration) -> Result<f64, Failure> {
        let (before, began) = (self.facts()?, context.monotonic());
        context.sleep(time);
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
