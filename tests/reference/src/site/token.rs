//! The session as a JSON Web Token (RFC 7519), on sites whose mistake is about them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{App, Flaw};

/// What a token says.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    pub(super) user: String,
    pub(super) session: String,
}

impl App {
    fn key(&self) -> Option<&str> {
        if self.is(Flaw::TokenKeyKnown) {
            return Some("your-256-bit-secret");
        }
        let keeps_secret = self.is(Flaw::TokenNeedsNoSignature) || self.is(Flaw::TokenUnverified);
        keeps_secret.then_some(self.dummy.as_str())
    }

    /// A token for a user; none on sites that keep sessions on the server.
    pub(super) fn token(&self, user: &str, session: &str) -> Option<String> {
        if self.is(Flaw::SessionEncodesName) {
            return Some(URL_SAFE_NO_PAD.encode(json!({ "sub": user, "sid": session }).to_string()));
        }
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
        let claims = URL_SAFE_NO_PAD.encode(json!({ "sub": user, "sid": session }).to_string());
        let body = format!("{header}.{claims}");
        let signature = sign(self.key()?, &body);
        Some(format!("{body}.{signature}"))
    }

    /// The claims of a token that this site believes.
    pub(super) fn claims(&self, token: &str) -> Option<Claims> {
        if self.is(Flaw::SessionEncodesName) {
            return read(token);
        }
        let key = self.key()?;
        let (body, signature) = token.rsplit_once('.')?;
        let (header, claims) = body.split_once('.')?;
        let says_none = decoded(header)?["alg"] == "none";
        let believed = match self.flaw {
            Some(Flaw::TokenUnverified) => true,
            Some(Flaw::TokenNeedsNoSignature) if says_none => true,
            _ => !says_none && sign(key, body) == signature,
        };
        if believed { read(claims) } else { None }
    }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn read(claims: &str) -> Option<Claims> {
    let claims = decoded(claims)?;
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    Some(Claims { user: text("sub")?, session: text("sid")? })
}

fn sign(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("an HMAC takes any key");
    mac.update(body.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
