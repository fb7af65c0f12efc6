//! An answer before it becomes bytes.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, LOCATION},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::body::Body;

/// Status, fields and content. A clone of it is what a repeated key is answered with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    pub(super) layout: Layout,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    None,
    Json(Value),
    Html(String),
    Text(&'static str),
}

/// How the content is written; it says the same in every layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    /// JSON with line breaks and indentation.
    Pretty,
    /// In chunks, without a length given beforehand.
    Chunked,
}

impl Reply {
    pub(super) fn new(status: StatusCode, content: Content) -> Self {
        Self { status, headers: HeaderMap::new(), content, layout: Layout::Compact }
    }

    pub(super) fn json(status: StatusCode, value: Value) -> Self {
        Self::new(status, Content::Json(value))
    }

    pub(super) fn page(html: String) -> Self {
        Self::new(StatusCode::OK, Content::Html(html))
    }

    pub(super) fn created(location: &str, value: Value) -> Self {
        Self::json(StatusCode::CREATED, value).at(location)
    }

    /// 303: what was asked for is already there, at `location`.
    pub(super) fn see_other(location: &str) -> Self {
        Self::new(StatusCode::SEE_OTHER, Content::None).at(location)
    }

    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Content::None)
    }

    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds the validator of the content: equal content has an equal one (RFC 9110 §8.8.3).
    #[must_use]
    pub(super) fn with_etag(self) -> Self {
        let digest: [u8; 32] = Sha256::digest(self.bytes()).into();
        let half = digest.first_chunk().copied().map_or(0, u128::from_be_bytes);
        self.with(ETAG, field(&format!("\"{half:032x}\"")))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut headers = self.headers.clone();
        if let Some(media_type) = self.media_type() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let bytes = self.bytes();
        let body = if self.layout == Layout::Chunked { Body::chunked(bytes) } else { Body::whole(bytes) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }

    fn at(self, location: &str) -> Self {
        self.with(LOCATION, field(location))
    }

    fn media_type(&self) -> Option<&'static str> {
        match self.content {
            Content::None => None,
            Content::Json(_) => Some("application/json"),
            Content::Html(_) => Some("text/html; charset=utf-8"),
            Content::Text(_) => Some("text/plain; charset=utf-8"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::None => Vec::new(),
            Content::Json(value) if self.layout == Layout::Pretty => format!("{value:#}\n").into_bytes(),
            Content::Json(value) => value.to_string().into_bytes(),
            Content::Html(text) => text.clone().into_bytes(),
            Content::Text(text) => text.as_bytes().to_vec(),
        }
    }
}

/// A reply as it is kept on the disk: what is said under a key is a document or nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    status: u16,
    fields: Vec<(String, String)>,
    document: Option<Value>,
}

impl From<Reply> for Kept {
    fn from(reply: Reply) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self {
            status: reply.status.as_u16(),
            fields: reply.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            document: match reply.content {
                Content::Json(value) => Some(value),
                Content::Html(html) => Some(html.into()),
                Content::Text(text) => Some(text.into()),
                Content::None => None,
            },
        }
    }
}

impl TryFrom<Kept> for Reply {
    type Error = http::Error;

    fn try_from(kept: Kept) -> Result<Self, http::Error> {
        let content = kept.document.map_or(Content::None, Content::Json);
        let mut reply = Self::new(StatusCode::from_u16(kept.status)?, content);
        for (name, value) in kept.fields {
            reply.headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(reply)
    }
}

/// A field value made of ids, paths and digits of this service.
pub(super) fn field(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, paths and numbers are visible ASCII")
}
