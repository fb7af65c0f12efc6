//! Compiling: of our own plugins here and now, of foreign ones in a process of its own.
//!
//! A compiler's time and memory grow with what it is given, and not in a straight line: a component of a few megabytes can
//! ask for minutes and gigabytes. A thread that compiles can not be stopped and its memory can not be limited, so a
//! foreign plugin is compiled by this same program, started once more with limits of the system's own, and is stopped
//! when its time is up.
//!
//! What comes back is native code, and running it is as safe as running what was compiled here: the bytes come through a
//! pipe that nobody else holds, from the program that we are. A compiler that a hostile component takes over could return
//! any code, and so it could in this process; there is nothing that it could reach only because it is a child.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use thiserror::Error;
use wasmtime::Engine;

use crate::model::{Limit, Limits, plain_line};

use super::engine::{self, Backend};
use super::limit::{ARTEFACT_BYTES, LINE_CHARS, mebibytes};

/// Where foreign plugins are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiler {
    /// On a thread of this process, which is left to itself when its time is up; its memory has no limit. For programs
    /// that use this library and have no [`compile`] to offer.
    #[default]
    Here,
    /// In a process of this program.
    Process {
        /// Which program.
        program: PathBuf,
        /// After this argument it passes what it is given to [`compile`].
        compile: &'static str,
        /// After this one, to [`optimise`](super::optimise).
        optimise: &'static str,
    },
}

/// Why there is no compiled form of a component.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The compiler does not take it.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("takes longer than {limit} s to compile; {}", Limit::CompileTime.way_out())]
    Time {
        /// Seconds.
        limit: u32,
    },
    /// It took too much memory.
    #[error("needs more than {limit} MiB to be compiled; {}", Limit::CompileMemory.way_out())]
    Memory {
        /// MiB.
        limit: u32,
    },
    /// The compiler itself failed.
    #[error("could not be compiled: {0}")]
    Broken(String),
    /// It failed before, and was not tried again.
    #[error("{failure}; that was so before, and was not tried again: to try, delete {}", note.display())]
    Remembered {
        /// How.
        failure: Box<CompileError>,
        /// What it is remembered in.
        note: PathBuf,
    },
}

/// Threads that compile one component. Each reserves some 64 MiB of address space for its allocator (glibc), used or not:
/// on a machine with 64 processors a Python plugin would meet the limit on memory for that alone.
const THREADS: usize = 16;

/// As many of them as are started.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS)
}

/// How a compiling process tells that it had too little memory.
const NO_MEMORY: i32 = 12;

/// The words with which the standard library and the system's allocator end a process that has no memory left.
const NO_MEMORY_WORDS: [&str; 3] = ["memory allocation of", "Cannot allocate memory", "os error 12"];

/// Compiles what was read from standard input, under limits that hold for this whole process from now on. The number is
/// the code to exit with beside the words.
pub fn compile(
    component: &[u8],
    backend: Backend,
    memory_mib: u32,
    seconds: u32,
) -> Result<Vec<u8>, (i32, String)> {
    restrict(memory_mib, seconds)
        .and_then(|()| end_with_parent())
        .map_err(|error| (1, format!("no limits: {error}")))?;
    let compiled = engine::compiler(backend).and_then(|engine| engine.precompile_component(component));
    compiled.map_err(|error| {
        let words = plain_line(&format!("{error:#}"), LINE_CHARS);
        (if out_of_memory(&words) { NO_MEMORY } else { 2 }, words)
    })
}

fn out_of_memory(words: &str) -> bool {
    NO_MEMORY_WORDS.iter().any(|known| words.contains(known))
}

/// Limits this whole process from now on.
pub(super) fn restrict(memory_mib: u32, seconds: u32) -> io::Result<()> {
    let limit = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, limit(mebibytes(memory_mib) as u64))?;
    // Every thread counts; whoever started this process stops it sooner, if it still lives.
    setrlimit(Resource::Cpu, limit(u64::from(seconds).saturating_mul(threads() as u64)))?;
    Ok(setrlimit(Resource::Core, limit(0))?)
}

/// Whoever asked for the result is the only one who can take it.
fn end_with_parent() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

impl Compiler {
    /// The compiled form of a foreign component, for `engine`, which has this backend.
    pub(super) fn compile(
        &self,
        backend: Backend,
        engine: &Engine,
        component: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, CompileError> {
        match self {
            Self::Here => on_a_thread(engine, component, limits),
            Self::Process { program, compile, optimise: _ } => {
                let mut command = Command::new(program);
                command
                    .arg(compile)
                    .arg(backend.name())
                    .arg(limits.get(Limit::CompileMemory).to_string())
                    .arg(limits.get(Limit::CompileTime).to_string());
                in_a_process(command, component, limits)
            }
        }
    }
}

/// The compiled form of a component that ships with us.
pub(super) fn own(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    engine.precompile_component(component).map_err(|error| invalid(&error))
}

fn invalid(error: &wasmtime::Error) -> CompileError {
    CompileError::Invalid(plain_line(&format!("{error:#}"), LINE_CHARS))
}

fn on_a_thread(engine: &Engine, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileError> {
    let (sender, receiver) = mpsc::channel();
    let (engine, component) = (engine.clone(), component.to_vec());
    let work = move || {
        // Nobody waits for it any more when its time was up.
        let _ = sender.send(own(&engine, &component));
    };
    let started = thread::Builder::new().name("mustdo-compile".to_owned()).spawn(work);
    started.map_err(|error| CompileError::Broken(error.to_string()))?;
    let limit = limits.get(Limit::CompileTime);
    match receiver.recv_timeout(Duration::from_secs(limit.into())) {
        Ok(compiled) => compiled,
        Err(RecvTimeoutError::Timeout) => Err(CompileError::Time { limit }),
        Err(RecvTimeoutError::Disconnected) => Err(CompileError::Broken("the compiler panicked".to_owned())),
    }
}

fn in_a_process(mut command: Command, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileError> {
    let seconds = limits.get(Limit::CompileTime);
    let deadline = Instant::now() + Duration::from_secs(seconds.into());
    let broken =
        |error: &dyn std::fmt::Display| CompileError::Broken(plain_line(&error.to_string(), LINE_CHARS));
    let child = command
        .env_clear()
        .env("RAYON_NUM_THREADS", threads().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Stopped(child.map_err(|error| broken(&error))?);
    let (input, output, errors) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (Some(mut input), Some(output), Some(errors)) = (input, output, errors) else {
        return Err(CompileError::Broken("the compiler has no pipes".to_owned()));
    };
    let (compiled, words, status) = thread::scope(|scope| {
        // A compiler that does not read to the end says why on its way out.
        scope.spawn(move || drop(input.write_all(component)));
        let words = scope.spawn(move || read(errors, LINE_CHARS));
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || sender.send(read(output, ARTEFACT_BYTES)));
        let compiled = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let status = compiled.is_ok().then(|| child.ended(deadline)).flatten();
        // The pipes end with it, and so do the threads.
        child.stop();
        (compiled.unwrap_or_default(), words.join().unwrap_or_default(), status)
    });
    let Some(status) = status else { return Err(CompileError::Time { limit: seconds }) };
    let words = plain_line(&String::from_utf8_lossy(&words), LINE_CHARS);
    match status.code() {
        Some(0) if compiled.len() >= ARTEFACT_BYTES => {
            Err(CompileError::Broken(format!("it becomes more than {} MiB", ARTEFACT_BYTES >> 20)))
        }
        Some(0) => Ok(compiled),
        Some(2) => Err(CompileError::Invalid(words)),
        code if code == Some(NO_MEMORY) || out_of_memory(&words) => {
            Err(CompileError::Memory { limit: limits.get(Limit::CompileMemory) })
        }
        _ if cpu_time_is_up(status) => Err(CompileError::Time { limit: seconds }),
        _ => Err(CompileError::Broken(format!("the compiler ended with {status}: {words}"))),
    }
}

fn cpu_time_is_up(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

/// At most `most` bytes of what `from` has to say; the rest is left where it is.
fn read(from: impl Read, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What came before an error is all there is.
    let _ = from.take(most as u64).read_to_end(&mut bytes);
    bytes
}

/// A child that does not outlive this value.
struct Stopped(Child);

impl Stopped {
    /// How it ended, if it did before `deadline`.
    fn ended(&mut self, deadline: Instant) -> Option<ExitStatus> {
        /// How often it is looked at: it has closed its output, so it is about to end.
        const PAUSE: Duration = Duration::from_millis(1);
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(PAUSE),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn stop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn child(script: &str, seconds: u32) -> Result<Vec<u8>, CompileError> {
        let mut limits = Limits::default();
        assert!(limits.choose(Limit::CompileTime, seconds));
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        in_a_process(command, EMPTY, &limits)
    }

    #[test]
    fn answer_of_a_compiler_is_its_output() {
        assert_eq!(child("cat", 10).unwrap(), EMPTY);
        // One that does not read what it is given is no dead end.
        assert_eq!(child("printf x", 10).unwrap(), b"x");
    }

    #[test]
    fn compiler_has_a_bounded_number_of_threads_and_nothing_else_of_the_environment() {
        let words = String::from_utf8(child("/usr/bin/env", 10).unwrap()).unwrap();
        // A shell may set some variables of its own.
        let own = |line: &&str| !["PWD=", "SHLVL=", "_=", "OLDPWD="].iter().any(|own| line.starts_with(own));
        let lines: Vec<_> = words.lines().filter(own).collect();
        assert_eq!(lines, [format!("RAYON_NUM_THREADS={}", threads())]);
        assert!((1..=THREADS).contains(&threads()));
    }

    #[test]
    fn compiler_that_hangs_is_stopped() {
        let began = Instant::now();
        assert!(matches!(child("exec sleep 60", 1), Err(CompileError::Time { limit: 1 })));
        // Nor does one that closes its output and stays.
        assert!(matches!(child("exec >&-; exec sleep 60", 1), Err(CompileError::Time { limit: 1 })));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn ends_of_a_compiler_are_told_apart() {
        assert!(matches!(child("echo bad >&2; exit 2", 10), Err(CompileError::Invalid(why)) if why == "bad"));
        assert!(matches!(child("exit 12", 10), Err(CompileError::Memory { .. })));
        let abort = "echo memory allocation of 16777216 bytes failed >&2; kill -ABRT $$";
        assert!(matches!(child(abort, 10), Err(CompileError::Memory { .. })));
        assert!(matches!(child("kill -XCPU $$", 10), Err(CompileError::Time { .. })));
        let error = child("printf 'a\\033[2Jb' >&2; kill -SEGV $$", 10).unwrap_err();
        assert!(matches!(&error, CompileError::Broken(why) if why.ends_with(": ab")), "{error}");
    }

    #[test]
    fn program_that_is_not_there_is_told() {
        let command = Command::new("/nonexistent/mustdo");
        assert!(matches!(in_a_process(command, EMPTY, &Limits::default()), Err(CompileError::Broken(_))));
    }

    #[test]
    fn thread_compiles_and_refuses() {
        let engine = engine::start(Backend::Cranelift).unwrap();
        assert!(on_a_thread(&engine, EMPTY, &Limits::default()).is_ok());
        let refused = on_a_thread(&engine, b"\0asm\x0d\0\x01\0\xff", &Limits::default());
        assert!(matches!(refused, Err(CompileError::Invalid(_))));
    }
}
