//! Making targets reachable, all at once.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::log::Log;
use super::port::{Reserved, tells, told};
use super::service::{Service, Site};
use super::{TargetError, identity, locate, probe};
use crate::model::{Address, Authority, Endpoint, Launch, Mask, Place, Target, TargetKind, TargetName};
use crate::process::{Exit, Program, Supervised};

/// What starting needs to know beside the targets.
#[derive(Debug, Clone, Copy)]
pub struct StartOptions<'a> {
    /// The workspace: relative paths are taken from here.
    pub root: &'a Path,
    /// Where `NAME.log` keeps what a started program prints; none to keep it only as long as the program runs.
    pub logs: Option<&'a Path>,
    /// Where command targets are looked up: the user's `PATH`.
    pub search: Option<&'a OsStr>,
    /// Taken out of what is shown of what the programs print.
    pub mask: &'a Mask,
    /// This executable, if its `main` is [`cli::main`](crate::cli::main): see [`Program::start`].
    pub guard: Option<&'a Path>,
}

/// Where the program of a command target is, absolute: what [`start()`] would find now, with the workspace `root` and the
/// `PATH` in `search`. None for other targets, and where it is not found.
#[must_use]
pub fn program(target: &Target, root: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    match &target.place {
        Place::Command { program, .. } => locate::program(program, root, search).ok(),
        Place::Dir(_) | Place::Http { .. } | Place::Tcp(_) | Place::Udp(_) => None,
    }
}

/// Targets that are reachable now, and the programs behind them. Dropping it kills what was started; [`Started::stop`]
/// gives the programs time to end.
#[derive(Debug, Default)]
pub struct Started {
    endpoints: BTreeMap<TargetName, Endpoint>,
    failures: BTreeMap<TargetName, TargetError>,
    identities: BTreeMap<TargetName, String>,
    services: BTreeMap<TargetName, Arc<Service>>,
}

/// A started program that ended although nobody stopped it: what checks saw of it since is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// Which target.
    pub target: TargetName,
    /// How its program ended.
    pub exit: Exit,
    /// The last lines it printed, oldest first, free of control characters.
    pub output: Vec<String>,
}

/// Makes `targets` reachable. One that fails is told in [`Started::failures`] and does not keep the others.
///
/// Targets with a `run` are started, all at the same time, on ports that nobody else answers on, and waited for. A
/// service is ready when its `ready` path, taken from the root of the server, answers 2xx or 3xx, otherwise when it
/// accepts a connection; a server of datagrams when its socket is bound or, where the system does not tell, when its
/// program still runs after a moment. Targets without a `run` must be reachable when those are ready.
pub async fn start(targets: BTreeMap<TargetName, &Target>, options: &StartOptions<'_>) -> Started {
    let mut started = Started::default();
    let mut servers = vec![];
    for (name, target) in targets {
        started.identities.insert(name.clone(), identity(target));
        match &target.place {
            Place::Dir(path) => {
                let found = locate::directory(&target.place, path, options.root);
                started.settle(name, found.map(|path| (Endpoint::Dir(path), None)));
            }
            Place::Command { program, args, env, cwd } => {
                let program = locate::program(program, options.root, options.search);
                let cwd = cwd.as_ref().map(|cwd| locate::folder(cwd, options.root)).transpose();
                let found = program.and_then(|program| {
                    Ok(Endpoint::Command { program, args: args.clone(), env: env.clone(), cwd: cwd? })
                });
                started.settle(name, found.map(|endpoint| (endpoint, None)));
            }
            Place::Http { address, prefix } => servers.push((name, Server::new(address, target, prefix))),
            Place::Tcp(address) | Place::Udp(address) => {
                servers.push((name, Server::new(address, target, "")));
            }
        }
    }

    refuse_rivals(&mut servers);

    // Every port is reserved by now, so no two are the same.
    let mut launches = JoinSet::new();
    let mut attached = vec![];
    for (name, server) in servers {
        match server {
            Err(error) => started.settle(name, Err(error)),
            Ok(Server { endpoint, how: How::Attach(authority) }) => {
                attached.push((name, endpoint, authority));
            }
            Ok(Server { endpoint, how: How::Launch(authority, launch, port) }) => {
                let log = Log::new(options.logs, &name).map(|log| log.masked(options.mask));
                let site = log.map(|log| Site {
                    kind: endpoint.kind(),
                    authority,
                    launch,
                    root: options.root.to_owned(),
                    log,
                    guard: options.guard.map(Path::to_owned),
                });
                launches.spawn(async move {
                    (name, launch_at(site, port).await.map(|found| (endpoint, Some(found))))
                });
            }
        }
    }
    started.settle_all(launches).await;
    // Only now: they may listen through the programs just started.
    let mut attachments = JoinSet::new();
    for (name, endpoint, authority) in attached {
        attachments.spawn(async move {
            let found = attach(endpoint.kind(), authority).await;
            (name, found.map(|()| (endpoint, None)))
        });
    }
    started.settle_all(attachments).await;
    started
}

/// Refuses every target that starts a program where another one does: whichever is first would answer for both.
fn refuse_rivals(servers: &mut [(TargetName, Result<Server, TargetError>)]) {
    let launched: Vec<(TargetName, TargetKind, Authority)> =
        servers.iter().filter_map(|(name, server)| server.as_ref().ok()?.launched(name)).collect();
    for (name, kind, authority) in &launched {
        let rival = launched.iter().find(|(other, kinds, place)| {
            let datagrams = |kind: &TargetKind| *kind == TargetKind::Udp;
            other != name && datagrams(kinds) == datagrams(kind) && may_meet(place, authority)
        });
        if let (Some((other, ..)), Some((_, server))) =
            (rival, servers.iter_mut().find(|(own, _)| own == name))
        {
            *server = Err(TargetError::PortTwice { other: other.clone(), port: authority.port });
        }
    }
}

/// Whether two places may be one: what a name leads to is not known here.
fn may_meet(one: &Authority, other: &Authority) -> bool {
    let is_name = |authority: &Authority| authority.host.parse::<std::net::IpAddr>().is_err();
    one.port == other.port && (one.host == other.host || is_name(one) || is_name(other))
}

type Settled = Result<(Endpoint, Option<Service>), TargetError>;

impl Started {
    /// Where the targets that can be reached are.
    #[must_use]
    pub fn endpoints(&self) -> &BTreeMap<TargetName, Endpoint> {
        &self.endpoints
    }

    /// Why the others can not.
    #[must_use]
    pub fn failures(&self) -> &BTreeMap<TargetName, TargetError> {
        &self.failures
    }

    /// What a target is, for the record of a proof: see [`identity()`]. None for one that was not asked for.
    #[must_use]
    pub fn identity(&self, target: &TargetName) -> Option<&str> {
        self.identities.get(target).map(String::as_str)
    }

    /// The program that was started for a target, for people: `flask --app shop run (pid 123)`. None where none was.
    #[must_use]
    pub fn program(&self, target: &TargetName) -> Option<String> {
        Some(self.services.get(target)?.words())
    }

    /// The file that keeps what a target's program prints. None where none was started or it has no name.
    #[must_use]
    pub fn log(&self, target: &TargetName) -> Option<&Path> {
        self.services.get(target)?.log().path()
    }

    /// The programs behind the targets, for checks that may start them once more. A target that is another name of one
    /// that was started has the same program.
    #[must_use]
    pub fn supervised(&self) -> BTreeMap<TargetName, Arc<dyn Supervised>> {
        let same = |endpoint: &Endpoint| {
            let started = |name| self.endpoints.get(name).is_some_and(|other| other.is_same_thing(endpoint));
            self.services.iter().find(|(name, _)| started(*name)).map(|(_, service)| service.clone())
        };
        let supervised = self
            .endpoints
            .iter()
            .filter_map(|(name, endpoint)| Some((name.clone(), same(endpoint)? as Arc<dyn Supervised>)));
        supervised.collect()
    }

    /// The programs that have ended since they were ready, unless the check that ended one brought it back. To be asked
    /// after the checks ran and before their verdicts are believed: whatever answers on a dead program's port is
    /// something else. A target that is another name of a dead one is dead with it.
    pub async fn died(&self) -> Vec<Died> {
        let mut died = vec![];
        for (name, service) in &self.services {
            let Some((exit, output)) = service.died().await else { continue };
            let endpoint = self.endpoints.get(name);
            let same = |other: &Endpoint| endpoint.is_some_and(|endpoint| endpoint.is_same_thing(other));
            for (target, _) in self.endpoints.iter().filter(|(_, other)| same(other)) {
                died.push(Died { target: target.clone(), exit, output: output.clone() });
            }
        }
        died
    }

    /// Asks every started program to end, waits a while, and kills what is left, with all that they started.
    pub async fn stop(mut self) {
        let services = std::mem::take(&mut self.services);
        for service in services.values() {
            service.program().terminate();
        }
        let patience = Instant::now() + Program::GRACE;
        for service in services.into_values() {
            service.program().stopped(patience).await;
        }
    }

    async fn settle_all(&mut self, mut set: JoinSet<(TargetName, Settled)>) {
        while let Some(ended) = set.join_next().await {
            match ended {
                Ok((name, settled)) => self.settle(name, settled),
                Err(error) => {
                    if let Ok(panic) = error.try_into_panic() {
                        resume_unwind(panic);
                    }
                }
            }
        }
    }

    fn settle(&mut self, name: TargetName, settled: Settled) {
        match settled {
            Ok((endpoint, service)) => {
                if let Some(service) = service {
                    self.services.insert(name.clone(), Arc::new(service));
                }
                self.endpoints.insert(name, endpoint);
            }
            Err(error) => drop(self.failures.insert(name, error)),
        }
    }
}

/// A target that listens, before anything is done about it.
struct Server {
    endpoint: Endpoint,
    how: How,
}

enum How {
    /// It runs already.
    Attach(Authority),
    /// It is started; on a fixed port where none is reserved.
    Launch(Authority, Launch, Option<Reserved>),
}

impl Server {
    /// Where a program is started for it on a port that the user wrote; none where that is not so.
    fn launched(&self, name: &TargetName) -> Option<(TargetName, TargetKind, Authority)> {
        match &self.how {
            How::Launch(authority, _, None) => Some((name.clone(), self.endpoint.kind(), authority.clone())),
            How::Launch(_, _, Some(_)) | How::Attach(_) => None,
        }
    }

    fn new(address: &Address, target: &Target, prefix: &str) -> Result<Self, TargetError> {
        let kind = target.place.kind();
        let at = |port| Authority { host: address.host.clone(), port };
        let (authority, how) = match (address.port, &target.launch) {
            (Some(port), None) => (at(port), How::Attach(at(port))),
            (Some(port), Some(launch)) => (at(port), How::Launch(at(port), told(launch, port), None)),
            (None, None) => return Err(TargetError::PortWithoutRun),
            (None, Some(launch)) if !tells(launch) => return Err(TargetError::PortNotTold),
            (None, Some(launch)) => {
                let reserved = Reserved::new(address, kind)?;
                let port = reserved.port();
                (at(port), How::Launch(at(port), told(launch, port), Some(reserved)))
            }
        };
        let endpoint = match kind {
            TargetKind::Tcp => Endpoint::Tcp(authority),
            TargetKind::Udp => Endpoint::Udp(authority),
            TargetKind::Http | TargetKind::Dir | TargetKind::Command => {
                Endpoint::Http { authority, prefix: prefix.to_owned() }
            }
        };
        Ok(Self { endpoint, how })
    }
}

async fn launch_at(site: Result<Site, TargetError>, port: Option<Reserved>) -> Result<Service, TargetError> {
    let site = site?;
    if port.is_none() && probe::is_answered(site.kind, &site.authority).await == Some(true) {
        return Err(TargetError::PortInUse { authority: site.authority });
    }
    drop(port);
    Service::start(site).await
}

async fn attach(kind: TargetKind, authority: Authority) -> Result<(), TargetError> {
    if probe::is_answered(kind, &authority).await == Some(false) {
        return Err(TargetError::NotRunning { authority });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::model::Span;

    /// Answers 503 at first and 302 after `late` seconds; prints what it does; says what `env` told it.
    const SERVICE: &str = "
import http.server, os, sys, time
begun = time.monotonic()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        late = time.monotonic() - begun < float(os.environ.get('LATE', '0'))
        self.send_response(503 if late or self.path != '/healthz' else 302)
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

    const DATAGRAMS: &str = "
import os, socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.1', int(os.environ['PORT'])))
time.sleep(60)
";

    struct Workspace {
        folder: tempfile::TempDir,
        targets: BTreeMap<TargetName, Target>,
    }

    impl Workspace {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), targets: BTreeMap::new() }
        }

        fn with(mut self, name: &str, place: Place, launch: Option<Launch>) -> Self {
            self.targets.insert(name.parse().unwrap(), Target { place, launch });
            self
        }

        async fn start(&self) -> Started {
            let logs = self.folder.path().join("logs");
            let mask = Mask::default();
            let options = StartOptions {
                root: self.folder.path(),
                logs: Some(&logs),
                search: None,
                mask: &mask,
                guard: None,
            };
            start(self.targets.iter().map(|(name, target)| (name.clone(), target)).collect(), &options).await
        }
    }

    fn http(port: Option<u16>) -> Place {
        Place::Http { address: Address { host: "127.0.0.1".to_owned(), port }, prefix: "/v1".to_owned() }
    }

    fn tcp(port: Option<u16>) -> Place {
        Place::Tcp(Address { host: "localhost".to_owned(), port })
    }

    fn udp(port: Option<u16>) -> Place {
        Place::Udp(Address { host: "127.0.0.1".to_owned(), port })
    }

    fn launch(run: &[&str]) -> Launch {
        Launch {
            run: run.iter().map(|&word| word.to_owned()).collect(),
            cwd: None,
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: Launch::READY_TIMEOUT,
        }
    }

    fn name(name: &str) -> TargetName {
        name.parse().unwrap()
    }

    fn authority(started: &Started, target: &str) -> Authority {
        match &started.endpoints()[target] {
            Endpoint::Http { authority, .. } | Endpoint::Tcp(authority) | Endpoint::Udp(authority) => {
                authority.clone()
            }
            Endpoint::Dir(_) | Endpoint::Command { .. } => panic!("{target} does not listen"),
        }
    }

    #[tokio::test]
    async fn programs_are_started_on_free_ports_waited_for_and_stopped() {
        let mut service = launch(&["python3", "-c", SERVICE, "{port}"]);
        service.ready = Some("/healthz".to_owned());
        service.env.insert("LATE".to_owned(), "0.5".to_owned());
        let mut datagrams = launch(&["python3", "-c", DATAGRAMS]);
        datagrams.env.insert("PORT".to_owned(), "{port}".to_owned());
        let workspace = Workspace::new()
            .with("web", http(None), Some(service))
            .with("socket", tcp(None), Some(launch(&["python3", "-m", "http.server", "{port}"])))
            .with("datagram", udp(None), Some(datagrams))
            .with("src", Place::Dir(".".to_owned()), None);
        let started = workspace.start().await;
        assert!(started.failures().is_empty(), "{:?}", started.failures());
        assert_eq!(started.endpoints().len(), 4);

        let web = authority(&started, "web");
        assert_eq!(probe::serves(&web, "/healthz").await, Ok(()));
        assert_eq!(
            started.endpoints()["web"],
            Endpoint::Http { authority: web.clone(), prefix: "/v1".to_owned() }
        );
        assert!(probe::accepts(&authority(&started, "socket")).await.is_ok());
        assert_eq!(probe::has_datagram_socket(authority(&started, "datagram").port), Some(true));

        assert_eq!(started.identity(&name("socket")), Some("started: python3 -m http.server {port}"));
        let program = started.program(&name("socket")).unwrap();
        let port = authority(&started, "socket").port;
        assert!(program.starts_with(&format!("python3 -m http.server {port} (pid ")), "{program}");
        assert!(started.log(&name("web")).unwrap().ends_with("logs/web.log"));
        assert_eq!(started.died().await, []);

        started.stop().await;
        assert!(probe::accepts(&web).await.is_err());
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_with_its_last_words_and_keeps_nobody() {
        let script = "echo starting {port}; echo 'no module named shop' >&2; exit 3";
        let workspace = Workspace::new()
            .with("bad", tcp(None), Some(launch(&["sh", "-c", script])))
            .with("missing", http(None), Some(launch(&["mustdo-no-such-program", "{port}"])))
            .with("untold", http(None), Some(launch(&["python3", "-m", "http.server"])))
            .with("unstarted", http(None), None)
            .with("good", tcp(None), Some(launch(&["python3", "-m", "http.server", "{port}"])));
        let begun = Instant::now();
        let started = workspace.start().await;
        assert!(begun.elapsed() < Launch::READY_TIMEOUT.get());
        assert_eq!(started.endpoints().keys().collect::<Vec<_>>(), [&name("good")]);
        let failures = started.failures();
        let TargetError::Exited { exit: Exit::Status(3), output } = &failures["bad"] else {
            panic!("{:?}", failures["bad"])
        };
        assert!(output[0].starts_with("starting ") && output[1] == "no module named shop", "{output:?}");
        assert!(matches!(failures["missing"], TargetError::NoProgram { .. }));
        assert!(matches!(failures["untold"], TargetError::PortNotTold));
        assert!(matches!(failures["unstarted"], TargetError::PortWithoutRun));
        started.stop().await;
    }

    #[tokio::test]
    async fn a_program_that_never_gets_ready_is_told_and_stopped() {
        let mut service = launch(&["python3", "-u", "-c", SERVICE, "{port}"]);
        service.ready = Some("/elsewhere".to_owned());
        service.ready_timeout = Span::seconds(2);
        let mut deaf = launch(&["sh", "-c", "echo listening on {port}; sleep 60"]);
        deaf.ready_timeout = "300ms".parse().unwrap();
        let workspace =
            Workspace::new().with("web", http(None), Some(service)).with("deaf", udp(None), Some(deaf));
        let started = workspace.start().await;
        let TargetError::NotReady { missing, .. } = &started.failures()["web"] else {
            panic!("{:?}", started.failures()["web"])
        };
        assert_eq!(missing, "GET /elsewhere answered 503");
        let TargetError::NotReady { missing, output, .. } = &started.failures()["deaf"] else {
            panic!("{:?}", started.failures()["deaf"])
        };
        assert!(missing.starts_with("no socket receives datagrams on port"), "{missing}");
        assert!(output[0].starts_with("listening on"), "{output:?}");
    }

    #[tokio::test]
    async fn a_program_that_leaves_for_the_background_is_refused_and_stopped() {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let script = "python3 -m http.server --bind 127.0.0.1 {port} & exit 0";
        let workspace = Workspace::new().with("web", http(Some(port)), Some(launch(&["sh", "-c", script])));
        let started = workspace.start().await;
        let failure = &started.failures()["web"];
        assert!(matches!(failure, TargetError::Exited { exit: Exit::Status(0), .. }), "{failure:?}");
    }

    #[tokio::test]
    async fn giving_up_while_starting_leaves_nothing_running() {
        let mut slow = launch(&["sh", "-c", "echo $$ >pid; sleep 60; echo {port}"]);
        slow.ready_timeout = Span::seconds(60);
        let workspace = Workspace::new().with("web", http(None), Some(slow));
        let pid = workspace.folder.path().join("pid");
        tokio::select! {
            _ = workspace.start() => panic!("it can not be ready"),
            () = async { while pid.metadata().map_or(true, |file| file.len() == 0) { sleep(Duration::from_millis(10)).await } } => {}
        }
        let id: i32 =
            std::io::read_to_string(std::fs::File::open(&pid).unwrap()).unwrap().trim().parse().unwrap();
        let group = rustix::process::Pid::from_raw(id).unwrap();
        for _ in 0..200 {
            if rustix::process::test_kill_process_group(group).is_err() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("process group {id} is still there");
    }

    #[tokio::test]
    async fn a_fixed_port_that_somebody_else_answers_on_is_refused() {
        let stranger = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let datagrams = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let another = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let datagram_port = datagrams.local_addr().unwrap().port();
        let run = || Some(launch(&["sleep", "60"]));
        let workspace = Workspace::new()
            .with("web", http(Some(port(&stranger))), run())
            .with("socket", tcp(Some(port(&another))), run())
            .with("datagram", udp(Some(datagram_port)), run());
        let started = workspace.start().await;
        assert_eq!(started.failures().len(), 3);
        for failure in started.failures().values() {
            assert!(matches!(failure, TargetError::PortInUse { .. }), "{failure:?}");
        }
    }

    #[tokio::test]
    async fn two_programs_on_one_port_are_never_judged_for_each_other() {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let serve = launch(&["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
        let workspace = Workspace::new().with("web", http(Some(port)), Some(serve)).with(
            "idle",
            tcp(Some(port)),
            Some(launch(&["sleep", "60"])),
        );
        let started = workspace.start().await;
        for (target, rival) in [("web", "idle"), ("idle", "web")] {
            let failure = &started.failures()[target];
            assert!(
                matches!(failure, TargetError::PortTwice { other, .. } if *other == name(rival)),
                "{failure:?}"
            );
        }
        let at = |host: &str, port| Authority { host: host.to_owned(), port };
        assert!(!may_meet(&at("127.0.0.1", 1), &at("127.0.0.2", 1)) && !may_meet(&at("a", 1), &at("a", 2)));
    }

    #[tokio::test]
    async fn running_targets_are_attached_to_and_absent_ones_refused() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let datagrams = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let free_datagram = UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let workspace = Workspace::new()
            .with("web", http(Some(port)), None)
            .with("datagram", udp(Some(datagrams.local_addr().unwrap().port())), None)
            .with("absent", tcp(Some(free)), None)
            .with("silent", udp(Some(free_datagram)), None);
        let started = workspace.start().await;
        assert_eq!(started.endpoints().keys().collect::<Vec<_>>(), [&name("datagram"), &name("web")]);
        for target in ["absent", "silent"] {
            let failure = &started.failures()[target];
            assert!(matches!(failure, TargetError::NotRunning { .. }), "{failure:?}");
        }
        let identity = format!("attached: http://127.0.0.1:{port}/v1");
        assert_eq!(started.identity(&name("web")), Some(identity.as_str()));
        assert_eq!(started.program(&name("web")), None);
    }

    #[tokio::test]
    async fn a_target_may_listen_through_the_program_of_another() {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let run = launch(&["python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}"]);
        let workspace =
            Workspace::new().with("web", http(Some(port)), Some(run)).with("raw", tcp(Some(port)), None);
        let started = workspace.start().await;
        assert!(started.failures().is_empty(), "{:?}", started.failures());
        started.stop().await;
    }

    #[tokio::test]
    async fn a_program_that_dies_while_checks_run_is_noticed() {
        let script = "import socket, sys, time
server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
server.accept()
print('out of memory', flush=True)
time.sleep(0.3)
sys.exit(7)";
        let workspace =
            Workspace::new().with("socket", tcp(None), Some(launch(&["python3", "-c", script, "{port}"])));
        let started = workspace.start().await;
        assert!(started.failures().is_empty(), "{:?}", started.failures());
        for _ in 0..500 {
            if !started.died().await.is_empty() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        let output = vec!["out of memory".to_owned()];
        assert_eq!(started.died().await, [Died { target: name("socket"), exit: Exit::Status(7), output }]);
    }
}
