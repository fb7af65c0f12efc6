//! Checks that are asked again where they could not tell.

use std::io::{self, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::sandbox::Sandbox;

pub(crate) const SAFE_GET: &str = "frontend.idempotent-request";

/// The demo's shop behind a door that answers the first requests with 503, as a proxy does whose service is not up yet.
pub(crate) struct Sleepy {
    shop: Child,
    port: u16,
}

impl Drop for Sleepy {
    fn drop(&mut self) {
        self.shop.kill().unwrap();
        self.shop.wait().unwrap();
    }
}

impl Sleepy {
    pub(crate) fn new(sandbox: &Sandbox, first: usize) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let port = free.port().to_string();
        let shop = sandbox
            .command(env!("CARGO_BIN_EXE_mustdo"))
            .args(["demo", "serve", "--port", &port])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(free).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = door.local_addr().unwrap().port();
        let left = Arc::new(AtomicUsize::new(first));
        thread::spawn(move || {
            for caller in door.incoming().flatten() {
                let left = Arc::clone(&left);
                thread::spawn(move || serve(caller, free, &left));
            }
        });
        Self { shop, port }
    }

    pub(crate) fn settings(&self, policy: &str) -> String {
        format!(
            "[targets.web]\nkind = \"http\"\nurl = \"http://127.0.0.1:{}\"\n[policy]\n{policy}",
            self.port
        )
    }
}

/// One connection: refused, or carried to the shop.
fn serve(mut caller: TcpStream, shop: std::net::SocketAddr, left: &AtomicUsize) {
    // Whether anybody is there is asked without a word, and that is not counted.
    if left.load(Ordering::SeqCst) > 0 {
        let mut head = [0; 4096];
        if io::Read::read(&mut caller, &mut head).is_ok_and(|count| count > 0) {
            left.fetch_sub(1, Ordering::SeqCst);
        }
        let _sent = caller
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return;
    }
    let mut service = TcpStream::connect(shop).unwrap();
    let (mut back, mut answers) = (caller.try_clone().unwrap(), service.try_clone().unwrap());
    thread::spawn(move || {
        let _copied = io::copy(&mut answers, &mut back);
        let _shut = back.shutdown(Shutdown::Write);
    });
    let _copied = io::copy(&mut caller, &mut service);
    let _shut = service.shutdown(Shutdown::Write);
}

#[test]
fn pass_after_an_attempt_that_could_not_tell_is_flaky_and_no_proof() {
    let sandbox = Sandbox::workspace();
    let sleepy = Sleepy::new(&sandbox, 1);
    sandbox.write("mustdo.toml", &sleepy.settings("must = \"proven\"\n"));
    let formats = ["json=r.json", "junit=r.xml", "markdown=r.md", "github=r.txt", "sarif=r.sarif"];
    let mut verify = vec!["verify", SAFE_GET, "--retries", "2"];
    verify.extend(formats.iter().flat_map(|format| ["--report", format]));
    let printed = sandbox.run(&verify).ends(1);
    assert!(printed.stderr.contains("flaky"), "{}", printed.stderr);
    let words = printed.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("passed only when asked again") && words.contains("(attempt 2"), "{words}");
    assert!(words.contains("0%") && !words.contains("✔"), "{words}");
    for file in ["r.md", "r.txt", "r.sarif"] {
        assert!(sandbox.read(file).contains("attempt 2; the one before could not tell"), "{file}");
    }
    assert!(sandbox.read("r.xml").contains("type=\"flaky\""), "{}", sandbox.read("r.xml"));
    let json: serde_json::Value = serde_json::from_str(&sandbox.read("r.json")).unwrap();
    let schema = sandbox.run(&["schema", "report"]).ends(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(jsonschema::draft202012::new(&schema).unwrap().is_valid(&json), "{json:#}");
    let violations = json["judgement"]["violations"].as_array().unwrap();
    assert!(violations.iter().any(|violation| violation["kind"] == "flaky"), "{violations:?}");
    let progress = sandbox.read("progress/frontend.toml");
    assert!(
        progress.contains(".undecided]\noutcome = \"flaky\"") && progress.contains("attempts = ["),
        "{progress}"
    );
    let shown = sandbox.run(&["show", SAFE_GET]).ends(0).stdout;
    assert!(shown.contains("flaky") && shown.contains("attempt 1 could not tell"), "{shown}");
    assert!(sandbox.run(&["list", "--status", "proven"]).ends(0).stdout.is_empty());
    sandbox.run(&["report", SAFE_GET]).ends(1);

    // Who lets it through says so, and has no proof for it all the same.
    sandbox.write("mustdo.toml", &sleepy.settings("must = \"proven\"\nflaky = \"allow\"\n"));
    let told = sandbox.run(&["report", SAFE_GET]).ends(0).stdout;
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("what is flaky is let through"), "{told}");
    sandbox.write("mustdo.toml", &sleepy.settings("flaky = \"allow\"\nreadiness = 1\n"));
    sandbox.run(&["report", SAFE_GET]).ends(1);

    // Asked once more, it passes at once: a proof.
    sandbox.write("mustdo.toml", &sleepy.settings("must = \"proven\"\n"));
    sandbox.run(&["verify", SAFE_GET, "--retries", "2"]).ends(0);
    assert!(!sandbox.read("progress/frontend.toml").contains("attempts"));
}

#[test]
fn without_retries_nothing_is_asked_again() {
    let sandbox = Sandbox::workspace();
    let sleepy = Sleepy::new(&sandbox, 1);
    sandbox.write("mustdo.toml", &sleepy.settings(""));
    sandbox.run(&["verify", SAFE_GET]).ends(3);
    assert!(sandbox.read("progress/frontend.toml").contains("outcome = \"inconclusive\""));
    sandbox.run(&["verify", SAFE_GET, "--retries", "11"]).ends(2);
}
