//! Many checks and many requests: mustdo beside Hurl, `ab`, a plain hyper client and a bare wasmtime loop. Prints
//! a table in Markdown.
//!
//! `cargo bench --bench load [-- PAIRS]`; takes along Hurl and `ab` where they are found (`benches/peers`
//! gets both). The service answers every request with the same two bytes, so what is left is what the clients cost.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the fences are for the tool: this measures it from outside and prints what it saw"
)]

#[expect(dead_code, clippy::unwrap_used, reason = "the tests' own, of which this needs the plainest")]
#[path = "../tests/all/guest.rs"]
mod guest;
mod pair;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use guest::Guest;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use mustdo::plugin::{CachePolicy, Host, HostOptions};
use mustdo::verify::{Task, Verifier as _};
use pair::{Cost, Program, compare, head, in_turn, line};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use wasmtime::component::{Component, InstancePre, Linker, Val};
use wasmtime::{Config, Engine, Store};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const MUSTDO: &str = env!("CARGO_BIN_EXE_mustdo");

/// Pairs where the command line does not say.
const PAIRS: usize = 21;

/// Checks of one run.
const CHECKS: usize = 1_000;

/// Requests of one batch, and how many of them are in flight.
const REQUESTS: usize = 10_000;
const IN_FLIGHT: usize = 8;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["client", requests, in_flight, each, service] => {
            client(requests.parse()?, in_flight.parse()?, each.parse()?, service.parse()?)
        }
        [] => measure(PAIRS),
        [pairs] => measure(pairs.parse()?),
        _ => Err("usage: cargo bench --bench load [-- PAIRS]".into()),
    }
}

fn measure(pairs: usize) -> Outcome {
    let runtime = runtime()?;
    let service = runtime.block_on(serve())?;
    let bench = Bench { root: tempfile::tempdir()?, pairs, service };
    head();
    bench.loops()?;
    bench.one()?;
    bench.many()?;
    bench.batch()
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A service that says "ok" to everybody.
async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|_| async {
                Ok::<_, io::Error>(Response::new(Full::new(Bytes::from_static(b"ok"))))
            });
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            // Clients leave as they like.
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    Ok(address)
}

/// The plain client, as a process of its own: so many requests, each connection used for `each` of them.
fn client(requests: usize, in_flight: usize, each: usize, service: SocketAddr) -> Outcome {
    runtime()?.block_on(async {
        let rounds = requests / in_flight / each;
        let worker = || async move {
            for _ in 0..rounds {
                connection(service, each).await;
            }
        };
        let workers: Vec<_> = (0..in_flight).map(|_| tokio::spawn(worker())).collect();
        for worker in workers {
            worker.await?;
        }
        Ok(())
    })
}

async fn connection(service: SocketAddr, requests: usize) {
    let stream = TcpStream::connect(service).await.expect("the service listens");
    stream.set_nodelay(true).expect("a socket takes its options");
    let (mut sender, driver): (SendRequest<Full<Bytes>>, _) =
        handshake(TokioIo::new(stream)).await.expect("a connection is ready at once");
    tokio::spawn(async move { drop(driver.await) });
    for _ in 0..requests {
        sender.ready().await.expect("the service keeps the connection");
        let request = Request::get("/orders").header("host", service.to_string());
        let request = request.body(Full::default()).expect("a request");
        let answer = sender.send_request(request).await.expect("the service answers");
        let body = answer.into_body().collect().await.expect("the answer has an end");
        assert_eq!(body.to_bytes(), "ok");
    }
}

struct Bench {
    root: TempDir,
    pairs: usize,
    service: SocketAddr,
}

impl Bench {
    /// Checks that do nothing, in process: what mustdo adds to wasmtime.
    fn loops(&self) -> Outcome {
        let bytes = Guest::new().build();
        let runtime = runtime()?;
        let host = Host::new(HostOptions::new(CachePolicy::Off))?;
        let plugin = host.load(&bytes)?.plugin;
        let task = guest::task(plugin.digest());
        let info = runtime.block_on(host.describe(&plugin))?;
        host.add(plugin, &info);
        let host = Arc::new(host);
        let bare = Arc::new(Bare::new(&bytes)?);
        let checks = || timed(&runtime, |_| checks(host.clone(), task.clone()));
        let loops = || timed(&runtime, |_| loops(bare.clone()));
        let comparison = in_turn(self.pairs, checks, loops)?;
        let Cost { processor, clock } = comparison.first;
        let checks = f64::from(u32::try_from(CHECKS)?);
        let a_second = |time: Duration| checks / time.as_secs_f64();
        let name = format!(
            "{CHECKS} checks that do nothing, two at a time: {:.0} instances a second of processor time, {:.0} by the clock",
            a_second(processor),
            a_second(clock)
        );
        line([&name, "bare wasmtime, the same calls"], None, comparison);
        Ok(())
    }

    /// One check of one request.
    fn one(&self) -> Outcome {
        let verify = self.workspace("one", &sender(), 1)?;
        let client = self.client(1, 1, 1)?;
        self.row(["`mustdo verify`, 1 check, 1 request", "plain hyper client"], None, [&verify, &client])?;
        if let Some(hurl) = self.hurl(1)? {
            self.row(["the same", "`hurl --test`, the same request"], Some(0.5), [&verify, &hurl])?;
        }
        Ok(())
    }

    /// A thousand checks of one request each, every one in an instance of its own.
    fn many(&self) -> Outcome {
        let verify = self.workspace("many", &sender(), CHECKS)?;
        let reused = self.client(CHECKS, 2, CHECKS / 2)?;
        let name = format!("`mustdo verify --jobs 2`, {CHECKS} checks, 1 request each");
        self.row([&name, "plain hyper client, two connections"], Some(1.2), [&verify, &reused])?;
        let fresh = self.client(CHECKS, 2, 1)?;
        self.row(["the same", "plain hyper client, a connection each"], None, [&verify, &fresh])?;
        if let Some(hurl) = self.hurl(CHECKS)? {
            self.row(["the same", "`hurl --test`, one file"], Some(1.0), [&verify, &hurl])?;
        }
        Ok(())
    }

    /// One check that sends ten thousand requests at once.
    fn batch(&self) -> Outcome {
        let verify = self.workspace("batch", &flood(), 1)?;
        let client = self.client(REQUESTS, IN_FLIGHT, REQUESTS / IN_FLIGHT)?;
        let name = format!("`mustdo verify`, 1 check, {REQUESTS} requests, {IN_FLIGHT} at a time");
        self.row([&name, "plain hyper client"], None, [&verify, &client])?;
        if let Some(ab) = found("ab") {
            let url = format!("http://{}/orders", self.service);
            let (requests, in_flight) = (REQUESTS.to_string(), IN_FLIGHT.to_string());
            let ab =
                Program::new(ab, &["-q", "-k", "-n", &requests, "-c", &in_flight, &url], self.root.path());
            self.row(["the same", "ApacheBench (`ab -k`)"], None, [&verify, &ab])?;
        }
        Ok(())
    }

    fn row(&self, names: [&str; 2], goal: Option<f64>, programs: [&Program; 2]) -> Outcome {
        line(names, goal, compare(self.pairs, programs[0], programs[1], |_| Ok(()))?);
        Ok(())
    }

    /// A workspace with a plugin and so many items whose check it answers; and the command that verifies them.
    fn workspace(&self, name: &str, plugin: &Guest, items: usize) -> Outcome<Program> {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder)?;
        let mustdo = |arguments: &[&str]| {
            Program::new(MUSTDO, arguments, &folder).with("XDG_CACHE_HOME", &folder.join(".cache"))
        };
        mustdo(&["init", "--quiet"]).run()?;
        fs::create_dir_all(folder.join("plugins"))?;
        fs::create_dir_all(folder.join("checklists"))?;
        fs::write(folder.join("plugins/test-guest.wasm"), plugin.build())?;
        fs::write(folder.join("checklists/load.toml"), checklist(items))?;
        let target = format!("[targets.web]\nkind = \"http\"\nurl = \"http://{}\"\n", self.service);
        fs::write(folder.join("mustdo.toml"), target)?;
        mustdo(&["grant", "test-guest", "http:web"]).run()?;
        let verify =
            mustdo(&["verify", "--jobs", "2", "--no-record", "--no-input", "--quiet", "--seed", "7"]);
        // Compiles the plugin.
        verify.run()?;
        Ok(verify)
    }

    fn client(&self, requests: usize, in_flight: usize, each: usize) -> Outcome<Program> {
        let [requests, in_flight, each] = [requests, in_flight, each].map(|number| number.to_string());
        let arguments = ["client", &requests, &in_flight, &each, &self.service.to_string()];
        Ok(Program::new(std::env::current_exe()?, &arguments, self.root.path()))
    }

    fn hurl(&self, requests: usize) -> Outcome<Option<Program>> {
        let Some(hurl) = found("hurl") else {
            println!("| Hurl is not installed: skipped | | | | | | |");
            return Ok(None);
        };
        let file = self.root.path().join(format!("{requests}.hurl"));
        let entry = format!("GET http://{}/orders\nHTTP 200\n[Asserts]\nbody == \"ok\"\n\n", self.service);
        fs::write(&file, entry.repeat(requests))?;
        Ok(Some(Program::new(hurl, &["--test", &file.to_string_lossy()], self.root.path())))
    }
}

/// A program of `benches/peers`, or one that is installed.
fn found(name: &str) -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(name);
    let program = if fetched.exists() { fetched } else { PathBuf::from(name) };
    let silent = Command::new(&program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    silent.is_ok().then_some(program)
}

fn checklist(items: usize) -> String {
    let mut text = String::from(
        "format = 1\nid = \"load\"\nversion = \"1.0.0\"\ntitle = { zh = \"负载\", en = \"Load\" }\n\
         [[group]]\nid = \"all\"\ntitle = { zh = \"全部\", en = \"All\" }\n",
    );
    for item in 0..items {
        write!(
            text,
            "[[item]]\nid = \"load.item-{item}\"\ngroup = \"all\"\nlevel = \"must\"\nweight = 1\n\
             title = {{ zh = \"第 {item} 项\", en = \"Item {item}\" }}\n\
             [[item.check]]\nuses = \"test-guest/probe\"\ntarget = {{ web = \"web\" }}\n"
        )
        .expect("a text takes what is written");
    }
    text
}

/// Opens the target "web", with connections that are used again. The handle is at 4.
const OPEN: &str = "(call $open (i32.const 100) (i32.const 3) (i32.const 1)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (if (i32.load8_u (i32.const 0)) (then unreachable))";

fn opener() -> Guest {
    Guest::new()
        .asks("http:web", true)
        .import("http", "open", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32)")
        .more("(data (i32.const 100) \"web GET /orders\")")
}

/// Sends one request, which must be answered with 200: at 16 is `result<response, failure>`, the status at 24.
fn sender() -> Guest {
    opener()
        .import(
            "http",
            "[method]client.send",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .run(format!(
            "{OPEN}
             (call $send (i32.load (i32.const 4)) (i32.const 104) (i32.const 3) (i32.const 108) (i32.const 7)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
               (i32.const 5000) (i32.const 100) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))
             (if (i32.load8_u (i32.const 16)) (then unreachable))
             (if (i32.ne (i32.load16_u (i32.const 24)) (i32.const 200)) (then unreachable))"
        ))
}

/// Sends ten thousand at once, which must all be answered with 200. A request has 52 bytes, laid out from 16 MiB on; a
/// `result<response, failure>` has 88, its status 8 after its case.
fn flood() -> Guest {
    opener().memory(300).import("http", "[method]client.send-all", "(param i32 i32 i32 i32 i32)").run(
        format!(
            "{OPEN}
             (local.set $j (i32.const 0x1000000))
             (loop $next
               (i32.store (local.get $j) (i32.const 104))
               (i32.store offset=4 (local.get $j) (i32.const 3))
               (i32.store offset=8 (local.get $j) (i32.const 108))
               (i32.store offset=12 (local.get $j) (i32.const 7))
               (i32.store offset=32 (local.get $j) (i32.const 5000))
               (i32.store offset=36 (local.get $j) (i32.const 100))
               (local.set $j (i32.add (local.get $j) (i32.const 52)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $next (i32.lt_u (local.get $i) (i32.const {REQUESTS}))))
             (call $send-all (i32.load (i32.const 4))
               (i32.const 0x1000000) (i32.const {REQUESTS}) (i32.const {IN_FLIGHT}) (i32.const 16))
             (if (i32.load8_u (i32.const 16)) (then unreachable))
             (if (i32.ne (i32.load (i32.const 24)) (i32.const {REQUESTS})) (then unreachable))
             (local.set $j (i32.load (i32.const 20)))
             (loop $next
               (if (i32.load8_u (local.get $j)) (then unreachable))
               (if (i32.ne (i32.load16_u offset=8 (local.get $j)) (i32.const 200)) (then unreachable))
               (local.set $j (i32.add (local.get $j) (i32.const 88)))
               (local.set $i (i32.sub (local.get $i) (i32.const 1)))
               (br_if $next (local.get $i)))"
        ),
    )
}

fn timed<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    half: impl Fn(usize) -> F,
) -> io::Result<Cost> {
    let (before, began) = (processor(), Instant::now());
    runtime.block_on(async {
        let halves: Vec<_> = (0..2).map(|number| tokio::spawn(half(number))).collect();
        for half in halves {
            half.await?;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(Cost { clock: began.elapsed(), processor: processor().saturating_sub(before) })
}

/// What the threads of this process have taken since it began.
fn processor() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().expect("a process takes no less than nothing")
}

async fn checks(host: Arc<Host>, task: Task) {
    for _ in 0..CHECKS / 2 {
        let run = host.verify(&task, guest::silent()).await.expect("the check runs");
        assert_eq!(run.verdict.steps.len(), 1);
    }
}

/// wasmtime and nothing else: no limits, no imports, no judgement.
struct Bare {
    engine: Engine,
    plugin: InstancePre<()>,
}

impl Bare {
    fn new(bytes: &[u8]) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true).wasm_component_model(true);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, bytes)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component)?;
        Ok(Self { plugin: linker.instantiate_pre(&component)?, engine })
    }

    async fn call(&self) -> wasmtime::Result<()> {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1_000_000);
        let instance = self.plugin.instantiate_async(&mut store).await?;
        let plugin = instance.get_export_index(&mut store, None, "mustdo:verifier/plugin@0.1.0");
        let run = instance.get_export_index(&mut store, plugin.as_ref(), "run");
        let run = run.and_then(|run| instance.get_func(&mut store, run));
        let run = run.ok_or_else(|| wasmtime::Error::msg("it does not export run"))?;
        let fields = [
            ("check", Val::String("probe".to_owned())),
            ("params", Val::String("{}".to_owned())),
            ("targets", Val::List(vec![])),
            ("seed", Val::U64(7)),
            ("extras", Val::List(vec![])),
        ];
        let request = Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).to_vec());
        let mut verdict = [Val::Bool(false)];
        run.call_async(&mut store, &[request], &mut verdict).await?;
        assert!(matches!(verdict[0], Val::Result(Ok(_))), "{verdict:?}");
        Ok(())
    }
}

async fn loops(bare: Arc<Bare>) {
    for _ in 0..CHECKS / 2 {
        bare.call().await.expect("the guest runs");
    }
}
