//! The session as a JSON Web Token (RFC 7519), on sites whose mistake is about them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{App, Flaw};

/// Seconds that a token is good for.
const LIFETIME: u64 = 3600;

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
        let flawed = matches!(
            self.flaw,
            Some(
                Flaw::TokenNeedsNoSignature
                    | Flaw::TokenUnverified
                    | Flaw::TokenEndIgnored
                    | Flaw::TokenNeverEnds
            )
        );
        (self.signs || flawed).then_some(self.dummy.as_str())
    }

    /// A token for a user; none on sites that keep sessions on the server.
    pub(super) fn token(&self, user: &str, session: &str) -> Option<String> {
        if self.is(Flaw::SessionEncodesName) {
            return Some(URL_SAFE_NO_PAD.encode(json!({ "sub": user, "sid": session }).to_string()));
        }
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
        let mut claims = json!({ "sub": user, "sid": session });
        if !self.is(Flaw::TokenNeverEnds) {
            claims["exp"] = json!(now() + LIFETIME);
        }
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
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
        let has_ended = || decoded(claims)?["exp"].as_u64().map(|end| end <= now());
        let kept = self.is(Flaw::TokenEndIgnored) || !has_ended().unwrap_or_default();
        if believed && kept { read(claims) } else { None }
    }
}

/// Seconds since 1970, as `exp` counts them (RFC 7519, section 2, `NumericDate`).
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
