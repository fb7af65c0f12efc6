//! Plugins that have been opened: the wasm engine and what each plugin says of itself.

use std::collections::BTreeMap;

use semver::Version;
use thiserror::Error;
use tokio::runtime::Runtime;

use super::context::Context;
use super::failure::Failure;
use super::hidden;
use super::proof::{known, prove};
use super::shelf::{PluginFile, Provenance, Shelf};
use crate::model::{Digest, PluginId, PluginInfo, Proof, Settings};
use crate::plugin::{
    Backends, CachePolicy, Compiler, DescribeError, Host, HostError, HostOptions, LoadError, Loaded,
    ProgramOptions,
};
use crate::store::{PLUGINS, Workspace};

/// Opened plugins by id. Making one loads the wasm engine: only commands that verify or describe do.
pub(crate) struct Plugins {
    /// What runs them.
    pub(crate) host: Host,
    opened: BTreeMap<PluginId, Opened>,
}

/// A plugin that was opened.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// What it says of itself.
    pub(crate) info: PluginInfo,
    /// Of its bytes.
    pub(crate) digest: Digest,
    /// The version of the contract that it was built for.
    pub(crate) contract: Version,
    /// The digest of its sources, where its build left one.
    pub(crate) sources: Option<String>,
    /// The interfaces that it imports.
    pub(crate) imports: Vec<String>,
    /// Whether something shows that it tells right from wrong.
    pub(crate) proof: Proof,
}

/// Why bytes are not a plugin that can be opened.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    /// They are none, or none for this mustdo.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It does not say what it is.
    #[error(transparent)]
    Describe(#[from] DescribeError),
}

impl Plugins {
    /// Opens every plugin on the shelf.
    pub(crate) fn describe_all(
        context: &Context,
        settings: &Settings,
        shelf: &Shelf,
    ) -> Result<Self, Failure> {
        Self::describe(context, settings, shelf.iter())
    }

    /// Opens these plugins and asks each for its description.
    pub(crate) fn describe<'a>(
        context: &Context,
        settings: &Settings,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        runtime()?.block_on(Self::open(context, settings, files))
    }

    /// The same inside a runtime, with the limits and the secrets of these settings.
    pub(crate) async fn open<'a>(
        context: &Context,
        settings: &Settings,
        files: impl IntoIterator<Item = &'a PluginFile>,
    ) -> Result<Self, Failure> {
        let host = host(context, settings)?;
        let mut opened = BTreeMap::new();
        for file in files {
            let unusable = |error: &dyn std::fmt::Display| {
                Failure::usage(format!("the plugin {} ({}) can not be used: {error}", file.id, file.place))
            };
            let known = open(context, &host, file.trusted()?.id.as_str(), &file.bytes, file.shipped()).await;
            let found = known.map_err(|error| unusable(&error))?;
            if found.info.id != file.id {
                let failure = unusable(&format!("it calls itself {}", found.info.id));
                let name = Workspace::plugin_name(&found.info.id);
                return Err(failure.hint(format!("name its file {name}")));
            }
            if let Provenance::Locked(locked) = file.provenance()
                && locked.description != found.info.digest()
            {
                context.printer.note(&format!(
                    "warning: {} describes itself otherwise than when it was added; mustdo plugin info {} shows it",
                    file.id, file.id
                ));
            }
            opened.insert(file.id.clone(), found);
        }
        Ok(Self { host, opened })
    }

    /// What is known of one plugin, where it can be opened: for a comparison that can do without.
    pub(crate) async fn one(context: &Context, settings: &Settings, file: &PluginFile) -> Option<Opened> {
        let mut plugins = Self::open(context, settings, [file]).await.ok()?;
        plugins.opened.remove(&file.id)
    }

    /// What a plugin says of itself.
    pub(crate) fn info(&self, id: &PluginId) -> Option<&PluginInfo> {
        self.opened(id).map(|opened| &opened.info)
    }

    /// Whether a plugin is proven; none where it was not opened.
    pub(crate) fn proof(&self, id: &PluginId) -> Option<&Proof> {
        self.opened(id).map(|opened| &opened.proof)
    }

    /// What is known of a plugin.
    pub(crate) fn opened(&self, id: &PluginId) -> Option<&Opened> {
        self.opened.get(id)
    }
}

/// Opens bytes of which nobody knows yet what they are, called `name`.
pub(crate) async fn inspect(
    context: &Context,
    settings: &Settings,
    name: &str,
    bytes: &[u8],
) -> Result<Result<Opened, Unusable>, Failure> {
    let host = host(context, settings)?;
    Ok(open(context, &host, name, bytes, None).await)
}

/// Opens bytes on `host`, which can then run them.
pub(crate) async fn open(
    context: &Context,
    host: &Host,
    name: &str,
    bytes: &[u8],
    own: Option<Digest>,
) -> Result<Opened, Unusable> {
    let Loaded { plugin, warning } = match own {
        Some(digest) => host.load_own(bytes, digest)?,
        None => host.load(bytes)?,
    };
    if let Some(warning) = warning {
        context.printer.note(&format!("warning: {name} is compiled every time: {warning}"));
    }
    let info = host.describe(&plugin).await?;
    let (digest, contract) = (plugin.digest(), plugin.contract().clone());
    let (sources, imports) = (plugin.sources().map(str::to_owned), plugin.imports());
    host.add(plugin, &info);
    let proof = match own.and_then(|digest| shipped(&digest)) {
        Some(mistakes) => Proof::Shipped { mistakes },
        None => prove(host, &info, &digest, bytes).await,
    };
    Ok(Opened { info, digest, contract, sources, imports, proof })
}

/// Whether a plugin is proven, as far as it is known without opening it: a shipped one is, and of another it is known once
/// its cases were replayed here.
pub(crate) fn known_proof(context: &Context, file: &PluginFile) -> Option<Proof> {
    match file.shipped().and_then(|digest| shipped(&digest)) {
        Some(mistakes) => Some(Proof::Shipped { mistakes }),
        None => known(&cache(context), &file.digest(), &file.bytes),
    }
}

/// How many known mistakes the shipped plugin of these bytes is held against; none where these do not ship.
fn shipped(digest: &Digest) -> Option<usize> {
    PLUGINS.iter().find(|shipped| shipped.digest == *digest).map(|shipped| shipped.mistakes)
}

/// Where compiled plugins are kept, and what was found out about them.
fn cache(context: &Context) -> CachePolicy {
    match &context.environment.cache {
        Some(folder) if context.environment.keep_compiled => CachePolicy::Directory(folder.join("cwasm-v1")),
        _ => CachePolicy::Off,
    }
}

/// A host without plugins, with the limits and the secrets of these settings.
pub(crate) fn host(context: &Context, settings: &Settings) -> Result<Host, Failure> {
    let programs =
        ProgramOptions { guard: context.environment.guard.clone(), search: context.environment.path.clone() };
    // Which variables plugins may read is known once the plan is: see `Host::set_environment`.
    let compiler = match &context.environment.program {
        Some(program) => Compiler::Process {
            program: program.clone(),
            compile: hidden::COMPILE,
            optimise: hidden::OPTIMISE,
        },
        None => Compiler::Here,
    };
    let options = HostOptions {
        compiler,
        backends: Backends::WinchFirst,
        limits: settings.limits.clone(),
        secrets: settings.secrets.files.clone(),
        programs,
        ..HostOptions::new(cache(context))
    };
    Host::new(options).map_err(|error| match error {
        HostError::Engine(_) => Failure::bug(error),
        HostError::Secret(_) => Failure::usage(error).hint("mend [secrets] files in mustdo.toml"),
    })
}

/// The threads that checks run on.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::bug)
}
