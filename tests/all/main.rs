//! The integration tests: one binary, a file a subject.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stood")]

#[cfg(feature = "live-servers")]
mod flask;
mod shop;
