//! What a running check has at hand.

use std::time::Duration;

use crate::Failure;
use crate::generator::Generator;
use crate::host::{Host, Level};
use crate::http::{Client, Options};

/// The surroundings of one run: targets, clock, seeded choices, progress.
pub struct Context<'host> {
    host: &'host dyn Host,
    targets: Vec<String>,
    generator: Generator,
}

impl<'host> Context<'host> {
    /// A context over a host; a test makes its own, a plugin gets one.
    #[must_use]
    pub fn new(host: &'host dyn Host, targets: Vec<String>, seed: u64) -> Self {
        Self { host, targets, generator: Generator::new(seed) }
    }

    /// Whether a target is bound and granted for this run.
    #[must_use]
    pub fn has_target(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target == name)
    }

    /// Opens a client of an http target.
    pub fn http(&self, target: &str, options: &Options) -> Result<Client, Failure> {
        self.host.open_http(target, options).map(Client::new)
    }

    /// The seeded choices of this run.
    pub fn generator(&mut self) -> &mut Generator {
        &mut self.generator
    }

    /// Shows progress; `fraction` is `0.0..=1.0` when known.
    pub fn progress(&self, fraction: Option<f32>, message: &str) {
        self.host.progress(fraction, message);
    }

    /// Writes a log line.
    pub fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }

    /// How long until the host stops this run.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.host.time_left()
    }

    /// A clock that never goes back.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        self.host.monotonic()
    }

    /// Since 1970-01-01 UTC.
    #[must_use]
    pub fn unix_time(&self) -> Duration {
        self.host.unix_time()
    }

    /// Waits.
    pub fn sleep(&self, duration: Duration) {
        self.host.sleep(duration);
    }

    /// Unpredictable bytes, not from the seed: for secrets, never for choices.
    #[must_use]
    pub fn random_bytes(&self, length: u32) -> Vec<u8> {
        self.host.random_bytes(length)
    }

    /// Keeps a blob as evidence; name it in the report with [`Report::attached`](crate::Report::attached).
    pub fn attach(&self, label: &str, media_type: &str, bytes: &[u8]) -> Result<u32, Failure> {
        self.host.attach(label, media_type, bytes)
    }
}
