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
const TOKENS: &str = "token-forgery";
const OUTBOUND: &str = "outbound";
const STORAGE: &str = "password-storage";
const TEMPLATES: &str = "template-escape";

/// Quick ones, which every row is asked; the others take seconds each.
const QUICK: [&str; 5] = [HEADERS, PATHS, CSRF, TOKENS, STORAGE];

fn columns() -> Vec<Column> {
    let checks = [
        REGISTER,
        XSS,
        CSRF,
        SESSION,
        HEADERS,
        SQLI,
        PATHS,
        ACCESS,
        ENUMERATION,
        THROTTLE,
        TOKENS,
        OUTBOUND,
        STORAGE,
        TEMPLATES,
    ];
    let params = |check| if check == TEMPLATES { templates() } else { json!({}) };
    checks.map(|check| Column::new(check, params(check))).to_vec()
}

/// The site with its folder of users and logs, and where it shows values by templates.
fn subject(site: Site) -> Subject {
    let data = site.data().to_str().unwrap().to_owned();
    Subject::http("api", site.address()).with_folder("store", &data).keeping(site)
}

/// The same, and the key of its tokens; `headers` logs nobody in and takes none.
fn subject_with_key(site: Site) -> Subject {
    let key = json!({ "signing_key": site.signing_key() });
    subject(site).asked_with(key)
}

/// The pages that no account is needed for, and that no other page links to.
fn templates() -> serde_json::Value {
    let signs = |body: &str| json!({ "path": "/guestbook", "body": body });
    json!({ "sinks": [
        { "submit": "/hello?name={text}" },
        { "submit": signs("name={text}&text=hello"), "view": "/guestbook" },
        { "submit": signs("name=somebody&text={text}"), "view": "/guestbook" },
        { "submit": signs("name=somebody&text={text}"), "view": "/guestbook.txt" },
    ] })
}

fn row(flaw: Flaw) -> Row {
    let check =
        flaw.refused_by().and_then(|check| columns().into_iter().find(|column| column.check == check));
    let row =
        |kind| Row::new(flaw.name(), flaw.summary(), kind, move || subject(Site::start(Some(flaw)).unwrap()));
    // Headers and files are as good there as elsewhere.
    let of_forms: Vec<_> = columns()
        .iter()
        .map(|column| column.label)
        .filter(|label| ![HEADERS, PATHS].contains(label))
        .collect();
    if flaw == Flaw::StoresNothing {
        return row(Kind::Trap).only(&of_forms);
    }
    let Some(Column { label, .. }) = check else { return row(Kind::Trap) };
    if flaw == Flaw::TokenEndIgnored {
        let start = move || subject_with_key(Site::start(Some(flaw)).unwrap());
        return Row::new(flaw.name(), flaw.summary(), Kind::Flaw(vec![label]), start)
            .only(&[PATHS, CSRF, TOKENS, STORAGE])
            .slow();
    }
    let mut asked = vec![label];
    asked.extend(QUICK.iter().filter(|quick| **quick != label));
    let kind = if flaw.breaks_only_a_should() { Kind::Weak(vec![label]) } else { Kind::Flaw(vec![label]) };
    row(kind).only(&asked).slow()
}

fn matrix() -> Matrix {
    let good = Row::new("good", "The good site.", Kind::Good, || subject(Site::start(None).unwrap()));
    let tokens = Row::new(
        "tokens",
        "The good site with sessions in tokens that it signs, each with an end that is kept.",
        Kind::Good,
        || subject_with_key(Site::start_with_tokens().unwrap()),
    );
    let elsewhere = Row::new(
        "trap/another-folder",
        "The good site, and a folder that has the users of another one.",
        Kind::Trap,
        || {
            let (site, other) = (Site::start(None).unwrap(), Site::start(None).unwrap());
            let data = other.data().to_str().unwrap().to_owned();
            Subject::http("api", site.address()).with_folder("store", &data).keeping((site, other))
        },
    );
    let rows = [good, tokens.only(&[PATHS, CSRF, TOKENS, STORAGE])]
        .into_iter()
        .chain(Flaw::ALL.iter().copied().map(row));
    Matrix {
        plugin: PLUGIN,
        page: PLUGIN,
        introduction: "\
Every site is the reference site, inside the test, with one thing different. A mistake is asked about by its own check and by
five others that are quick.",
        columns: columns(),
        rows: rows.chain([elsewhere.only(&[STORAGE])]).collect(),
        entangled: ENTANGLED.to_vec(),
    }
}

const ENTANGLED: &[Entangled] = &[
    Entangled {
        row: "xss/refuses-posts",
        column: CSRF,
        reason: "of a form that takes nothing, nothing can be said of other sites either",
    },
    Entangled {
        row: "headers/debugger",
        column: PATHS,
        reason: "a path that leads nowhere answers 500 there",
    },
    Entangled {
        row: "register-login/ignores-case",
        column: STORAGE,
        reason: "what is hashed there is another text than the password, and no hash can be compared with it",
    },
    Entangled {
        row: "register-login/trusts-user-cookie",
        column: TOKENS,
        reason: "a cookie that is believed can be forged by whoever writes it",
    },
];

#[test]
fn every_cell_is_as_it_must_be() {
    matrix().prove();
}

#[test]
fn no_verdict_depends_on_the_seed_or_on_what_else_runs() {
    matrix().repeat_the_good(10);
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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/site");
        let subject = |address| Subject::http("api", address).with_folder("store", folder);
        expect_nothing_told(PLUGIN, &columns(), wrong, subject, Duration::from_secs(seconds), words).await;
    }
}

/// The site in Flask under gunicorn: another language, other libraries, processes of their own and a database.
#[cfg(feature = "live-servers")]
mod flask {
    use std::{collections::BTreeMap, path::Path};

    use mustdo::model::{Address, Launch, Place};

    use super::*;
    use crate::flask::gunicorn;
    use crate::launch::READY_TIMEOUT;

    /// Its mistakes, each with what is different; `app.py` has them by these names.
    const FLAWS: [(&str, &str); 14] = [
        ("sqli/concatenates", "The search puts its word into the query as it is."),
        ("sqli/doubles-quotes-only", "Quotes are doubled, and a number goes into the query as it is."),
        ("sqli/drops-and", "The word AND is taken out, and the rest goes into the query as it is."),
        ("sqli/refuses-quotes", "Whatever has a quote in it is answered 400."),
        ("sqli/login-concatenates", "The login puts the name into its query as it is."),
        ("sqli/shows-error", "A search that breaks the query answers 200 with the database's message."),
        ("token-forgery/weak-key", "The session is signed with the key dev."),
        ("xss/safe-filter", "One template marks the text of a post as safe."),
        ("csrf/no-token", "Forms have no token, and the session cookie has no SameSite."),
        ("enumeration/two-messages", "An unknown name and a wrong password get different messages."),
        ("throttle/none", "Passwords can be guessed as fast as the site answers."),
        ("password-storage/sha256", "Passwords are kept as their SHA-256."),
        ("password-storage/salted-md5", "Passwords are kept as one MD5 of a salt and the password."),
        ("password-storage/one-salt", "Passwords are kept as scrypt with one salt for everybody."),
    ];

    /// Those of the pages that Mako makes; `templates.py` has them by these names.
    const TEMPLATE_FLAWS: [(&str, &str); 5] = [
        ("template-escape/default", "Mako as it comes: it escapes nothing."),
        ("template-escape/raw-field", "One value is put out with `| n`."),
        ("template-escape/twice", "Values are escaped before they come to templates that escape."),
        ("template-escape/when-stored", "Values are escaped when they are stored, and put out with `| n`."),
        ("template-escape/quotes", "A filter escapes angle brackets and leaves quotes alone."),
    ];

    /// The application `module` with its folder of rows; `also` are variables of its environment.
    fn application(module: &str, flaw: Option<&str>, also: &[(&str, &str)]) -> Subject {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/site");
        let program = gunicorn();
        let run = [
            program.to_str().unwrap(),
            module,
            "--bind",
            "127.0.0.1:{port}",
            "--worker-class",
            "gthread",
            "--no-control-socket",
            "--workers",
            "2",
            "--threads",
            "8",
            "--chdir",
            source.to_str().unwrap(),
        ];
        let database = folder.path().join("site.db").display().to_string();
        let mut env = BTreeMap::from([
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
            ("SITE_DATABASE".to_owned(), database),
        ]);
        env.extend(flaw.map(|flaw| ("SITE_FLAW".to_owned(), flaw.to_owned())));
        env.extend(also.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let launch = Launch {
            run: run.map(str::to_owned).to_vec(),
            cwd: None,
            env,
            ready: Some("/".to_owned()),
            ready_timeout: READY_TIMEOUT,
        };
        let address = Address { host: "127.0.0.1".to_owned(), port: None };
        let place = Place::Http { address, prefix: String::new() };
        let rows = folder.path().to_str().unwrap().to_owned();
        Subject::default().with("api", place, Some(launch)).with_folder("store", &rows).keeping(folder)
    }

    fn site(flaw: Option<&str>) -> Subject {
        application("app:app", flaw, &[])
    }

    /// It shows a value that is sent, and one that is stored as a page and as text.
    fn mako(flaw: Option<&str>) -> Subject {
        let note = json!({ "path": "/notes", "body": "note={text}" });
        application("templates:app", flaw, &[]).asked_with(json!({ "sinks": [
            { "submit": "/hello?name={text}" },
            { "submit": note, "view": "/notes" },
            { "submit": note, "view": "/notes.json" },
        ] }))
    }

    #[test]
    fn a_real_application_is_told_right_from_wrong() {
        let own = |name: &str| {
            let check = name.split('/').next().unwrap_or_default();
            columns().into_iter().find(|column| column.check == check).unwrap().label
        };
        // It serves no files of its own, and its templates show what needs no account in the search only.
        let asked: Vec<_> = columns()
            .iter()
            .map(|column| column.label)
            .filter(|label| ![PATHS, TEMPLATES].contains(label))
            .collect();
        let good = Row::new(
            "flask",
            "Right, with the sessions that Flask has by itself: a logout takes the cookie away and cannot take it back. Its passwords have werkzeug's scrypt, at a third of the cost that is advised.",
            Kind::Odd,
            || site(None),
        );
        let flawed = FLAWS.map(|(name, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![own(name)]), move || site(Some(name))).only(&[own(name)])
        });
        let found =
            Row::new("flask-search", "The same, where a visitor finds the search.", Kind::Good, || {
                site(None).asked_with(json!({ "sinks": [] }))
            });
        let pbkdf2 = Row::new("pbkdf2", "Passwords have PBKDF2 with 600,000 rounds.", Kind::Good, || {
            application("app:app", None, &[("SITE_HASH", "pbkdf2:sha256:600000")])
        });
        let escaping = Row::new("mako", "Mako with `default_filters=['h']`.", Kind::Good, || mako(None))
            .only(&[TEMPLATES]);
        let unescaping = TEMPLATE_FLAWS.map(|(name, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![TEMPLATES]), move || mako(Some(name))).only(&[TEMPLATES])
        });
        let right = [good.only(&asked), found.only(&[TEMPLATES]), pbkdf2.only(&[STORAGE]), escaping];
        Matrix {
            plugin: PLUGIN,
            page: "web-security-flask",
            introduction: "\
Every site is the application of `tests/servers/site` under gunicorn with two processes: Flask, Jinja, itsdangerous, werkzeug's
scrypt and SQLite; or the pages beside it that Mako makes. Each mistake is asked about by its own check.",
            columns: columns(),
            rows: right.into_iter().chain(flawed).chain(unescaping).collect(),
            entangled: Vec::new(),
        }
        .prove();
    }
}
