//! Programs that the user approved, and the processes behind targets.
//!
//! A plugin names a target, never a program or a process. What it adds to the program's arguments and environment is held
//! against what the user wrote (`command`). A signal reaches what the plugin started or attached to, by identity and
//! not by number; a target is signalled only by a check that has it alone, and only where mustdo can bring it back.
//! Everything started is killed with its handle, at the latest when the run ends.

mod child;
mod command;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use crate::model::{Capability, Endpoint, TargetKind, TargetName};
use crate::process::{
    Facts, Order, OwnerError, ProcessId, Program, Signal, Socket, Supervised, facts, owner, sockets,
};

use super::contract::Failure;
use super::contract::process::{self, Host, HostChild};
use super::failure;
use super::files::blocking;
use super::scratch::{Room, WorkspaceHandle};
use super::state::State;

use child::Pipes;
use command::Command;

#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use child::Child;

/// What a host needs to start programs.
#[derive(Debug, Clone, Default)]
pub struct ProgramOptions {
    /// This executable, if its `main` is [`cli::main`](crate::cli::main): see [`Program::start`].
    pub guard: Option<PathBuf>,
    /// Where programs look for others: the user's `PATH`.
    pub search: Option<OsString>,
}

/// Programs that one run starts: enough to crash one at every step of a protocol.
const STARTS: usize = 1_000;

/// Handles on processes at once: each program has a guard and three pipes.
const CHILDREN: usize = 64;

/// Processes of one program, more of which are a fork bomb: a large build or a server with its workers has tens.
const PROCESSES: usize = 512;

/// Bytes that one read gives.
const CHUNK: usize = 1 << 20;

/// Sockets that one call lists.
const SOCKETS: usize = 20_000;

/// What one run has started and stopped.
#[derive(Default)]
pub(super) struct Programs {
    started: usize,
    children: usize,
    /// The folder that is `HOME` to every program of the run.
    home: Option<Arc<Room>>,
    /// Processes of targets that were stopped and must not stay so.
    stopped: BTreeSet<ProcessId>,
}

impl Programs {
    fn take(&mut self) -> Result<(), Failure> {
        if self.children >= CHILDREN {
            return Err(Failure::OverLimit(format!("a run may have {CHILDREN} processes at once")));
        }
        if self.started >= STARTS {
            return Err(Failure::OverLimit(format!("a run may start {STARTS} programs")));
        }
        self.started += 1;
        Ok(())
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for id in &self.stopped {
            drop(id.signal(Signal::CONT));
        }
    }
}

impl State {
    async fn start_child(
        &mut self,
        order: process::Command,
        inside: Option<Arc<Room>>,
    ) -> Result<Child, Failure> {
        let process::Command { target, args, env } = order;
        let (name, endpoint) = self.bound(&target, Capability::Process)?;
        if endpoint.kind() != TargetKind::Command && args.is_empty() && env.is_empty() && inside.is_none() {
            return self.start_beside(name).await;
        }
        let command = Command::new(&target, endpoint, &args, &env)?;
        self.programs.take()?;
        let home = self.home().await?;
        let options = self.common.programs.clone();
        let variables = command.environment(options.search.as_deref(), home.path());
        let (pipes, streams) = Pipes::new().map_err(|error| failure::of_io(&error))?;
        let rooms: Vec<_> = [Some(home.clone()), inside.clone()].into_iter().flatten().collect();
        let program = blocking(move || {
            let folder = inside.as_ref().map(|room| room.path()).or(command.cwd.as_deref());
            let order = Order {
                program: command.program.as_os_str(),
                args: &command.args,
                variables: &variables,
                folder: folder.unwrap_or(home.path()),
                streams,
                limit: Some(PROCESSES),
            };
            Program::start(order, options.guard.as_deref()).map_err(|error| {
                Failure::Unreachable(format!("{} could not be started: {error}", command.program.display()))
            })
        })
        .await?;
        Ok(Child::started(name, program, pipes, rooms))
    }

    /// A second copy of the program behind a target, beside it. It may disturb the first, as every signal may.
    async fn start_beside(&mut self, name: TargetName) -> Result<Child, Failure> {
        let supervised = self.started_by_us(&name)?.clone();
        self.programs.take()?;
        supervised.disturb();
        let program = blocking(move || supervised.beside().map_err(Failure::Unreachable)).await?;
        Ok(Child::copied(name, program))
    }

    /// Who started the program behind a target that this check has alone.
    fn started_by_us(&self, name: &TargetName) -> Result<&Arc<dyn Supervised>, Failure> {
        let supervised = self.supervised.get(name).ok_or_else(|| {
            Failure::Unbound(format!(
                "mustdo did not start the target \"{name}\": add `run` to it in mustdo.toml to have it started"
            ))
        })?;
        self.may_disturb(name, Some(supervised))
    }

    /// The folder that is home to the programs of this run.
    async fn home(&mut self) -> Result<Arc<Room>, Failure> {
        if let Some(home) = &self.programs.home {
            return Ok(home.clone());
        }
        let home = blocking(|| Room::new().map_err(|error| failure::of_io(&error))).await?;
        Ok(self.programs.home.insert(Arc::new(home)).clone())
    }

    /// Who listens at `target`, and who started that, if mustdo did.
    async fn behind(&mut self, target: &str) -> Result<Child, Failure> {
        let (name, endpoint) = self.bound(target, Capability::Process)?;
        let (authority, datagrams) = match endpoint {
            Endpoint::Http { authority, .. } | Endpoint::Tcp(authority) => (authority, false),
            Endpoint::Udp(authority) => (authority, true),
            Endpoint::Dir(_) | Endpoint::Command { .. } => {
                let why = format!(
                    "the target \"{name}\" listens nowhere: only a server's process can be attached to"
                );
                return Err(Failure::Unbound(why));
            }
        };
        if self.programs.children >= CHILDREN {
            return Err(Failure::OverLimit(format!("a run may have {CHILDREN} processes at once")));
        }
        let supervised = self.supervised.get(&name).cloned();
        let within = supervised.as_ref().map(|supervised| supervised.program().root());
        // Whom the run talks to is whose process it is: a name is not looked up a second time.
        let destination = self.destination(&authority).await?;
        let found = blocking(move || {
            owner(datagrams, destination.addresses(), within).map_err(|error| {
                Failure::Unreachable(format!("no process of {authority}: {error}{}", way_out(error)))
            })
        })
        .await?;
        Ok(Child::attached(name, found, supervised))
    }

    /// Whether this check may disturb the program behind a target: it must have the target alone, and somebody must be
    /// able to bring it back.
    fn may_disturb<'a>(
        &self,
        target: &TargetName,
        supervised: Option<&'a Arc<dyn Supervised>>,
    ) -> Result<&'a Arc<dyn Supervised>, Failure> {
        if !self.exclusive {
            return Err(Failure::Denied(format!(
                "other checks may use the target \"{target}\" at this moment: only a check that declares itself exclusive \
                 may disturb it"
            )));
        }
        supervised.ok_or_else(|| {
            Failure::Denied(format!(
                "mustdo did not start the target \"{target}\" and could not bring it back: add `run` to it in mustdo.toml"
            ))
        })
    }

    fn signal_child(
        &mut self,
        child: &Resource<Child>,
        signal: process::Signal,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let child = self.table.get(child)?;
        if child.is_attached() {
            match self.may_disturb(&child.target, child.supervised()) {
                Ok(supervised) => supervised.disturb(),
                Err(refused) => return Ok(Err(refused)),
            }
            match signal {
                process::Signal::Stop => drop(self.programs.stopped.insert(child.id())),
                process::Signal::Resume => drop(self.programs.stopped.remove(&child.id())),
                process::Signal::Terminate
                | process::Signal::Interrupt
                | process::Signal::Kill
                | process::Signal::HangUp
                | process::Signal::User1
                | process::Signal::User2 => {}
            }
        }
        Ok(child.signal(number(signal)))
    }

    async fn restarted(&mut self, target: &str, patience: Duration) -> Result<Child, Failure> {
        let (name, _) = self.bound(target, Capability::Process)?;
        let supervised = self.started_by_us(&name)?.clone();
        let program = supervised.restart(patience).await.map_err(Failure::Unreachable)?;
        match self.behind(target).await {
            // Where the system does not tell who listens, the program itself stands for it.
            Err(Failure::Unreachable(_)) => Ok(Child::attached(name, program.id(), Some(supervised))),
            found => found,
        }
    }

    /// Keeps a child, and notes what was done for it.
    fn admit(
        &mut self,
        at: Instant,
        what: String,
        child: Result<Child, Failure>,
    ) -> wasmtime::Result<Result<Resource<Child>, Failure>> {
        self.accesses.note(at, || what, child.as_ref().err());
        match child {
            Ok(child) => {
                let handle = self.keep(child)?;
                self.programs.children += 1;
                Ok(Ok(handle))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Looks at the processes of a child, where that may wait.
    async fn look<T: Send + 'static>(
        &mut self,
        child: &Resource<Child>,
        what: &str,
        look: impl FnOnce(&[ProcessId]) -> Result<T, Failure> + Send + 'static,
    ) -> wasmtime::Result<Result<T, Failure>> {
        let at = Instant::now();
        let child = self.table.get(child)?;
        let (target, find) = (child.target.clone(), child.finder());
        let seen = blocking(move || {
            let found = find();
            if found.len() > PROCESSES {
                return Err(Failure::OverLimit(format!("a program may have {PROCESSES} processes")));
            }
            look(&found)
        })
        .await;
        self.accesses.note(at, || format!("process {what} {target}"), seen.as_ref().err());
        Ok(seen)
    }
}

/// What a user can do about a process that can not be told; empty where there is nothing.
fn way_out(error: OwnerError) -> &'static str {
    match error {
        OwnerError::Stranger => "; let mustdo start it: add `run` to the target in mustdo.toml",
        OwnerError::Elsewhere | OwnerError::Nobody | OwnerError::Ourselves | OwnerError::NotWithin => "",
    }
}

fn number(signal: process::Signal) -> Signal {
    match signal {
        process::Signal::Terminate => Signal::TERM,
        process::Signal::Interrupt => Signal::INT,
        process::Signal::Kill => Signal::KILL,
        process::Signal::Stop => Signal::STOP,
        process::Signal::Resume => Signal::CONT,
        process::Signal::HangUp => Signal::HUP,
        process::Signal::User1 => Signal::USR1,
        process::Signal::User2 => Signal::USR2,
    }
}

fn word(signal: process::Signal) -> &'static str {
    match signal {
        process::Signal::Terminate => "terminate",
        process::Signal::Interrupt => "interrupt",
        process::Signal::Kill => "kill",
        process::Signal::Stop => "stop",
        process::Signal::Resume => "resume",
        process::Signal::HangUp => "hang-up",
        process::Signal::User1 => "user1",
        process::Signal::User2 => "user2",
    }
}

impl Host for State {
    async fn start(
        &mut self,
        command: process::Command,
        inside: Option<Resource<WorkspaceHandle>>,
    ) -> wasmtime::Result<Result<Resource<Child>, Failure>> {
        let at = Instant::now();
        let inside = inside.map(|workspace| self.table.get(&workspace).map(|workspace| workspace.room()));
        let inside = inside.transpose()?;
        let what = format!("process start {} {:?}", command.target, command.args);
        self.accesses.begin(at, what.clone());
        let child = self.start_child(command, inside).await;
        self.admit(at, what, child)
    }

    async fn attach(&mut self, target: String) -> wasmtime::Result<Result<Resource<Child>, Failure>> {
        let at = Instant::now();
        let what = format!("process attach {target}");
        self.accesses.begin(at, what.clone());
        let child = self.behind(&target).await;
        self.admit(at, what, child)
    }

    async fn restart(
        &mut self,
        target: String,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Resource<Child>, Failure>> {
        let at = Instant::now();
        let what = format!("process restart {target}");
        self.accesses.begin(at, what.clone());
        let child = self.restarted(&target, Duration::from_millis(timeout_millis.into())).await;
        self.admit(at, what, child)
    }
}

impl HostChild for State {
    async fn write_stdin(
        &mut self,
        child: Resource<Child>,
        bytes: Vec<u8>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<(), Failure>> {
        Ok(self.table.get_mut(&child)?.write(&bytes, Duration::from_millis(timeout_millis.into())).await)
    }

    fn close_stdin(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.table.get_mut(&child)?.close();
        Ok(())
    }

    async fn read(
        &mut self,
        child: Resource<Child>,
        which: process::Output,
        max: u32,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        Ok(self.table.get_mut(&child)?.read(which, max, Duration::from_millis(timeout_millis.into())).await)
    }

    fn send_signal(
        &mut self,
        child: Resource<Child>,
        signal: process::Signal,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let at = Instant::now();
        let sent = self.signal_child(&child, signal)?;
        let target = &self.table.get(&child)?.target;
        self.accesses.note(at, || format!("process signal {target} {}", word(signal)), sent.as_ref().err());
        Ok(sent)
    }

    async fn wait(
        &mut self,
        child: Resource<Child>,
        timeout_millis: u32,
    ) -> wasmtime::Result<Result<Option<process::Exit>, Failure>> {
        Ok(Ok(self.table.get(&child)?.wait(Duration::from_millis(timeout_millis.into())).await))
    }

    async fn tree(
        &mut self,
        child: Resource<Child>,
    ) -> wasmtime::Result<Result<Vec<process::Facts>, Failure>> {
        self.look(&child, "tree", |ids| Ok(facts(ids).into_iter().map(told).collect())).await
    }

    async fn sockets(
        &mut self,
        child: Resource<Child>,
    ) -> wasmtime::Result<Result<Vec<process::SocketRow>, Failure>> {
        let row = |Socket { state, local_port, peer_port }| process::SocketRow {
            state: state.to_owned(),
            local_port,
            peer_port,
        };
        self.look(&child, "sockets", move |ids| {
            let found = sockets(ids);
            if found.len() > SOCKETS {
                return Err(Failure::OverLimit(format!("one call lists {SOCKETS} sockets")));
            }
            Ok(found.into_iter().map(row).collect())
        })
        .await
    }

    fn drop(&mut self, child: Resource<Child>) -> wasmtime::Result<()> {
        self.release(child)?;
        self.programs.children = self.programs.children.saturating_sub(1);
        Ok(())
    }
}

fn told(facts: Facts) -> process::Facts {
    let Facts {
        pid,
        parent,
        command,
        threads,
        resident,
        peak_resident,
        user,
        system,
        open_files,
        state,
        ended_children,
        waited,
    } = facts;
    process::Facts {
        pid,
        parent,
        command,
        threads,
        resident_bytes: resident,
        peak_resident_bytes: peak_resident,
        user_nanos: super::clock::nanos(user),
        system_nanos: super::clock::nanos(system),
        open_files,
        state,
        ended_children_nanos: super::clock::nanos(ended_children),
        waited_nanos: waited.map(super::clock::nanos),
    }
}
