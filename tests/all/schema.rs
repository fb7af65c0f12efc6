//! The JSON Schemas that editors use, against files that are right and files that are not.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

const CHECKLIST: &str = include_str!("../../src/syntax/schema/checklist.json");
const WORKSPACE: &str = include_str!("../../src/syntax/schema/workspace.json");
const PROGRESS: &str = include_str!("../../src/syntax/schema/progress.json");
const RESULT: &str = include_str!("../../src/syntax/schema/result.json");
const CASES: &str = include_str!("../../src/syntax/schema/cases.json");
const COHORT: &str = include_str!("../../src/syntax/schema/cohort.json");

const GOOD_CHECKLIST: &str = r#"
format = 1
id = "http"
version = "1.0.0"
title = { zh = "网络", en = "Network" }

[[group]]
id = "http"
title = { zh = "网络", en = "Network" }

[[item]]
id = "http.cache"
group = "http"
title = { zh = "缓存", en = "Cache" }
level = "must"
weight = 3
kind = "verify"

[[item.check]]
uses = "acme:http-extra/cache"
target = { api = "web" }
with = { path = "/" }
watch = ["app/**/*.py"]
"#;

const GOOD_WORKSPACE: &str = r#"
[workspace]
lang = "zh"
fresh-for = "120d"

[targets.web]
kind = "http"
url = "http://127.0.0.1:{port}"
run = ["flask", "run", "--port", "{port}"]
cwd = "app"
env = { MODE = "test" }
ready = "/healthz"
ready-timeout = "30s"

[targets.socket]
kind = "tcp"
address = "127.0.0.1:{port}"
run = ["./echo", "{port}"]

[targets.src]
kind = "dir"
path = "."

[targets.worker]
kind = "command"
program = "celery"
args = ["-A", "app", "worker", "--concurrency=*", "**"]
env = { MODE = "test", QUEUE = "*" }
cwd = "app"

[item."challenge.idempotent-api"]
target = { api = "web" }
with = { observe = "GET /orders", password = { env = "SHOP_PASSWORD" } }
watch = ["app/**/*.py"]
fresh-for = "30d"

[grants.http-idempotency]
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
allow = ["http:web", "read:src", "env:TOKEN", "listen", "process:worker"]
programs = { worker = "/usr/bin/celery" }

[secrets]
env = ["SHOP_PASSWORD"]
plain = ["MODE"]
files = ["deploy/*.key"]

[policy]
must = "proven"
readiness = 80
stale = 0
claimed = 3
inconclusive = "allow"
unproven = "deny"
flaky = "allow"

[git]
commit = true

[verify]
jobs = 2
timeout = "30s"

[limits]
memory-mib = 128
attachments-mib = 32
requests = 100_000
concurrency = 1_000
compile-memory-mib = 8_192
compile-seconds = 300
"#;

const GOOD_PROGRESS: &str = r#"
format = 1
checklist = "challenge"
written-by = "a newer version"

[item."challenge.encryption"]
claim = { at = "2026-03-01T09:30:00Z", note = "AES-GCM", links = ["https://example.org/pr/1"] }
waiver = { why = "later", until = "2026-05-01", at = "2026-03-01T09:30:00+01:00" }

[item."challenge.idempotent-api".check."http-idempotency/key-protocol"]
outcome = "fail"
at = "2026-03-01T09:30:00Z"
summary = { en = "a repeat was done twice", zh = "重复的请求执行了两次" }
plugin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
version = "0.1.0"
definition = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
seed = "00c0ffee12345678"
commit = "2222222222222222222222222222222222222222+"
targets = { web = "http://127.0.0.1:40123" }
millis = 812
score = { earned = 3.0, possible = 4.0 }
figures = [{ name = "replay", value = 4.2, unit = "ms", samples = 10, statistic = "p50" }]
steps = [{ id = "replay", need = "must", outcome = "fail", summary = "201, then 201 with another id" }]

[[item."challenge.idempotent-api".check."http-idempotency/key-protocol".findings]]
severity = "problem"
code = "replay.other-body"
message = { en = "the second answer differs", zh = "第二次的结果不同" }
hint = "keep the first answer with the key"

[item."idempotence.definition".check."http-idempotency/repeat-effect".undecided]
outcome = "inconclusive"
at = "2026-03-01T09:30:00.125Z"
summary = "web does not answer"
plugin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
version = "0.1.0"
definition = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
seed = "00c0ffee12345678"
fault = true
"#;

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema follows JSON Schema 2020-12");
    jsonschema::draft202012::new(&schema).expect("the schema compiles")
}

/// What the schema says against a file, a line for each fault; empty when it is right.
fn faults(validator: &Validator, text: &str) -> Vec<String> {
    let file: Value = toml::from_str(text).expect("the file is TOML");
    validator.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Refuses `good` after each replacement, and takes it without.
fn refuses(schema: &str, good: &str, replacements: &[(&str, &str)]) {
    let validator = validator(schema);
    assert_eq!(faults(&validator, good), Vec::<String>::new());
    for (right, wrong) in replacements {
        assert!(good.contains(right), "{right}");
        let broken = good.replacen(right, wrong, 1);
        assert!(!faults(&validator, &broken).is_empty(), "taken: {wrong}");
    }
}

/// The TOML blocks of a page that contain `mark`.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains(mark)).map(str::to_owned).collect()
}

#[test]
fn the_shipped_checklists_are_valid() {
    let validator = validator(CHECKLIST);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("checklists");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = faults(&validator, &fs::read_to_string(&path).unwrap());
        assert_eq!(found, Vec::<String>::new(), "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn the_documented_checklist_is_valid() {
    let validator = validator(CHECKLIST);
    let examples = blocks("docs/checklists.md", "format = 1");
    assert_eq!(examples.len(), 1);
    assert_eq!(faults(&validator, &examples[0]), Vec::<String>::new());
}

#[test]
fn the_documented_bindings_are_valid() {
    let validator = validator(WORKSPACE);
    let examples = blocks("docs/checklists.md", "[targets.");
    assert_eq!(examples.len(), 1);
    assert_eq!(faults(&validator, &examples[0]), Vec::<String>::new());
}

#[test]
fn a_broken_checklist_is_refused() {
    let replacements = [
        ("format = 1", "format = 2"),
        ("format = 1\n", ""),
        ("version = \"1.0.0\"", "version = \"1.0\""),
        ("zh = \"缓存\", ", ""),
        ("en = \"Cache\"", "en = \" \""),
        ("id = \"http.cache\"", "id = \"HTTP.cache\""),
        ("level = \"must\"", "level = \"nice\""),
        ("weight = 3", "weight = 6"),
        ("weight = 3", "weight = 0"),
        ("weight = 3", "wieght = 3"),
        ("group = \"http\"\n", ""),
        ("kind = \"verify\"", "kind = \"quiz\""),
        ("kind = \"verify\"", "kind = \"verify\"\nfresh-for = \"soon\""),
        ("kind = \"verify\"", "kind = \"verify\"\nneeds = [\"http\", \"http\"]"),
        ("acme:http-extra/cache", "http-extra"),
        ("api = \"web\"", "api = \"http://127.0.0.1\""),
    ];
    refuses(CHECKLIST, GOOD_CHECKLIST, &replacements);
}

#[test]
fn a_broken_workspace_is_refused() {
    let replacements = [
        ("lang = \"zh\"", "lang = \"fr\""),
        ("env = [\"SHOP_PASSWORD\"]", "env = [\"$SHOP_PASSWORD\"]"),
        ("\"/usr/bin/celery\"", "\"celery\""),
        ("kind = \"http\"", "kind = \"https\""),
        ("kind = \"http\"", "kind = \"dir\""),
        ("url = \"http://127.0.0.1:{port}\"\n", ""),
        ("ready = \"/healthz\"", "ready = \"healthz\""),
        ("ready-timeout = \"30s\"", "ready-timeout = 30"),
        ("run = [\"flask\", \"run\", \"--port\", \"{port}\"]", "run = \"flask run\""),
        ("address = \"127.0.0.1:{port}\"", "address = \"127.0.0.1\""),
        ("path = \".\"", "path = \".\"\nurl = \"http://127.0.0.1\""),
        ("sha256:0", "sha256:"),
        ("\"http:web\"", "\"http://web\""),
        ("readiness = 80", "readiness = 101"),
        ("must = \"proven\"", "must = \"waived\""),
        ("stale = 0", "stale = -1"),
        ("commit = true", "commit = \"yes\""),
        ("jobs = 2", "jobs = 65"),
        ("memory-mib = 128", "memory-mib = 4097"),
        ("compile-seconds = 300", "compile-seconds = 0"),
        ("requests = 100_000", "handles = 100_000"),
        ("url = \"http:", "url = \"https:"),
        ("inconclusive = \"allow\"", "inconclusive = \"pass\""),
        ("read:src", "read:*"),
        ("[policy]", "[polcy]"),
    ];
    refuses(WORKSPACE, GOOD_WORKSPACE, &replacements);
}

#[test]
fn an_empty_workspace_is_enough() {
    assert_eq!(faults(&validator(WORKSPACE), ""), Vec::<String>::new());
}

#[test]
fn broken_progress_is_refused() {
    let replacements = [
        ("format = 1", "format = \"1\""),
        ("checklist = \"challenge\"\n", ""),
        ("at = \"2026-03-01T09:30:00Z\", note", "at = \"yesterday\", note"),
        ("until = \"2026-05-01\"", "until = \"May\""),
        ("why = \"later\", ", ""),
        ("outcome = \"fail\"", "outcome = \"failed\""),
        ("outcome = \"fail\"", "outcome = \"inconclusive\""),
        ("outcome = \"inconclusive\"", "outcome = \"pass\""),
        ("outcome = \"inconclusive\"\n", ""),
        ("seed = \"00c0ffee12345678\"\n", ""),
        (", zh = \"第二次的结果不同\"", ""),
        ("plugin = \"sha256:0", "plugin = \"sha1:0"),
        ("definition = \"sha256:1111", "definition = \"sha256:11"),
        ("millis = 812", "millis = -1"),
        ("possible = 4.0", "possible = 0.0"),
        ("need = \"must\"", "need = \"may\""),
        ("severity = \"problem\"", "severity = \"bad\""),
    ];
    refuses(PROGRESS, GOOD_PROGRESS, &replacements);
}

const GOOD_RESULT: &str = r#"
format = 1
partition = "2/4"
mustdo = "0.1.0"
started = "2026-03-01T09:30:00Z"
commit = "2222222222222222222222222222222222222222+"
content = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
policy = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
progress = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
division = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
missed = true
selection = { names = ["tcp.*"], level = ["must"], tag = ["http"], status = ["stale"] }
plugins = { http-idempotency = "sha256:0000000000000000000000000000000000000000000000000000000000000000" }
items = ["idempotence.definition"]

[item."idempotence.definition".check."http-idempotency/repeat-effect".undecided]
outcome = "inconclusive"
at = "2026-03-01T09:30:00.125Z"
summary = "web does not answer"
plugin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
version = "0.1.0"
definition = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
seed = "00c0ffee12345678"
"#;

#[test]
fn broken_results_are_refused() {
    let replacements = [
        ("partition = \"2/4\"", "partition = 2"),
        ("mustdo = \"0.1.0\"\n", ""),
        ("level = [\"must\"]", "level = [\"nice\"]"),
        ("content = \"sha256:0", "content = \"sha1:0"),
        ("plugins = { ", "plugins = { \"a b\" = \"x\", "),
        ("\"idempotence.definition\"]", "\"idempotence.definition\", \"idempotence.definition\"]"),
        ("missed = true", "missed = 1"),
        ("outcome = \"inconclusive\"", "outcome = \"pass\""),
        ("seed = \"00c0ffee12345678\"\n", ""),
    ];
    refuses(RESULT, GOOD_RESULT, &replacements);
}

const GOOD_CASES: &str = r#"
format = 1

[targets.api]
kind = "http"
url = "http://127.0.0.1:{port}"
run = ["node", "cases/service.js", "{port}"]

[[case]]
name = "right"
check = "problem"
expect = "pass"

[[case]]
name = "html"
check = "problem"
expect = "fail"
step = "media-type"
with = { path = "/none" }
target = { api = "api" }
args = { api = ["html"] }
recording = "cases/html.jsonl"
"#;

#[test]
fn cases_refuse_what_they_should() {
    refuses(
        CASES,
        GOOD_CASES,
        &[
            ("format = 1", "format = 2"),
            ("name = \"right\"\n", ""),
            ("\"right\"", "\"Right\""),
            ("expect = \"pass\"", "expect = \"skip\""),
            ("expect = \"pass\"", "expect = \"pass\"\nstep = \"media-type\""),
            ("step = \"media-type\"\n", ""),
            ("[\"html\"]", "\"html\""),
            ("kind = \"http\"", "kind = \"web\""),
        ],
    );
}

#[test]
fn targets_of_cases_are_those_of_workspaces() {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap()["$defs"].clone();
    let (cases, workspace) = (schema(CASES), schema(WORKSPACE));
    let own = cases.as_object().unwrap().iter().filter(|(name, _)| *name != "case");
    for (name, part) in own {
        assert_eq!(*part, workspace[name], "{name}: the same in cases.json and in workspace.json");
    }
}

#[test]
fn cases_of_the_templates_follow_the_schema() {
    let validator = validator(CASES);
    for language in ["js", "python", "rust"] {
        let path = format!("plugins/templates/{language}/cases.toml");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        assert_eq!(faults(&validator, &text), [] as [String; 0], "{language}");
    }
}

const GOOD_COHORT: &str = r#"
format = 1

[cohort]
title = "Spring"
checklists = ["must-do"]

[[learner]]
name = "Ada"
path = "ada"
rev = "feature/shop"

[[learner]]
name = "Bo"
git = "ssh://git@example.org/bo.git"
rev = "main"
folder = "work/shop"
"#;

#[test]
fn cohorts_refuse_what_they_should() {
    refuses(
        COHORT,
        GOOD_COHORT,
        &[
            ("format = 1", "format = 2"),
            ("name = \"Ada\"\n", ""),
            ("path = \"ada\"\n", ""),
            ("path = \"ada\"", "path = \"ada\"\nfolder = \"x\""),
            ("path = \"ada\"", "path = \"ada\"\ngit = \"file:///ada\""),
            ("ssh://git@", "http://"),
            ("rev = \"main\"", "rev = \"-main\""),
            ("rev = \"main\"", "rev = \"main~1\""),
            ("[\"must-do\"]", "[\"must-do\", \"must-do\"]"),
            ("title", "titel"),
        ],
    );
}

#[test]
fn the_documented_cohort_is_valid() {
    let examples = blocks("docs/cohort.md", "[[learner]]");
    assert_eq!(examples.len(), 1);
    assert_eq!(faults(&validator(COHORT), &examples[0]), Vec::<String>::new());
}
