//! One command, one file: what can be typed after it, and what it does.

pub(crate) mod ci;
pub(crate) mod cohort;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod grant;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod merge_driver;
pub(crate) mod plugin;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod tick;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod waive;
