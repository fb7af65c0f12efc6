//! A small web site behind TLS, and its door without, with one flag per known mistake.
//!
//! TLS is spoken by rustls. What no library agrees to any more, an old version, a weak suite, is agreed to by hand
//! (`hello`): as far as the `ServerHello`, which is where everybody can see it. The certificates are files, made by
//! `certificate/make`.

mod flaw;
mod hello;
mod identity;
mod service;
mod site;

pub use flaw::Flaw;
pub use service::{Running, start};

/// The name that the good certificate is for.
pub const HOST: &str = "shop.test";

/// The certificate of the authority that vouches for the good server, in PEM.
pub const AUTHORITY: &str = include_str!("certificate/root.crt");

/// A certificate that vouches for itself, in PEM: that of [`Flaw::SelfSigned`].
pub const SELF_SIGNED: &str = include_str!("certificate/self-signed.crt");
