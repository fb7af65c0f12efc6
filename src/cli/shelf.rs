//! The plugins a workspace can use: the shipped ones and its own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::failure::Failure;
use crate::model::{Digest, PluginId};
use crate::store::{PLUGINS, Workspace};

/// Plugins by id, unopened: nothing here needs the wasm engine.
#[derive(Debug)]
pub(crate) struct Shelf {
    plugins: BTreeMap<PluginId, PluginFile>,
}

/// The bytes of one plugin.
#[derive(Debug, Clone)]
pub(crate) struct PluginFile {
    /// By its place: the file name, with "." for the ":" after a namespace.
    pub(crate) id: PluginId,
    /// Of the bytes.
    pub(crate) digest: Digest,
    /// The component.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Where it comes from, for people.
    pub(crate) place: String,
    /// Whether it ships inside mustdo.
    pub(crate) embedded: bool,
}

impl Shelf {
    /// Collects the shipped plugins and, where there is a workspace, its own; its own wins where both have an id.
    pub(crate) fn open(workspace: Option<&Workspace>) -> Result<Self, Failure> {
        let mut plugins = BTreeMap::new();
        for shipped in PLUGINS {
            let id: PluginId = shipped.id.parse().map_err(Failure::bug)?;
            let file = PluginFile {
                digest: Digest::of(shipped.bytes),
                bytes: Cow::Borrowed(shipped.bytes),
                place: "embedded".to_owned(),
                embedded: true,
                id: id.clone(),
            };
            plugins.insert(id, file);
        }
        for (place, bytes) in workspace.map(Workspace::plugins).transpose()?.unwrap_or_default() {
            let stem =
                place.rsplit('/').next().and_then(|name| name.strip_suffix(".wasm")).unwrap_or_default();
            let id: PluginId = stem.replace('.', ":").parse().map_err(|error| {
                Failure::usage(format!("{place} is not named like a plugin: {error}"))
                    .hint("name the file after the plugin's id: acme.http-extra.wasm for acme:http-extra")
            })?;
            let digest = Digest::of(&bytes);
            let embedded = PLUGINS.iter().any(|shipped| shipped.bytes == bytes);
            plugins.insert(id.clone(), PluginFile { id, digest, bytes: Cow::Owned(bytes), place, embedded });
        }
        Ok(Self { plugins })
    }

    /// The plugin of that id.
    pub(crate) fn find(&self, id: &PluginId) -> Option<&PluginFile> {
        self.plugins.get(id)
    }

    /// Every plugin, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &PluginFile> {
        self.plugins.values()
    }
}
