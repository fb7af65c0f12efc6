//! The plugin `net`: what a server of the learner's does with bytes, ends, errors and many clients.
//!
//! A check is a file. Those of streams begin with [`probe`]: one exchange that works, in the [`dialect`] of the server,
//! before anything is judged. Every byte that comes is held against what must come ([`talk`]), and what differs is told by
//! [`trouble`]; a server of another protocol is known by [`stranger`] and judged by nobody.

mod beyond_select;
mod client_robust;
mod close_wait;
mod departure;
mod dialect;
mod dns_round_robin;
mod dribble;
mod echo;
mod error_survival;
mod exact_bytes;
mod exhaustion;
mod half_close;
mod interleaved;
mod large_write;
mod pipelined;
mod probe;
mod process;
mod socket_tuple;
mod stranger;
mod suite;
mod talk;
mod time_wait;
mod tls;
mod tls_baseline;
mod trouble;
mod udp;

use mustdo_plugin::{Capability, CapabilityRequest, Plugin, Text};

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "net",
        env!("CARGO_PKG_VERSION"),
        Text::new("Network programming", "网络编程"),
        Text::new(
            "What a server does with bytes, ends, errors and many clients",
            "服务器怎样对待字节、连接的结束、错误和大量客户端",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<echo::Echo>()
    .check::<exact_bytes::ExactBytes>()
    .check::<dribble::Dribble>()
    .check::<pipelined::Pipelined>()
    .check::<interleaved::Interleaved>()
    .check::<large_write::LargeWrite>()
    .check::<half_close::HalfClose>()
    .check::<error_survival::ErrorSurvival>()
    .check::<beyond_select::BeyondSelect>()
    .check::<close_wait::CloseWait>()
    .check::<time_wait::TimeWait>()
    .check::<socket_tuple::SocketTuple>()
    .check::<udp::Udp>()
    .check::<dns_round_robin::DnsRoundRobin>()
    .check::<tls_baseline::TlsBaseline>()
    .check::<client_robust::ClientRobust>()
    .check::<suite::Suite>()
}

mustdo_plugin::export!(plugin);

/// What every check of a stream needs.
fn reach() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Tcp(probe::SOCKET.to_owned()),
        reason:
            "to open connections to your server and hold every byte of its replies against what must come"
                .to_owned(),
        required: true,
    }
}

/// What the checks that look at the server's process ask for, too.
fn watch(reason: &str) -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Process(probe::SOCKET.to_owned()),
        reason: reason.to_owned(),
        required: false,
    }
}
