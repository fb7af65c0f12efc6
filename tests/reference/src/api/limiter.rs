//! A bucket of tokens for each client: so many at once, so many a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::flaw::Flaw;

/// Requests at once.
const BURST: f64 = 10.0;

/// Requests a second.
const RATE: f64 = 20.0;

/// Who may go on.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    condemned: bool,
}

impl Limiter {
    /// Whether the client at `peer`, which says that it forwards for `forwarded`, may go on; takes a token if so.
    pub(super) fn admits(&self, peer: &str, forwarded: Option<&str>, flaw: Option<Flaw>) -> bool {
        let client = match flaw {
            Some(Flaw::NoLimit) => return true,
            Some(Flaw::AlwaysTooMany) => return false,
            Some(Flaw::GlobalBucket) => "everybody",
            Some(Flaw::TrustsForwarded) => forwarded.unwrap_or(peer),
            _ => peer,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let bucket = buckets.entry(client.to_owned()).or_insert(Bucket {
            tokens: BURST,
            filled: now,
            condemned: false,
        });
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * RATE).min(BURST);
        bucket.filled = now;
        if bucket.condemned {
            return false;
        }
        if bucket.tokens < 1.0 {
            bucket.condemned = flaw == Some(Flaw::NeverRecovers);
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}
