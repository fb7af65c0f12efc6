//! The reference service that `mustdo demo` starts, with one flag per known mistake.
//!
//! It is a small shop: items that can be put and deleted, orders behind an idempotency key, tickets with a unique
//! token, a session. Without options it is the *good answer*, written to be read: start at [`Service`], then
//! `order.rs` for the key protocol and `ticket.rs` for the unique token. The resource modules know nothing of
//! mistakes: a [`Flaw`] is kept in `mistake/`, which answers instead of them, and a [`Quirk`] changes only how a
//! right answer looks.
//!
//! | path | methods | answers |
//! |---|---|---|
//! | `/`, `/about`, `/healthz` | GET | pages with an `ETag`; `ok` |
//! | `/items` | GET, POST | `{"items": […]}` sorted by id; 201 with `Location` |
//! | `/items/ID` | GET, PUT, DELETE | `{"id", "name", "price"}` with an `ETag`; 200, or 201 when new; 204, then 404 |
//! | `/items/ID/delete` | GET, POST | a page that asks; 303 to `/items` |
//! | `/orders` | GET, POST | `{"count", "orders": […]}` of all callers; an order, with `Idempotency-Key` |
//! | `/orders/ID` | GET | `{"id", "sku", "quantity"}` |
//! | `/tickets` | GET, POST | `{"count", "tickets": […]}`; a ticket for `{"seat", "token"}`, once for each token |
//! | `/tickets/ID` | GET | `{"id", "seat"}` |
//! | `/login`, `/logout` | POST | 204 with the cookie `session`; 204 |
//! | `/session` | GET | `{"user": …}`, null without a session |
//!
//! HEAD works wherever GET does. Errors are `{"error": …}`. A caller is `alice` or `bob` by the bearer token
//! `alice-token` or `bob-token`, and `anonymous` without one. An order answers 201 at first, the same again (with
//! `Idempotent-Replayed: true`) to a retry, 409 while the first is running, 422 to another payload under the key, and
//! 400 without a key; a ticket answers 201 at first and 303 to its `Location` afterwards.
//!
//! Everything is held in memory behind one lock (`store.rs`). [`Service::bind`] writes nothing to disk;
//! [`Service::durable`] keeps every transaction in a journal (`journal.rs`), so that the service can be killed at any
//! moment and started again.

mod body;
mod caller;
mod connection;
mod flaw;
mod handler;
mod item;
mod journal;
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
