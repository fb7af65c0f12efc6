//! The integration tests: one binary, a file a subject.

mod content;
mod schema;
