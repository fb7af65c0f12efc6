//! Reading `mustdo.toml` and the user's own file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::checklist::lasting;
use super::mark::{BindingMarks, GrantMarks, SettingsMarks};
use super::parameter::{Writer, globs, parameters, targets, variable};
use super::table::{Field, Table, document};
use super::target::target;
use super::{Code, Diagnostic, Read, Source, policy};
use crate::model::{Capability, Grant, ItemBinding, Language, Limit, Settings, TargetName};

/// Settings and where their parts are written.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    pub(super) settings: Settings,
    pub(super) source: Source,
    pub(super) marks: SettingsMarks,
}

impl SettingsFile {
    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings, the places forgotten.
    #[must_use]
    pub fn into_settings(self) -> Settings {
        self.settings
    }

    /// The file they were read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// Reads `mustdo.toml` and holds it against every rule that needs neither content nor plugins.
#[must_use]
pub fn read_settings(source: &Source) -> Read<SettingsFile> {
    read(source, |table, settings, marks| {
        personal(table, settings);
        entries(table.optional("targets"), "the targets", |field| {
            let Some(name) = field.parse_key::<TargetName>(Code::BadName) else { return };
            if let Some(target) = target(field) {
                settings.targets.insert(name, target);
            } else {
                marks.unread.insert(name);
            }
        });
        entries(table.optional("item"), "the items", |field| binding(field, settings, marks));
        entries(table.optional("grants"), "the grants", |field| grant(field, settings, marks));
        if let Some(policy) = table.optional("policy").and_then(|field| field.table("the policy")) {
            settings.policy = policy::policy(policy, marks);
        }
    })
}

/// Reads the user's own file: what holds in every workspace, which is language, freshness, secrets, git, how to verify
/// and how much a plugin may use.
#[must_use]
pub fn read_user_settings(source: &Source) -> Read<SettingsFile> {
    read(source, |table, settings, _| {
        personal(table, settings);
        for key in ["targets", "item", "grants", "policy"] {
            if let Some(field) = table.optional(key) {
                let message = format!("\"{key}\" belongs to one workspace");
                field.report_key(Code::UselessKey, message, "move it to that workspace's mustdo.toml");
            }
        }
    })
}

fn read(
    source: &Source,
    read: impl FnOnce(&mut Table<'_>, &mut Settings, &mut SettingsMarks),
) -> Read<SettingsFile> {
    document(source, |mut table| {
        let (mut settings, mut marks) = (Settings::default(), SettingsMarks::default());
        read(&mut table, &mut settings, &mut marks);
        table.close();
        Some(SettingsFile { settings, source: source.clone(), marks })
    })
}

/// What a workspace and a user's own file share.
fn personal(table: &mut Table<'_>, settings: &mut Settings) {
    if let Some(mut table) = table.optional("workspace").and_then(|field| field.table("the workspace")) {
        settings.language =
            table.optional("lang").and_then(|field| field.word(Language::ALL, Language::code));
        settings.fresh_for = table.optional("fresh-for").and_then(|field| lasting(&field));
        table.close();
    }
    if let Some(mut table) = table.optional("secrets").and_then(|field| field.table("the secrets")) {
        settings.secrets.env = names(table.optional("env"));
        settings.secrets.plain = names(table.optional("plain"));
        settings.secrets.files = table.optional("files").map(|field| globs(&field)).unwrap_or_default();
        table.close();
    }
    if let Some(mut table) = table.optional("git").and_then(|field| field.table("the git table")) {
        settings.commit = table.optional("commit").and_then(|field| field.boolean());
        table.close();
    }
    if let Some(mut table) = table.optional("verify").and_then(|field| field.table("the verify table")) {
        let jobs = table.optional("jobs").and_then(|field| field.integer_within(1, 64));
        settings.jobs = jobs.and_then(|jobs| usize::try_from(jobs).ok());
        settings.timeout = table.optional("timeout").and_then(|field| lasting(&field));
        table.close();
    }
    if let Some(mut table) = table.optional("limits").and_then(|field| field.table("the limits table")) {
        for limit in Limit::ALL {
            let Some(field) = table.optional(limit.key()) else { continue };
            let (least, most) = limit.range().into_inner();
            let value = field.integer_within(least.into(), most.into());
            if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
                settings.limits.choose(limit, value);
            }
        }
        table.close();
    }
}

/// Names of environment variables.
fn names(field: Option<Field<'_>>) -> BTreeSet<String> {
    let names = field.and_then(|field| field.list());
    names.into_iter().flatten().filter_map(|name| variable(&name)).collect()
}

fn entries<'a>(field: Option<Field<'a>>, what: &'static str, mut read: impl FnMut(&Field<'a>)) {
    for entry in field.and_then(|field| field.table(what)).iter().flat_map(Table::entries) {
        read(&entry);
    }
}

fn binding(field: &Field<'_>, settings: &mut Settings, marks: &mut SettingsMarks) {
    let id = field.parse_key(Code::BadName);
    let Some(mut table) = field.table("an item's settings") else { return };
    let (target, target_marks) = table.optional("target").map(|field| targets(&field)).unwrap_or_default();
    let (with, with_marks) =
        table.optional("with").map(|field| parameters(&field, Writer::User)).unwrap_or_default();
    let watch = table.optional("watch").map(|field| globs(&field));
    let fresh_for = table.optional("fresh-for").and_then(|field| lasting(&field));
    table.close();
    let Some(id) = id else { return };
    let places = BindingMarks { id: field.key(), target: target_marks, with: with_marks };
    marks.bindings.insert(crate::model::ItemId::clone(&id), places);
    settings.bindings.insert(id, ItemBinding { target, with, watch, fresh_for });
}

fn grant(field: &Field<'_>, settings: &mut Settings, marks: &mut SettingsMarks) {
    let plugin = field.parse_key(Code::BadName);
    let Some(mut table) = field.table("a grant") else { return };
    let digest = table.required("digest").and_then(|field| field.parse(Code::BadDigest));
    let mut allow = vec![];
    for entry in table.required("allow").and_then(|field| field.list()).into_iter().flatten() {
        let Some(capability) = entry.parse::<Capability>(Code::BadCapability) else { continue };
        if let Some((_, first)) = allow.iter().find(|(other, _)| *other == capability) {
            let message = format!("\"{capability}\" is in \"allow\" twice");
            let first = entry.spot().source.spot(std::ops::Range::clone(first));
            let repeated = Diagnostic::new(Code::Repeated, message, entry.spot(), "");
            entry.push(repeated.also(first, "first here"));
            continue;
        }
        allow.push((capability, entry.span()));
    }
    let mut programs = BTreeMap::new();
    entries(table.optional("programs"), "the programs", |field| {
        if let Some((target, path)) = program(field, &allow) {
            programs.insert(target, path);
        }
    });
    table.close();
    let (Some(plugin), Some(digest)) = (plugin, digest) else { return };
    let capabilities = allow.iter().map(|(capability, _)| capability.clone()).collect();
    marks.grants.insert(crate::model::PluginId::clone(&plugin), GrantMarks { plugin: field.key(), allow });
    settings.grants.insert(plugin, Grant { digest, allow: capabilities, programs });
}

/// Reads `worker = "/usr/bin/celery"`: what `process:worker` was granted for.
fn program(
    field: &Field<'_>,
    allow: &[(Capability, std::ops::Range<usize>)],
) -> Option<(TargetName, PathBuf)> {
    let target: TargetName = field.parse_key(Code::BadName)?;
    let process = Capability::Process(target.clone());
    if !allow.iter().any(|(capability, _)| *capability == process) {
        let message = format!("a program for \"{target}\" has no effect without \"{process}\" in \"allow\"");
        field.report_key(Code::UselessKey, message, &format!("add \"{process}\" to \"allow\", or remove it"));
    }
    let text = field.words()?;
    let path = PathBuf::from(text);
    if !path.is_absolute() || text.contains('\0') {
        let message = format!("\"{}\" is not the absolute path of a program", text.escape_debug());
        field.report(Code::BadProgram, message, "let mustdo find it: mustdo grant PLUGIN process:TARGET");
        return None;
    }
    Some((target, path))
}
