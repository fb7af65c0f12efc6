//! Everything that needs more than one module: one binary, a file a subject.
#![expect(
    clippy::disallowed_methods,
    reason = "the fences are for the tool: tests read and write what they like"
)]

mod content;
mod schema;
