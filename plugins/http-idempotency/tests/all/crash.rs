//! The crash step against shops that are killed: whatever the moment, one effect.

use std::time::Duration;

use mustdo_plugin::verdict::{Status, Step, Verdict};
use serde_json::{Value, json};

use crate::durable::{WORK, host};

fn run_with(quirk: &str, params: &Value, seed: u64) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let host = host(quirk, folder.path().to_owned()).limit(Duration::from_secs(100));
    let mut all = json!({ "slow_ms": WORK.as_millis(), "n": 3 });
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    http_idempotency::plugin().run("key-protocol", &all.to_string(), &mut host.context(seed)).unwrap()
}

fn run(quirk: &str) -> Verdict {
    run_with(quirk, &json!({}), 7)
}

fn crash(verdict: &Verdict) -> &Step {
    let step = verdict.steps.iter().find(|step| step.id == "crash-restart");
    step.unwrap_or_else(|| panic!("{:#?}", verdict.steps))
}

/// Runs all at once and names those that do not end like this.
#[track_caller]
fn expect_all(rows: &[(&'static str, Status, &'static str)]) {
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let judge = |(quirk, status, words): (&'static str, Status, &str)| {
            let verdict = run(quirk);
            let step = crash(&verdict);
            let right = step.status == status && verdict.status == status && step.summary.en.contains(words);
            (!right).then(|| format!("{quirk}: {status:?} {words:?}, not {:#?}", verdict.steps))
        };
        let threads: Vec<_> = rows.iter().map(|row| scope.spawn(move || judge(*row))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_shop_that_commits_key_and_effect_together_passes() {
    let verdict = run("");
    assert_eq!(verdict.status, Status::Pass, "{:#?}", verdict.steps);
    assert_eq!(verdict.score.map(|score| score.earned), Some(1.0), "{:#?}", verdict.steps);
    let figure = |name: &str| {
        verdict.measurements.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    };
    assert_eq!(figure("crashes"), Some(6.0));
    assert!(
        figure("crashes-during-the-operation").is_some_and(|hit| hit >= 2.0),
        "{:?}",
        verdict.measurements
    );
    assert!(format!("{:?}", verdict.evidence).contains("killed after 50 ms: no answer, no effect yet"));
}

#[test]
fn odd_but_right_shops_pass() {
    expect_all(&[
        ("leased", Status::Pass, "one effect each time"),
        ("resumes", Status::Pass, "one effect each time"),
        ("slow-start", Status::Pass, "one effect each time"),
    ]);
}

#[test]
fn mistakes_that_only_a_crash_shows_are_refused() {
    expect_all(&[
        ("key-first", Status::Fail, "its retry was answered 200 as done, but nothing is stored"),
        ("effect-first", Status::Fail, "retried was carried out 2 times"),
        ("keys-in-memory", Status::Fail, "sent again with the same key was carried out again"),
        ("flushes-late", Status::Fail, "answered as done are not in GET /orders after a crash"),
        ("forgets-replies", Status::Fail, "got another answer: another body"),
        ("breaks", Status::Fail, "its retry was answered 500"),
    ]);
}

#[test]
fn what_a_crash_cannot_show_is_not_judged() {
    expect_all(&[
        ("in-memory", Status::Inconclusive, "nothing that was stored is in GET /orders after a restart"),
        (
            "empties-at-start",
            Status::Inconclusive,
            "nothing that was stored is in GET /orders after a restart",
        ),
        ("stuck", Status::Inconclusive, "is still answered 409 after 10 s"),
    ]);
}

#[test]
fn a_lease_that_was_declared_must_end() {
    let verdict = run_with("stuck", &json!({ "lease_s": 1 }), 7);
    assert_eq!(crash(&verdict).status, Status::Fail, "{:#?}", verdict.steps);
    assert!(crash(&verdict).summary.en.contains("is still answered 409 after 3 s"), "{:?}", crash(&verdict));
    assert_eq!(run_with("leased", &json!({ "lease_s": 2 }), 7).status, Status::Pass);
}

/// A gap of a twentieth of the operation between the two commits, at its very end.
#[test]
fn a_short_gap_between_the_commits_is_found() {
    let found = |seed| crash(&run_with("effect-first-at-the-end", &json!({ "crashes": 12 }), seed)).status;
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=4).map(|seed| scope.spawn(move || found(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.contains(&Status::Fail), "{statuses:?}");
}

#[test]
fn a_service_that_mustdo_did_not_start_is_left_alone() {
    let shop = crate::shop::Shop::start("");
    let host =
        mustdo_plugin::native::NativeHost::new().bind("api", shop.address).limit(Duration::from_secs(20));
    let params = json!({ "slow_ms": crate::shop::WORK.as_millis() }).to_string();
    let verdict = http_idempotency::plugin().run("key-protocol", &params, &mut host.context(7)).unwrap();
    assert_eq!(verdict.status, Status::Pass, "{:#?}", verdict.steps);
    assert_eq!(crash(&verdict).status, Status::Skip);
    assert!(crash(&verdict).summary.en.contains("run = ["), "{:?}", crash(&verdict));
}

#[test]
fn crashes_can_be_left_out() {
    let verdict = run_with("keys-in-memory", &json!({ "crashes": 0 }), 7);
    assert_eq!(
        (verdict.status, crash(&verdict).status),
        (Status::Pass, Status::Skip),
        "{:#?}",
        verdict.steps
    );
}

#[test]
fn the_check_runs_alone_and_asks_for_what_it_can_do_without() {
    let plugin = http_idempotency::plugin();
    for (id, info, _) in plugin.checks() {
        let optional: Vec<_> = info.capabilities.iter().filter(|request| !request.required).collect();
        if id == "key-protocol" {
            assert!(info.exclusive);
            let [process] = optional[..] else { panic!("{optional:?}") };
            assert_eq!(process.capability, mustdo_plugin::Capability::Process("api".to_owned()));
        } else {
            assert!(optional.is_empty(), "{id}: {optional:?}");
        }
    }
}
