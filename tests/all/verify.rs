//! `mustdo verify` from end to end: real targets, the real plugin, what is recorded and how it ends.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

const SAFE_GET: &str = "frontend.idempotent-request";
pub(crate) const REPEAT: &str = "idempotence.definition";

/// Settings whose target is the demo's shop, with a mistake where one is given.
pub(crate) fn shop(flaw: Option<&str>) -> String {
    let flaw = flaw.map_or(String::new(), |flaw| format!(", \"--flaw\", \"{flaw}\""));
    format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\nready = \"/healthz\"\n\
         run = [{:?}, \"demo\", \"serve\", \"--port\", \"{{port}}\"{flaw}]\n",
        env!("CARGO_BIN_EXE_mustdo")
    )
}

fn json(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    serde_json::from_str(&sandbox.read(name)).unwrap()
}

#[test]
fn good_service_is_proven_and_everything_is_recorded() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "--quiet", "-m", "shop"]);
    let printed = sandbox.run(&["verify", SAFE_GET, "--seed", "0x2a"]).ends(0);
    assert!(printed.stdout.contains("proven"), "{}", printed.stdout);

    let progress = sandbox.read("progress/frontend.toml");
    for part in [
        "outcome = \"pass\"",
        "plugin = \"sha256:",
        "definition = \"sha256:",
        "seed = \"000000000000002a\"",
        "commit = \"",
        "started: ",
        "version = \"",
    ] {
        assert!(progress.contains(part), "{part} is missing:\n{progress}");
    }
    assert!(sandbox.run(&["report", SAFE_GET]).ends(0).stdout.contains("100%"));
    assert!(sandbox.run(&["show", SAFE_GET]).ends(0).stdout.contains("pass"));
    assert!(sandbox.run(&["list", "--status", "proven"]).ends(0).stdout.contains(SAFE_GET));
    assert!(sandbox.run(&["verify", SAFE_GET, "--commit"]).ends(0).stderr.contains("committed"));
    assert!(sandbox.git(&["log", "-1", "--format=%B"]).contains(SAFE_GET));
}

/// What a pass of `key-protocol` leaves out where nothing is granted, on one line.
const LEFT_OUT: &str = "http-idempotency/key-protocol, crash-restart: not tried: killing and restarting the service needs a permission that was not given: mustdo grant \
    http-idempotency process:web";

#[test]
fn pass_says_which_of_its_must_steps_were_left_out() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    let printed = sandbox.run(&["verify", "challenge.idempotent-api"]).ends(0).stdout;
    let later = sandbox.run(&["report", "challenge.idempotent-api"]).ends(0).stdout;
    for said in [&printed, &later] {
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Passed without (1)") && words.contains(LEFT_OUT), "{said}");
    }
    let complete = sandbox.run(&["verify", SAFE_GET]).ends(0).stdout;
    assert!(!complete.contains("Passed without"), "{complete}");
}

#[test]
fn broken_service_fails_with_the_finding_in_every_report() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(Some("repeat-effect/put-appends")));
    let arguments =
        ["verify", REPEAT, "--report", "json=r.json", "--report", "junit=r.xml", "--report", "markdown=r.md"];
    let printed = sandbox.run(&arguments).ends(1);
    assert!(printed.stdout.contains("failing"), "{}", printed.stdout);
    assert!(sandbox.read("r.xml").contains("<failure"));
    assert!(sandbox.read("r.md").contains(REPEAT));
    assert!(json(&sandbox, "r.json").to_string().contains("\"failing\""));
    sandbox.run(&["report"]).ends(1);

    // Mended, it is proven: the failure is not remembered against it.
    sandbox.write("mustdo.toml", &shop(None));
    sandbox.run(&["verify", "--status", "failing"]).ends(0);
    sandbox.run(&["report"]).ends(0);
}

#[test]
fn proof_goes_stale_when_the_binding_or_a_watched_file_changes() {
    let sandbox = Sandbox::workspace();
    let bound = format!("{}\n[item.\"{SAFE_GET}\"]\nwatch = [\"app/**\"]\n", shop(None));
    sandbox.write("mustdo.toml", &bound);
    sandbox.write("app/shop.py", "1\n");
    sandbox.run(&["verify", SAFE_GET]).ends(0);
    let stale = || sandbox.run(&["list", "--status", "stale"]).ends(0).stdout.contains(SAFE_GET);
    assert!(!stale());
    sandbox.write("app/shop.py", "2\n");
    assert!(stale());
    sandbox.write("app/shop.py", "1\n");
    assert!(!stale());
    sandbox.write("mustdo.toml", &format!("{bound}with = {{ n = 4 }}\n"));
    assert!(stale());
}

#[test]
fn failure_is_a_failure_however_the_selection_is_narrowed() {
    let sandbox = Sandbox::workspace();
    let broken = shop(Some("repeat-effect/put-appends"));
    sandbox.write("mustdo.toml", &broken);
    let printed = sandbox.run(&["verify", REPEAT, "--status", "open", "--report", "junit=r.xml"]).ends(1);
    assert!(printed.stdout.contains("failing"), "{}", printed.stdout);
    assert!(sandbox.read("r.xml").contains("<failure"));
    sandbox.run(&["report", "--status", "open"]).ends(1);
    sandbox.run(&["waive", REPEAT, "--why", "later", "--until", "2026-07-01"]).ends(0);
    sandbox.run(&["verify", REPEAT]).ends(1);
}

#[test]
fn policy_asks_of_everything_whatever_status_is_shown() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &format!("{}[policy]\nreadiness = 100\n", shop(None)));
    sandbox.run(&["verify", SAFE_GET]).ends(0);
    sandbox.run(&["report", "--status", "proven"]).ends(1);
    sandbox.run(&["verify", "--status", "proven"]).ends(1);
}

#[test]
fn nothing_proven_is_not_allowed_to_be_inconclusive() {
    let sandbox = Sandbox::workspace();
    let allow = "[policy]\ninconclusive = \"allow\"\n";
    sandbox.write(
        "mustdo.toml",
        &format!("{}{allow}", shop(Some("trap/always-401")).replace("ready = \"/healthz\"\n", "")),
    );
    sandbox.run(&["verify", SAFE_GET]).ends(3);
    sandbox.run(&["report"]).ends(3);
}

#[test]
fn proof_of_one_target_is_stale_for_another() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    sandbox.run(&["verify", SAFE_GET]).ends(0);
    sandbox.write("mustdo.toml", &shop(Some("safe-get/get-deletes")));
    let listed = sandbox.run(&["list", "--status", "stale"]).ends(0).stdout;
    assert!(listed.contains(SAFE_GET), "{listed}");
}

#[test]
fn second_progress_file_for_a_checklist_is_an_error() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["tick", "xss"]).ends(0);
    fs::copy(sandbox.path().join("progress/must-do.toml"), sandbox.path().join("progress/must-do2.toml"))
        .unwrap();
    assert!(sandbox.run(&["report"]).ends(2).stderr.contains("E0502"));
}

#[test]
fn progress_stays_with_an_item_that_moves_to_another_checklist() {
    let sandbox = Sandbox::workspace();
    sandbox.run(&["init", "--copy-checklists"]).ends(0);
    sandbox.run(&["tick", "xss", "--note", "mine"]).ends(0);
    let text = sandbox
        .read("checklists/02-must-do.toml")
        .replace("\nid = \"must-do\"\nversion", "\nid = \"musts\"\nversion");
    sandbox.write("checklists/02-must-do.toml", &text);
    assert!(sandbox.run(&["list", "--status", "claimed"]).ends(0).stdout.contains("must-do.xss"));
    sandbox.run(&["waive", "xss", "--why", "later", "--until", "2026-07-01"]).ends(0);
    assert!(sandbox.read("progress/musts.toml").contains("mine"));
}

#[test]
fn no_record_leaves_no_trace_and_reports_all_the_same() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    let printed = sandbox.run(&["verify", SAFE_GET, "--no-record"]).ends(0);
    assert!(printed.stdout.contains("proven"), "{}", printed.stdout);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("progress/")));
}

#[test]
fn nothing_to_check_is_not_success() {
    let sandbox = Sandbox::workspace();
    let printed = sandbox.run(&["verify"]).ends(3);
    assert!(printed.stderr.contains("web") && printed.stderr.contains("not bound"), "{}", printed.stderr);
    let printed = sandbox.run(&["verify", "lineage"]).ends(3);
    assert!(printed.stderr.contains("no selected item has a check"), "{}", printed.stderr);
    let printed = sandbox.run(&["verify", "lineage.background"]).ends(3);
    assert!(printed.stderr.contains("has no check"), "{}", printed.stderr);
    let printed = sandbox.run(&["verify", SAFE_GET]).ends(3);
    assert!(printed.stderr.contains("[targets.web]"), "{}", printed.stderr);
}

#[test]
fn nothing_that_fails_is_as_good_as_the_report_says() {
    let sandbox = Sandbox::workspace();
    for asked in [&["--status", "failing"][..], &["--failed"], &["--stale"]] {
        let printed = sandbox.run(&[&["verify"], asked].concat()).ends(0);
        assert!(printed.stderr.contains("no item stands where you asked"), "{}", printed.stderr);
    }
    let asks_more = sandbox.read("mustdo.toml") + "\n[policy]\nmust = \"proven\"\n";
    sandbox.write("mustdo.toml", &asks_more);
    sandbox.run(&["report"]).ends(1);
    sandbox.run(&["verify", "--failed"]).ends(1);
}

#[test]
fn target_that_is_down_or_ends_at_once_is_no_verdict() {
    let sandbox = Sandbox::workspace();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{free}\"\n");
    sandbox.write("mustdo.toml", &url);
    sandbox.run(&["verify", SAFE_GET]).ends(3);
    let ends = "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}\"\n\
                run = [\"sh\", \"-c\", \"echo no database on {port}; exit 7\"]\n";
    sandbox.write("mustdo.toml", ends);
    let printed = sandbox.run(&["verify", SAFE_GET]).ends(3);
    assert!(printed.stderr.contains("no database on") && printed.stderr.contains('7'), "{}", printed.stderr);
    assert!(!sandbox.files().iter().any(|name| name.starts_with("progress/")));
}

#[test]
fn port_that_somebody_else_answers_on_is_never_judged() {
    let sandbox = Sandbox::workspace();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    sandbox.write("mustdo.toml", &shop(None).replace("{port}", &port.to_string()));
    sandbox.run(&["verify", SAFE_GET]).ends(3);
}

/// The shipped plugin with one custom section more: the same checks under another digest, so nobody trusts it yet.
fn foreign_plugin() -> Vec<u8> {
    let mut bytes = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/http-idempotency.wasm")).unwrap();
    bytes.extend_from_slice(b"\x00\x07\x06foreig");
    bytes
}

#[test]
fn foreign_plugin_is_refused_with_the_command_that_grants() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    fs::create_dir(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/http-idempotency.wasm"), foreign_plugin()).unwrap();
    let printed = sandbox.run(&["verify", SAFE_GET]).ends(3);
    assert!(printed.stderr.contains("mustdo grant http-idempotency http:web"), "{}", printed.stderr);
    sandbox.run(&["grant", "http-idempotency", "http:web"]).ends(0);
    sandbox.run(&["verify", SAFE_GET]).ends(0);

    // Other bytes that ask for no more keep it, whatever they do: they can reach no more either. Nothing is written.
    let settings = sandbox.read("mustdo.toml");
    let mut other = foreign_plugin();
    *other.last_mut().unwrap() = b'h';
    fs::write(sandbox.path().join("plugins/http-idempotency.wasm"), other).unwrap();
    sandbox.run(&["verify", SAFE_GET]).ends(0);
    assert_eq!(sandbox.read("mustdo.toml"), settings);
    let listed = sandbox.run(&["grants", "http-idempotency"]).ends(0).stdout;
    assert!(listed.contains("other bytes than today's") && !listed.contains("asked for again"), "{listed}");
}

#[test]
fn person_at_a_terminal_is_asked_once_and_a_no_is_a_no() {
    let sandbox = Sandbox::workspace();
    sandbox.write("mustdo.toml", &shop(None));
    fs::create_dir(sandbox.path().join("plugins")).unwrap();
    fs::write(sandbox.path().join("plugins/http-idempotency.wasm"), foreign_plugin()).unwrap();
    let asked = |answer: &str| sandbox.at_terminal(&format!("verify {SAFE_GET}"), answer);
    let (code, words) = asked("n\n");
    assert!(words.contains("Allow this?") && words.contains("http:web"), "{words}");
    assert_eq!(code, Some(3), "{words}");
    let (code, words) = asked("y\n");
    assert_eq!(code, Some(0), "{words}");
    let (code, words) = asked("");
    assert!(!words.contains("Allow this?"), "{words}");
    assert_eq!(code, Some(0), "{words}");
}

#[test]
fn demo_tells_a_good_shop_from_a_broken_one_and_leaves_nothing() {
    let sandbox = Sandbox::empty();
    let output = sandbox
        .command(env!("CARGO_BIN_EXE_mustdo"))
        .arg("demo")
        .env("TMPDIR", sandbox.path())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words}{}", String::from_utf8_lossy(&output.stderr));
    let (good, broken) = words.split_once("The broken shop").unwrap();
    assert!(good.contains("4 proven") && !good.contains("failing:"), "{good}");
    let said = good.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(LEFT_OUT), "{good}");
    assert!(broken.contains("Failing (2)") && broken.contains("idempotence.refresh-retry"), "{broken}");
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
    let here = sandbox.path();
    let left =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path().join("cwd")).ok());
    let left: Vec<_> = left.filter(|folder| folder.starts_with(&here)).collect();
    assert!(left.is_empty(), "still running in {left:?}");
}

fn wait(child: &mut Child, patience: Duration) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[test]
fn ctrl_c_keeps_finished_verdicts_and_leaves_nothing_running() {
    let sandbox = Sandbox::workspace();
    // The shell leaves its process id, and a child of its own that would outlive a careless stop.
    let settings = format!(
        "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{{port}}\"\n\
         run = [\"sh\", \"-c\", \"echo $$ > shell.pid; sleep 600 & echo $! > child.pid; \
         exec '{}' demo serve --port {{port}} --flaw trap/never-answers\"]\n",
        env!("CARGO_BIN_EXE_mustdo")
    );
    sandbox.write("mustdo.toml", &settings);
    let mut child = sandbox
        .command(env!("CARGO_BIN_EXE_mustdo"))
        .args(["verify", SAFE_GET])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !sandbox.path().join("child.pid").exists() && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let code = wait(&mut child, Duration::from_secs(15));
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(code, Some(130), "{words}");
    let account = sandbox.run(&["show", SAFE_GET, "--transcript"]).ends(0).stdout;
    assert!(account.contains("verdict    none: it was stopped before it ended"), "{account}");
    assert!(account.contains("  http GET api ") && !account.contains("accesses (0)"), "{account}");
    for name in ["shell.pid", "child.pid"] {
        let pid = sandbox.read(name).trim().to_owned();
        // A dead process that nobody has waited for yet still has an entry, in state Z (proc(5)).
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        assert!(matches!(state, None | Some("Z")), "{name} is still there: {stat}");
    }
}
