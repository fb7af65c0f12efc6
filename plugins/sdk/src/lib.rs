//! Write a mustdo verifier plugin in Rust.
//!
//! A check is a struct of its parameters with a function that judges: start at [`Check`], record steps in a
//! [`Report`], reach the learner's service through [`Context::http`], [`Context::tcp`] or [`Context::udp`], name the
//! checks in a [`Plugin`] and hand it to [`export!`]. The contract's own types stay behind this crate.
//!
//! Everything runs natively too: [`native::NativeHost`] sends real HTTP over real sockets, so a check is tested with
//! `cargo test` against a small server of its own.

mod context;
mod failure;
pub mod files;
mod generator;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
mod host;
pub mod http;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[doc(hidden)]
pub mod parameter;
mod plugin;
pub mod process;
mod report;
pub mod scratch;
pub mod service;
pub mod statistics;
pub mod tcp;
mod text;
pub mod udp;
pub mod verdict;

pub use context::Context;
pub use failure::Failure;
pub use generator::Generator;
pub use host::{Attempt, Connection, Folders, Host, Level, Network, Programs};
pub use parameter::Parameter;
pub use plugin::{Capability, CapabilityRequest, Check, CheckInfo, Plugin, RunError};
pub use report::{Fault, Report};
pub use text::Text;

#[doc(hidden)]
pub use {serde, serde_json};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

// The macros name this crate as its users do.
extern crate self as mustdo_plugin;

/// Makes the crate a component: `mustdo_plugin::export!(plugin);` where `fn plugin() -> Plugin`.
///
/// It does nothing in a native build, where tests call the [`Plugin`] themselves.
#[macro_export]
macro_rules! export {
    ($plugin:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::guest::Guest for Component {
                fn describe() -> $crate::guest::PluginInfo {
                    $crate::guest::describe(&$plugin())
                }

                fn run(
                    request: $crate::guest::RunRequest,
                ) -> Result<$crate::guest::Verdict, $crate::guest::RunError> {
                    $crate::guest::run(&$plugin(), request)
                }
            }

    $crate::guest::bindings::export_component!(Component with_types_in $crate::guest::bindings);
        };
    };
}
