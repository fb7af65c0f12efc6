//! What each check concludes. The whole matrix, in the real host, is the project's own test; here a flaw meets its checks.

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::service::TARGET;
use mustdo_plugin::verdict::{Status, Verdict};
use mustdo_reference::api::{Flaw, Service};
use serde_json::json;

const CHECKS: [&str; 2] = ["slow-clients", "rate-limit"];

fn run(check: &str, flaw: Option<Flaw>) -> Verdict {
    let params = match check {
        "slow-clients" => json!({ "post_path": "/notes", "large_path": "/big", "conns": 40, "let_go_s": 4 }),
        _ => json!({ "path": "/limited", "counter": "GET /counter", "count": "/carried_out" }),
    };
    let service = Service::start(flaw);
    let host = NativeHost::new().bind(TARGET, service.address());
    gateway::plugin().run(check, &params.to_string(), &mut host.context(7)).unwrap()
}

fn told(verdict: &Verdict) -> String {
    let steps = verdict.steps.iter().filter(|step| step.status != Status::Pass);
    let steps: Vec<_> =
        steps.map(|step| format!("{:?} {}: {}", step.status, step.id, step.summary.en)).collect();
    format!("{:?}: {}", verdict.status, steps.join("; "))
}

#[test]
fn a_good_service_passes_both_with_full_score() {
    for check in CHECKS {
        let verdict = run(check, None);
        assert_eq!(verdict.status, Status::Pass, "{check}: {}", told(&verdict));
        assert_eq!(verdict.score.map(|score| score.earned), Some(1.0), "{check}: {}", told(&verdict));
    }
}

#[test]
fn a_check_refuses_its_own_flaws() {
    let pairs =
        || Flaw::ALL.iter().flat_map(|flaw| flaw.refused_by().iter().map(move |check| (*flaw, *check)));
    let passed: Vec<_> = std::thread::scope(|scope| {
        // They mostly wait, each at a service of its own.
        let asked = pairs().filter(|(_, check)| CHECKS.contains(check));
        let threads: Vec<_> =
            asked.map(|(flaw, check)| scope.spawn(move || (flaw, check, run(check, Some(flaw))))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended
            .filter(|(_, _, verdict)| verdict.status == Status::Pass)
            .map(|(flaw, check, verdict)| format!("{flaw} {check}: {}", told(&verdict)))
            .collect()
    });
    assert!(passed.is_empty(), "{passed:#?}");
}
