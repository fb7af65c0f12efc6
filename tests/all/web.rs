//! A server on this machine that answers as a test says: wrongly, slowly, or with somebody else's address.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is answered to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, header lines, and a body with its length in front.
    Whole(u16, Vec<String>, Vec<u8>),
    /// As it is, then the end.
    Raw(Vec<u8>),
    /// A head, and then a byte every now and then, for ever.
    Drip,
}

impl Reply {
    /// The file that was asked for.
    pub(crate) fn file(bytes: &[u8]) -> Self {
        Self::Whole(200, vec!["Content-Type: application/wasm".to_owned()], bytes.to_vec())
    }

    /// Somewhere else.
    pub(crate) fn elsewhere(location: impl std::fmt::Display) -> Self {
        Self::Whole(302, vec![format!("Location: {location}")], vec![])
    }

    /// Nothing.
    pub(crate) fn nothing() -> Self {
        Self::Whole(404, vec![], b"nothing here".to_vec())
    }
}

/// A request: the line without its version, and everything after it in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) head: String,
}

impl Asked {
    /// The path with the query.
    pub(crate) fn path(&self) -> &str {
        self.line.strip_prefix("GET ").unwrap()
    }
}

/// The server; it stops when it is dropped.
pub(crate) struct Web {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where the certificate of [`Web::encrypted`] and its authority lie.
pub(crate) fn certificates() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls")
}

impl Web {
    /// Answers without encryption.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, answer)
    }

    /// Answers with a certificate of an authority that no system trusts.
    pub(crate) fn encrypted(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let folder = certificates();
        let chain = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::serve(Some(Arc::new(config)), answer)
    }

    fn serve(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, stop) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(false)));
        let (seen, stopped) = (asked.clone(), stop.clone());
        let answer = Arc::new(answer);
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (tls, answer, seen, stopped) =
                    (tls.clone(), answer.clone(), seen.clone(), stopped.clone());
                thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                    match tls {
                        None => talk(stream, &*answer, &seen, &stopped),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            talk(StreamOwned::new(connection, stream), &*answer, &seen, &stopped);
                        }
                    }
                });
            }
        });
        Self { address, scheme, asked, stop, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// An address of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the one that waits for a connection.
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

/// One request. A client that goes away in the middle is no error of the server.
fn talk(
    mut stream: impl Read + Write,
    answer: &dyn Fn(&Asked) -> Reply,
    seen: &Mutex<Vec<Asked>>,
    stopped: &AtomicBool,
) {
    let (mut request, mut byte) = (vec![], [0]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let text = String::from_utf8(request).unwrap();
    let (line, head) = text.split_once("\r\n").unwrap();
    let line = line.strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let asked = Asked { line, head: head.to_lowercase() };
    seen.lock().unwrap().push(asked.clone());
    let bytes = match answer(&asked) {
        Reply::Raw(bytes) => bytes,
        Reply::Whole(status, lines, body) => {
            let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\n{lines}Content-Length: {length}\r\n\r\n");
            [head.into_bytes(), body].concat()
        }
        Reply::Drip => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
            let mut writes = stream.write_all(head).and_then(|()| stream.flush());
            while writes.is_ok() && !stopped.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20));
                writes = stream.write_all(b"x").and_then(|()| stream.flush());
            }
            return;
        }
    };
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
}
