//! A shop of orders that runs as a process of its own and keeps a file: what the crash step is held against.
//!
//! The process is this very test binary, asked for the one test that is ignored otherwise.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mustdo_plugin::native::NativeHost;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shop::{Asked, read};

/// How long an order takes.
pub(crate) const WORK: Duration = Duration::from_millis(200);

/// How long a lock lasts after a crash, for the shop that leases its keys.
pub(crate) const LEASE: Duration = Duration::from_millis(1_200);

/// A host whose target `api` is such a shop, odd or wrong in the one way that `quirk` names; "" is the plain good one.
pub(crate) fn host(quirk: &str, folder: PathBuf) -> NativeHost {
    let address = free_address();
    let quirk = quirk.to_owned();
    let start = move || {
        let mut shop = Command::new(std::env::current_exe().unwrap());
        shop.args(["--exact", "durable::serve", "--ignored", "--nocapture"])
            .env("SHOP_ADDRESS", address.to_string())
            .env("SHOP_QUIRK", &quirk)
            .env("SHOP_FOLDER", &folder);
        shop
    };
    NativeHost::new().serve("api", address, start).unwrap()
}

/// An address that nobody else takes while the shop is down: not one of those that the system gives to clients.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 100).unwrap() * 100 + 20_000;
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], first + NEXT.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[test]
#[ignore = "this is the shop itself, which other tests start"]
fn serve() {
    let Ok(address) = std::env::var("SHOP_ADDRESS") else { return };
    // The host holds the other end of its input: without a host there is no shop.
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::abort();
    });
    let file = PathBuf::from(std::env::var("SHOP_FOLDER").unwrap()).join("rows");
    let shop = Arc::new(Shop::open(std::env::var("SHOP_QUIRK").unwrap(), file));
    if shop.is("slow-start") {
        thread::sleep(Duration::from_millis(700));
    }
    let listener = TcpListener::bind(address.parse::<SocketAddr>().unwrap()).unwrap();
    for stream in listener.incoming() {
        let shop = Arc::clone(&shop);
        thread::spawn(move || shop.serve(&stream.unwrap()));
    }
}

/// What is kept: everything at once, in the place of what was there.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Rows {
    orders: Vec<Value>,
    keys: BTreeMap<String, Key>,
}

#[derive(Clone, Serialize, Deserialize)]
enum Key {
    /// Begun, with this body.
    Running(Value),
    /// Done: status and answer.
    Done(Value, u16, Value),
}

struct Shop {
    quirk: String,
    file: PathBuf,
    rows: Mutex<Rows>,
    began: Instant,
    /// Keys that were running when the shop was killed.
    left_over: Vec<String>,
}

impl Shop {
    fn open(quirk: String, file: PathBuf) -> Self {
        let kept = std::fs::read(&file).ok().filter(|_| quirk != "empties-at-start");
        let mut rows: Rows = kept.map(|kept| serde_json::from_slice(&kept).unwrap()).unwrap_or_default();
        let running = |key: &Key| matches!(key, Key::Running(_));
        let left_over: Vec<_> =
            rows.keys.iter().filter(|(_, key)| running(key)).map(|(name, _)| name.clone()).collect();
        match quirk.as_str() {
            "stuck" | "leased" | "breaks" => {}
            "resumes" => {
                for name in &left_over {
                    let Some(Key::Running(body)) = rows.keys.get(name).cloned() else { continue };
                    let order = order(&rows, &body);
                    rows.orders.push(order.clone());
                    rows.keys.insert(name.clone(), Key::Done(body, 201, order));
                }
            }
            "forgets-replies" => {
                for key in rows.keys.values_mut() {
                    if let Key::Done(_, _, answer) = key {
                        *answer = json!({ "ok": true });
                    }
                }
            }
            _ => rows.keys.retain(|_, key| !running(key)),
        }
        let shop = Self { quirk, file, rows: Mutex::new(rows), began: Instant::now(), left_over };
        shop.keep(&shop.rows.lock().unwrap());
        shop
    }

    fn is(&self, quirk: &str) -> bool {
        self.quirk == quirk
    }

    /// Commits: a whole file in the place of the old one, which a crash cannot cut in two.
    fn keep(&self, rows: &Rows) {
        let mut rows = rows.clone();
        match self.quirk.as_str() {
            "in-memory" => return,
            // The first row, and then nothing for a long time.
            "flushes-late" if rows.orders.len() > 1 => return,
            "keys-in-memory" => rows.keys.clear(),
            _ => {}
        }
        let fresh = self.file.with_extension("new");
        let mut file = std::fs::File::create(&fresh).unwrap();
        file.write_all(&serde_json::to_vec(&rows).unwrap()).unwrap();
        file.sync_data().unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    fn serve(&self, stream: &TcpStream) {
        let Some(asked) = read(stream) else { return };
        let (status, answer) = match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/orders") => {
                let rows = self.rows.lock().unwrap();
                (200, json!({ "count": rows.orders.len(), "orders": rows.orders }))
            }
            ("POST", "/orders") => self.order(&asked),
            _ => (404, json!({ "error": "no such page" })),
        };
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        drop((&mut &*stream).write_all((head + &body).as_bytes()));
    }

    fn order(&self, asked: &Asked) -> (u16, Value) {
        let body = serde_json::from_slice::<Value>(&asked.body).unwrap_or_default();
        let Some(key) = asked.headers.get("idempotency-key").cloned() else {
            return (400, json!({ "error": "key missing" }));
        };
        if !body["sku"].is_string() {
            return (400, json!({ "error": "sku missing" }));
        }
        let mut rows = self.rows.lock().unwrap();
        match rows.keys.get(&key) {
            Some(Key::Running(_)) if self.is("breaks") && self.left_over.contains(&key) => {
                return (500, json!({ "error": "stale lock" }));
            }
            Some(Key::Running(_))
                if self.is("leased") && self.left_over.contains(&key) && self.began.elapsed() > LEASE => {}
            Some(Key::Running(_)) => return (409, json!({ "error": "running" })),
            Some(Key::Done(first, ..)) if *first != body => return (422, json!({ "error": "reused" })),
            Some(Key::Done(_, status, answer)) => return (*status, answer.clone()),
            None => {}
        }
        rows.keys.insert(key.clone(), Key::Running(body.clone()));
        match self.quirk.as_str() {
            "key-first" => {
                let mut ahead = rows.clone();
                ahead.keys.insert(key.clone(), Key::Done(body.clone(), 200, json!({})));
                self.keep(&ahead);
            }
            "effect-first" | "effect-first-at-the-end" => {}
            _ => self.keep(&rows),
        }
        drop(rows);
        if !self.is("effect-first") {
            thread::sleep(WORK);
        }
        let mut rows = self.rows.lock().unwrap();
        let order = order(&rows, &body);
        rows.orders.push(order.clone());
        if self.quirk.starts_with("effect-first") {
            let mut ahead = rows.clone();
            ahead.keys.remove(&key);
            self.keep(&ahead);
            drop(rows);
            thread::sleep(if self.is("effect-first") { WORK } else { WORK / 20 });
            rows = self.rows.lock().unwrap();
        }
        rows.keys.insert(key, Key::Done(body, 201, order.clone()));
        self.keep(&rows);
        (201, order)
    }
}

fn order(rows: &Rows, body: &Value) -> Value {
    json!({ "id": rows.orders.len() + 1, "sku": body["sku"], "quantity": body["quantity"] })
}
