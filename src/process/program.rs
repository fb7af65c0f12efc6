//! One started program and everything it starts itself.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::time::sleep;

use super::wire::{Message, send_streams};
use super::{Ended, Exit, ProcessId, guard, table};

/// What to start, and how.
#[derive(Debug)]
pub struct Order<'a> {
    /// A path, or a name that is looked up in the program's own `PATH`.
    pub program: &'a OsStr,
    /// What it is told.
    pub args: &'a [OsString],
    /// Its environment.
    pub variables: &'a Variables,
    /// The folder it runs in.
    pub folder: &'a Path,
    /// What it reads and writes.
    pub streams: Streams,
    /// How many processes it may have at once before it is killed with all of them; none for any number. Only a guard
    /// counts.
    pub limit: Option<usize>,
}

/// The environment of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variables {
    /// This process's, and these over it.
    Inherited(BTreeMap<String, String>),
    /// These and no others.
    Only(BTreeMap<OsString, OsString>),
}

/// The first three descriptors of a program.
#[derive(Debug)]
pub struct Streams {
    /// What it reads.
    pub stdin: OwnedFd,
    /// What it answers.
    pub stdout: OwnedFd,
    /// What it says beside that.
    pub stderr: OwnedFd,
}

impl Streams {
    /// Nothing to read: the end comes at once.
    pub fn nothing() -> io::Result<OwnedFd> {
        Ok(File::open("/dev/null")?.into())
    }
}

/// A program in a process group of its own, under a guard where one is known. Dropping it kills it with everything it
/// started and waits until that is done.
///
/// The number of a process group stays taken while its first process is not cleared away, or any other is in it. So the
/// first process is cleared away only when the program is stopped: until then no signal can hit a stranger.
#[derive(Debug)]
pub struct Program {
    id: ProcessId,
    group: Pid,
    begun: Instant,
    keeper: Keeper,
    state: Mutex<State>,
}

/// Who makes sure that it ends.
#[derive(Debug)]
enum Keeper {
    /// A guard, at the other end of the socket.
    Guard { control: UnixStream, id: ProcessId },
    /// This process alone: what leaves the process group escapes.
    Ourselves,
}

#[derive(Debug)]
struct State {
    /// The guard, or the program itself.
    child: Child,
    /// What the guard has said and is not yet a whole line.
    heard: Vec<u8>,
    ended: Option<Ended>,
    /// It was killed from here.
    struck: bool,
    /// Nothing of it is left.
    gone: bool,
}

impl Program {
    /// How long a program may take to end when it is asked to.
    pub const GRACE: Duration = Duration::from_secs(5);

    /// How long the system may take to end what was killed: milliseconds, and machines are busy. A guard goes on trying
    /// when mustdo no longer waits.
    const KILLED: Duration = Duration::from_secs(10);

    /// How long a guard may take to start a program: its own start is milliseconds, and machines are busy.
    const GUARD_START: Duration = Duration::from_secs(20);

    /// Starts a program without a shell. `guard` is the path of this very executable, whose `main` calls
    /// [`guard()`](super::guard()) first; none where that is not so, as in tests: then only the process group is killed.
    ///
    /// An error is the system's about the program; its kind is `NotFound` where there is no such program.
    pub fn start(order: Order<'_>, guard: Option<&Path>) -> io::Result<Self> {
        match guard {
            Some(guard) => Self::start_guarded(order, guard),
            None => Self::start_alone(order),
        }
    }

    fn start_alone(order: Order<'_>) -> io::Result<Self> {
        let Order { program, args, variables, folder, streams, limit: _ } = order;
        let mut command = Command::new(program);
        command.args(args).current_dir(folder).process_group(0);
        variables.give(&mut command);
        command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
        let begun = Instant::now();
        let child = command.spawn()?;
        Ok(Self::new(child.id(), Pid::from_child(&child), begun, child, Keeper::Ourselves))
    }

    fn start_guarded(order: Order<'_>, guard: &Path) -> io::Result<Self> {
        let Order { program, args, variables, folder, streams, limit } = order;
        let (control, theirs) = UnixStream::pair()?;
        let mut command = Command::new(guard);
        command
            .arg0(guard::NAME)
            .arg(limit.unwrap_or(0).to_string())
            .arg(program)
            .args(args)
            .current_dir(folder);
        variables.give(&mut command);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let child = command.spawn()?;
        let id = known(child.id());
        // The guard's end of the socket is the guard's alone, or its death would not be noticed.
        drop(command);
        let answer = send_streams(&control, &streams).and_then(|()| first_line(&control, id));
        drop(streams);
        let started = match answer.map(|line| Message::parse(&line)) {
            Ok(Some(Message::Started(pid))) => Ok(pid),
            Ok(Some(Message::Failed(error))) => Err(io::Error::from_raw_os_error(error)),
            Ok(_) => Err(io::Error::other("the guard of the program did not start it")),
            Err(error) => Err(error),
        };
        let started = started.and_then(|pid| {
            let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
            control.set_nonblocking(true)?;
            Ok((pid, group.ok_or_else(|| io::Error::other("the guard of the program told no process"))?))
        });
        match started {
            Ok((pid, group)) => Ok(Self::new(pid, group, begun, child, Keeper::Guard { control, id })),
            Err(error) => {
                drop(control);
                abandon(child, id);
                Err(error)
            }
        }
    }

    fn new(pid: u32, group: Pid, begun: Instant, child: Child, keeper: Keeper) -> Self {
        let state = State { child, heard: vec![], ended: None, struck: false, gone: false };
        Self { id: known(pid), group, begun, keeper, state: Mutex::new(state) }
    }

    /// Its first process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// The process that everything it starts is below, whatever becomes of the first one: its guard, or itself.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.state().child.id()
    }

    /// How its first process ended; none while it runs.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        let mut state = self.state();
        if state.ended.is_none() {
            let wall = self.begun.elapsed();
            state.ended = match &self.keeper {
                Keeper::Guard { control, id: _ } => state.listen(control, wall),
                Keeper::Ourselves => guard::exit(self.group).map(|exit| Ended { exit, wall }),
            };
        }
        state.ended
    }

    /// Everything of it that runs: its first process, if it still does, then the others, parents first.
    #[must_use]
    pub fn tree(&self) -> Vec<ProcessId> {
        let root = self.root();
        let first = self.id.runs().then_some(self.id);
        let below = table::below(root).into_iter().filter(|row| !row.dead).map(|row| row.id);
        first.into_iter().chain(below.filter(|&id| id != self.id)).collect()
    }

    /// Sends a signal to its first process.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.id.signal(signal)
    }

    /// Asks the whole group to end.
    pub fn terminate(&self) {
        // A group that has just ended is as good as one that was signalled.
        kill_process_group(self.group, Signal::TERM).ok();
    }

    /// Returns when nothing of it is left; what is left at `patience` is killed.
    pub async fn stopped(&self, patience: Instant) {
        let mut pause = Duration::from_millis(2);
        while self.is_alive() && Instant::now() < patience {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        self.kill().await;
    }

    /// Kills everything of it, and returns when that is gone.
    pub async fn kill(&self) {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        self.strike();
        while !self.is_cleared() && begun.elapsed() < Self::KILLED {
            self.press();
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Whether anything of it runs. An entry that its new parent has not cleared away yet does not: in a container that
    /// may take for ever.
    fn is_alive(&self) -> bool {
        if self.state().gone {
            return false;
        }
        let alive = match &self.keeper {
            Keeper::Guard { control: _, id } => guard::session(*id)
                .map(|inside| !inside.is_empty() || table::below(id.pid).iter().any(|row| !row.dead)),
            Keeper::Ourselves => {
                let group = u32::try_from(self.group.as_raw_nonzero().get()).unwrap_or(0);
                table::rows().map(|rows| rows.iter().any(|row| row.group == group && !row.dead))
            }
        };
        alive.unwrap_or_else(|| test_kill_process_group(self.group).is_ok())
    }

    /// Does what makes it end.
    fn strike(&self) {
        if self.state().gone {
            return;
        }
        self.state().struck = true;
        match &self.keeper {
            Keeper::Guard { control, id: _ } => drop(control.shutdown(Shutdown::Write)),
            Keeper::Ourselves => {
                kill_process_group(self.group, Signal::KILL).ok();
            }
        }
        self.press();
    }

    /// Does what a guard can not, because its program holds it up or has killed it.
    fn press(&self) {
        let Keeper::Guard { control: _, id } = &self.keeper else { return };
        if matches!(self.state().child.try_wait(), Ok(Some(_))) {
            kill_session(*id);
            if table::rows().is_none() {
                kill_process_group(self.group, Signal::KILL).ok();
            }
        } else {
            guard::wake(*id);
        }
    }

    /// Whether nothing of it is left, not even an entry in the system's table; remembers it, and how it ended.
    fn is_cleared(&self) -> bool {
        if self.state().gone {
            return true;
        }
        // Asked before the first process is cleared away: later nobody knows.
        let _ = self.ended();
        let gone = !matches!(self.state().child.try_wait(), Ok(None)) && !self.is_alive();
        self.state().gone = gone;
        gone
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave half a truth behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_cleared() {
            return;
        }
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        self.strike();
        // Nothing outlives SIGKILL, so this does not block for longer than the system needs.
        while !self.is_cleared() && begun.elapsed() < Self::KILLED {
            self.press();
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

/// A process that was just started. It can not have been cleared away yet, so it is in the table; zero is for systems
/// without one.
fn known(pid: u32) -> ProcessId {
    ProcessId::of(pid).unwrap_or(ProcessId { pid, began: 0 })
}

/// Ends a guard that did not do its work, and what it may have started all the same.
fn abandon(mut child: Child, guard: ProcessId) {
    guard::wake(guard);
    drop(child.kill());
    drop(child.wait());
    let begun = Instant::now();
    while begun.elapsed() < Program::KILLED && kill_session(guard) {
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills what is in the session of a guard; whether there was anything.
fn kill_session(guard: ProcessId) -> bool {
    let inside = guard::session(guard).unwrap_or_default();
    for id in &inside {
        drop(id.signal(Signal::KILL));
    }
    !inside.is_empty()
}

impl State {
    /// What the guard says of the end; none while the program runs.
    fn listen(&mut self, mut control: &UnixStream, wall: Duration) -> Option<Ended> {
        // A guard that was told to end says no more.
        let exit = if self.struck { Exit::Signal(Signal::KILL.as_raw()) } else { Exit::Unknown };
        let silent = Some(Ended { exit, wall });
        let mut bytes = [0; 64];
        loop {
            match control.read(&mut bytes) {
                Ok(0) => return silent,
                Ok(count) => self.heard.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => return silent,
            }
            let line = self.heard.iter().position(|&byte| byte == b'\n');
            let line = line.map(|end| String::from_utf8_lossy(&self.heard[..end]).into_owned());
            if let Some(Message::Ended(ended)) = line.as_deref().and_then(Message::parse) {
                return Some(ended);
            }
        }
    }
}

impl Variables {
    fn give(&self, command: &mut Command) {
        match self {
            Self::Inherited(more) => drop(command.envs(more)),
            Self::Only(all) => drop(command.env_clear().envs(all)),
        }
    }
}

/// Waits for the guard's first line.
fn first_line(mut control: &UnixStream, guard: ProcessId) -> io::Result<String> {
    /// How often a guard that says nothing is looked at.
    const LOOK: Duration = Duration::from_millis(200);
    control.set_read_timeout(Some(LOOK))?;
    let begun = Instant::now();
    let mut line = vec![];
    let mut byte = [0];
    // One byte at a time: what follows the line is for later.
    loop {
        match control.read(&mut byte) {
            Ok(0) => return Err(io::Error::other("the guard of the program ended before it had started it")),
            Ok(_) if byte[0] == b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if begun.elapsed() >= Program::GUARD_START {
                    return Err(ErrorKind::TimedOut.into());
                }
                if guard::is_stopped(guard) {
                    return Err(io::Error::other("the program has stopped its guard"));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn spawn(&self, script: &str) -> Program {
            let args = ["-c", script].map(OsString::from);
            let output = || File::create(self.0.path().join("output")).unwrap().into();
            let streams = Streams { stdin: Streams::nothing().unwrap(), stdout: output(), stderr: output() };
            let variables = Variables::Inherited([("GREETING".to_owned(), "hello".to_owned())].into());
            let order = Order {
                program: "sh".as_ref(),
                args: &args,
                variables: &variables,
                folder: self.0.path(),
                streams,
                limit: None,
            };
            Program::start(order, None).unwrap()
        }

        fn exists(&self, name: &str) -> bool {
            self.0.path().join(name).exists()
        }

        async fn wait_for(&self, name: &str) {
            for _ in 0..500 {
                if self.exists(name) {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
            panic!("the script did not write {name}");
        }

        /// A script with a child and a grandchild; all three stay.
        async fn family(&self, trap: &str) -> (Program, Vec<ProcessId>) {
            let script = format!("{trap}; sleep 60 & (sleep 60 & touch up; wait) & wait; wait");
            let program = self.spawn(&script);
            self.wait_for("up").await;
            for _ in 0..500 {
                let tree = program.tree();
                // The script, its sleep, the subshell and its sleep; `touch` has ended by then.
                if tree.len() == 4 {
                    assert_eq!(tree[0], program.id());
                    return (program, tree);
                }
                sleep(Duration::from_millis(10)).await;
            }
            panic!("{:?}", table::facts(&program.tree()));
        }
    }

    async fn end_of(program: &Program) -> Exit {
        for _ in 0..500 {
            if let Some(ended) = program.ended() {
                return ended.exit;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the program did not end");
    }

    fn any_runs(tree: &[ProcessId]) -> bool {
        tree.iter().any(|id| id.runs())
    }

    #[tokio::test]
    async fn how_it_ended_can_be_asked_again_and_again() {
        let bench = Bench::new();
        let program = bench.spawn("test \"$GREETING\" = hello && exit 3");
        assert_eq!(end_of(&program).await, Exit::Status(3));
        assert_eq!(end_of(&program).await, Exit::Status(3));
        program.kill().await;
        assert_eq!(end_of(&program).await, Exit::Status(3));
        assert_eq!(end_of(&bench.spawn("kill -9 $$")).await, Exit::Signal(9));
        let killed = bench.spawn("sleep 60");
        killed.kill().await;
        assert_eq!(end_of(&killed).await, Exit::Signal(9));
    }

    #[tokio::test]
    async fn stopping_takes_children_along() {
        let bench = Bench::new();
        let (program, tree) = bench.family("true").await;
        assert!(tree.iter().all(|id| id.runs()));
        program.terminate();
        let begun = Instant::now();
        program.stopped(begun + Program::GRACE).await;
        assert!(begun.elapsed() < Program::GRACE);
        assert!(!any_runs(&tree));
    }

    #[tokio::test]
    async fn a_family_that_ignores_the_request_is_killed() {
        let bench = Bench::new();
        let (program, tree) = bench.family("trap '' TERM").await;
        program.terminate();
        let begun = Instant::now();
        program.stopped(begun + Duration::from_millis(300)).await;
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert!(!any_runs(&tree));
    }

    #[tokio::test]
    async fn children_may_finish_their_work_after_their_parent_has_gone() {
        let bench = Bench::new();
        let child =
            "trap 'sleep 0.3; echo saved >done; exit' TERM; echo up >up; while true; do sleep 0.05; done";
        let program = bench.spawn(&format!("sh -c \"{child}\" & wait"));
        bench.wait_for("up").await;
        program.terminate();
        program.stopped(Instant::now() + Program::GRACE).await;
        assert!(bench.exists("done"));
    }

    #[tokio::test]
    async fn dropping_leaves_nothing_running() {
        let bench = Bench::new();
        let (program, tree) = bench.family("trap '' TERM").await;
        drop(program);
        assert!(!any_runs(&tree));
    }
}
