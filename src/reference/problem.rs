//! Why a request was not done, and how that is told.

use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::{key::KeyError, reply::Reply};

/// What stops a request; answered as `{"error": …}`.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the body is not what this path takes: {0}")]
    Body(#[from] serde_json::Error),
    #[error("the body could not be read to its end")]
    Unreadable,
    #[error("the body has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{name} must {rule}")]
    Field { name: &'static str, rule: &'static str },
    #[error("the body must be application/json")]
    MediaType,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("a request with this key is still running; try again later")]
    KeyRunning,
    #[error("this key was used with another payload; take a new one")]
    KeyReused,
    #[error("the bearer token is unknown")]
    Unauthorized,
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path takes only {allowed}")]
    Method { allowed: &'static str },
    #[error("the work was interrupted; nothing was stored")]
    Interrupted,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Body(_) | Self::Unreadable | Self::Field { .. } | Self::Key(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyRunning => StatusCode::CONFLICT,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Interrupted => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let reply = Self::json(problem.status(), json!({ "error": problem.to_string() }));
        match problem {
            // Both fields are demanded by RFC 9110: §11.6.1 and §15.5.6.
            Problem::Unauthorized => reply.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Problem::Method { allowed } => reply.with(ALLOW, HeaderValue::from_static(allowed)),
            Problem::Body(_)
            | Problem::Unreadable
            | Problem::TooLarge { .. }
            | Problem::Field { .. }
            | Problem::MediaType
            | Problem::Key(_)
            | Problem::KeyRunning
            | Problem::KeyReused
            | Problem::NotFound
            | Problem::Interrupted => reply,
        }
    }
}
