//! What `http`, `tcp` and `udp` share: where targets are, and how much of the network one run may use.
//!
//! A target's addresses are looked up and judged once a run ([`Destination`]); whoever talks to it, in whatever protocol,
//! talks to those. What a run opens, sends and receives is counted ([`Network`]), and every socket is closed with the run.

mod address;
mod allowance;
mod descriptor;
mod destination;

use std::net::Ipv4Addr;
use std::time::Duration;

pub(super) use allowance::{Network, SOCKETS, Slot, Traffic};
pub(super) use descriptor::Descriptors;
pub(super) use destination::{Destination, Dial};

use super::contract::Failure;

/// How long an operation may take where a plugin leaves it to the host. Services that need longer exist; a check of one
/// says so.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A plugin's time: zero stands for [`TIMEOUT`]. The run's deadline ends a longer wait.
pub(super) fn time(millis: u32) -> Duration {
    match millis {
        0 => TIMEOUT,
        millis => Duration::from_millis(millis.into()),
    }
}

/// What `operation` gives, if it gives anything within the plugin's time.
pub(super) async fn within<T>(
    millis: u32,
    operation: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(time(millis), operation).await.unwrap_or(Err(Failure::TimedOut))
}

/// A loopback source address, as a plugin writes it.
pub(super) fn source(text: &str) -> Result<Ipv4Addr, Failure> {
    text.parse().ok().filter(Ipv4Addr::is_loopback).ok_or_else(|| {
        Failure::Other(format!("{text:?} is not a source address: use one of 127.0.0.1 to 127.255.255.254"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_a_loopback_address() {
        assert!(source("127.0.0.9").is_ok());
        for text in ["10.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "", "0.0.0.0", "127.1"] {
            assert!(source(text).is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn zero_leaves_the_time_to_the_host() {
        for (millis, taken) in [(0, TIMEOUT), (250, Duration::from_millis(250))] {
            let began = tokio::time::Instant::now();
            let waited = within(millis, std::future::pending::<Result<(), Failure>>()).await;
            assert!(matches!(waited, Err(Failure::TimedOut)));
            assert!(began.elapsed() >= taken && began.elapsed() < taken + Duration::from_millis(5));
        }
    }
}
