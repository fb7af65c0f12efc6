//! Programs and scratch copies behind the component's imports.

use std::time::Duration;

use super::bindings::mustdo::verifier::{process, scratch};
use super::{Imports, failure, millis};
use crate::Failure;
use crate::host::Programs;
use crate::process::{Command, Exit, Facts, Program, Signal, Socket, Stream};
use crate::scratch::Folder;

impl Programs for Imports {
    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure> {
        child(process::start(&outgoing(command), None))
    }

    fn attached(&self, target: &str) -> Result<Box<dyn Program>, Failure> {
        child(process::attach(target))
    }

    fn restart(&self, target: &str, timeout: Duration) -> Result<Box<dyn Program>, Failure> {
        child(process::restart(target, millis(timeout)))
    }

    fn scratch(&self, target: Option<&str>) -> Result<Box<dyn Folder>, Failure> {
        let opened = scratch::open(target).map_err(failure)?;
        Ok(Box::new(opened))
    }
}

fn child(started: Result<process::Child, super::failures::Failure>) -> Result<Box<dyn Program>, Failure> {
    let child = started.map_err(failure)?;
    Ok(Box::new(child))
}

fn outgoing(command: &Command) -> process::Command {
    process::Command {
        target: command.target.clone(),
        args: command.arguments.clone(),
        env: command.environment.clone(),
    }
}

impl Folder for scratch::Workspace {
    fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        scratch::Workspace::read(self, path).map_err(failure)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        scratch::Workspace::write(self, path, bytes).map_err(failure)
    }

    fn remove(&self, path: &str) -> Result<(), Failure> {
        scratch::Workspace::remove(self, path).map_err(failure)
    }

    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure> {
        child(process::start(&outgoing(command), Some(self)))
    }
}

impl Program for process::Child {
    fn write_stdin(&self, bytes: &[u8], timeout: Duration) -> Result<(), Failure> {
        process::Child::write_stdin(self, bytes, millis(timeout)).map_err(failure)
    }

    fn close_stdin(&self) {
        process::Child::close_stdin(self);
    }

    fn read(&self, stream: Stream, max: u32, timeout: Duration) -> Result<Vec<u8>, Failure> {
        let which = match stream {
            Stream::Stdout => process::Output::Stdout,
            Stream::Stderr => process::Output::Stderr,
        };
        process::Child::read(self, which, max, millis(timeout)).map_err(failure)
    }

    fn signal(&self, signal: Signal) -> Result<(), Failure> {
        let signal = match signal {
            Signal::Terminate => process::Signal::Terminate,
            Signal::Interrupt => process::Signal::Interrupt,
            Signal::Kill => process::Signal::Kill,
            Signal::Stop => process::Signal::Stop,
            Signal::Resume => process::Signal::Resume,
            Signal::HangUp => process::Signal::HangUp,
            Signal::User1 => process::Signal::User1,
            Signal::User2 => process::Signal::User2,
        };
        process::Child::send_signal(self, signal).map_err(failure)
    }

    fn wait(&self, timeout: Duration) -> Result<Option<Exit>, Failure> {
        let exit = process::Child::wait(self, millis(timeout)).map_err(failure)?;
        Ok(exit.map(|exit| Exit {
            code: exit.code,
            signal: exit.signal,
            wall: Duration::from_nanos(exit.wall_nanos),
        }))
    }

    fn tree(&self) -> Result<Vec<Facts>, Failure> {
        let facts = process::Child::tree(self).map_err(failure)?;
        Ok(facts.into_iter().map(incoming).collect())
    }

    fn sockets(&self) -> Result<Vec<Socket>, Failure> {
        let rows = process::Child::sockets(self).map_err(failure)?;
        let socket = |row: process::SocketRow| Socket {
            state: row.state,
            local_port: row.local_port,
            peer_port: row.peer_port,
        };
        Ok(rows.into_iter().map(socket).collect())
    }
}

fn incoming(facts: process::Facts) -> Facts {
    Facts {
        pid: facts.pid,
        parent: facts.parent,
        command: facts.command,
        threads: facts.threads,
        resident: facts.resident_bytes,
        peak_resident: facts.peak_resident_bytes,
        user: Duration::from_nanos(facts.user_nanos),
        system: Duration::from_nanos(facts.system_nanos),
        open_files: facts.open_files,
        state: facts.state,
        ended_children: Duration::from_nanos(facts.ended_children_nanos),
        waited: facts.waited_nanos.map(Duration::from_nanos),
    }
}
