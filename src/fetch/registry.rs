//! Pulling from a registry (OCI distribution specification 1.1): a manifest, then the blob it names. Read-only, without
//! a login; where a registry wants a token for that, it is asked for one.

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use serde_json::Value;

use super::challenge::Challenge;
use super::client::{Answer, Asked, Client};
use super::manifest::{self, Layer};
use super::{FetchError, Fetched};
use crate::model::{Artifact, Digest, plain_line};

/// Bytes of the answer that holds a token.
const TOKEN_BYTES: usize = 64 << 10;

/// Characters of what a manifest says that reach the user.
const WORDS: usize = 500;

/// Pulls the plugin that `digest` names, else the one that the tag stands for; that only from a local registry.
pub(super) async fn pull(
    client: &mut Client,
    artifact: &Artifact,
    digest: Option<&Digest>,
) -> Result<Fetched, FetchError> {
    let mut session = Session { client, artifact, token: None };
    let reference = match digest {
        Some(digest) => digest.to_string(),
        None => session.tag()?,
    };
    let (pin, layer) = session.manifest(&reference).await?;
    accept(artifact, digest, pin)?;
    let layer = layer.map_err(|why| session.no_plugin(&why))?;
    let bytes = session.blob(&layer).await?;
    Ok(Fetched { bytes, media_type: None, pin })
}

/// Whether the manifest that was found is one to go on with.
fn accept(artifact: &Artifact, digest: Option<&Digest>, found: Digest) -> Result<(), FetchError> {
    match digest {
        Some(&wanted) if wanted != found => Err(FetchError::Digest { what: "the manifest", wanted, found }),
        None if !artifact.is_local() => Err(FetchError::Unpinned { now: found }),
        _ => Ok(()),
    }
}

/// What the tag stands for today.
pub(super) async fn look(client: &mut Client, artifact: &Artifact) -> Result<Digest, FetchError> {
    let mut session = Session { client, artifact, token: None };
    let tag = session.tag()?;
    Ok(session.manifest(&tag).await?.0)
}

/// A conversation with one registry about one name.
struct Session<'a> {
    client: &'a mut Client,
    artifact: &'a Artifact,
    token: Option<HeaderValue>,
}

impl Session<'_> {
    fn tag(&self) -> Result<String, FetchError> {
        let none = || self.no_plugin("neither a tag nor a digest is asked for");
        self.artifact.tag.clone().ok_or_else(none)
    }

    /// The digest of the manifest, and the layer it names.
    async fn manifest(&mut self, reference: &str) -> Result<(Digest, Result<Layer, String>), FetchError> {
        let answer = self.get(&format!("manifests/{reference}"), manifest::ACCEPT, manifest::BYTES).await?;
        Ok((Digest::of(&answer.body), manifest::layer(&answer.body)))
    }

    async fn blob(&mut self, layer: &Layer) -> Result<Vec<u8>, FetchError> {
        let limit = self.client.limits.bytes;
        let size = usize::try_from(layer.size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(FetchError::TooLarge { url: self.artifact.to_string(), limit });
        }
        let body = match self.get(&format!("blobs/{}", layer.digest), "*/*", size).await {
            Ok(answer) => answer.body,
            Err(FetchError::TooLarge { .. }) => return Err(self.lies(size, "more")),
            Err(error) => return Err(error),
        };
        if body.len() != size {
            return Err(self.lies(size, &body.len().to_string()));
        }
        let found = Digest::of(&body);
        if found != layer.digest {
            return Err(FetchError::Digest { what: "the layer", wanted: layer.digest, found });
        }
        Ok(body)
    }

    /// Asks the registry, with a token where it wants one.
    async fn get(&mut self, path: &str, accept: &'static str, limit: usize) -> Result<Answer, FetchError> {
        let scheme = if self.artifact.is_local() { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{path}", self.artifact.registry, self.artifact.name);
        self.client.restart();
        let asked = Asked { url: &url, accept, authorization: self.token.as_ref(), limit };
        let answer = self.client.get(asked).await?;
        if answer.status != 401 || self.token.is_some() {
            return self.succeeded(answer, &url);
        }
        let token = self.token(&answer).await?;
        self.client.restart();
        let asked = Asked { url: &url, accept, authorization: Some(&token), limit };
        let answer = self.client.get(asked).await?;
        self.token = Some(token);
        self.succeeded(answer, &url)
    }

    fn succeeded(&self, answer: Answer, url: &str) -> Result<Answer, FetchError> {
        if matches!(answer.status, 401 | 403) { Err(self.login()) } else { answer.succeeded(url) }
    }

    async fn token(&mut self, refusal: &Answer) -> Result<HeaderValue, FetchError> {
        let mut challenges = refusal.headers.get_all(WWW_AUTHENTICATE).iter();
        let challenge = challenges.find_map(|header| Challenge::parse(header.to_str().ok()?));
        let url = challenge.ok_or_else(|| self.login())?.url();
        let asked = Asked { url: &url, accept: "application/json", authorization: None, limit: TOKEN_BYTES };
        let answer = self.client.get(asked).await?;
        let answer = self.succeeded(answer, &url)?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = answer["token"].as_str().or_else(|| answer["access_token"].as_str());
        let header = HeaderValue::try_from(format!("Bearer {}", token.unwrap_or_default()));
        match header {
            Ok(mut header) if token.is_some() => {
                header.set_sensitive(true);
                Ok(header)
            }
            _ => Err(self.login()),
        }
    }

    fn lies(&self, size: usize, sent: &str) -> FetchError {
        self.no_plugin(&format!("its manifest promises {size} bytes, and the registry sends {sent}"))
    }

    fn login(&self) -> FetchError {
        FetchError::Login { registry: self.artifact.registry.clone() }
    }

    fn no_plugin(&self, why: &str) -> FetchError {
        FetchError::Manifest { name: self.artifact.to_string(), why: plain_line(why, WORDS) }
    }
}

/// What a registry says, for the fuzzer: the layer that `bytes` name as a manifest, or what the user would read; and the
/// address that they lead to as the header of a challenge.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read(bytes: &[u8]) -> (Result<(Digest, u64), String>, Option<String>) {
    let layer = manifest::layer(bytes).map(|layer| (layer.digest, layer.size));
    let header = std::str::from_utf8(bytes).ok().and_then(Challenge::parse);
    (layer.map_err(|why| plain_line(&why, WORDS)), header.map(|challenge| challenge.url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_elsewhere_is_taken_only_with_what_it_stands_for() {
        let artifact = |registry: &str| Artifact {
            registry: registry.to_owned(),
            name: "acme/x".to_owned(),
            tag: Some("1.0".to_owned()),
        };
        let (found, other) = (Digest::of(b"manifest"), Digest::of(b"other"));
        for registry in ["ghcr.io", "localhost:5000"] {
            let wrong = accept(&artifact(registry), Some(&other), found);
            assert!(matches!(wrong, Err(FetchError::Digest { .. })), "{registry}");
            assert!(accept(&artifact(registry), Some(&found), found).is_ok(), "{registry}");
        }
        assert!(accept(&artifact("localhost:5000"), None, found).is_ok());
        let elsewhere = accept(&artifact("ghcr.io"), None, found);
        assert!(matches!(elsewhere, Err(FetchError::Unpinned { now }) if now == found));
    }
}
