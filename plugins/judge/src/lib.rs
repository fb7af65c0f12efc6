//! The plugin `judge`: programs that answer operations line by line.
//!
//! A check here is a model, operations made from the seed, and bounds; the [`engine`] speaks with the program. The same
//! program may be in any language: `docs/judge.md` tells learners what it has to say.

mod btree;
mod c_list;
mod crypto;
mod dict;
mod engine;
mod linear;
mod middleware;
mod ordered_dict;
mod tree;

use mustdo_plugin::{Plugin, Text};

pub use btree::Btree;
pub use c_list::CList;
pub use crypto::Crypto;
pub use dict::Dict;
pub use linear::Linear;
pub use middleware::MiddlewareChain;
pub use ordered_dict::OrderedDict;
pub use tree::Tree;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "judge",
        env!("CARGO_PKG_VERSION"),
        Text::new("Judge", "判题"),
        Text::new(
            "Plays seeded operations with a program of yours and holds every answer against a model: data structures, encryption, middleware",
            "用随机种子生成的操作与你的程序对话，把每个答案与模型比较：数据结构、加密、中间件",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<Linear>()
    .check::<Dict>()
    .check::<OrderedDict>()
    .check::<CList>()
    .check::<Tree>()
    .check::<Btree>()
    .check::<Crypto>()
    .check::<MiddlewareChain>()
}

mustdo_plugin::export!(plugin);
