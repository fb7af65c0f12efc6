//! mustdo tells an engineer whether they are ready for a back-end interview, and proves it.
//!
//! Layers, lowest first; a layer knows only those below it (`docs/architecture.md`):
//! [`model`], [`process`], [`syntax`], [`verify`], [`report`], [`store`], [`target`], [`mod@fetch`], [`toolchain`],
//! [`plugin`], [`mod@reference`], [`cli`].

pub mod cli;
pub mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod model;
pub mod plugin;
pub mod process;
pub mod reference;
pub mod report;
pub mod store;
pub mod syntax;
pub mod target;
pub mod toolchain;
pub mod verify;
