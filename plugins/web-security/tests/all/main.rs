//! The checks against the reference site.

mod proof;
