//! A small site with accounts, posts for everybody, notes of one's own, and downloads: pages with forms, as a first web
//! application has them. Start at [`Site`].

mod account;
mod flaw;
mod guard;
mod guestbook;
mod html;
mod misc;
mod note;
mod password;
mod post;
mod request;
mod route;
mod state;
mod token;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

pub use flaw::Flaw;
use request::Request;
use state::State;

/// A running site on loopback; it stops when dropped.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    data: PathBuf,
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Site {
    /// Starts the good site, or one with a mistake, on a free port.
    pub fn start(flaw: Option<Flaw>) -> io::Result<Self> {
        Self::serve(flaw, false)
    }

    /// Starts a good site whose sessions are tokens that it signs, each with an end that is kept.
    pub fn start_with_tokens() -> io::Result<Self> {
        Self::serve(None, true)
    }

    fn serve(flaw: Option<Flaw>, signs: bool) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let app = Arc::new(App::new(flaw, signs, address)?);
        let (data, key) = (app.data(), app.dummy.clone());
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    // A sender that is gone means the same as one that speaks.
                    _ = stopped => {}
                    () = accept(listener, app) => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, data, key, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder where it keeps its users and its log.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it signs tokens with, but for the site whose key everybody knows.
    #[must_use]
    pub fn signing_key(&self) -> &str {
        &self.key
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, app: Arc<App>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        let app = Arc::clone(&app);
        let service = service_fn(move |incoming: hyper::Request<hyper::body::Incoming>| {
            let app = Arc::clone(&app);
            async move {
                let (parts, body) = incoming.into_parts();
                let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let request = Request::new(parts, &body);
                // Hashing takes a while; others are answered meanwhile.
                let answered = tokio::task::spawn_blocking(move || app.answer(&request)).await;
                Ok::<_, Infallible>(answered.map_or_else(|_| broken(), respond))
            }
        });
        tokio::spawn(async move {
            // An error is a client that hung up or spoke no HTTP: nobody else is concerned.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn respond(reply: request::Reply) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status;
    for (name, value) in reply.headers {
        if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn broken() -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(Bytes::from_static(b"internal error")));
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// The site behind its connections.
#[derive(Debug)]
struct App {
    flaw: Option<Flaw>,
    /// Whether the sessions of a site without a mistake are signed tokens.
    signs: bool,
    address: SocketAddr,
    state: Mutex<State>,
    /// A folder of files that are public, beside files that are not.
    files: PathBuf,
    /// What a password is compared with where there is no such user; nobody guesses it, so tokens are signed with it too.
    dummy: String,
}

impl App {
    fn new(flaw: Option<Flaw>, signs: bool, address: SocketAddr) -> io::Result<Self> {
        let files = std::env::temp_dir().join(format!("mustdo-site-{}", state::secret()));
        std::fs::create_dir_all(files.join("static"))?;
        std::fs::create_dir_all(files.join("data"))?;
        std::fs::write(files.join("static/style.css"), "body { margin: 2em }\n")?;
        std::fs::write(files.join("static/guide.txt"), "how to use this site\n")?;
        std::fs::write(files.join("mustdo.toml"), "[targets.web]\nkind = \"http\"\n")?;
        Ok(Self { flaw, signs, address, state: Mutex::default(), files, dummy: state::hash("nobody") })
    }

    /// Users and the log, beside what is served.
    fn data(&self) -> PathBuf {
        self.files.join("data")
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.files);
    }
}
