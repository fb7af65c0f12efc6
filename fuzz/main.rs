//! The fuzzer: libFuzzer around one door. `MUSTDO_FUZZ` says which; `fuzz/run` sets it.
#![no_main]
#![expect(
    clippy::disallowed_methods,
    reason = "libFuzzer owns the command line, so the door is named by a variable"
)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mustdo::fuzzing::Door;

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    let word = std::env::var("MUSTDO_FUZZ").unwrap_or_default();
    let found = Door::ALL.into_iter().find(|door| door.word() == word);
    found.unwrap_or_else(|| {
        panic!("MUSTDO_FUZZ is {word:?}; it must be one of {:?}", Door::ALL.map(Door::word))
    })
});

fuzz_target!(|bytes: &[u8]| DOOR.enter(bytes));
