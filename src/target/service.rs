//! A program behind a target: starting it, waiting until it is ready, and starting it once more.

use std::future::Future;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::log::Log;
use super::{TargetError, identity, locate, probe};
use crate::model::{Authority, Launch, Span, TargetKind};
use crate::process::{Exit, Order, OwnerError, Program, Streams, Supervised, Variables, owner};

/// How long one look at a starting target may take before it is looked at again.
const LOOK: Duration = Duration::from_secs(5);

/// How long the port of a program that was killed may still be answered on: connections that it never took are.
const FREED: Duration = Duration::from_secs(2);

/// How long a server of datagrams is given where the system does not tell whether its socket is bound.
const DATAGRAM_MOMENT: Duration = Duration::from_millis(200);

/// Everything that it takes to start a target's program.
#[derive(Debug)]
pub(super) struct Site {
    /// How it is looked at.
    pub(super) kind: TargetKind,
    /// Where it listens.
    pub(super) authority: Authority,
    /// How it is started, with every placeholder filled in.
    pub(super) launch: Launch,
    /// The workspace.
    pub(super) root: PathBuf,
    /// What it prints.
    pub(super) log: Log,
    /// This executable.
    pub(super) guard: Option<PathBuf>,
}

/// A program that was started for a target and was ready.
#[derive(Debug)]
pub(super) struct Service {
    site: Site,
    state: Mutex<State>,
    /// Two restarts at once would meet on the port.
    restarting: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    program: Arc<Program>,
    /// What happens to the program that runs now may have been caused on purpose.
    disturbed: bool,
    /// How one before it ended that nobody had disturbed.
    death: Option<(Exit, Vec<String>)>,
}

impl Service {
    /// Starts a program and waits until it is ready. Nobody may have its port any more.
    pub(super) async fn start(site: Site) -> Result<Self, TargetError> {
        let program = site.spawn()?;
        site.ready(&program, site.launch.ready_timeout).await?;
        let state = State { program: Arc::new(program), disturbed: false, death: None };
        Ok(Self { site, state: Mutex::new(state), restarting: tokio::sync::Mutex::default() })
    }

    /// The program for people: `flask --app shop run (pid 123)`.
    pub(super) fn words(&self) -> String {
        format!("{} (pid {})", identity::words(&self.site.launch.run), self.program().id().pid)
    }

    /// What it printed.
    pub(super) fn log(&self) -> &Log {
        &self.site.log
    }

    /// How it ended, and its last words: none while what was ready still runs, or was brought back by whoever ended it.
    pub(super) async fn died(&self) -> Option<(Exit, Vec<String>)> {
        let (program, disturbed) = {
            let state = self.state();
            if state.death.is_some() {
                return state.death.clone();
            }
            (state.program.clone(), state.disturbed)
        };
        let exit = program.ended().map(|ended| ended.exit);
        // The first process may have outlived the one that listened.
        let down = disturbed && self.is_down().await;
        exit.or(down.then_some(Exit::Unknown)).map(|exit| (exit, self.site.log.tail()))
    }

    /// Whether nobody answers any more, or somebody else: a port that became free is anybody's.
    async fn is_down(&self) -> bool {
        let Site { kind, authority, .. } = &self.site;
        if probe::is_answered(*kind, authority).await == Some(false) {
            return true;
        }
        let Ok(addresses) = lookup_host((authority.host.as_str(), authority.port)).await else { return true };
        let addresses: Vec<_> = addresses.collect();
        let (datagrams, root) = (*kind == TargetKind::Udp, self.program().root());
        let found = spawn_blocking(move || owner(datagrams, &addresses, Some(root))).await;
        // Where the system tells nothing of its sockets, an answer is all there is to see.
        matches!(found, Ok(Err(OwnerError::NotWithin | OwnerError::Stranger | OwnerError::Ourselves)))
    }

    async fn start_again(&self, patience: Duration) -> Result<Arc<Program>, TargetError> {
        let _alone = self.restarting.lock().await;
        let before = {
            let mut state = self.state();
            if let Some(ended) = state.program.ended().filter(|_| !state.disturbed) {
                let tail = self.site.log.tail();
                state.death.get_or_insert((ended.exit, tail));
            }
            // From here on nothing runs, until something does again.
            state.disturbed = true;
            state.program.clone()
        };
        before.kill().await;
        let Site { kind, authority, .. } = &self.site;
        let begun = Instant::now();
        while probe::is_answered(*kind, authority).await == Some(true) {
            if begun.elapsed() >= FREED {
                return Err(TargetError::PortInUse { authority: authority.clone() });
            }
            sleep(Duration::from_millis(50)).await;
        }
        let program = self.site.spawn()?;
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let patience = if patience == 0 { self.site.launch.ready_timeout } else { Span::millis(patience) };
        self.site.ready(&program, patience).await?;
        let program = Arc::new(program);
        let mut state = self.state();
        state.program = program.clone();
        state.disturbed = false;
        Ok(program)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave half a truth behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervised for Service {
    fn program(&self) -> Arc<Program> {
        self.state().program.clone()
    }

    fn disturb(&self) {
        let mut state = self.state();
        // What has ended by now was not caused by what comes next.
        if state.program.ended().is_none() {
            state.disturbed = true;
        }
    }

    fn beside(&self) -> Result<Program, String> {
        self.site.spawn().map_err(|error| error.to_string())
    }

    fn restart(
        &self,
        patience: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<Program>, String>> + Send + '_>> {
        Box::pin(async move {
            self.start_again(patience).await.map_err(|error| {
                let last = error.output().last().map(|line| format!(": {line}"));
                format!("{error}{}", last.unwrap_or_default())
            })
        })
    }
}

impl Site {
    fn spawn(&self) -> Result<Program, TargetError> {
        let Launch { run, cwd, env, ready: _, ready_timeout: _ } = &self.launch;
        let folder = locate::folder(cwd.as_deref().unwrap_or("."), &self.root)?;
        let name = run.first().cloned().unwrap_or_default();
        // A path means a file seen from where the program runs; only a bare name is looked up.
        let path = if name.contains('/') { folder.join(&name) } else { PathBuf::from(&name) };
        let fault = |source: std::io::Error| {
            let program = name.clone();
            if source.kind() == ErrorKind::NotFound {
                TargetError::NoProgram { program }
            } else {
                TargetError::Spawn { program, source }
            }
        };
        let args: Vec<_> = run.iter().skip(1).map(Into::into).collect();
        let streams = Streams {
            stdin: Streams::nothing().map_err(fault)?,
            stdout: self.log.stream()?,
            stderr: self.log.stream()?,
        };
        // A learner's program runs as the learner would run it.
        let variables = Variables::Inherited(env.clone());
        let order = Order {
            program: path.as_os_str(),
            args: &args,
            variables: &variables,
            folder: &folder,
            streams,
            limit: None,
        };
        Program::start(order, self.guard.as_deref()).map_err(fault)
    }

    async fn ready(&self, program: &Program, limit: Span) -> Result<(), TargetError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(10);
        let mut missing = format!("{} does not answer", self.authority);
        loop {
            let look = LOOK.min(limit.get().saturating_sub(begun.elapsed()));
            // A look that time cut short has not seen anything new.
            let seen = timeout(look, self.look_once(begun)).await;
            // Whoever answered while the program is dead is somebody else.
            if let Some(ended) = program.ended() {
                return Err(TargetError::Exited { exit: ended.exit, output: self.log.tail() });
            }
            match seen {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(seen)) => missing = seen,
                Err(_) if look == LOOK => {
                    missing = format!("{} accepts connections and does not answer", self.authority);
                }
                Err(_) => {}
            }
            if begun.elapsed() >= limit.get() {
                return Err(TargetError::NotReady { waited: limit, missing, output: self.log.tail() });
            }
            sleep(pause.min(limit.get().saturating_sub(begun.elapsed()))).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Looks once whether it is ready; or says what is missing.
    async fn look_once(&self, begun: Instant) -> Result<(), String> {
        let Self { kind, authority, launch, .. } = self;
        match (kind, &launch.ready) {
            (TargetKind::Udp, _) => match probe::has_datagram_socket(authority.port) {
                Some(true) => Ok(()),
                None if begun.elapsed() >= DATAGRAM_MOMENT => Ok(()),
                Some(false) | None => Err(format!("no socket receives datagrams on port {}", authority.port)),
            },
            (TargetKind::Http, Some(path)) => probe::serves(authority, path).await,
            _ => probe::accepts(authority).await.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::process::Signal;

    fn site(run: &[&str], cwd: Option<&str>, folder: &Path) -> Site {
        let launch = Launch {
            run: run.iter().map(|&word| word.to_owned()).collect(),
            cwd: cwd.map(str::to_owned),
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let authority =
            Authority { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let launch = super::super::port::told(&launch, authority.port);
        let log = Log::new(None, &"web".parse().unwrap()).unwrap();
        Site { kind: TargetKind::Tcp, authority, launch, root: folder.to_owned(), log, guard: None }
    }

    const SERVER: [&str; 6] = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"];

    async fn gone(program: &Program) {
        for _ in 0..500 {
            if program.ended().is_some() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not end");
    }

    #[test]
    fn what_can_not_be_started_says_what_to_look_at() {
        let folder = tempfile::tempdir().unwrap();
        let spawn = |run: &[&str], cwd| site(run, cwd, folder.path()).spawn().unwrap_err();
        let missing = spawn(&["mustdo-no-such-program", "--flag"], None);
        assert!(missing.to_string().starts_with("program \"mustdo-no-such-program\" was not found"));
        std::fs::File::create(folder.path().join("plain")).unwrap();
        assert!(matches!(spawn(&["./plain"], None), TargetError::Spawn { .. }));
        assert!(matches!(spawn(&["sh"], Some("missing")), TargetError::NoFolder { .. }));
    }

    #[tokio::test]
    async fn death_that_was_caused_is_mended_by_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(site(&SERVER, None, folder.path())).await.unwrap();
        let first = service.program();
        service.disturb();
        first.signal(Signal::KILL).unwrap();
        gone(&first).await;
        assert_eq!(service.died().await.map(|died| died.0), Some(Exit::Signal(9)), "it was left down");
        let second = service.restart(Duration::ZERO).await.unwrap();
        assert_ne!(first.id(), second.id());
        assert_eq!(service.program().id(), second.id());
        assert_eq!(service.died().await, None);
        assert_eq!(
            first.ended().map(|ended| ended.exit),
            Some(Exit::Signal(9)),
            "the old handle still tells"
        );
        // A restart kills what still runs, and that is no death either.
        let third = service.restart(Duration::from_secs(20)).await.unwrap();
        assert_eq!(second.ended().map(|ended| ended.exit), Some(Exit::Signal(9)));
        assert_eq!((service.died().await, third.ended()), (None, None));
    }

    #[tokio::test]
    async fn death_that_nobody_caused_is_not_made_good_by_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(site(&SERVER, None, folder.path())).await.unwrap();
        let first = service.program();
        first.signal(Signal::KILL).unwrap();
        gone(&first).await;
        // Too late to have been the cause.
        service.disturb();
        service.restart(Duration::ZERO).await.unwrap();
        assert_eq!(service.died().await.map(|died| died.0), Some(Exit::Signal(9)));
    }

    #[tokio::test]
    async fn first_process_that_outlives_the_one_that_listens_does_not_hide_that_it_is_down() {
        let folder = tempfile::tempdir().unwrap();
        let script = "python3 -m http.server --bind 127.0.0.1 {port} & sleep 60";
        let service = Service::start(site(&["sh", "-c", script], None, folder.path())).await.unwrap();
        let address = (service.site.authority.host.as_str(), service.site.authority.port);
        let address = std::net::ToSocketAddrs::to_socket_addrs(&address).unwrap().collect::<Vec<_>>();
        let owner = owner(false, &address, Some(service.program().root())).unwrap();
        assert_ne!(owner, service.program().id());
        service.disturb();
        assert_eq!(service.died().await, None);
        owner.signal(Signal::KILL).unwrap();
        while owner.runs() {
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(service.program().ended(), None);
        assert_eq!(service.died().await.map(|died| died.0), Some(Exit::Unknown));
        // Whoever takes the port now does not bring it back.
        let _stranger = std::net::TcpListener::bind(&address[..]).unwrap();
        assert_eq!(service.died().await.map(|died| died.0), Some(Exit::Unknown));
    }

    #[tokio::test]
    async fn restart_that_fails_leaves_nothing_running_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let script = "test -e once && { echo no second time; exit 4; }; touch once; exec python3 -m http.server {port}";
        let service = Service::start(site(&["sh", "-c", script], None, folder.path())).await.unwrap();
        let error = service.restart(Duration::ZERO).await.unwrap_err();
        assert_eq!(error, "its program ended before it was ready: exit status 4: no second time");
        assert!(service.died().await.is_some());
    }
}
