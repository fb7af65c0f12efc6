//! `sql-check`: what is no database tells nothing, and, with live servers, both checks on a `MariaDB` of their own.

use std::time::Duration;

use serde_json::json;

use super::{Column, Subject, Wrong, expect_nothing_told};

const PLUGIN: &str = "sql-check";

const SMOKE: &str = "smoke";
const GUARD: &str = "unique-guard";

fn columns() -> Vec<Column> {
    vec![Column::new(SMOKE, json!({})), Column::new(GUARD, json!({}))]
}

#[tokio::test]
async fn where_no_database_is_nothing_is_told() {
    let foreign = "not the protocol of MySQL";
    let cases: [(Wrong, u64, &[&str]); 7] = [
        (Wrong::Closed, 2, &["no connection to the database"]),
        (Wrong::Silent, 12, &["MySQL speaks first"]),
        // It waits for a request, as we wait for its greeting.
        (Wrong::Web, 12, &["MySQL speaks first"]),
        (Wrong::Garbage, 12, &[foreign]),
        (Wrong::Says(b"E\0\0\0\x20SFATAL\0C0A000\0Munsupported\0\0"), 12, &["PostgreSQL"]),
        (Wrong::Says(b"-ERR unknown command\r\n"), 12, &["Redis"]),
        (Wrong::Says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), 12, &["web server"]),
    ];
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::tcp("db", address);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

/// A `MariaDB` for one test, and the service in front of it.
#[cfg(feature = "live-servers")]
mod live {
    use std::{
        collections::BTreeMap,
        fs::File,
        net::{Ipv4Addr, SocketAddr, TcpListener},
        path::Path,
        process::{Child, Command, Stdio},
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        thread,
        time::{Duration, Instant},
    };

    use mustdo::model::{Address, Launch, Place};
    use serde_json::json;
    use tempfile::TempDir;

    use super::{GUARD, PLUGIN, SMOKE, columns};
    use crate::proof::{Kind, Matrix, Row, Subject};

    /// How long the server may take to come up.
    const PATIENCE: Duration = Duration::from_secs(40);

    /// The table as it should be; each part of it is what a flaw changes.
    const GOOD: Definition = Definition {
        id: "id BIGINT AUTO_INCREMENT PRIMARY KEY",
        no: "no VARCHAR(64) NOT NULL",
        key: ", UNIQUE KEY uq_no (no)",
        engine: "InnoDB",
        character_set: "utf8mb4",
        rows: true,
    };

    #[derive(Clone, Copy)]
    struct Definition {
        id: &'static str,
        no: &'static str,
        key: &'static str,
        engine: &'static str,
        character_set: &'static str,
        rows: bool,
    }

    impl Definition {
        fn statements(self) -> String {
            let Self { id, no, key, engine, character_set, rows } = self;
            let table = format!(
                "CREATE TABLE orders ({id}, user_id BIGINT NOT NULL, {no}, sku VARCHAR(64) NOT NULL, quantity INT NOT NULL, \
                 created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6){key}) \
                 ENGINE={engine} DEFAULT CHARSET={character_set};"
            );
            let row = "INSERT INTO orders (user_id, no, sku, quantity) VALUES (1, 'first', 'cup', 1);";
            format!("{table} {}", if rows { row } else { "" })
        }
    }

    /// A server with a data directory of its own; it ends with the test.
    struct Database {
        server: Child,
        port: u16,
        schemas: AtomicU32,
        folder: TempDir,
    }

    impl Database {
        fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            let log = File::create(folder.path().join("log")).unwrap();
            let own = format!("--datadir={}", data.display());
            // The server refuses to be root by accident.
            let user = rustix::process::getuid().is_root().then_some("--user=root");
            let made = Command::new("mariadb-install-db")
                .args(["--no-defaults", "--auth-root-authentication-method=normal", &own])
                .args(user)
                .stdout(log.try_clone().unwrap())
                .stderr(log.try_clone().unwrap())
                .status()
                .expect("mariadb-install-db: install mariadb-server-core");
            assert!(made.success(), "{}", told(folder.path()));
            let port = free_port();
            let server = Command::new("mariadbd")
                .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin", &own])
                .arg(format!("--port={port}"))
                .arg(format!("--socket={}", folder.path().join("socket").display()))
                .args(["--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"])
                .args(user)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let database = Self { server, port, schemas: AtomicU32::new(0), folder };
            let deadline = Instant::now() + PATIENCE;
            while !database.run("SELECT 1;") {
                assert!(Instant::now() < deadline, "{}", told(database.folder.path()));
                thread::sleep(Duration::from_millis(100));
            }
            database
        }

        /// Whether the statements succeed.
        fn run(&self, sql: &str) -> bool {
            let port = format!("--port={}", self.port);
            let client = Command::new("mariadb")
                .args(["--no-defaults", "--host=127.0.0.1", "--user=root", &port, "--execute", sql])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            client.expect("mariadb: install mariadb-client-core").success()
        }

        /// A schema that nobody else has.
        fn schema(&self, statements: &str) -> String {
            let name = format!("shop_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
            let sql = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4; USE {name}; {statements}");
            assert!(self.run(&sql), "{sql}");
            name
        }

        fn address(&self) -> SocketAddr {
            (Ipv4Addr::LOCALHOST, self.port).into()
        }
    }

    impl Drop for Database {
        fn drop(&mut self) {
            // An error means that it is gone already.
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    fn told(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("log")).unwrap_or_default()
    }

    fn free_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    /// The orders in Flask under gunicorn, which mustdo starts.
    fn service(database: &Database, schema: &str, flaw: &str) -> (Place, Launch) {
        let venv =
            std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
        let gunicorn = Path::new(&venv).join("bin/gunicorn");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/sql");
        let words = [
            gunicorn.to_str().unwrap(),
            "orders:application",
            "--bind=127.0.0.1:{port}",
            "--worker-class=gthread",
            "--no-control-socket",
            "--workers=2",
            "--threads=16",
            "--chdir",
            source.to_str().unwrap(),
        ];
        let env = [
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("DB_PORT", database.port.to_string()),
            ("DB_NAME", schema.to_owned()),
            ("FLAW", flaw.to_owned()),
        ];
        let launch = Launch {
            run: words.map(str::to_owned).to_vec(),
            cwd: None,
            env: env.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            ready: Some("/".to_owned()),
            ready_timeout: Launch::READY_TIMEOUT,
        };
        let address = Address { host: "127.0.0.1".to_owned(), port: None };
        (Place::Http { address, prefix: String::new() }, launch)
    }

    fn row(
        database: &Arc<Database>,
        name: &'static str,
        summary: &str,
        kind: Kind,
        definition: Definition,
    ) -> Row {
        let database = Arc::clone(database);
        Row::new(name, summary, kind, move || {
            let schema = database.schema(&definition.statements());
            let (place, launch) = service(&database, &schema, name);
            Subject::tcp("db", database.address())
                .with("api", place, Some(launch))
                .asked_with(json!({ "schema": schema }))
        })
    }

    fn matrix() -> Matrix {
        let database = Arc::new(Database::start());
        let smoke = || Kind::Flaw(vec![SMOKE]);
        let guard = || Kind::Flaw(vec![GUARD]);
        let of = |name, summary: &str, kind, definition| row(&database, name, summary, kind, definition);
        let no_key = Definition { key: "", ..GOOD };
        let empty = Arc::clone(&database);
        let rows = vec![
            of(
                "good",
                "The good table, and a service that inserts and catches error 1062.",
                Kind::Good,
                GOOD,
            ),
            Row::new("schema-empty", "The schema has no table.", smoke(), move || {
                let schema = empty.schema("");
                Subject::tcp("db", empty.address()).asked_with(json!({ "schema": schema }))
            })
            .only(&[SMOKE]),
            of("no-rows", "No table has a row.", smoke(), Definition { rows: false, ..GOOD }),
            of("my-isam", "The table is MyISAM.", smoke(), Definition { engine: "MyISAM", ..GOOD }),
            of(
                "no-primary-key",
                "The table has no primary key.",
                smoke(),
                Definition {
                    id: "id BIGINT NOT NULL AUTO_INCREMENT",
                    key: ", UNIQUE KEY uq_no (no), KEY (id)",
                    ..GOOD
                },
            ),
            of("latin1", "The table holds latin1.", smoke(), Definition { character_set: "latin1", ..GOOD }),
            of(
                "latin1-column",
                "One column of the table holds latin1.",
                smoke(),
                Definition { no: "no VARCHAR(64) CHARACTER SET latin1 NOT NULL", ..GOOD },
            ),
            of(
                "select-then-insert",
                "The service looks whether the number is there and then inserts; no unique key stands behind.",
                guard(),
                no_key,
            ),
            of(
                "no-unique-key",
                "The number has an index that is not unique.",
                guard(),
                Definition { key: ", KEY (no)", ..GOOD },
            ),
            of(
                "nullable",
                "The unique key is on a column that may be NULL.",
                guard(),
                Definition { no: "no VARCHAR(64) NULL", ..GOOD },
            ),
            of(
                "wider-key",
                "The unique key holds the user and the time as well.",
                guard(),
                Definition { key: ", UNIQUE KEY uq_no (user_id, no, created_at)", ..GOOD },
            ),
            of("losers-500", "Whoever comes second gets 500.", guard(), GOOD),
            of("insert-ignore", "INSERT IGNORE hides the duplicate and every other error.", guard(), GOOD),
        ];
        Matrix {
            plugin: PLUGIN,
            page: PLUGIN,
            introduction: "\
Each cell has a schema of its own on a real MariaDB, with the service of `tests/servers/sql` (Flask and PyMySQL under gunicorn,
two workers of 16 threads) in front of it. These run with the feature `live-servers`.",
            columns: columns(),
            rows,
            entangled: vec![],
        }
    }

    #[test]
    fn every_cell_is_as_it_must_be() {
        matrix().prove();
    }

    #[test]
    fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
        matrix().repeat_the_good(10);
    }
}
