//! The clocks and the randomness that WASI gives plugins in Rust's standard library, Python and JavaScript.
//!
//! A run that is not on a tape has wasmtime's own. Waiting through WASI is not on the tape: a replay waits as long.

use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_core::TryRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::plugin::clock::nanos;

use super::Tape;

/// What hash tables are seeded with in a run that can be replayed. A plugin has nobody to be protected from but itself.
const SEED: u128 = 0x6d75_7374_646f;

/// Puts what WASI tells of the world on the tape.
pub(in crate::plugin) fn on_tape(wasi: &mut WasiCtxBuilder, tape: &Tape) {
    if matches!(tape, Tape::Live) {
        return;
    }
    wasi.wall_clock(WallClock(tape.clone()))
        .monotonic_clock(MonotonicClock { tape: tape.clone(), origin: Instant::now() })
        .secure_random(Random(tape.clone()))
        .insecure_random(Random(tape.clone()))
        .insecure_random_seed(SEED);
}

struct WallClock(Tape);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    #[expect(clippy::disallowed_methods, reason = "a plugin asks what time it is while it runs")]
    fn now(&self) -> Duration {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            (since.as_secs(), since.subsec_nanos())
        };
        let (seconds, nanos) = self.0.observe("wasi.wall-clock", |arguments| arguments, now);
        // A recording that was written by hand may say anything; wasmtime takes nanoseconds of one second only.
        Duration::new(seconds, nanos % 1_000_000_000)
    }
}

struct MonotonicClock {
    tape: Tape,
    origin: Instant,
}

impl HostMonotonicClock for MonotonicClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.tape.observe("wasi.monotonic-clock", |arguments| arguments, || nanos(self.origin.elapsed()))
    }
}

struct Random(Tape);

impl Random {
    fn take(&self, length: usize) -> Vec<u8> {
        let wanted = length as u64;
        let mut taken = self.0.observe("wasi.random-bytes", |list| list.with(&wanted), || bytes(length));
        taken.resize(length, 0);
        taken
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        buffer.copy_from_slice(&self.take(buffer.len()));
        Ok(())
    }
}

/// Random bytes of the system. Where it has none, zeros: they are on the tape like any other, and a system without
/// randomness has failed long before.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let _ = getrandom::fill(&mut bytes);
    bytes
}
