//! The guard: mustdo once more, between a program and whoever wants to escape from it.
//!
//! A guard adopts every orphan below it (`PR_SET_CHILD_SUBREAPER`, prctl(2)), so a child that starts a session of its
//! own, or outlives its parent, is still found. It ends when its socket to mustdo closes, for whatever reason: mustdo may
//! have asked for it or may have been killed. Before it ends it kills and clears away everything below it.
//!
//! It leads a session of its own, whose number mustdo knows before the program exists: a program that kills its guard
//! with its first breath is found by that. Nor has the program a terminal in there.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use super::wire::{Message, receive_streams};
use super::{Ended, Exit, ProcessId, Streams, table};

/// The name that a guard is called by, as its first argument. What comes after it is how many processes the program may
/// have, zero for any number, the program and its arguments.
pub(super) const NAME: &str = "mustdo-guard";

/// How long a guard tries to kill what does not die: what another user's rights protect, or a broken disk holds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often processes are counted, where that has a limit.
const CENSUS: Duration = Duration::from_millis(200);

/// How often what is below is looked for while it is stopped: what forks faster than it can be stopped is killed moving.
const ROUNDS: usize = 50;

/// Acts as a guard, if `arguments` are a guard's; none where they are anything else. To be called before anything else
/// is made of the arguments.
#[must_use]
pub fn guard(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != NAME {
        return None;
    }
    let limit = arguments.next()?.to_str()?.parse().ok()?;
    let program = arguments.next()?;
    let kept = keep(&program, arguments.collect(), limit);
    Some(if kept.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn keep(program: &OsString, arguments: Vec<OsString>, limit: usize) -> io::Result<()> {
    let control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let streams = receive_streams(&control)?;
    rustix::process::setsid()?;
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        // A guard that its program has stopped can not see that mustdo is gone.
        rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(program, arguments, limit, streams, control))
}

async fn watch(
    program: &OsString,
    arguments: Vec<OsString>,
    limit: usize,
    streams: Streams,
    control: UnixStream,
) -> io::Result<()> {
    // Before anything can end. A handler, unlike a signal that is ignored, is not handed on to the program.
    let mut ended_child = signal(SignalKind::child())?;
    let mut asked = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let [terminate, interrupt] = &mut asked;
    let mut hang_up = signal(SignalKind::hangup())?;

    let begun = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).process_group(0);
    command.stdin(streams.stdin).stdout(streams.stdout).stderr(streams.stderr);
    let spawned = command.spawn();
    // The guard must not keep the program's pipes open.
    drop(command);
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            Message::Failed(error.raw_os_error().unwrap_or(0)).send(&control);
            return Err(error);
        }
    };
    let main = Pid::from_child(&child);
    Message::Started(child.id()).send(&control);

    control.set_nonblocking(true)?;
    let mut closed = tokio::net::UnixStream::from_std(control.try_clone()?)?;
    let mut told = false;
    let mut census = tokio::time::interval(CENSUS);
    census.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut byte = [0];
        tokio::select! {
            _ = ended_child.recv() => {
                clear_orphans(main);
                if let Some(exit) = exit(main).filter(|_| !told) {
                    Message::Ended(Ended { exit, wall: begun.elapsed() }).send(&control);
                    told = true;
                }
            }
            read = closed.read(&mut byte) => if !matches!(read, Ok(1..)) { break },
            _ = census.tick(), if limit > 0 => if below(std::process::id()).len() > limit { break },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {}
        }
    }
    end_all(main);
    if !told {
        Message::Ended(Ended { exit: Exit::Signal(Signal::KILL.as_raw()), wall: begun.elapsed() })
            .send(&control);
    }
    Ok(())
}

/// How the first process ended; none while it runs. It is asked for and not cleared away: until the guard ends, its
/// number and its group's are nobody else's.
pub(super) fn exit(main: Pid) -> Option<Exit> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(main), look) {
        Ok(None) => None,
        Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => Exit::Status(status),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unknown,
        }),
        Err(_) => Some(Exit::Unknown),
    }
}

/// Clears away adopted children that have ended.
fn clear_orphans(main: Pid) {
    let own = std::process::id();
    for row in table::below(own).into_iter().filter(|row| row.parent == own && row.dead) {
        if let Some(pid) = pid_of(row.id).filter(|&pid| pid != main) {
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok();
        }
    }
}

fn pid_of(id: ProcessId) -> Option<Pid> {
    Pid::from_raw(i32::try_from(id.pid).ok()?)
}

/// Kills everything below this process and clears it away.
fn end_all(main: Pid) {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(1);
    hold_still(std::process::id());
    loop {
        kill_process_group(main, Signal::KILL).ok();
        signal_below(std::process::id(), Signal::KILL);
        while matches!(waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(Some(_))) {}
        let none_left =
            waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)
                .is_err_and(|error| error == rustix::io::Errno::CHILD);
        if none_left || begun.elapsed() >= PATIENCE {
            return;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Sets a guard going again that its program has stopped. What is below it is killed from here first, or else it would
/// stop its guard anew.
pub(super) fn wake(guard: ProcessId) {
    if is_stopped(guard) {
        hold_still(guard.pid);
        signal_below(guard.pid, Signal::KILL);
        drop(guard.signal(Signal::CONT));
    }
}

/// Whether a signal, or a tracer, keeps a process from running.
pub(super) fn is_stopped(id: ProcessId) -> bool {
    table::facts(&[id]).iter().any(|facts| matches!(facts.state.as_str(), "T" | "t"))
}

/// What runs in a guard's session, itself left out; none where the system does not tell.
pub(super) fn session(guard: ProcessId) -> Option<Vec<ProcessId>> {
    // The number is the session's as long as anything is in it, and nothing in it is older than its guard.
    let inside = |row: &table::Row| row.session == guard.pid && row.id.began >= guard.began;
    let rows = table::rows()?.into_iter().filter(|row| inside(row) && !row.dead && row.id != guard);
    Some(rows.map(|row| row.id).collect())
}

/// Stops everything below `root`. What is stopped does not fork, so what is found after nothing moves any more is all
/// there is.
fn hold_still(root: u32) {
    let mut stopped = BTreeSet::new();
    for _ in 0..ROUNDS {
        let moving: Vec<_> = below(root).into_iter().filter(|id| stopped.insert(*id)).collect();
        if moving.is_empty() {
            return;
        }
        for id in moving {
            drop(id.signal(Signal::STOP));
        }
    }
}

fn signal_below(root: u32, signal: Signal) {
    for id in below(root) {
        drop(id.signal(signal));
    }
}

fn below(root: u32) -> Vec<ProcessId> {
    table::below(root).into_iter().filter(|row| !row.dead).map(|row| row.id).collect()
}
