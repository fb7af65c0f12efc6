//! The plugin `gateway`: what a gateway is for.
//!
//! Two checks, a file each: slow clients must not take the service down, and a flood must be limited while others are
//! served. Both measure before they judge, and judge nothing by the clock alone.

mod rate_limit;
mod slow_clients;

use mustdo_plugin::service::TARGET;
use mustdo_plugin::{Capability, CapabilityRequest, Plugin, Text};

pub use rate_limit::RateLimit;
pub use slow_clients::SlowClients;

/// Where the others come from.
const OTHER: &str = "127.0.0.2";

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "gateway",
        env!("CARGO_PKG_VERSION"),
        Text::new("Gateways", "网关"),
        Text::new(
            "Slow clients and floods: whether the others are still served",
            "慢客户端与洪水般的请求：其他人是否照常得到服务",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<SlowClients>()
    .check::<RateLimit>()
}

mustdo_plugin::export!(plugin);

/// To send ordinary requests.
fn ask() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(TARGET.to_owned()),
        reason: "to send ordinary requests to your service and see whether they are answered".to_owned(),
        required: true,
    }
}

/// To hold connections.
fn hold() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Tcp(TARGET.to_owned()),
        reason: "to open many connections to your service at once, and to say little on them".to_owned(),
        required: true,
    }
}
