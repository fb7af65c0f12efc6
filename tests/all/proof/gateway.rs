//! `gateway` against the reference service `api`.

use std::time::Duration;

use mustdo_reference::api::{Flaw, Service};
use serde_json::json;

use super::{Column, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told};

const PLUGIN: &str = "gateway";

pub(crate) const SLOW: &str = "slow-clients";
pub(crate) const RATE: &str = "rate-limit";

pub(crate) fn columns() -> Vec<Column> {
    let slow = json!({ "post_path": "/notes", "large_path": "/big", "conns": 40, "let_go_s": 4 });
    let rate = json!({ "path": "/limited", "counter": "GET /counter", "count": "/carried_out" });
    vec![Column::new(SLOW, slow), Column::new(RATE, rate)]
}

fn kind(flaw: Flaw) -> Option<Kind> {
    if matches!(flaw, Flaw::AlwaysFails | Flaw::ConstantPage | Flaw::AlwaysMissing) {
        return Some(Kind::Trap);
    }
    let labels: Vec<&'static str> =
        [SLOW, RATE].into_iter().filter(|check| flaw.refused_by().contains(check)).collect();
    (!labels.is_empty()).then_some(Kind::Flaw(labels))
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

pub(crate) fn matrix() -> Matrix {
    let flawed = Flaw::ALL.iter().filter_map(|flaw| Some(row(Some(*flaw), kind(*flaw)?)));
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
Every service is the reference program `api`, inside the test, with one thing different. It closes a silent connection after
three seconds, and `slow-clients` is told that (`let_go_s`); without being told it does not judge it.",
        columns: columns(),
        rows: std::iter::once(row(None, Kind::Good)).chain(flawed).collect(),
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

#[tokio::test]
async fn where_no_web_service_is_nothing_is_told() {
    let words: &[&str] =
        &["is it running", "did not answer in time", "does not speak proper HTTP", "is its url right"];
    let cases =
        [Wrong::Closed, Wrong::Silent, Wrong::Garbage, Wrong::Says(b"-ERR unknown command 'GET'\r\n")];
    for wrong in cases {
        let subject = |address| Subject::http("api", address);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(15), words).await;
    }
}
