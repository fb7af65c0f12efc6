//! `net` against the reference server of streams as a process of its own.

use mustdo::model::{Address, Place};
use mustdo_reference::tcp::Flaw;
use serde_json::json;

use super::{
    Column, Kind, Matrix, Row, Subject,
    net::{PLUGIN, STREAM, columns, dialect, is_of_a_process, launch, own_check},
    reference,
};

/// Those that look at the server's process, or need more descriptors than the tests may share.
const PROCESS: [&str; 6] =
    ["half-close", "error-survival", "close-wait", "time-wait", "beyond-select", "suite"];

/// Whether the suite has a check for a part.
fn is_part(check: &str) -> bool {
    check == "beyond-select" || (check != "time-wait" && STREAM.contains(&check))
}

/// The server as a process that mustdo starts.
fn process(name: &str, summary: &str, kind: Kind, flaw: Option<Flaw>) -> Row {
    process_behind(&[], name, summary, kind, flaw)
}

/// The same with few descriptors.
fn small_process(name: &str, summary: &str, kind: Kind, flaw: Option<Flaw>) -> Row {
    process_behind(&["sh", "-c", "ulimit -n 200; exec \"$0\" \"$@\""], name, summary, kind, flaw)
}

/// The same, started by another program, whose last arguments it is.
fn process_behind(
    starter: &'static [&str],
    name: &str,
    summary: &str,
    kind: Kind,
    flaw: Option<Flaw>,
) -> Row {
    Row::new(name, summary, kind, move || {
        let run = starter.iter().copied().chain([reference(), "tcp", "{port}"]);
        let run = run.chain(flaw.map(Flaw::name)).map(str::to_owned).collect();
        let address = Address { host: "127.0.0.1".to_owned(), port: None };
        Subject::default()
            .with("socket", Place::Tcp(address), Some(launch(run)))
            .asked_with(dialect(flaw.map(Flaw::framing).unwrap_or_default()))
    })
}

fn processes() -> Matrix {
    let few =
        small_process("lines-few-descriptors", "The good server, with 200 descriptors.", Kind::Good, None);
    let shared = process(
        "shares-port-as-declared",
        "A server whose copies share its port, and are declared to: no second copy is tried.",
        Kind::Odd,
        Some(Flaw::SharesPort),
    );
    let mut rows = vec![
        process("lines", "The good server of lines.", Kind::Good, None),
        few.only(&["error-survival"]),
        shared.only(&["declared"]),
    ];
    for flaw in Flaw::ALL.iter().copied().filter(|flaw| is_of_a_process(*flaw)) {
        let own = own_check(flaw.name()).unwrap();
        let start = if flaw == Flaw::SpinsWhenFull { small_process } else { process };
        let row = start(flaw.name(), flaw.summary(), Kind::Flaw(vec![own]), Some(flaw));
        // What only the whole refuses, each part passes.
        rows.push(row.only(if own == "suite" { &PROCESS } else { std::slice::from_ref(&own) }).slow());
    }
    let mut columns = columns(&PROCESS);
    columns.push(Column { label: "declared", ..Column::new("time-wait", json!({ "shares_port": true })) });
    Matrix {
        plugin: PLUGIN,
        page: "net-process",
        introduction: "\
Every server is the reference server of lines as a process of its own, which mustdo starts: the checks may look at its
descriptors, its sockets and its processor time, kill it and start it again.",
        columns,
        rows,
        entangled: vec![],
    }
}

/// What one part refuses, the whole does.
fn suite() -> Matrix {
    // Waiting replies cost score in their part, and few descriptors leave no room for another part.
    let is_asked = |flaw: &Flaw| !matches!(flaw, Flaw::Unbounded | Flaw::SpinsWhenFull);
    let is_of_a_part = |flaw: &Flaw| own_check(flaw.name()).is_some_and(is_part);
    let flaws = Flaw::ALL.iter().copied().filter(|flaw| is_of_a_part(flaw) && is_asked(flaw));
    let row = |flaw: Flaw| {
        // The parts come in the order of the seed, and the first that sees it may only not be able to tell.
        process(flaw.name(), flaw.summary(), Kind::Flaw(vec!["suite"]), Some(flaw)).depending_on_load().slow()
    };
    let good = process("lines", "The good server of lines.", Kind::Good, None);
    Matrix {
        plugin: PLUGIN,
        page: "net-suite",
        introduction: "\
Every server is the reference server as a process of its own with a mistake that a part of the suite is for. Which part sees it
first depends on the order, which is the seed's; the [page of processes](net-process.md) has the mistakes that only the whole
sees.",
        columns: columns(&["suite"]),
        rows: std::iter::once(good).chain(flaws.map(row)).collect(),
        entangled: vec![],
    }
}

#[test]
fn every_process_is_told() {
    processes().prove();
}

#[test]
fn every_mistake_of_a_part_is_told_by_the_whole() {
    suite().prove();
}
