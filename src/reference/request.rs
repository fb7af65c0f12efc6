//! A request that was read to its end.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{caller::Caller, problem::Problem};

/// More than any document of the shop; a longer body is refused before it is held in memory.
const BODY_LIMIT: usize = 64 * 1024;

/// Method, path, fields and body, with the caller already known.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) caller: Caller,
    /// Which of the workers took the connection.
    pub(super) worker: usize,
}

impl Request {
    pub(super) async fn read(incoming: hyper::Request<Incoming>, worker: usize) -> Result<Self, Problem> {
        let (parts, body) = incoming.into_parts();
        let caller = Caller::of(&parts.headers)?;
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Problem::TooLarge { limit: BODY_LIMIT });
            }
            Err(_) => return Err(Problem::Unreadable),
        };
        let path = parts.uri.path().to_owned();
        Ok(Self { method: parts.method, path, headers: parts.headers, body, caller, worker })
    }

    /// The path without its leading slash, cut at the slashes; empty for `/`. The query takes no part.
    pub(super) fn segments(&self) -> Vec<&str> {
        match self.path.strip_prefix('/') {
            None | Some("") => Vec::new(),
            Some(path) => path.split('/').collect(),
        }
    }

    /// The method that is routed by: HEAD is a GET whose body is not sent (RFC 9110 §9.3.2).
    pub(super) fn routed_method(&self) -> Method {
        if self.method == Method::HEAD { Method::GET } else { self.method.clone() }
    }

    /// The body as a document, when it says that it is JSON and is.
    pub(super) fn json<Document: DeserializeOwned>(&self) -> Result<Document, Problem> {
        let media_type =
            self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = media_type.split(';').next().unwrap_or("").trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::MediaType);
        }
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The value of a cookie; the first where there are several of the name.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}
