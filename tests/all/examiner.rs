//! The shipped plugin in the real host, asked about services that the tests start.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use mustdo::{
    model::{Authority, Digest, Endpoint, Mask, Need, Outcome, Target, TargetName, Verdict},
    plugin::{CachePolicy, Host, HostOptions},
    process::Supervised,
    store::PLUGINS,
    target::{StartOptions, start},
    verify::{Reporter, Task, TaskId, Verifier},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

/// How long an order takes at the services under test.
pub(crate) const SLOW: Duration = Duration::from_millis(300);

/// Wall clock for one check: well above the ten seconds that a check waits for one answer, and enough for several
/// restarts on a busy machine.
const DEADLINE: Duration = Duration::from_secs(100);

/// One check, with the parameters that a learner would bind to it for the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    RepeatEffect,
    DoubleSubmit,
    /// `double-submit` with the token in the form instead of a header.
    FormToken,
    SafeGet,
    KeyProtocol,
    /// `key-protocol` with every `should` a `must`.
    StrictKeyProtocol,
}

impl Question {
    /// The check that answers it, as `plugin/check`.
    pub(crate) fn check(self) -> &'static str {
        match self {
            Self::RepeatEffect => "http-idempotency/repeat-effect",
            Self::DoubleSubmit | Self::FormToken => "http-idempotency/double-submit",
            Self::SafeGet => "http-idempotency/safe-get",
            Self::KeyProtocol | Self::StrictKeyProtocol => "http-idempotency/key-protocol",
        }
    }

    fn params(self) -> Value {
        let slow = SLOW.as_millis();
        match self {
            Self::RepeatEffect | Self::SafeGet => json!({}),
            Self::DoubleSubmit => json!({ "slow_ms": slow }),
            Self::FormToken => json!({
                "slow_ms": slow,
                "op": { "method": "POST", "path": "/tickets", "body": { "seat": "{token}", "token": "{key}" } },
            }),
            Self::KeyProtocol | Self::StrictKeyProtocol => json!({
                "slow_ms": slow,
                "callers": [
                    { "headers": { "Authorization": "Bearer alice-token" } },
                    { "headers": { "Authorization": "Bearer bob-token" } },
                ],
                "strict": self == Self::StrictKeyProtocol,
            }),
        }
    }
}

/// A host with the shipped plugin.
pub(crate) struct Examiner {
    host: Host,
    plugin: Digest,
}

impl Examiner {
    pub(crate) async fn new() -> Self {
        let options = HostOptions::new(CachePolicy::Off);
        let host = Host::new(options).unwrap();
        let shipped = PLUGINS.iter().find(|plugin| plugin.id == "http-idempotency").unwrap();
        let plugin = host.load(shipped.bytes).unwrap().plugin;
        let digest = plugin.digest();
        let info = host.describe(&plugin).await.unwrap();
        host.add(plugin, &info);
        Self { host, plugin: digest }
    }

    /// The host, to record or to replay with.
    pub(crate) fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// The shipped plugin's bytes.
    pub(crate) fn plugin(&self) -> Digest {
        self.plugin
    }

    /// A question about the service at `address`, with a seed that was never used before.
    pub(crate) fn task(&self, question: Question, address: SocketAddr) -> Task {
        let authority = Authority { host: address.ip().to_string(), port: address.port() };
        self.task_of(question, Endpoint::Http { authority, prefix: String::new() }, None)
    }

    fn task_of(
        &self,
        question: Question,
        endpoint: Endpoint,
        supervised: Option<BTreeMap<TargetName, Arc<dyn Supervised>>>,
    ) -> Task {
        Task {
            id: TaskId(0),
            item: "challenge.idempotent-api".parse().unwrap(),
            check: question.check().parse().unwrap(),
            plugin: self.plugin,
            params: question.params().to_string(),
            targets: BTreeMap::from([("api".parse().unwrap(), endpoint)]),
            allowed: ["http:api", "process:api"]
                .iter()
                .take(if supervised.is_some() { 2 } else { 1 })
                .map(|capability| capability.parse().unwrap())
                .collect(),
            exclusive: supervised.is_some(),
            names: BTreeMap::from([("api".parse().unwrap(), "web".parse().unwrap())]),
            supervised: supervised.unwrap_or_default(),
            seed: getrandom::u64().unwrap(),
            deadline: DEADLINE,
        }
    }

    /// Starts `target` as mustdo does and asks about it, with the permission to kill and restart it.
    pub(crate) async fn ask_and_kill(&self, question: Question, target: &Target) -> Answer {
        let name: TargetName = "api".parse().unwrap();
        let options = StartOptions {
            root: Path::new("/"),
            logs: None,
            search: None,
            mask: &Mask::default(),
            guard: Some(Path::new(env!("CARGO_BIN_EXE_mustdo"))),
        };
        let started = start(BTreeMap::from([(name.clone(), target)]), &options).await;
        let failures = started.failures();
        assert!(failures.is_empty(), "{failures:?}");
        let endpoint = started.endpoints()[&name].clone();
        let answer =
            self.answer(question, &self.task_of(question, endpoint, Some(started.supervised()))).await;
        let died = started.died().await;
        assert!(died.is_empty(), "{died:?}");
        started.stop().await;
        answer
    }

    /// Asks it.
    pub(crate) async fn ask(&self, question: Question, address: SocketAddr) -> Answer {
        self.answer(question, &self.task(question, address)).await
    }

    async fn answer(&self, question: Question, task: &Task) -> Answer {
        let seed = task.seed;
        let run = self.host.verify(task, Reporter::new(TaskId(0), unbounded_channel().0)).await;
        let run = run.unwrap_or_else(|error| panic!("{question:?} with seed {seed}: {error}"));
        Answer { verdict: run.verdict, elapsed: run.elapsed, seed }
    }
}

/// What a check concluded, and what is needed to ask the same again.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) elapsed: Duration,
    seed: u64,
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
