//! The learner's worker: started, stopped, killed with everything it has started, and heard.

use std::io::Read as _;
use std::time::Duration;

use mustdo_plugin::process::{Child, Command, Exit, Signal, without};
use mustdo_plugin::scratch::Workspace;
use mustdo_plugin::{Context, Failure, Fault, Text};

/// Bytes of what it prints that are kept: the last ones.
const KEPT: usize = 1 << 20;

/// Bytes that a finding shows.
const SHOWN: usize = 160;

/// Bytes asked for at once; what a pipe holds.
const CHUNK: usize = 64 << 10;

/// A worker, running or not.
pub(crate) struct Worker<'run, 'host> {
    context: &'run Context<'host>,
    folder: Option<&'run Workspace<'host>>,
    command: Command,
    child: Option<Child<'host>>,
    printed: Vec<u8>,
    /// How much of that was there when it was last started.
    earlier: usize,
}

impl<'run, 'host> Worker<'run, 'host> {
    /// One that does not run yet: `command` in `folder`, or in the target's own folder.
    pub(crate) fn new(
        context: &'run Context<'host>,
        folder: Option<&'run Workspace<'host>>,
        command: Command,
    ) -> Self {
        Self { context, folder, command, child: None, printed: Vec::new(), earlier: 0 }
    }

    /// Starts it; what is left of the one before is killed first.
    pub(crate) fn start(&mut self) -> Result<(), Fault> {
        self.kill();
        let started = match self.folder {
            Some(folder) => folder.start(&self.command),
            None => self.context.start(&self.command),
        };
        let what = Text::new("starting your worker", "启动你的 worker");
        // Without the worker nothing can be told at all, so it is not skipped.
        let child =
            started.map_err(|failure| Fault::inconclusive(without(&what, &failure).summary().clone()))?;
        self.child = Some(child);
        self.earlier = self.printed.len();
        Ok(())
    }

    /// Kills it and everything it has started (SIGKILL). Its connections are closed by the system.
    pub(crate) fn kill(&mut self) {
        self.listen();
        let Some(child) = self.child.take() else { return };
        // It may have ended by itself.
        let _ = child.signal(Signal::Kill);
        // Whatever it has started goes with the handle.
        drop(child);
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        self.child.as_ref().map_or(Ok(()), |child| child.signal(signal))
    }

    /// Whether it runs. What it prints is read meanwhile: a worker whose output nobody takes stands still.
    pub(crate) fn runs(&mut self) -> bool {
        self.listen();
        self.child.as_ref().is_some_and(|child| matches!(child.wait(Duration::ZERO), Ok(None)))
    }

    /// How it ended; none while it runs, and before it was started.
    pub(crate) fn exit(&mut self) -> Option<Exit> {
        self.listen();
        self.child.as_ref().and_then(|child| child.wait(Duration::ZERO).ok().flatten())
    }

    /// Starts it again if it has ended; whether it had.
    pub(crate) fn revive(&mut self) -> Result<bool, Fault> {
        if self.runs() {
            return Ok(false);
        }
        self.start()?;
        Ok(true)
    }

    /// Waits for a moment, and hears it meanwhile.
    pub(crate) fn pause(&mut self, time: Duration) {
        self.listen();
        self.context.sleep(time);
        self.listen();
    }

    /// Whether it has printed these words.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        !words.is_empty() && self.printed.windows(words.len()).any(|window| window == words.as_bytes())
    }

    /// Whether it has printed these words since it was last started.
    pub(crate) fn has_said_now(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.printed[self.earlier..]).contains(words)
    }

    /// What it has printed since it was last started, as much of it as is kept.
    pub(crate) fn said_now(&self) -> String {
        String::from_utf8_lossy(&self.printed[self.earlier..]).into_owned()
    }

    /// The last line it printed, behind `before`; nothing where it was silent.
    pub(crate) fn last_words(&self, before: &str) -> String {
        let text = String::from_utf8_lossy(&self.printed);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or_else(String::new, |line| {
            format!("{before}{}", line.trim().chars().take(SHOWN).collect::<String>())
        })
    }

    fn listen(&mut self) {
        let Some(child) = &mut self.child else { return };
        // A stream that has ended, or fails, has nothing more to say.
        while let Ok(bytes) = child.printed() {
            if bytes.is_empty() {
                break;
            }
            self.printed.extend(bytes);
        }
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = child.stderr(Duration::from_millis(1)).read(&mut buffer) {
            self.printed.extend_from_slice(&buffer[..count]);
        }
        let surplus = self.printed.len().saturating_sub(KEPT);
        self.printed.drain(..surplus);
        self.earlier = self.earlier.saturating_sub(surplus);
    }
}
