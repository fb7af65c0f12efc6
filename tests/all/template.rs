//! What `mustdo plugin new` writes is a plugin: it passes its own tests, is built into a component, and that component
//! tells a right service from every flawed one in today's host.
//!
//! The tools come from their registries, as an author's do: cargo, pip and npm find what they fetched before in the
//! user's own caches.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mustdo::model::{Authority, CheckId, Digest, Endpoint, Outcome};
use mustdo::plugin::{CachePolicy, Host, HostOptions};
use mustdo::verify::{Reporter, Task, TaskId, Verifier};
use tokio::sync::mpsc::unbounded_channel;

use crate::sandbox::Sandbox;

/// A command in the sandbox that finds the tools of this machine: those that rustup, pip and npm keep in the home.
pub(crate) fn author(sandbox: &Sandbox, program: &str) -> Command {
    let mut command = sandbox.command(program);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("templates");
    // The standard library is compiled once for all.
    command.env("CARGO_TARGET_DIR", target.join("rust")).env("PYTHONDONTWRITEBYTECODE", "1");
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "HTTPS_PROXY", "SSL_CERT_FILE", "PIP_CONFIG_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A service of a template, stopped when dropped.
struct Service {
    process: Child,
    port: u16,
}

impl Service {
    fn start(sandbox: &Sandbox, command: &[&str], flaw: Option<&str>) -> Self {
        let mut process = author(sandbox, command[0])
            .args(&command[1..])
            .arg("0")
            .args(flaw)
            .current_dir(sandbox.path().join("it"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening on ").and_then(|port| port.parse().ok());
        Self { process, port: port.unwrap_or_else(|| panic!("{command:?} {flaw:?} said {line:?}")) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One language's template and what its README promises.
struct Template {
    language: &'static str,
    setup: &'static str,
    test: &'static str,
    service: &'static [&'static str],
    check: &'static str,
    flaws: &'static [&'static str],
}

impl Template {
    /// Writes, tests and builds it under a name of its own, and gives the component.
    fn build(&self, sandbox: &Sandbox) -> PathBuf {
        let run = |command: &mut Command| {
            let output = command.output().unwrap();
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command:?}\n{printed}{said}");
            printed
        };
        let mustdo = env!("CARGO_BIN_EXE_mustdo");
        run(author(sandbox, mustdo).args(["plugin", "new", "acme:it", "--lang", self.language, "it"]));
        let script = format!("{}\n{}", self.setup, self.test);
        run(author(sandbox, "bash").args(["-ec", &script]).current_dir(sandbox.path().join("it")));
        let printed = run(author(sandbox, mustdo).args(["plugin", "build", "it"]));
        assert!(printed.starts_with("acme:it 0.1.0: My plugin\n"), "{printed}");
        assert!(printed.contains("  contract  mustdo:verifier@0.1.0\n"), "{printed}");
        assert!(!printed.contains("wasi:"), "{printed}");
        assert!(printed.contains("  file      it/acme.it.wasm\n"), "{printed}");
        let printed = run(author(sandbox, mustdo).args(["plugin", "test", "it", "--record"]));
        assert!(
            printed.ends_with("acme:it 0.1.0: proven: replayed here, 1 known-good and 3 known-bad\n"),
            "{printed}"
        );
        let carried = run(author(sandbox, mustdo).args(["plugin", "test", "it/acme.it.wasm"]));
        assert!(carried.contains("  replayed  ") && carried.contains("proven: replayed here"), "{carried}");
        sandbox.path().join("it/acme.it.wasm")
    }

    async fn prove(&self) {
        let sandbox = Sandbox::empty();
        let bytes = std::fs::read(self.build(&sandbox)).unwrap();
        // The build compiled it into the same cache.
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/mustdo/cwasm-v1");
        let cache = CachePolicy::Directory(cache);
        let host = Host::new(HostOptions::new(cache)).unwrap();
        let plugin = host.load(&bytes).unwrap().plugin;
        let (digest, imports) = (plugin.digest(), plugin.imports());
        assert!(imports.contains(&"mustdo:verifier/http@0.1.0".to_owned()), "{imports:?}");
        assert!(imports.iter().all(|import| import.starts_with("mustdo:verifier/")), "{imports:?}");
        let info = host.describe(&plugin).await.unwrap();
        assert_eq!(info.license, "MIT OR Apache-2.0");
        assert_ne!(info.checks[0].title.zh, info.checks[0].title.en);
        host.add(plugin, &info);
        let check: CheckId = format!("acme:it/{}", self.check).parse().unwrap();

        let service = Service::start(&sandbox, self.service, None);
        for seed in [1, u64::MAX] {
            let verdict = ask(&host, digest, &check, service.port, seed).await;
            assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:?}");
        }
        let port = service.port;
        drop(service);
        let verdict = ask(&host, digest, &check, port, 1).await;
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "nobody listens: {verdict:?}");

        assert!(self.flaws.len() >= 3);
        for flaw in self.flaws {
            let service = Service::start(&sandbox, self.service, Some(flaw));
            let verdict = ask(&host, digest, &check, service.port, 1).await;
            assert_eq!(verdict.outcome, Outcome::Fail, "{flaw}: {verdict:?}");
            assert_ne!(verdict.summary.zh, "", "{flaw}");
        }
    }
}

async fn ask(host: &Host, plugin: Digest, check: &CheckId, port: u16, seed: u64) -> mustdo::model::Verdict {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let authority = Authority { host: address.ip().to_string(), port };
    let endpoint = Endpoint::Http { authority, prefix: String::new() };
    let task = Task {
        id: TaskId(0),
        item: "must-do.probe".parse().unwrap(),
        check: check.clone(),
        plugin,
        params: "{}".to_owned(),
        targets: BTreeMap::from([("api".parse().unwrap(), endpoint)]),
        allowed: BTreeSet::from(["http:api".parse().unwrap()]),
        exclusive: false,
        names: BTreeMap::new(),
        supervised: BTreeMap::new(),
        seed,
        deadline: Duration::from_mins(1),
    };
    host.verify(&task, Reporter::new(TaskId(0), unbounded_channel().0)).await.unwrap().verdict
}

#[tokio::test]
async fn rust_template_is_a_plugin_that_tells_right_from_wrong() {
    let template = Template {
        language: "rust",
        setup: "",
        test: "cargo test --quiet && cargo build --quiet --example service",
        service: &["bash", "-c", "exec $CARGO_TARGET_DIR/debug/examples/service \"$@\"", "service"],
        check: "resume",
        flaws: &["ignores", "short", "shifted", "wrong-total", "invents"],
    };
    template.prove().await;
}

#[tokio::test]
async fn python_template_is_a_plugin_that_tells_right_from_wrong() {
    let template = Template {
        language: "python",
        setup: "python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt",
        test: "python3 -m unittest discover -s tests",
        service: &["python3", "cases/service.py"],
        check: "walk",
        flaws: &["skips", "repeats", "circles", "no-links"],
    };
    template.prove().await;
}

#[tokio::test]
async fn javascript_template_is_a_plugin_that_tells_right_from_wrong() {
    let template = Template {
        language: "js",
        setup: "npm install --silent",
        test: "npm test --silent",
        service: &["node", "cases/service.js"],
        check: "problem",
        flaws: &["html", "plain-json", "other-status", "wrong-type", "trace", "ok-status"],
    };
    template.prove().await;
}
