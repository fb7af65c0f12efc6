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

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use mustdo::model::{Claim, Entry, Progress};
use mustdo::syntax::write_progress;
use pair::{Program, compare, head, line};
use tempfile::TempDir;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const MUSTDO: &str = env!("CARGO_BIN_EXE_mustdo");

/// Pairs where the command line does not say.
const PAIRS: usize = 21;

/// Versions of the workspace.
const VERSIONS: i64 = 1_000;

/// Items of its checklist.
const ITEMS: i64 = 200;

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
    let workspace = workspace(&root)?;
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

/// A workspace in whose every commit one more item is claimed, or one claim says something else.
fn workspace(root: &TempDir) -> Outcome<PathBuf> {
    let folder = root.path().join("work");
    fs::create_dir(&folder)?;
    Program::new(MUSTDO, &["init", "--quiet"], &folder).run()?;
    fs::create_dir(folder.join("checklists"))?;
    fs::write(folder.join("checklists/generated.toml"), generated::checklist(usize::try_from(ITEMS)?))?;
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .spawn()?;
    let mut stream = import.stdin.take().ok_or("git takes no input")?;
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let mut progress = Progress::new("generated".parse()?);
    let mut text = String::new();
    for version in 0..VERSIONS {
        let at = begin + SignedDuration::from_mins(version);
        let note = format!("what was done in step {version}, in some words, as people write them");
        let claim = Claim { at, note: Some(note), links: vec!["https://example.org/shop/pull/7".to_owned()] };
        let item = format!("generated.item-{}", (version * 7) % ITEMS).parse()?;
        progress.entries.insert(item, Entry { claim: Some(claim), ..Entry::default() });
        text = write_progress(&text, &progress).map_err(|_| "progress can not be written")?;
        commit(&mut stream, &folder, version, at, &text)?;
    }
    drop(stream);
    let done = import.wait()?.success()
        && Command::new("git")
            .args(["reset", "--quiet", "--hard", "main"])
            .current_dir(&folder)
            .status()?
            .success();
    if done { Ok(folder) } else { Err("git could not make the commits".into()) }
}

fn commit(
    stream: &mut impl std::io::Write,
    folder: &Path,
    version: i64,
    at: Timestamp,
    progress: &str,
) -> Outcome {
    let seconds = at.as_second();
    let message = format!("mustdo: tick, step {version}");
    writeln!(stream, "commit refs/heads/main\ncommitter Learner <learner@example.org> {seconds} +0000")?;
    writeln!(stream, "data {}\n{message}", message.len())?;
    let mut file = |name: &str, text: &[u8]| -> Outcome {
        writeln!(stream, "M 100644 inline {name}\ndata {}", text.len())?;
        stream.write_all(text)?;
        Ok(writeln!(stream)?)
    };
    if version == 0 {
        for name in ["mustdo.toml", "checklists/generated.toml"] {
            file(name, &fs::read(folder.join(name))?)?;
        }
    }
    file("progress/generated.toml", progress.as_bytes())
}

/// The ids of every version of every file that mustdo reads, one a line.
fn blobs(folder: &Path) -> Outcome<Vec<u8>> {
    let script = "git rev-list --objects HEAD -- progress checklists mustdo.toml | git cat-file --batch-check='%(objecttype) %(objectname)' | grep '^blob' | cut -d' ' -f2";
    // `rev-list --objects` has a path after each id, which `cat-file` must not see.
    let script = script.replace("| git cat-file", "| cut -d' ' -f1 | git cat-file");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output()?;
    let count = output.stdout.split(|byte| *byte == b'\n').count() - 1;
    if count < usize::try_from(VERSIONS)? {
        return Err(format!("git knows only {count} files").into());
    }
    Ok(output.stdout)
}
