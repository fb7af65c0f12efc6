//! The reference service that `mustdo demo` starts, with one flag per known mistake.
