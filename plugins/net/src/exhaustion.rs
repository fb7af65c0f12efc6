//! A server that has no descriptors left: `accept()` fails (EMFILE, accept(2)), the queue stays readable, and a loop that tries
//! again at once takes a whole processor until somebody leaves.

use std::time::Duration;

use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Failure, Fault, Text};

use crate::probe::{Probe, SOCKET};
use crate::process::{Load, Watched, waits};

/// Clients that are sent to fill it. A server that forks for each has a process for each.
const MOST: u32 = 400;

/// Clients between two looks at its descriptors. It is full when half of them wait.
const BATCH: u32 = 40;

/// How long nothing may change until it is believed that nothing will.
const STILL: Duration = Duration::from_secs(1);

/// How long a server is given to take clients that it did not take at once.
const SLOW: Duration = Duration::from_secs(4);

/// How long descriptors that change all the time are looked at.
const RESTLESS: Duration = Duration::from_secs(10);

/// How long a connection may take. One that finds the queue full is not taken at all.
const CONNECT: Duration = Duration::from_secs(1);

/// Waits until the server has seen that everybody left: closing what waited takes its time.
pub(crate) fn calm(probe: &Probe<'_, '_>) {
    let what = Text::new("watching the descriptors of the server", "查看服务器的描述符");
    // What can not be watched is not waited for.
    let _ = Watched::attach(probe.context(), &what).and_then(|watched| settled(probe, &watched, 0));
}

/// A full server.
pub(crate) struct Full {
    /// The descriptors it has.
    pub(crate) open_files: u32,
    /// The part of one processor that it uses.
    pub(crate) load: f64,
}

/// Fills the server twice and watches its processor time: when all have left again, against before; then with others waiting
/// to be accepted, against nearly full. Only what it takes beyond the other counts.
pub(crate) fn judge(probe: &Probe<'_, '_>) -> Result<Full, Fault> {
    let what = Text::new("watching the descriptors of the server", "查看服务器的描述符");
    let watched = Watched::attach(probe.context(), &what)?;
    let crowd = Crowd { probe, empty: settled(probe, &watched, 0)?, watched };
    let load = || crowd.watched.load(probe.context());
    let quiet = load()?;
    let fitting = crowd.fitting()?;
    settled(probe, &crowd.watched, 0)?;
    let left = Text::new("filled it with clients, which left", "用客户端占满服务器，然后全部离开");
    within(quiet, load()?, &left)?;
    let mut held = crowd.open(fitting)?;
    settled(probe, &crowd.watched, 0)?;
    let nearly_full = load()?;
    held.extend(crowd.open(3 * BATCH)?);
    let open_files = settled(probe, &crowd.watched, 0)?;
    if !crowd.is_full(open_files, fitting + 3 * BATCH) {
        return Err(Fault::inconclusive(Text::new(
            format!("with {open_files} descriptors it took clients that it had not taken before"),
            format!("有 {open_files} 个描述符时，它接受了之前没有接受的客户端"),
        )));
    }
    let full = load()?;
    let waiting = Text::new(
        format!("held {} connections open, until it took no more with {open_files} descriptors", held.len()),
        format!("保持 {} 个连接打开，直到它有 {open_files} 个描述符、不再接受", held.len()),
    );
    within(nearly_full, full, &waiting)?;
    Ok(Full { open_files, load: full.used })
}

/// The server waits, now that something was `done`.
fn within(before: Load, now: Load, done: &Text) -> Result<(), Fault> {
    let hint = Text::new(
        "accept() that fails with EMFILE fails again at once: wait a moment before the next try, or keep a spare descriptor to accept and close the client with",
        "accept() 因 EMFILE 失败后马上重试仍会失败：等一会儿再试，或者留一个备用描述符来接受并关闭这个客户端",
    );
    waits("spins-when-full", Some(before), now, done, hint)
}

/// Clients that come, say nothing and stay.
struct Crowd<'probe, 'run, 'host> {
    probe: &'probe Probe<'run, 'host>,
    watched: Watched<'host>,
    /// Descriptors of the server when nobody is there.
    empty: u32,
}

impl Crowd<'_, '_, '_> {
    /// How many clients the server surely takes before others have to wait, in batches; skipped, in words, where it takes all.
    fn fitting(&self) -> Result<u32, Fault> {
        let mut held = Vec::new();
        for fitting in (0..MOST).step_by(BATCH as usize) {
            held.extend(self.open(BATCH)?);
            let is_full = || {
                let open_files = settled(self.probe, &self.watched, self.empty + fitting + BATCH)?;
                Ok::<_, Fault>(self.is_full(open_files, fitting + BATCH))
            };
            let mut full = is_full()?;
            if full {
                // One that seldom has its turn looks like a full one for a while.
                self.probe.context().sleep(SLOW);
                full = is_full()?;
            }
            if full {
                // Up to half of the batch before may wait, too.
                return Ok(fitting.saturating_sub(BATCH));
            }
        }
        Err(Fault::skip(Text::new(
            format!(
                "not tried: the server took {MOST} clients; start it with `ulimit -n 256` to see what it does when it has no descriptors left"
            ),
            format!(
                "没有试：服务器接受了 {MOST} 个客户端；用 `ulimit -n 256` 启动它，才能看到描述符用完时它怎么做"
            ),
        )))
    }

    /// Whether half a batch of `clients` waits.
    fn is_full(&self, open_files: u32, clients: u32) -> bool {
        open_files + BATCH / 2 <= self.empty + clients
    }

    /// One client after the other, as long as there is room in the queue.
    fn open(&self, clients: u32) -> Result<Vec<Connection>, Fault> {
        let options = Options { timeout: CONNECT, ..Options::default() };
        let mut held = Vec::new();
        for _ in 0..clients {
            match self.probe.context().tcp(SOCKET, &options) {
                Ok(connection) => held.push(connection),
                Err(Failure::TimedOut | Failure::Unreachable(_)) => break,
                Err(other) => return Err(other.into()),
            }
        }
        Ok(held)
    }
}

/// The server's descriptors when they change no more, or are as many as `enough`.
fn settled(probe: &Probe<'_, '_>, watched: &Watched<'_>, enough: u32) -> Result<u32, Fault> {
    let context = probe.context();
    let began = context.monotonic();
    let (mut open_files, mut since) = (watched.facts()?.open_files, began);
    while enough == 0 || open_files < enough {
        let now = context.monotonic();
        if now.saturating_sub(since) > STILL || now.saturating_sub(began) > RESTLESS {
            break;
        }
        context.sleep(Duration::from_millis(50));
        let seen = watched.facts()?.open_files;
        if seen != open_files {
            (open_files, since) = (seen, context.monotonic());
        }
    }
    Ok(open_files)
}
