//! `mq-delivery`: what is no broker tells nothing, and, with live servers, workers in Python on a `RabbitMQ` of their own.

use std::time::Duration;

use serde_json::json;

use super::{Column, Subject, Wrong, expect_nothing_told};

const PLUGIN: &str = "mq-delivery";

const ACK: &str = "ack-redeliver";
const DURABLE: &str = "amqp-durable";
const CELERY: &str = "celery-reliable";
const RETRY: &str = "celery-retry";
#[cfg(feature = "live-servers")]
const ACCEPT: &str = "async-accept";

#[tokio::test]
async fn where_no_broker_is_nothing_is_told() {
    let foreign = "does not speak AMQP 0-9-1";
    let cases: [(Wrong, u64, &[&str]); 7] = [
        (Wrong::Closed, 2, &["no connection to the broker"]),
        (Wrong::Silent, 12, &["answers at once"]),
        // It waits for a line.
        (Wrong::Web, 12, &["answers at once"]),
        (Wrong::Garbage, 12, &[foreign]),
        (Wrong::Says(b"-ERR unknown command\r\n"), 2, &["Redis"]),
        (Wrong::Says(b"AMQP\x03\x01\0\0"), 2, &["another version"]),
        (Wrong::Says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), 2, &["web server"]),
    ];
    for (wrong, seconds, words) in cases {
        // A program that is never started: nobody comes so far.
        let subject = |address| {
            let programs = Subject::tcp("amqp", address).with_command("worker", "/bin/false", &[]);
            programs.with_command("publisher", "/bin/false", &[])
        };
        let columns = [Column::new(ACK, json!({})), Column::new(DURABLE, json!({}))];
        expect_nothing_told(PLUGIN, &columns, wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

#[tokio::test]
async fn where_no_redis_is_nothing_is_told() {
    let foreign = "does not speak as Redis does";
    let cases: [(Wrong, u64, &[&str]); 5] = [
        (Wrong::Closed, 2, &["no connection to the broker"]),
        (Wrong::Silent, 12, &["answers at once"]),
        (Wrong::Web, 12, &[foreign]),
        (Wrong::Garbage, 12, &[foreign]),
        (Wrong::Says(b"AMQP\0\0\x09\x01"), 2, &["broker = \"amqp\""]),
    ];
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::tcp("broker", address).with_command("celery", "/bin/false", &[]);
        let params = json!({ "broker": "redis" });
        let columns = [Column::new(CELERY, params.clone()), Column::new(RETRY, params)];
        expect_nothing_told(PLUGIN, &columns, wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

#[cfg(feature = "live-servers")]
mod live {
    use std::{
        collections::BTreeMap,
        net::{Ipv4Addr, SocketAddr, TcpStream},
        path::{Path, PathBuf},
        process::{Child, Command, Stdio},
        sync::{
            Arc, OnceLock,
            atomic::{AtomicU32, Ordering},
        },
        thread,
        time::{Duration, Instant},
    };

    use mustdo::model::{Address, Launch, Place};
    use serde_json::json;
    use tokio::{runtime::Handle, sync::Semaphore};

    use super::{ACCEPT, ACK, CELERY, DURABLE, PLUGIN, RETRY};
    use crate::broker::{self, Broker};
    use crate::launch::{PATIENCE, READY_TIMEOUT, free_port};
    use crate::proof::{Column, Kind, Matrix, Row, Subject};

    /// Applications of Celery at once: each starts half a dozen interpreters.
    static HEAVY: Semaphore = Semaphore::const_new(3);

    /// Flaws of `worker.py`: name, and what is different.
    const WORKER_FLAWS: [(&str, &str); 10] = [
        ("auto-ack", "Consumes without acknowledgements: what it holds is lost when it dies."),
        ("ack-first", "Acknowledges a message before its work."),
        ("never-acks", "Never acknowledges anything."),
        ("never-acks-unlimited", "Never acknowledges anything, and takes all there is."),
        ("requeues-poison", "Puts back what it can not read, for ever."),
        ("unlimited-prefetch", "Takes every message into its memory."),
        ("acks-in-finally", "Acknowledges also what failed."),
        ("dies-of-poison", "Ends at a message that it can not read, each time."),
        ("stops-after-poison", "Hangs at a message that it can not read."),
        ("drops-effect", "Acknowledges every fifth message without its work."),
    ];

    /// Flaws of `publish.py`: name, and what is different.
    const PUBLISH_FLAWS: [(&str, &str); 6] = [
        ("transient-queue", "Declares a queue that a restart of the broker ends."),
        ("transient-message", "Publishes messages that a restart of the broker loses."),
        ("fire-and-forget", "Publishes without confirmations."),
        ("confirms-in-vain", "Is told that a message was refused, and ends with 0."),
        ("exclusive", "Declares a queue that ends with its connection."),
        ("auto-delete", "Declares a queue that ends with its last consumer."),
    ];

    /// Flaws of `celery_app.py`: name, and what is different.
    const CELERY_FLAWS: [(&str, &str); 5] = [
        ("early-ack", "Acknowledges a task before it runs, as Celery does unless it is told otherwise."),
        ("no-reject", "Acknowledges late, but a task whose process is lost counts as done."),
        ("not-idempotent", "Does a task again that was done before."),
        ("eager", "Does tasks where they are sent."),
        ("results-in-memory", "Keeps results in the memory of the worker."),
    ];

    /// Flaws of how `celery_app.py` calls another service: name, and what is different.
    const RETRY_FLAWS: [(&str, &str); 7] = [
        ("loop", "Tries again in a loop inside of the task."),
        ("no-max", "Tries again for ever, later each time."),
        ("no-pause", "Tries again at once."),
        ("three-minutes", "Tries again after three minutes, as Celery does unless it is told otherwise."),
        ("swallows", "Catches the error and returns nothing."),
        ("gives-up", "Fails at the first error."),
        ("other-result", "Has another result than its call brought."),
    ];

    /// What adds to the score and is not there.
    const RETRY_WEAK: [(&str, &str); 3] = [
        ("same-pause", "Tries again after a second each time."),
        ("no-timeout", "Waits for an answer for ever."),
        ("pickle", "Takes pickle beside JSON."),
    ];

    /// Flaws of `jobs.py`: name, and what is different.
    const JOBS_FLAWS: [(&str, &str); 7] = [
        ("in-request", "Does the work in the request."),
        ("thread", "Does the work in a thread of the service."),
        ("false-202", "Accepts jobs although the queue is down."),
        ("always-done", "Says of every job that it is done."),
        ("module-list", "Keeps its queue in a list of the module."),
        ("loses", "The worker takes a job out of the queue before it is done."),
        ("answers-200", "Answers 200 to what is not done yet."),
    ];

    fn columns() -> Vec<Column> {
        vec![
            Column::new(ACK, json!({ "n": 60, "prefetch": 20 })),
            Column::new(DURABLE, json!({})),
            Column::new(CELERY, json!({ "n": 4, "work_ms": 800 })),
            Column::new(RETRY, json!({ "patience": 25, "hang": 8 })),
            Column::new(ACCEPT, json!({ "n": 20, "work_ms": 200 })),
        ]
    }

    /// Servers that start when they are first needed: a run may have no row that needs them.
    #[derive(Clone, Default)]
    struct Shared(Arc<(OnceLock<Broker>, OnceLock<Redis>, AtomicU32)>);

    impl Shared {
        fn broker(&self) -> &Broker {
            self.0.0.get_or_init(Broker::start)
        }

        fn redis(&self) -> &Redis {
            self.0.1.get_or_init(Redis::start)
        }

        /// A database of Redis that nobody else has.
        fn database(&self) -> u32 {
            self.0.2.fetch_add(1, Ordering::Relaxed) % 60 + 1
        }
    }

    /// A Redis without a file; it ends with the test.
    struct Redis {
        server: Child,
        port: u16,
    }

    impl Redis {
        fn start() -> Self {
            let port = free_port();
            let server = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--databases", "64"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server: install it");
            let redis = Self { server, port };
            let deadline = Instant::now() + PATIENCE;
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                assert!(Instant::now() < deadline, "redis-server does not listen");
                thread::sleep(Duration::from_millis(50));
            }
            redis
        }
    }

    impl Drop for Redis {
        fn drop(&mut self) {
            // An error means that it is gone already.
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    fn at(address: SocketAddr) -> Address {
        Address { host: address.ip().to_string(), port: Some(address.port()) }
    }

    /// `tests/servers/mq`.
    fn servers() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/mq")
    }

    fn python() -> String {
        let venv =
            std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
        Path::new(&venv).join("bin/python").to_str().unwrap().to_owned()
    }

    fn worker(broker: &Broker, flaw: Option<&str>, more: &[&str]) -> Subject {
        let (port, queue) = (broker.port.to_string(), broker.queue());
        let script = servers().join("worker.py");
        let mut arguments = vec!["-B", script.to_str().unwrap(), "--port", &port, "--queue", &queue];
        arguments.extend(flaw.iter().flat_map(|flaw| ["--flaw", flaw]).chain(more.iter().copied()));
        Subject::tcp("amqp", broker.address())
            .with_command("worker", &python(), &arguments)
            .asked_with(json!({ "queue": queue, "dead": format!("{queue}.dead") }))
    }

    /// A message whose work fails each time.
    const FAILING: &str = r#"{"id": "{id}", "customer": "nobody"}"#;

    /// The one that keeps its file of effects open; `told` says whether the check is told which work fails.
    fn open_worker_row(
        shared: &Shared,
        (name, summary): (&str, &str),
        kind: Kind,
        flaw: Option<&'static str>,
        told: bool,
    ) -> Row {
        let shared = shared.clone();
        let start = move || {
            let subject = worker(shared.broker(), flaw, &["--open"]);
            if told { subject.asked_with(json!({ "failing": FAILING })) } else { subject }
        };
        Row::new(name, summary, kind, start).only(&[ACK])
    }

    fn worker_row(broker: &Shared, name: &str, summary: &str, kind: Kind, flaw: Option<&'static str>) -> Row {
        let broker = broker.clone();
        Row::new(name, summary, kind, move || worker(broker.broker(), flaw, &[])).only(&[ACK])
    }

    /// The publisher on the broker that all share.
    fn publisher(shared: &Shared, more: &[&str]) -> Subject {
        let broker = shared.broker();
        let queue = broker.queue();
        let script = servers().join("publish.py");
        let mut arguments = vec!["-B", script.to_str().unwrap(), "--queue", &queue];
        arguments.extend(more.iter().copied().chain(["**"]));
        Subject::tcp("amqp", broker.address())
            .with_command("publisher", &python(), &arguments)
            .asked_with(json!({ "queue": queue, "dead": format!("{queue}.dead") }))
    }

    /// The publisher on a broker of its own, which the check may start again.
    fn restarted_publisher() -> Subject {
        let folder = tempfile::tempdir().unwrap();
        let (port, launch) = broker::launch(folder.path());
        let script = servers().join("publish.py");
        let arguments = ["-B", script.to_str().unwrap(), "--queue", "jobs", "**"];
        Subject::default()
            .with("amqp", Place::Tcp(at((Ipv4Addr::LOCALHOST, port).into())), Some(launch))
            .with_command("publisher", &python(), &arguments)
            .asked_with(json!({ "queue": "jobs", "dead": "jobs.dead" }))
            .keeping(folder)
    }

    fn publisher_row(
        shared: &Shared,
        (name, summary): (&str, &str),
        kind: Kind,
        more: &'static [&'static str],
    ) -> Row {
        let shared = shared.clone();
        Row::new(name, summary, kind, move || publisher(&shared, more)).only(&[DURABLE])
    }

    /// The application over `RabbitMQ`, or over Redis.
    fn celery(shared: &Shared, over_redis: bool, flaw: &str) -> Subject {
        let permit = Handle::current().block_on(HEAVY.acquire()).unwrap();
        let redis = shared.redis().port;
        let queue = format!("tasks{}", shared.0.2.load(Ordering::Relaxed));
        let database = shared.database();
        let (address, url, params) = if over_redis {
            let address = (Ipv4Addr::LOCALHOST, redis).into();
            let url = format!("redis://127.0.0.1:{redis}/{database}");
            (address, url, json!({ "queue": queue, "broker": "redis", "database": database }))
        } else {
            let broker = shared.broker();
            let (queue, port) = (broker.queue(), broker.port);
            let url = format!("amqp://guest:guest@127.0.0.1:{port}//");
            (broker.address(), url, json!({ "queue": queue }))
        };
        let env = [
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("BROKER", url),
            ("QUEUE", params["queue"].as_str().unwrap().to_owned()),
            ("RESULTS", format!("redis://127.0.0.1:{redis}/{database}")),
            ("FLAW", flaw.to_owned()),
        ];
        let program = Path::new(&python()).with_file_name("celery");
        let place = Place::Command {
            program: program.to_str().unwrap().to_owned(),
            args: ["-A", "celery_app", "**"].map(str::to_owned).to_vec(),
            env: env.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            cwd: None,
        };
        Subject::default()
            .with("broker", Place::Tcp(at(address)), None)
            .with("celery", place, None)
            .with_folder("source", servers().to_str().unwrap())
            .asked_with(params)
            .keeping(permit)
    }

    fn celery_row(
        shared: &Shared,
        name: &str,
        summary: &str,
        kind: Kind,
        (over_redis, flaw): (bool, &'static str),
    ) -> Row {
        let shared = shared.clone();
        Row::new(name, summary, kind, move || celery(&shared, over_redis, flaw)).only(&[CELERY])
    }

    /// The task that calls another service, asked whether it is tried again.
    fn retry_row(
        shared: &Shared,
        (name, summary): (&str, &str),
        kind: Kind,
        over_redis: bool,
        flaw: &'static str,
    ) -> Row {
        let shared = shared.clone();
        Row::new(name, summary, kind, move || celery(&shared, over_redis, flaw)).only(&[RETRY])
    }

    /// The service under gunicorn, its worker, and a Redis that keeps the queue on the disk; mustdo starts the two servers.
    fn jobs(flaw: &str) -> Subject {
        let folder = tempfile::tempdir().unwrap();
        let (redis, web) = (free_port(), free_port());
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let env: BTreeMap<String, String> = [
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("REDIS_PORT", redis.to_string()),
            ("WEB_PORT", web.to_string()),
            ("FLAW", flaw.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let launch = |run: Vec<String>, ready: Option<&str>| Launch {
            run,
            cwd: None,
            env: env.clone(),
            ready: ready.map(str::to_owned),
            ready_timeout: READY_TIMEOUT,
        };
        let path = folder.path().to_str().unwrap();
        let (redis_port, bind) = (redis.to_string(), format!("127.0.0.1:{web}"));
        let broker = text(&[
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            &redis_port,
            "--dir",
            path,
            "--save",
            "",
        ]);
        let kept = text(&["--appendonly", "yes", "--appendfsync", "always"]);
        let gunicorn = Path::new(&python()).with_file_name("gunicorn");
        let sources = servers();
        // One process: a list in it is the same for every request.
        let service = text(&[
            gunicorn.to_str().unwrap(),
            "jobs:application",
            "--bind",
            &bind,
            "--worker-class=gthread",
            "--no-control-socket",
            "--workers=1",
            "--threads=16",
            "--chdir",
            sources.to_str().unwrap(),
        ]);
        let script = sources.join("jobs.py");
        let worker = Place::Command {
            program: python(),
            args: text(&["-B", script.to_str().unwrap()]),
            env: env.clone(),
            cwd: None,
        };
        let local = |port| Address { host: "127.0.0.1".to_owned(), port: Some(port) };
        Subject::default()
            .with("broker", Place::Tcp(local(redis)), Some(launch([broker, kept].concat(), None)))
            .with(
                "web",
                Place::Http { address: local(web), prefix: String::new() },
                Some(launch(service, Some("/effects"))),
            )
            .with("worker", worker, None)
            .keeping(folder)
    }

    fn jobs_row(name: &str, summary: &str, kind: Kind, flaw: &'static str) -> Row {
        Row::new(name, summary, kind, move || jobs(flaw)).only(&[ACCEPT])
    }

    /// The workers over pika.
    fn worker_rows(shared: &Shared) -> Vec<Row> {
        let mut rows = vec![worker_row(
            shared,
            "worker.py",
            "Acknowledges after the work, does nothing twice, and puts aside what it can not read.",
            Kind::Good,
            None,
        )];
        for (flaw, summary) in WORKER_FLAWS {
            let kind = Kind::Flaw(vec![ACK]);
            rows.push(worker_row(shared, &format!("worker.py/{flaw}"), summary, kind, Some(flaw)).slow());
        }
        for (flaw, summary) in [
            ("not-idempotent", "Does a message again that was done before."),
            ("silent-about-poison", "Throws away what it can not read, without a word."),
        ] {
            let kind = Kind::Weak(vec![ACK]);
            rows.push(worker_row(shared, &format!("worker.py/{flaw}"), summary, kind, Some(flaw)).slow());
        }
        rows.extend([
            open_worker_row(
                shared,
                (
                    "worker.py, open file",
                    "Keeps its file of effects open; the check is told which work fails.",
                ),
                Kind::Good,
                None,
                true,
            ),
            open_worker_row(
                shared,
                ("worker.py, open file/acks-in-finally", "The same, and acknowledges also what failed."),
                Kind::Flaw(vec![ACK]),
                Some("acks-in-finally"),
                true,
            ),
            open_worker_row(
                shared,
                ("worker.py, open file/untold", "The same, and the check is not told which work fails."),
                Kind::Flaw(vec![ACK]),
                Some("acks-in-finally"),
                false,
            )
            .slow(),
        ]);
        rows
    }

    /// The publishers over pika.
    fn publisher_rows(shared: &Shared) -> Vec<Row> {
        let mut rows = Vec::new();
        rows.push(publisher_row(
            shared,
            ("publish.py", "Publishes a persistent, mandatory message to a durable queue, and waits for its confirmation."),
            Kind::Good,
            &[],
        ));
        rows.push(publisher_row(
            shared,
            (
                "publish.py, transaction",
                "The same in a transaction, as AMQP 0-9-1 has it without extensions.",
            ),
            Kind::Odd,
            &["--transaction"],
        ));
        let name = "publish.py, own broker";
        let summary = "The same with a broker that the check starts again, twice.";
        rows.push(Row::new(name, summary, Kind::Odd, restarted_publisher).only(&[DURABLE]).slow());
        for (flaw, summary) in PUBLISH_FLAWS {
            let shared = shared.clone();
            let start = move || publisher(&shared, &["--flaw", flaw]);
            let row = Row::new(format!("publish.py/{flaw}"), summary, Kind::Flaw(vec![DURABLE]), start);
            rows.push(row.only(&[DURABLE]).slow());
        }
        for (flaw, summary) in [
            ("not-mandatory", "Does not ask whether a queue took the message."),
            ("no-dead-letters", "Declares the queue without a place for dead letters."),
        ] {
            let shared = shared.clone();
            let start = move || publisher(&shared, &["--flaw", flaw]);
            let row = Row::new(format!("publish.py/{flaw}"), summary, Kind::Weak(vec![DURABLE]), start);
            rows.push(row.only(&[DURABLE]).slow());
        }
        rows
    }

    /// The application of Celery, killed.
    fn celery_rows(shared: &Shared) -> Vec<Row> {
        let mut rows = Vec::new();
        rows.push(celery_row(
            shared,
            "celery_app.py",
            "Acknowledges late, and does nothing twice; over RabbitMQ.",
            Kind::Good,
            (false, ""),
        ));
        rows.push(celery_row(
            shared,
            "celery_app.py, Redis",
            "The same over Redis, which gives back after four seconds what nobody acknowledged.",
            Kind::Good,
            (true, ""),
        ));
        for (flaw, summary) in CELERY_FLAWS {
            let kind = Kind::Flaw(vec![CELERY]);
            let row = celery_row(shared, &format!("celery_app.py/{flaw}"), summary, kind, (false, flaw));
            rows.push(row.slow());
        }
        for (flaw, summary) in [
            ("early-ack", "Acknowledges early, over Redis."),
            (
                "an-hour",
                "Redis gives back only after an hour what nobody acknowledged: that can not be waited for.",
            ),
        ] {
            let kind = Kind::Flaw(vec![CELERY]);
            let row =
                celery_row(shared, &format!("celery_app.py, Redis/{flaw}"), summary, kind, (true, flaw));
            rows.push(row.slow());
        }
        rows
    }

    /// The application of Celery, and what it calls.
    fn retry_rows(shared: &Shared) -> Vec<Row> {
        let mut rows = Vec::new();
        rows.push(retry_row(
            shared,
            (
                "celery_app.py, calls",
                "Calls another service, and tries again later each time, three times; over RabbitMQ.",
            ),
            Kind::Good,
            false,
            "",
        ));
        rows.push(retry_row(
            shared,
            ("celery_app.py, calls, Redis", "The same over Redis."),
            Kind::Good,
            true,
            "",
        ));
        let by_hand = shared.clone();
        let start = move || celery(&by_hand, false, "").asked_with(json!({ "task": "tasks.call_by_hand" }));
        rows.push(
            Row::new(
                "celery_app.py, calls by hand",
                "Says itself when it is to be tried again (`self.retry(countdown=…)`), without a random part.",
                Kind::Good,
                start,
            )
            .only(&[RETRY]),
        );
        for (flaw, summary) in RETRY_FLAWS {
            let name = format!("celery_app.py, calls/{flaw}");
            rows.push(retry_row(shared, (&name, summary), Kind::Flaw(vec![RETRY]), false, flaw).slow());
        }
        for (flaw, summary) in RETRY_WEAK {
            let name = format!("celery_app.py, calls/{flaw}");
            rows.push(retry_row(shared, (&name, summary), Kind::Weak(vec![RETRY]), false, flaw).slow());
        }
        rows
    }

    /// The service that takes jobs.
    fn jobs_rows() -> Vec<Row> {
        let mut rows = Vec::new();
        rows.push(jobs_row(
            "jobs.py",
            "Puts jobs into a queue, and a worker takes each out of it when it is done.",
            Kind::Good,
            "",
        ));
        for (flaw, summary) in JOBS_FLAWS {
            let kind = Kind::Flaw(vec![ACCEPT]);
            rows.push(jobs_row(&format!("jobs.py/{flaw}"), summary, kind, flaw).slow());
        }
        rows.push(
            jobs_row(
                "jobs.py/not-idempotent",
                "Does a job again that was done before.",
                Kind::Weak(vec![ACCEPT]),
                "not-idempotent",
            )
            .slow(),
        );
        rows
    }

    fn matrix() -> Matrix {
        let shared = Shared::default();
        let rows = [
            worker_rows(&shared),
            publisher_rows(&shared),
            celery_rows(&shared),
            retry_rows(&shared),
            jobs_rows(),
        ];
        Matrix {
            plugin: PLUGIN,
            page: PLUGIN,
            introduction: "\
Workers in Python (`tests/servers/mq`, over pika, Celery and Redis); the check starts and kills them. Those over pika and Celery
share one RabbitMQ and one Redis, each with a queue of its own; each service that takes jobs has a Redis of its own, which is
stopped. These run with the feature `live-servers`.",
            columns: columns(),
            rows: rows.into_iter().flatten().collect(),
            entangled: vec![],
        }
    }

    #[test]
    fn every_cell_is_as_it_must_be() {
        matrix().prove();
    }

    #[test]
    fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
        matrix().repeat_the_good(2);
    }
}
