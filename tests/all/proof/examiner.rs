//! A shipped plugin in the real host, asked about what the tests start.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};

use mustdo::{
    model::{
        Address, Authority, Capability, CheckInfo, Digest, Endpoint, Mask, Need, Outcome, Place, PluginInfo,
        Target, TargetKind, TargetName, Verdict,
    },
    plugin::{CachePolicy, Host, HostOptions},
    process::Supervised,
    store::PLUGINS,
    target::{StartOptions, start},
    verify::{Reporter, Task, TaskId, Verifier},
};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;

use super::{Column, Subject};

/// Wall clock for one check: well above what one takes on a busy machine.
const DEADLINE: Duration = Duration::from_mins(3);

/// A host with one shipped plugin.
pub(crate) struct Examiner {
    host: Host,
    plugin: Digest,
    info: PluginInfo,
}

impl Examiner {
    pub(crate) async fn new(plugin: &str) -> Self {
        let host = Host::new(HostOptions::new(CachePolicy::Off)).unwrap();
        let shipped = PLUGINS.iter().find(|shipped| shipped.id == plugin);
        let shipped = shipped.unwrap_or_else(|| panic!("no plugin '{plugin}' is shipped"));
        let plugin = host.load(shipped.bytes).unwrap().plugin;
        let digest = plugin.digest();
        let info = host.describe(&plugin).await.unwrap();
        host.add(plugin, &info);
        Self { host, plugin: digest, info }
    }

    /// The host, to record or to replay with.
    pub(crate) fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// The shipped plugin's bytes.
    pub(crate) fn plugin(&self) -> Digest {
        self.plugin
    }

    /// A column's question about a subject that runs already.
    pub(crate) fn task_of(&self, column: &Column, subject: &Subject) -> Task {
        self.task(column, subject, (&attached(subject), &Services::new()))
    }

    /// Asks a column's question about a subject, with every permission the check asks for, and a seed that was never used
    /// before. What mustdo starts for it is stopped again.
    pub(crate) async fn ask(&self, column: &Column, subject: &Subject) -> Answer {
        let label = column.label;
        let options = StartOptions {
            root: Path::new("/"),
            logs: None,
            search: None,
            mask: &Mask::default(),
            guard: Some(Path::new(env!("CARGO_BIN_EXE_mustdo"))),
        };
        let targets = subject.targets.iter().filter(|(_, target)| attached_at(target).is_none());
        let started = start(targets.map(|(name, target)| (name.clone(), target)).collect(), &options).await;
        let failures = started.failures();
        assert!(failures.is_empty(), "{label}: {failures:?}");
        let mut endpoints = attached(subject);
        endpoints.extend(started.endpoints().clone());
        let task = self.task(column, subject, (&endpoints, &started.supervised()));
        let seed = task.seed;
        let run = self.host.verify(&task, Reporter::new(TaskId(0), unbounded_channel().0)).await;
        let run = run.unwrap_or_else(|error| panic!("{label} with seed {seed}: {error}"));
        drop(task);
        started.stop().await;
        Answer { verdict: run.verdict, elapsed: run.elapsed, seed }
    }

    fn task(
        &self,
        column: &Column,
        subject: &Subject,
        (endpoints, services): (&BTreeMap<TargetName, Endpoint>, &Services),
    ) -> Task {
        let known = self.info.check(column.check);
        let check: &CheckInfo =
            known.unwrap_or_else(|| panic!("{} has no check '{}'", self.info.id, column.check));
        // What the plugin calls its targets, and what the subject calls them.
        let asked = check.capabilities.iter().map(|request| &request.capability);
        let roles = asked.clone().filter_map(Capability::target);
        let name_of = |role: &TargetName| {
            let other = column.targets.iter().find(|(theirs, _)| *theirs == role.as_str());
            other.map_or_else(|| role.clone(), |(_, ours)| ours.parse().unwrap())
        };
        let names: BTreeMap<TargetName, TargetName> = roles
            .map(|role| (role.clone(), name_of(role)))
            .filter(|(_, name)| endpoints.contains_key(name))
            .collect();
        let targets: BTreeMap<TargetName, Endpoint> =
            names.iter().map(|(role, name)| (role.clone(), endpoints[name].clone())).collect();
        let supervised: BTreeMap<TargetName, Arc<dyn Supervised>> = names
            .iter()
            .filter_map(|(role, name)| Some((role.clone(), Arc::clone(services.get(name)?))))
            .collect();
        // The process behind a server that runs inside the tests would be the tests.
        let is_own = |capability: &Capability, role: &TargetName| {
            matches!(capability, Capability::Process(_))
                && targets[role].kind() != TargetKind::Command
                && !supervised.contains_key(role)
        };
        let is_bound = |capability: &&Capability| {
            let Some(role) = capability.target() else { return true };
            targets.get(role).is_some_and(|endpoint| capability.kinds().contains(&endpoint.kind()))
                && !is_own(capability, role)
        };
        let allowed = asked.filter(is_bound).cloned().collect();
        Task {
            id: TaskId(0),
            item: "proof.item".parse().unwrap(),
            check: format!("{}/{}", self.info.id, check.id).parse().unwrap(),
            plugin: self.plugin,
            params: params(column, subject).to_string(),
            allowed,
            exclusive: check.exclusive,
            targets,
            names,
            supervised,
            seed: getrandom::u64().unwrap(),
            deadline: DEADLINE,
        }
    }
}

/// The targets that are only attached to. They need nobody behind them here: a closed port is a subject as well.
fn attached(subject: &Subject) -> BTreeMap<TargetName, Endpoint> {
    let targets = subject.targets.iter();
    targets.filter_map(|(name, target)| Some((name.clone(), attached_at(target)?))).collect()
}

/// Where a target is that mustdo does not start; none for what it starts or looks up.
fn attached_at(target: &Target) -> Option<Endpoint> {
    if target.launch.is_some() {
        return None;
    }
    let authority = |address: &Address| Some(Authority { host: address.host.clone(), port: address.port? });
    match &target.place {
        Place::Http { address, prefix } => {
            Some(Endpoint::Http { authority: authority(address)?, prefix: prefix.clone() })
        }
        Place::Tcp(address) => authority(address).map(Endpoint::Tcp),
        Place::Udp(address) => authority(address).map(Endpoint::Udp),
        Place::Dir(_) | Place::Command { .. } => None,
    }
}

fn params(column: &Column, subject: &Subject) -> Value {
    let mut params = column.params.clone();
    let fields =
        params.as_object_mut().unwrap_or_else(|| panic!("{}: parameters are an object", column.label));
    fields.extend(subject.params.clone());
    params
}

/// The programs that mustdo runs.
type Services = BTreeMap<TargetName, Arc<dyn Supervised>>;

/// What a check concluded, and what is needed to ask the same again.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) elapsed: Duration,
    pub(crate) seed: u64,
}

impl Answer {
    pub(crate) fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }

    /// The step that decided; none where every must step passed.
    pub(crate) fn decisive(&self) -> Option<&str> {
        let decides = |outcome| self.verdict.outcome == outcome && outcome != Outcome::Pass;
        let step = |step: &&mustdo::model::Step| step.need == Need::Must && decides(step.outcome);
        self.verdict.steps.iter().find(step).map(|step| step.id.as_str())
    }

    /// Points earned out of one.
    pub(crate) fn score(&self) -> f64 {
        self.verdict.score.map_or(0.0, |score| score.earned / score.possible)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { outcome, summary, steps, .. } = &self.verdict;
        let (seed, seconds) = (self.seed, self.elapsed.as_secs_f64());
        write!(formatter, "{} after {seconds:.1} s with seed {seed}: {}", outcome.word(), summary.en)?;
        for step in steps {
            write!(formatter, "\n    {} {}: {}", step.outcome.word(), step.id, step.summary.en)?;
        }
        Ok(())
    }
}
