//! Workspaces with a past.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use mustdo::model::{Claim, Entry, Progress};
use mustdo::syntax::write_progress;

use crate::generated;
use crate::pair::Program;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Makes a workspace in `folder` with a checklist of `items` and `versions` commits, the branch `main` checked out: in every
/// commit one more item is claimed, or one claim says something else.
pub(crate) fn workspace(mustdo: &str, folder: &Path, items: usize, versions: usize) -> Outcome {
    fs::create_dir(folder)?;
    Program::new(mustdo, &["init", "--quiet"], folder).run()?;
    fs::create_dir(folder.join("checklists"))?;
    fs::write(folder.join("checklists/generated.toml"), generated::checklist(items))?;
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .spawn()?;
    let mut stream = import.stdin.take().ok_or("git takes no input")?;
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let mut progress = Progress::new("generated".parse()?);
    let mut text = String::new();
    for version in 0..versions {
        let at = begin + SignedDuration::from_mins(i64::try_from(version)?);
        let note = format!("what was done in step {version}, in some words, as people write them");
        let claim = Claim { at, note: Some(note), links: vec!["https://example.org/shop/pull/7".to_owned()] };
        let item = format!("generated.item-{}", (version * 7) % items).parse()?;
        progress.entries.insert(item, Entry { claim: Some(claim), ..Entry::default() });
        text = write_progress(&text, &progress).map_err(|_| "progress can not be written")?;
        commit(&mut stream, folder, version, at, &text)?;
    }
    drop(stream);
    let done = import.wait()?.success()
        && Command::new("git")
            .args(["reset", "--quiet", "--hard", "main"])
            .current_dir(folder)
            .status()?
            .success();
    if done { Ok(()) } else { Err("git could not make the commits".into()) }
}

fn commit(stream: &mut impl Write, folder: &Path, version: usize, at: Timestamp, progress: &str) -> Outcome {
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
