//! The plugin `runtime-probe`: the learner's Python, run under a small harness and watched from outside.
//!
//! Each check has a part of the harness in `harness/`, which runs beside the learner's modules in their own interpreter
//! and says what it saw; the [`session`] asks it, and the checks here decide. `linux-facts` loads no module: its part of
//! the harness makes the processes and files that a program of the learner's is asked about.

mod c_extension;
mod conversation;
mod decorator;
mod encoded;
mod leak_hunt;
mod linux_facts;
mod session;
mod trouble;
mod wsgi;

use mustdo_plugin::{Plugin, Text};

pub use c_extension::CExtension;
pub use decorator::Decorator;
pub use leak_hunt::LeakHunt;
pub use linux_facts::LinuxFacts;
pub use wsgi::Wsgi;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "runtime-probe",
        env!("CARGO_PKG_VERSION"),
        Text::new("Runtime probe", "运行探查"),
        Text::new(
            "Loads your Python modules in your own interpreter, asks them seeded questions and watches the process from outside: memory, processor time, crashes",
            "在你自己的解释器里加载你的 Python 模块，用随机种子生成的问题提问，并从外面观察进程：内存、处理器时间、崩溃",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<CExtension>()
    .check::<LeakHunt>()
    .check::<LinuxFacts>()
    .check::<Decorator>()
    .check::<Wsgi>()
}

mustdo_plugin::export!(plugin);
