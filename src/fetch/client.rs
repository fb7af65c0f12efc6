//! One request after the other, each over a connection of its own, with every address judged before it is used.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::rule::Journey;
use super::{FetchError, Fetched, Limits, trust};
use crate::model::{Digest, Reach, plain_line};

/// A registry sends a blob to a store, which may send it to a nearer one.
const REDIRECTS: usize = 5;

/// One address of a host that does not answer must not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(10);

/// Bytes of the head of an answer; stores sign their addresses with a few KiB.
const HEAD_BYTES: usize = 64 << 10;

/// Headers of an answer.
const HEADERS: usize = 200;

/// Characters of what a server says that reach the user.
const WORDS: usize = 300;

/// Asks for things.
pub(super) struct Client {
    /// How much a file may have.
    pub(super) limits: Limits,
    journey: Journey,
    trust: Option<TlsConnector>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Where.
    pub(super) url: &'a str,
    /// Which forms of it are understood.
    pub(super) accept: &'static str,
    /// Who asks; goes to this origin only.
    pub(super) authorization: Option<&'a HeaderValue>,
    /// How many bytes the answer may have.
    pub(super) limit: usize,
}

/// An answer of any status, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The parts of an address that a connection needs.
struct Place {
    encrypted: bool,
    host: String,
    port: u16,
}

impl Client {
    /// `pinned` says that the user gave a digest.
    pub(super) fn new(limits: Limits, pinned: bool) -> Self {
        Self { limits, journey: Journey::new(pinned), trust: None }
    }

    /// The file at an address.
    pub(super) async fn download(&mut self, url: &str) -> Result<Fetched, FetchError> {
        let accept = "application/wasm, application/octet-stream;q=0.9, */*;q=0.5";
        let asked = Asked { url, accept, authorization: None, limit: self.limits.bytes };
        let answer = self.get(asked).await?.succeeded(url)?;
        let pin = Digest::of(&answer.body);
        Ok(Fetched { media_type: answer.media_type(), bytes: answer.body, pin })
    }

    /// Says that what is asked next is what the user typed, not what a server named.
    pub(super) fn restart(&mut self) {
        self.journey.restart();
    }

    /// Asks, and follows where it may.
    pub(super) async fn get(&mut self, asked: Asked<'_>) -> Result<Answer, FetchError> {
        let mut uri = parse(asked.url)?;
        let origin = uri.authority().cloned();
        for _ in 0..=REDIRECTS {
            let same = origin.as_ref() == uri.authority();
            let authorization = asked.authorization.filter(|_| same);
            let response = self.send(&uri, asked.accept, authorization).await?;
            let Some(next) = location(&uri, &response)? else {
                return read(&uri, response, asked.limit).await;
            };
            let leads = |why: String| FetchError::Redirect { from: shown(&uri), to: shown(&next), why };
            // Judged before it is connected to as well; said here, the words name who leads there.
            let place = Place::of(&next)?;
            let addresses = place.look_up().await?;
            if let Err(why) = self.permitted(&addresses, place.encrypted) {
                return Err(leads(why));
            }
            uri = next;
        }
        Err(FetchError::Redirect {
            from: shown_text(asked.url),
            to: shown(&uri),
            why: format!("there were {REDIRECTS} redirects already"),
        })
    }

    async fn send(
        &mut self,
        uri: &Uri,
        accept: &'static str,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, FetchError> {
        let place = Place::of(uri)?;
        let (stream, reach) = self.connect(&place).await?;
        if !place.encrypted && !self.journey.believes_plain(reach) {
            return Err(FetchError::PlainHttp { url: shown(uri) });
        }
        self.journey.went(reach, place.encrypted);
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut request = Request::get(path).header(ACCEPT, accept);
        request = request.header(USER_AGENT, concat!("mustdo/", env!("CARGO_PKG_VERSION")));
        if let Some(authority) = uri.authority() {
            request = request.header(HOST, authority.as_str());
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let talk = |why: &dyn std::fmt::Display| place.talk(why);
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| talk(&error))?;
        if !place.encrypted {
            return exchange(stream, request).await.map_err(|error| talk(&error));
        }
        let name = ServerName::try_from(place.host.clone()).map_err(|error| talk(&error))?;
        let connector = self.trust().await?;
        let stream = connector.connect(name, stream).await.map_err(|error| talk(&error))?;
        exchange(stream, request).await.map_err(|error| talk(&error))
    }

    /// A connection to one of the addresses that may be connected to, in the order of the resolver.
    async fn connect(&self, place: &Place) -> Result<(TcpStream, Reach), FetchError> {
        let addresses = place.look_up().await?;
        let permitted = self
            .permitted(&addresses, place.encrypted)
            .map_err(|why| FetchError::Refused { host: place.host.clone(), why })?;
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for (address, reach) in permitted {
            let connecting = TcpStream::connect(SocketAddr::new(address, place.port));
            match tokio::time::timeout(CONNECT, connecting).await {
                Ok(Ok(stream)) => return Ok((stream, reach)),
                Ok(Err(error)) => last = error,
                Err(_) => last = std::io::Error::from(std::io::ErrorKind::TimedOut),
            }
        }
        Err(FetchError::Connect { host: format!("{}:{}", place.host, place.port), source: last })
    }

    /// Those of the addresses that may be connected to; why not, where there are none.
    fn permitted(&self, addresses: &[IpAddr], encrypted: bool) -> Result<Vec<(IpAddr, Reach)>, String> {
        let mut refusal = String::from("an address that nothing is known of");
        let mut permitted = vec![];
        for &address in addresses {
            match self.journey.judge(address, encrypted) {
                Ok(reach) => permitted.push((address, reach)),
                Err(why) => refusal = why,
            }
        }
        if permitted.is_empty() { Err(refusal) } else { Ok(permitted) }
    }

    async fn trust(&mut self) -> Result<TlsConnector, FetchError> {
        if let Some(known) = &self.trust {
            return Ok(known.clone());
        }
        let read = tokio::task::spawn_blocking(trust::connector).await;
        let connector = read.map_err(|_| FetchError::NoTrust)??;
        Ok(self.trust.insert(connector).clone())
    }
}

impl Answer {
    /// The same where it is what was asked for.
    pub(super) fn succeeded(self, url: &str) -> Result<Self, FetchError> {
        match self.status {
            200 => Ok(self),
            status => Err(FetchError::Status { url: shown_text(url), status }),
        }
    }

    /// What the server calls it, without parameters.
    pub(super) fn media_type(&self) -> Option<String> {
        let text = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

impl Place {
    fn of(uri: &Uri) -> Result<Self, FetchError> {
        let none = |why: &str| FetchError::Address { url: shown(uri), why: why.to_owned() };
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(none("only https and http are spoken")),
        };
        let authority = uri.authority().ok_or_else(|| none("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(none("it holds a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(none("it has no host"));
        }
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        Ok(Self { encrypted, host: host.to_owned(), port })
    }

    async fn look_up(&self) -> Result<Vec<IpAddr>, FetchError> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found = found.map_err(|_| FetchError::NoHost { host: self.host.clone() })?;
        Ok(found.map(|address| address.ip().to_canonical()).collect())
    }

    fn talk(&self, why: &dyn std::fmt::Display) -> FetchError {
        FetchError::Talk {
            host: format!("{}:{}", self.host, self.port),
            why: plain_line(&why.to_string(), WORDS),
        }
    }
}

fn parse(url: &str) -> Result<Uri, FetchError> {
    url.parse().map_err(|error: http::uri::InvalidUri| FetchError::Address {
        url: shown_text(url),
        why: error.to_string(),
    })
}

/// Where an answer leads to; none where it leads nowhere.
fn location(from: &Uri, response: &Response<Incoming>) -> Result<Option<Uri>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |to: &str, why: &str| FetchError::Redirect {
        from: shown(from),
        to: shown_text(to),
        why: why.to_owned(),
    };
    let location = response.headers().get(LOCATION).ok_or_else(|| refuse("nowhere", "it names no place"))?;
    let location = location.to_str().map_err(|_| refuse("nowhere", "it names no place"))?;
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (from.scheme_str().unwrap_or("https"), from.authority());
    let authority = authority.map_or("", http::uri::Authority::as_str);
    // What RFC 3986, 5.2 resolves, as far as servers use it: whole addresses, those without a scheme, and absolute paths.
    let whole = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        return Err(refuse(location, "it is not a whole address"));
    };
    let next: Uri = whole.parse().map_err(|_| refuse(&whole, "it is not an address"))?;
    if from.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
        return Err(refuse(&whole, "it gives encryption up"));
    }
    Ok(Some(next))
}

/// One request over a connection that serves for nothing else; the connection lives until the answer is read.
async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    // Ends with the answer: the last sender is dropped here, and the body with whoever reads it.
    tokio::spawn(connection);
    sender.send_request(request).await
}

async fn read(uri: &Uri, response: Response<Incoming>, limit: usize) -> Result<Answer, FetchError> {
    let (head, mut incoming) = response.into_parts();
    let too_large = || FetchError::TooLarge { url: shown(uri), limit };
    let announced =
        head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit as u64) {
        return Err(too_large());
    }
    let place = Place::of(uri)?;
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| place.talk(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        if body.len() + data.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&data);
    }
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

/// An address for people: what a store signed is nobody's business.
fn shown(uri: &Uri) -> String {
    shown_text(&uri.to_string())
}

fn shown_text(url: &str) -> String {
    plain_line(url.split('?').next().unwrap_or_default(), WORDS)
}
