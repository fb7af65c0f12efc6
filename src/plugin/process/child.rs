//! A process that a plugin has a handle on.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{sleep, timeout};

use super::CHUNK;
use crate::model::TargetName;
use crate::plugin::contract::{Failure, process};
use crate::plugin::failure;
use crate::plugin::scratch::Room;
use crate::process::{Ended, Exit, ProcessId, Program, Signal, Streams, Supervised};

/// What a plugin's handle stands for.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Child {
    /// The plugin's name for the target.
    pub(super) target: TargetName,
    kind: Kind,
}

enum Kind {
    /// A program that the plugin started: it goes with the handle.
    Started {
        program: Arc<Program>,
        /// None for a copy of a target's program: it prints where the target prints.
        pipes: Option<Pipes>,
        /// The folders it works in, which go after it.
        _rooms: Vec<Arc<Room>>,
    },
    /// The process behind a target.
    Attached {
        id: ProcessId,
        since: Instant,
        /// The program that it is part of, where mustdo started that, as it was when the handle was made.
        program: Option<Arc<Program>>,
        /// Who started it.
        supervised: Option<Arc<dyn Supervised>>,
    },
}

/// Our ends of a program's streams. They are read and written only when the plugin asks: a program that floods its output
/// is stopped by the system when the pipe is full.
pub(super) struct Pipes {
    stdin: Option<Sender>,
    stdout: Receiver,
    stderr: Receiver,
}

impl Pipes {
    /// Three new pipes, and the program's ends of them.
    pub(super) fn new() -> io::Result<(Self, Streams)> {
        let (stdin, writes) = io::pipe()?;
        let (reads, stdout) = io::pipe()?;
        let (reads_errors, stderr) = io::pipe()?;
        let pipes = Self {
            stdin: Some(Sender::from_owned_fd(OwnedFd::from(writes))?),
            stdout: Receiver::from_owned_fd(OwnedFd::from(reads))?,
            stderr: Receiver::from_owned_fd(OwnedFd::from(reads_errors))?,
        };
        Ok((pipes, Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() }))
    }
}

impl Child {
    /// A program that was just started.
    pub(super) fn started(target: TargetName, program: Program, pipes: Pipes, rooms: Vec<Arc<Room>>) -> Self {
        Self { target, kind: Kind::Started { program: Arc::new(program), pipes: Some(pipes), _rooms: rooms } }
    }

    /// A second copy of the program behind a target.
    pub(super) fn copied(target: TargetName, program: Program) -> Self {
        Self { target, kind: Kind::Started { program: Arc::new(program), pipes: None, _rooms: Vec::new() } }
    }

    /// The process behind a target.
    pub(super) fn attached(
        target: TargetName,
        id: ProcessId,
        supervised: Option<Arc<dyn Supervised>>,
    ) -> Self {
        let program = supervised.as_ref().map(|supervised| supervised.program());
        Self { target, kind: Kind::Attached { id, since: Instant::now(), program, supervised } }
    }

    /// The process.
    pub(super) fn id(&self) -> ProcessId {
        match &self.kind {
            Kind::Started { program, .. } => program.id(),
            Kind::Attached { id, .. } => *id,
        }
    }

    /// Whether it is a target's, so that a signal to it needs more than the handle.
    pub(super) fn is_attached(&self) -> bool {
        matches!(self.kind, Kind::Attached { .. })
    }

    /// Who started it for a target, and must be told before it is disturbed.
    pub(super) fn supervised(&self) -> Option<&Arc<dyn Supervised>> {
        match &self.kind {
            Kind::Started { .. } => None,
            Kind::Attached { supervised, .. } => supervised.as_ref(),
        }
    }

    /// Writes everything.
    pub(super) async fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Failure> {
        let pipe = self.pipes()?.stdin.as_mut();
        let pipe = pipe.ok_or_else(|| Failure::Other("its standard input was closed before".to_owned()))?;
        match timeout(patience, pipe.write_all(bytes)).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::Unreachable("the program has closed its standard input".to_owned()))
            }
            Ok(written) => written.map_err(|error| failure::of_io(&error)),
        }
    }

    /// Ends what the program reads.
    pub(super) fn close(&mut self) {
        if let Ok(pipes) = self.pipes() {
            pipes.stdin = None;
        }
    }

    /// Up to `max` bytes of what the program says; none at the end.
    pub(super) async fn read(
        &mut self,
        which: process::Output,
        max: u32,
        patience: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let pipes = self.pipes()?;
        let pipe = match which {
            process::Output::Stdout => &mut pipes.stdout,
            process::Output::Stderr => &mut pipes.stderr,
        };
        let mut bytes = vec![0; usize::try_from(max).unwrap_or(CHUNK).min(CHUNK)];
        if bytes.is_empty() {
            return Err(Failure::Other("a read of no bytes can not be told from the end".to_owned()));
        }
        match timeout(patience, pipe.read(&mut bytes)).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(read) => {
                bytes.truncate(read.map_err(|error| failure::of_io(&error))?);
                Ok(bytes)
            }
        }
    }

    /// Sends a signal to the process itself.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.id().signal(signal).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::SRCH) => Failure::Unreachable("the process has ended".to_owned()),
            _ => failure::of_io(&error),
        })
    }

    /// How it ended; none while it runs after `patience`.
    pub(super) async fn wait(&self, patience: Duration) -> Option<process::Exit> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(ended) = self.ended() {
                return Some(exit(ended));
            }
            let left = patience.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())?;
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn ended(&self) -> Option<Ended> {
        match &self.kind {
            Kind::Started { program, .. } => program.ended(),
            Kind::Attached { id, since, program, .. } => {
                let whole = program.as_ref().filter(|program| program.id() == *id);
                match whole {
                    Some(program) => program.ended(),
                    // Its parent is told how it ended, and nobody else.
                    None => (!id.runs()).then(|| Ended { exit: Exit::Unknown, wall: since.elapsed() }),
                }
            }
        }
    }

    /// What finds the processes that belong to it. It looks through the system's table: to be called where that may wait.
    pub(super) fn finder(&self) -> impl FnOnce() -> Vec<ProcessId> + Send + 'static {
        let (id, program) = match &self.kind {
            Kind::Started { program, .. } => (program.id(), Some(program.clone())),
            Kind::Attached { id, .. } => (*id, None),
        };
        move || program.map_or_else(|| id.tree(), |program| program.tree())
    }

    fn pipes(&mut self) -> Result<&mut Pipes, Failure> {
        match &mut self.kind {
            Kind::Started { pipes: Some(pipes), .. } => Ok(pipes),
            Kind::Started { pipes: None, .. } | Kind::Attached { .. } => {
                Err(Failure::Other("the process belongs to a target: its streams are its own".to_owned()))
            }
        }
    }
}

fn exit(ended: Ended) -> process::Exit {
    let (code, signal) = match ended.exit {
        Exit::Status(status) => (Some(status), None),
        Exit::Signal(signal) => (None, Some(signal)),
        Exit::Unknown => (None, None),
    };
    process::Exit { code, signal, wall_nanos: crate::plugin::clock::nanos(ended.wall) }
}
