//! What mustdo talks about: checklists, items, proofs, status and readiness. No input or output, no clock, no wasm.
