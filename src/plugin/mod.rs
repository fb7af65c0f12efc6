//! The wasm host: the only place that knows wasmtime.
