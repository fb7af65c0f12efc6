//! Plugins that have been opened: the wasm engine and what each plugin says of itself.

use std::collections::BTreeMap;

use tokio::runtime::Runtime;

use super::context::Context;
use super::failure::Failure;
use super::hidden;
use super::shelf::{PluginFile, Shelf};
use crate::model::{Limits, PluginId, PluginInfo};
use crate::plugin::{CachePolicy, Compiler, Host, HostOptions, Loaded};

/// Opened plugins by id. Making one loads the wasm engine: only commands that verify or describe do.
pub(crate) struct Plugins {
    /// What runs them.
    pub(crate) host: Host,
    infos: BTreeMap<PluginId, PluginInfo>,
}

impl Plugins {
    /// Opens every plugin on the shelf.
    pub(crate) fn describe_all(context: &Context, limits: &Limits, shelf: &Shelf) -> Result<Self, Failure> {
        Self::describe(context, limits, shelf.iter())
    }

    /// Opens these plugins and asks each for its description.
    pub(crate) fn describe<'a>(
        context: &Context,
        limits: &Limits,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        runtime()?.block_on(Self::open(context, limits, files))
    }

    /// The same inside a runtime.
    pub(crate) async fn open<'a>(
        context: &Context,
        limits: &Limits,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        let cache = match &context.environment.cache {
            Some(folder) if context.environment.keep_compiled => {
                CachePolicy::Directory(folder.join("cwasm-v1"))
            }
            _ => CachePolicy::Off,
        };
        let compiler = match &context.environment.program {
            Some(program) => Compiler::Process(program.clone(), hidden::COMPILE),
            None => Compiler::Here,
        };
        let options = HostOptions {
            cache,
            compiler,
            limits: limits.clone(),
            environment: BTreeMap::new(),
            secrets: vec![],
        };
        let host = Host::new(options).map_err(Failure::bug)?;
        let mut infos = BTreeMap::new();
        for file in files {
            let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
                Failure::usage(format!("the plugin {} ({}) can not be used: {error}", file.id, file.place))
            };
            let Loaded { plugin, warning } =
                if file.embedded { host.load_own(&file.bytes) } else { host.load(&file.bytes) }
                    .map_err(|error| unusable(error.into()))?;
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

/// The threads that checks run on.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::bug)
}
