//! Every check against a small shop: the good one passes, every flaw and trap does not, odd but right ones do.

use std::time::Duration;

use crate::shop::{Shop, WORK};
use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Need, Status, Verdict};
use serde_json::{Value, json};

const CHECKS: [&str; 4] = ["repeat-effect", "double-submit", "safe-get", "key-protocol"];

/// Runs a check with its defaults, but for the length of the shop's work, against a shop of its own.
fn run(check: &str, quirk: &'static str) -> Verdict {
    let params = match check {
        "double-submit" => json!({ "slow_ms": WORK.as_millis() }),
        "key-protocol" => json!({
            "slow_ms": WORK.as_millis(),
            "callers": [{ "headers": { "Authorization": "Bearer a" } }, { "headers": { "Authorization": "Bearer b" } }],
        }),
        _ => json!({}),
    };
    run_with(check, quirk, &params)
}

fn run_with(check: &str, quirk: &'static str, params: &Value) -> Verdict {
    let shop = Shop::start(quirk);
    let host = NativeHost::new().bind("api", shop.address).limit(Duration::from_secs(20));
    http_idempotency::plugin().run(check, &params.to_string(), &mut host.context(7)).unwrap()
}

/// Runs every check against every shop, all at once, and names those that end otherwise.
fn expect_all(checks: &[&'static str], status: Status, quirks: &[&'static str]) {
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let pairs = checks.iter().flat_map(|check| quirks.iter().map(move |quirk| (*check, *quirk)));
        let threads: Vec<_> =
            pairs.map(|(check, quirk)| scope.spawn(move || (check, quirk, run(check, quirk)))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap());
        ended
            .filter(|(_, _, verdict)| verdict.status != status)
            .map(|(check, quirk, verdict)| {
                format!("{check} of {quirk}: {:?} {}", verdict.status, decisive(&verdict))
            })
            .collect()
    });
    assert!(wrong.is_empty(), "should be {status:?}: {wrong:#?}");
}

fn decisive(verdict: &Verdict) -> String {
    let step = verdict.steps.iter().find(|step| step.need == Need::Must && step.status == verdict.status);
    format!("{}: {}", step.map_or("", |step| step.id.as_str()), verdict.summary.en)
}

fn step<'a>(verdict: &'a Verdict, id: &str) -> &'a mustdo_plugin::verdict::Step {
    verdict.steps.iter().find(|step| step.id == id).unwrap()
}

#[test]
fn a_good_shop_passes_every_check_with_full_score() {
    for check in CHECKS {
        let verdict = run(check, "");
        assert_eq!(verdict.status, Status::Pass, "{check}: {:#?}", verdict.steps);
        assert_eq!(verdict.score.map(|score| score.earned), Some(1.0), "{check}: {:#?}", verdict.steps);
    }
}

#[test]
fn odd_but_right_shops_pass() {
    let items = [
        "put-204",
        "delete-204",
        "delete-410",
        "newest-first",
        "generated-at",
        "nonce",
        "noisy-headers",
        "data-envelope",
        "stamped-lines",
    ];
    expect_all(&["repeat-effect"], Status::Pass, &items);
    expect_all(
        &["safe-get"],
        Status::Pass,
        &[
            "newest-first",
            "generated-at",
            "nonce",
            "noisy-headers",
            "data-envelope",
            "no-login",
            "head-405",
            "stamped-lines",
        ],
    );
    expect_all(
        &["double-submit"],
        Status::Pass,
        &["noisy-headers", "data-envelope", "in-flight-425", "in-flight-303", "makes-wait", "replay-409"],
    );
    expect_all(
        &["key-protocol"],
        Status::Pass,
        &["noisy-headers", "in-flight-425", "makes-wait", "reuse-417", "key-is-short"],
    );
}

#[test]
fn repeat_effect_fails_its_flaws() {
    let flaws = [
        "put-appends",
        "put-counts",
        "put-counts-later",
        "put-cycles",
        "counts-bystanders",
        "stamped-lines-add",
        "delete-takes-newest",
        "always-500",
        "second-delete-500",
    ];
    expect_all(&["repeat-effect"], Status::Fail, &flaws);
}

#[test]
fn double_submit_fails_its_flaws() {
    let flaws =
        ["check-then-insert", "no-keys", "key-after-work", "lock-per-worker", "by-content", "always-500"];
    expect_all(&["double-submit"], Status::Fail, &flaws);
}

#[test]
fn safe_get_fails_its_flaws() {
    let flaws = [
        "get-logout",
        "get-logout-cookie",
        "get-deletes",
        "get-creates",
        "head-posts",
        "list-adds",
        "missing-row-500",
        "always-500",
    ];
    expect_all(&["safe-get"], Status::Fail, &flaws);
}

#[test]
fn key_protocol_fails_its_flaws() {
    let flaws = [
        "reuse-replays",
        "ignores-quantity",
        "forgets-soon",
        "keys-shared",
        "replay-empty",
        "replay-409",
        "no-keys",
        "check-then-insert",
        "always-500",
    ];
    expect_all(&["key-protocol"], Status::Fail, &flaws);
}

#[test]
fn what_cannot_be_told_is_inconclusive() {
    let traps = [
        "constant-page",
        "random-body",
        "accepts-everything",
        "always-401",
        "always-415",
        "limits-rate",
        "all-404",
        "lags",
        "frozen",
        "no-http",
    ];
    expect_all(&CHECKS, Status::Inconclusive, &traps);
    expect_all(
        &["double-submit"],
        Status::Inconclusive,
        &[
            "refuses-everybody",
            "memory-per-worker",
            "quick",
            "forgets-on-a-page",
            "full-page",
            "one-at-a-time",
        ],
    );
    expect_all(&["key-protocol"], Status::Inconclusive, &["memory-per-worker", "quick", "one-at-a-time"]);
    expect_all(
        &["safe-get"],
        Status::Inconclusive,
        &["view-counter", "login-wants-password", "others-add", "nonce-page", "memory-per-worker"],
    );
    expect_all(
        &["repeat-effect"],
        Status::Inconclusive,
        &["nonce-page", "put-queues", "delete-touches", "memory-per-worker"],
    );
}

#[test]
fn what_a_declared_name_leaves_out_proves_nothing() {
    for check in ["repeat-effect", "safe-get"] {
        let verdict = run_with(check, "put-counts", &json!({ "volatile": ["items"] }));
        assert_eq!(verdict.status, Status::Inconclusive, "{check}: {:#?}", verdict.steps);
        assert!(verdict.summary.en.contains("left out of the comparison"), "{}", verdict.summary.en);
        let verdict = run_with(check, "", &json!({ "volatile": ["body", "status"] }));
        assert_eq!(verdict.status, Status::Pass, "{check}: {:#?}", verdict.steps);
    }
    let verdict = run_with("repeat-effect", "put-counts", &json!({ "volatile": ["body"] }));
    assert_eq!(verdict.status, Status::Fail, "{:#?}", verdict.steps);
}

#[test]
fn a_service_whose_paths_end_with_a_slash_passes() {
    let write =
        json!({ "method": "POST", "path": "/items/", "body": { "name": "{token}", "price": "{number}" } });
    let op =
        json!({ "method": "POST", "path": "/orders/", "body": { "sku": "{token}", "quantity": "{number}" } });
    for (check, params) in [
        ("repeat-effect", json!({ "create": write })),
        (
            "safe-get",
            json!({
                "write": write,
                "login": { "method": "POST", "path": "/login/", "body": { "user": "{token}" } },
                "session": "GET /session/",
            }),
        ),
        ("double-submit", json!({ "op": op, "slow_ms": WORK.as_millis() })),
        ("key-protocol", json!({ "op": op, "slow_ms": WORK.as_millis() })),
    ] {
        let verdict = run_with(check, "slashes", &params);
        assert_eq!(verdict.status, Status::Pass, "{check}: {:#?}", verdict.steps);
    }
}

#[test]
fn a_shop_that_never_answers_ends_within_the_time() {
    let shop = Shop::start("never-answers");
    for check in CHECKS {
        let host = NativeHost::new().bind("api", shop.address).limit(Duration::from_secs(1));
        let verdict = http_idempotency::plugin().run(check, "{}", &mut host.context(7)).unwrap();
        assert_eq!(verdict.status, Status::Inconclusive, "{check}: {}", decisive(&verdict));
        assert!(verdict.summary.en.contains("in time"), "{}", verdict.summary.en);
    }
}

#[test]
fn nothing_listening_is_inconclusive_with_the_cause() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = NativeHost::new().bind("api", closed);
    let verdict = http_idempotency::plugin().run("safe-get", "", &mut host.context(1)).unwrap();
    assert_eq!(verdict.status, Status::Inconclusive);
    assert!(verdict.summary.en.contains("is it running"), "{}", verdict.summary.en);
    assert!(verdict.summary.zh.contains("启动"), "{}", verdict.summary.zh);
}

#[test]
fn a_weak_status_costs_score_and_no_more_unless_strict() {
    let verdict = run("key-protocol", "reuse-417");
    assert_eq!(step(&verdict, "other-payload-status").status, Status::Fail);
    assert!(verdict.score.unwrap().earned < 1.0);
    let strict =
        run_with("key-protocol", "reuse-417", &json!({ "slow_ms": WORK.as_millis(), "strict": true }));
    assert_eq!(strict.status, Status::Fail);
}

#[test]
fn what_was_not_tried_is_skipped_in_words() {
    let verdict = run_with("key-protocol", "", &json!({ "slow_ms": WORK.as_millis() }));
    assert_eq!(verdict.status, Status::Pass, "{:#?}", verdict.steps);
    assert_eq!(step(&verdict, "crash-restart").status, Status::Skip);
    let callers = step(&verdict, "callers-apart");
    assert_eq!(callers.status, Status::Skip);
    assert!(
        callers.summary.en.contains("[item.\"challenge.idempotent-api\".with]\ncallers = "),
        "{}",
        callers.summary.en
    );
}

#[test]
fn an_observer_or_counter_can_be_named() {
    let params = json!({ "observe": { "path": "/items" }, "repeats": 1, "volatile": ["updated_at"] });
    assert_eq!(run_with("repeat-effect", "", &params).status, Status::Pass);
    for count in ["/count", "/orders", "\"sku\""] {
        let params = json!({ "observe": "GET /orders", "count": count, "slow_ms": WORK.as_millis() });
        let verdict = run_with("double-submit", "", &params);
        assert_eq!(verdict.status, Status::Pass, "{count}: {:#?}", verdict.steps);
    }
}

#[test]
fn a_counter_of_views_can_be_allowed() {
    assert_eq!(run_with("safe-get", "view-counter", &json!({ "allow": ["views"] })).status, Status::Pass);
}

#[test]
fn every_finding_says_what_next_in_both_languages() {
    for (check, quirk) in [
        ("repeat-effect", "put-counts"),
        ("double-submit", "no-keys"),
        ("safe-get", "get-deletes"),
        ("key-protocol", "reuse-replays"),
    ] {
        let verdict = run(check, quirk);
        let finding = verdict.findings.first().unwrap();
        let hint = finding.hint.as_ref().unwrap();
        assert!(finding.code.starts_with("http-idempotency.") && finding.at.is_some(), "{finding:#?}");
        for words in [&finding.message.zh, &hint.zh, &verdict.summary.zh] {
            assert!(words.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char)), "{words}");
        }
        assert!(!finding.message.en.is_empty() && !hint.en.is_empty());
    }
}

#[test]
fn a_summary_says_what_is_wrong_and_no_finding_repeats_it() {
    let expected = [
        ("repeat-effect", "put-counts", "repeating PUT /items/2 changed the state again"),
        ("double-submit", "no-keys", "one submission sent 10 times was carried out 10 times"),
        ("double-submit", "constant-page", "GET /orders shows nothing that can be counted"),
        ("double-submit", "frozen", "a submission was answered as done, but GET /orders does not show it"),
        ("double-submit", "full-page", "GET /orders is a page of the rows, not all of them"),
        ("double-submit", "forgets-on-a-page", "GET /orders is a page of the rows, not all of them"),
        ("double-submit", "one-at-a-time", "it answers one request at a time, so duplicates never met"),
        ("repeat-effect", "nonce-page", "what a write changes in GET /items is left out of the comparison"),
        ("repeat-effect", "put-queues", "version in GET /items/1 keeps changing after the last request"),
        ("repeat-effect", "delete-touches", "also changed /GET /items/1/body/neighbour_left"),
        ("safe-get", "missing-row-500", "was answered 500"),
        ("double-submit", "memory-per-worker", "GET /orders shows another count to every reader"),
        ("safe-get", "head-posts", "HEAD /items changed what GET /items shows"),
        ("safe-get", "get-deletes", "/delete changed what GET /items shows"),
        ("safe-get", "limits-rate", "was answered 429: the service limits the rate"),
        ("key-protocol", "no-keys", "POST /orders sent again with the same key was carried out again"),
        (
            "key-protocol",
            "reuse-replays",
            "the same key with another payload was accepted (201) instead of refused",
        ),
        ("key-protocol", "replay-409", "got another answer: status 409, not 201"),
        ("key-protocol", "keys-shared", "was answered 201 with the first caller's reply"),
    ];
    let judge = |(check, quirk, words): (&str, &'static str, &str)| {
        let verdict = run(check, quirk);
        assert!(verdict.summary.en.contains(words), "{check} of {quirk}: {}", verdict.summary.en);
        for finding in &verdict.findings {
            let repeats = verdict.steps.iter().any(|step| finding.message.en.contains(&step.summary.en));
            assert!(!repeats, "{check} of {quirk}: {}", finding.message.en);
        }
    };
    std::thread::scope(|scope| {
        expected.map(|row| scope.spawn(move || judge(row))).map(|row| row.join().unwrap())
    });
}

#[test]
fn a_should_step_says_what_was_special() {
    let verdict = run("key-protocol", "no-keys");
    for (id, words) in [
        ("long-key", "a key of 255 characters: POST /orders sent again"),
        ("quoted-key", "a quoted key: POST /orders sent again"),
    ] {
        assert!(step(&verdict, id).summary.en.starts_with(words), "{}", step(&verdict, id).summary.en);
    }
    let verdict = run("key-protocol", "key-is-short");
    let summary = &step(&verdict, "long-key").summary.en;
    assert!(summary.contains("a new key of 255 characters was answered 400"), "{summary}");
    let verdict = run("key-protocol", "key-ignores-case");
    assert_eq!(verdict.status, Status::Pass, "{:#?}", verdict.steps);
    let summary = &step(&verdict, "key-case").summary.en;
    assert!(summary.starts_with("a key that differs in case only: a new key"), "{summary}");
}

#[test]
fn advice_is_what_the_check_itself_would_accept() {
    let verdict = run("repeat-effect", "all-404");
    let hint = &verdict.findings[0].hint.as_ref().unwrap().en;
    assert!(hint.contains("[item.\"idempotence.definition\".with]\ncreate = { method = \"POST\""), "{hint}");
}

#[test]
fn the_record_names_requests_and_no_headers() {
    let verdict = run_with("safe-get", "", &json!({ "headers": { "Authorization": "Bearer secret-token" } }));
    let shown = format!("{verdict:?}");
    assert!(shown.contains("POST /items body#"));
    assert!(!shown.contains("secret-token"));
}

#[test]
fn a_seed_repeats_the_choices() {
    let sent = |seed| {
        let shop = Shop::start("constant-page");
        let host = NativeHost::new().bind("api", shop.address);
        let verdict = http_idempotency::plugin().run("repeat-effect", "", &mut host.context(seed)).unwrap();
        let record = format!("{:?}", verdict.evidence);
        record.split("body#").nth(3).unwrap()[..8].to_owned()
    };
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn every_parameter_is_described_and_has_a_schema() {
    for (id, info, schema) in http_idempotency::plugin().checks() {
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        assert!(properties.len() >= 6, "{id}");
        assert!(
            properties
                .values()
                .all(|property| property["description"].as_str().is_some_and(|words| words.len() > 10)),
            "{id}: {schema:#}"
        );
        assert!(info.exclusive && !info.description.zh.is_empty());
    }
}
