//! Programs that the user approved: started, fed, watched, signalled, and started once more.
//!
//! Nothing here names a program. A [`Command`] names a command target, and what a check may add to its arguments is
//! what the user's pattern lets through; [`Context::attached`](crate::Context::attached) and
//! [`Context::restart`](crate::Context::restart) name the target that a service stands behind. A check that signals or
//! restarts such a service must be [`exclusive`](crate::CheckInfo::exclusive).
//!
//! Whatever is started ends with the run.

mod sleepers;

use std::io::{self, Read, Write};
use std::time::Duration;

pub use sleepers::Sleepers;

use crate::{Failure, Fault, Host, Text};

/// Bytes asked for at once.
const CHUNK: u32 = 64 << 10;

/// How long one stream is waited for before it is the other one's turn.
const TURN: Duration = Duration::from_millis(20);

/// A program to start, built in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The command target.
    pub target: String,
    /// Put behind the arguments that the user approved; each must match the user's pattern.
    pub arguments: Vec<String>,
    /// The variables it gets beside those that the user set; nothing else is in its environment.
    pub environment: Vec<(String, String)>,
}

impl Command {
    /// The program of a command target, as the user approved it.
    pub fn new(target: impl Into<String>) -> Self {
        Self { target: target.into(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }
}

/// One of the two streams that a program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Its answer.
    Stdout,
    /// The rest.
    Stderr,
}

/// What a process can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: please end.
    Terminate,
    /// SIGINT: as by Ctrl-C.
    Interrupt,
    /// SIGKILL: ends at once, wherever it stands. What a crash looks like from outside.
    Kill,
    /// SIGSTOP: stands still.
    Stop,
    /// SIGCONT: goes on.
    Resume,
    /// SIGHUP: often "read the configuration again".
    HangUp,
    /// SIGUSR1.
    User1,
    /// SIGUSR2.
    User2,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// What it returned; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it ran.
    pub wall: Duration,
}

impl Exit {
    /// It returned zero.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// How it ended, to stand behind a subject: "ended with code 1", "crashed by signal 11 (SIGSEGV)".
    #[must_use]
    pub fn words(&self) -> Text {
        let Some(signal) = self.signal else {
            let code = self.code.unwrap_or_default();
            return Text::new(format!("ended with code {code}"), format!("以代码 {code} 退出"));
        };
        // Linux's numbers on x86 and Arm (signal(7)).
        let name = match signal {
            4 => " (SIGILL)",
            6 => " (SIGABRT)",
            7 => " (SIGBUS)",
            8 => " (SIGFPE)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            13 => " (SIGPIPE)",
            15 => " (SIGTERM)",
            _ => "",
        };
        Text::new(format!("crashed by signal {signal}{name}"), format!("被信号 {signal}{name} 终止"))
    }
}

/// Facts of one process as the system reports them; zero or empty where it does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Its number.
    pub pid: u32,
    /// The number of the process that started it.
    pub parent: u32,
    /// The name of its program.
    pub command: String,
    /// Threads now.
    pub threads: u32,
    /// Memory in use now, in bytes.
    pub resident: u64,
    /// The most memory it ever used, in bytes.
    pub peak_resident: u64,
    /// Processor time spent on its own code.
    pub user: Duration,
    /// Processor time the system spent for it.
    pub system: Duration,
    /// Open file descriptors.
    pub open_files: u32,
    /// `R`, `S`, `D`, `Z` or `T`, as the system prints it.
    pub state: String,
    /// Processor time of children that have ended and were waited for, and of theirs.
    pub ended_children: Duration,
    /// How long its threads were ready to run and had no processor; none where the system does not tell.
    pub waited: Option<Duration>,
}

impl Facts {
    /// The processor time that it has used: its own, the system's for it, and that of children that have ended. The sum over
    /// the [`tree`](Child::tree) of a program grows with all that the program does, also by programs that it starts and waits
    /// for.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        self.user + self.system + self.ended_children
    }
}

/// One TCP socket of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// `LISTEN`, `ESTABLISHED`, `CLOSE_WAIT`, …
    pub state: String,
    /// On this side.
    pub local_port: u16,
    /// On the other side; zero while it listens.
    pub peer_port: u16,
}

/// The host's side of a [`Child`].
pub trait Program {
    /// Writes everything to its input, or fails.
    fn write_stdin(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure>;
    /// Ends its input.
    fn close_stdin(&self);
    /// Up to `max` bytes; nothing means the end of that stream.
    fn read(&self, stream: Stream, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure>;
    /// Sends a signal.
    fn signal(&self, signal: Signal) -> Result<(), Failure>;
    /// How it ended; none when it still runs after the time.
    fn wait(&self, timeout: Duration) -> Result<Option<Exit>, Failure>;
    /// The process and its descendants, parents first.
    fn tree(&self) -> Result<Vec<Facts>, Failure>;
    /// The TCP sockets that it owns.
    fn sockets(&self) -> Result<Vec<Socket>, Failure>;
}

/// A process: one that was started, or the one behind a target.
pub struct Child<'host> {
    host: &'host dyn Host,
    program: Box<dyn Program>,
}

impl<'host> Child<'host> {
    pub(crate) fn new(host: &'host dyn Host, program: Box<dyn Program>) -> Self {
        Self { host, program }
    }

    /// Its input. A write waits no longer than `timeout` for the program to read.
    pub fn stdin(&mut self, timeout: Duration) -> Stdin<'_> {
        Stdin { program: &*self.program, timeout }
    }

    /// Ends its input: the program reads an end of file.
    pub fn close_stdin(&mut self) {
        self.program.close_stdin();
    }

    /// What it writes to its standard output. A read waits no longer than `timeout` for something to come.
    pub fn stdout(&mut self, timeout: Duration) -> Output<'_> {
        Output { program: &*self.program, stream: Stream::Stdout, timeout }
    }

    /// What it has written to its standard output and nobody has read yet, without waiting for more; nothing at its end.
    pub fn printed(&self) -> Result<Vec<u8>, Failure> {
        match self.program.read(Stream::Stdout, CHUNK, Duration::from_millis(1)) {
            Err(Failure::TimedOut) => Ok(Vec::new()),
            read => read,
        }
    }

    /// What it writes to its standard error.
    pub fn stderr(&mut self, timeout: Duration) -> Output<'_> {
        Output { program: &*self.program, stream: Stream::Stderr, timeout }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.program.signal(signal)
    }

    /// Waits for its end; none when it still runs after the time.
    pub fn wait(&self, timeout: Duration) -> Result<Option<Exit>, Failure> {
        self.program.wait(timeout)
    }

    /// Facts of the process and its descendants, parents first.
    pub fn tree(&self) -> Result<Vec<Facts>, Failure> {
        self.program.tree()
    }

    /// The TCP sockets that it owns.
    pub fn sockets(&self) -> Result<Vec<Socket>, Failure> {
        self.program.sockets()
    }

    /// Ends its input, reads both streams to their ends and waits for the process. Over a limit it is killed, and the
    /// failure says which: [`Failure::TimedOut`] or [`Failure::OverLimit`].
    pub fn output(self, limits: &Limits) -> Result<Finished, Failure> {
        self.close_and_collect(limits).inspect_err(|_| {
            // It may have ended by itself meanwhile; either way nothing is left of it.
            let _ = self.program.signal(Signal::Kill);
        })
    }

    fn close_and_collect(&self, limits: &Limits) -> Result<Finished, Failure> {
        let end = self.host.monotonic() + limits.time;
        let left = || end.saturating_sub(self.host.monotonic());
        self.program.close_stdin();
        let mut collected = [Vec::new(), Vec::new()];
        let mut open = vec![(0, Stream::Stdout), (1, Stream::Stderr)];
        while !open.is_empty() {
            if left().is_zero() {
                return Err(Failure::TimedOut);
            }
            // While both are open, neither may be waited for long: a program that cannot write on stops.
            let turn = if open.len() == 1 { left() } else { TURN.min(left()) };
            let mut still_open = Vec::new();
            for (place, stream) in open {
                let more = match self.program.read(stream, CHUNK, turn) {
                    Ok(more) if more.is_empty() => continue,
                    Ok(more) => more,
                    Err(Failure::TimedOut) => Vec::new(),
                    Err(other) => return Err(other),
                };
                collected[place].extend(more);
                if collected[place].len() > limits.bytes {
                    let limit = limits.bytes;
                    return Err(Failure::OverLimit(format!("the program wrote more than {limit} bytes")));
                }
                still_open.push((place, stream));
            }
            open = still_open;
        }
        let exit = self.program.wait(left())?.ok_or(Failure::TimedOut)?;
        let [stdout, stderr] = collected;
        Ok(Finished { exit, stdout, stderr })
    }
}

/// How much a program may write, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until it has ended.
    pub time: Duration,
    /// Bytes of each stream.
    pub bytes: usize,
}

impl Default for Limits {
    /// Ten seconds and a mebibyte.
    fn default() -> Self {
        Self { time: Duration::from_secs(10), bytes: 1 << 20 }
    }
}

/// A program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How.
    pub exit: Exit,
    /// All it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// All it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// The input of a [`Child`].
pub struct Stdin<'child> {
    program: &'child dyn Program,
    timeout: Duration,
}

impl Write for Stdin<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.program.write_stdin(bytes, self.timeout).map_err(io::Error::from)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One of the streams of a [`Child`].
pub struct Output<'child> {
    program: &'child dyn Program,
    stream: Stream,
    timeout: Duration,
}

impl Read for Output<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(CHUNK);
        let bytes = self.program.read(self.stream, max, self.timeout).map_err(io::Error::from)?;
        let room =
            buffer.get_mut(..bytes.len()).ok_or_else(|| io::Error::other("more than was asked for"))?;
        room.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// What becomes of a step that needs a process and does not get one: skipped, in words that say how it would run, where
/// the user has not allowed it or mustdo did not start the target; else it could not be told.
///
/// `what` is what was to be done, as a noun: "killing and restarting the service".
#[must_use]
pub fn without(what: &Text, failure: &Failure) -> Fault {
    let Text { en, zh } = what;
    match failure {
        Failure::Denied(grant) => Fault::skip(Text::new(
            format!("not tried: {en} needs a permission that was not given: {grant}"),
            format!("没有试：{zh}需要许可，目前还没有给：{grant}"),
        )),
        Failure::Unbound(why) => Fault::skip(Text::new(
            format!(
                "not tried: {en} needs a target that mustdo starts itself, with `run = [\"…\"]` under [targets] in mustdo.toml ({why})"
            ),
            format!(
                "没有试：{zh}需要由 mustdo 启动目标，请在 mustdo.toml 的 [targets] 里写 run = [\"…\"]（{why}）"
            ),
        )),
        Failure::Unreachable(_)
        | Failure::TimedOut
        | Failure::OverLimit(_)
        | Failure::Protocol(_)
        | Failure::Other(_) => {
            let why = failure.explain();
            Fault::inconclusive(Text::new(
                format!("{en} did not work: {}", why.en),
                format!("{zh}没有成功：{}", why.zh),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Status;

    #[test]
    fn a_command_is_built_in_a_chain() {
        let command = Command::new("tool").argument("--fast").argument("a b").variable("LANG", "C");
        assert_eq!(command.arguments, ["--fast", "a b"]);
        assert_eq!(command.environment, [("LANG".to_owned(), "C".to_owned())]);
    }

    #[test]
    fn an_end_is_told_by_its_signal_or_its_code() {
        let exit = |code, signal| Exit { code, signal, wall: Duration::ZERO };
        assert_eq!(
            exit(None, Some(11)).words(),
            Text::new("crashed by signal 11 (SIGSEGV)", "被信号 11 (SIGSEGV) 终止")
        );
        assert_eq!(exit(Some(3), None).words(), Text::new("ended with code 3", "以代码 3 退出"));
    }

    #[test]
    fn what_is_not_allowed_is_skipped_and_says_how_it_would_run() {
        let what = Text::new("killing the service", "杀掉服务");
        let denied = without(&what, &Failure::Denied("mustdo grant probe process:web".to_owned()));
        assert_eq!(denied.status(), Status::Skip);
        assert!(denied.summary().en.ends_with("mustdo grant probe process:web"), "{:?}", denied.summary());
        let unbound = without(&what, &Failure::Unbound("web".to_owned()));
        assert_eq!(unbound.status(), Status::Skip);
        for words in [&unbound.summary().en, &unbound.summary().zh] {
            assert!(words.contains("run = ["), "{words}");
        }
        assert_eq!(without(&what, &Failure::TimedOut).status(), Status::Inconclusive);
    }
}
