//! `mustdo plugin update`: looks at each plugin's source again.

use std::collections::BTreeMap;

use clap::Args;

use super::page;
use crate::cli::acquisition::{Acquired, acquire, explain, install, limits, locked as entry_of};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::plugins::{Opened, Plugins, runtime};
use crate::cli::printer::{self, answer};
use crate::cli::project::Project;
use crate::cli::shelf::{PluginFile, Provenance, Shelf};
use crate::fetch::look;
use crate::model::{
    Artifact, Digest, Language, LockedPlugin, PluginId, PluginSource, Remote, Settings, SourcePlace, nearest,
};
use crate::plugin::COMPONENT_BYTES;
use crate::report::paragraph;
use crate::store::{Workspace, read_at_most};

/// What can follow `mustdo plugin update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Which plugins [default: every plugin in mustdo.lock]
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugins: Vec<PluginId>,
    /// Write nothing; end with 1 when something is newer
    #[arg(long)]
    pub(crate) check: bool,
}

/// What came of one plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// What is locked is what is there.
    Same,
    /// Something else is there.
    Newer,
}

/// Updates plugins one after the other; one that fails does not keep the others from it.
pub(crate) fn run(context: &Context, args: &UpdateArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let workspace = context.workspace()?;
    // A file with a wrong name is no reason not to add or to update others, and adding it gives it its right one.
    let (shelf, _) = Shelf::gather(Some(&workspace))?;
    let settings = project.effective_settings();
    let update = Update {
        context,
        settings: &settings,
        workspace: &workspace,
        shelf: &shelf,
        language: project.language(context),
        check: args.check,
    };
    let lock = shelf.lock();
    let mut chosen: BTreeMap<&PluginId, &LockedPlugin> = BTreeMap::new();
    for id in &args.plugins {
        let (id, locked) = lock.plugins.get_key_value(id).ok_or_else(|| unlocked(&shelf, id))?;
        chosen.insert(id, locked);
    }
    if args.plugins.is_empty() {
        chosen.extend(&lock.plugins);
    }
    if chosen.is_empty() {
        context.printer.note(&format!("{} names no plugin: there is nothing to update", Workspace::LOCK));
    }
    let runtime = runtime()?;
    let (mut newer, mut worst) = (false, None);
    for (id, locked) in chosen {
        match runtime.block_on(update.one(id, locked)) {
            Ok(outcome) => newer |= outcome == Outcome::Newer,
            Err(failure) => {
                printer::warn(&format!("{id}: {}", failure.render().trim_end()));
                worst = worst.max(Some(failure.exit()));
            }
        }
    }
    Ok(worst.unwrap_or(if args.check && newer { Exit::Fails } else { Exit::Holds }))
}

struct Update<'a> {
    context: &'a Context,
    settings: &'a Settings,
    workspace: &'a Workspace,
    shelf: &'a Shelf,
    language: Language,
    check: bool,
}

impl Update<'_> {
    async fn one(&self, id: &PluginId, locked: &LockedPlugin) -> Result<Outcome, Failure> {
        let whole = matches!(self.file(id).map(PluginFile::provenance), Some(Provenance::Locked(_)));
        if let Some(pin) = locked.source.digest {
            if !whole && !self.check {
                let acquired =
                    acquire(self.context, self.settings, &locked.source, self.workspace.root()).await?;
                self.take(id, locked, acquired).await?;
            }
            return self.pinned(id, locked, pin).await;
        }
        let acquired = acquire(self.context, self.settings, &locked.source, self.workspace.root()).await?;
        if acquired.opened.digest == locked.digest && whole {
            answer(&format!("{id} {} is what its source has\n", locked.version))?;
            return Ok(Outcome::Same);
        }
        let outcome = if acquired.opened.digest == locked.digest { Outcome::Same } else { Outcome::Newer };
        self.take(id, locked, acquired).await?;
        Ok(outcome)
    }

    /// Says what has changed, and writes it unless nothing is to be written.
    async fn take(&self, id: &PluginId, locked: &LockedPlugin, acquired: Acquired) -> Result<(), Failure> {
        let Acquired { bytes, opened } = acquired;
        if opened.info.id != *id {
            return Err(Failure::usage(format!(
                "its source has a plugin that calls itself {}",
                opened.info.id
            ))
            .hint(format!("mustdo plugin add {}    adds that one", locked.source)));
        }
        let entry = entry_of(&opened, locked.source.clone());
        if entry.digest == locked.digest {
            let now = if self.check { "is not what was added" } else { "is again what was added" };
            answer(&format!("{id} {}: its file {now}\n", locked.version))?;
        } else {
            let before = self.file(id).filter(|file| file.digest() == locked.digest);
            let before = match before {
                Some(file) => Plugins::one(self.context, self.settings, file).await,
                None => None,
            };
            let width = self.context.environment.width;
            answer(&difference(locked, &entry, before.as_ref(), &opened, self.language, width))?;
        }
        if self.check { Ok(()) } else { install(self.workspace, id, &bytes, entry) }
    }

    /// Looks what a pinned source has now: the user chose the bytes, so only the user changes them.
    async fn pinned(&self, id: &PluginId, locked: &LockedPlugin, pin: Digest) -> Result<Outcome, Failure> {
        let now = match &locked.source.place {
            SourcePlace::File(path) => {
                Digest::of(&read_at_most(&self.workspace.root().join(path), COMPONENT_BYTES)?)
            }
            SourcePlace::Remote(Remote::Artifact(Artifact { tag: None, .. })) => pin,
            SourcePlace::Remote(remote) => {
                look(remote, true, limits()).await.map_err(|error| explain(&locked.source, error))?
            }
        };
        if now == pin {
            answer(&format!("{id} {} is pinned to {pin}\n", locked.version))?;
            return Ok(Outcome::Same);
        }
        let new: PluginSource = locked.source.pinned(Some(now));
        answer(&format!("{id} {} is pinned to {pin}, and its source has {now}\n", locked.version))?;
        self.context.printer.note(&format!("to take that: mustdo plugin add {new}"));
        Ok(Outcome::Newer)
    }

    fn file(&self, id: &PluginId) -> Option<&PluginFile> {
        self.shelf.find(id)
    }
}

fn unlocked(shelf: &Shelf, id: &PluginId) -> Failure {
    match shelf.find(id).map(|file| (file.provenance(), &file.place)) {
        Some((Provenance::Shipped, _)) => {
            Failure::usage(format!("{id} ships with mustdo")).hint("update mustdo, and it is as new")
        }
        Some((_, place)) => Failure::usage(format!("nobody knows where {id} comes from"))
            .hint(format!("mustdo plugin add {place}")),
        None => {
            let lock = shelf.lock();
            let near = nearest(id.as_str(), lock.plugins.keys().map(PluginId::as_str));
            Failure::usage(format!("there is no plugin \"{id}\" in {}", Workspace::LOCK)).hint(
                near.map_or("mustdo plugin list".to_owned(), |near| format!("did you mean \"{near}\"?")),
            )
        }
    }
}

/// What is new, in words: version, digest, contract, and what it asks for; and whether it is proven.
fn difference(
    old: &LockedPlugin,
    new: &LockedPlugin,
    before: Option<&Opened>,
    after: &Opened,
    language: Language,
    width: Option<u16>,
) -> String {
    let Opened { info: after, proof, .. } = after;
    let mut text = format!("{} {} → {}\n", after.id, old.version, new.version);
    let mut row = |name: &str, old: String, new: String| {
        if old != new {
            text.push_str(&format!("  {name:<9} {old} → {new}\n"));
        }
    };
    row("digest", old.digest.to_string(), new.digest.to_string());
    row("contract", old.contract.to_string(), new.contract.to_string());
    match before.map(|before| &before.proof).filter(|before| *before != proof) {
        Some(before) => text.push_str(&format!("  proof     {before} → {proof}\n")),
        None => text.push_str(&format!("  proof     {proof}\n")),
    }
    let Some(before) = before.map(|before| &before.info) else {
        text.push_str("  its file is not the one that was added, so what is new can not be told; now it\n");
        return text + &page::requests(after, language, width);
    };
    let (asked, asks) = (before.requests(), after.requests());
    let added = asks.values().filter(|request| !asked.contains_key(&request.capability));
    for request in added {
        let words = format!("+ {}: {}", request.capability, request.reason.get(language));
        text.push_str(&paragraph("", &words, 2, width));
    }
    for request in asked.values().filter(|request| !asks.contains_key(&request.capability)) {
        text.push_str(&format!("  - {}\n", request.capability));
    }
    if asked.keys().eq(asks.keys()) {
        text.push_str("  asks for what it asked for before\n");
    }
    text
}
