//! Everything that needs more than one module: one binary, a file a subject.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the fences are for the tool: a test reads what it likes, and says where it stood when it can not go on"
)]

#[cfg(unix)]
mod authoring;
#[cfg(feature = "live-servers")]
mod broker;
#[cfg(feature = "live-servers")]
mod browser;
#[cfg(unix)]
mod cached;
#[cfg(unix)]
mod cases;
mod cohort;
mod combine;
mod command;
mod content;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(feature = "live-servers")]
mod database;
mod download;
mod durable;
#[cfg(feature = "live-servers")]
mod examples;
#[cfg(feature = "live-servers")]
mod flask;
mod gate;
mod guest;
mod history;
mod host;
mod hostile;
mod invalid;
mod items;
mod launch;
mod layers;
mod limits;
mod merge;
mod network;
mod partition;
mod permission;
mod process;
mod progress;
mod proof;
mod readme;
mod recording;
#[cfg(feature = "live-servers")]
mod registry;
mod released;
mod report;
mod retry;
mod sandbox;
mod schema;
mod security;
mod server;
mod shipped;
mod shop;
#[cfg(target_os = "linux")]
mod startup;
mod supply;
#[cfg(feature = "live-servers")]
mod template;
mod update;
mod verify;
mod web;
