//! Two programs run in turn, and how their times compare.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command line that must succeed, in a clean environment.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    variables: Vec<(String, PathBuf)>,
}

/// Medians of both, and the median of the ratios within each pair: what drifts between minutes drifts for both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    /// Of the first.
    pub(crate) first: Duration,
    /// Of the second.
    pub(crate) second: Duration,
    /// First by second.
    pub(crate) ratio: f64,
}

impl Program {
    /// `path` with `arguments`, run in `folder`, which is also its home.
    pub(crate) fn new(path: impl AsRef<OsStr>, arguments: &[&str], folder: &Path) -> Self {
        Self {
            path: PathBuf::from(path.as_ref()),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            folder: folder.to_owned(),
            variables: vec![],
        }
    }

    /// With a path in the environment.
    pub(crate) fn with(mut self, name: &str, value: &Path) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it with nobody reading what it prints.
    pub(crate) fn run(&self) -> io::Result<Duration> {
        let mut command = self.command();
        command.stdout(Stdio::null());
        let began = Instant::now();
        let status = command.status()?;
        let elapsed = began.elapsed();
        assert!(status.success(), "{} {:?} ended with {status}", self.path.display(), self.arguments);
        Ok(elapsed)
    }

    /// The most memory it held, in KiB, by the kernel's count (`VmHWM`, proc(5)). It must make its whole answer before
    /// it prints it, and the answer must be larger than a pipe takes (64 KiB, pipe(7)): it is asked while it waits for
    /// the reader.
    pub(crate) fn peak(&self) -> io::Result<u64> {
        let mut child = self.command().stdout(Stdio::piped()).spawn()?;
        let mut answer = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        answer.read_exact(&mut [0])?;
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let rest = io::copy(&mut answer, &mut io::sink())?;
        assert!(rest >= 64 << 10, "the answer of {:?} fits into a pipe", self.arguments);
        child.wait()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|peak| peak.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("LANG", "C.UTF-8")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// Runs both in turn, `pairs` times after two pairs that do not count. `before` prepares each run and is not timed.
pub(crate) fn compare(
    pairs: usize,
    first: &Program,
    second: &Program,
    mut before: impl FnMut(&Program) -> io::Result<()>,
) -> io::Result<Comparison> {
    let (mut firsts, mut seconds, mut ratios) = (vec![], vec![], vec![]);
    for pair in 0..pairs + 2 {
        before(first)?;
        let one = first.run()?;
        before(second)?;
        let two = second.run()?;
        if pair >= 2 {
            firsts.push(one);
            seconds.push(two);
            ratios.push(one.as_secs_f64() / two.as_secs_f64());
        }
    }
    firsts.sort_unstable();
    seconds.sort_unstable();
    ratios.sort_unstable_by(f64::total_cmp);
    Ok(Comparison { first: firsts[pairs / 2], second: seconds[pairs / 2], ratio: ratios[pairs / 2] })
}
