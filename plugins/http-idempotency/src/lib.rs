//! The plugin `http-idempotency`: same request again, same effect.
//!
//! Four checks, a file each. All of them read the effect through a second path ([`observer`](self) and count), make
//! sure first that this path shows what is written, and judge nothing before a first request has visibly worked.

mod clock;
mod count;
mod crash;
mod double_submit;
mod key_protocol;
mod observation;
mod observer;
mod operation;
mod repeat_effect;
mod safe_get;
mod session;
mod submission;

use mustdo_plugin::service::{Probe, TARGET};
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Capability, CapabilityRequest, Fault, Plugin, Report, Text};

pub use double_submit::DoubleSubmit;
pub use key_protocol::KeyProtocol;
pub use repeat_effect::RepeatEffect;
pub use safe_get::SafeGet;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "http-idempotency",
        env!("CARGO_PKG_VERSION"),
        Text::new("HTTP idempotency", "HTTP 幂等性"),
        Text::new(
            "The same request again has the same effect: repeats, double submits, safe reads, idempotency keys",
            "同样的请求再来一次，效果不变：重复请求、重复提交、安全的读取、幂等键",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<RepeatEffect>()
    .check::<DoubleSubmit>()
    .check::<SafeGet>()
    .check::<KeyProtocol>()
}

mustdo_plugin::export!(plugin);

/// The capability that every check needs.
fn reach() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(TARGET.to_owned()),
        reason: "to send requests to your service and look at what they change".to_owned(),
        required: true,
    }
}

/// What only a check that kills and restarts the service asks for.
fn restart() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Process(TARGET.to_owned()),
        reason: "to kill your service in the middle of an operation, start it again and see whether anything was lost or done twice"
            .to_owned(),
        required: false,
    }
}

/// Hands the probe on, or records why there is none.
fn opened<T>(report: &mut Report, opened: Result<T, Fault>) -> Option<T> {
    match opened {
        Ok(probe) => Some(probe),
        Err(fault) => report.judge("reach", Need::Must, Err(fault), |_| Text::same("")),
    }
}

/// Adds what every check reports at its end.
fn finish(probe: &Probe, report: &mut Report) {
    report.measure("requests", f64::from(probe.sent()), "1");
    report.evidence("requests", probe.record_text());
}
