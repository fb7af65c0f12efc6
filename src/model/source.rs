//! Where a plugin comes from: a file, an address or a registry, as it is typed and as it stands in `mustdo.lock`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Digest;

/// A place with the digest that is expected there, written `PLACE@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSource {
    /// Where.
    pub place: SourcePlace,
    /// What has to be there: the component's digest; in a registry, the manifest's. None where whatever is there is
    /// taken.
    pub digest: Option<Digest>,
}

/// Where a plugin lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcePlace {
    /// A file: in the lock relative to the workspace or absolute, on the command line relative to the current folder.
    File(String),
    /// Somewhere on a network.
    Remote(Remote),
}

/// Somewhere on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// `https://…` or `http://…`, with a host, without credentials and without a fragment.
    Url(String),
    /// In a registry.
    Artifact(Artifact),
}

/// A name in a registry (OCI distribution specification 1.1, "Pulling manifests"), written `oci://HOST/NAME:TAG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Host, and port where it is not the usual one: `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// The repository: `acme/http-extra`.
    pub name: String,
    /// A tag, which can be moved; none where only a digest is asked for.
    pub tag: Option<String>,
}

/// Why a text is not a source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// Nothing.
    #[error("a plugin comes from a file, from \"https://…\" or from \"oci://REGISTRY/NAME:TAG\"")]
    Empty,
    /// A scheme that is not spoken.
    #[error(
        "\"{0}://\" is not spoken: a plugin comes from a file, from \"https://…\" or from \"oci://REGISTRY/NAME:TAG\""
    )]
    Scheme(String),
    /// What follows the last `@` begins like a digest and is none.
    #[error("after \"@\" stands \"sha256:\" and 64 lowercase hexadecimal digits")]
    Digest,
    /// No host, or something no host is called.
    #[error("an address has a host, and neither spaces nor control characters")]
    Host,
    /// A user name or a password in the address.
    #[error(
        "an address holds no user name and no password: it is written into mustdo.lock for everybody to read"
    )]
    Credentials,
    /// A `#`.
    #[error("what follows \"#\" is never sent; a digest is written \"@sha256:…\" at the end")]
    Fragment,
    /// A character that steers a terminal.
    #[error("a path holds no control characters")]
    Control,
    /// The name in a registry.
    #[error(
        "a name in a registry has a-z, 0-9, \"/\" between its parts and \".\", \"_\" or \"-\" inside them"
    )]
    Name,
    /// The tag.
    #[error(
        "a tag has up to 128 of a-z, A-Z, 0-9, \"_\", \".\" and \"-\", and begins with none of the last two"
    )]
    Tag,
    /// Neither tag nor digest.
    #[error("name a tag or a digest: \"oci://{0}:TAG\" or \"oci://{0}@sha256:…\"")]
    Untagged(String),
}

impl PluginSource {
    /// The same place with another digest, or with none.
    #[must_use]
    pub fn pinned(&self, digest: Option<Digest>) -> Self {
        Self { place: self.place.clone(), digest }
    }
}

impl Artifact {
    /// Whether the registry is on this machine, judged by its name: such a one speaks plain HTTP, as it does with other
    /// clients. Names that only resolve to this machine do not count.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = match self.registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.registry,
        };
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || literal.is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

impl fmt::Display for PluginSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            SourcePlace::File(path) => write!(formatter, "file:{path}")?,
            SourcePlace::Remote(remote) => remote.fmt(formatter)?,
        }
        self.digest.map_or(Ok(()), |digest| write!(formatter, "@{digest}"))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => formatter.write_str(url),
            Self::Artifact(artifact) => artifact.fmt(formatter),
        }
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "oci://{}/{}", self.registry, self.name)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(formatter, ":{tag}"))
    }
}

impl FromStr for PluginSource {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (place, digest) = match text.rsplit_once('@') {
            Some((place, digest)) if digest.starts_with("sha256:") => {
                (place, Some(digest.parse().map_err(|_| SourceError::Digest)?))
            }
            _ => (text, None),
        };
        let place = match place.split_once("://") {
            _ if place.starts_with("file:") && !place.starts_with("file://") => {
                file(&place["file:".len()..])?
            }
            Some(("https" | "http", rest)) => SourcePlace::Remote(Remote::Url(url(place, rest)?)),
            Some(("oci", rest)) => SourcePlace::Remote(Remote::Artifact(artifact(rest, digest.is_some())?)),
            Some((scheme, _)) if is_scheme(scheme) => return Err(SourceError::Scheme(scheme.to_owned())),
            Some(_) | None => file(place)?,
        };
        Ok(Self { place, digest })
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn file(path: &str) -> Result<SourcePlace, SourceError> {
    if path.is_empty() {
        Err(SourceError::Empty)
    } else if path.contains(char::is_control) {
        Err(SourceError::Control)
    } else {
        Ok(SourcePlace::File(path.to_owned()))
    }
}

fn url(whole: &str, rest: &str) -> Result<String, SourceError> {
    host(rest)?;
    if rest.contains('#') {
        return Err(SourceError::Fragment);
    }
    Ok(whole.to_owned())
}

/// The part up to the path: a host, perhaps with a port.
fn host(rest: &str) -> Result<&str, SourceError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(SourceError::Credentials);
    }
    let host = authority.split(':').next().unwrap_or_default();
    if host.is_empty() || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(SourceError::Host);
    }
    Ok(authority)
}

fn artifact(rest: &str, pinned: bool) -> Result<Artifact, SourceError> {
    let registry = host(rest)?;
    let path = rest[registry.len()..].strip_prefix('/').ok_or(SourceError::Name)?;
    let (name, tag) = match path.rsplit_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (path, None),
    };
    let part = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    if name.len() > 255 || !name.split('/').all(part) {
        return Err(SourceError::Name);
    }
    if let Some(tag) = tag {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if tag.is_empty() || tag.len() > 128 || !tag.bytes().all(known) || tag.starts_with(['.', '-']) {
            return Err(SourceError::Tag);
        }
    } else if !pinned {
        return Err(SourceError::Untagged(format!("{registry}/{name}")));
    }
    Ok(Artifact { registry: registry.to_owned(), name: name.to_owned(), tag: tag.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn error(text: &str) -> SourceError {
        text.parse::<PluginSource>().unwrap_err()
    }

    #[test]
    fn sources_parse_what_they_print() {
        for place in [
            "file:x.wasm",
            "file:/a b/x@1.wasm",
            "https://example.org/x.wasm?v=1",
            "http://127.0.0.1:8080/x.wasm",
            "oci://ghcr.io/acme/http-extra:1.2.0",
            "oci://localhost:5000/x:latest",
            "oci://[::1]:5000/acme/x:v1",
        ] {
            for text in [place.to_owned(), format!("{place}{DIGEST}")] {
                let source: PluginSource = text.parse().unwrap();
                assert_eq!(source.to_string(), text);
                assert_eq!(source.digest.is_some(), text != place);
            }
        }
        let text = format!("oci://ghcr.io/acme/x{DIGEST}");
        assert_eq!(text.parse::<PluginSource>().unwrap().to_string(), text);
        assert_eq!("a/x.wasm".parse::<PluginSource>().unwrap().to_string(), "file:a/x.wasm");
    }

    #[test]
    fn what_is_no_source_is_told_apart() {
        assert_eq!(error(""), SourceError::Empty);
        assert_eq!(error("file:"), SourceError::Empty);
        assert_eq!(error("a\u{1b}[2J.wasm"), SourceError::Control);
        assert_eq!(error("ftp://example.org/x"), SourceError::Scheme("ftp".to_owned()));
        assert_eq!(error("x.wasm@sha256:abc"), SourceError::Digest);
        assert_eq!(error("https:///x"), SourceError::Host);
        assert_eq!(error("https://example.org/a b"), SourceError::Host);
        assert_eq!(error("https://me:secret@example.org/x"), SourceError::Credentials);
        assert_eq!(error("https://example.org/x#sha256=abc"), SourceError::Fragment);
        assert_eq!(error("oci://ghcr.io"), SourceError::Name);
        assert_eq!(error("oci://ghcr.io/Acme/x:1"), SourceError::Name);
        assert_eq!(error("oci://ghcr.io/../x:1"), SourceError::Name);
        assert_eq!(error("oci://ghcr.io/a//x:1"), SourceError::Name);
        assert_eq!(error("oci://ghcr.io/acme/x:-1"), SourceError::Tag);
        assert_eq!(error("oci://ghcr.io/acme/x"), SourceError::Untagged("ghcr.io/acme/x".to_owned()));
    }

    #[test]
    fn local_registries_are_known_by_name_alone() {
        let local = |text: &str| match format!("oci://{text}/x:1").parse::<PluginSource>().unwrap().place {
            SourcePlace::Remote(Remote::Artifact(artifact)) => artifact.is_local(),
            SourcePlace::File(_) | SourcePlace::Remote(Remote::Url(_)) => panic!("{text} is no artifact"),
        };
        for text in ["localhost", "LocalHost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"] {
            assert!(local(text), "{text}");
        }
        for text in ["localhost.example.org", "ghcr.io", "10.0.0.1:5000", "127.0.0.1.nip.io"] {
            assert!(!local(text), "{text}");
        }
    }
}
