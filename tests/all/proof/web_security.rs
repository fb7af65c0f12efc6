//! `web-security` against the reference site.

use std::time::Duration;

use mustdo_reference::site::{Flaw, Site};
use serde_json::json;

use super::{Column, Entangled, Kind, Matrix, Row, Subject, Wrong, expect_nothing_told};

const PLUGIN: &str = "web-security";

const REGISTER: &str = "register-login";
const XSS: &str = "xss";
const CSRF: &str = "csrf";
const SESSION: &str = "session";
const HEADERS: &str = "headers";
const SQLI: &str = "sqli";
const PATHS: &str = "path-traversal";
const ACCESS: &str = "access-control";
const ENUMERATION: &str = "enumeration";
const THROTTLE: &str = "throttle";

/// Quick ones, which every row is asked; the others take seconds each.
const QUICK: [&str; 3] = [HEADERS, PATHS, CSRF];

fn columns() -> Vec<Column> {
    let checks = [REGISTER, XSS, CSRF, SESSION, HEADERS, SQLI, PATHS, ACCESS, ENUMERATION, THROTTLE];
    checks.map(|check| Column::new(check, json!({}))).to_vec()
}

fn row(flaw: Flaw) -> Row {
    let check =
        flaw.refused_by().and_then(|check| columns().into_iter().find(|column| column.check == check));
    let row = |kind| {
        Row::new(flaw.name(), flaw.summary(), kind, move || {
            let site = Site::start(Some(flaw)).unwrap();
            Subject::http("api", site.address()).keeping(site)
        })
    };
    let Some(Column { label, .. }) = check else { return row(Kind::Trap) };
    let mut asked = vec![label];
    asked.extend(QUICK.iter().filter(|quick| **quick != label));
    let kind = if flaw.breaks_only_a_should() { Kind::Weak(vec![label]) } else { Kind::Flaw(vec![label]) };
    row(kind).only(&asked).slow()
}

fn matrix() -> Matrix {
    let good = Row::new("good", "The good site.", Kind::Good, || {
        let site = Site::start(None).unwrap();
        Subject::http("api", site.address()).keeping(site)
    });
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
Every site is the reference site, inside the test, with one thing different. A mistake is asked about by its own check and by
those that take a second or two; asking all of everything would take an hour and has nothing in common with what they look at.",
        columns: columns(),
        rows: std::iter::once(good).chain(Flaw::ALL.iter().copied().map(row)).collect(),
        entangled: ENTANGLED.to_vec(),
    }
}

const ENTANGLED: &[Entangled] = &[];

#[test]
fn every_cell_is_as_it_must_be() {
    matrix().prove();
}

#[tokio::test]
async fn where_no_site_is_nothing_is_told() {
    let (other, closed) = ("does not speak proper HTTP", "is its url right");
    let cases: [(Wrong, u64, &[&str]); 5] = [
        (Wrong::Closed, 2, &["is it running"]),
        (Wrong::Silent, 12, &["did not answer in time"]),
        (Wrong::Garbage, 12, &[other, closed]),
        (Wrong::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), 2, &[other, closed]),
        (Wrong::Says(b"R\0\0\0\x08\0\0\0\0"), 2, &[other, closed]),
    ];
    for (wrong, seconds, words) in cases {
        let subject = |address| Subject::http("api", address);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(seconds), words).await;
    }
}
