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
five others that are quick. `challenge.web-security` asks ten of these checks together and has none of its own, so one mistake
of theirs is enough to refuse it.",
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
    matrix().repeat_the_good(3);
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
    use std::{collections::BTreeMap, path::Path, process::Command};

    use mustdo::model::{Address, Launch, Place};

    use super::*;
    use crate::{
        flask::gunicorn,
        launch::{READY_TIMEOUT, free_address},
        proof::served::run,
    };

    /// What the interface signs its tokens with.
    const KEY: &str = "a key that no tutorial has, of more than 256 bits";

    /// Its mistakes, each with what is different; `app.py` has them by these names.
    const FLAWS: [(&str, &str); 15] = [
        ("sqli/concatenates", "The search puts its word into the query as it is."),
        ("sqli/doubles-quotes-only", "Quotes are doubled, and a number goes into the query as it is."),
        (
            "sqli/number-in-table",
            "The number of a page goes into its query as it is: a false condition shows a table without rows, a quote 500.",
        ),
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

    /// Those of the interface, whose login answers with a bearer token; `interface.py` has them by these names.
    const INTERFACE_FLAWS: [(&str, &str); 15] = [
        (
            "sqli/name-in-path",
            "The name in the path of a member goes into the query as it is: a quote is answered 500.",
        ),
        ("token-forgery/key-random", "Tokens are signed with the key random."),
        ("token-forgery/payload-only", "The claims of a token are read without looking at its signature."),
        ("xss/book-as-html", "A book is answered as a page, with its secret as it was sent."),
        (
            "csrf/token-in-cookie",
            "The token is kept in a cookie as well, which names no site, and a body counts as JSON whatever it says it is.",
        ),
        ("enumeration/interface-tells", "An unknown name and a wrong password get different messages."),
        ("access-control/book-of-others", "Whoever is logged in reads the secret of any book."),
        ("access-control/rewrites-others", "Whoever is logged in changes any book by PUT."),
        ("access-control/admin-in-json", "A field admin at registration is taken over."),
        (
            "access-control/password-by-name",
            "Whoever is logged in sets the password of the member that the path names.",
        ),
        ("register-login/interface-any-password", "Any password logs in, as long as the name is known."),
        ("register-login/token-outlives-logout", "A logout is answered as done, and the token works on."),
        (
            "session/tokens-count",
            "Instead of a signed token the login answers with the number of the session.",
        ),
        ("throttle/interface-none", "Passwords can be guessed as fast as the interface answers."),
        ("password-storage/interface-clear", "Passwords are kept as they were sent."),
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

    /// Registration, login and whoami are found; what an interface does not link to is said.
    fn interface(flaw: Option<&str>) -> Subject {
        application("interface:app", flaw, &[("SITE_KEY", KEY)]).asked_with(json!({
            "new_password": {
                "method": "PUT",
                "path": "/members/{user}/password",
                "body": { "password": "{password}" },
            },
            "sinks": [{ "submit": { "path": "/books", "body": { "title": "{token}", "secret": "{text}" } } }],
            "inputs": ["/members/{value}"],
            "values": ["librarian"],
            "admin": ["/members"],
            "signing_key": KEY,
        }))
    }

    /// nginx with a page at / and a style sheet below `location`; above the folder of the latter lies what nobody serves.
    fn files(location: &str) -> Subject {
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let settings = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/site/nginx.conf");
        let settings = std::fs::read_to_string(settings).unwrap();
        let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
        let settings = settings.replace("PORT", &address.port().to_string()).replace("LOCATION", location);
        write("nginx.conf", &format!("{user}{settings}"));
        write("pages/index.html", "<!doctype html><link rel=stylesheet href=/s/style.css><p>Welcome.");
        write("static/style.css", "body { margin: 2em }\n");
        write("mustdo.toml", "[targets.web]\nkind = \"http\"\n");
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        Subject::http("api", address).keeping(run(nginx, folder, &[address]))
    }

    /// The column of the check that a mistake is for.
    fn own(name: &str) -> &'static str {
        let check = name.split('/').next().unwrap_or_default();
        columns().into_iter().find(|column| column.check == check).unwrap().label
    }

    /// Rows of the interface, and of files that nginx serves.
    fn beside_the_pages() -> Vec<Row> {
        let asked = [REGISTER, XSS, CSRF, SESSION, SQLI, ACCESS, ENUMERATION, THROTTLE, TOKENS];
        let good = Row::new(
            "interface",
            "Accounts and books as JSON, and a login that answers with a bearer token: a JSON Web Token that a logout takes back.",
            Kind::Good,
            || interface(None),
        );
        let stored = Row::new(
            "interface-scrypt",
            "The same; its passwords have werkzeug's scrypt.",
            Kind::Odd,
            || interface(None),
        );
        let flawed = INTERFACE_FLAWS.map(|(name, summary)| {
            let start = move || interface(Some(name));
            Row::new(name, summary, Kind::Flaw(vec![own(name)]), start).only(&[own(name)])
        });
        let served =
            Row::new("nginx", "nginx: `location /s/ { alias static/; }`.", Kind::Good, || files("/s/"));
        let off_by_slash = Row::new(
            "path-traversal/nginx-alias",
            "nginx: `location /s { alias static/; }`, so what follows /s is put behind the folder.",
            Kind::Flaw(vec![PATHS]),
            || files("/s"),
        );
        let rows = [good.only(&asked), stored.only(&[STORAGE]), served.only(&[PATHS])];
        rows.into_iter().chain(flawed).chain([off_by_slash.only(&[PATHS])]).collect()
    }

    #[test]
    fn a_real_application_is_told_right_from_wrong() {
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
        let slowing = Row::new(
            "slows-down",
            "Guessing at an account is answered more slowly each time, and never refused.",
            Kind::Good,
            || application("app:app", None, &[("SITE_SLOWS", "1")]).asked_with(json!({ "tries": 20 })),
        );
        let slow_for_all = Row::new(
            "throttle/slow-for-all",
            "Each wrong password makes every login slower, whoever logs in, as on a machine that has too much to do.",
            Kind::Flaw(vec![THROTTLE]),
            || site(Some("throttle/slow-for-all")).asked_with(json!({ "tries": 20 })),
        );
        let slow_for_all = slow_for_all.depending_on_load().only(&[THROTTLE]);
        let escaping = Row::new("mako", "Mako with `default_filters=['h']`.", Kind::Good, || mako(None))
            .only(&[TEMPLATES]);
        let unescaping = TEMPLATE_FLAWS.map(|(name, summary)| {
            Row::new(name, summary, Kind::Flaw(vec![TEMPLATES]), move || mako(Some(name))).only(&[TEMPLATES])
        });
        let right = [
            good.only(&asked),
            found.only(&[TEMPLATES]),
            pbkdf2.only(&[STORAGE]),
            slowing.only(&[THROTTLE]),
            escaping,
        ];
        Matrix {
            plugin: PLUGIN,
            page: "web-security-flask",
            introduction: "\
Every site is the application of `tests/servers/site` under gunicorn with two processes: Flask, Jinja, itsdangerous, werkzeug's
scrypt and SQLite; the pages beside it that Mako makes; an interface in JSON whose login answers with a bearer token; or files
that nginx serves. Each mistake is asked about by its own check.",
            columns: columns(),
            rows: right.into_iter().chain(flawed).chain(unescaping).chain(beside_the_pages()).chain([slow_for_all]).collect(),
            entangled: Vec::new(),
        }
        .prove();
    }
}
