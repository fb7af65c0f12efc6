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
    use std::{collections::BTreeMap, path::Path, sync::Arc};

    use mustdo::model::{Address, Launch, Place};
    use serde_json::json;

    use super::{GUARD, PLUGIN, SMOKE, columns};
    use crate::database::Database;
    use crate::launch::READY_TIMEOUT;
    use crate::proof::{Kind, Matrix, Row, Subject};

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
            ("DB_PORT", database.address().port().to_string()),
            ("DB_NAME", schema.to_owned()),
            ("FLAW", flaw.to_owned()),
        ];
        let launch = Launch {
            run: words.map(str::to_owned).to_vec(),
            cwd: None,
            env: env.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
            ready: Some("/".to_owned()),
            ready_timeout: READY_TIMEOUT,
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
            of(
                "looks-first",
                "The service looks whether the number is there, answers 409 if so, and inserts: of many at once one row is made, and those whom the unique key stops get 500.",
                guard(),
                GOOD,
            ),
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
        matrix().repeat_the_good(3);
    }
}
