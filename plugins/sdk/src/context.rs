//! What a running check has at hand.

use std::time::Duration;

use crate::Failure;
use crate::generator::Generator;
use crate::host::{Folders, Host, Level, Network, Programs};
use crate::http::{Client, Options};
use crate::process::{Child, Command};
use crate::scratch::Workspace;
use crate::{files, tcp, udp};

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

    /// Opens a stream to a tcp or http target.
    pub fn tcp(&self, target: &str, options: &tcp::Options) -> Result<tcp::Connection, Failure> {
        let stream = self.network().connect(target, options)?;
        Ok(tcp::Connection::new(stream, options.timeout))
    }

    /// Opens `count` streams as fast as the host can; each has a result of its own.
    pub fn connect_many(
        &self,
        target: &str,
        options: &tcp::Options,
        count: u32,
    ) -> Result<Vec<Result<tcp::Connection, Failure>>, Failure> {
        let opened = self.network().connect_many(target, options, count)?;
        let connection = |stream| tcp::Connection::new(stream, options.timeout);
        Ok(opened.into_iter().map(|stream| stream.map(connection)).collect())
    }

    /// Listens on an ephemeral loopback port, as a server that the learner's program connects to.
    pub fn listen(&self) -> Result<tcp::Listener, Failure> {
        self.network().listen().map(tcp::Listener::new)
    }

    /// The places of the connections that can be read or have ended, in order, as soon as there are any and at the latest
    /// after `timeout`; zero only looks.
    #[must_use]
    pub fn wait_readable(&self, connections: &[&tcp::Connection], timeout: Duration) -> Vec<usize> {
        let streams: Vec<_> = connections.iter().map(|connection| connection.stream()).collect();
        self.network().wait_readable(&streams, timeout)
    }

    /// Opens a datagram socket that is connected to a udp target, from a loopback source address where one is given.
    pub fn udp(&self, target: &str, source: Option<&str>) -> Result<udp::Socket, Failure> {
        self.network().open_udp(target, source).map(udp::Socket::new)
    }

    /// Starts the program of a command target, in a private empty folder; [`Workspace::start`] does it inside a copy.
    pub fn start(&self, command: &Command) -> Result<Child<'host>, Failure> {
        self.programs().start(command).map(|program| Child::new(self.host, program))
    }

    /// The running process that owns a target's listening port.
    pub fn attached(&self, target: &str) -> Result<Child<'host>, Failure> {
        self.programs().attached(target).map(|program| Child::new(self.host, program))
    }

    /// Starts the program behind a target once more, the way the workspace starts it and on the same port, and waits
    /// until it is ready. What is left of the one before is killed first. [`Failure::Unbound`] for a target that mustdo
    /// did not start itself; then nothing was killed.
    pub fn restart(&self, target: &str, timeout: Duration) -> Result<Child<'host>, Failure> {
        self.programs().restart(target, timeout).map(|program| Child::new(self.host, program))
    }

    /// Opens a directory target to read it.
    pub fn folder(&self, target: &str) -> Result<files::Tree, Failure> {
        self.folders().open_folder(target).map(files::Tree::new)
    }

    /// A private copy of a directory target to work in, or an empty folder; removed after the run.
    pub fn scratch(&self, target: Option<&str>) -> Result<Workspace<'host>, Failure> {
        self.programs().scratch(target).map(|folder| Workspace::new(self.host, folder))
    }

    /// Statically known in a component, so that it imports no more than it calls.
    #[cfg(target_arch = "wasm32")]
    #[expect(clippy::unused_self, reason = "the imports are the same for every run")]
    fn programs(&self) -> impl Programs + use<> {
        crate::guest::Imports
    }

    /// As with programs.
    #[cfg(target_arch = "wasm32")]
    #[expect(clippy::unused_self, reason = "the imports are the same for every run")]
    fn network(&self) -> impl Network + use<> {
        crate::guest::Imports
    }

    /// As with programs.
    #[cfg(target_arch = "wasm32")]
    #[expect(clippy::unused_self, reason = "the imports are the same for every run")]
    fn folders(&self) -> impl Folders + use<> {
        crate::guest::Imports
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn folders(&self) -> &'host dyn Folders {
        self.host.folders()
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn network(&self) -> &'host dyn Network {
        self.host.network()
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn programs(&self) -> &'host dyn Programs {
        self.host.programs()
    }
}
