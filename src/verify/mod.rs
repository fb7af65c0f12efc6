//! Which checks run, in which order, and what they report while they do. Knows no files and no wasm.
