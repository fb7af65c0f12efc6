//! Everything that needs more than one module: one binary, a file a subject.

mod invalid;
mod progress;
