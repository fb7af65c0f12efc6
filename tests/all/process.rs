//! Programs that plugins start, signal and bring back; and that nothing of them is left, however a run ends.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mustdo::model::{Address, Authority, Endpoint, Launch, Mask, Place, Target, TargetName};
use mustdo::plugin::{CachePolicy, Host, HostOptions, ProgramOptions};
use mustdo::target::{StartOptions, Started, start};
use mustdo::verify::{Run, RunError, RunFault, Task, Verifier};

use crate::guest::{Guest, silent, task};
use crate::sandbox::Sandbox;

/// Instructions of a guest, with its texts laid out below the guest's own data. Every call answers at 0; the handle on a
/// process is kept in `$i`, one on a workspace in `$j`. What came of the last step is the summary.
struct Script {
    data: String,
    next: usize,
    body: String,
}

/// A result's failure is the summary, and the end.
const ENDS_WITH_FAILURE: &str = "(if (i32.load8_u (i32.const 0)) (then
    (i32.store (global.get $summary) (i32.load (i32.const 8)))
    (i32.store offset=4 (global.get $summary) (i32.load (i32.const 12)))
    (return (global.get $verdict))))";

impl Script {
    fn new() -> Self {
        Self { data: String::new(), next: 256, body: String::new() }
    }

    /// Lays out bytes; where, and how many.
    fn bytes(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = self.next.next_multiple_of(4);
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")").unwrap();
        self.next = at + bytes.len();
        assert!(self.next < 4_096, "the guest's own data begins there");
        (at, bytes.len())
    }

    /// Lays out a list of texts, or of pairs of texts.
    fn texts(&mut self, texts: &[&str]) -> usize {
        let places: Vec<_> = texts.iter().map(|text| self.bytes(text.as_bytes())).collect();
        let numbers = places.iter().flat_map(|&(at, length)| [at, length]);
        let bytes: Vec<u8> =
            numbers.flat_map(|number| u32::try_from(number).unwrap().to_le_bytes()).collect();
        self.bytes(&bytes).0
    }

    fn step(mut self, text: &str) -> Self {
        writeln!(self.body, "{text}").unwrap();
        self
    }

    fn call(self, text: &str) -> Self {
        self.step(text).step(ENDS_WITH_FAILURE)
    }

    fn start(self, args: &[&str]) -> Self {
        self.start_with(args, &[], false)
    }

    fn start_with(mut self, args: &[&str], env: &[(&str, &str)], inside: bool) -> Self {
        let pairs: Vec<&str> = env.iter().flat_map(|&(name, value)| [name, value]).collect();
        let (target, length) = self.bytes(b"tool");
        let (given, variables, inside) = (self.texts(args), self.texts(&pairs), i32::from(inside));
        let (args, env) = (args.len(), env.len());
        self.call(&format!(
            "(call $start (i32.const {target}) (i32.const {length}) (i32.const {given}) (i32.const {args})
               (i32.const {variables}) (i32.const {env}) (i32.const {inside}) (local.get $j) (i32.const 0))"
        ))
        .step("(local.set $i (i32.load (i32.const 4)))")
    }

    fn attach(mut self) -> Self {
        let (at, length) = self.bytes(b"web");
        self.call(&format!("(call $attach (i32.const {at}) (i32.const {length}) (i32.const 0))"))
            .step("(local.set $i (i32.load (i32.const 4)))")
    }

    fn restart(mut self) -> Self {
        let (at, length) = self.bytes(b"web");
        self.call(&format!(
            "(call $restart (i32.const {at}) (i32.const {length}) (i32.const 20000) (i32.const 0))"
        ))
        .step("(local.set $i (i32.load (i32.const 4)))")
    }

    /// Reads up to `max` bytes of standard output: they are the summary.
    fn read(self, max: u32) -> Self {
        self.call(&format!(
            "(call $read (local.get $i) (i32.const 0) (i32.const {max}) (i32.const 15000) (i32.const 0))"
        ))
        .step(
            "(i32.store (global.get $summary) (i32.load (i32.const 4)))
             (i32.store offset=4 (global.get $summary) (i32.load (i32.const 8)))",
        )
    }

    fn signal(self, number: u32) -> Self {
        self.call(&format!("(call $send-signal (local.get $i) (i32.const {number}) (i32.const 0))"))
    }

    /// Waits for the end. The summary is "still running", or its code or signal as "exit 3", "signal 9".
    fn wait(mut self, millis: u32) -> Self {
        let (running, _) = self.bytes(b"still running");
        let (code, _) = self.bytes(b"exit 0");
        let (signal, _) = self.bytes(b"signal 0");
        let says = |at: usize, length: usize| {
            format!(
                "(i32.store (global.get $summary) (i32.const {at}))
                 (i32.store offset=4 (global.get $summary) (i32.const {length}))"
            )
        };
        let (running, exits, killed) = (says(running, 13), says(code, 6), says(signal, 8));
        self.call(&format!("(call $wait (local.get $i) (i32.const {millis}) (i32.const 0))")).step(&format!(
            "(if (i32.eqz (i32.load8_u (i32.const 8))) (then {running}) (else
               (if (i32.load8_u (i32.const 16)) (then
                 (i32.store8 (i32.const {}) (i32.add (i32.const 48) (i32.load (i32.const 20)))) {exits}))
               (if (i32.load8_u (i32.const 24)) (then
                 (i32.store8 (i32.const {}) (i32.add (i32.const 48) (i32.load (i32.const 28)))) {killed}))))",
            code + 5,
            signal + 7
        ))
    }

    fn scratch(mut self, target: Option<&str>) -> Self {
        let (at, length) = self.bytes(target.unwrap_or_default().as_bytes());
        let some = i32::from(target.is_some());
        self.call(&format!(
            "(call $open (i32.const {some}) (i32.const {at}) (i32.const {length}) (i32.const 0))"
        ))
        .step("(local.set $j (i32.load (i32.const 4)))")
    }

    fn write(mut self, path: &str, text: &str) -> Self {
        let ((path, long), (text, length)) = (self.bytes(path.as_bytes()), self.bytes(text.as_bytes()));
        self.call(&format!(
            "(call $write (local.get $j) (i32.const {path}) (i32.const {long}) (i32.const {text}) (i32.const {length})
               (i32.const 0))"
        ))
    }

    fn guest(self) -> Guest {
        let method = "[method]child.";
        Guest::new()
            .import("process", "start", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
            .import("process", "attach", "(param i32 i32 i32)")
            .import("process", "restart", "(param i32 i32 i32 i32)")
            .import("process", &format!("{method}read"), "(param i32 i32 i32 i32 i32)")
            .import("process", &format!("{method}wait"), "(param i32 i32 i32)")
            .import("process", &format!("{method}send-signal"), "(param i32 i32 i32)")
            .import("process", &format!("{method}tree"), "(param i32 i32)")
            .import("process", &format!("{method}sockets"), "(param i32 i32)")
            .import("process", "[resource-drop]child", "(param i32)")
            .import("scratch", "open", "(param i32 i32 i32 i32)")
            .import("scratch", "[method]workspace.write", "(param i32 i32 i32 i32 i32 i32)")
            .more(self.data)
            .run(self.body)
    }
}

/// A host that starts programs under a guard, and one plugin in it.
struct Bench {
    host: Host,
    task: Task,
    folder: tempfile::TempDir,
}

impl Bench {
    async fn new(script: Script) -> Self {
        Self::of(&script.guest()).await
    }

    async fn of(guest: &Guest) -> Self {
        let programs = ProgramOptions {
            guard: Some(PathBuf::from(env!("CARGO_BIN_EXE_mustdo"))),
            search: std::env::var_os("PATH"),
        };
        let options = HostOptions { programs, ..HostOptions::new(CachePolicy::Off) };
        let host = Host::new(options).unwrap();
        let plugin = host.load(&guest.build()).unwrap().plugin;
        let task = Task { deadline: Duration::from_mins(1), ..task(plugin.digest()) };
        let info = host.describe(&plugin).await.unwrap();
        host.add(plugin, &info);
        Self { host, task, folder: tempfile::tempdir().unwrap() }
    }

    /// Binds `tool` to a shell that runs `text`, and grants it; `$1` and so on are the plugin's.
    fn tool(mut self, text: &str, more: &[&str]) -> Self {
        let args = ["-c", text, "sh"].into_iter().chain(more.iter().copied()).map(str::to_owned);
        let endpoint = Endpoint::Command {
            program: "/bin/sh".into(),
            args: args.collect(),
            env: BTreeMap::from([("GIVEN".to_owned(), "*".to_owned())]),
            cwd: None,
        };
        self.task.targets.insert("tool".parse().unwrap(), endpoint);
        self.task.allowed.insert("process:tool".parse().unwrap());
        self
    }

    async fn verify(&self) -> Result<Run, RunError> {
        self.host.verify(&self.task, silent()).await
    }

    async fn summary(&self) -> String {
        self.verify().await.unwrap().verdict.summary.en
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Whether a process runs; one that has ended and is not yet cleared away does not.
fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The process ids that scripts have written to `path`, once there are `count`.
fn pids(path: &Path, count: usize) -> Vec<u32> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let pids: Vec<u32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        if pids.len() >= count && text.ends_with('\n') {
            return pids;
        }
        assert!(Instant::now() < end, "{} holds {text:?}", path.display());
        sleep(Duration::from_millis(10));
    }
}

fn all_end(pids: &[u32]) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while pids.iter().any(|&pid| runs(pid)) {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

#[tokio::test]
async fn program_sees_what_the_user_allows_and_nothing_else() {
    let script = Script::new().start_with(&["a b"], &[("GIVEN", "here")], false).read(4_000);
    let text = "echo \"$1|$GIVEN|$(ls -A | wc -l)|$(test \"$PWD\" = \"$HOME\" && test \"$PWD\" = \"$TMPDIR\" && echo home)|\
                $(env | cut -d= -f1 | sort | tr '\\n' ' ')\"";
    let bench = Bench::new(script).await.tool(text, &["*"]);
    let run = bench.verify().await.unwrap();
    assert_eq!(run.verdict.summary.en.trim_end(), "a b|here|0|home|GIVEN HOME LANG PATH PWD TMPDIR");
    assert_eq!(run.accesses[0].what, "process start tool [\"a b\"]");
    assert_eq!(run.accesses[0].refused, None);
}

#[test]
fn program_has_no_terminal() {
    let guest = Script::new().start(&[]).read(100).guest().asks("process:tool", true);
    let sandbox = Sandbox::workspace();
    fs::create_dir(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/test-guest.wasm"), guest.build()).unwrap();
    sandbox.write("checklists/own.toml", OWN);
    // What it says stands nowhere in how it is started.
    let script = "(: >/dev/tty) 2>/dev/null && echo some $((6 + 7)) || echo none $((6 + 7))";
    let settings =
        format!("[targets.tool]\nkind = \"command\"\nprogram = \"sh\"\nargs = [\"-c\", \"{script}\"]\n");
    sandbox.write("mustdo.toml", &settings);
    sandbox.run(&["grant", "test-guest", "process:tool"]).ends(0);
    assert_eq!(sandbox.at_terminal("verify own.probe", "").0, Some(0));
    let seen = sandbox.run(&["show", "own.probe", "--transcript"]).ends(0).stdout;
    assert!(seen.contains("none 13"), "{seen}");
}

#[tokio::test]
async fn program_that_is_not_granted_is_refused_with_the_command_that_grants_it() {
    let mut bench = Bench::new(Script::new().start(&[])).await.tool("exit 0", &[]);
    bench.task.allowed.clear();
    let run = bench.verify().await.unwrap();
    assert_eq!(run.verdict.summary.en, "mustdo grant test-guest process:tool");
    assert_eq!(run.accesses[0].refused.as_deref(), Some("denied: mustdo grant test-guest process:tool"));
}

#[tokio::test]
async fn argument_and_variable_outside_the_pattern_are_refused_and_nothing_starts() {
    for (script, why) in [
        (Script::new().start(&["--config=/etc/passwd"]), "does not match \"--port=*\""),
        (Script::new().start(&["--port=1", "; rm -rf /"]), "is one more than the target's `args` allow"),
        (Script::new().start(&[]), "an argument that matches \"--port=*\" is missing"),
        (Script::new().start_with(&["--port=1"], &[("LD_PRELOAD", "/tmp/x.so")], false), "LD_PRELOAD"),
        (Script::new().start_with(&["--port=1"], &[("PATH", "/tmp")], false), "PATH"),
    ] {
        let bench = Bench::new(script).await;
        let started = bench.path("started");
        let bench = bench.tool(&format!("touch {}", started.display()), &["--port=*"]);
        let summary = bench.summary().await;
        assert!(summary.contains(why) && summary.contains("in mustdo.toml if it is meant"), "{summary}");
        assert!(!started.exists());
    }
}

#[tokio::test]
async fn exit_and_signal_are_told_apart() {
    let ends = |text: &'static str| async move {
        Bench::new(Script::new().start(&[]).wait(15_000)).await.tool(text, &[]).summary().await
    };
    assert_eq!(ends("exit 3").await, "exit 3");
    assert_eq!(ends("kill -9 $$").await, "signal 9");
    let running = Bench::new(Script::new().start(&[]).wait(100)).await.tool("sleep 60", &[]);
    assert_eq!(running.summary().await, "still running");
    let killed = Bench::new(Script::new().start(&[]).signal(2).wait(15_000)).await.tool("sleep 60", &[]);
    assert_eq!(killed.summary().await, "signal 9");
}

#[tokio::test]
async fn flood_of_output_waits_for_its_reader() {
    // Without a reader the program stands still; a read gives a bounded part of what it says.
    let script = Script::new().start(&[]).wait(500).read(8 << 20);
    let bench = Bench::new(script).await.tool("yes", &[]);
    let summary = bench.summary().await;
    assert!(summary.len() <= 2_100 && summary.starts_with('y'), "{}", summary.len());
    let script = Script::new().start(&[]).wait(500);
    assert_eq!(Bench::new(script).await.tool("yes", &[]).summary().await, "still running");
}

/// Says its own process ids in `path`: of a script, of a child that ignores what it is asked, and of one that has detached
/// itself twice over, in sessions of their own.
fn escape_artists(path: &Path) -> String {
    let path = path.display();
    let stubborn = format!("trap \"\" TERM HUP INT; echo $$ >>{path}; while :; do sleep 1; done");
    format!(
        "setsid setsid sh -c '{stubborn}' & (setsid sh -c '({stubborn}) & exit 0' &) ; sh -c '{stubborn}' & \
         echo $$ >>{path}; wait"
    )
}

/// Three scripts write their ids; the subshell of the second has the id of its shell, which has ended, so it is found by
/// what it does: nothing may run that has the file's path in its command line.
fn anybody_left(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let commands = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(process.path().join("cmdline")).ok()?;
        (pid != std::process::id() && line.contains(path) && runs(pid)).then(|| format!("{pid} {line}"))
    });
    commands.collect()
}

fn nobody_left(path: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while !anybody_left(path).is_empty() {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    true
}

#[tokio::test]
async fn nothing_is_left_of_a_run_however_it_ends() {
    for end in ["the deadline", "a trap", "an answer", "the handle"] {
        let script = Script::new().start(&[]).wait(1_500);
        let script = match end {
            "the deadline" => script.step("(loop $again (br $again))"),
            "a trap" => script.step("unreachable"),
            "the handle" => script.step("(call $child (local.get $i))"),
            _ => script,
        };
        let mut bench = Bench::new(script).await;
        bench.task.deadline = Duration::from_secs(if end == "the deadline" { 3 } else { 60 });
        let path = bench.path("pids");
        let bench = bench.tool(&escape_artists(&path), &[]);
        let ended = bench.verify().await;
        match end {
            "the deadline" => assert!(matches!(ended.unwrap_err().fault, RunFault::TimedOut { .. })),
            "a trap" => assert!(matches!(ended.unwrap_err().fault, RunFault::Trapped(_))),
            _ => assert!(ended.is_ok()),
        }
        assert_eq!(pids(&path, 4).len(), 4, "{end}");
        // By the time the run has ended, not some time later.
        assert_eq!(anybody_left(&path), [""; 0], "{end}");
    }
}

#[tokio::test]
async fn guard_that_its_program_holds_up_or_kills_leaves_nothing() {
    let again = "(setsid sh -c 'while :; do kill -STOP \"$1\"; done' sh $PPID &)";
    for (attack, escapes) in [("kill -STOP $PPID", true), (again, true), ("kill -KILL $PPID", false)] {
        // With its first breath, before the guard has told that it runs, and later.
        for moment in ["", "sleep 0.5; "] {
            let bench = Bench::new(Script::new().start(&[]).wait(2_000)).await;
            let path = bench.path("pids");
            let family = if escapes {
                escape_artists(&path)
            } else {
                // What has left the guard's session as well is nobody's to find.
                let path = path.display();
                format!("sh -c 'trap \"\" TERM; echo $$ >>{path}; while :; do sleep 1; done' & wait")
            };
            let bench = bench.tool(&format!("{moment}{attack}; {family}"), &[]);
            assert!(bench.verify().await.is_ok(), "{moment}{attack}");
            assert_eq!(anybody_left(&path), [""; 0], "{moment}{attack}");
            assert!(moment.is_empty() || path.exists(), "it did not run: {attack}");
        }
    }
}

#[tokio::test]
async fn run_that_is_cancelled_leaves_nothing() {
    let bench = Bench::new(Script::new().start(&[]).wait(60_000)).await;
    let path = bench.path("pids");
    let bench = bench.tool(&escape_artists(&path), &[]);
    let waits = async {
        while fs::read_to_string(&path).unwrap_or_default().lines().count() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = bench.verify() => panic!("it waits for a minute"),
        () = waits => {}
    }
    assert_eq!(anybody_left(&path), [""; 0]);
}

#[tokio::test]
async fn fork_bomb_is_counted_and_killed() {
    // It waits for nothing and forks as fast as it can, but stops at a thousand should nobody stop it.
    let text = "python3 -c 'import os, time, sys
for _ in range(1000):
    if os.fork() == 0: os.setsid(); time.sleep(60); os._exit(0)
time.sleep(60)' \"$1\"";
    let bench = Bench::new(Script::new().start(&["mark"]).wait(30_000)).await;
    let mark = bench.path("bomb");
    let mark = mark.to_str().unwrap();
    let script = Script::new().start(&[mark]).wait(30_000);
    let bench = Bench::new(script).await.tool(text, &["*"]);
    assert_eq!(bench.summary().await, "signal 9");
    assert!(nobody_left(Path::new(mark)));
}

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
            ready_timeout: Launch::READY_TIMEOUT,
        });
        let target = Target { place: Place::Http { address, prefix: String::new() }, launch };
        let guard = PathBuf::from(env!("CARGO_BIN_EXE_mustdo"));
        let mask = Mask::default();
        let options =
            StartOptions { root: folder.path(), logs: None, search: None, mask: &mask, guard: Some(&guard) };
        let started = start([(web(), &target)].into(), &options).await;
        assert!(started.failures().is_empty(), "{:?}", started.failures());
        Self { folder, started }
    }

    fn bind(&self, task: &mut Task) {
        task.targets.insert(web(), self.started.endpoints()[&web()].clone());
        task.supervised = self.started.supervised();
        task.allowed.insert("process:web".parse().unwrap());
        task.exclusive = true;
    }

    fn authority(&self) -> Authority {
        match &self.started.endpoints()[&web()] {
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

fn web() -> TargetName {
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
    let program = web.started.program(&super::process::web()).unwrap();
    let pid = program.rsplit("(pid ").next().unwrap().trim_end_matches(')').to_owned();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while state().contains(") T ") {
        assert!(Instant::now() < end, "{}", state());
        sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn only_a_check_that_is_alone_disturbs_a_target() {
    let web = Web::start(Some(SERVER), None).await;
    for script in
        [Script::new().attach().signal(2), Script::new().attach().signal(3), Script::new().restart()]
    {
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
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(looked, "still running");
    assert!(killed.contains("could not bring it back: add `run`"), "{killed}");
    assert!(restarted.contains("add `run` to it in mustdo.toml"), "{restarted}");
}

#[tokio::test]
async fn process_that_is_not_granted_is_not_attached_to() {
    let web = Web::start(Some(SERVER), None).await;
    for script in [Script::new().attach(), Script::new().restart()] {
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

/// The private folders that are left below `temporary`.
fn rooms(temporary: &Path) -> Vec<PathBuf> {
    let users = fs::read_dir(temporary).into_iter().flatten().flatten();
    users
        .filter_map(|user| fs::read_dir(user.path()).ok())
        .flatten()
        .map(|room| room.unwrap().path())
        .collect()
}

impl Bench {
    /// Binds `src` to a folder with a program and a secret in it, and grants a copy of it.
    fn src(mut self) -> Self {
        fs::create_dir(self.path("src")).unwrap();
        fs::write(self.path("src/app.txt"), "as the learner wrote it").unwrap();
        fs::write(self.path("src/.env"), "KEY=1").unwrap();
        let path = self.path("src").canonicalize().unwrap();
        self.task.targets.insert("src".parse().unwrap(), Endpoint::Dir(path));
        self.task.allowed.insert("scratch:src".parse().unwrap());
        self
    }
}

#[tokio::test]
async fn program_works_in_a_copy_and_the_learners_tree_stays_as_it_is() {
    let script = Script::new()
        .scratch(Some("src"))
        .write("new/deep.txt", "from the plugin")
        .start_with(&[], &[], true)
        .read(4_000);
    let text = "all=$(cat app.txt new/deep.txt; ls -A | tr '\\n' ' '; pwd); echo changed >app.txt; rm -r new; echo \"$all\"";
    let bench = Bench::new(script).await.src().tool(text, &[]);
    let run = bench.verify().await.unwrap();
    let summary = run.verdict.summary.en.clone();
    assert!(summary.starts_with("as the learner wrote itfrom the pluginapp.txt new /"), "{summary}");
    let what: Vec<_> = run.accesses.iter().map(|access| access.what.as_str()).collect();
    assert_eq!(what, ["scratch open src", "scratch write src new/deep.txt", "process start tool []"]);
    assert_eq!(fs::read_to_string(bench.path("src/app.txt")).unwrap(), "as the learner wrote it");
    assert!(!bench.path("src/new").exists());
    let copy = PathBuf::from(summary[summary.rfind(" /").unwrap() + 1..].trim_end());
    assert!(copy.is_absolute() && !copy.exists(), "{} is left", copy.display());
}

#[tokio::test]
async fn copy_needs_a_grant_and_no_path_leads_out_of_it() {
    let mut bench = Bench::new(Script::new().scratch(Some("src"))).await.src();
    bench.task.allowed.clear();
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:src");
    bench.task.allowed.insert("read:src".parse().unwrap());
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:src");
    // An empty folder tells nothing, but not everybody may fill the disk.
    let mut bench = Bench::new(Script::new().scratch(None)).await.src();
    assert_eq!(bench.summary().await, "it was seen");
    bench.task.allowed.clear();
    assert_eq!(bench.summary().await, "mustdo grant test-guest scratch:TARGET or process:TARGET");
    let bench = Bench::new(Script::new().scratch(None).write("../escaped", "x")).await.src();
    assert_eq!(bench.summary().await, "\"../escaped\" is not a path below the workspace");
}

/// A checklist whose one item asks the guest about `tool`.
const OWN: &str = r#"format = 1
id = "own"
version = "1.0.0"
title = { en = "Own", zh = "自己" }
[[group]]
id = "own"
title = { en = "Own", zh = "自己" }
[[item]]
id = "own.probe"
group = "own"
title = { en = "Probe", zh = "探测" }
level = "must"
weight = 1
[[item.check]]
uses = "test-guest/probe"
target = { tool = "tool" }
"#;

/// A workspace whose one item asks the guest, with `tool` and a started target, everything granted. What each program does
/// first is `before`.
fn workspace(guest: &Guest, path: &Path, before: &str) -> Sandbox {
    let sandbox = Sandbox::workspace();
    let file = sandbox.path().join("plugins/test-guest.wasm");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, guest.build()).unwrap();
    sandbox.write(
        "checklists/own.toml",
        &OWN.replace("target = { tool = \"tool\" }", "target = { tool = \"tool\", web = \"web\" }"),
    );
    let script = format!("{before}{}", escape_artists(path)).replace('\\', "\\\\").replace('"', "\\\"");
    sandbox.write(
        "mustdo.toml",
        &format!(
            r#"[targets.tool]
kind = "command"
program = "sh"
args = ["-c", "{script}"]
[targets.web]
kind = "http"
url = "http://127.0.0.1:{{port}}"
run = ["sh", "-c", "{script} & exec python3 -m http.server --bind 127.0.0.1 {{port}}"]
"#
        ),
    );
    sandbox.run(&["lint"]).ends(0);
    sandbox.run(&["grant", "test-guest", "process:tool", "process:web"]).ends(0);
    sandbox
}

#[test]
fn killing_mustdo_leaves_no_process_and_after_the_next_start_no_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("pids");
    let script = Script::new().scratch(None).start_with(&[], &[], true).wait(600_000);
    let guest = script.guest().asks("process:tool", true).asks("process:web", true).exclusive();
    let sandbox = workspace(&guest, &path, "");
    let verify = || {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        command.env("TMPDIR", temporary.path()).args(["verify", "own.probe", "--timeout", "2m"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut mustdo = verify().spawn().unwrap();
    // Four of the target, and four of the plugin's program.
    let started = pids(&path, 8);
    assert!(anybody_left(&path).len() >= 8, "{:?}", anybody_left(&path));
    assert_eq!(rooms(temporary.path()).len(), 2, "the workspace, and the home of its program");
    mustdo.kill().unwrap();
    mustdo.wait().unwrap();
    assert!(all_end(&started) && nobody_left(&path), "{:?}", anybody_left(&path));
    assert_eq!(rooms(temporary.path()).len(), 2, "nobody was left to remove them");
    let listed = sandbox
        .command(env!("CARGO_BIN_EXE_mustdo"))
        .env("TMPDIR", temporary.path())
        .args(["plugin", "list"])
        .output();
    assert!(listed.unwrap().status.success());
    assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from));

    // Asked to end, it clears away itself.
    fs::remove_file(&path).unwrap();
    let mut mustdo = verify().spawn().unwrap();
    let started = pids(&path, 8);
    let pid = rustix::process::Pid::from_raw(i32::try_from(mustdo.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(mustdo.wait().unwrap().code(), Some(130));
    assert!(!started.iter().any(|&pid| runs(pid)) && anybody_left(&path).is_empty());
    assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn killing_mustdo_at_any_moment_leaves_no_process_and_after_the_next_start_no_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("pids");
    let script = Script::new().scratch(Some("src")).start_with(&[], &[], true).wait(600_000);
    let guest = script.guest().asks("process:tool", true).asks("process:web", true).asks("scratch:src", true);
    // Its guards can not see that mustdo is gone.
    let sandbox = workspace(&guest.exclusive(), &path, "sleep 0.3; kill -STOP $PPID; ");
    let bind = |text: &str| text.replace("web = \"web\" }", "web = \"web\", src = \"src\" }");
    sandbox.write("checklists/own.toml", &bind(&sandbox.read("checklists/own.toml")));
    let settings = sandbox.read("mustdo.toml");
    sandbox.write("mustdo.toml", &format!("[targets.src]\nkind = \"dir\"\npath = \"src\"\n{settings}"));
    for number in 0..2_000 {
        sandbox.write(&format!("src/{number}.txt"), "something to copy");
    }
    sandbox.run(&["grant", "test-guest", "scratch:src"]).ends(0);
    let command = |arguments: &[&str]| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_mustdo"));
        // Without a cache it compiles every time.
        command.env("TMPDIR", temporary.path()).env("MUSTDO_CWASM_CACHE", "off").args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let moments: Vec<_> = (0..3_200).step_by(400).map(Some).chain([None]).collect();
    for moment in moments {
        let mut mustdo = command(&["verify", "own.probe", "--timeout", "2m"]).spawn().unwrap();
        match moment {
            Some(millis) => sleep(Duration::from_millis(millis)),
            // As soon as it copies.
            None => {
                while rooms(temporary.path()).is_empty() {
                    assert_eq!(mustdo.try_wait().unwrap(), None);
                    sleep(Duration::from_millis(1));
                }
            }
        }
        mustdo.kill().unwrap();
        mustdo.wait().unwrap();
        assert!(nobody_left(&path), "{moment:?}: {:?}", anybody_left(&path));
        assert!(command(&["plugin", "list"]).status().unwrap().success());
        assert_eq!(rooms(temporary.path()), [""; 0].map(PathBuf::from), "{moment:?}");
    }
    assert!(path.exists(), "its programs never ran");
}
