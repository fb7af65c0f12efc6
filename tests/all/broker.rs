//! A `RabbitMQ` of a test's own: `rabbitmq-server`.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long the broker may take to come up.
const PATIENCE: Duration = Duration::from_mins(3);

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
        fs::write(path.join("plugins"), "[].").unwrap();
        fs::write(path.join("environment"), "").unwrap();
        fs::write(path.join("rabbitmq.conf"), "log.console = true\nlog.file = false\n").unwrap();
        let [port, distribution, mapping] = free_ports();
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
            .env("HOME", path)
            .env("ERL_EPMD_PORT", mapping.to_string())
            .env("RABBITMQ_NODENAME", format!("mustdo{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", path.join("data"))
            .env("RABBITMQ_LOG_BASE", path.join("logs"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", path.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", path.join("environment"))
            // So the script becomes the server, and no shell stands before it.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
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

/// Ports that are free now, all different.
pub(crate) fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
