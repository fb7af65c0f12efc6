//! TLS, as far as a client has to speak it to judge a server.
//!
//! Two clients share the work. [`hello`] writes a greeting by hand, in any version with any suites, and [`answer`] reads what
//! the server makes of it: so it is seen what a server would still agree to, which no library offers any more. [`session`] is
//! a whole handshake by rustls over the plugin's own [`crypto`]: so it is seen that the server has the key of its certificate.
//! Whether that certificate is any good is told by [`certificate`] and [`trust`].

pub(crate) mod answer;
pub(crate) mod certificate;
mod crypto;
pub(crate) mod hello;
pub(crate) mod session;
pub(crate) mod trust;

/// The target that speaks TLS.
pub(crate) const TLS: &str = "tls";
