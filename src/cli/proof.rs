//! Whether a plugin is proven: the cases that it carries, replayed here.
//!
//! Nothing is reached and no program is started: a replay is answered from its recording. What came of it is kept beside
//! the compiled plugin, so that it is found out once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::model::{
    Case, CaseId, Cases, CheckId, Digest, Expect, Mask, Need, Outcome, PluginInfo, Proof, Verdict, plain_line,
};
use crate::plugin::{Bundle, CachePolicy, Host, Recording, Replayer};
use crate::syntax::{self, CasesFile, Diagnostic, Severity, Source};
use crate::verify::{Reporter, TaskId};

/// All of a plugin's replays together: they wait for nothing.
const LONGEST: Duration = Duration::from_mins(1);

/// Under which name a proof is kept: this mustdo's version, and the number of the rules by which it was judged.
const KEPT: &str = concat!(env!("CARGO_PKG_VERSION"), "-1.proof");

/// Characters of why a plugin is unproven.
const WHY_CHARS: usize = 300;

/// What a check concluded of a case.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    /// The case.
    pub(crate) case: &'a Case,
    /// How it was asked.
    pub(crate) how: How,
    /// The verdict, or why there is none.
    pub(crate) came: Result<Verdict, String>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

/// How a check is asked about a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Its programs were started.
    Run,
    /// It was answered from a recording.
    Replayed,
}

impl How {
    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Replayed => "replayed",
        }
    }
}

impl Trial<'_> {
    /// Whether it is what the author said it must be: the outcome, and for a failure the step.
    pub(crate) fn holds(&self) -> bool {
        let Ok(verdict) = &self.came else { return false };
        let failed = |step: &str| {
            let mut steps = verdict.steps.iter();
            steps.any(|found| found.id == step && found.need == Need::Must && found.outcome == Outcome::Fail)
        };
        verdict.outcome == self.case.expect.outcome() && self.case.expect.step().is_none_or(failed)
    }

    /// The step that decided: the one that was named, where it failed, else the first must step of the outcome. None for
    /// a pass, which all of them decide.
    pub(crate) fn step(&self) -> Option<&str> {
        let verdict = self.came.as_ref().ok()?;
        if verdict.outcome == Outcome::Pass {
            return None;
        }
        if let Some(step) = self.case.expect.step().filter(|_| self.holds()) {
            return Some(step);
        }
        let mut steps = verdict.steps.iter();
        let decided = steps.find(|step| step.need == Need::Must && step.outcome == verdict.outcome);
        decided.map(|step| step.id.as_str())
    }

    /// What came of it, in words.
    pub(crate) fn words(&self) -> String {
        match (&self.came, self.step()) {
            (Ok(verdict), Some(step)) => format!("{}, {step}", verdict.outcome.word()),
            (Ok(verdict), None) => verdict.outcome.word().to_owned(),
            (Err(why), _) => why.clone(),
        }
    }
}

/// What must come of a case, in words.
pub(crate) fn expected(expect: &Expect) -> String {
    match expect.step() {
        Some(step) => format!("{}, {step}", expect.outcome().word()),
        None => expect.outcome().word().to_owned(),
    }
}

/// Reads `cases.toml` and holds it against the plugin; everything that is wrong with it otherwise.
pub(crate) fn read(source: &Source, plugin: &PluginInfo) -> Result<CasesFile, Vec<Diagnostic>> {
    let read = syntax::read_cases(source);
    let mut found = read.diagnostics;
    found.extend(read.value.iter().flat_map(|file| file.check(plugin)));
    let broken = found.iter().any(|found| found.severity == Severity::Error);
    match read.value.filter(|_| !broken) {
        Some(file) => Ok(file),
        None => Err(found),
    }
}

/// Whether the plugin of these bytes, which `host` has, is proven by what it carries.
pub(crate) async fn prove(host: &Host, plugin: &PluginInfo, digest: &Digest, bytes: &[u8]) -> Proof {
    let bundle = match carried(bytes) {
        Ok(bundle) => bundle,
        Err(unproven) => return unproven,
    };
    if let Some(proof) = host.recall(digest, KEPT).and_then(|text| recalled(&text)) {
        return proof;
    }
    // What takes too long here may not elsewhere, and on a day with less to do.
    match tokio::time::timeout(LONGEST, judge(host, plugin, digest, &bundle)).await {
        Err(_) => unproven(&format!("replaying its cases takes more than {} s", LONGEST.as_secs())),
        Ok(Err(Broke(why))) => unproven(&why),
        Ok(Ok(proof)) => {
            host.remember(digest, KEPT, &kept(&proof).to_string());
            proof
        }
    }
}

/// What is known of it without opening the plugin; none where its cases were not replayed here yet.
pub(crate) fn known(cache: &CachePolicy, digest: &Digest, bytes: &[u8]) -> Option<Proof> {
    match carried(bytes) {
        Ok(_) => cache.recall(digest, KEPT).and_then(|text| recalled(&text)),
        Err(unproven) => Some(unproven),
    }
}

/// The cases that a plugin carries; where it carries none, it is unproven.
fn carried(bytes: &[u8]) -> Result<Bundle, Proof> {
    match Bundle::of(bytes) {
        Ok(Some(bundle)) => Ok(bundle),
        Ok(None) => Err(unproven("it carries no cases")),
        Err(error) => Err(unproven(&error.to_string())),
    }
}

/// A replay that gave no verdict: a busy machine may have been why, so this is not kept.
struct Broke(String);

async fn judge(host: &Host, plugin: &PluginInfo, digest: &Digest, bundle: &Bundle) -> Result<Proof, Broke> {
    let file = match read(&Source::new("cases.toml", bundle.cases.as_str()), plugin) {
        Ok(file) => file,
        Err(found) => {
            let first = found.first().map(|found| found.message.as_str()).unwrap_or_default();
            return Ok(unproven(&format!("its cases are wrong: {first}")));
        }
    };
    let cases = file.cases();
    if let Some(why) = too_few(cases, plugin) {
        return Ok(unproven(&why));
    }
    let mut seen: BTreeMap<&str, &CaseId> = BTreeMap::new();
    for case in &cases.cases {
        let Some(text) = case.recording.as_ref().and_then(|path| bundle.recordings.get(path)) else {
            return Ok(unproven(&format!("it carries no recording of the case {}", case.name)));
        };
        // A target that is counted twice is one target.
        if let Some(other) = seen.insert(text, &case.name) {
            return Ok(unproven(&format!("the cases {other} and {} have one recording", case.name)));
        }
        let trial = replay(host, plugin, digest, case, text).await;
        if !trial.holds() {
            let (came, wanted) = (trial.words(), expected(&case.expect));
            let why = format!("of its case {} came \"{came}\", not \"{wanted}\"", case.name);
            return if trial.came.is_ok() { Ok(unproven(&why)) } else { Err(Broke(why)) };
        }
    }
    let count = |outcome| cases.cases.iter().filter(|case| case.expect.outcome() == outcome).count();
    Ok(Proof::Replayed { good: count(Outcome::Pass), bad: count(Outcome::Fail) })
}

/// Which checks have too few cases, in words; none where all have enough.
pub(crate) fn too_few(cases: &Cases, plugin: &PluginInfo) -> Option<String> {
    let lacks = cases.lacks(plugin.checks.iter().map(|check| &*check.id));
    let words: Vec<_> = lacks.iter().map(ToString::to_string).collect();
    Some(words.join("; ")).filter(|words| !words.is_empty())
}

/// Runs the plugin on a recording of `case`.
pub(crate) async fn replay<'a>(
    host: &Host,
    plugin: &PluginInfo,
    digest: &Digest,
    case: &'a Case,
    text: &str,
) -> Trial<'a> {
    let began = Instant::now();
    let came = replayed(host, plugin, digest, case, text).await;
    Trial { case, how: How::Replayed, came, elapsed: began.elapsed() }
}

async fn replayed(
    host: &Host,
    plugin: &PluginInfo,
    digest: &Digest,
    case: &Case,
    text: &str,
) -> Result<Verdict, String> {
    let recording = Recording::read(text).map_err(|error| format!("its recording is none: {error}"))?;
    let wanted = CheckId { plugin: plugin.id.clone(), check: case.check.clone() };
    if *recording.check() != wanted {
        return Err(format!("its recording is of {}", recording.check()));
    }
    let params = plugin.check(&case.check).and_then(|check| syntax::params(check, &case.with).ok());
    if params.as_deref() != Some(recording.params()) {
        return Err("its recording was made with other parameters".to_owned());
    }
    let replayer = Replayer::new(host, Arc::new(recording), Mask::default())
        .map_err(|error| format!("its recording can not be replayed: {error}"))?;
    let replayed = replayer.replay(*digest, Reporter::new(TaskId(0), unbounded_channel().0)).await;
    replayed.run.map(|run| run.verdict).map_err(|error| error.to_string())
}

fn unproven(why: &str) -> Proof {
    Proof::Unproven { why: plain_line(why, WHY_CHARS) }
}

fn kept(proof: &Proof) -> Value {
    match proof {
        Proof::Replayed { good, bad } => json!({ "good": good, "bad": bad }),
        Proof::Unproven { why } => json!({ "why": why }),
        Proof::Shipped { mistakes } => json!({ "mistakes": mistakes }),
    }
}

/// What [`kept`] wrote; that something is shipped is never taken from a file.
fn recalled(text: &str) -> Option<Proof> {
    let value: Value = serde_json::from_str(text).ok()?;
    let count = |key| usize::try_from(value.get(key)?.as_u64()?).ok();
    match value.get("why").and_then(Value::as_str) {
        Some(why) => Some(unproven(why)),
        None => Some(Proof::Replayed { good: count("good")?, bad: count("bad")? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_found_out() {
        for proof in [Proof::Replayed { good: 2, bad: 7 }, unproven("it carries no cases")] {
            assert_eq!(recalled(&kept(&proof).to_string()), Some(proof));
        }
        assert_eq!(recalled(&kept(&Proof::Shipped { mistakes: 9 }).to_string()), None);
        for text in ["", "{}", "[]", r#"{"good":1}"#, r#"{"good":-1,"bad":3}"#] {
            assert_eq!(recalled(text), None, "{text}");
        }
    }
}
