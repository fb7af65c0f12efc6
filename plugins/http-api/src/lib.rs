//! The plugin `http-api`: does the service speak HTTP/1.1, REST, its own routes, and is it served for production?
//!
//! Four checks, a file each. `http-basics` and `production-server` speak HTTP at the level of bytes (`wire`); the others
//! send ordinary requests and judge the answers.

mod crud;
mod debugging;
mod http_basics;
mod json;
mod pattern;
mod production_server;
mod profile;
mod rest_crud;
mod routing;
mod strictness;
mod talk;
mod wire;

use mustdo_plugin::service::TARGET;
use mustdo_plugin::{Capability, CapabilityRequest, Plugin, Text};

pub use http_basics::HttpBasics;
pub use production_server::ProductionServer;
pub use rest_crud::RestCrud;
pub use routing::Routing;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "http-api",
        env!("CARGO_PKG_VERSION"),
        Text::new("HTTP services", "HTTP 服务"),
        Text::new(
            "Whether a service speaks HTTP/1.1, keeps REST's promises, routes as it says and is served for production",
            "服务是否会说 HTTP/1.1、是否遵守 REST 的约定、路由是否如所写、是否由生产级服务器运行",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<HttpBasics>()
    .check::<RestCrud>()
    .check::<Routing>()
    .check::<ProductionServer>()
}

mustdo_plugin::export!(plugin);

/// To send ordinary requests.
fn ask() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(TARGET.to_owned()),
        reason: "to send requests to your service and read its answers".to_owned(),
        required: true,
    }
}

/// To send bytes as they are.
fn speak() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Tcp(TARGET.to_owned()),
        reason: "to speak to your service byte by byte, which no HTTP client would do".to_owned(),
        required: true,
    }
}
