//! Time and randomness.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::contract::clock::Host;
use super::fault::OverLimit;
use super::limit::RANDOM_BYTES;
use super::state::State;

impl Host for State {
    fn monotonic_nanos(&mut self) -> wasmtime::Result<u64> {
        Ok(nanos(self.origin.elapsed()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a plugin asks what time it is while it runs; no argument could tell it"
    )]
    fn unix_millis(&mut self) -> wasmtime::Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_millis(&mut self, duration: u64) -> wasmtime::Result<()> {
        // A sleep past the deadline would be cut by it anyway; ending there keeps the sum from overflowing.
        let end = Instant::now().checked_add(Duration::from_millis(duration));
        let end = end.map_or(self.deadline, |end| end.min(self.deadline));
        tokio::time::sleep_until(end.into()).await;
        Ok(())
    }

    fn random_bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len > RANDOM_BYTES {
            return Err(
                OverLimit(format!("random-bytes gives at most {} KiB a call", RANDOM_BYTES >> 10)).into()
            );
        }
        let mut bytes = vec![0; len as usize];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::format_err!("no random bytes: {error}"))?;
        Ok(bytes)
    }
}

/// A duration in nanoseconds; half a millennium fits.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
