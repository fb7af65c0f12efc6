//! A small server of streams, with one flag per known mistake.
//!
//! The good one answers each request with the body that it carried, in one of three [`Framing`]s, with a thread for each
//! connection. Start at [`Service`].

mod conversation;
mod flaw;
mod framing;
mod service;

pub use flaw::Flaw;
pub use framing::Framing;
pub use service::{Options, Running, Service};
