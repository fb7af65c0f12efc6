//! The shipped plugin in the real host, asked about services that the tests start.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::Duration,
};

use mustdo::{
    model::{Authority, Digest, Endpoint, Limits, Need, Outcome, Verdict},
    plugin::{CachePolicy, Compiler, Host, HostOptions},
    store::PLUGINS,
    verify::{Reporter, Task, TaskId, Verifier},
};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

/// How long an order takes at the services under test.
pub(crate) const SLOW: Duration = Duration::from_millis(300);

/// Wall clock for one check: well above the ten seconds that a check waits for one answer.
const DEADLINE: Duration = Duration::from_secs(40);

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
        let options = HostOptions {
            cache: CachePolicy::Off,
            compiler: Compiler::Here,
            limits: Limits::default(),
            environment: BTreeMap::new(),
            secrets: vec![],
        };
        let host = Host::new(options).unwrap();
        let shipped = PLUGINS.iter().find(|plugin| plugin.id == "http-idempotency").unwrap();
        let plugin = host.load(shipped.bytes).unwrap().plugin;
        let digest = plugin.digest();
        let info = host.describe(&plugin).await.unwrap();
        host.add(plugin, &info);
        Self { host, plugin: digest }
    }

    /// Asks about the service at `address`, with a seed that was never used before.
    pub(crate) async fn ask(&self, question: Question, address: SocketAddr) -> Answer {
        let authority = Authority { host: address.ip().to_string(), port: address.port() };
        let seed = getrandom::u64().unwrap();
        let task = Task {
            id: TaskId(0),
            item: "challenge.idempotent-api".parse().unwrap(),
            check: question.check().parse().unwrap(),
            plugin: self.plugin,
            params: question.params().to_string(),
            targets: BTreeMap::from([(
                "api".parse().unwrap(),
                Endpoint::Http { authority, prefix: String::new() },
            )]),
            allowed: BTreeSet::from(["http:api".parse().unwrap()]),
            seed,
            deadline: DEADLINE,
        };
        let run = self.host.verify(&task, Reporter::new(TaskId(0), unbounded_channel().0)).await;
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
