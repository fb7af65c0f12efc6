//! The engine, and the clock that makes a running plugin give way.

use std::io;
use std::thread;

use wasmtime::{Config, Engine, EngineWeak, Store};

use super::limit::{self, TICK};
use super::state::State;

/// Who makes native code of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// In one pass: five times as fast as Cranelift, and its code takes half as long again.
    Winch,
    /// With everything an optimising compiler does.
    Cranelift,
}

impl Backend {
    /// Its name: part of every cache key, since artefacts of two compilers look alike and are not.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Winch => "winch",
            Self::Cranelift => "cranelift",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Winch, Self::Cranelift].into_iter().find(|backend| backend.name() == name)
    }
}

/// Of every engine here: what one compiles, another of the same backend takes. The limits on a run are the same for both:
/// each puts the check of the epoch into every loop and function, and the check of the stack into every function.
fn config(backend: Backend) -> Config {
    let mut config = Config::new();
    config
        .strategy(match backend {
            Backend::Winch => wasmtime::Strategy::Winch,
            Backend::Cranelift => wasmtime::Strategy::Cranelift,
        })
        .epoch_interruption(true)
        .wasm_component_model(true)
        .max_wasm_stack(limit::STACK_BYTES)
        .async_stack_size(limit::HOST_STACK_BYTES);
    config
}

/// An engine that only compiles.
pub(super) fn compiler(backend: Backend) -> wasmtime::Result<Engine> {
    Engine::new(&config(backend))
}

/// An engine whose epoch moves on every [`TICK`] for as long as it lives.
pub(super) fn start(backend: Backend) -> wasmtime::Result<Engine> {
    let engine = Engine::new(&config(backend))?;
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
