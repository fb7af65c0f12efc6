//! The plugin `sql-check`: what a schema in MySQL or MariaDB says, and what its keys hold.
//!
//! Two checks, a file each. Both speak the client protocol themselves (`session`) and read `information_schema` (`schema`);
//! neither creates, drops or changes anything that it did not make.

mod guard;
mod schema;
mod seal;
mod session;
mod smoke;
mod stored;
mod unique_guard;

use mustdo_plugin::service::{Advice, TARGET as SERVICE};
use mustdo_plugin::{Capability, CapabilityRequest, Plugin, Text};

pub use smoke::Smoke;
pub use unique_guard::UniqueGuard;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "sql-check",
        env!("CARGO_PKG_VERSION"),
        Text::new("MySQL and MariaDB", "MySQL 与 MariaDB"),
        Text::new(
            "A schema that is there and sound, and a unique key that stops retries",
            "库在而且没有问题，唯一键挡得住重试",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<Smoke>()
    .check::<UniqueGuard>()
}

mustdo_plugin::export!(plugin);

/// To submit.
fn reach_service() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Http(SERVICE.to_owned()),
        reason: "to send submissions to your service, and the same one many times".to_owned(),
        required: true,
    }
}

/// To ask the database.
fn reach_database() -> CapabilityRequest {
    CapabilityRequest {
        capability: Capability::Tcp(session::TARGET.to_owned()),
        reason:
            "to log in to your database and read how its tables are made, and the rows that the check makes"
                .to_owned(),
        required: true,
    }
}

/// The lines that give a check an account.
fn account(advice: Advice) -> Text {
    advice.hint("Give the check an account in mustdo.toml:", "请在 mustdo.toml 里给出账号：")
}
