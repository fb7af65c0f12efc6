use crate::tcp::{Flaw, Framing, Options, Service};
use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Status, Verdict};
use std::time::{Duration, Instant};

fn ask(check: &str, framing: Framing, flaw: Option<Flaw>, seed: u64) -> (Verdict, Duration) {
    let server = Service::bind(Options { framing, flaw }, ([127, 0, 0, 1], 0).into()).unwrap().spawn();
    let host = NativeHost::new().bind("socket", server.address()).limit(Duration::from_secs(150));
    let dialect = match framing { Framing::Line => "line", Framing::Echo => "echo", Framing::Len32 => "len32" };
    let began = Instant::now();
    let params = format!("{{\"dialect\":\"{dialect}\"}}");
    let verdict = net::plugin().run(check, &params, &mut host.context(seed)).unwrap();
    (verdict, began.elapsed())
}

fn show(title: &str, (verdict, time): &(Verdict, Duration)) {
    println!("== {title}: {:?} in {:.1} s: {} | {}", verdict.status, time.as_secs_f32(), verdict.summary.en, verdict.summary.zh);
    for step in &verdict.steps { println!("     {} {:?}: {}", step.id, step.status, step.summary.en); }
    for finding in &verdict.findings { println!("     -> {}: {}", finding.code, finding.message.en); }
}

const CHECKS: [&str; 10] = ["echo","exact-bytes","dribble","pipelined","interleaved","large-write","half-close","error-survival","beyond-select","close-wait"];

#[test]
fn good() {
    for framing in [Framing::Line, Framing::Echo, Framing::Len32] {
        for check in CHECKS {
            let answer = ask(check, framing, None, 7);
            show(&format!("{framing:?} {check}"), &answer);
            assert_eq!(answer.0.status, Status::Pass);
        }
    }
}

#[test]
fn diagonal() {
    let filter = std::env::var("ONLY").unwrap_or_default();
    for flaw in Flaw::ALL.iter().filter(|flaw| flaw.name().contains(&filter)) {
        let (check, _) = flaw.name().split_once('/').unwrap();
        let check = if check == "trap" { "echo" } else { check };
        let framing = match flaw { Flaw::StopsAtNul | Flaw::FixedBuffer => Framing::Len32, _ => Framing::Line };
        let answer = ask(check, framing, Some(*flaw), 7);
        show(flaw.name(), &answer);
        if answer.0.status == Status::Pass { println!("!!!!!!!! FALSE PASS {}", flaw.name()); }
    }
}
