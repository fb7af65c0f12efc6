//! What the tests start: where it listens, and how long it may take to come up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mustdo::{
    model::{Address, Span, TargetKind},
    target::Reserved,
};

/// How long what a test started may take to come up, and to end: a machine that runs a dozen of them on two processors is
/// no learner's.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// The same, of a target that mustdo starts.
pub(crate) const READY_TIMEOUT: Span = Span::seconds(PATIENCE.as_secs());

/// A port of 127.0.0.1 that is free now; no other caller gets it.
pub(crate) fn free_port() -> u16 {
    let address = Address { host: Ipv4Addr::LOCALHOST.to_string(), port: None };
    Reserved::new(&address, TargetKind::Tcp).unwrap().port()
}

pub(crate) fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port()).into()
}
