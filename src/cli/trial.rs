//! A check asked about a case whose programs are started for it, and what it asked and was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::unbounded_channel;

use super::context::Context;
use super::failure::Failure;
use super::plugins::Opened;
use super::proof::{How, Trial};
use crate::model::{Capability, Case, Cases, CheckId, CheckInfo, ItemId, Mask, Target, TargetName, Verdict};
use crate::plugin::{Host, Recorder};
use crate::syntax;
use crate::target::{self, StartOptions, Started};
use crate::verify::{Reporter, Task, TaskId, Verifier as _, deadline};

/// Where cases are tried: programs run in the plugin's folder, on this machine, as its author's own.
pub(crate) struct Bench<'a> {
    context: &'a Context,
    host: Host,
    opened: &'a Opened,
    cases: &'a Cases,
    folder: &'a Path,
    /// The text of the last run's recording.
    tape: Arc<Mutex<Option<String>>>,
}

impl<'a> Bench<'a> {
    /// A bench for the cases of the plugin that `opened` tells of, which `host` can run.
    pub(crate) fn new(
        context: &'a Context,
        mut host: Host,
        opened: &'a Opened,
        cases: &'a Cases,
        folder: &'a Path,
    ) -> Self {
        let tape = Arc::new(Mutex::new(None));
        let kept = tape.clone();
        let keep = move |_: &Task, text: &str| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
        };
        // A case has no secrets: neither variables of the author's nor values that must not be published.
        let started = context.environment.now;
        host.record(Recorder { mask: Mask::default(), started, keep: Arc::new(keep) });
        Self { context, host, opened, cases, folder, tape }
    }

    /// What replays use.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Whether everything that the check of `case` needs is named in the file, so that it can be run.
    pub(crate) fn is_runnable(&self, case: &Case) -> bool {
        let Some(check) = self.opened.info.check(&case.check) else { return false };
        let needed = check.capabilities.iter().filter(|request| request.required);
        let mut names = needed.filter_map(|request| request.capability.target());
        names.all(|name| self.cases.targets.contains_key(case.bound(name)))
    }

    /// Starts what `case` names, asks, and stops it; beside the trial its recording, where there was a run.
    pub(crate) async fn run<'c>(&self, case: &'c Case) -> Result<(Trial<'c>, Option<String>), Failure> {
        let began = Instant::now();
        let seed = getrandom::u64().map_err(Failure::bug)?;
        let targets = self.targets(case);
        let options = StartOptions {
            root: self.folder,
            logs: None,
            search: self.context.environment.path.as_deref(),
            mask: &Mask::default(),
            guard: self.context.environment.guard.as_deref(),
        };
        let wanted = targets.iter().map(|(name, target)| (name.clone(), target)).collect();
        let started = target::start(wanted, &options).await;
        let came = self.ask(case, &started, seed).await;
        started.stop().await;
        let recording = self.tape.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok((Trial { case, how: How::Run, came, elapsed: began.elapsed() }, recording))
    }

    /// The targets that the check of `case` asks for, by the author's names.
    fn targets(&self, case: &Case) -> BTreeMap<TargetName, Target> {
        let check = self.opened.info.check(&case.check);
        let asked = check.into_iter().flat_map(|check| &check.capabilities);
        let names = asked.filter_map(|request| request.capability.target()).map(|name| case.bound(name));
        let mut targets = BTreeMap::new();
        for name in names {
            let Some(mut target) = self.cases.targets.get(name).cloned() else { continue };
            if let (Some(launch), Some(args)) = (&mut target.launch, case.args.get(name)) {
                launch.run.extend(args.iter().cloned());
            }
            targets.insert(name.clone(), target);
        }
        targets
    }

    async fn ask(&self, case: &Case, started: &Started, seed: u64) -> Result<Verdict, String> {
        if let Some((name, error)) = started.failures().iter().next() {
            let output: Vec<_> = error.output().iter().map(|line| format!("\n    {line}")).collect();
            return Err(format!("target {name}: {error}{}", output.concat()));
        }
        let info = &self.opened.info;
        let check = info.check(&case.check).ok_or("the plugin has no such check")?;
        let task = self.task(case, check, started, seed)?;
        let run = self.host.verify(&task, Reporter::new(TaskId(0), unbounded_channel().0)).await;
        if let Some(died) = started.died().await.first() {
            let last: Vec<_> = died.output.iter().map(|line| format!("\n    {line}")).collect();
            return Err(format!(
                "the target {} ended meanwhile: {}{}",
                died.target,
                died.exit,
                last.concat()
            ));
        }
        run.map(|run| run.verdict).map_err(|error| error.to_string())
    }

    /// The task that the author allows by starting the test: everything that the check asks for and that is named here,
    /// but no variable.
    fn task(&self, case: &Case, check: &CheckInfo, started: &Started, seed: u64) -> Result<Task, String> {
        let programs = started.supervised();
        let (mut targets, mut names, mut supervised) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut allowed = BTreeSet::new();
        for request in &check.capabilities {
            let Some(asked) = request.capability.target() else {
                if !matches!(request.capability, Capability::Env(_)) {
                    allowed.insert(request.capability.clone());
                }
                continue;
            };
            let bound = case.bound(asked);
            let Some(endpoint) = started.endpoints().get(bound) else { continue };
            allowed.insert(request.capability.clone());
            targets.insert(asked.clone(), endpoint.clone());
            names.insert(asked.clone(), bound.clone());
            if let Some(program) = programs.get(bound) {
                supervised.insert(asked.clone(), program.clone());
            }
        }
        let params = syntax::params(check, &case.with);
        let item: Result<ItemId, _> = format!("cases.{}", case.name).parse();
        Ok(Task {
            id: TaskId(0),
            item: item.map_err(|error| error.to_string())?,
            check: CheckId { plugin: self.opened.info.id.clone(), check: check.id.clone() },
            plugin: self.opened.digest,
            params: params.map_err(|unfit| [unfit.wrong, unfit.missing].concat().join(", "))?,
            targets,
            names,
            supervised,
            allowed,
            exclusive: check.exclusive,
            seed,
            deadline: deadline(check.typical, None, None),
        })
    }
}

/// Seconds with one digit behind the point, for people.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}
