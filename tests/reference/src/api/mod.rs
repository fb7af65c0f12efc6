//! `api`: a service that speaks HTTP/1.1, with rows under `/items`, routes of every kind, a limited path and slow ones.
//!
//! It is what `http-api` and `gateway` are held against: good, or with one [`Flaw`].

mod flaw;
mod items;
mod limiter;
mod message;
mod route;

use std::borrow::Cow;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use serde_json::json;

pub use flaw::Flaw;

use items::{Items, json_answer, problem};
use limiter::Limiter;
use message::{Answer, Next, Request, Wire};
use route::Route;

/// How long `/slow` takes.
const SLOW: Duration = Duration::from_millis(600);

/// Bytes of `/big`.
const BIG: usize = 12 << 20;

const FRONT: &str = "<!doctype html>\n<title>Reference</title>\n<p>It works.\n";
const FRONT_TAG: &str = "\"front-1\"";

const DEBUGGER: &str = "<!doctype html>\n<title>Console // Werkzeug Debugger</title>\n<p>&gt;&gt;&gt;\n";
const TRACEBACK: &str = "<!doctype html>\n<pre>Traceback (most recent call last):\n  File \"app.py\", line 7, in broken\n    1 / 0\nZeroDivisionError: division by zero</pre>\n";

/// A running service; it stops when dropped.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    flaw: Option<Flaw>,
    stopping: AtomicBool,
    running: AtomicUsize,
    items: Items,
    limiter: Limiter,
    carried_out: AtomicU64,
}

impl Service {
    /// Starts one on a free port of loopback.
    ///
    /// # Panics
    ///
    /// Where there is no free port.
    #[must_use]
    pub fn start(flaw: Option<Flaw>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, flaw)
    }

    fn on(listener: TcpListener, flaw: Option<Flaw>) -> Self {
        let address = listener.local_addr().expect("it listens");
        let inner = Arc::new(Inner { flaw, ..Inner::default() });
        let workers = match flaw {
            Some(Flaw::OneAtATime) => 1,
            Some(Flaw::TwoWorkers) => 2,
            Some(Flaw::EightThreads) => 8,
            _ => 0,
        };
        let listener = Arc::new(listener);
        for _ in 0..workers.max(1) {
            let (inner, listener) = (Arc::clone(&inner), Arc::clone(&listener));
            thread::spawn(move || accept(&inner, &listener, workers > 0));
        }
        Self { address, inner }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and waits until what runs is answered.
    fn finish(&self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        while self.inner.running.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        for _ in 0..8 {
            drop(TcpStream::connect(self.address));
        }
    }
}

/// `api PORT [FLAW]`: a process of its own, until SIGTERM.
///
/// # Errors
///
/// Words for people: what the arguments are, or why it can not run.
pub fn main(arguments: &[String]) -> Result<(), String> {
    let usage = || "arguments: PORT [FLAW]".to_owned();
    let port: u16 = arguments.first().and_then(|port| port.parse().ok()).ok_or_else(usage)?;
    let flaw = match arguments.get(1) {
        Some(name) => Some(Flaw::named(name).ok_or_else(|| format!("no flaw '{name}'"))?),
        None => None,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let stop = Arc::new(AtomicBool::new(false));
    if flaw != Some(Flaw::DropsRunning) {
        signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))
            .map_err(|error| error.to_string())?;
    }
    let service = Service::on(listener, flaw);
    while !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(20));
    }
    service.finish();
    Ok(())
}

fn accept(inner: &Arc<Inner>, listener: &TcpListener, here: bool) {
    while let Ok((stream, peer)) = listener.accept() {
        if inner.stopping.load(Ordering::SeqCst) {
            return;
        }
        let serve = {
            let inner = Arc::clone(inner);
            move || inner.serve(stream, peer)
        };
        if here {
            serve();
        } else {
            thread::spawn(serve);
        }
    }
}

impl Inner {
    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        // That a client breaks off is no business of a server's.
        let _ = stream.set_nodelay(true);
        let mut wire = Wire::new(stream, self.flaw);
        // A worker that serves one connection at a time does not wait for another request.
        let closes = matches!(self.flaw, Some(Flaw::OneAtATime | Flaw::TwoWorkers | Flaw::EightThreads));
        loop {
            match wire.next() {
                Next::Request(request) => {
                    self.running.fetch_add(1, Ordering::SeqCst);
                    let answer = self.respond(&request, &peer.ip().to_string());
                    let goes_on = wire.answer(&request.method, &answer, closes || request.closes);
                    self.running.fetch_sub(1, Ordering::SeqCst);
                    if !goes_on.unwrap_or(false) {
                        return;
                    }
                }
                Next::Refused(status) => {
                    let _ = wire.answer("GET", &problem(status), true);
                    return;
                }
                Next::Gone => return,
            }
        }
    }

    fn respond(&self, request: &Request, peer: &str) -> Answer {
        let answer = self.answer(request, peer);
        if self.flaw == Some(Flaw::Debugger) {
            answer.with("Server", "Werkzeug/3.1.3 Python/3.11.2")
        } else {
            answer.with("Server", "reference")
        }
    }

    fn answer(&self, request: &Request, peer: &str) -> Answer {
        match self.flaw {
            Some(Flaw::AlwaysFails) => return problem(500),
            Some(Flaw::AlwaysMissing) => return problem(404),
            Some(Flaw::ConstantPage | Flaw::AlwaysOk) => {
                return Answer::new(200, "text/html; charset=utf-8", FRONT);
            }
            Some(Flaw::GuardFirst) if !matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") => {
                return problem(403);
            }
            _ => {}
        }
        let Some(route) = Route::of(&request.path, self.flaw) else {
            return if self.flaw == Some(Flaw::CatchAll) {
                Answer::new(200, "text/html; charset=utf-8", FRONT)
            } else {
                problem(404)
            };
        };
        let methods = route.methods(self.flaw);
        let method = if request.method == "HEAD" { "GET" } else { &request.method };
        if route == Route::ListBare && methods.contains(&method) {
            return self.redirect(&request.query);
        }
        if !methods.contains(&method) {
            return self.other_method(&route, request, methods);
        }
        self.carry_out(&route, method, request, peer)
    }

    fn redirect(&self, query: &str) -> Answer {
        let query = if self.flaw == Some(Flaw::DropsQuery) { "" } else { query };
        let status = if self.flaw == Some(Flaw::Redirects302) { 302 } else { 308 };
        Answer::empty(status).with("Location", format!("/list/{query}"))
    }

    fn other_method(&self, route: &Route, request: &Request, methods: &[&str]) -> Answer {
        let mut allowed = methods.to_vec();
        if methods.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.push("OPTIONS");
        let allow = allowed.join(", ");
        match self.flaw {
            _ if request.method == "OPTIONS" => Answer::empty(204).with("Allow", allow),
            Some(Flaw::MissingFor405) => problem(404),
            Some(Flaw::MissingMethod) if matches!(route, Route::Item(_)) => problem(404),
            Some(Flaw::NoAllow) => problem(405),
            _ => problem(405).with("Allow", allow),
        }
    }

    fn carry_out(&self, route: &Route, method: &str, request: &Request, peer: &str) -> Answer {
        let flaw = self.flaw;
        match (route, method) {
            (Route::Front, _) if request.header("if-none-match") == Some(FRONT_TAG) => {
                Answer::empty(304).with("ETag", FRONT_TAG)
            }
            (Route::Front, _) => Answer::new(200, "text/html; charset=utf-8", FRONT).with("ETag", FRONT_TAG),
            (Route::Items, "POST") => self.items.create(request, flaw),
            (Route::Items, _) => self.items.list(flaw),
            (Route::Item(id), "PUT" | "PATCH") => self.items.write(*id, request, flaw),
            (Route::Item(id), "DELETE") => self.items.remove(*id),
            (Route::Item(id), _) => self.items.read(*id, request, flaw),
            (Route::DeleteItem, _) => {
                let id = request.query.trim_start_matches("?id=").parse().unwrap_or(0);
                self.items.remove(id)
            }
            (Route::Notes, _) => Answer::text(200, &format!("{} bytes", request.body.len())),
            (Route::Users, _) => json_answer(200, &json!([])),
            (Route::Me, _) => json_answer(200, &json!({ "user": "you" })),
            (Route::User(id), _) => json_answer(200, &json!({ "id": id })),
            (Route::File(path), _) => json_answer(200, &json!({ "path": path })),
            (Route::Tag(name), _) => json_answer(200, &json!({ "name": name })),
            (Route::Price(price), _) => json_answer(200, &json!({ "price": price })),
            (Route::Shop(shop), _) => json_answer(200, &json!({ "shop": shop })),
            (Route::List | Route::ListBare, _) => json_answer(200, &json!({ "list": [] })),
            (Route::Slow, _) => {
                thread::sleep(SLOW);
                Answer::text(200, "done")
            }
            (Route::Broken, _) if matches!(flaw, Some(Flaw::Traceback | Flaw::Debugger)) => {
                Answer::new(500, "text/html; charset=utf-8", TRACEBACK)
            }
            (Route::Broken, _) => problem(500),
            (Route::Big, _) => big(),
            (Route::Limited, _) => self.limited(request, peer),
            (Route::Counter, _) => {
                json_answer(200, &json!({ "carried_out": self.carried_out.load(Ordering::SeqCst) }))
            }
            (Route::Console, _) => Answer::new(200, "text/html; charset=utf-8", DEBUGGER),
        }
    }

    fn limited(&self, request: &Request, peer: &str) -> Answer {
        let admitted = self.limiter.admits(peer, request.header("x-forwarded-for"), self.flaw);
        if admitted || self.flaw == Some(Flaw::ExecutesRefused) {
            self.carried_out.fetch_add(1, Ordering::SeqCst);
        }
        if admitted { Answer::text(200, "done") } else { problem(429).with("Retry-After", "1") }
    }
}

/// The large answer; its body is there once for all.
fn big() -> Answer {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![b'b'; BIG]);
    let answer = Answer::empty(200).with("Content-Type", "application/octet-stream");
    Answer { body: Cow::Borrowed(&BODY), ..answer }
}
