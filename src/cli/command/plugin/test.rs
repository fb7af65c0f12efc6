//! `mustdo plugin test`: holds a plugin against the cases that its author knows the answer to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::Args;
use serde_json::json;

use super::build::{WorldChoice, component_name};
use crate::cli::building::{
    Built, CASES, RECORDINGS, build_folder, read_cases, read_recording, sources, with_cases,
};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{Opened, Unusable, host, open, runtime};
use crate::cli::printer::{answer, warn};
use crate::cli::proof::{Trial, expected, read, replay, too_few};
use crate::cli::trial::{Bench, seconds};
use crate::cli::verification::interrupt;
use crate::model::{CaseId, Cases, Proof, Settings, plain_line};
use crate::plugin::{Bundle, COMPONENT_BYTES, Host};
use crate::store::{changed, files, read_at_most, read_text, replace};
use crate::syntax::{self, Source, point_cases};

/// Characters of one cell of the table.
const CELL_CHARS: usize = 80;

/// The number of the shape of `--json`: keys may be added under it.
const FORMAT: u32 = 1;

/// What can follow `mustdo plugin test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The plugin's folder, whose cases are run; or a component, whose own recordings are replayed
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(crate) place: PathBuf,
    /// Record the cases that are run, point cases.toml at the recordings, and put both into the component
    #[arg(long)]
    pub(crate) record: bool,
    /// Print what came of it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// What a plugin in Python or JavaScript may import, where it has to be built
    #[arg(long, value_name = "WORLD", default_value = "verifier")]
    pub(crate) world: WorldChoice,
}

/// Tries every case, and says by its exit code whether all of them gave what they must and are enough.
pub(crate) fn run(context: &Context, args: &TestArgs) -> Result<Exit, Failure> {
    let place = context.environment.directory.join(&args.place);
    let place = place.canonicalize().map_err(|source| {
        Failure::usage(format!("there is no {}: {source}", args.place.display()))
            .hint("mustdo plugin new NAME --lang rust    makes a plugin")
    })?;
    runtime()?.block_on(async {
        let mut cancel = pin!(interrupt());
        let tested = async {
            if place.is_file() {
                component(context, args, &place).await
            } else {
                folder(context, args, &place).await
            }
        };
        tokio::select! {
            biased;
            // What was started is killed with the test that is dropped here.
            () = &mut cancel => Ok(Exit::Interrupted),
            exit = tested => exit,
        }
    })
}

/// Replays what a component carries: what a user's mustdo does before it believes it.
async fn component(context: &Context, args: &TestArgs, file: &Path) -> Result<Exit, Failure> {
    let shown = args.place.display();
    if args.record {
        return Err(Failure::usage(format!("{shown} is a component: there is nothing to record"))
            .hint("mustdo plugin test DIR --record"));
    }
    let bytes = read_at_most(file, COMPONENT_BYTES)?;
    let (host, opened) = opened(context, &shown.to_string(), &bytes).await?;
    let bundle =
        Bundle::of(&bytes).map_err(|error| Failure::content(format!("error: {shown}: {error}\n")))?;
    let Some(bundle) = bundle else {
        tell(args, &opened, &[], &opened.proof)?;
        return Ok(Exit::Fails);
    };
    let cases = read(&Source::new(CASES, bundle.cases.as_str()), &opened.info);
    let cases = cases.map_err(|found| Failure::content(syntax::render(&found, false)))?;
    let mut trials = vec![];
    for case in &cases.cases().cases {
        let text = case.recording.as_ref().and_then(|path| bundle.recordings.get(path));
        let text = text.map(String::as_str).unwrap_or_default();
        trials.push(replay(&host, &opened.info, &opened.digest, case, text).await);
    }
    tell(args, &opened, &trials, &opened.proof)?;
    Ok(exit(&trials).max(if opened.proof.is_proven() { Exit::Holds } else { Exit::Fails }))
}

/// Runs the cases of a plugin's folder, and replays those that can not be run.
async fn folder(context: &Context, args: &TestArgs, folder: &Path) -> Result<Exit, Failure> {
    if !folder.join(CASES).is_file() {
        return Err(Failure::usage(format!("{} has no {CASES}", args.place.display()))
            .hint("it names targets that are right and wrong: see \"Prove it\" in docs/plugins.md"));
    }
    let Some((file, bytes)) = current(context, args, folder).await? else { return Ok(Exit::Fails) };
    let (host, mut opened) = opened(context, &file.display().to_string(), &bytes).await?;
    let Some((text, read)) = read_cases(folder, &opened.info)? else {
        return Err(Failure::bug("the cases were there a moment ago"));
    };
    let cases = read.cases().clone();
    let tested = opened.clone();
    let bench = Bench::new(context, host, &tested, &cases, folder);
    let (mut trials, mut recorded) = (vec![], BTreeMap::new());
    for case in &cases.cases {
        let (trial, recording) = if bench.is_runnable(case) {
            bench.run(case).await?
        } else if let Some(path) = &case.recording {
            let text = read_recording(folder, path)?;
            (replay(bench.host(), &opened.info, &opened.digest, case, &text).await, None)
        } else {
            return Err(unnamed(&case.name));
        };
        context.printer.note(&format!("{}  {}: {}", sign(&trial), case.name, first_line(&trial.words())));
        if let Some(recording) = recording.filter(|_| trial.holds()) {
            recorded.insert(case.name.clone(), recording);
        }
        trials.push(trial);
    }
    if args.record {
        let made = keep(folder, &text, &cases, &recorded)?;
        let component = with_cases(folder, &opened.info, &bytes)?;
        replace(&file, &component)?;
        let (_, proven) = self::opened(context, &file.display().to_string(), &component).await?;
        opened = proven;
        context.printer.note(&format!(
            "recorded {made} of {} cases in {RECORDINGS}/, and put them into {}",
            cases.cases.len(),
            shown(folder, args, &file)
        ));
    }
    let lacking = too_few(&cases, &opened.info);
    let proof = match &lacking {
        Some(why) => Proof::Unproven { why: why.clone() },
        None => opened.proof.clone(),
    };
    tell(args, &opened, &trials, &proof)?;
    if lacking.is_none() && !proof.is_proven() && !args.record {
        context.printer.note("for those who add it: mustdo plugin test --record");
    }
    let enough = lacking.is_none() && (proof.is_proven() || !args.record);
    Ok(exit(&trials).max(if enough { Exit::Holds } else { Exit::Fails }))
}

/// The component of the sources as they are: the one that is there, or one that is built now. None where it does not build.
async fn current(
    context: &Context,
    args: &TestArgs,
    folder: &Path,
) -> Result<Option<(PathBuf, Vec<u8>)>, Failure> {
    let found = files(folder, "wasm")?;
    if let [file] = &found[..] {
        if changed(file)? >= sources(folder)? {
            return Ok(Some((file.clone(), read_at_most(file, COMPONENT_BYTES)?)));
        }
        context.printer.note(&format!("{} is older than its sources", shown(folder, args, file)));
    } else if found.len() > 1 {
        return Err(Failure::usage(format!("{} has several components", args.place.display()))
            .hint("leave the one that mustdo plugin build writes, or name the one to test"));
    }
    let Some(Built { component, opened }) = build_folder(context, folder, args.world.world()).await? else {
        return Ok(None);
    };
    let file = folder.join(component_name(&opened.info.id));
    replace(&file, &component)?;
    Ok(Some((file, component)))
}

async fn opened(context: &Context, name: &str, bytes: &[u8]) -> Result<(Host, Opened), Failure> {
    let host = host(context, &Settings::default())?;
    let unusable = |error: Unusable| Failure::usage(format!("{name} can not be used: it {error}"));
    let opened = open(context, &host, name, bytes, None).await.map_err(unusable)?;
    Ok((host, opened))
}

/// Writes recordings, and `cases.toml` where it does not name them yet. Tells how many there are.
fn keep(
    folder: &Path,
    text: &str,
    cases: &Cases,
    recorded: &BTreeMap<CaseId, String>,
) -> Result<usize, Failure> {
    let mut places = BTreeMap::new();
    for case in &cases.cases {
        let Some(recording) = recorded.get(&case.name) else { continue };
        let place = case.recording.clone().unwrap_or_else(|| format!("{RECORDINGS}/{}.jsonl", case.name));
        replace(&folder.join(&place), recording.as_bytes())?;
        places.insert(case.name.clone(), place);
    }
    let new = point_cases(text, &places).map_err(Failure::usage)?;
    // What somebody wrote meanwhile is not replaced.
    if new != text && read_text(&folder.join(CASES))?.as_deref() == Some(text) {
        replace(&folder.join(CASES), new.as_bytes())?;
    }
    Ok(places.len())
}

/// The worst that came of a case.
fn exit(trials: &[Trial<'_>]) -> Exit {
    let exit = |trial: &Trial<'_>| match &trial.came {
        _ if trial.holds() => Exit::Holds,
        Ok(_) => Exit::Fails,
        Err(_) => Exit::Undecided,
    };
    trials.iter().map(exit).max().unwrap_or(Exit::Holds)
}

fn tell(args: &TestArgs, opened: &Opened, trials: &[Trial<'_>], proof: &Proof) -> Result<(), Failure> {
    if args.json {
        let text = serde_json::to_string_pretty(&json(opened, trials, proof)).map_err(Failure::bug)?;
        return answer(&format!("{text}\n"));
    }
    for trial in trials.iter().filter(|trial| !trial.holds()) {
        let summary = match &trial.came {
            Ok(verdict) => &verdict.summary.en,
            Err(why) => why,
        };
        warn(&format!("{}: {summary}", trial.case.name));
    }
    let head = ["case", "check", "expected", "came", "how", "time"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(trials.iter().map(|trial| {
        [
            format!("{} {}", sign(trial), trial.case.name),
            trial.case.check.to_string(),
            expected(&trial.case.expect),
            first_line(&trial.words()),
            trial.how.word().to_owned(),
            seconds(trial.elapsed),
        ]
    }));
    let mut text = if trials.is_empty() { String::new() } else { table(&rows) + "\n" };
    text.push_str(&format!("{} {}: {proof}\n", opened.info.id, opened.info.version));
    answer(&text)
}

fn json(opened: &Opened, trials: &[Trial<'_>], proof: &Proof) -> serde_json::Value {
    let cases = trials.iter().map(|trial| {
        let verdict = trial.came.as_ref().ok();
        json!({
            "name": trial.case.name.as_str(),
            "check": trial.case.check,
            "expected": trial.case.expect.outcome().word(),
            "expected_step": trial.case.expect.step(),
            "outcome": verdict.map(|verdict| verdict.outcome.word()),
            "step": trial.step(),
            "summary": verdict.map(|verdict| &verdict.summary.en),
            "error": trial.came.as_ref().err(),
            "holds": trial.holds(),
            "how": trial.how.word(),
            "elapsed_ms": u64::try_from(trial.elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    });
    json!({
        "format": FORMAT,
        "plugin": {
            "id": opened.info.id.as_str(),
            "version": opened.info.version.to_string(),
            "digest": opened.digest.to_string(),
        },
        "proven": proof.is_proven(),
        "proof": proof.to_string(),
        "cases": cases.collect::<Vec<_>>(),
    })
}

/// Columns as wide as what is in them; the last is as it comes.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn sign(trial: &Trial<'_>) -> &'static str {
    if trial.holds() { "✔" } else { "✘" }
}

fn first_line(words: &str) -> String {
    plain_line(words.lines().next().unwrap_or_default(), CELL_CHARS)
}

/// A file of the folder, as the folder was typed.
fn shown(folder: &Path, args: &TestArgs, file: &Path) -> String {
    let inside = file.strip_prefix(folder).unwrap_or(file);
    let shown = args.place.join(inside);
    shown.strip_prefix(".").unwrap_or(&shown).display().to_string()
}

fn unnamed(case: &CaseId) -> Failure {
    Failure::usage(format!("the case {case} has neither a recording nor every target that its check needs"))
        .hint(format!("add [targets.NAME] with a run to {CASES}, and mustdo starts it"))
        .hint("mustdo plugin info    tells what a check asks for")
}
