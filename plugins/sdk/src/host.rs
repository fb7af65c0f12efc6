//! What a run may ask of its surroundings. Two implement it: the wasm imports and the native double for tests.

use std::time::Duration;

use crate::Failure;
use crate::files::Files;
use crate::http::{Options, Request, Response};
use crate::process::{Command, Program};
use crate::scratch::Folder;
use crate::tcp::{self, Port, Stream};
use crate::udp::Datagrams;

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// Good to know.
    Info,
    /// Something odd.
    Warn,
    /// The plugin is broken.
    Error,
}

/// The host of a run: what every plugin has.
///
/// A component imports whatever its code can reach, and a `dyn Host` reaches every method here, called or not. What only
/// some plugins use is therefore a trait of its own, which [`Context`](crate::Context) reaches without this one: the
/// import list of a plugin shows what it can do.
pub trait Host {
    /// Opens a client of an http target.
    fn open_http(&self, target: &str, options: &Options) -> Result<Box<dyn Connection>, Failure>;
    /// Shows progress; `fraction` is `0.0..=1.0` when known.
    fn progress(&self, fraction: Option<f32>, message: &str);
    /// Writes a log line.
    fn log(&self, level: Level, message: &str);
    /// How long until the run is stopped.
    fn time_left(&self) -> Duration;
    /// A clock that never goes back.
    fn monotonic(&self) -> Duration;
    /// Since 1970-01-01 UTC.
    fn unix_time(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
    /// Unpredictable bytes, not from the seed: for secrets, never for choices.
    fn random_bytes(&self, length: u32) -> Vec<u8>;
    /// Keeps a blob as evidence and returns its handle.
    fn attach(&self, label: &str, media_type: &str, bytes: &[u8]) -> Result<u32, Failure>;
    /// What starts programs. A component calls its imports directly instead.
    #[cfg(not(target_arch = "wasm32"))]
    fn programs(&self) -> &dyn Programs;
    /// What opens streams and datagram sockets. A component calls its imports directly instead.
    #[cfg(not(target_arch = "wasm32"))]
    fn network(&self) -> &dyn Network;
    /// What opens directory targets. A component calls its imports directly instead.
    #[cfg(not(target_arch = "wasm32"))]
    fn folders(&self) -> &dyn Folders;
}

/// What one of many attempts at a stream came to.
pub type Attempt = Result<Box<dyn Stream>, Failure>;

/// The part of the host that opens streams and datagram sockets. A duration of zero leaves the time to the host.
pub trait Network {
    /// Opens a stream to a tcp or http target.
    fn connect(&self, target: &str, options: &tcp::Options) -> Result<Box<dyn Stream>, Failure>;
    /// Opens `count` streams as fast as the host can; each has a result of its own.
    fn connect_many(&self, target: &str, options: &tcp::Options, count: u32)
    -> Result<Vec<Attempt>, Failure>;
    /// Listens on an ephemeral loopback port.
    fn listen(&self) -> Result<Box<dyn Port>, Failure>;
    /// The places of the streams that can be read or have ended, as soon as there are any; zero only looks.
    fn wait_readable(&self, streams: &[&dyn Stream], timeout: Duration) -> Vec<usize>;
    /// Opens a socket that is connected to a udp target.
    fn open_udp(&self, target: &str, source: Option<&str>) -> Result<Box<dyn Datagrams>, Failure>;
}

/// The part of the host that opens directory targets.
pub trait Folders {
    /// Opens a directory target to read it.
    fn open_folder(&self, target: &str) -> Result<Box<dyn Files>, Failure>;
}

/// The part of the host that starts programs and makes copies.
pub trait Programs {
    /// Starts the program of a command target.
    fn start(&self, command: &Command) -> Result<Box<dyn Program>, Failure>;
    /// The running process that owns a target's listening port.
    fn attached(&self, target: &str) -> Result<Box<dyn Program>, Failure>;
    /// Starts the program behind a target once more; what is left of the one before is killed first.
    fn restart(&self, target: &str, timeout: Duration) -> Result<Box<dyn Program>, Failure>;
    /// Opens a private copy of a directory target, or an empty folder.
    fn scratch(&self, target: Option<&str>) -> Result<Box<dyn Folder>, Failure>;
}

/// The host's side of a [`Client`](crate::http::Client).
pub trait Connection {
    /// Sends one request.
    fn send(&self, request: &Request) -> Result<Response, Failure>;
    /// Sends all, with up to `concurrency` in flight; answers in request order.
    fn send_all(
        &self,
        requests: &[Request],
        concurrency: u32,
    ) -> Result<Vec<Result<Response, Failure>>, Failure>;
}
