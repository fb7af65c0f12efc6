//! Two programs run in turn, and how their times compare.

use std::ffi::OsStr;
use std::io;
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
    /// What half of the ratios lie between.
    pub(crate) noise: [f64; 2],
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

    /// What [`Program::run`] starts.
    pub(crate) fn command(&self) -> Command {
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
    before: impl Fn(&Program) -> io::Result<()>,
) -> io::Result<Comparison> {
    let run = |program: &Program| {
        before(program)?;
        program.run()
    };
    in_turn(pairs, || run(first), || run(second))
}

/// The same with anything that says how long it took.
pub(crate) fn in_turn(
    pairs: usize,
    mut first: impl FnMut() -> io::Result<Duration>,
    mut second: impl FnMut() -> io::Result<Duration>,
) -> io::Result<Comparison> {
    let (mut firsts, mut seconds, mut ratios) = (vec![], vec![], vec![]);
    for pair in 0..pairs + 2 {
        let (one, two) = (first()?, second()?);
        if pair >= 2 {
            firsts.push(one);
            seconds.push(two);
            ratios.push(one.as_secs_f64() / two.as_secs_f64());
        }
    }
    firsts.sort_unstable();
    seconds.sort_unstable();
    ratios.sort_unstable_by(f64::total_cmp);
    let middle = pairs / 2;
    let noise = [ratios[pairs / 4], ratios[pairs * 3 / 4]];
    Ok(Comparison { first: firsts[middle], second: seconds[middle], ratio: ratios[middle], noise })
}

/// Prints a comparison as a row: A, B, their medians in milliseconds, the ratio with its quartiles, the goal.
pub(crate) fn line(names: [&str; 2], goal: Option<f64>, comparison: Comparison) {
    let Comparison { first, second, ratio, noise: [low, high] } = comparison;
    let goal = goal.map_or(String::new(), |goal| format!("{goal:.2}"));
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "| {} | {} | {:.2} | {:.2} | {ratio:.2} ({low:.2}–{high:.2}) | {goal} |",
        names[0],
        names[1],
        milliseconds(first),
        milliseconds(second)
    );
}
