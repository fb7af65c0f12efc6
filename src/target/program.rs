//! One started program and everything it starts itself.

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid,
};
use tokio::time::{Instant, sleep};

use super::TargetError;
use super::log::Log;
use crate::model::Launch;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// The system did not keep how.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "exit status {status}"),
            Self::Signal(signal) => write!(formatter, "killed by signal {signal}"),
            Self::Unknown => formatter.write_str("it is gone"),
        }
    }
}

/// A program in a process group of its own, so that what it starts can be stopped with it. Dropping it kills the group.
///
/// The number of a process group stays taken while its first process is not waited for, or any other is in it. So the
/// first process is waited for only when the program is stopped: until then no signal can hit a stranger.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    group: Pid,
    log: Log,
    gone: bool,
}

impl Program {
    /// How long a program may take to end when it is asked to.
    pub(super) const GRACE: Duration = Duration::from_secs(5);

    /// How long the system may take to end what was killed.
    const KILLED: Duration = Duration::from_secs(1);

    /// Starts what `launch` says, without a shell, with this process's environment and no input.
    pub(super) fn spawn(launch: &Launch, root: &Path, log: Log) -> Result<Self, TargetError> {
        let folder = launch.cwd.as_ref().map_or_else(|| root.to_owned(), |cwd| root.join(cwd));
        if !folder.is_dir() {
            return Err(TargetError::NoFolder { path: folder });
        }
        let name = launch.run.first().cloned().unwrap_or_default();
        // A path means a file seen from where the program runs; only a bare name is looked up.
        let mut command =
            if name.contains('/') { Command::new(folder.join(&name)) } else { Command::new(&name) };
        command
            .args(launch.run.iter().skip(1))
            .envs(&launch.env)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.stdio()?)
            .stderr(log.stdio()?)
            .process_group(0);
        match command.spawn() {
            Ok(child) => Ok(Self { group: Pid::from_child(&child), child, log, gone: false }),
            Err(source) if source.kind() == ErrorKind::NotFound => {
                Err(TargetError::NoProgram { program: name })
            }
            Err(source) => Err(TargetError::Spawn { program: name, source }),
        }
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// How its first process ended; none while it runs.
    pub(super) fn exit(&self) -> Option<Exit> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group), look) {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(status), _) => Exit::Status(status),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Unknown,
            }),
            Err(_) => Some(Exit::Unknown),
        }
    }

    /// Asks the whole group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Returns when nothing of the group is left; what is left at `patience` is killed.
    pub(super) async fn ended(mut self, patience: Instant) {
        self.wait_until(patience).await;
        if !self.gone {
            self.signal(Signal::KILL);
            self.wait_until(Instant::now() + Self::KILLED).await;
        }
    }

    async fn wait_until(&mut self, end: Instant) {
        let mut pause = Duration::from_millis(2);
        loop {
            // Waiting for the first process gives its number back, but not the group's while others are in it.
            self.gone = !matches!(self.child.try_wait(), Ok(None)) && !is_alive(self.group);
            if self.gone || Instant::now() >= end {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: Signal) {
        // A group that has just ended is as good as one that was signalled.
        kill_process_group(self.group, signal).ok();
    }
}

/// Whether a process of the group still runs.
fn is_alive(group: Pid) -> bool {
    test_kill_process_group(group).is_ok() && has_running(group).unwrap_or(true)
}

/// Whether a process of the group is more than an entry that its new parent has not cleared away yet: in a container
/// that may take for ever. None where the system does not tell. See `stat` in proc(5).
fn has_running(group: Pid) -> Option<bool> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut lines = processes.filter_map(|process| table(&process.path().join("stat"))).peekable();
    lines.peek()?;
    let group = group.as_raw_nonzero().to_string();
    Some(lines.any(|line| {
        // The name, in parentheses, may hold anything; state, parent and group follow it.
        let mut facts = line.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = facts.next();
        facts.nth(1) == Some(&group) && !matches!(state, Some("Z" | "X"))
    }))
}

#[expect(clippy::disallowed_methods, reason = "a table of the kernel, not a file of the workspace")]
fn table(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.gone {
            self.signal(Signal::KILL);
            // Nothing outlives SIGKILL, so this does not block for longer than the system needs.
            drop(self.child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn spawn(&self, run: &[&str]) -> Result<Program, TargetError> {
            let launch = Launch {
                run: run.iter().map(|&word| word.to_owned()).collect(),
                cwd: None,
                env: [("GREETING".to_owned(), "hello".to_owned())].into(),
                ready: None,
                ready_timeout: Launch::READY_TIMEOUT,
            };
            Program::spawn(&launch, self.0.path(), Log::new(None, &"web".parse().unwrap()).unwrap())
        }

        /// A script that writes the ids of itself and two grandchildren to the file `pids` and stays.
        fn family(&self, trap: &str) -> Program {
            let script = format!(
                "{trap}; sleep 60 & (sleep 60 & echo $! >>pids; wait) & echo $$ $! >>pids; wait; wait"
            );
            self.spawn(&["sh", "-c", &script]).unwrap()
        }

        async fn pids(&self) -> Vec<i32> {
            for _ in 0..500 {
                let text = table(&self.path("pids")).unwrap_or_default();
                let pids: Vec<i32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
                if pids.len() == 3 {
                    return pids;
                }
                sleep(Duration::from_millis(10)).await;
            }
            panic!("the script did not start");
        }
    }

    /// Whether a process runs; one that has ended and is not yet waited for by its parent does not.
    fn runs(pid: i32) -> bool {
        table(Path::new(&format!("/proc/{pid}/stat"))).is_some_and(|stat| !stat.contains(") Z "))
    }

    async fn exit_of(program: &Program) -> Exit {
        for _ in 0..500 {
            if let Some(exit) = program.exit() {
                return exit;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the program did not end");
    }

    async fn ends(pids: Vec<i32>) -> bool {
        for _ in 0..200 {
            if !pids.iter().any(|&pid| runs(pid)) {
                return true;
            }
            sleep(Duration::from_millis(10)).await;
        }
        false
    }

    #[tokio::test]
    async fn how_it_ended_can_be_asked_again_and_again() {
        let bench = Bench::new();
        let program = bench.spawn(&["sh", "-c", "echo $GREETING; echo bad >&2; exit 3"]).unwrap();
        assert_eq!(exit_of(&program).await, Exit::Status(3));
        assert_eq!(program.exit(), Some(Exit::Status(3)));
        assert_eq!(program.log().tail(), ["hello", "bad"]);
        let killed = bench.spawn(&["sh", "-c", "kill -9 $$"]).unwrap();
        assert_eq!(exit_of(&killed).await, Exit::Signal(9));
    }

    #[tokio::test]
    async fn stopping_takes_children_along() {
        let bench = Bench::new();
        let program = bench.family("true");
        let pids = bench.pids().await;
        assert!(pids.iter().all(|&pid| runs(pid)));
        program.terminate();
        let begun = Instant::now();
        program.ended(begun + Program::GRACE).await;
        assert!(begun.elapsed() < Program::GRACE);
        assert!(!pids.iter().any(|&pid| runs(pid)));
    }

    #[tokio::test]
    async fn a_family_that_ignores_the_request_is_killed() {
        let bench = Bench::new();
        let program = bench.family("trap '' TERM");
        let pids = bench.pids().await;
        program.terminate();
        let begun = Instant::now();
        program.ended(begun + Duration::from_millis(300)).await;
        assert!(begun.elapsed() >= Duration::from_millis(300));
        assert!(!pids.iter().any(|&pid| runs(pid)));
    }

    #[tokio::test]
    async fn children_may_finish_their_work_after_their_parent_has_gone() {
        let bench = Bench::new();
        let child =
            "trap 'sleep 0.3; echo saved >done; exit' TERM; echo up >up; while true; do sleep 0.05; done";
        let script = format!("sh -c \"{child}\" & wait");
        let program = bench.spawn(&["sh", "-c", &script]).unwrap();
        for _ in 0..500 {
            if bench.path("up").exists() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        program.terminate();
        program.ended(Instant::now() + Program::GRACE).await;
        assert!(bench.path("done").exists());
    }

    #[tokio::test]
    async fn dropping_leaves_nothing_running() {
        let bench = Bench::new();
        let program = bench.family("trap '' TERM");
        let pids = bench.pids().await;
        drop(program);
        assert!(ends(pids).await);
    }

    #[test]
    fn what_can_not_be_started_says_what_to_look_at() {
        let bench = Bench::new();
        let missing = bench.spawn(&["mustdo-no-such-program", "--flag"]).unwrap_err();
        assert!(missing.to_string().starts_with("program \"mustdo-no-such-program\" was not found"));
        std::fs::File::create(bench.path("plain")).unwrap();
        assert!(matches!(bench.spawn(&["./plain"]).unwrap_err(), TargetError::Spawn { .. }));
        let launch = Launch {
            run: vec!["sh".to_owned()],
            cwd: Some("missing".to_owned()),
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        };
        let log = Log::new(None, &"web".parse().unwrap()).unwrap();
        let error = Program::spawn(&launch, bench.0.path(), log).unwrap_err();
        assert!(matches!(error, TargetError::NoFolder { .. }));
    }
}
