//! A thousand versions of progress: `mustdo history` beside what git takes to read the same. Prints a table in Markdown.
//!
//! `cargo bench --bench history [-- PAIRS]`; needs git and a shell.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the fences are for the tool: this measures it from outside and prints what it saw"
)]

mod generated;
mod pair;
mod versions;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use pair::{Program, compare, head, line};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const MUSTDO: &str = env!("CARGO_BIN_EXE_mustdo");

/// Pairs where the command line does not say.
const PAIRS: usize = 21;

/// Versions of the workspace.
const VERSIONS: usize = 1_000;

/// Items of its checklist.
const ITEMS: usize = 200;

/// What the first time may cost, by what git takes to read the same files.
const COLD: f64 = 4.0;

/// What every later time may cost, by what git takes to list the commits.
const WARM: f64 = 3.0;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let pairs = match &arguments[..] {
        [] => PAIRS,
        [pairs] => pairs.parse()?,
        _ => return Err("usage: cargo bench --bench history [-- PAIRS]".into()),
    };
    let root = tempfile::tempdir()?;
    let workspace = root.path().join("work");
    versions::workspace(MUSTDO, &workspace, ITEMS, VERSIONS)?;
    let list = root.path().join("blobs");
    fs::write(&list, blobs(&workspace)?)?;
    let cache = root.path().join("cache");
    let history = Program::new(MUSTDO, &["history"], &workspace).with("XDG_CACHE_HOME", &cache);
    let read =
        Program::new("sh", &["-c", "git cat-file --batch < \"$LIST\""], &workspace).with("LIST", &list);
    let log = Program::new("git", &["log"], &workspace);
    head();
    let forget = |_: &Program| match fs::remove_dir_all(&cache) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let cold = compare(pairs, &history, &read, forget)?;
    line(
        ["`mustdo history`, 1,000 versions, the first time", "`git cat-file --batch` of the same files"],
        Some(COLD),
        cold,
    );
    history.run()?;
    let warm = compare(pairs, &history, &log, |_| Ok(()))?;
    line(["the same, again", "`git log`"], Some(WARM), warm);
    Ok(())
}

/// The ids of every version of every file that mustdo reads, one a line.
fn blobs(folder: &Path) -> Outcome<Vec<u8>> {
    let script = "git rev-list --objects HEAD -- progress checklists mustdo.toml | git cat-file --batch-check='%(objecttype) %(objectname)' | grep '^blob' | cut -d' ' -f2";
    // `rev-list --objects` has a path after each id, which `cat-file` must not see.
    let script = script.replace("| git cat-file", "| cut -d' ' -f1 | git cat-file");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output()?;
    let count = output.stdout.split(|byte| *byte == b'\n').count() - 1;
    if count < VERSIONS {
        return Err(format!("git knows only {count} files").into());
    }
    Ok(output.stdout)
}
