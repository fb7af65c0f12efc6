//! A small shop with one flaw, or one oddity, at a time: what the checks are held against.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// How long an order takes.
pub(crate) const WORK: Duration = Duration::from_millis(60);

/// A running shop; it stops when dropped.
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Shop {
    /// Starts one that misbehaves, or looks odd, in the one way that `quirk` names; "" is the plain good one.
    pub(crate) fn start(quirk: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let service = Service { quirk, ..Service::default() };
        let old = match quirk {
            "forgets-on-a-page" => 9,
            "full-page" => 10,
            _ => 0,
        };
        service.store.lock().unwrap().orders.extend((0..old).map(|id| json!({ "id": id, "sku": "old" })));
        let service = Arc::new(service);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if service.is("one-at-a-time") {
                    service.serve(&stream.unwrap());
                    continue;
                }
                let service = Arc::clone(&service);
                thread::spawn(move || service.serve(&stream.unwrap()));
            }
        });
        Self { address, stop }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    fn error(status: u16, why: &str) -> Self {
        Self::json(status, &json!({ "error": why }))
    }

    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn page(words: &str) -> Self {
        Self {
            status: 200,
            headers: vec![("Content-Type", "text/html; charset=utf-8".to_owned())],
            body: format!("<p>{words}</p>\n"),
        }
    }

    fn text(body: String) -> Self {
        Self { status: 200, headers: vec![("Content-Type", "text/plain; charset=utf-8".to_owned())], body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Default)]
struct Store {
    items: BTreeMap<u64, Value>,
    orders: Vec<Value>,
    keys: HashMap<String, Key>,
    contents: HashMap<String, Value>,
    sessions: HashMap<String, String>,
    history: Vec<(Instant, Value)>,
    /// When each effect that was put off comes.
    later: Vec<Instant>,
    next: u64,
}

impl Store {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

enum Key {
    /// Its row will have this id.
    Running(u64),
    Done(Vec<u8>, u16, Value),
}

#[derive(Default)]
struct Service {
    quirk: &'static str,
    store: Mutex<Store>,
    /// The second worker's own memory.
    other: Mutex<Store>,
    requests: AtomicU64,
}

impl Service {
    fn is(&self, quirk: &str) -> bool {
        self.quirk == quirk
    }

    fn serve(&self, stream: &TcpStream) {
        let Some(asked) = read(stream) else { return };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        match self.quirk {
            "never-answers" => return thread::sleep(Duration::from_secs(30)),
            "no-http" => return drop((&*stream).write_all(b"hello there\n")),
            _ => {}
        }
        let mut answer = self.answer(&asked, number);
        if self.is("noisy-headers") {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            answer = answer
                .with("X-Request-Id", now.to_string())
                .with("Set-Cookie", format!("trace={now}; Path=/"))
                .with("ETag", format!("\"{now}\""));
        }
        let mut head = format!(
            "HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {}\r\n",
            answer.status,
            answer.body.len()
        );
        for (name, value) in &answer.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        if asked.method != "HEAD" {
            head.push_str(&answer.body);
        }
        drop((&*stream).write_all(head.as_bytes()));
    }

    fn answer(&self, asked: &Asked, number: u64) -> Answer {
        match self.quirk {
            "always-500" => return Answer::error(500, "boom"),
            "constant-page" => return Answer::page("welcome"),
            "random-body" => {
                return Answer::json(200, &json!({ "id": number, "noise": format!("n{}", number * 7919) }));
            }
            "accepts-everything" if asked.method != "GET" => {
                return Answer::json(201, &json!({ "id": number }));
            }
            "always-401" => return Answer::error(401, "who are you"),
            "always-415" => return Answer::error(415, "not this"),
            "limits-rate" if number >= 10 => return Answer::error(429, "slow down"),
            "all-404" => return Answer::error(404, "not here"),
            _ => {}
        }
        let per_worker = self.is("memory-per-worker") && number % 2 == 1;
        let store = if per_worker { &self.other } else { &self.store };
        let (path, _) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        if self.is("slashes") && !path.ends_with('/') {
            return Answer::error(if asked.method == "POST" { 500 } else { 404 }, "no slash");
        }
        let parts: Vec<_> = path.trim_matches('/').split('/').collect();
        let reading = matches!(asked.method.as_str(), "GET" | "HEAD");
        match (asked.method.as_str(), parts.as_slice()) {
            ("HEAD", ["items"]) if self.is("head-posts") => {
                let mut store = store.lock().unwrap();
                let id = store.id();
                store.items.insert(id, json!({ "id": id, "name": "by head", "price": 1 }));
                self.list_items(&mut store)
            }
            ("HEAD", _) if self.is("head-405") => Answer::error(405, "no HEAD"),
            (_, ["" | "about"]) if reading => Answer::page(path).with("ETag", "\"page\""),
            (_, ["items"]) if reading => self.list_items(&mut store.lock().unwrap()),
            ("POST", ["items"]) => self.create_item(&mut store.lock().unwrap(), &asked.body),
            (_, ["items", id, "delete"]) if reading => {
                if self.is("get-deletes") {
                    store.lock().unwrap().items.remove(&id.parse().unwrap_or_default());
                    return Answer::page("deleted");
                }
                Answer::error(404, "no such page")
            }
            (method, ["items", id]) => self.item(&mut store.lock().unwrap(), method, id, &asked.body),
            (_, ["orders"]) if reading => self.list_orders(&mut store.lock().unwrap()),
            ("POST", ["orders"]) => self.order(store, asked, number),
            ("POST", ["login"]) if self.is("login-wants-password") => Answer::error(400, "password missing"),
            ("POST", ["login"]) if !self.is("no-login") => {
                let mut store = store.lock().unwrap();
                let user = serde_json::from_slice::<Value>(&asked.body)
                    .ok()
                    .and_then(|body| Some(body["user"].as_str()?.to_owned()));
                let id = format!("s{}", store.id());
                store.sessions.insert(id.clone(), user.unwrap_or_default());
                Answer::empty(204).with("Set-Cookie", format!("session={id}; HttpOnly; Path=/"))
            }
            (_, ["session"]) if reading => {
                let store = store.lock().unwrap();
                Answer::json(
                    200,
                    &json!({ "user": session_of(asked).and_then(|id| store.sessions.get(&id)) }),
                )
            }
            (_, ["logout"]) if reading && self.is("get-logout") => {
                session_of(asked).map(|id| store.lock().unwrap().sessions.remove(&id));
                Answer::page("bye")
            }
            (_, ["logout"]) if reading && self.is("get-logout-cookie") => {
                Answer::page("bye").with("Set-Cookie", "session=; Max-Age=0; Path=/")
            }
            (_, ["logout"]) if reading && self.is("login-wants-password") => Answer::page("bye"),
            (_, ["logout"]) => Answer::error(if self.is("no-login") { 404 } else { 405 }, "POST only"),
            _ => Answer::error(404, "no such page"),
        }
    }

    fn list_items(&self, store: &mut Store) -> Answer {
        let mut rows: Vec<_> = store.items.values().cloned().collect();
        if self.is("newest-first") {
            rows.reverse();
        }
        let added = match self.quirk {
            "list-adds" => 1,
            // Whoever they are, they do not keep step with the reads.
            "others-add" => 1 + store.items.len() % 3,
            _ => 0,
        };
        for _ in 0..added {
            let id = store.id();
            store.items.insert(id, json!({ "id": id, "name": "seen", "price": 1 }));
        }
        match self.quirk {
            "nonce-page" => return Answer::page(&format!("{} {}", nanos(), json!(rows))),
            "stamped-lines" | "stamped-lines-add" => {
                return Answer::text(rows.iter().map(|row| line(row) + "\n").collect());
            }
            "counts-bystanders" => {
                rows.iter_mut().filter_map(Value::as_object_mut).for_each(|row| drop(row.remove("seen")));
            }
            _ => {}
        }
        let shown = match self.quirk {
            "generated-at" => json!({ "generated_at": now(), "items": rows }),
            "data-envelope" => json!({ "data": rows }),
            "nonce" => json!({ "nonce": nanos(), "items": rows }),
            "view-counter" => {
                json!({ "views": self.requests.load(Ordering::Relaxed), "items": rows })
            }
            _ => json!({ "items": rows }),
        };
        self.late(store, shown)
    }

    fn list_orders(&self, store: &mut Store) -> Answer {
        let shown = if matches!(self.quirk, "forgets-on-a-page" | "full-page") {
            json!({ "data": store.orders.iter().take(20).collect::<Vec<_>>() })
        } else if self.is("data-envelope") {
            json!({ "data": store.orders })
        } else {
            json!({ "count": store.orders.len(), "orders": store.orders })
        };
        self.late(store, shown)
    }

    /// Shows what was there a while ago, for the observers that lag or are blind.
    fn late(&self, store: &mut Store, shown: Value) -> Answer {
        let behind = match self.quirk {
            "lags" => Duration::from_millis(700),
            "frozen" => Duration::from_hours(1),
            _ => return Answer::json(200, &shown),
        };
        let past = store.history.iter().rev().find(|(at, _)| at.elapsed() >= behind);
        let past = past.or(store.history.first()).map_or_else(|| shown.clone(), |(_, shown)| shown.clone());
        store.history.push((Instant::now(), shown));
        Answer::json(200, &past)
    }

    fn create_item(&self, store: &mut Store, body: &[u8]) -> Answer {
        let Some((name, price)) = item_of(body) else { return Answer::error(400, "name and price") };
        let id = store.id();
        let mut row = json!({ "id": id, "name": name, "price": price, "updated_at": now() });
        if self.is("put-counts") {
            row["version"] = Value::from(1);
        }
        store.items.insert(id, row.clone());
        let answer = Answer::json(201, &if self.is("data-envelope") { json!({ "data": row }) } else { row });
        let is_nameless = matches!(self.quirk, "data-envelope" | "slashes");
        if is_nameless { answer } else { answer.with("Location", format!("/items/{id}")) }
    }

    fn item(&self, store: &mut Store, method: &str, id: &str, body: &[u8]) -> Answer {
        let Ok(id) = id.parse::<u64>() else { return Answer::error(404, "no such item") };
        match method {
            "GET" | "HEAD" => {
                if self.is("get-creates") {
                    store.items.entry(id).or_insert_with(|| json!({ "id": id, "name": "", "price": 0 }));
                }
                let Some(row) = store.items.get(&id) else {
                    return Answer::error(if self.is("missing-row-500") { 500 } else { 404 }, "no such item");
                };
                match self.quirk {
                    "nonce-page" => return Answer::page(&format!("{} {row}", nanos())),
                    "stamped-lines" | "stamped-lines-add" => return Answer::text(line(row)),
                    _ => {}
                }
                let mut row = row.clone();
                if matches!(self.quirk, "put-counts-later" | "put-queues") {
                    row["version"] = store.later.iter().filter(|due| **due <= Instant::now()).count().into();
                }
                Answer::json(200, &row).with("ETag", format!("\"{row}\"").replace('"', "'"))
            }
            "PUT" => {
                let Some((name, price)) = item_of(body) else { return Answer::error(400, "name and price") };
                let old = store.items.get(&id).cloned().unwrap_or_default();
                let version = old["version"].as_u64().unwrap_or_default();
                let mut row = json!({ "id": id, "name": name, "price": price, "updated_at": now() });
                let soon = Instant::now() + Duration::from_millis(500);
                match self.quirk {
                    "put-counts" | "nonce-page" => row["version"] = Value::from(version + 1),
                    "put-cycles" => row["version"] = Value::from((version + 1) % 3),
                    "stamped-lines-add" => {
                        row["price"] = Value::from(price + old["price"].as_u64().unwrap_or_default());
                    }
                    "put-counts-later" if old["name"] == row["name"] => store.later.push(soon),
                    "put-queues" if old["name"] == row["name"] => {
                        let last = store.later.last().copied();
                        store.later.push(last.map_or(soon, |last| last + Duration::from_millis(700)));
                    }
                    "counts-bystanders" => {
                        for (_, other) in store.items.iter_mut().filter(|(other, _)| **other != id) {
                            other["seen"] = Value::from(other["seen"].as_u64().unwrap_or_default() + 1);
                        }
                    }
                    _ => {}
                }
                store.items.insert(id, row.clone());
                if self.is("put-appends") {
                    let revision = store.id();
                    store.items.insert(revision, json!({ "id": revision, "name": "revision", "price": 0 }));
                }
                if self.is("put-204") { Answer::empty(204) } else { Answer::json(200, &row) }
            }
            "DELETE" => {
                let found = store.items.remove(&id).is_some();
                if self.is("delete-touches") {
                    store.items.values_mut().for_each(|other| other["neighbour_left"] = Value::from(true));
                }
                match (found, self.quirk) {
                    (false, "delete-takes-newest") => {
                        store.items.pop_last();
                        Answer::empty(204)
                    }
                    (false, "second-delete-500") => Answer::error(500, "boom"),
                    (false, "delete-410") => Answer::error(410, "gone"),
                    (false, "delete-204") | (true, _) => Answer::empty(204),
                    (false, _) => Answer::error(404, "no such item"),
                }
            }
            _ => Answer::error(405, "no"),
        }
    }

    fn order(&self, store: &Mutex<Store>, asked: &Asked, number: u64) -> Answer {
        let caller = asked.headers.get("authorization").cloned().unwrap_or_default();
        let body = serde_json::from_slice::<Value>(&asked.body).unwrap_or_default();
        let valid = body["sku"].is_string() && body["quantity"].as_u64().is_some_and(|quantity| quantity > 0);
        let Some(key) = asked.headers.get("idempotency-key").map(|key| key.trim_matches('"').to_owned())
        else {
            return Answer::error(400, "key missing");
        };
        if self.is("key-is-short") && key.len() > 64 {
            return Answer::error(400, "key too long");
        }
        if !valid {
            return Answer::error(400, "sku and quantity");
        }
        let work = || thread::sleep(if self.is("quick") { Duration::ZERO } else { WORK });
        let act = |store: &mut Store, id: Option<u64>| {
            let id = id.unwrap_or_else(|| store.id());
            let row = json!({ "id": id, "sku": body["sku"], "quantity": body["quantity"] });
            store.orders.push(row.clone());
            row
        };
        let scope = match self.quirk {
            "keys-shared" => key.clone(),
            "lock-per-worker" => format!("{}/{caller}/{key}", number % 2),
            "key-ignores-case" => format!("{caller}/{}", key.to_ascii_lowercase()),
            _ => format!("{caller}/{key}"),
        };
        match self.quirk {
            "no-keys" => {
                work();
                return created(&act(&mut store.lock().unwrap(), None));
            }
            "refuses-everybody" => return Answer::error(409, "conflict"),
            "check-then-insert" | "key-after-work" | "one-at-a-time" => {
                if let Some(Key::Done(payload, _, row)) = store.lock().unwrap().keys.get(&scope) {
                    if self.is("one-at-a-time") && *payload != asked.body {
                        return Answer::error(422, "another payload");
                    }
                    return created(row);
                }
                work();
                let mut store = store.lock().unwrap();
                let row = act(&mut store, None);
                store.keys.insert(scope, Key::Done(asked.body.clone(), 201, row.clone()));
                return created(&row);
            }
            "by-content" => {
                work();
                let mut store = store.lock().unwrap();
                let content = body.to_string();
                if let Some(row) = store.contents.get(&content) {
                    return created(row);
                }
                let row = act(&mut store, None);
                store.contents.insert(content, row.clone());
                return created(&row);
            }
            _ => {}
        }
        let id = match self.claim(store, asked, &scope, &body) {
            Ok(id) => id,
            Err(answer) => return answer,
        };
        work();
        let mut store = store.lock().unwrap();
        let row = act(&mut store, Some(id));
        if self.is("forgets-on-a-page") {
            store.keys.remove(&scope);
            return Answer::json(201, &json!({ "ok": true }));
        }
        store.keys.insert(scope, Key::Done(asked.body.clone(), 201, row.clone()));
        created(&row)
    }

    /// Takes the key for a new row, or answers for the row that has it.
    fn claim(&self, store: &Mutex<Store>, asked: &Asked, scope: &str, body: &Value) -> Result<u64, Answer> {
        loop {
            let mut locked = store.lock().unwrap();
            if self.is("forgets-soon") {
                locked.later.retain(|due| *due > Instant::now());
                if locked.later.is_empty() {
                    locked.keys.retain(|_, key| matches!(key, Key::Running(_)));
                    locked.later.push(Instant::now() + Duration::from_secs(2));
                }
            }
            match locked.keys.get(scope) {
                Some(Key::Running(_)) if self.is("makes-wait") => {
                    drop(locked);
                    thread::sleep(Duration::from_millis(5));
                }
                Some(Key::Running(id)) if self.is("in-flight-303") => {
                    return Err(Answer::empty(303).with("Location", format!("/orders/{id}")));
                }
                Some(Key::Running(_)) => {
                    return Err(Answer::error(if self.is("in-flight-425") { 425 } else { 409 }, "running"));
                }
                Some(Key::Done(_, _, row)) if self.is("ignores-quantity") && row["sku"] == body["sku"] => {
                    return Err(created(row));
                }
                Some(Key::Done(payload, ..)) if *payload != asked.body && self.is("reuse-417") => {
                    return Err(Answer::error(417, "reused"));
                }
                Some(Key::Done(payload, ..)) if *payload != asked.body && !self.is("reuse-replays") => {
                    return Err(Answer::error(422, "another payload"));
                }
                Some(Key::Done(_, _, row)) if self.is("replay-409") => {
                    return Err(Answer::error(409, "done").with("Location", format!("/orders/{}", row["id"])));
                }
                Some(Key::Done(_, status, _)) if self.is("replay-empty") => {
                    return Err(Answer::empty(*status));
                }
                Some(Key::Done(_, _, row)) => {
                    return Err(created(row).with("Idempotent-Replayed", "true").with("Age", "3"));
                }
                None => {
                    let id = locked.id();
                    locked.keys.insert(scope.to_owned(), Key::Running(id));
                    return Ok(id);
                }
            }
        }
    }
}

fn created(row: &Value) -> Answer {
    Answer::json(201, row).with("Location", format!("/orders/{}", row["id"]))
}

fn item_of(body: &[u8]) -> Option<(String, u64)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some((body["name"].as_str()?.to_owned(), body["price"].as_u64()?))
}

/// A row of a plain listing, which begins with the time of its last write.
fn line(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    format!("{},{},{},{}", text("updated_at"), row["id"], text("name"), row["price"])
}

fn session_of(asked: &Asked) -> Option<String> {
    let cookies = asked.headers.get("cookie")?;
    cookies.split("; ").find_map(|pair| Some(pair.strip_prefix("session=")?.to_owned()))
}

fn nanos() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() % 1_000_000_007).unwrap()
}

/// A time that differs from call to call.
fn now() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("2026-01-01T00:00:00.{nanos}Z")
}

pub(crate) fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, path, headers, body })
}
