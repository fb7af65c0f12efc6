//! A request of a plugin, made fit to send: everything that could smuggle a second request or confuse the framing is
//! refused, not repaired.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use crate::plugin::contract::{Failure, http as contract};
use crate::plugin::network;

use super::HEADERS;
use super::upstream::Upstream;

/// What the host owns: how long a message is and how long a connection lives (RFC 9112, 6 and 9.6), and what it can not
/// answer to (RFC 9110, 10.1.1 and 7.8).
const OWNED: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Asks for a connection that stays open when the time is over: the service must not see its caller hang up.
const HOLD: &str = "mustdo.hold";

/// The longest path that is sent; servers refuse at 8 KiB or less.
const PATH_BYTES: usize = 64 << 10;

/// A request that can be sent to one upstream.
pub(super) struct Outgoing {
    /// In origin form, with every header.
    pub(super) request: Request<Full<Bytes>>,
    /// From the connection to the last byte of the answer.
    pub(super) timeout: Duration,
    /// Bytes of the answer to keep.
    pub(super) keep: usize,
    /// Since the batch began.
    pub(super) after: Duration,
    /// Whether the connection stays open when the time is over without an answer.
    pub(super) hold: bool,
}

impl Outgoing {
    /// Makes `request` ready for `upstream`; the words say what the plugin has to change.
    pub(super) fn new(
        request: contract::Request,
        upstream: &Upstream,
        keep_alive: bool,
    ) -> Result<Self, Failure> {
        let refuse = |what: String| Failure::Other(format!("the request was not sent: {what}"));
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| method != Method::CONNECT)
            .ok_or_else(|| refuse(format!("{:?} is not a method that can be sent", request.method)))?;
        let uri = uri(&upstream.prefix, &request.path_and_query).map_err(refuse)?;
        let mut headers = headers(request.headers).map_err(refuse)?;
        if !headers.contains_key(HOST) {
            let host = HeaderValue::from_str(&upstream.host).map_err(|error| refuse(error.to_string()))?;
            headers.insert(HOST, host);
        }
        if !headers.contains_key(USER_AGENT) {
            headers
                .insert(USER_AGENT, HeaderValue::from_static(concat!("mustdo/", env!("CARGO_PKG_VERSION"))));
        }
        // RFC 9110, 8.6: a length of zero is said where the method would lead one to expect content.
        let expected = matches!(method, Method::POST | Method::PUT | Method::PATCH);
        if expected || !request.body.is_empty() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
        }
        if !keep_alive {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut ready = Request::new(Full::new(Bytes::from(request.body)));
        *ready.method_mut() = method;
        *ready.uri_mut() = uri;
        *ready.headers_mut() = headers;
        Ok(Self {
            request: ready,
            timeout: network::time(request.timeout_millis),
            keep: usize::try_from(request.max_body_bytes).unwrap_or(usize::MAX),
            after: Duration::from_millis(request.after_millis.into()),
            hold: request.extras.iter().any(|(key, value)| key == HOLD && value == "yes"),
        })
    }
}

/// Origin form (RFC 9112, 3.2.1): visible ASCII that begins with "/" and has no fragment.
fn uri(prefix: &str, path_and_query: &str) -> Result<Uri, String> {
    if !path_and_query.starts_with('/') {
        return Err(format!("the path {path_and_query:?} does not begin with \"/\""));
    }
    if path_and_query.len() > PATH_BYTES {
        return Err(format!("the path is longer than {} KiB", PATH_BYTES >> 10));
    }
    if let Some(bad) = path_and_query.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        return Err(format!("the path has {bad:?} in it: percent-encode it"));
    }
    let path = format!("{prefix}{path_and_query}");
    let uri: Uri = path.parse().map_err(|error| format!("the path {path_and_query:?}: {error}"))?;
    if uri.path_and_query().is_some_and(|parsed| parsed.as_str() == path) && uri.authority().is_none() {
        Ok(uri)
    } else {
        Err(format!("the path {path_and_query:?} can not be sent as it is"))
    }
}

fn headers(given: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, String> {
    if given.len() > HEADERS {
        return Err(format!("it has more than {HEADERS} headers"));
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 3);
    for (name, value) in given {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("{name:?} is not the name of a header"))?;
        if OWNED.contains(&header.as_str()) || (header == HOST && headers.contains_key(HOST)) {
            return Err(format!("the host sets the header \"{header}\""));
        }
        let value = HeaderValue::from_bytes(&value)
            .map_err(|_| format!("the value of the header \"{header}\" has control characters"))?;
        headers.append(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use crate::model::Authority;
    use crate::plugin::network::{Dial, TIMEOUT};

    use super::*;

    async fn upstream(prefix: &str) -> Upstream {
        let authority = Authority { host: "127.0.0.1".to_owned(), port: 8080 };
        Upstream::web(&authority, prefix, Dial::default()).await
    }

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> contract::Request {
        contract::Request {
            method: method.to_owned(),
            path_and_query: path.to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: vec![],
            timeout_millis: 0,
            max_body_bytes: 10,
            after_millis: 0,
            extras: vec![],
        }
    }

    #[tokio::test]
    async fn request_is_completed_with_what_the_host_owns() {
        let upstream = upstream("/app").await;
        let mut given = request("POST", "/orders?a=%20", &[("X-Key", "1"), ("x-key", "2")]);
        given.body = b"abc".to_vec();
        let outgoing = Outgoing::new(given, &upstream, false).unwrap();
        assert_eq!(outgoing.request.uri().to_string(), "/app/orders?a=%20");
        let headers = outgoing.request.headers();
        assert_eq!(headers["host"], "127.0.0.1:8080");
        assert_eq!(headers["content-length"], "3");
        assert_eq!(headers["connection"], "close");
        assert_eq!(headers.get_all("x-key").iter().count(), 2);
        assert_eq!(outgoing.timeout, TIMEOUT);
    }

    #[tokio::test]
    async fn length_of_nothing_is_said_only_where_content_is_expected() {
        let upstream = upstream("").await;
        let length = |method| {
            let outgoing = Outgoing::new(request(method, "/", &[]), &upstream, true).unwrap();
            outgoing.request.headers().get(CONTENT_LENGTH).cloned()
        };
        assert_eq!(length("POST").unwrap(), "0");
        assert_eq!(length("GET"), None);
        assert_eq!(length("DELETE"), None);
    }

    #[tokio::test]
    async fn virtual_host_may_be_chosen_once() {
        let upstream = upstream("").await;
        let outgoing = Outgoing::new(request("GET", "/", &[("Host", "a.test")]), &upstream, true).unwrap();
        assert_eq!(outgoing.request.headers().get_all(HOST).iter().collect::<Vec<_>>(), ["a.test"]);
        assert!(
            Outgoing::new(request("GET", "/", &[("Host", "a"), ("host", "b")]), &upstream, true).is_err()
        );
    }

    #[tokio::test]
    async fn second_request_can_not_be_smuggled_into_one() {
        let upstream = upstream("").await;
        for (method, path, headers) in [
            ("GET / HTTP/1.1\r\nX: ", "/", &[][..]),
            ("", "/", &[]),
            ("CONNECT", "/", &[]),
            ("GET", "orders", &[]),
            ("GET", "", &[]),
            ("GET", "http://169.254.169.254/", &[]),
            ("GET", "*", &[]),
            ("GET", "/a b", &[]),
            ("GET", "/a\r\nX: y", &[]),
            ("GET", "/a#b", &[]),
            ("GET", "/é", &[]),
            ("GET", "/<b>", &[]),
            ("GET", "/", &[("Content-Length", "5")]),
            ("GET", "/", &[("Transfer-Encoding", "chunked")]),
            ("GET", "/", &[("Connection", "upgrade")]),
            ("GET", "/", &[("a b", "c")]),
            ("GET", "/", &[("x", "a\r\nb: c")]),
        ] {
            let outgoing = Outgoing::new(request(method, path, headers), &upstream, true);
            assert!(matches!(outgoing, Err(Failure::Other(_))), "{method} {path} {headers:?}");
        }
    }

    #[tokio::test]
    async fn odd_paths_are_sent_as_they_are() {
        let upstream = upstream("").await;
        for path in ["/../etc/passwd", "//a//b", "/a?b?c=d&&", "/%00", "/a|b{c}", "/@127.0.0.2/"] {
            let outgoing = Outgoing::new(request("GET", path, &[]), &upstream, true);
            assert_eq!(outgoing.map_err(|failure| format!("{failure:?}")).unwrap().request.uri(), path);
        }
    }
}
