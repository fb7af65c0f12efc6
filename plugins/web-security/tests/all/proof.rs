//! Every check against the good site and each of its mistakes.

use std::time::Duration;

use mustdo_plugin::native::NativeHost;
use mustdo_plugin::verdict::{Need, Status, Verdict};
use mustdo_reference::site::{Flaw, Site};

/// Pages of the site that need no account; no other page links to them.
const TEMPLATES: &str = r#"{ "sinks": [
    { "submit": "/hello?name={text}" },
    { "submit": { "path": "/guestbook", "body": "name={text}&text=hello" }, "view": "/guestbook" },
    { "submit": { "path": "/guestbook", "body": "name=somebody&text={text}" }, "view": "/guestbook" },
    { "submit": { "path": "/guestbook", "body": "name=somebody&text={text}" }, "view": "/guestbook.txt" }
] }"#;

fn run(check: &str, flaw: Option<Flaw>) -> Verdict {
    let site = Site::start(flaw).unwrap();
    let host = NativeHost::new()
        .bind("api", site.address())
        .folder("store", site.data())
        .limit(Duration::from_mins(1));
    let key = format!(r#"{{ "signing_key": "{}" }}"#, site.signing_key());
    let params = match check {
        "template-escape" => TEMPLATES,
        "token-forgery" => key.as_str(),
        _ => "",
    };
    web_security::plugin().run(check, params, &mut host.context(7)).unwrap()
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

/// A deletion is judged where one is offered, and a site is refused for that alone.
#[test]
fn csrf_judges_a_deletion_where_one_is_offered() {
    let step = |verdict: &Verdict, id: &str| verdict.steps.iter().find(|step| step.id == id).unwrap().status;
    let good = run("csrf", None);
    assert_eq!(step(&good, "removal"), Status::Pass, "{}", steps(&good));
    for flaw in [Flaw::LinkDeletes, Flaw::FormDeletesByGet, Flaw::DeletesWithoutToken] {
        let verdict = run("csrf", Some(flaw));
        let told = ["foreign-requests", "removal"].map(|id| step(&verdict, id));
        assert_eq!(told, [Status::Pass, Status::Fail], "{flaw:?}\n{}", steps(&verdict));
    }
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

/// With the key of a token it is told whether its end is kept, and without the right one it is not.
#[test]
fn token_forgery_of_an_ended_token() {
    let ask = |site: Site, key: Option<&str>| {
        let host = NativeHost::new().bind("api", site.address());
        let params = key.map_or_else(String::new, |key| format!(r#"{{ "signing_key": "{key}" }}"#));
        web_security::plugin().run("token-forgery", &params, &mut host.context(7)).unwrap()
    };
    let kept = |verdict: &Verdict| verdict.steps.iter().find(|step| step.id == "end-kept").unwrap().status;
    let site = Site::start_with_tokens().unwrap();
    let key = site.signing_key().to_owned();
    let good = ask(site, Some(&key));
    assert_eq!((good.status, kept(&good)), (Status::Pass, Status::Pass), "{}", steps(&good));
    assert_eq!(good.score.map(|score| score.earned), Some(1.0), "{}", steps(&good));
    let unjudged = ask(Site::start_with_tokens().unwrap(), None);
    assert_eq!((unjudged.status, kept(&unjudged)), (Status::Pass, Status::Skip), "{}", steps(&unjudged));
    let wrong = ask(Site::start_with_tokens().unwrap(), Some("of another site"));
    assert_eq!(
        (wrong.status, kept(&wrong)),
        (Status::Inconclusive, Status::Inconclusive),
        "{}",
        steps(&wrong)
    );
    let site = Site::start(Some(Flaw::TokenEndIgnored)).unwrap();
    let key = site.signing_key().to_owned();
    let bad = ask(site, Some(&key));
    assert_eq!((bad.status, kept(&bad)), (Status::Fail, Status::Fail), "{}", steps(&bad));
}

#[test]
fn password_storage() {
    check("password-storage");
}

#[test]
fn template_escape() {
    check("template-escape");
}

/// Without being told, a visitor finds the search.
#[test]
fn template_escape_finds_forms_by_itself() {
    let ask = |flaw| {
        let site = Site::start(flaw).unwrap();
        let host = NativeHost::new().bind("api", site.address());
        web_security::plugin().run("template-escape", "", &mut host.context(7)).unwrap()
    };
    let good = ask(None);
    assert_eq!(good.status, Status::Pass, "{}", steps(&good));
    assert_eq!(ask(Some(Flaw::RawEcho)).status, Status::Fail);
    let found = r#"{ "pages": ["/guestbook"] }"#;
    let site = Site::start(Some(Flaw::RawField)).unwrap();
    let host = NativeHost::new().bind("api", site.address());
    let verdict = web_security::plugin().run("template-escape", found, &mut host.context(7)).unwrap();
    assert_eq!(verdict.status, Status::Fail, "{}", steps(&verdict));
}
