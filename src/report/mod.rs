//! One report, many forms: each writer is a pure function of it.
