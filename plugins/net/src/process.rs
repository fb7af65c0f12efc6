//! The process behind the learner's server, as far as the user lets a check look at it.

use std::time::Duration;

use mustdo_plugin::process::{self, Child, Command, without};
use mustdo_plugin::{Context, Failure, Fault, Text};

use crate::probe::SOCKET;
use crate::trouble::{told, wrong};

/// How long a server may take to be there again.
const RESTART: Duration = Duration::from_secs(15);

/// Descriptors that a server may keep more than before: a log, a connection to somewhere.
const SPARE: u32 = 3;

/// How long a server may take to see that everybody has left.
const LEFT: Duration = Duration::from_secs(5);

/// The part of one processor from which on a server spins. A busy machine makes it less and never more. One that is not even
/// ready to run for this part of the time does not spin, whatever the machine does.
const SPINS: f64 = 0.2;

/// The part of one processor up to which it waits, where the system does not tell how long it was ready to run: three ticks of
/// the kernel's clock, 100 a second (times(2)), in two seconds.
const WAITS: f64 = 0.015;

/// How long the processor time is watched, in so many looks: what a thread has used is not told once it has ended.
const WATCH: Duration = Duration::from_secs(2);
const LOOKS: u32 = 10;

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
    /// How long their threads were ready to run and had no processor; none where the system does not tell.
    pub(crate) waited: Option<Duration>,
}

/// What a server takes of the processors, as parts of one; more than 1 where several threads run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// What it used.
    pub(crate) used: f64,
    /// What it would have used of an idle machine, or less: how long it was ready to run. None where the system does not tell.
    pub(crate) ready: Option<f64>,
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

    /// What it takes of the processors now.
    pub(crate) fn load(&self, context: &Context<'_>) -> Result<Load, Failure> {
        let (mut before, began) = (self.facts()?, context.monotonic());
        let (mut used, mut waited) = (Duration::ZERO, Some(Duration::ZERO));
        for _ in 0..LOOKS {
            context.sleep(WATCH / LOOKS);
            let after = self.facts()?;
            used += after.busy.saturating_sub(before.busy);
            let more = after.waited.zip(before.waited).map(|(after, before)| after.saturating_sub(before));
            waited = waited.zip(more).map(|(waited, more)| waited + more);
            before = after;
        }
        let time = context.monotonic().saturating_sub(began).as_secs_f64();
        let part = |of: Duration| of.as_secs_f64() / time;
        Ok(Load { used: part(used), ready: waited.map(|waited| part(used + waited)) })
    }

    pub(crate) fn facts(&self) -> Result<Facts, Failure> {
        let tree = self.child.tree()?;
        let first = tree.first().ok_or_else(|| Failure::Other("the process is gone".to_owned()))?;
        Ok(Facts {
            pid: first.pid,
            open_files: tree.iter().map(|facts| facts.open_files).sum(),
            resident: tree.iter().map(|facts| facts.resident).sum(),
            busy: tree.iter().map(process::Facts::processor_time).sum(),
            waited: tree.iter().map(|facts| facts.waited).sum(),
        })
    }

    /// How many of the server's connections are in a state such as `CLOSE_WAIT`.
    pub(crate) fn in_state(&self, state: &str) -> Result<usize, Failure> {
        let sockets = self.child.sockets()?;
        Ok(sockets.iter().filter(|socket| socket.state == state).count())
    }
}

/// The server waits, now that something was `done`: it takes not much more than before, or not much where nothing was watched
/// before. Where it spins, the finding is called `id`, and `hint` says what to do; nothing is told of one that would have
/// taken more than it got.
pub(crate) fn waits(id: &str, before: Option<Load>, now: Load, done: &Text, hint: Text) -> Result<(), Fault> {
    let usual = before.map_or(0.0, |before| before.used);
    let more = now.used - usual;
    let is_waiting = match now.ready {
        // What it was ready to run for before may be the machine's doing.
        Some(ready) => ready - usual < SPINS,
        None => more <= WAITS,
    };
    if is_waiting {
        return Ok(());
    }
    let used = now.used * 100.0;
    let came = match before.map(|before| before.used * 100.0) {
        Some(before) => Text::new(
            format!("the server used {used:.0} % of a processor, {before:.0} % before"),
            format!("服务器占用处理器 {used:.0}%，之前是 {before:.0}%"),
        ),
        None => Text::new(
            format!("the server used {used:.0} % of a processor afterwards"),
            format!("之后服务器占用处理器 {used:.0}%"),
        ),
    };
    if more >= SPINS {
        return Err(wrong(id, came.clone(), told(done, &came), hint));
    }
    Err(Fault::inconclusive(match now.ready.map(|ready| ready * 100.0) {
        Some(ready) => Text::new(
            format!(
                "{}, and would have used up to {ready:.0} %: run it on a machine that does less",
                came.en
            ),
            format!("{}，本来最多会占用 {ready:.0}%：请在不忙的机器上再运行", came.zh),
        ),
        None => Text::new(
            format!(
                "{}: more than one that waits and less than one that spins; run it on a machine that does less",
                came.en
            ),
            format!("{}：比等待的多，比空转的少；请在不忙的机器上再运行", came.zh),
        ),
    }))
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

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    fn load(used: f64, ready: f64) -> Load {
        Load { used, ready: Some(ready) }
    }

    fn told_of(before: Option<Load>, now: Load) -> Status {
        waits("spins", before, now, &Text::same("did"), Text::same("hint"))
            .map_or_else(|fault| fault.status(), |()| Status::Pass)
    }

    #[test]
    fn who_spins_is_told_from_who_works_now_and_then() {
        assert_eq!(told_of(None, load(0.0, 0.0)), Status::Pass);
        // A reloader that looks at files, with and without company.
        assert_eq!(told_of(None, load(0.05, 0.06)), Status::Pass);
        assert_eq!(told_of(None, load(0.05, 0.6)), Status::Inconclusive);
        assert_eq!(told_of(None, load(0.98, 1.0)), Status::Fail);
        // One that spins and seldom has its turn, whether much or little was seen of it.
        assert_eq!(told_of(None, load(0.02, 1.0)), Status::Inconclusive);
        assert_eq!(told_of(None, load(0.0, 1.0)), Status::Inconclusive);
    }

    #[test]
    fn what_it_took_before_is_taken_off_and_what_it_waited_for_is_not() {
        assert_eq!(told_of(Some(load(0.3, 0.3)), load(0.32, 0.35)), Status::Pass);
        assert_eq!(told_of(Some(load(0.3, 0.3)), load(1.3, 1.3)), Status::Fail);
        assert_eq!(told_of(Some(load(0.05, 0.9)), load(0.1, 1.0)), Status::Inconclusive);
    }

    #[test]
    fn where_the_system_does_not_tell_more_little_is_concluded() {
        let untold = |used| Load { used, ready: None };
        assert_eq!(told_of(None, untold(0.01)), Status::Pass);
        assert_eq!(told_of(None, untold(0.1)), Status::Inconclusive);
        assert_eq!(told_of(None, untold(0.5)), Status::Fail);
    }
}
