//! Two programs run in turn, and how what they cost compares.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// A command line that must succeed, in a clean environment.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    variables: Vec<(String, PathBuf)>,
}

/// What something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Time on processors, all threads together, in the program and in the kernel on its behalf: waiting is not in it, and
    /// others who want the processors make it hardly longer.
    pub(crate) processor: Duration,
    /// By the clock.
    pub(crate) clock: Duration,
}

/// What was seen in pairs: what drifts between minutes drifts for both of a pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    /// Median of the first.
    pub(crate) first: Cost,
    /// Median of the second.
    pub(crate) second: Cost,
    processor: Ratio,
    clock: Ratio,
}

/// First by second, within each pair.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    median: f64,
    /// What half of the ratios lie between.
    quartiles: [f64; 2],
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
    pub(crate) fn run(&self) -> io::Result<Cost> {
        let mut command = self.command();
        command.stdout(Stdio::null());
        let began = Instant::now();
        let ended = command.spawn()?.wait4()?;
        let clock = began.elapsed();
        assert!(
            ended.status.success(),
            "{} {:?} ended with {}",
            self.path.display(),
            self.arguments,
            ended.status
        );
        Ok(Cost { processor: ended.rusage.utime + ended.rusage.stime, clock })
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

/// The same with anything that says what it cost.
pub(crate) fn in_turn(
    pairs: usize,
    mut first: impl FnMut() -> io::Result<Cost>,
    mut second: impl FnMut() -> io::Result<Cost>,
) -> io::Result<Comparison> {
    let (mut firsts, mut seconds) = (vec![], vec![]);
    for pair in 0..pairs + 2 {
        let (one, two) = (first()?, second()?);
        if pair >= 2 {
            firsts.push(one);
            seconds.push(two);
        }
    }
    let ratio = |time: fn(&Cost) -> Duration| Ratio::of(&firsts, &seconds, time);
    let (processor, clock) = (ratio(|cost| cost.processor), ratio(|cost| cost.clock));
    Ok(Comparison { first: median(&firsts), second: median(&seconds), processor, clock })
}

/// Of each time by itself.
fn median(costs: &[Cost]) -> Cost {
    let middle = |time: fn(&Cost) -> Duration| {
        let mut times: Vec<Duration> = costs.iter().map(time).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    Cost { processor: middle(|cost| cost.processor), clock: middle(|cost| cost.clock) }
}

impl Ratio {
    fn of(firsts: &[Cost], seconds: &[Cost], time: fn(&Cost) -> Duration) -> Self {
        let seconds = seconds.iter().map(|second| time(second).as_secs_f64());
        let mut ratios: Vec<f64> =
            firsts.iter().zip(seconds).map(|(first, second)| time(first).as_secs_f64() / second).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let count = ratios.len();
        Self { median: ratios[count / 2], quartiles: [ratios[count / 4], ratios[count * 3 / 4]] }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:.2} ({:.2}–{:.2})", self.median, self.quartiles[0], self.quartiles[1])
    }
}

/// Prints what stands above the rows of [`line`].
pub(crate) fn head() {
    println!("| A | B | A, ms | B, ms | A / B | by the clock | goal |\n|---|---|---:|---:|---:|---:|---:|");
}

/// Prints a comparison as a row: A, B, the medians of their processor time in milliseconds, its ratio with the quartiles,
/// the same ratio by the clock, the goal.
pub(crate) fn line(names: [&str; 2], goal: Option<f64>, comparison: Comparison) {
    let Comparison { first, second, processor, clock } = comparison;
    let goal = goal.map_or(String::new(), |goal| format!("{goal:.2}"));
    let milliseconds = |cost: Cost| cost.processor.as_secs_f64() * 1e3;
    println!(
        "| {} | {} | {:.2} | {:.2} | {processor} | {clock} | {goal} |",
        names[0],
        names[1],
        milliseconds(first),
        milliseconds(second)
    );
}
