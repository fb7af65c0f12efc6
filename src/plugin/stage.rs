//! An engine, and what belongs to it alone: what one compiler made runs only among what it made.

use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::model::{Digest, Limits};

use super::cache::{Cache, CacheError, CachePolicy};
use super::compile::CompileError;
use super::contract::VerifierWithProcess;
use super::engine::{self, Backend};
use super::state::State;
use super::tape::{OnTape, Taped};

/// Where the components of one compiler run.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) linker: Linker<State>,
    pub(super) cache: Cache,
}

impl Stage {
    /// Starts the engine.
    pub(super) fn start(backend: Backend, policy: CachePolicy) -> wasmtime::Result<Self> {
        let engine = engine::start(backend)?;
        let linker = linker(&engine)?;
        let cache = Cache::new(&engine, backend, policy);
        Ok(Self { engine, linker, cache })
    }

    /// The component whose bytes have this digest, where its compiled form was kept.
    pub(super) fn kept(&self, digest: &Digest) -> Option<Component> {
        self.cache.kept(&self.engine, digest)
    }

    /// The same, compiled by `compile` where it was not kept; beside it why it could not be kept, if it could not. One
    /// that was given up is not compiled again within the same `limits`.
    pub(super) fn component(
        &self,
        digest: &Digest,
        limits: &Limits,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Result<(Component, Option<CacheError>), CompileError> {
        self.cache.component(&self.engine, digest, limits, compile)
    }
}

/// Everything a plugin may import: the whole contract, and WASI with nothing granted, which plugins in Rust, Python and
/// JavaScript import whether they use it or not.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    VerifierWithProcess::add_to_linker::<_, OnTape>(&mut linker, |state: &mut State| Taped(state))?;
    Ok(linker)
}
