//! The shipped plugin in the real host, asked about services that the tests start.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use mustdo::{
    model::{Authority, Digest, Endpoint},
    plugin::{CachePolicy, Host, HostOptions},
    store::PLUGINS,
    verify::{Task, TaskId},
};
use serde_json::{Value, json};

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
}

impl Question {
    /// The check that answers it, as `plugin/check`.
    pub(crate) fn check(self) -> &'static str {
        match self {
            Self::RepeatEffect => "http-idempotency/repeat-effect",
            Self::DoubleSubmit | Self::FormToken => "http-idempotency/double-submit",
            Self::SafeGet => "http-idempotency/safe-get",
            Self::KeyProtocol => "http-idempotency/key-protocol",
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
            Self::KeyProtocol => json!({
                "slow_ms": slow,
                "callers": [
                    { "headers": { "Authorization": "Bearer alice-token" } },
                    { "headers": { "Authorization": "Bearer bob-token" } },
                ],
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
        let endpoint = Endpoint::Http { authority, prefix: String::new() };
        Task {
            id: TaskId(0),
            item: "challenge.idempotent-api".parse().unwrap(),
            check: question.check().parse().unwrap(),
            plugin: self.plugin,
            params: question.params().to_string(),
            targets: BTreeMap::from([("api".parse().unwrap(), endpoint)]),
            allowed: ["http:api".parse().unwrap()].into(),
            exclusive: false,
            names: BTreeMap::from([("api".parse().unwrap(), "web".parse().unwrap())]),
            supervised: BTreeMap::new(),
            seed: getrandom::u64().unwrap(),
            deadline: DEADLINE,
        }
    }
}
