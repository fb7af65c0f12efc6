//! Session values that carry data and a signature: which kind one is, and whether a key that everybody tries made it.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// Salts that the libraries put before the key.
const FLASK_SALT: &str = "cookie-session";
const DJANGO_SALT: &str = "django.contrib.sessions.backends.signed_cookies";

/// How a value is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A JSON Web Token with a keyed hash (RFC 7519, RFC 7518 section 3.2).
    Jwt,
    /// A JSON Web Token with another algorithm.
    JwtOther,
    /// itsdangerous, as Flask signs its sessions: HMAC-SHA1 with a key made of the secret and a salt.
    Flask,
    /// Django's `TimestampSigner`, where sessions are kept in cookies.
    Django,
    /// `s:VALUE.SIGNATURE`, as Express' cookie-signature writes it.
    Express,
    /// Nothing that can be read.
    Opaque,
}

/// A value taken apart: what is signed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) kind: Kind,
    body: String,
    signature: String,
}

impl Signed {
    /// Looks at a value of a cookie or a bearer token.
    pub(crate) fn of(value: &str) -> Self {
        let decoded = value.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2B", "+");
        let opaque = Self { kind: Kind::Opaque, body: value.to_owned(), signature: String::new() };
        let cut = |at: char| {
            decoded.rsplit_once(at).map(|(body, signature)| (body.to_owned(), signature.to_owned()))
        };
        if let Some(rest) = decoded.strip_prefix("s:")
            && let Some((body, signature)) = rest.rsplit_once('.')
        {
            return Self { kind: Kind::Express, body: body.to_owned(), signature: signature.to_owned() };
        }
        let parts = decoded.trim_start_matches('.').split('.').count();
        if parts == 3
            && let Some((body, signature)) = cut('.')
        {
            let kind = match algorithm(&body) {
                Some(name) if name.starts_with("HS") => Kind::Jwt,
                Some(_) => Kind::JwtOther,
                // 20 bytes of SHA-1 in base64.
                None if signature.len() == 27 => Kind::Flask,
                None => return opaque,
            };
            return Self { kind, body, signature };
        }
        match cut(':') {
            Some((body, signature)) if signature.len() == 43 && body.contains(':') => {
                Self { kind: Kind::Django, body, signature }
            }
            _ => opaque,
        }
    }

    /// Whether the signature is the one that this secret makes.
    pub(crate) fn is_made_with(&self, secret: &str) -> bool {
        let secret = secret.as_bytes();
        let made = match self.kind {
            Kind::Jwt => self.jwt_signature(secret, &self.body),
            Kind::Flask => {
                URL.encode(sign::<Hmac<Sha1>>(&sign::<Hmac<Sha1>>(secret, FLASK_SALT), &self.body))
            }
            Kind::Django => {
                let key = Sha256::digest([DJANGO_SALT.as_bytes(), b"signer", secret].concat());
                URL.encode(sign::<Hmac<Sha256>>(&key, &self.body))
            }
            Kind::Express => PLAIN.encode(sign::<Hmac<Sha256>>(secret, &self.body)),
            Kind::JwtOther | Kind::Opaque => return false,
        };
        made == self.signature.trim_end_matches('=')
    }

    /// The same value with another signature, written as `value` was.
    pub(crate) fn with_signature(&self, value: &str, signature: &str) -> String {
        if self.signature.is_empty() {
            return value.to_owned();
        }
        // Where the signature was escaped, it begins behind the last separator.
        let behind = || value.rfind(['.', ':']).map_or(value.len(), |at| at + 1);
        let at = value.rfind(&self.signature).unwrap_or_else(behind);
        format!("{}{signature}", &value[..at])
    }

    /// The signature with its first character exchanged. The last one may carry bits that are not looked at.
    pub(crate) fn wrong_signature(&self) -> String {
        let mut chars = self.signature.chars();
        let first = chars.next().map_or('A', |char| if char == 'A' { 'B' } else { 'A' });
        std::iter::once(first).chain(chars).collect()
    }

    /// A token of the same claims that says it needs no signature; `none` is how it says so.
    pub(crate) fn unsigned(&self, none: &str) -> Option<String> {
        let (_, claims) = self.body.split_once('.')?;
        matches!(self.kind, Kind::Jwt | Kind::JwtOther).then(|| {
            let header = serde_json::json!({ "alg": none, "typ": "JWT" }).to_string();
            format!("{}.{claims}.", URL.encode(header))
        })
    }

    /// The value with a word of its claims exchanged and the signature as it was; none where the word is not in them.
    pub(crate) fn with_claim(&self, from: &str, to: &str) -> Option<String> {
        let (header, claims) = match self.kind {
            Kind::Jwt | Kind::JwtOther => {
                self.body.split_once('.').map(|(header, claims)| (format!("{header}."), claims))?
            }
            Kind::Flask => (String::new(), self.body.split_once('.')?.0),
            Kind::Django | Kind::Express | Kind::Opaque => return None,
        };
        let text = String::from_utf8(URL.decode(claims).ok()?).ok()?;
        let rest = if self.kind == Kind::Flask {
            self.body.split_once('.').map(|(_, rest)| format!(".{rest}"))?
        } else {
            String::new()
        };
        text.contains(from)
            .then(|| format!("{header}{}{rest}.{}", URL.encode(text.replace(from, to)), self.signature))
    }

    /// The end that a JSON Web Token gives itself, in seconds since 1970 (RFC 7519, section 4.1.4); none where it has none.
    pub(crate) fn end(&self) -> Option<f64> {
        self.claims()?.get("exp")?.as_f64()
    }

    /// The same token with another end, in seconds since 1970, signed with `key`; none where it is not of a keyed hash, or
    /// the key is not the one that has signed it. A key may be given as text, in base64 or in hexadecimal digits.
    pub(crate) fn ending(&self, key: &str, end: u64) -> Option<String> {
        if self.kind != Kind::Jwt {
            return None;
        }
        let written = [
            Some(key.as_bytes().to_vec()),
            PLAIN.decode(key).ok(),
            URL.decode(key).ok(),
            hex::decode(key).ok(),
        ];
        let key = written
            .into_iter()
            .flatten()
            .find(|key| self.jwt_signature(key, &self.body) == self.signature)?;
        let mut claims = self.claims()?;
        claims.as_object_mut()?.insert("exp".to_owned(), end.into());
        let (header, _) = self.body.split_once('.')?;
        let body = format!("{header}.{}", URL.encode(claims.to_string()));
        let signature = self.jwt_signature(&key, &body);
        Some(format!("{body}.{signature}"))
    }

    /// What a JSON Web Token says.
    fn claims(&self) -> Option<Value> {
        if !matches!(self.kind, Kind::Jwt | Kind::JwtOther) {
            return None;
        }
        serde_json::from_slice(&URL.decode(self.body.split_once('.')?.1).ok()?).ok()
    }

    /// The keyed hash of a body, by the algorithm that this token names.
    fn jwt_signature(&self, key: &[u8], body: &str) -> String {
        match algorithm(&self.body).as_deref() {
            Some("HS384") => URL.encode(sign::<Hmac<Sha384>>(key, body)),
            Some("HS512") => URL.encode(sign::<Hmac<Sha512>>(key, body)),
            _ => URL.encode(sign::<Hmac<Sha256>>(key, body)),
        }
    }

    /// In words.
    pub(crate) fn name(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Jwt | Kind::JwtOther => ("a JSON Web Token", "JSON Web Token"),
            Kind::Flask => ("a signed cookie of Flask", "Flask 的签名 cookie"),
            Kind::Django => ("a signed cookie of Django", "Django 的签名 cookie"),
            Kind::Express => ("a signed cookie of Express", "Express 的签名 cookie"),
            Kind::Opaque => ("a value that carries nothing", "不含数据的随机值"),
        }
    }
}

/// A value that says something in plain text, in base64 or in hexadecimal digits, with a word of it exchanged; none where
/// the word is not in it. Both words have the same length, so what is packed in binary stays whole.
pub(crate) fn renamed(value: &str, from: &str, to: &str) -> Option<String> {
    if value.contains(from) {
        return Some(value.replace(from, to));
    }
    let exchanged = |bytes: Vec<u8>| {
        // A char for each byte: what is not text survives.
        let text: String = bytes.into_iter().map(char::from).collect();
        let bytes =
            |text: String| text.chars().filter_map(|char| u8::try_from(char).ok()).collect::<Vec<_>>();
        text.contains(from).then(|| bytes(text.replace(from, to)))
    };
    let plain = value.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let in_hex = hex::decode(&plain).ok().and_then(exchanged).map(hex::encode);
    let in_url = || URL.decode(&plain).ok().and_then(exchanged).map(|bytes| URL.encode(bytes));
    let in_base64 = || PLAIN.decode(&plain).ok().and_then(exchanged).map(|bytes| PLAIN.encode(bytes));
    in_hex.or_else(in_url).or_else(in_base64)
}

/// The `alg` of the header that a token begins with.
fn algorithm(body: &str) -> Option<String> {
    let header: Value = serde_json::from_slice(&URL.decode(body.split('.').next()?).ok()?).ok()?;
    header.get("alg")?.as_str().map(str::to_owned)
}

fn sign<M: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken: `new_from_slice` of an HMAC cannot fail.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_jwt_io_is_made_with_its_secret() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        let signed = Signed::of(token);
        assert_eq!(signed.kind, Kind::Jwt);
        assert!(signed.is_made_with("your-256-bit-secret") && !signed.is_made_with("secret"));
        assert_ne!(signed.with_signature(token, &signed.wrong_signature()), token);
        let other = Signed::of(&signed.with_claim("John Doe", "Jane Doe").unwrap());
        assert!(!other.is_made_with("your-256-bit-secret"));
        assert!(signed.unsigned("none").unwrap().ends_with('.'));
    }

    #[test]
    fn a_token_ends_when_whoever_has_its_key_says() {
        let bytes = b"0123456789abcdef0123456789abcde\xff";
        let header = URL.encode(r#"{"alg":"HS512"}"#);
        let body = format!("{header}.{}", URL.encode(r#"{"sub":"ann","exp":2000000000}"#));
        let signed = Signed::of(&format!("{body}.{}", URL.encode(sign::<Hmac<Sha512>>(bytes, &body))));
        assert_eq!((signed.kind, signed.end()), (Kind::Jwt, Some(2e9)));
        for key in [hex::encode(bytes), PLAIN.encode(bytes), URL.encode(bytes)] {
            let other = Signed::of(&signed.ending(&key, 1_000_000_000).unwrap());
            assert_eq!((other.kind, other.end()), (Kind::Jwt, Some(1e9)));
            assert_eq!(other.jwt_signature(bytes, &other.body), other.signature);
        }
        assert_eq!(signed.ending("another", 1), None);
        assert_eq!(Signed::of("0f3c9a").end(), None);
    }

    #[test]
    fn a_name_is_exchanged_however_it_is_written() {
        let told = |value: &str| renamed(value, "alice", "bobby");
        assert_eq!(told("user-alice").as_deref(), Some("user-bobby"));
        assert_eq!(told(&URL.encode("{\"u\":\"alice\"}")), Some(URL.encode("{\"u\":\"bobby\"}")));
        assert_eq!(told(&PLAIN.encode(b"\xffalice\xfb")), Some(PLAIN.encode(b"\xffbobby\xfb")));
        assert_eq!(told("616c696365").as_deref(), Some("626f626279"));
        assert_eq!(told("0f3c9a"), None);
    }

    #[test]
    fn what_carries_nothing_is_opaque() {
        for value in ["0f3c9a", "a.b", "1:2", ""] {
            assert_eq!(Signed::of(value).kind, Kind::Opaque, "{value}");
        }
    }
}
