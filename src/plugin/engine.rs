//! The engine, and the clock that makes a running plugin give way.

use std::io;
use std::thread;

use wasmtime::{Config, Engine, EngineWeak, Store};

use super::limit::{self, TICK};
use super::state::State;

/// The compiler's name, part of every cache key: artefacts of two compilers look alike and are not.
pub(super) const COMPILER: &str = "cranelift";

/// Of every engine here: what one compiles, another takes.
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(wasmtime::Strategy::Cranelift)
        .epoch_interruption(true)
        .wasm_component_model(true)
        .max_wasm_stack(limit::STACK_BYTES)
        .async_stack_size(limit::HOST_STACK_BYTES);
    config
}

/// An engine that only compiles.
pub(super) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// An engine whose epoch moves on every [`TICK`] for as long as it lives.
pub(super) fn start() -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config())?;
    let weak = engine.weak();
    spawn(weak).map_err(|error| wasmtime::format_err!("no thread for the clock: {error}"))?;
    Ok(engine)
}

/// Ends by itself within a tick of the engine's end.
fn spawn(engine: EngineWeak) -> io::Result<()> {
    thread::Builder::new().name("mustdo-epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// A store with every limit in place.
pub(super) fn store(engine: &Engine, state: State) -> Store<State> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(limit::HOSTCALL_BYTES);
    store.set_max_component_handles(limit::COMPONENT_HANDLES);
    // Without a first deadline wasm would trap at once; afterwards every tick is a chance for the deadline to pass.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}
