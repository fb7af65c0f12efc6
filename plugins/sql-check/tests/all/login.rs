//! How the plugin logs in, and what it says where it can not.

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Status, Verdict};
use serde_json::json;

use crate::server::{PASSWORD, Way, start};

/// Runs `smoke` against a server that is played, and says what the client proved to it.
fn smoke(way: Way, password: &str) -> (Verdict, Option<bool>) {
    let (address, server) = start(way);
    let host = NativeHost::new().bind("db", address);
    let params = json!({ "user": "app", "password": password }).to_string();
    let verdict = sql_check::plugin().run("smoke", &params, &mut host.context(7)).unwrap();
    (verdict, server.join().unwrap())
}

fn connected(verdict: &Verdict) -> Status {
    verdict.steps.iter().find(|step| step.id == "connect").unwrap().status
}

#[test]
fn a_password_is_proven_in_every_way_that_is_spoken() {
    for way in [Way::Native, Way::Cached, Way::Full, Way::Switch] {
        let (verdict, proved) = smoke(way, PASSWORD);
        assert_eq!((connected(&verdict), proved), (Status::Pass, Some(true)), "{way:?}: {:?}", verdict.steps);
        // The rest is refused here, which decides nothing.
        assert_eq!(verdict.status, Status::Inconclusive, "{way:?}");
        assert!(verdict.summary.en.contains("Unknown command"), "{way:?}: {}", verdict.summary.en);
    }
}

#[test]
fn a_wrong_password_is_refused_and_the_account_is_asked_for() {
    for way in [Way::Native, Way::Cached, Way::Switch] {
        let (verdict, proved) = smoke(way, "wrong");
        assert_eq!((connected(&verdict), proved), (Status::Inconclusive, Some(false)), "{way:?}");
        assert!(verdict.summary.en.contains("DB_PASSWORD"), "{way:?}: {}", verdict.summary.en);
    }
}

#[test]
fn a_password_is_never_sent_as_it_is() {
    let (verdict, proved) = smoke(Way::Clear, PASSWORD);
    assert_eq!((connected(&verdict), proved), (Status::Inconclusive, None));
    assert!(verdict.summary.en.contains("mysql_clear_password"), "{}", verdict.summary.en);
}

#[test]
fn what_the_server_says_before_the_greeting_is_told() {
    let (verdict, _) = smoke(Way::Blocked, PASSWORD);
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.summary.en.contains("is not allowed to connect"), "{}", verdict.summary.en);
}

#[test]
fn a_server_that_is_stuck_is_given_up() {
    let (verdict, _) = smoke(Way::Stuck, PASSWORD);
    assert_eq!(verdict.status, Status::Inconclusive, "{}", verdict.summary.en);
}
