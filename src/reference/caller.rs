//! Who is asking.

use http::{HeaderMap, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// The owner of a request: keys of one caller are invisible to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Caller {
    /// Nobody in particular: no credentials were sent.
    Anonymous,
    Alice,
    Bob,
}

impl Caller {
    /// Reads the bearer token (RFC 6750 §2.1); an unknown one is refused, never taken for an anonymous caller.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes) {
            None => Ok(Self::Anonymous),
            Some(b"Bearer alice-token") => Ok(Self::Alice),
            Some(b"Bearer bob-token") => Ok(Self::Bob),
            Some(_) => Err(Problem::Unauthorized),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }
}
