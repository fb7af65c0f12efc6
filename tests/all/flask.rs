//! The same shop in Flask under gunicorn: one process and several, dictionaries and a database.
//!
//! `MUSTDO_TEST_VENV` is a Python environment with `tests/servers/flask/requirements.txt` installed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use mustdo::model::{Address, Launch, Outcome, Place, Target};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    launch::{PATIENCE, READY_TIMEOUT},
    proof::{
        Answer, Column, Examiner, Subject,
        http_idempotency::{PLUGIN, questions},
    },
    shop::{Shop, assert_conforms},
};

/// Where the shop keeps its rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Store {
    /// Dictionaries, one set for each worker.
    Memory,
    /// One file with unique keys.
    Sqlite,
}

/// gunicorn with the shop; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Flask {
    processes: Processes,
    address: SocketAddr,
    /// Holds the database and the log.
    _directory: TempDir,
}

impl Flask {
    /// Starts `workers` processes with 16 threads together, and waits until they answer. Panics with gunicorn's log.
    pub(crate) fn start(store: Store, workers: usize, flaw: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/flask");
        let store = match store {
            Store::Memory => "memory".to_owned(),
            Store::Sqlite => format!("sqlite:{}", directory.path().join("shop.db").display()),
        };
        let mut command = Command::new(gunicorn());
        command
            .args(arguments("127.0.0.1:0", workers, &source))
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SHOP_STORE", store)
            .current_dir(directory.path())
            .stdout(File::create(&log).unwrap())
            .stderr(File::options().append(true).open(&log).unwrap())
            .process_group(0);
        if let Some(flaw) = flaw {
            command.env("SHOP_FLAW", flaw);
        }
        let mut processes = Processes { master: command.spawn().unwrap() };
        let address = wait_until_ready(&mut processes.master, &log);
        Self { processes, address, _directory: directory }
    }

    pub(crate) fn shop(&self) -> Shop {
        Shop { address: self.address }
    }
}

/// gunicorn's, but for its own name: 16 threads in all.
fn arguments(bind: &str, workers: usize, source: &Path) -> Vec<String> {
    let (workers, threads) = (workers.to_string(), (16 / workers).to_string());
    let source = source.to_str().unwrap();
    [
        "shop:app",
        "--bind",
        bind,
        "--worker-class",
        "gthread",
        "--no-control-socket",
        "--workers",
        &workers,
        "--threads",
        &threads,
        "--chdir",
        source,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The shop on a database in `folder`, as a target that mustdo starts.
fn target(flaw: Option<&str>, workers: usize, folder: &Path) -> Target {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/flask");
    let mut run = vec![gunicorn().to_str().unwrap().to_owned()];
    run.extend(arguments("127.0.0.1:{port}", workers, &source));
    let mut env = BTreeMap::from([
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ("SHOP_STORE".to_owned(), format!("sqlite:{}", folder.join("shop.db").display())),
    ]);
    env.extend(flaw.map(|flaw| ("SHOP_FLAW".to_owned(), flaw.to_owned())));
    let ready = Some("/healthz".to_owned());
    let launch = Launch { run, cwd: None, env, ready, ready_timeout: READY_TIMEOUT };
    let address = Address { host: "127.0.0.1".to_owned(), port: None };
    Target { place: Place::Http { address, prefix: String::new() }, launch: Some(launch) }
}

/// The master and its workers: a process group, led by the master.
#[derive(Debug)]
struct Processes {
    master: Child,
}

impl Processes {
    fn group(&self) -> Pid {
        Pid::from_child(&self.master)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let group = self.group();
        // An error means that the group is gone already.
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.master.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.master.wait();
    }
}

pub(crate) fn gunicorn() -> PathBuf {
    let venv = std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
    let gunicorn = Path::new(&venv).join("bin/gunicorn");
    assert!(
        gunicorn.exists(),
        "{} is missing: install tests/servers/flask/requirements.txt",
        gunicorn.display()
    );
    gunicorn
}

/// The address that the log tells, once the service behind it answers.
fn wait_until_ready(master: &mut Child, log: &Path) -> SocketAddr {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(log).unwrap();
        let address = text.split("Listening at: http://").nth(1).and_then(|rest| rest.split(' ').next());
        if let Some(address) = address {
            let address = address.parse().unwrap();
            // The listener is there before the workers; the request waits for them.
            assert_eq!(Shop { address }.get("/healthz").status, 200, "{text}");
            return address;
        }
        assert!(
            matches!(master.try_wait(), Ok(None)) && Instant::now() < deadline,
            "gunicorn did not start: {text}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_database_serves_one_worker_and_four() {
    for workers in [1, 4] {
        assert_conforms(Flask::start(Store::Sqlite, workers, None).shop());
    }
}

#[test]
fn dictionaries_serve_one_worker() {
    assert_conforms(Flask::start(Store::Memory, 1, None).shop());
}

#[test]
fn dictionaries_of_four_workers_do_not_agree() {
    let flask = Flask::start(Store::Memory, 4, None);
    let shop = flask.shop();
    // Which worker takes a connection is up to the kernel; it takes a few rounds until two of them have.
    let disagrees = (1..=10).any(|round: u64| {
        thread::scope(|scope| {
            for number in 0..8 {
                let key = format!("{round}-{number}");
                scope.spawn(move || {
                    shop.together(1, "/orders", &key, &json!({ "sku": "cup", "quantity": 1 }))
                });
            }
        });
        (0..8).any(|_| shop.count("/orders") != 8 * round)
    });
    assert!(disagrees);
}

#[test]
fn every_mistake_shows() {
    let order = json!({ "sku": "cup", "quantity": 1 });
    for flaw in ["check-then-insert", "browser-only", "token-after-work", "lock-per-process"] {
        let flask = Flask::start(Store::Sqlite, 4, Some(&format!("double-submit/{flaw}")));
        // Two workers must meet for some of them; that is up to the kernel.
        let doubles = (1..=5).any(|round: u64| {
            flask.shop().together(10, "/orders", &round.to_string(), &order);
            flask.shop().count("/orders") > round
        });
        assert!(doubles, "{flaw}");
    }
    let lock = Flask::start(Store::Sqlite, 1, Some("double-submit/lock-per-process"));
    lock.shop().together(4, "/orders", "k", &order);
    assert_eq!(lock.shop().count("/orders"), 1);

    let replays = Flask::start(Store::Sqlite, 1, Some("key-protocol/reuse-replays"));
    let send = |quantity: u64| {
        let document = json!({ "sku": "cup", "quantity": quantity });
        replays.shop().send("POST /orders", &[("Idempotency-Key", "k")], &document)
    };
    assert_eq!((send(1).body, send(2).status), (send(3).body, 201));

    let shared = Flask::start(Store::Sqlite, 1, Some("key-protocol/shared-keys"));
    for token in ["Bearer alice-token", "Bearer bob-token"] {
        shared.shop().send("POST /orders", &[("Idempotency-Key", "k"), ("Authorization", token)], &order);
    }
    assert_eq!(shared.shop().count("/orders"), 1);

    let items = |flask: &Flask| flask.shop().get("/items").json()["items"].as_array().unwrap().len();
    let appends = Flask::start(Store::Sqlite, 1, Some("repeat-effect/put-appends"));
    for _ in 0..3 {
        appends.shop().send("PUT /items/own", &[], &json!({ "name": "cup", "price": 1 }));
    }
    assert_eq!(items(&appends), 3);

    let deletes = Flask::start(Store::Sqlite, 1, Some("safe-get/get-deletes"));
    deletes.shop().send("PUT /items/own", &[], &json!({ "name": "cup", "price": 1 }));
    assert_eq!(
        (items(&deletes), deletes.shop().get("/items/own/delete").status, items(&deletes)),
        (1, 200, 0)
    );
}

/// Asks one question after the other: the checks want the service to themselves.
fn ask(flask: &Flask) -> Vec<(Column, Answer)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let examiner = Examiner::new(PLUGIN).await;
        let subject = Subject::http("api", flask.address);
        let mut answers = Vec::new();
        for column in questions() {
            let answer = examiner.ask(&column, &subject).await;
            answers.push((column, answer));
        }
        answers
    })
}

fn expect(flask: &Flask, name: &str, expected: [Outcome; 5]) {
    let answers = ask(flask);
    assert_eq!(answers.len(), expected.len());
    for ((column, answer), expected) in answers.iter().zip(expected) {
        assert_eq!(answer.outcome(), expected, "{name} asked {}: {answer}", column.label);
    }
}

#[test]
fn a_database_passes_every_check_with_one_worker_and_four() {
    for workers in [1, 4] {
        expect(&Flask::start(Store::Sqlite, workers, None), "sqlite", [Outcome::Pass; 5]);
    }
}

#[test]
fn dictionaries_pass_every_check_with_one_worker() {
    expect(&Flask::start(Store::Memory, 1, None), "memory", [Outcome::Pass; 5]);
}

#[test]
fn dictionaries_of_four_workers_pass_no_check_that_counts() {
    // Each worker shows rows of its own. Which one answers is up to the kernel: requests one after the other may all meet
    // the same, and then there is nothing wrong to see; requests at once do not. What they meet first is up to it, too.
    let flask = Flask::start(Store::Memory, 4, None);
    for (Column { check, label, .. }, answer) in ask(&flask) {
        let counts = !["repeat-effect", "safe-get"].contains(&check);
        assert!(!counts || answer.outcome() != Outcome::Pass, "{label}: {answer}");
    }
}

#[test]
fn every_mistake_is_refused_by_its_check_and_no_other() {
    use Outcome::{Fail, Pass};
    // Those of a submission are mistakes of orders alone; the tickets stay right.
    let rows = [
        ("repeat-effect/put-appends", 1, [Fail, Pass, Pass, Pass, Pass]),
        ("double-submit/check-then-insert", 4, [Pass, Fail, Pass, Pass, Fail]),
        ("double-submit/browser-only", 4, [Pass, Fail, Pass, Pass, Fail]),
        ("double-submit/token-after-work", 4, [Pass, Fail, Pass, Pass, Fail]),
        ("double-submit/lock-per-process", 4, [Pass, Fail, Pass, Pass, Fail]),
        ("safe-get/get-deletes", 1, [Pass, Pass, Pass, Fail, Pass]),
        ("key-protocol/reuse-replays", 1, [Pass, Pass, Pass, Pass, Fail]),
        ("key-protocol/shared-keys", 1, [Pass, Pass, Pass, Pass, Fail]),
    ];
    // Two services at a time: more would wait for the processor instead of for their work.
    for pair in rows.chunks(2) {
        thread::scope(|scope| {
            for (flaw, workers, expected) in pair {
                scope.spawn(|| expect(&Flask::start(Store::Sqlite, *workers, Some(flaw)), flaw, *expected));
            }
        });
    }
}

#[test]
fn killed_in_the_middle_of_an_order_it_does_it_once_and_each_mistake_shows() {
    use Outcome::{Fail, Pass};
    let rows = [
        (None, 1, Pass),
        (None, 4, Pass),
        (Some("key-protocol/key-before-effect"), 1, Fail),
        (Some("key-protocol/effect-before-key"), 1, Fail),
        (Some("key-protocol/keys-in-memory"), 1, Fail),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let examiner = Examiner::new(PLUGIN).await;
        let questions = questions();
        let column = questions.iter().find(|column| column.check == "key-protocol").unwrap();
        for (flaw, workers, expected) in rows {
            let folder = tempfile::tempdir().unwrap();
            let target = target(flaw, workers, folder.path());
            let subject = Subject::default().with("api", target.place, target.launch);
            let answer = examiner.ask(column, &subject).await;
            assert_eq!(answer.outcome(), expected, "{flaw:?} with {workers} workers: {answer}");
            let decisive = (expected == Fail).then_some("crash-restart");
            assert_eq!(answer.decisive(), decisive, "{flaw:?} with {workers} workers: {answer}");
        }
    });
}

#[test]
fn nothing_runs_after_the_end() {
    let flask = Flask::start(Store::Memory, 4, None);
    let (group, address) = (flask.processes.group(), flask.address);
    assert!(test_kill_process_group(group).is_ok());
    drop(flask);
    let deadline = Instant::now() + PATIENCE;
    while test_kill_process_group(group).is_ok() {
        assert!(Instant::now() < deadline, "a worker is left");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}
