//! What each check concludes. The whole matrix, in the real host, is the project's own test; here a flaw meets its checks.

use std::time::Duration;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::service::TARGET;
use mustdo_plugin::verdict::{Need, Status, Verdict};
use mustdo_reference::api::{Flaw, Service};
use serde_json::{Value, json};

const CHECKS: [&str; 4] = ["http-basics", "rest-crud", "routing", "production-server"];

/// What a learner would bind to the checks for the reference service.
fn params(check: &str, profile: &str) -> Value {
    match check {
        "http-basics" => json!({ "profile": profile, "post_path": "/notes" }),
        "rest-crud" => json!({ "profile": profile }),
        "routing" => json!({ "routes": [
            "GET /users", "GET /users/me", "GET /users/<int:id>", "GET /tags/new", "GET,POST /tags/<name>",
            "GET /files/<path:path>", "GET /prices/<float:price>", "GET /shops/<uuid:shop>", "GET,POST /list/",
        ] }),
        _ => json!({ "error_path": "/broken", "slow_path": "/slow" }),
    }
}

fn run(check: &str, profile: &str, flaw: Option<Flaw>) -> Verdict {
    let service = Service::start(flaw);
    let host = NativeHost::new().bind(TARGET, service.address());
    http_api::plugin().run(check, &params(check, profile).to_string(), &mut host.context(7)).unwrap()
}

fn told(verdict: &Verdict) -> String {
    let steps = verdict.steps.iter().filter(|step| step.status != Status::Pass);
    let steps: Vec<_> =
        steps.map(|step| format!("{:?} {}: {}", step.status, step.id, step.summary.en)).collect();
    format!("{:?}: {}", verdict.status, steps.join("; "))
}

#[test]
fn a_good_service_passes_every_check_with_full_score() {
    for check in CHECKS {
        for profile in ["minimal", "full"] {
            let verdict = run(check, profile, None);
            assert_eq!(verdict.status, Status::Pass, "{check} {profile}: {}", told(&verdict));
            assert_eq!(
                verdict.score.map(|score| score.earned),
                Some(1.0),
                "{check} {profile}: {}",
                told(&verdict)
            );
        }
    }
}

#[test]
fn a_check_refuses_its_own_flaws() {
    let pairs =
        || Flaw::ALL.iter().flat_map(|flaw| flaw.refused_by().iter().map(move |check| (*flaw, *check)));
    let wrong: Vec<_> = std::thread::scope(|scope| {
        // Only the end of a process shows that it drops what runs.
        let asked = pairs().filter(|(flaw, check)| CHECKS.contains(check) && *flaw != Flaw::DropsRunning);
        let threads: Vec<_> = asked
            .map(|(flaw, check)| scope.spawn(move || (flaw, check, run(check, "full", Some(flaw)))))
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended
            .filter(|(_, _, verdict)| verdict.status != Status::Fail)
            .map(|(flaw, check, verdict)| format!("{flaw} {check}: {}", told(&verdict)))
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_a_careless_check_takes_for_good_is_not_passed() {
    for flaw in [Flaw::AlwaysFails, Flaw::ConstantPage, Flaw::AlwaysMissing] {
        for check in
            CHECKS.into_iter().filter(|check| (*check, flaw) != ("production-server", Flaw::ConstantPage))
        {
            let verdict = run(check, "minimal", Some(flaw));
            assert_ne!(verdict.status, Status::Pass, "{flaw} {check}: {}", told(&verdict));
        }
    }
}

#[test]
fn what_is_only_wished_for_costs_score_only() {
    for (check, flaw) in [("rest-crud", Flaw::MissingMethod), ("http-basics", Flaw::NoAllow)] {
        let verdict = run(check, "full", Some(flaw));
        assert_eq!(verdict.status, Status::Pass, "{flaw}: {}", told(&verdict));
        assert!(verdict.score.is_some_and(|score| score.earned < 1.0), "{flaw}");
    }
}

#[test]
fn a_guard_before_the_routes_says_nothing_of_them() {
    let verdict = run("routing", "minimal", Some(Flaw::GuardFirst));
    assert_eq!(verdict.status, Status::Inconclusive, "{}", told(&verdict));
    assert!(told(&verdict).contains("something before the routes answers 403"), "{}", told(&verdict));
}

#[test]
fn nobody_there_is_inconclusive() {
    let nobody = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let host = NativeHost::new().bind(TARGET, nobody).limit(Duration::from_secs(20));
    for check in CHECKS {
        let params = params(check, "minimal").to_string();
        let verdict = http_api::plugin().run(check, &params, &mut host.context(7)).unwrap();
        assert_eq!(verdict.status, Status::Inconclusive, "{check}: {}", told(&verdict));
        let decisive =
            verdict.steps.iter().find(|step| step.need == Need::Must && step.status != Status::Pass);
        assert!(
            decisive.is_some_and(|step| step.summary.en.contains("running")),
            "{check}: {}",
            told(&verdict)
        );
    }
}
