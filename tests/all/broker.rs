//! A `RabbitMQ` of a test's own: `rabbitmq-server`.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

#[cfg(feature = "live-servers")]
use mustdo::model::Launch;
use tempfile::TempDir;

use crate::launch::{PATIENCE, READY_TIMEOUT, free_port};

/// Where Debian keeps the script that starts the broker as whoever calls it; the one in the path wants to be root.
const RABBITMQ: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A broker with a folder and a port mapper of its own; both end with it.
pub(crate) struct Broker {
    mapper: Child,
    server: Child,
    /// On 127.0.0.1.
    pub(crate) port: u16,
    names: AtomicU32,
    folder: TempDir,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let log = File::create(path.join("log")).unwrap();
        prepare(path);
        let ports = [(); 3].map(|()| free_port());
        let [port, _, mapping] = ports;
        // Where one runs already, the broker starts none that would outlive it.
        let mapper = Command::new("epmd")
            .args(["-port", &mapping.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .spawn()
            .expect("epmd: install rabbitmq-server");
        let server = Command::new(RABBITMQ)
            .arg("-noinput")
            .envs(environment(path, ports))
            // So the script becomes the server, and no shell stands before it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("rabbitmq-server: install it");
        let mut broker = Self { mapper, server, port, names: AtomicU32::new(0), folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(broker.address()).is_err() {
            let ended = broker.server.try_wait().unwrap().is_some();
            let log = || fs::read_to_string(broker.folder.path().join("log")).unwrap_or_default();
            assert!(!ended && Instant::now() < deadline, "{}", log());
            thread::sleep(Duration::from_millis(100));
        }
        broker
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A queue that nobody else has.
    pub(crate) fn queue(&self) -> String {
        format!("jobs{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        for process in [&mut self.server, &mut self.mapper] {
            // An error means that it is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A broker that mustdo starts, with its data in this folder, and the port it takes; its port mapper ends with its guard.
#[cfg(feature = "live-servers")]
pub(crate) fn launch(folder: &Path) -> (u16, Launch) {
    prepare(folder);
    let ports = [(); 3].map(|()| free_port());
    let env = environment(folder, ports).map(|(name, value)| (name.to_owned(), value)).into();
    let run = [RABBITMQ, "-noinput"].map(str::to_owned).to_vec();
    let ready_timeout = READY_TIMEOUT;
    (ports[0], Launch { run, cwd: None, env, ready: None, ready_timeout })
}

/// What a broker reads in its folder: nothing of the machine's own.
fn prepare(folder: &Path) {
    fs::write(folder.join("plugins"), "[].").unwrap();
    fs::write(folder.join("environment"), "").unwrap();
    fs::write(folder.join("rabbitmq.conf"), "log.console = true\nlog.file = false\n").unwrap();
}

/// The variables of a broker with its folder, and its ports: its own, that of Erlang, and that of the port mapper.
fn environment(folder: &Path, [port, distribution, mapping]: [u16; 3]) -> [(&'static str, String); 12] {
    let within = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    [
        ("HOME", folder.to_str().unwrap().to_owned()),
        ("ERL_EPMD_PORT", mapping.to_string()),
        ("RABBITMQ_NODENAME", format!("mustdo{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution.to_string()),
        ("RABBITMQ_MNESIA_BASE", within("data")),
        ("RABBITMQ_LOG_BASE", within("logs")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", within("plugins")),
        ("RABBITMQ_CONFIG_FILE", within("rabbitmq")),
        ("RABBITMQ_CONF_ENV_FILE", within("environment")),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none".to_owned()),
    ]
}
