//! Ten times as much of everything: items, checklists, commits, learners. Prints a table in Markdown.
//!
//! `cargo bench --bench scale [-- PAIRS]`; needs git.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the fences are for the tool: this measures it from outside and prints what it saw"
)]

mod generated;
mod pair;
mod versions;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use pair::{Program, compare, head, line};
use tempfile::TempDir;
use wait4::Wait4 as _;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const MUSTDO: &str = env!("CARGO_BIN_EXE_mustdo");

/// Pairs where the command line does not say.
const PAIRS: usize = 9;

/// What ten times as much may cost.
const GROWTH: f64 = 11.0;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let pairs = match &arguments[..] {
        [] => PAIRS,
        [pairs] => pairs.parse()?,
        _ => return Err("usage: cargo bench --bench scale [-- PAIRS]".into()),
    };
    let bench = Bench { root: tempfile::tempdir()?, pairs };
    head();
    bench.items()?;
    bench.checklists()?;
    bench.commits()?;
    bench.learners()
}

struct Bench {
    root: TempDir,
    pairs: usize,
}

impl Bench {
    /// One checklist with 1,000 items and one with 10,000; two commits.
    fn items(&self) -> Outcome {
        let made = |items: usize| {
            let folder = self.root.path().join(format!("items-{items}"));
            versions::workspace(MUSTDO, &folder, items, 2).map(|()| folder)
        };
        let folders = [made(1_000)?, made(10_000)?];
        for arguments in [
            &["list"][..],
            &["report", "--items"],
            &["report", "--format", "html"],
            &["diff", "HEAD~1..HEAD"],
        ] {
            self.row(arguments, &folders, ["1,000 items", "10,000"])?;
        }
        Ok(())
    }

    /// Ten checklists with 100 items each, and 100.
    fn checklists(&self) -> Outcome {
        let made = |checklists: usize| -> Outcome<PathBuf> {
            let folder = self.root.path().join(format!("checklists-{checklists}"));
            fs::create_dir_all(folder.join("checklists"))?;
            fs::write(folder.join("mustdo.toml"), "")?;
            for number in 0..checklists {
                // No two checklists share an id, and no two groups.
                let text = generated::checklist(100)
                    .replace("generated", &format!("generated-{number}"))
                    .replace("group-", &format!("group-{number}-"));
                fs::write(folder.join(format!("checklists/generated-{number}.toml")), text)?;
            }
            Ok(folder)
        };
        let folders = [made(10)?, made(100)?];
        for arguments in [&["list"][..], &["report"]] {
            self.row(arguments, &folders, ["10 checklists of 100 items", "100"])?;
        }
        Ok(())
    }

    /// A checklist with 200 items, and 100 commits or 1,000, each with another claim.
    fn commits(&self) -> Outcome {
        let made = |commits: usize| {
            let folder = self.root.path().join(format!("commits-{commits}"));
            versions::workspace(MUSTDO, &folder, 200, commits).map(|()| folder)
        };
        let folders = [made(100)?, made(1_000)?];
        let names = ["100 commits", "1,000, the first time"];
        self.prepared_row(&["history"], &folders, names, || match fs::remove_dir_all(self.cache()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })?;
        self.row(&["history"], &folders, ["100 commits", "1,000, again"])
    }

    /// Fifty learners with a repository each, and 500: the shipped checklists, a commit each, read from git.
    fn learners(&self) -> Outcome {
        let made = |learners: usize| -> Outcome<PathBuf> {
            let folder = self.root.path().join(format!("learners-{learners}"));
            fs::create_dir(&folder)?;
            let mut cohort = "format = 1\n".to_owned();
            for number in 0..learners {
                let name = format!("learner-{number}");
                learner(&folder.join(&name))?;
                write!(cohort, "\n[[learner]]\nname = \"{name}\"\npath = \"{name}\"\nrev = \"main\"\n")?;
            }
            fs::write(folder.join("class.toml"), cohort)?;
            Ok(folder)
        };
        let folders = [made(50)?, made(500)?];
        for arguments in [&["cohort", "class.toml"][..], &["cohort", "class.toml", "--format", "html"]] {
            self.row(arguments, &folders, ["50 repositories", "500"])?;
        }
        Ok(())
    }

    /// A command with much in its workspace beside the same with a tenth of it: what it costs, and the memory it holds.
    fn row(&self, arguments: &[&str], folders: &[PathBuf; 2], names: [&str; 2]) -> Outcome {
        self.prepared_row(arguments, folders, names, || Ok(()))
    }

    /// The same with something to do before each run.
    fn prepared_row(
        &self,
        arguments: &[&str],
        [few, many]: &[PathBuf; 2],
        [some, more]: [&str; 2],
        before: impl Fn() -> io::Result<()>,
    ) -> Outcome {
        let cache = self.cache();
        let program = |folder| Program::new(MUSTDO, arguments, folder).with("XDG_CACHE_HOME", &cache);
        let (many, few) = (program(many), program(few));
        let comparison = compare(self.pairs, &many, &few, |_| before())?;
        line([&format!("`mustdo {}`, {more}", arguments.join(" ")), some], Some(GROWTH), comparison);
        before()?;
        let many = peak(&many)?;
        before()?;
        let few = peak(&few)?;
        println!(
            "| its peak memory | the same | {many:.1} MiB | {few:.1} MiB | {:.2} | | {GROWTH:.2} |",
            many / few
        );
        Ok(())
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }
}

/// The most memory it held, in MiB, by the kernel's count (`ru_maxrss`, getrusage(2)): at least what this program held when it
/// started it, which is little.
fn peak(program: &Program) -> io::Result<f64> {
    let ended = program.command().stdout(Stdio::null()).spawn()?.wait4()?;
    let kibibytes = u32::try_from(ended.rusage.maxrss >> 10).unwrap_or(u32::MAX);
    Ok(f64::from(kibibytes) / 1024.0)
}

/// A repository with three claims in its only commit.
fn learner(folder: &Path) -> Outcome {
    fs::create_dir_all(folder.join("progress"))?;
    fs::write(folder.join("mustdo.toml"), "")?;
    let claims: String = ["must-do.xss", "must-do.mq", "must-do.celery"]
        .map(|item| format!("\n[item.\"{item}\"]\nclaim = {{ at = \"2026-05-01T10:00:00Z\" }}\n"))
        .concat();
    fs::write(
        folder.join("progress/must-do.toml"),
        format!("format = 1\nchecklist = \"must-do\"\n{claims}"),
    )?;
    let identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"];
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &["commit", "--quiet", "--message", "claims"],
    ] {
        Program::new("git", &[&identity[..], arguments].concat(), folder).run()?;
    }
    Ok(())
}
