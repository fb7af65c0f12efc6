//! `smoke`: is the learner's own schema there, and is it sound?
//!
//! Nothing is written. That the schema is the learner's, and not an empty server, is seen by its tables and their rows.

use std::time::Duration;

use mustdo_plugin::service::Advice;
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text, parameters};

use crate::schema::{self, Table};
use crate::session::{Broken, Login, Session, TARGET, named};

const ADVICE: Advice = Advice {
    item: "ground.mysql",
    with: "user = \"app\"\npassword = { env = \"DB_PASSWORD\" }\nschema = \"shop\"",
};

parameters! {
    /// The account, and which schema is the learner's.
    pub struct Smoke {
        /// Who asks.
        user: String = "root".to_owned(),
        /// Its password; in `mustdo.toml` name a variable: `{ env = "DB_PASSWORD" }`.
        password: String = String::new(),
        /// The schema. Empty: the only one beside the server's own.
        schema: String = String::new(),
        /// Tables that there must be.
        #[range(1..=1000)]
        min_tables: u32 = 1,
    }
}

impl Check for Smoke {
    const ID: &'static str = "smoke";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("My own schema answers", "我自己的库能访问"),
            description: Text::new(
                "Connects as your account, finds your schema, and looks at its tables: InnoDB, a primary key, utf8mb4, and a row somewhere. Writes nothing. A good answer: `CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, …) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`, with a row in it. Bind it to a tcp target: `[targets.db]`, `kind = \"tcp\"`, `address = \"127.0.0.1:3306\"`.",
                "用你的账号连接，找到你的库，查看其中的表：InnoDB、有主键、utf8mb4、至少有一行数据。不写入任何内容。合格的例子：`CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, …) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`，并且有一行数据。请绑定 tcp 目标：`[targets.db]`、`kind = \"tcp\"`、`address = \"127.0.0.1:3306\"`。",
            ),
            capabilities: vec![crate::reach_database()],
            typical: Duration::from_secs(3),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let mut report = Report::new(Text::new("your schema is there and sound", "你的库在，而且没有问题"));
        // Where it stopped is in the report.
        let _ = self.judge(context, &mut report);
        report
    }
}

impl Smoke {
    fn judge(&self, context: &Context<'_>, report: &mut Report) -> Option<()> {
        let paste = crate::account(ADVICE);
        let login = Login { user: &self.user, password: &self.password };
        let opened = Session::open(context, login).map_err(|broken| broken.explain(&paste));
        let mut session = report.judge("connect", Need::Must, opened, |session| {
            Text::new(
                format!("{} answers {}", session.version(), self.user),
                format!("{} 接受了 {}", session.version(), self.user),
            )
        })?;
        report.evidence("version", session.version().to_owned());
        let found = schema::find(&mut session, &self.schema, &paste);
        let schema = report.judge("schema", Need::Must, found, |schema| Text::same(schema.clone()))?;
        let tables =
            schema::tables(&mut session, &schema, &paste).and_then(|tables| self.enough(&schema, tables));
        let tables = report.judge("tables", Need::Must, tables, |tables| {
            let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            Text::same(names.join(", "))
        })?;
        let rows = rows(&mut session, &schema, &tables);
        report.judge("rows", Need::Must, rows, |table| {
            Text::new(format!("`{table}` has rows"), format!("`{table}` 有数据"))
        });
        report.judge("innodb", Need::Must, every(&tables, "engine", innodb), |()| Text::same("InnoDB"));
        report.judge("primary-key", Need::Must, every(&tables, "no-primary-key", primary_key), |()| {
            Text::new("every table has a primary key", "每个表都有主键")
        });
        report.judge("utf8mb4", Need::Must, every(&tables, "character-set", utf8mb4), |()| {
            Text::same("utf8mb4")
        });
        Some(())
    }

    fn enough(&self, schema: &str, tables: Vec<Table>) -> Result<Vec<Table>, Fault> {
        let (there, wanted) = (tables.len(), self.min_tables);
        if there >= wanted as usize {
            return Ok(tables);
        }
        let hint = Text::new(
            "create the tables of your service in it; if they are elsewhere, name that schema",
            "在里面建好你的服务要用的表；如果表在别的库里，请写那个库的名字",
        );
        let summary = Text::new(
            format!("the schema `{schema}` has {there} tables, {wanted} at least are needed"),
            format!("库 `{schema}` 有 {there} 个表，至少需要 {wanted} 个"),
        );
        let finding =
            Finding::new(Severity::Problem, "sql-check.few-tables", summary.clone()).at(place()).hint(hint);
        Err(Fault::fail(summary).with(finding))
    }
}

fn place() -> Location {
    Location::Endpoint(TARGET.to_owned())
}

/// Judges every table alike; names all that fall short.
fn every(tables: &[Table], code: &str, wrong: fn(&Table) -> Option<(Text, Text)>) -> Result<(), Fault> {
    let short: Vec<(&Table, (Text, Text))> =
        tables.iter().filter_map(|table| Some((table, wrong(table)?))).collect();
    let Some((first, (what, hint))) = short.first() else { return Ok(()) };
    let others = short.len() - 1;
    let summary = Text::new(
        format!(
            "table `{}`: {}{}",
            first.name,
            what.en,
            if others > 0 { format!(" (and {others} more)") } else { String::new() }
        ),
        format!(
            "表 `{}`：{}{}",
            first.name,
            what.zh,
            if others > 0 { format!("（另有 {others} 个）") } else { String::new() }
        ),
    );
    let names: Vec<&str> = short.iter().map(|(table, _)| table.name.as_str()).collect();
    let message = Text::new(
        format!("asked information_schema; it is so with: {}", names.join(", ")),
        format!("查询 information_schema 得知，这些表都是如此：{}", names.join("、")),
    );
    let finding =
        Finding::new(Severity::Problem, format!("sql-check.{code}"), message).at(place()).hint(hint.clone());
    Err(Fault::fail(summary).with(finding))
}

fn innodb(table: &Table) -> Option<(Text, Text)> {
    (!table.engine.eq_ignore_ascii_case("InnoDB")).then(|| {
        (
            Text::new(
                format!(
                    "its engine is {}, which knows neither transactions nor recovery after a crash",
                    table.engine
                ),
                format!("引擎是 {}，没有事务，崩溃后也不能恢复", table.engine),
            ),
            Text::same(format!("ALTER TABLE {} ENGINE=InnoDB;", named(&table.name))),
        )
    })
}

fn primary_key(table: &Table) -> Option<(Text, Text)> {
    (!table.has_primary_key).then(|| {
        (
            Text::new("it has no primary key, so no row can be named", "没有主键，无法指明某一行"),
            Text::same(format!(
                "ALTER TABLE {} ADD COLUMN id BIGINT AUTO_INCREMENT PRIMARY KEY;",
                named(&table.name)
            )),
        )
    })
}

fn utf8mb4(table: &Table) -> Option<(Text, Text)> {
    table.other_character_set.as_ref().map(|what| {
        (
            Text::new(
                format!("not every text fits ({what}): utf8mb4 is the one that takes every character"),
                format!("有些文字存不下（{what}）：只有 utf8mb4 能存所有字符"),
            ),
            Text::same(format!("ALTER TABLE {} CONVERT TO CHARACTER SET utf8mb4;", named(&table.name))),
        )
    })
}

/// The first table that holds a row.
fn rows(session: &mut Session<'_, '_>, schema: &str, tables: &[Table]) -> Result<String, Fault> {
    let mut denied = None;
    for table in tables {
        let sql = format!("SELECT 1 FROM {}.{} LIMIT 1", named(schema), named(&table.name));
        match session.query(&sql) {
            Ok(rows) if !rows.is_empty() => return Ok(table.name.clone()),
            Ok(_) => {}
            // One table that may not be read is no reason to stop.
            Err(broken @ Broken::Refused(_)) => denied = Some(broken),
            Err(broken) => return Err(broken.explain(&crate::account(ADVICE))),
        }
    }
    if let Some(broken) = denied {
        return Err(broken.explain(&crate::account(ADVICE)));
    }
    let summary =
        Text::new(format!("no table of `{schema}` has a row"), format!("库 `{schema}` 里没有任何数据"));
    let hint = Text::new("let your service write something into it first", "先让你的服务写入一些数据");
    let finding =
        Finding::new(Severity::Problem, "sql-check.no-rows", summary.clone()).at(place()).hint(hint);
    Err(Fault::fail(summary).with(finding))
}
