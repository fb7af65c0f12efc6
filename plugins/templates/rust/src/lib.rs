//! A mustdo plugin: who it is and which checks it has.

mod resume;

use mustdo_plugin::{Plugin, Text};

pub use resume::Resume;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    let title = Text::new("My plugin", "我的插件");
    let description = Text::new("Downloads that can be resumed", "可以续传的下载");
    Plugin::new("my:plugin", env!("CARGO_PKG_VERSION"), title, description)
        .license(env!("CARGO_PKG_LICENSE"))
        .check::<Resume>()
}

mustdo_plugin::export!(plugin);
