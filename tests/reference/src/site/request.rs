//! A request that was read to its end, and the answer to it.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use percent_encoding::percent_decode_str;

/// Method, address, fields and body.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) form: Vec<(String, String)>,
}

impl Request {
    pub(super) fn new(parts: http::request::Parts, body: &Bytes) -> Self {
        let is_form = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let form = if is_form { pairs(&String::from_utf8_lossy(body)) } else { Vec::new() };
        let query = pairs(parts.uri.query().unwrap_or_default());
        Self { method: parts.method, path: parts.uri.path().to_owned(), query, headers: parts.headers, form }
    }

    /// A field of the form; empty when it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        first(&self.form, name).unwrap_or_default()
    }

    /// A field of the query; empty when it is not there.
    pub(super) fn parameter(&self, name: &str) -> &str {
        first(&self.query, name).unwrap_or_default()
    }

    /// A header as text; empty when it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether it is about removing something.
    pub(super) fn deletes(&self) -> bool {
        self.path.ends_with("/delete")
    }

    /// The value of a cookie; the first where there are several of the name.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header("cookie").split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The pairs of a query or a form.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// Status, fields and content.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn html(status: StatusCode, html: String) -> Self {
        Self::of(status, "text/html; charset=utf-8", html)
    }

    pub(super) fn of(status: StatusCode, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", media_type.to_owned())], body: body.into() }
    }

    /// 303: the form was taken; look there.
    pub(super) fn see_other(location: &str) -> Self {
        Self {
            status: StatusCode::SEE_OTHER,
            headers: vec![("location", location.to_owned())],
            body: Vec::new(),
        }
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn is_html(&self) -> bool {
        self.headers.iter().any(|(name, value)| *name == "content-type" && value.starts_with("text/html"))
    }
}
