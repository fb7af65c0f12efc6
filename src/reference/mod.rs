//! The reference service that `mustdo demo` starts, with one flag per known mistake.
//!
//! It is a small shop: items that can be put and deleted, orders behind an idempotency key, tickets with a unique
//! token, a session. Without options it is the *good answer*, written to be read: start at [`Service`], then
//! `order.rs` for the key protocol and `ticket.rs` for the unique token. The resource modules know nothing of
//! mistakes: a [`Flaw`] is kept in `mistake/`, which answers instead of them, and a [`Quirk`] changes only how a
//! right answer looks.
//!
//! Everything is held in memory behind one lock ([`Store`](store::Store)); nothing is written to disk.

mod body;
mod caller;
mod connection;
mod flaw;
mod handler;
mod item;
mod key;
mod mistake;
mod named;
mod order;
mod page;
mod problem;
mod quirk;
mod random;
mod reply;
mod request;
mod route;
mod service;
mod session;
mod shop;
mod store;
mod ticket;
mod work;

#[cfg(test)]
mod client;

pub use flaw::Flaw;
pub use named::UnknownName;
pub use quirk::Quirk;
pub use service::{Options, Running, Service};
