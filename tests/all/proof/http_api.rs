//! `http-api` against the reference service `api`.

use std::time::Duration;

use mustdo::model::{Address, Launch, Place};
use mustdo_reference::api::{Flaw, Service};
use serde_json::{Value, json};

use crate::launch::READY_TIMEOUT;

use super::{Column, Entangled, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told, reference};

const PLUGIN: &str = "http-api";

/// One way to look at a service.
pub(crate) const BASICS: &str = "http-basics";
pub(crate) const BASICS_FULL: &str = "http-basics, full";
pub(crate) const CRUD: &str = "rest-crud";
pub(crate) const CRUD_FULL: &str = "rest-crud, full";
pub(crate) const ROUTING: &str = "routing";
pub(crate) const PRODUCTION: &str = "production-server";

/// The routes as a learner would copy them.
fn routes() -> Value {
    json!({ "routes": [
        "GET /users", "GET /users/me", "GET /users/<int:id>", "GET /tags/new", "GET,POST /tags/<name>",
        "GET /files/<path:path>", "GET /prices/<float:price>", "GET /shops/<uuid:shop>", "GET,POST /list/",
    ] })
}

fn columns() -> Vec<Column> {
    let full = |label, check, params| Column { label, ..Column::new(check, params) };
    vec![
        Column::new(BASICS, json!({})),
        full(BASICS_FULL, BASICS, json!({ "profile": "full", "post_path": "/notes" })),
        Column::new(CRUD, json!({})),
        full(CRUD_FULL, CRUD, json!({ "profile": "full" })),
        Column::new(ROUTING, routes()),
        Column::new(PRODUCTION, json!({ "error_path": "/broken", "slow_path": "/slow" })),
    ]
}

/// The columns that must not pass a flaw: every way to ask its checks, or the full one where the minimal does not look.
fn refused_by(flaw: Flaw) -> Vec<&'static str> {
    let only_full = matches!(flaw, Flaw::TakesTwoLengths | Flaw::NoHostNeeded | Flaw::PutMerges);
    let labels = flaw.refused_by().iter().flat_map(|check| match *check {
        BASICS if only_full => vec![BASICS_FULL],
        BASICS => vec![BASICS, BASICS_FULL],
        CRUD if only_full => vec![CRUD_FULL],
        CRUD => vec![CRUD, CRUD_FULL],
        ROUTING => vec![ROUTING],
        PRODUCTION => vec![PRODUCTION],
        _ => vec![],
    });
    labels.collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others say themselves what refuses them")]
fn kind(flaw: Flaw) -> Option<Kind> {
    match flaw {
        Flaw::AlwaysFails | Flaw::ConstantPage | Flaw::AlwaysMissing => Some(Kind::Trap),
        Flaw::NoAllow => Some(Kind::Weak(vec![BASICS_FULL])),
        Flaw::MissingMethod => Some(Kind::Weak(vec![CRUD, CRUD_FULL])),
        // Only the end of a process shows it.
        Flaw::DropsRunning => None,
        _ => Some(refused_by(flaw)).filter(|labels| !labels.is_empty()).map(Kind::Flaw),
    }
}

fn row(flaw: Option<Flaw>, kind: Kind) -> Row {
    let name = flaw.map_or("good", Flaw::name);
    let summary = flaw.map_or("The good service.", Flaw::summary);
    let row = Row::new(name, summary, kind, move || {
        let service = Service::start(flaw);
        Subject::http("api", service.address()).keeping(service)
    });
    let waits = matches!(flaw, Some(Flaw::OneAtATime | Flaw::TwoWorkers | Flaw::EightThreads));
    if waits { row.slow() } else { row }
}

/// The service as a process that mustdo starts, and may stop.
fn process(flaw: Option<Flaw>, kind: Kind) -> Row {
    let name = flaw.map_or("good", Flaw::name);
    let summary = flaw.map_or("The good service.", Flaw::summary);
    Row::new(name, summary, kind, move || {
        let mut run = vec![reference().to_owned(), "api".to_owned(), "{port}".to_owned()];
        run.extend(flaw.map(|flaw| flaw.name().to_owned()));
        let address = Address { host: "127.0.0.1".to_owned(), port: None };
        let launch = Launch {
            run,
            cwd: None,
            env: std::collections::BTreeMap::new(),
            ready: Some("/".to_owned()),
            ready_timeout: READY_TIMEOUT,
        };
        Subject::default().with("api", Place::Http { address, prefix: String::new() }, Some(launch))
    })
}

pub(crate) fn matrix() -> Matrix {
    let flawed = Flaw::ALL.iter().filter_map(|flaw| Some(row(Some(*flaw), kind(*flaw)?)));
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
Every service is the reference program `api`, inside the test, with one thing different. `http-basics` and `rest-crud` are
asked twice, with the minimal and the full profile: a mistake that the minimal one does not look for is refused by the full
one. `missing-method` is what the JSON stores of the field get wrong; that they answer 404 to a PUT of an id that nobody has is
their right, and no mistake.",
        columns: columns(),
        rows: std::iter::once(row(None, Kind::Good)).chain(flawed).collect(),
        entangled: entangled(),
    }
}

fn entangled() -> Vec<Entangled> {
    let all_ok = "nothing is ever refused, missing or created there";
    let of = |row: &'static str, reason: &'static str, columns: &[&'static str]| {
        columns.iter().map(move |column| Entangled { row, column, reason }).collect::<Vec<_>>()
    };
    [
        of("always-ok", all_ok, &[CRUD, CRUD_FULL, ROUTING, PRODUCTION]),
        of(
            "no-allow",
            "a routing table is asked which methods a path has, and Allow is where it says so",
            &[ROUTING],
        ),
        of("catch-all", "a path that is not there is answered 200 to everybody", &[BASICS, BASICS_FULL]),
    ]
    .concat()
}

#[test]
fn every_cell_is_as_it_must_be() {
    matrix().prove();
}

#[test]
fn what_ends_in_grace_drops_nothing() {
    let columns = columns().into_iter().filter(|column| column.label == PRODUCTION).collect();
    let matrix = Matrix {
        plugin: PLUGIN,
        page: "http-api-stopped",
        introduction: "\
These services run as processes of their own, and `production-server` may ask them to stop (SIGTERM) while requests run. Without
that permission the step is skipped, and this mistake is not seen.",
        columns,
        rows: vec![
            process(None, Kind::Good),
            process(Some(Flaw::DropsRunning), Kind::Flaw(vec![PRODUCTION])),
        ],
        entangled: vec![],
    };
    matrix.prove();
}

#[test]
fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
    matrix().repeat_the_good(3);
}

#[tokio::test]
async fn where_no_web_service_is_nothing_is_told() {
    let words: &[&str] = &[
        "is it running",
        "did not answer in time",
        "does not speak proper HTTP",
        "is no HTTP",
        "without an answer",
        "is its url right",
    ];
    let cases = [
        Wrong::Closed,
        Wrong::Silent,
        Wrong::Garbage,
        Wrong::Says(b"-ERR unknown command 'GET'\r\n"),
        Wrong::Says(b"J\0\0\0\x0a8.4.0\0\x08\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0"),
    ];
    for wrong in cases {
        let subject = |address| Subject::http("api", address);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(15), words).await;
    }
}
