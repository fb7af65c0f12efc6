//! A `MariaDB` of a test's own: `mariadb-server-core` and `mariadb-client-core`.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::launch::{PATIENCE, free_port};

/// Connections at once, 151 by default: a dozen services under test with 32 threads each have more.
const CONNECTIONS: &str = "--max-connections=1000";

/// The log of changes, 96 MiB by default: a folder that is small can be read as a whole.
const SMALL: &str = "--innodb-log-file-size=8M";

/// A server with a data directory of its own; it ends with the test.
pub(crate) struct Database {
    server: Child,
    /// On 127.0.0.1.
    pub(crate) port: u16,
    schemas: AtomicU32,
    folder: TempDir,
}

impl Database {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let log = File::create(folder.path().join("log")).unwrap();
        let own = format!("--datadir={}", data.display());
        // The server refuses to be root by accident.
        let user = rustix::process::getuid().is_root().then_some("--user=root");
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", SMALL, &own])
            .args(user)
            .stdout(log.try_clone().unwrap())
            .stderr(log.try_clone().unwrap())
            .status()
            .expect("mariadb-install-db: install mariadb-server-core");
        assert!(made.success(), "{}", told(folder.path()));
        let port = free_port();
        let server = Command::new("mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin", SMALL, &own])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .args([CONNECTIONS, "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"])
            .args(user)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let database = Self { server, port, schemas: AtomicU32::new(0), folder };
        let deadline = Instant::now() + PATIENCE;
        while database.run("SELECT 1;").is_err() {
            assert!(Instant::now() < deadline, "{}", told(database.folder.path()));
            thread::sleep(Duration::from_millis(100));
        }
        database
    }

    /// Where it keeps its rows.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs statements; what the client said where one of them failed.
    pub(crate) fn run(&self, sql: &str) -> Result<(), String> {
        let port = format!("--port={}", self.port);
        let client = Command::new("mariadb")
            .args(["--no-defaults", "--host=127.0.0.1", "--user=root", &port, "--execute", sql])
            .output()
            .expect("mariadb: install mariadb-client-core");
        if client.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&client.stderr).into_owned())
        }
    }

    /// A schema that nobody else has.
    pub(crate) fn schema(&self, statements: &str) -> String {
        let name = format!("shop_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name}; {statements}");
        self.run(&sql).unwrap_or_else(|said| panic!("{sql}\n{said}\n{}", told(self.folder.path())));
        name
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        #[expect(clippy::print_stderr, reason = "what the database said is part of what a failure needs")]
        if let Ok(Some(status)) = self.server.try_wait() {
            eprintln!("the database had ended with {status}:\n{}", told(self.folder.path()));
        }
        // An error means that it is gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn told(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
