//! One command, one file: what can be typed after it, and what it does.

pub mod completions;
pub mod demo;
pub mod explain;
pub mod grant;
pub mod init;
pub mod lint;
pub mod list;
pub mod man;
pub mod plugin;
pub mod report;
pub mod schema;
pub mod show;
pub mod tick;
pub mod verify;
pub mod waive;
