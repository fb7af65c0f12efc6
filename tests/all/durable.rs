//! The reference shop as a process of its own: killed at any moment and started again on what it kept.
//!
//! The process is this very test binary, asked for the one test that is ignored otherwise.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use mustdo::{
    model::{Address, Launch, Place, Target},
    reference::{Flaw, Options, Quirk, Service},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    launch::{PATIENCE, READY_TIMEOUT, free_address},
    proof::http_idempotency::SLOW,
    shop::Shop,
};

/// The arguments that make this binary the shop.
const ROLE: [&str; 4] = ["--exact", "durable::serve", "--ignored", "--nocapture"];

/// The shop as a target that mustdo starts, with its rows in `folder`.
pub(crate) fn target(flaw: Option<Flaw>, quirk: Option<Quirk>, folder: &Path) -> Target {
    let program = std::env::current_exe().unwrap();
    let run = std::iter::once(program.to_str().unwrap()).chain(ROLE).map(str::to_owned).collect();
    let launch = Launch {
        run,
        cwd: None,
        env: variables(flaw, quirk, folder, SLOW, "{port}"),
        ready: Some("/healthz".to_owned()),
        ready_timeout: READY_TIMEOUT,
    };
    let address = Address { host: "127.0.0.1".to_owned(), port: None };
    Target { place: Place::Http { address, prefix: String::new() }, launch: Some(launch) }
}

fn variables(
    flaw: Option<Flaw>,
    quirk: Option<Quirk>,
    folder: &Path,
    slow: Duration,
    port: &str,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("SHOP_SLOW".to_owned(), slow.as_millis().to_string()),
        ("SHOP_PORT".to_owned(), port.to_owned()),
        ("SHOP_FOLDER".to_owned(), folder.to_str().unwrap().to_owned()),
    ]);
    variables.extend(flaw.map(|flaw| ("SHOP_FLAW".to_owned(), flaw.to_string())));
    variables.extend(quirk.map(|quirk| ("SHOP_QUIRK".to_owned(), quirk.to_string())));
    variables
}

#[test]
#[ignore = "this is the shop itself, which other tests start"]
fn serve() {
    let read = |name: &str| std::env::var(name).ok();
    let (Some(port), Some(folder), Some(slow)) = (read("SHOP_PORT"), read("SHOP_FOLDER"), read("SHOP_SLOW"))
    else {
        return;
    };
    let options = Options {
        flaw: read("SHOP_FLAW").map(|name| name.parse().unwrap()),
        quirk: read("SHOP_QUIRK").map(|name| name.parse().unwrap()),
        slow: Duration::from_millis(slow.parse().unwrap()),
    };
    let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.parse().unwrap());
    let service = Service::durable(options, address, Path::new(&folder)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(service.run(std::future::pending())).unwrap();
}

/// One shop whose process is killed and started by hand.
struct Killable {
    flaw: Option<Flaw>,
    quirk: Option<Quirk>,
    folder: TempDir,
    address: SocketAddr,
    process: Child,
}

impl Killable {
    fn start(flaw: Option<Flaw>, quirk: Option<Quirk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let process = spawn(flaw, quirk, folder.path(), address);
        Self { flaw, quirk, folder, address, process }
    }

    fn shop(&self) -> Shop {
        Shop { address: self.address }
    }

    /// Orders under a key; the status, or none when the connection broke.
    fn order(&self, key: &str) -> Option<u16> {
        let shop = self.shop();
        let fields = [("Idempotency-Key", key)];
        let send = || shop.send("POST /orders", &fields, &json!({ "sku": "cup", "quantity": 1 })).status;
        thread::scope(|scope| scope.spawn(send).join().ok())
    }

    /// Sends an order, kills the process in the middle of it, and starts it again.
    fn crash(&mut self, key: &str, moment: Moment) {
        let (address, key) = (self.address, key.to_owned());
        let sender = thread::spawn(move || {
            let fields = [("Idempotency-Key", key.as_str())];
            Shop { address }.send("POST /orders", &fields, &json!({ "sku": "cup", "quantity": 1 }))
        });
        match moment {
            Moment::Since(time) => thread::sleep(time),
            Moment::Answered => {
                while !sender.is_finished() {
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // It broke off, or it was answered just before.
        drop(sender.join());
        self.process = spawn(self.flaw, self.quirk, self.folder.path(), self.address);
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        // It is gone already where the test killed it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(flaw: Option<Flaw>, quirk: Option<Quirk>, folder: &Path, address: SocketAddr) -> Child {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(ROLE)
        .envs(variables(flaw, quirk, folder, WORK, &address.port().to_string()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        assert!(
            matches!(process.try_wait(), Ok(None)) && Instant::now() < deadline,
            "the shop did not start"
        );
        thread::sleep(Duration::from_millis(5));
    }
    process
}

/// How long the work of an order takes that is killed by hand: so long that a busy machine meets the moments.
const WORK: Duration = Duration::from_secs(3);

/// When the process is killed.
#[derive(Clone, Copy)]
enum Moment {
    /// So long after the order was sent.
    Since(Duration),
    /// Once it was answered.
    Answered,
}

/// In the first half of the work, in the second, and after it.
const MOMENTS: [Moment; 3] = [
    Moment::Since(Duration::from_millis(750)),
    Moment::Since(Duration::from_millis(2_250)),
    Moment::Answered,
];

/// What an order is like after a crash at each of the moments: whether it is there before the retry, what the retry is
/// answered, and how many there are then.
fn after_crashes(flaw: Option<Flaw>, quirk: Option<Quirk>) -> [(u64, Option<u16>, u64); 3] {
    let after = |moment| {
        let mut shop = Killable::start(flaw, quirk);
        shop.crash("k", moment);
        let before = shop.shop().count("/orders");
        let status = shop.order("k");
        (before, status, shop.shop().count("/orders"))
    };
    thread::scope(|scope| {
        MOMENTS.map(|moment| scope.spawn(move || after(moment))).map(|running| running.join().unwrap())
    })
}

#[test]
fn the_good_shop_does_an_order_once_whenever_it_is_killed() {
    assert_eq!(after_crashes(None, None), [(0, Some(201), 1), (0, Some(201), 1), (1, Some(201), 1)]);
}

#[test]
fn a_leased_key_is_locked_for_a_while_and_then_done_once() {
    let mut shop = Killable::start(None, Some(Quirk::KeysLeased));
    shop.crash("k", MOMENTS[0]);
    assert_eq!(shop.order("k"), Some(409));
    let deadline = Instant::now() + PATIENCE;
    while shop.order("k") == Some(409) {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((shop.order("k"), shop.shop().count("/orders")), (Some(201), 1));
}

#[test]
fn each_mistake_shows_after_a_crash_and_not_before() {
    let key_first = after_crashes(Some(Flaw::KeyBeforeEffect), None);
    assert_eq!(key_first, [(0, Some(200), 0), (0, Some(200), 0), (1, Some(201), 1)]);
    let effect_first = after_crashes(Some(Flaw::EffectBeforeKey), None);
    assert_eq!(effect_first, [(0, Some(201), 1), (1, Some(201), 2), (1, Some(201), 1)]);
    let in_memory = after_crashes(Some(Flaw::KeysInMemory), None);
    assert_eq!(in_memory, [(0, Some(201), 1), (0, Some(201), 1), (1, Some(201), 2)]);
    for flaw in Flaw::ALL.iter().filter(|flaw| flaw.needs_a_crash()) {
        let shop = Killable::start(Some(*flaw), None);
        for key in ["a", "b", "a"] {
            assert_eq!(shop.order(key), Some(201), "{flaw}");
        }
        assert_eq!(shop.shop().count("/orders"), 2, "{flaw}");
    }
}

#[test]
fn everything_that_was_promised_is_there_after_a_crash() {
    let mut shop = Killable::start(None, None);
    let item = shop.shop().send("POST /items", &[], &json!({ "name": "cup", "price": 3 }));
    let ticket = shop.shop().send("POST /tickets", &[], &json!({ "seat": "A1", "token": "t" }));
    let login = shop.shop().send("POST /login", &[], &json!({ "user": "ann" }));
    let cookie = login.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    shop.crash("k", MOMENTS[0]);
    assert_eq!(shop.shop().get("/items").json(), json!({ "items": [item.json()] }));
    assert_eq!(shop.shop().get("/tickets").json(), json!({ "count": 1, "tickets": [ticket.json()] }));
    let session = shop.shop().send("GET /session", &[("Cookie", &cookie)], &serde_json::Value::Null);
    assert_eq!(session.json(), json!({ "user": "ann" }));
    let again = shop.shop().send("POST /tickets", &[], &json!({ "seat": "A1", "token": "t" }));
    assert_eq!(again.status, 303);
}
