//! The examples: the learner's shop is proven in the lists "must do" and "challenge" and whatever they rest on, and with
//! the mistakes of beginners in it the report names each of them.
//!
//! `MUSTDO_TEST_VENV` is a Python environment with `examples/shop/requirements.txt` installed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mustdo::{
    model::{Catalog, ItemId},
    store::CHECKLISTS,
    syntax::{self, Source},
};
use serde_json::Value;

use crate::{
    broker::Broker,
    database::Database,
    sandbox::{Printed, Sandbox},
};

/// Where the database of the learner keeps its rows.
const DATA: &str = "../shop-data";

/// Each mistake, the item and the check that see it, and words of what is said.
const MISTAKES: [(&str, &str, &str, &str); 37] = [
    ("acknowledged-first", "must-do.mq", "mq-delivery/ack-redeliver", "messages are lost after"),
    ("any-file", "challenge.web-security", "web-security/path-traversal", "reads a file outside"),
    (
        "any-text-is-a-number",
        "python.flask-routing",
        "http-api/routing",
        "with the route `GET /pages/<int:number>`",
    ),
    (
        "anybodys-address",
        "challenge.web-security",
        "web-security/access-control",
        "another user reads it at /addresses/",
    ),
    ("asked-until-it-answers", "pyweb.celery", "mq-delivery/celery-retry", "tries again inside itself"),
    ("celery-as-it-comes", "must-do.celery", "mq-delivery/celery-reliable", "has no acks_late"),
    ("columns-move", "ground.linux", "runtime-probe/linux-facts", "wrong about 2 of"),
    (
        "cookie-for-scripts",
        "challenge.web-security",
        "web-security/session",
        "scripts can read the cookie `session`",
    ),
    ("counted-nonce", "challenge.encryption", "judge/crypto", "the nonce comes from the clock or a counter"),
    (
        "development-server",
        "perf.python.flask",
        "http-api/production-server",
        "Werkzeug's development server",
    ),
    ("errors-are-new", "python.wsgi", "runtime-probe/wsgi", "an error after the start"),
    ("forgotten-on-errors", "challenge.c-extension", "runtime-probe/c-extension", "each failed call leaves"),
    ("forms-of-others", "challenge.web-security", "web-security/csrf", "another site can send POST"),
    ("free-guesses", "challenge.web-security", "web-security/throttle", "nothing stops guessing"),
    (
        "key-of-the-tutorial",
        "challenge.web-security",
        "web-security/token-forgery",
        "the key that signs Cookie: session is `dev`",
    ),
    ("led-away", "challenge.web-security", "web-security/outbound", "leads to another site"),
    ("missing-is-200", "ground.http", "http-api/http-basics", "a path that does not exist is answered 200"),
    ("missing-is-500", "ground.restful-api", "http-api/rest-crud", "500"),
    ("nameless", "pattern.decorator", "runtime-probe/decorator", "has another name"),
    ("negative-index", "ds.array", "judge/linear", "expected: {\"err\":\"INDEX\"}"),
    ("few-connections", "http.attack", "gateway/slow-clients", "ordinary requests were not served"),
    ("no-limit", "http.ddos", "gateway/rate-limit", "flood"),
    ("no-transactions", "ground.mysql", "sql-check/smoke", "its engine is MyISAM"),
    ("one-read-one-line", "ground.tcp", "net/echo", "right bytes of the reply"),
    ("one-read-one-line", "must-do.network-programming", "net/suite", ""),
    (
        "ordered-twice",
        "challenge.idempotent-api",
        "http-idempotency/key-protocol",
        "was carried out 10 times",
    ),
    (
        "ordered-twice",
        "idempotence.refresh-retry",
        "http-idempotency/double-submit",
        "was carried out 10 times",
    ),
    ("ordered-twice", "idempotence.unique-key", "sql-check/unique-guard", "sent 30 times at once is 30 rows"),
    ("overlapping-copy", "python.list-in-c", "judge/c-list", "memcpy-param-overlap"),
    ("put-adds", "idempotence.definition", "http-idempotency/repeat-effect", "changed the state again"),
    ("python-sees-it-all", "python.c-leak", "runtime-probe/leak-hunt", "right about 1 of 4 packages"),
    ("query-of-text", "challenge.web-security", "web-security/sqli", "query of GET /search"),
    ("sent-and-forgotten", "network.rabbitmq", "mq-delivery/amqp-durable", "without confirm.select"),
    ("state-on-the-layer", "challenge.middleware-patterns", "judge/middleware-chain", ""),
    ("text-as-markup", "must-do.xss", "web-security/xss", "GET /reviews then has"),
    ("two-accounts", "must-do.register-login", "web-security/register-login", "times when 16 tried at once"),
    ("two-messages", "challenge.web-security", "web-security/enumeration", "There is no such user"),
];

/// Items that the shop proves and that neither list rests on.
const BESIDE: [&str; 2] = ["network.rabbitmq", "pyweb.celery"];

/// Two at once would wait for the processor instead of for their work.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The plugins that the learner allows something beyond loopback.
const GRANTED: [&str; 7] =
    ["http-api", "http-idempotency", "judge", "mq-delivery", "net", "runtime-probe", "web-security"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The lists and what they need, whether or not it has a check.
fn rested_on() -> BTreeMap<String, bool> {
    let files = CHECKLISTS
        .iter()
        .map(|&(name, text)| syntax::read_checklist(&Source::new(name, text)).value.unwrap());
    let catalog = syntax::link(files.collect()).catalog;
    let mut found = BTreeMap::new();
    for item in catalog.items() {
        if ["must-do.", "challenge."].iter().any(|list| item.id.as_str().starts_with(list)) {
            follow(&catalog, &item.id, &mut found);
        }
    }
    found
}

fn follow(catalog: &Catalog, id: &ItemId, found: &mut BTreeMap<String, bool>) {
    let item = catalog.item(id).unwrap();
    if found.insert(id.to_string(), !item.checks.is_empty()).is_none() {
        for need in &item.needs {
            follow(catalog, need, found);
        }
    }
}

/// A learner's folder, a repository of its own, and the database and the broker that the shop is on.
struct Learner {
    sandbox: Sandbox,
    database: Database,
    /// Stopped with the test.
    _broker: Broker,
}

impl Learner {
    /// The shop with these patches applied, committed, and everything granted that it asks for.
    fn with(mistakes: &BTreeSet<&str>) -> Self {
        let (sandbox, database, broker) = (Sandbox::empty(), Database::start(), Broker::start());
        copy(&examples().join("shop"), &sandbox.path());
        let environment =
            std::env::var_os("MUSTDO_TEST_VENV").expect("MUSTDO_TEST_VENV names the Python environment");
        symlink(environment, sandbox.path().join(".venv")).unwrap();
        let mut bound = sandbox.read("mustdo.toml");
        for (usual, port) in [("3306", database.port), ("5672", broker.port)] {
            assert!(bound.contains(usual), "{bound}");
            bound = bound.replace(usual, &port.to_string());
        }
        assert!(bound.contains(DATA), "{bound}");
        bound = bound.replace(DATA, database.data().to_str().unwrap());
        sandbox.write("mustdo.toml", &bound);
        sandbox.git(&["init", "--quiet"]);
        for name in mistakes {
            let patch = examples().join(format!("mistakes/{name}.patch"));
            sandbox.git(&["apply", patch.to_str().unwrap()]);
        }
        sandbox.git(&["add", "."]);
        sandbox.git(&["commit", "--quiet", "--message", "shop"]);
        let setup = "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER shop@localhost IDENTIFIED BY 'teapot'; \
                     GRANT ALL ON shop.* TO shop@localhost; USE shop;";
        let statements = [setup, &sandbox.read("sql/schema.sql"), &sandbox.read("sql/demo.sql")].join("\n");
        database.run(&statements).unwrap_or_else(|said| panic!("{statements}\n{said}"));
        for plugin in GRANTED {
            sandbox.run(&["grant", plugin]).ends(0);
        }
        Self { sandbox, database, _broker: broker }
    }

    fn verify(&self, items: &BTreeSet<String>) -> (Printed, Value) {
        let port = self.database.address().port().to_string();
        let variables = [
            ("SHOP_DB_PASSWORD", "teapot"),
            ("SHOP_DB_PORT", &port),
            ("SHOP_SECRET_KEY", "5f0c9d2e7ab14836f1d20e9bb76c4a53"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ];
        let mut arguments = vec!["verify", "--report", "json=report.json"];
        arguments.extend(items.iter().map(String::as_str));
        let printed = self.sandbox.run_with(&variables, &arguments);
        let report = self.sandbox.read("report.json");
        (printed, serde_json::from_str(&report).unwrap())
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        // What is there of trying the example by hand is not part of it.
        if [".venv", ".mustdo", "__pycache__", "progress"].iter().any(|own| name == *own) {
            continue;
        }
        if path.is_dir() {
            fs::create_dir(to.join(&name)).unwrap();
            copy(&path, &to.join(&name));
        } else {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

/// The items of a report, by id.
fn items(report: &Value) -> BTreeMap<&str, &Value> {
    let checklists = report["checklists"].as_array().unwrap().iter();
    let groups = checklists.flat_map(|checklist| checklist["groups"].as_array().unwrap());
    let items = groups.flat_map(|group| group["items"].as_array().unwrap());
    items.map(|item| (item["id"].as_str().unwrap(), item)).collect()
}

#[test]
fn the_learner_is_proven_in_both_lists_and_what_they_rest_on() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let rested_on = rested_on();
    assert_eq!(rested_on.len(), 27);
    let checked = rested_on.iter().filter(|(_, checked)| **checked).map(|(id, _)| id.clone());
    let checked = checked.chain(BESIDE.map(str::to_owned)).collect();

    let learner = Learner::with(&BTreeSet::new());
    learner.sandbox.run(&["lint"]).ends(0);
    let (printed, report) = learner.verify(&checked);
    let Printed { code, stdout, stderr } = printed;
    let items = items(&report);
    let is_proven = |id: &str| items.get(id).is_some_and(|item| item["status"] == "proven");
    let unproven: Vec<_> =
        rested_on.keys().map(String::as_str).chain(BESIDE).filter(|id| !is_proven(id)).collect();
    assert!(unproven.is_empty(), "{unproven:?}\n{stdout}\n{stderr}");
    let checks = items.values().flat_map(|item| item["checks"].as_array().unwrap());
    let not_passed: Vec<_> = checks.filter(|check| check["decided"]["outcome"] != "pass").collect();
    assert!(code == 0 && not_passed.is_empty(), "{code}: {not_passed:?}\n{stdout}\n{stderr}");
}

#[test]
fn each_mistake_of_a_beginner_is_named() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mistakes: BTreeSet<_> = MISTAKES.iter().map(|(name, ..)| *name).collect();
    let patches = fs::read_dir(examples().join("mistakes")).unwrap();
    let there: BTreeSet<_> = patches.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, mistakes.iter().map(|name| format!("{name}.patch")).collect());

    let learner = Learner::with(&mistakes);
    let selected: BTreeSet<_> = MISTAKES.iter().map(|(_, item, ..)| (*item).to_owned()).collect();
    let (printed, report) = learner.verify(&selected);
    let Printed { code, stdout, stderr } = printed;
    assert_eq!(code, 1, "{stdout}\n{stderr}");
    let items = items(&report);
    assert_eq!(items.len(), selected.len());
    let unnamed: Vec<String> = MISTAKES
        .iter()
        .filter_map(|(name, item, check, words)| {
            let checks = items[item]["checks"].as_array().unwrap();
            let decided = &checks.iter().find(|found| found["id"] == *check).unwrap()["decided"];
            let is_named = items[item]["status"] == "failing"
                && decided["outcome"] == "fail"
                && told(decided).iter().any(|said| said.contains(words));
            (!is_named).then(|| format!("{name}: {check} says nothing of {words:?}: {decided:#}"))
        })
        .collect();
    assert!(unnamed.is_empty(), "{stdout}\n{stderr}\n{}", unnamed.join("\n"));
}

/// What a check says to the learner: its summary, and each thing that it found.
fn told(decided: &Value) -> Vec<&str> {
    let findings = decided["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let messages = findings.iter().map(|finding| &finding["message"]);
    let all = std::iter::once(&decided["summary"]).chain(messages);
    all.filter_map(|text| text["en"].as_str()).collect()
}
