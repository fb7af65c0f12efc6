//! The programs behind targets: looked at, disturbed, and brought back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mustdo::model::{Address, Authority, Endpoint, Launch, Mask, Place, Target, TargetName};
use mustdo::target::{StartOptions, Started, start};
use mustdo::verify::Task;

use crate::launch::READY_TIMEOUT;

use super::bench::Bench;
use super::census::{all_end, pids};
use super::script::Script;

/// A target with a `run`, and how it is bound in a task.
struct Web {
    folder: tempfile::TempDir,
    started: Started,
}

impl Web {
    async fn start(run: Option<&str>, port: Option<u16>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Address { host: "127.0.0.1".to_owned(), port };
        let launch = run.map(|text| Launch {
            run: ["sh", "-c", text, "sh", "{port}"].map(str::to_owned).into(),
            cwd: None,
            env: BTreeMap::new(),
            ready: None,
            ready_timeout: READY_TIMEOUT,
        });
        let target = Target { place: Place::Http { address, prefix: String::new() }, launch };
        let guard = PathBuf::from(env!("CARGO_BIN_EXE_mustdo"));
        let mask = Mask::default();
        let options =
            StartOptions { root: folder.path(), logs: None, search: None, mask: &mask, guard: Some(&guard) };
        let started = start([(name(), &target)].into(), &options).await;
        assert!(started.failures().is_empty(), "{:?}", started.failures());
        Self { folder, started }
    }

    fn bind(&self, task: &mut Task) {
        task.targets.insert(name(), self.started.endpoints()[&name()].clone());
        task.supervised = self.started.supervised();
        task.allowed.insert("process:web".parse().unwrap());
        task.exclusive = true;
    }

    fn authority(&self) -> Authority {
        match &self.started.endpoints()[&name()] {
            Endpoint::Http { authority, .. } => authority.clone(),
            other @ (Endpoint::Tcp(_) | Endpoint::Udp(_) | Endpoint::Dir(_) | Endpoint::Command { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    fn answers(&self) -> bool {
        std::net::TcpStream::connect((self.authority().host.as_str(), self.authority().port)).is_ok()
    }
}

fn name() -> TargetName {
    "web".parse().unwrap()
}

/// A shell that waits for the server it has started: the process that listens is not the one that mustdo started.
const SERVER: &str = "echo $$ >>starts; python3 -m http.server --bind 127.0.0.1 $1";

async fn on_web(web: &Web, script: Script) -> (Bench, String) {
    let mut bench = Bench::new(script).await;
    web.bind(&mut bench.task);
    let summary = bench.summary().await;
    (bench, summary)
}

#[tokio::test]
async fn target_is_killed_by_surprise_and_brought_back_on_the_same_port() {
    let web = Web::start(Some(SERVER), None).await;
    let killed = Script::new().attach().signal(2).wait(15_000).restart().wait(0);
    let (bench, summary) = on_web(&web, killed).await;
    assert_eq!(summary, "still running");
    assert!(web.answers());
    assert_eq!(web.started.died().await, []);
    assert_eq!(pids(&web.folder.path().join("starts"), 2).len(), 2);
    let run = bench.verify().await.unwrap();
    let what: Vec<_> = run.accesses.iter().map(|access| access.what.as_str()).collect();
    assert_eq!(what, ["process attach web", "process signal web kill", "process restart web"]);
    let first = pids(&web.folder.path().join("starts"), 3);
    web.started.stop().await;
    assert!(all_end(&first));
}

#[tokio::test]
async fn target_that_is_left_down_is_dead_for_everybody() {
    let web = Web::start(Some(SERVER), None).await;
    on_web(&web, Script::new().attach().signal(2)).await;
    let end = Instant::now() + Duration::from_secs(10);
    while web.started.died().await.is_empty() {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!web.answers());
}

#[tokio::test]
async fn target_that_is_left_stopped_goes_on_after_the_run() {
    let web = Web::start(Some("exec python3 -m http.server --bind 127.0.0.1 $1"), None).await;
    let (_, summary) = on_web(&web, Script::new().attach().signal(3).wait(100)).await;
    assert_eq!(summary, "still running");
    let program = web.started.program(&name()).unwrap();
    let pid = program.rsplit("(pid ").next().unwrap().trim_end_matches(')').to_owned();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while state().contains(") T ") {
        assert!(Instant::now() < end, "{}", state());
        sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn second_copy_of_a_target_tells_how_it_ends_and_the_first_goes_on() {
    let web = Web::start(Some(SERVER), None).await;
    let (bench, summary) = on_web(&web, Script::new().start_beside().wait(15_000)).await;
    assert_eq!(summary, "exit 1", "the port is taken");
    assert!(web.answers());
    assert_eq!(web.started.died().await, []);
    assert_eq!(pids(&web.folder.path().join("starts"), 2).len(), 2);
    let run = bench.verify().await.unwrap();
    assert_eq!(run.accesses[0].what, "process start web []");
}

#[tokio::test]
async fn second_copy_that_runs_on_ends_with_the_run_and_its_streams_are_its_own() {
    let second = "test -e starts && exec sleep 60";
    let web = Web::start(Some(&format!("echo $$ >>pids; {second}; {SERVER}")), None).await;
    let (_, summary) = on_web(&web, Script::new().start_beside().wait(500)).await;
    assert_eq!(summary, "still running");
    let started = pids(&web.folder.path().join("pids"), 2);
    assert!(all_end(&started[1..]) && web.answers());
    let (_, summary) = on_web(&web, Script::new().start_beside().read(10)).await;
    assert!(summary.contains("its streams are its own"), "{summary}");
}

#[tokio::test]
async fn only_a_check_that_is_alone_disturbs_a_target() {
    let web = Web::start(Some(SERVER), None).await;
    for script in [
        Script::new().attach().signal(2),
        Script::new().attach().signal(3),
        Script::new().restart(),
        Script::new().start_beside(),
    ] {
        let mut bench = Bench::new(script).await;
        web.bind(&mut bench.task);
        bench.task.exclusive = false;
        let summary = bench.summary().await;
        assert!(summary.contains("only a check that declares itself exclusive"), "{summary}");
    }
    // Looking is allowed.
    let mut bench = Bench::new(Script::new().attach().wait(0)).await;
    web.bind(&mut bench.task);
    bench.task.exclusive = false;
    assert_eq!(bench.summary().await, "still running");
    assert!(web.answers());
}

#[tokio::test]
async fn server_that_mustdo_did_not_start_is_looked_at_and_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let mut server = std::process::Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .current_dir(folder.path())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end);
        sleep(Duration::from_millis(10));
    }
    let web = Web::start(None, Some(port)).await;
    let (_, looked) = on_web(&web, Script::new().attach().wait(0)).await;
    let (_, killed) = on_web(&web, Script::new().attach().signal(2)).await;
    let (_, restarted) = on_web(&web, Script::new().restart()).await;
    let (_, copied) = on_web(&web, Script::new().start_beside()).await;
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(looked, "still running");
    assert!(killed.contains("could not bring it back: add `run`"), "{killed}");
    for refused in [restarted, copied] {
        assert!(refused.contains("add `run` to it in mustdo.toml"), "{refused}");
    }
}

#[tokio::test]
async fn process_that_is_not_granted_is_not_attached_to() {
    let web = Web::start(Some(SERVER), None).await;
    for script in [Script::new().attach(), Script::new().restart(), Script::new().start_beside()] {
        let mut bench = Bench::new(script).await;
        web.bind(&mut bench.task);
        bench.task.allowed.clear();
        assert_eq!(bench.summary().await, "mustdo grant test-guest process:web");
    }
}

/// Makes the first text of the first entry of the list at 4, `offset` bytes into it, the summary.
fn first_text(offset: u32) -> String {
    format!(
        "(if (i32.load (i32.const 8)) (then
           (i32.store (global.get $summary) (i32.load offset={offset} (i32.load (i32.const 4))))
           (i32.store offset=4 (global.get $summary) (i32.load offset={} (i32.load (i32.const 4))))))",
        offset + 4
    )
}

#[tokio::test]
async fn processes_and_sockets_of_a_target_are_told() {
    let web = Web::start(Some("exec python3 -m http.server --bind 127.0.0.1 $1"), None).await;
    let port = web.authority().port;
    let tree = Script::new().attach().call("(call $tree (local.get $i) (i32.const 0))").step(&first_text(8));
    let (_, summary) = on_web(&web, tree).await;
    assert!(summary.ends_with(&format!("python3 -m http.server --bind 127.0.0.1 {port}")), "{summary}");
    let sockets =
        Script::new().attach().call("(call $sockets (local.get $i) (i32.const 0))").step(&first_text(0));
    let (_, summary) = on_web(&web, sockets).await;
    assert_eq!(summary, "LISTEN");
    // What has ended has neither.
    let ended = Script::new().start(&[]).wait(15_000).call("(call $tree (local.get $i) (i32.const 0))");
    let bench = Bench::new(ended.step(&first_text(8))).await.tool("exit 0", &[]);
    assert_eq!(bench.summary().await, "exit 0");
}
