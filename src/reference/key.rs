//! The `Idempotency-Key` field and what is remembered under a key.
//!
//! Follows draft-ietf-httpapi-idempotency-key-header, "The Idempotency-Key HTTP Request Header Field".

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{caller::Caller, reply::Reply};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The most characters that a key may have.
const KEY_LIMIT: usize = 255;

/// A key as the client meant it: 1 to 255 printable ASCII characters, without the quotes it may have come in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Key(String);

/// Why a request has no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("send an Idempotency-Key")]
    Missing,
    #[error("send one Idempotency-Key, not several")]
    Repeated,
    #[error("the Idempotency-Key is empty")]
    Empty,
    #[error("the Idempotency-Key has more than {KEY_LIMIT} characters")]
    TooLong,
    #[error("the Idempotency-Key is neither a quoted string nor a plain word")]
    Malformed,
}

impl Key {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, KeyError> {
        let mut fields = headers.get_all(IDEMPOTENCY_KEY).iter();
        let field = fields.next().ok_or(KeyError::Missing)?;
        if fields.next().is_some() {
            return Err(KeyError::Repeated);
        }
        Self::parse(field.to_str().map_err(|_| KeyError::Malformed)?)
    }

    /// Takes a String (RFC 9651 §3.3.3), as the draft asks, and the unquoted word that most clients send; both spell
    /// the same key.
    fn parse(field: &str) -> Result<Self, KeyError> {
        let key = match field.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or(KeyError::Malformed)?,
            None if field.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,;".contains(&byte)) => {
                field.to_owned()
            }
            None => return Err(KeyError::Malformed),
        };
        match key.len() {
            0 => Err(KeyError::Empty),
            1..=KEY_LIMIT => Ok(Self(key)),
            _ => Err(KeyError::TooLong),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands behind the opening quote, up to the closing one, which must end the field.
fn unquote(quoted: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(text),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => text.push(escaped),
                _ => return None,
            },
            plain @ ' '..='~' => text.push(plain),
            _ => return None,
        }
    }
}

/// Whose key: two callers may use the same one without knowing of each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Scope {
    pub(super) caller: Caller,
    pub(super) key: Key,
}

/// The payload that a key was first used with; a retry sends the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(payload: &Bytes) -> Self {
        Self(Sha256::digest(payload).into())
    }
}

/// The table of keys. It is part of the state, so that a key and its effect change in one transaction.
///
/// A service that runs for long forgets keys after a time that it publishes; this one lives for a demonstration.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(Scope, Record)>", into = "Vec<(Scope, Record)>")]
pub(super) struct Keys {
    records: HashMap<Scope, Record>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    fingerprint: Fingerprint,
    progress: Progress,
}

/// A key's life: absent, running, done; back to absent when the work was interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Progress {
    Running,
    /// The answer is kept as it was sent.
    Done(Reply),
}

/// What a request learns about its key.
#[derive(Debug)]
pub(super) enum Claim {
    /// The key was unknown and is running now: the work is this request's to do.
    Fresh,
    /// Another request with the key and payload is at work.
    Running,
    /// The work was done; this was the answer.
    Done(Reply),
    /// The key stands for another payload.
    Reused,
}

impl Keys {
    /// Looks the key up and takes it when it is free: one step, so that of many equal requests exactly one is fresh.
    pub(super) fn claim(&mut self, scope: &Scope, fingerprint: Fingerprint) -> Claim {
        match self.records.get(scope) {
            None => {
                self.records.insert(scope.clone(), Record { fingerprint, progress: Progress::Running });
                Claim::Fresh
            }
            Some(record) if record.fingerprint != fingerprint => Claim::Reused,
            Some(Record { progress: Progress::Running, .. }) => Claim::Running,
            Some(Record { progress: Progress::Done(reply), .. }) => Claim::Done(reply.clone()),
        }
    }

    /// Keeps the answer of a running key.
    pub(super) fn finish(&mut self, scope: &Scope, reply: Reply) {
        if let Some(record) = self.records.get_mut(scope) {
            record.progress = Progress::Done(reply);
        }
    }

    /// Frees a key whose work was interrupted before it had an effect; a finished one stays.
    pub(super) fn release(&mut self, scope: &Scope) {
        if let Some(Record { progress: Progress::Running, .. }) = self.records.get(scope) {
            self.records.remove(scope);
        }
    }

    /// The keys whose work is under way. Right after a start, nobody is at work on them any more.
    pub(super) fn running(&self) -> Vec<Scope> {
        let running = self.records.iter().filter(|(_, record)| matches!(record.progress, Progress::Running));
        running.map(|(scope, _)| scope.clone()).collect()
    }

    /// The answer kept under a key, whatever the payload was.
    pub(super) fn answer(&self, scope: &Scope) -> Option<Reply> {
        match &self.records.get(scope)?.progress {
            Progress::Running => None,
            Progress::Done(reply) => Some(reply.clone()),
        }
    }

    /// A caller who has used the key.
    pub(super) fn owner(&self, key: &Key) -> Option<Caller> {
        self.records.keys().find(|scope| scope.key == *key).map(|scope| scope.caller)
    }
}

impl From<Vec<(Scope, Record)>> for Keys {
    fn from(records: Vec<(Scope, Record)>) -> Self {
        Self { records: records.into_iter().collect() }
    }
}

impl From<Keys> for Vec<(Scope, Record)> {
    fn from(keys: Keys) -> Self {
        keys.records.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_spell_the_same_key() {
        assert_eq!(Key::parse("\"8e03978e-40d5\""), Key::parse("8e03978e-40d5"));
        assert_eq!(Key::parse(r#""a\"b\\c d""#), Ok(Key(r#"a"b\c d"#.to_owned())));
    }

    #[test]
    fn a_key_has_at_most_255_characters() {
        let longest = "k".repeat(255);
        assert_eq!(Key::parse(&longest), Ok(Key(longest.clone())));
        assert_eq!(Key::parse(&format!("\"{longest}\"")), Ok(Key(longest.clone())));
        assert_eq!(Key::parse(&format!("{longest}k")), Err(KeyError::TooLong));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert_eq!(Key::parse("\"\""), Err(KeyError::Empty));
        for malformed in ["\"open", "\"a\"b", "\"a\";q=1", "a b", "a,b", "\"\\n\"", "\"é\""] {
            assert_eq!(Key::parse(malformed), Err(KeyError::Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_key_goes_from_running_to_done_or_back() {
        let mut keys = Keys::default();
        let scope = Scope { caller: Caller::Alice, key: Key::parse("k").unwrap() };
        let first = Fingerprint::of(&Bytes::from_static(b"first"));
        let other = Fingerprint::of(&Bytes::from_static(b"other"));

        assert!(matches!(keys.claim(&scope, first), Claim::Fresh));
        assert!(matches!(keys.claim(&scope, first), Claim::Running));
        assert!(matches!(keys.claim(&scope, other), Claim::Reused));
        keys.release(&scope);
        assert!(matches!(keys.claim(&scope, other), Claim::Fresh));
        keys.finish(&scope, Reply::no_content());
        keys.release(&scope);
        assert!(matches!(keys.claim(&scope, other), Claim::Done(_)));
    }

    #[test]
    fn keys_of_two_callers_are_two_keys() {
        let mut keys = Keys::default();
        let key = Key::parse("k").unwrap();
        let payload = Fingerprint::of(&Bytes::new());
        for caller in [Caller::Alice, Caller::Bob, Caller::Anonymous] {
            assert!(matches!(keys.claim(&Scope { caller, key: key.clone() }, payload), Claim::Fresh));
        }
    }
}
