//! The client of the unit tests: a connection for each request, the answer read to its end.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet};

use super::{Flaw, Options, Quirk, Running, Service};

/// A service started for one test, with work of 200 ms.
pub(super) struct Client {
    running: Running,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn good() -> Self {
        Self::start(None, None)
    }

    pub(super) fn flawed(flaw: Flaw) -> Self {
        Self::start(Some(flaw), None)
    }

    pub(super) fn quirky(quirk: Quirk) -> Self {
        Self::start(None, Some(quirk))
    }

    fn start(flaw: Option<Flaw>, quirk: Option<Quirk>) -> Self {
        let options = Options { flaw, quirk, slow: Duration::from_millis(200) };
        Self { running: Service::bind(options, ([127, 0, 0, 1], 0).into()).unwrap().spawn() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub(super) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    /// Sends `"METHOD /path"` with the fields, and the document unless it is null.
    pub(super) async fn send(&self, line: &str, fields: &[(&str, &str)], document: Value) -> Answer {
        exchange(self.address(), request(line, fields, &document)).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], Value::Null).await
    }

    pub(super) async fn status(&self, line: &str) -> u16 {
        self.send(line, &[], Value::Null).await.status.as_u16()
    }

    /// The rows of a list.
    pub(super) async fn rows(&self, path: &str) -> Vec<Value> {
        let document = self.get(path).await.json();
        document[path.trim_start_matches('/')].as_array().unwrap().clone()
    }

    /// Sends the same request `count` times at once; the statuses, sorted.
    pub(super) async fn together(
        &self,
        count: usize,
        line: &str,
        fields: &[(&str, &str)],
        document: &Value,
    ) -> Vec<u16> {
        let mut answers = JoinSet::new();
        for _ in 0..count {
            answers.spawn(exchange(self.address(), request(line, fields, document)));
        }
        let mut statuses: Vec<u16> =
            answers.join_all().await.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        statuses
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(super) fn request(line: &str, fields: &[(&str, &str)], document: &Value) -> Request<Full<Bytes>> {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "shop");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    if document.is_null() {
        return request.body(Full::default()).unwrap();
    }
    request.header(header::CONTENT_TYPE, "application/json").body(Full::from(document.to_string())).unwrap()
}

pub(super) async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Answer { status: parts.status, headers: parts.headers, body }
}
