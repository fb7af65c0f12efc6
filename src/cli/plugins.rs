//! Plugins that have been opened: the wasm engine and what each plugin says of itself.

use std::collections::BTreeMap;

use tokio::runtime::Runtime;

use super::context::Context;
use super::failure::Failure;
use super::shelf::{PluginFile, Shelf};
use crate::model::{PluginId, PluginInfo};
use crate::plugin::{CachePolicy, Host, HostOptions, Loaded};

/// Opened plugins by id. Making one loads the wasm engine: only commands that verify or describe do.
pub(crate) struct Plugins {
    /// What runs them.
    pub(crate) host: Host,
    infos: BTreeMap<PluginId, PluginInfo>,
}

impl Plugins {
    /// Opens every plugin on the shelf.
    pub(crate) fn describe_all(context: &Context, shelf: &Shelf) -> Result<Self, Failure> {
        Self::describe(context, shelf.iter())
    }

    /// Opens these plugins and asks each for its description.
    pub(crate) fn describe<'a>(
        context: &Context,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        runtime()?.block_on(Self::open(context, files))
    }

    /// The same inside a runtime.
    pub(crate) async fn open<'a>(
        context: &Context,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        let host = host(context)?;
        let mut infos = BTreeMap::new();
        for file in files {
            let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
                Failure::usage(format!("the plugin {} ({}) can not be used: {error}", file.id, file.place))
            };
            let Loaded { plugin, warning } =
                host.load(&file.bytes).map_err(|error| unusable(error.into()))?;
            if let Some(warning) = warning {
                context.printer.note(&format!("warning: {} is compiled every time: {warning}", file.id));
            }
            let info = host.describe(&plugin).await.map_err(|error| unusable(error.into()))?;
            if info.id != file.id {
                let failure = unusable(format!("it calls itself {}", info.id).into());
                return Err(
                    failure.hint(format!("name its file {}.wasm", info.id.as_str().replace(':', ".")))
                );
            }
            host.add(plugin, &info);
            infos.insert(file.id.clone(), info);
        }
        Ok(Self { host, infos })
    }

    /// What a plugin says of itself.
    pub(crate) fn info(&self, id: &PluginId) -> Option<&PluginInfo> {
        self.infos.get(id)
    }
}

/// The wasm engine, with this user's cache of what it compiled.
pub(crate) fn host(context: &Context) -> Result<Host, Failure> {
    let cache = match &context.environment.cache {
        Some(folder) if context.environment.keep_compiled => CachePolicy::Directory(folder.join("cwasm-v1")),
        _ => CachePolicy::Off,
    };
    let options = HostOptions { cache, environment: BTreeMap::new(), secrets: vec![] };
    Host::new(options).map_err(Failure::bug)
}

/// The threads that checks run on.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::bug)
}
