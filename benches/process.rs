//! Whole processes in pairs, A B A B …: mustdo beside what a user would run instead. Prints a table in Markdown.
//!
//! `cargo bench --bench process [-- PAIRS]`; needs git and rustc, and takes Taskwarrior (`task`) along where it is
//! installed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the fences are for the tool: this measures it from outside and prints what it saw"
)]

mod generated;
mod pair;
mod wire;

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mustdo::plugin::{Backend, Backends, CachePolicy, Host, HostOptions};
use mustdo::reference::{Options, Running, Service};
use mustdo::store::PLUGINS;
use pair::{Program, compare, head, line};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use wire::{Recorder, Script};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const MUSTDO: &str = env!("CARGO_BIN_EXE_mustdo");

/// Pairs where the command line does not say.
const PAIRS: usize = 41;

/// The item of the cheapest check.
const ITEM: &str = "frontend.idempotent-request";

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["replay", script, service] => replay(script.as_ref(), service.parse()?),
        ["first", backend, plugin, cache] => first(backend, plugin, cache.as_ref()),
        [] => measure(PAIRS),
        [pairs] => measure(pairs.parse()?),
        _ => Err("usage: cargo bench --bench process [-- PAIRS]".into()),
    }
}

/// The plain client, as a process of its own.
fn replay(script: &Path, service: SocketAddr) -> Outcome {
    let script: Script = serde_json::from_slice(&fs::read(script)?)?;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(script.replay(service));
    Ok(())
}

/// What the first command that needs a shipped plugin has to wait for, with one compiler.
fn first(backend: &str, plugin: &str, cache: &Path) -> Outcome {
    let backend = Backend::named(backend).ok_or("there is no such compiler")?;
    let shipped = PLUGINS.iter().find(|shipped| shipped.id == plugin).ok_or("there is no such plugin")?;
    let options = HostOptions::new(CachePolicy::Directory(cache.to_owned()));
    let host = Host::new(HostOptions { backends: Backends::Only(backend), ..options })?;
    let plugin = host.load_own(shipped.bytes, shipped.digest)?.plugin;
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(host.describe(&plugin))?;
    Ok(())
}

fn measure(pairs: usize) -> Outcome {
    let root = tempfile::tempdir()?;
    let bench = Bench { root, pairs };
    head();
    bench.start_up()?;
    bench.tasks()?;
    bench.compilers()?;
    bench.verification()
}

struct Bench {
    root: TempDir,
    pairs: usize,
}

impl Bench {
    fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A workspace made by `mustdo init`, with a checklist of its own where `items` is not zero.
    fn workspace(&self, items: usize) -> Outcome<PathBuf> {
        let folder = self.folder(&format!("workspace-{items}"))?;
        Program::new(MUSTDO, &["init", "--quiet"], &folder).run()?;
        if items > 0 {
            fs::create_dir_all(folder.join("checklists"))?;
            fs::write(folder.join("checklists/generated.toml"), generated::checklist(items))?;
        }
        Ok(folder)
    }

    fn row(&self, names: [&str; 2], goal: Option<f64>, programs: [&Program; 2]) -> Outcome {
        let comparison = compare(self.pairs, programs[0], programs[1], |_| Ok(()))?;
        line(names, goal, comparison);
        Ok(())
    }

    /// The floor, git, and what a learner types all day.
    fn start_up(&self) -> Outcome {
        let empty = self.empty()?;
        let repository = self.repository()?;
        let status = Program::new("git", &["status"], &repository);
        let folder = self.workspace(0)?;
        let mustdo = |arguments: &[&str]| Program::new(MUSTDO, arguments, &folder);
        self.row(["`git status`, 60 files", "empty Rust program"], None, [&status, &empty])?;
        self.row(["`mustdo --version`", "empty Rust program"], None, [&mustdo(&["--version"]), &empty])?;
        for arguments in [&["list"][..], &["report"], &["report", "--items"], &["show", ITEM]] {
            let name = format!("`mustdo {}`, shipped", arguments.join(" "));
            self.row([&name, "`git status`"], Some(2.0), [&mustdo(arguments), &status])?;
        }
        let cache = self.folder("cache-of-info")?;
        let described = mustdo(&["plugin", "info", "http-idempotency"]).with("XDG_CACHE_HOME", &cache);
        described.run()?;
        settle(&cache)?;
        self.row(
            ["`mustdo plugin info`, compiled before", "empty Rust program"],
            Some(3.0),
            [&described, &empty],
        )
    }

    /// The same lists in Taskwarrior.
    fn tasks(&self) -> Outcome {
        if Command::new("task").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("| Taskwarrior is not installed: skipped | | | | | | |");
            return Ok(());
        }
        for (items, needs, goal) in [(1_000, false, 1.0), (1_000, true, 0.15), (10_000, false, 0.5)] {
            let list = self.task_list(items, needs)?;
            let folder = self.workspace(items)?;
            let what = if needs { "with dependencies" } else { "no dependencies" };
            let peer = format!("`task list`, {items}, {what}");
            for arguments in [&["list"][..], &["report", "--items"]] {
                let name = format!("`mustdo {}`, {items}, with needs", arguments.join(" "));
                self.row([&name, &peer], Some(goal), [&Program::new(MUSTDO, arguments, &folder), &list])?;
            }
        }
        Ok(())
    }

    /// The first use of the smallest and of the largest shipped plugin, with nothing compiled before.
    fn compilers(&self) -> Outcome {
        let cache = self.folder("compiled")?;
        let mut plugins: Vec<_> = PLUGINS.iter().collect();
        plugins.sort_by_key(|plugin| plugin.bytes.len());
        for plugin in [plugins[0], plugins[plugins.len() - 1]] {
            let program = |backend: Backend| {
                let arguments = ["first", backend.name(), plugin.id, &cache.to_string_lossy()];
                Ok::<_, io::Error>(Program::new(std::env::current_exe()?, &arguments, self.root.path()))
            };
            let comparison =
                compare(self.pairs, &program(Backend::Winch)?, &program(Backend::Cranelift)?, |_| {
                    fs::remove_dir_all(&cache)?;
                    fs::create_dir(&cache)
                })?;
            let name = format!("first use of {}, {} KB, Winch", plugin.id, plugin.bytes.len() / 1_000);
            line([&name, "Cranelift"], None, comparison);
        }
        Ok(())
    }

    /// One warm check, and one on a machine that has never run it.
    fn verification(&self) -> Outcome {
        let shop = Shop::new()?;
        let folder = self.workspace(0)?;
        let cache = self.folder("cache")?;
        let verify = Program::new(
            MUSTDO,
            &["verify", ITEM, "--no-record", "--no-input", "--quiet", "--seed", "7"],
            &folder,
        )
        .with("XDG_CACHE_HOME", &cache);

        let script = shop.record(|recorder| {
            bind(&folder, recorder)?;
            verify.run().map(drop)
        })?;
        bind(&folder, shop.address)?;
        let saved = self.root.path().join("script.json");
        fs::write(&saved, serde_json::to_vec(&script)?)?;
        let client = Program::new(
            std::env::current_exe()?,
            &["replay", &saved.to_string_lossy(), &shop.address.to_string()],
            &folder,
        );
        let name = format!("`mustdo verify` of one check, {} requests", script.requests());
        let peer = format!("plain hyper client, the same requests over {} connections", script.connections());
        let comparison = compare(self.pairs, &verify, &client, |_| shop.renew())?;
        line([&name, &peer], None, comparison);

        let cold_cache = self.folder("cold")?;
        let first = verify.clone().with("XDG_CACHE_HOME", &cold_cache);
        let comparison = compare(self.pairs.min(9), &first, &verify, |_| {
            settle(&cold_cache)?;
            fs::remove_dir_all(&cold_cache)?;
            fs::create_dir(&cold_cache)?;
            shop.renew()
        })?;
        line(["`mustdo verify`, first run: compiles the plugin", "later runs"], None, comparison);
        Ok(())
    }

    /// The least a process costs: an empty program, compiled here.
    fn empty(&self) -> Outcome<Program> {
        let folder = self.folder("empty")?;
        fs::write(folder.join("empty.rs"), "fn main() {}\n")?;
        let rustc = Command::new("rustc").args(["-O", "empty.rs"]).current_dir(&folder).status()?;
        if !rustc.success() {
            return Err("rustc does not compile an empty program".into());
        }
        Ok(Program::new(folder.join("empty"), &[], &folder))
    }

    /// Sixty small files, committed.
    fn repository(&self) -> Outcome<PathBuf> {
        let folder = self.folder("repository")?;
        for file in 0..60 {
            fs::write(folder.join(format!("file-{file}")), format!("{file}\n"))?;
        }
        let identity = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"];
        for arguments in
            [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "files"]]
        {
            Program::new("git", &[&identity[..], arguments].concat(), &folder).run()?;
        }
        Ok(folder)
    }

    fn task_list(&self, items: usize, needs: bool) -> Outcome<Program> {
        let folder = self.folder(&format!("tasks-{items}-{needs}"))?;
        let settings = folder.join("taskrc");
        let words = format!("data.location={}\nconfirmation=off\nnews.version=2.6.0\n", folder.display());
        fs::write(&settings, words)?;
        let id = |item: usize| format!("00000000-0000-4000-8000-{item:012}");
        let tasks: Vec<_> = (0..items)
            .map(|item| {
                let depends: Vec<_> = generated::needs(item).into_iter().filter(|_| needs).map(id).collect();
                let mut task = json!({
                    "uuid": id(item),
                    "description": format!("Thing number {item} to be ready in"),
                    "project": format!("group-{}", item / 50),
                    "tags": ["http", "api"],
                    "status": "pending",
                    "entry": "20260101T000000Z",
                });
                if !depends.is_empty() {
                    task["depends"] = json!(depends);
                }
                task
            })
            .collect();
        fs::write(folder.join("tasks.json"), serde_json::to_vec(&tasks)?)?;
        let task = |arguments: &[&str]| Program::new("task", arguments, &folder).with("TASKRC", &settings);
        task(&["import", "tasks.json"]).run()?;
        Ok(task(&["list"]))
    }
}

/// Waits for what a first run leaves to the background, which would be measured with whatever comes next.
fn settle(cache: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(cache.join("mustdo/cwasm-v1")) else { return Ok(()) };
    let made =
        entries.filter_map(Result::ok).filter(|entry| entry.path().extension() == Some("cwasm".as_ref()));
    if made.count() < 2 {
        std::thread::sleep(Duration::from_millis(20));
        return settle(cache);
    }
    Ok(())
}

/// The reference service at one address, started anew for every run: it gives out its ids anew too, so that the same
/// requests get the same answers.
struct Shop {
    runtime: Runtime,
    address: SocketAddr,
    running: RefCell<Option<Running>>,
}

impl Shop {
    fn new() -> Outcome<Self> {
        let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
        let service = Service::bind(Self::options(), (Ipv4Addr::LOCALHOST, 0).into())?;
        let address = service.address();
        let running = runtime.block_on(async { service.spawn() });
        Ok(Self { runtime, address, running: RefCell::new(Some(running)) })
    }

    /// Work takes no time: what is left is what a check costs.
    fn options() -> Options {
        Options { slow: Duration::ZERO, ..Options::default() }
    }

    fn renew(&self) -> io::Result<()> {
        let mut running = self.running.borrow_mut();
        self.runtime.block_on(async {
            if let Some(running) = running.take() {
                running.stop().await?;
            }
            *running = Some(Service::bind(Self::options(), self.address)?.spawn());
            Ok(())
        })
    }

    /// What `client` sends to the address it is given.
    fn record(&self, client: impl FnOnce(SocketAddr) -> io::Result<()>) -> io::Result<Script> {
        let recorder = self.runtime.block_on(Recorder::start(self.address))?;
        client(recorder.address())?;
        Ok(recorder.finish())
    }
}

/// Makes the service at `address` the workspace's, and lets the plugin reach it.
fn bind(workspace: &Path, address: SocketAddr) -> io::Result<()> {
    let target = format!("[targets.web]\nkind = \"http\"\nurl = \"http://{address}\"\n");
    fs::write(workspace.join("mustdo.toml"), target)?;
    Program::new(MUSTDO, &["grant", "http-idempotency", "http:web"], workspace).run().map(drop)
}
