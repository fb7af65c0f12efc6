//! Every check against the good site and each of its mistakes.

use std::time::Duration;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Need, Status, Verdict};
use mustdo_reference::site::{Flaw, Site};

fn run(check: &str, flaw: Option<Flaw>) -> Verdict {
    let site = Site::start(flaw).unwrap();
    let host = NativeHost::new().bind("api", site.address()).folder("store", site.data()).limit(Duration::from_mins(1));
    web_security::plugin().run(check, "", &mut host.context(7)).unwrap()
}

fn steps(verdict: &Verdict) -> String {
    let step = |step: &mustdo_plugin::verdict::Step| {
        format!("  {:?} {:?} {}: {}\n", step.need, step.status, step.id, step.summary.en)
    };
    verdict.steps.iter().map(step).collect()
}

/// The good site passes with a full score; a flaw of the check does not pass, or costs score where it breaks a `should`.
fn check(id: &str) {
    let good = run(id, None);
    assert_eq!(good.status, Status::Pass, "{}", steps(&good));
    assert_eq!(good.score.map(|score| score.earned), Some(1.0), "{}", steps(&good));
    let mut wrong = Vec::new();
    for flaw in Flaw::ALL.iter().filter(|flaw| flaw.refused_by() == Some(id)) {
        let verdict = run(id, Some(*flaw));
        let refused = if flaw.breaks_only_a_should() {
            verdict.steps.iter().any(|step| step.need == Need::Should && step.status == Status::Fail)
        } else {
            verdict.status != Status::Pass
        };
        if !refused {
            wrong.push(format!("{}: {:?}\n{}", flaw.name(), verdict.status, steps(&verdict)));
        }
    }
    assert!(wrong.is_empty(), "not refused: {}", wrong.join("\n"));
}

#[test]
fn register_login() {
    check("register-login");
}

#[test]
fn xss() {
    check("xss");
}

#[test]
fn csrf() {
    check("csrf");
}

#[test]
fn session() {
    check("session");
}

#[test]
fn headers() {
    check("headers");
}

#[test]
fn enumeration() {
    check("enumeration");
}

#[test]
fn throttle() {
    check("throttle");
}

#[test]
fn path_traversal() {
    check("path-traversal");
}

#[test]
fn access_control() {
    check("access-control");
}

#[test]
fn sqli() {
    check("sqli");
}

#[test]
fn outbound() {
    check("outbound");
}

#[test]
fn token_forgery() {
    check("token-forgery");
}

#[test]
fn password_storage() {
    check("password-storage");
}
