//! What the unit tests of several files need.

use mustdo_plugin::http::{Response, Timing};

/// An answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    Response {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
        body_bytes: body.len() as u64,
        truncated: false,
        timing: Timing::default(),
    }
}
