//! `http-api` and `gateway` against programs of the field: Flask under gunicorn and under its own server, nginx in front.

use std::{
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use crate::launch::{PATIENCE, free_address};

use super::{Kind, Matrix, Row, Subject, gateway, http_api};

/// Connections that a process of nginx holds, when they are enough for everybody.
const MANY: u32 = 1_024;

/// What serves the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// gunicorn with an event loop.
    Gevent,
    /// gunicorn with that many threads in one worker.
    Threads(u32),
    /// gunicorn with two workers that serve a connection each.
    Sync,
    /// The same behind nginx, whose two processes hold that many connections each.
    Nginx(u32),
    /// `flask run --debug`.
    Development,
    /// `wsgiref` of the standard library, which serves one connection after the other.
    Wsgiref,
    /// `python -m http.server`, on a folder with a page.
    Files,
}

/// A group of processes with a folder of its own; it ends when dropped.
pub(super) struct Running {
    process: Child,
    folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.process);
        // An error means that the group is gone already.
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.process.wait();
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/api")
}

/// Starts a program in a folder of its own and waits until it listens at all these addresses. nginx tries a port again that it
/// did not get at once, and serves at the others meanwhile.
pub(super) fn run(mut command: Command, folder: TempDir, addresses: &[SocketAddr]) -> Running {
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    command
        .current_dir(folder.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", source())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .process_group(0);
    let mut running = Running { process: command.spawn().unwrap(), folder };
    let deadline = Instant::now() + PATIENCE;
    while addresses.iter().any(|address| TcpStream::connect(address).is_err()) {
        let is_up = matches!(running.process.try_wait(), Ok(None)) && Instant::now() < deadline;
        let log = || std::fs::read_to_string(running.folder.path().join("log")).unwrap_or_default();
        assert!(is_up, "{command:?}: {}", log());
        thread::sleep(Duration::from_millis(50));
    }
    running
}

fn program(name: &str) -> Command {
    let venv = std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
    Command::new(Path::new(&venv).join("bin").join(name))
}

impl Server {
    fn start(self) -> Subject {
        let address = free_address();
        let folder = tempfile::tempdir().unwrap();
        let bind = format!("--bind={address}");
        let gunicorn = |more: &[&str]| {
            let mut command = program("gunicorn");
            command.args(["service:app", "--no-control-socket", &bind]).args(more);
            command
        };
        let port = address.port().to_string();
        let command = match self {
            Self::Gevent => gunicorn(&["--worker-class=gevent"]),
            Self::Threads(count) => gunicorn(&["--worker-class=gthread", &format!("--threads={count}")]),
            Self::Sync => gunicorn(&["--workers=2"]),
            Self::Nginx(connections) => return in_front(address, folder, connections),
            Self::Wsgiref => {
                let mut command = program("python");
                command.args(["-m", "one_at_a_time", &port]);
                command
            }
            Self::Files => {
                std::fs::write(folder.path().join("index.html"), "<!doctype html><p>Welcome.").unwrap();
                let mut command = program("python");
                command.args(["-m", "http.server", "--bind", "127.0.0.1", &port]);
                command
            }
            Self::Development => {
                let mut command = program("flask");
                command.args(["--app", "service", "run", "--debug", "--no-reload", "--port", &port]);
                command
            }
        };
        Subject::http("api", address).keeping(run(command, folder, &[address]))
    }
}

/// nginx at `front`, and gunicorn with sync workers behind it.
fn in_front(front: SocketAddr, folder: TempDir, connections: u32) -> Subject {
    let back = free_address();
    let mut gunicorn = program("gunicorn");
    gunicorn.args(["service:app", "--no-control-socket", "--workers=2", &format!("--bind={back}")]);
    let behind = run(gunicorn, tempfile::tempdir().unwrap(), &[back]);
    let settings = std::fs::read_to_string(source().join("nginx.conf")).unwrap();
    let settings = settings
        .replace("FRONT", &front.port().to_string())
        .replace("BACKEND", &back.port().to_string())
        .replace("CONNECTIONS", &connections.to_string());
    std::fs::write(folder.path().join("nginx.conf"), settings).unwrap();
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
    Subject::http("api", front).keeping(run(nginx, folder, &[front])).keeping(behind)
}

fn row(name: &str, summary: &str, kind: Kind, server: Server) -> Row {
    Row::new(name, summary, kind, move || server.start())
}

#[test]
fn http_api_of_servers_of_the_field() {
    let one_worker = "gunicorn with one worker of 64 threads.";
    let rows = vec![
        row("nginx", "nginx in front of gunicorn with two sync workers.", Kind::Odd, Server::Nginx(MANY))
            .only(&[http_api::BASICS, http_api::BASICS_FULL, http_api::PRODUCTION]),
        row("gthread-64", one_worker, Kind::Odd, Server::Threads(64)).only(&[
            http_api::BASICS,
            http_api::CRUD,
            http_api::ROUTING,
            http_api::PRODUCTION,
        ]),
        row("gevent", "gunicorn with an event loop.", Kind::Odd, Server::Gevent).only(&[
            http_api::BASICS,
            http_api::CRUD,
            http_api::ROUTING,
            http_api::PRODUCTION,
        ]),
        row(
            "host-not-asked",
            "gunicorn alone, which serves a request without Host.",
            Kind::Flaw(vec![http_api::BASICS_FULL]),
            Server::Threads(64),
        )
        .only(&[http_api::BASICS, http_api::BASICS_FULL]),
        row(
            "sync-alone",
            "gunicorn with two sync workers and nothing in front.",
            Kind::Flaw(vec![http_api::PRODUCTION]),
            Server::Sync,
        )
        .only(&[http_api::BASICS, http_api::PRODUCTION]),
        row(
            "flask-debug",
            "`flask run --debug`.",
            Kind::Flaw(vec![http_api::PRODUCTION]),
            Server::Development,
        )
        .only(&[http_api::BASICS, http_api::ROUTING, http_api::PRODUCTION]),
        row(
            "wsgiref",
            "The server of `wsgiref`, which serves one connection after the other; it does not say what it is.",
            Kind::Flaw(vec![http_api::PRODUCTION]),
            Server::Wsgiref,
        )
        .only(&[http_api::PRODUCTION])
        // Whoever waits behind the other is seen by one step or by the next, as it happens.
        .depending_on_seed(),
        row(
            "http.server",
            "`python -m http.server`, which answers in HTTP/1.0 and closes.",
            Kind::Flaw(vec![http_api::BASICS, http_api::BASICS_FULL]),
            Server::Files,
        )
        .only(&[http_api::BASICS, http_api::BASICS_FULL]),
    ];
    let introduction = "\
The service of `tests/servers/api` in Flask, as the servers of the field serve it; `http.server` has a page alone. These run
with the feature `live-servers`.";
    let matrix = http_api::matrix();
    Matrix { page: "http-api-served", introduction, rows, entangled: vec![], ..matrix }.prove();
}

#[test]
fn gateway_of_servers_of_the_field() {
    let both = "nginx in front of gunicorn with two sync workers.";
    let together = json!({ "path": "/limited-together" });
    let front = json!({ "path": "/" });
    let front_too = front.clone();
    let few_each = json!({ "path": "/few-each", "post_path": "/few-each/notes" });
    let rows = vec![
        row("nginx", both, Kind::Odd, Server::Nginx(MANY)),
        row("gevent", "gunicorn with an event loop.", Kind::Odd, Server::Gevent).only(&[gateway::SLOW]),
        row(
            "sync-alone",
            "gunicorn with two sync workers and nothing in front.",
            Kind::Flaw(vec![gateway::SLOW]),
            Server::Sync,
        )
        .only(&[gateway::SLOW]),
        row(
            "gthread-8",
            "gunicorn with one worker of eight threads.",
            Kind::Flaw(vec![gateway::SLOW]),
            Server::Threads(8),
        )
        .only(&[gateway::SLOW]),
        Row::new(
            "few-for-each",
            "nginx that holds ten connections of each address at most, and turns away whoever has more.",
            Kind::Odd,
            move || Server::Nginx(MANY).start().asked_with(few_each.clone()),
        )
        .only(&[gateway::SLOW]),
        row(
            "few-connections",
            "nginx whose two processes hold 24 connections each: chance decides which of them a client meets.",
            Kind::Flaw(vec![gateway::SLOW]),
            Server::Nginx(24),
        )
        .only(&[gateway::SLOW]),
        Row::new(
            "no-limit",
            "gunicorn without a limit.",
            Kind::Flaw(vec![gateway::RATE]),
            move || Server::Threads(64).start().asked_with(front.clone()),
        )
        .only(&[gateway::RATE]),
        Row::new(
            "no-limit-sync",
            "gunicorn with two sync workers and without a limit.",
            Kind::Flaw(vec![gateway::RATE]),
            move || Server::Sync.start().asked_with(front_too.clone()),
        )
        .only(&[gateway::RATE]),
        Row::new(
            "one-limit-for-all",
            "nginx with one bucket for all clients.",
            Kind::Flaw(vec![gateway::RATE]),
            move || Server::Nginx(MANY).start().asked_with(together.clone()),
        )
        .only(&[gateway::RATE]),
    ];
    let mut columns = gateway::columns();
    for column in &mut columns {
        // The service counts nothing, and gunicorn lets nobody go.
        column.params = if column.label == gateway::SLOW {
            json!({ "post_path": "/notes", "large_path": "/big", "conns": 60 })
        } else {
            json!({ "path": "/limited" })
        };
    }
    let introduction = "\
The service of `tests/servers/api` in Flask, as the servers of the field serve it. These run with the feature `live-servers`.";
    let matrix = gateway::matrix();
    Matrix { page: "gateway-served", introduction, columns, rows, entangled: vec![], ..matrix }.prove();
}
