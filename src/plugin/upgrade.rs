//! Cranelift's code for what began with Winch's.
//!
//! Nobody waits for it, and no check shares the processor with it: it is made when the host is done, by a process of this
//! same program that outlives it. What it makes is found by the next start. Until then, or where that process comes to
//! nothing, Winch's code is in the cache and the next start takes that.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::model::{Digest, Limit, Limits};

use super::cache::{Cache, CachePolicy};
use super::compile::{self, CompileError};
use super::engine::{self, Backend};

/// Components that wait for the end of the run. When this is dropped, a process is started for each.
pub(super) struct Upgrades {
    program: PathBuf,
    argument: &'static str,
    directory: PathBuf,
    memory_mib: u32,
    seconds: u32,
    waiting: Mutex<Vec<File>>,
}

impl Upgrades {
    /// For a cache in `directory`; `program` passes what it is given after `argument` to [`optimise`].
    pub(super) fn new(program: &Path, argument: &'static str, directory: &Path, limits: &Limits) -> Self {
        Self {
            program: program.to_owned(),
            argument,
            directory: directory.to_owned(),
            memory_mib: limits.get(Limit::CompileMemory),
            seconds: limits.get(Limit::CompileTime),
            waiting: Mutex::default(),
        }
    }

    /// Remembers a component.
    pub(super) fn add(&self, component: &[u8]) -> io::Result<()> {
        // Its process reads a file without a name, so that this one need not live until it has been read.
        let mut file = tempfile::tempfile()?;
        file.write_all(component)?;
        file.rewind()?;
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(())
    }

    fn start(&self, component: File) -> io::Result<()> {
        let mut command = Command::new(&self.program);
        command
            .arg(self.argument)
            .args([self.memory_mib.to_string(), self.seconds.to_string()])
            .arg(&self.directory)
            .env_clear()
            .env("RAYON_NUM_THREADS", compile::threads().to_string())
            .current_dir("/")
            .stdin(component)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        // As long as this process lives, somebody takes note of its end.
        thread::Builder::new().name("mustdo-upgrade".to_owned()).spawn(move || child.wait())?;
        Ok(())
    }
}

impl Drop for Upgrades {
    fn drop(&mut self) {
        for component in std::mem::take(self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            // What can not be made now is made after another run: Winch's code does until then.
            let _ = self.start(component);
        }
    }
}

/// Compiles `component` with Cranelift into the cache in `directory`, in a process that nobody waits for, under limits
/// that hold for this whole process from now on. Where several do this, they do it one after the other.
///
/// An entry that three of them did not come to make is not tried again.
pub fn optimise(component: &[u8], directory: PathBuf, memory_mib: u32, seconds: u32) -> io::Result<()> {
    // Out of reach of the terminal, whose interrupt is for the command that has ended; one that has a session of its own
    // already needs none.
    let _ = rustix::process::setsid();
    rustix::process::nice(19)?;
    let engine = engine::compiler(Backend::Cranelift).map_err(io::Error::other)?;
    let cache = Cache::new(&engine, Backend::Cranelift, CachePolicy::Directory(directory));
    cache.fill(&engine, &Digest::of(component), || {
        compile::restrict(memory_mib, seconds).map_err(|error| CompileError::Broken(error.to_string()))?;
        compile::own(&engine, component)
    })
}
