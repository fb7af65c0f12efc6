//! Permissions: asking for them, and writing them into `mustdo.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::context::Context;
use super::failure::Failure;
use super::plugins::Plugins;
use super::project::Project;
use super::prompt::choose;
use super::shelf::{PluginFile, Shelf};
use crate::model::{Capability, Grant, Permit, PluginId, Settings, nearest, plain_line};
use crate::report;
use crate::store::{Workspace, WriteLock};
use crate::syntax::{self, Source};
use crate::target;
use crate::verify::MissingGrant;

/// Something to allow: what, and for `process:` the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// By the workspace's target name.
    pub(crate) capability: Capability,
    /// Absolute; none where no program is started.
    pub(crate) program: Option<PathBuf>,
}

/// What the user answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Nothing,
    Required,
    All,
}

/// Asks once for everything that is missing, what checks can do without too; says how to allow it where no question may
/// be asked. True where something was allowed: `settings` then say it, and so does `mustdo.toml`.
pub(crate) fn ask(
    context: &Context,
    project: &Project,
    shelf: &Shelf,
    plugins: &Plugins,
    missing: &[MissingGrant],
    settings: &mut Settings,
) -> Result<bool, Failure> {
    if !missing.iter().any(|grant| grant.required) {
        offer(context, missing);
        return Ok(false);
    }
    let by_plugin = by_plugin(missing.iter());
    if !context.interactive {
        let failure = Failure::undecided("plugins need your permission before they may touch your work");
        let commands = by_plugin
            .iter()
            .map(|(plugin, grants)| command(plugin, grants.iter().filter(|grant| grant.required)));
        return Err(commands.fold(failure, Failure::hint));
    }
    let mut words = String::from("Plugins ask for your permission:\n");
    for (plugin, grants) in &by_plugin {
        let Some(file) = shelf.find(plugin) else { continue };
        words.push_str(&format!("\n{plugin} {} ({})\n", file.digest().short(), plain_line(&file.place, 200)));
        if let Some(proof) = plugins.proof(plugin) {
            words.push_str(&report::paragraph("", &proof.to_string(), 2, context.environment.asking_width));
        }
        for grant in grants {
            words.push_str(&request(context, project, grant, settings));
        }
    }
    if missing.iter().any(|grant| matches!(grant.capability, Capability::Process(_))) {
        words.push('\n');
        let warning = "A program runs outside the sandbox: once started, it can do whatever you can.";
        words.push_str(&report::paragraph("", warning, 0, context.environment.asking_width));
    }
    words.push('\n');
    let optional = missing.iter().any(|grant| !grant.required);
    let answer = if optional {
        let answers =
            [("y", Answer::Required), ("yes", Answer::Required), ("a", Answer::All), ("all", Answer::All)];
        choose(&words, "Allow this? y: what is needed, a: all of it, N: nothing [y/a/N]", &answers)?
    } else {
        choose(&words, "Allow this? [y/N]", &[("y", Answer::All), ("yes", Answer::All)])?
    };
    let allowed = |grant: &MissingGrant| match answer.unwrap_or(Answer::Nothing) {
        Answer::Nothing => false,
        Answer::Required => grant.required,
        Answer::All => true,
    };
    let mut any = false;
    for (plugin, grants) in by_plugin {
        let Some(file) = shelf.find(plugin) else { continue };
        let wanted: Vec<_> = grants.into_iter().filter(|grant| allowed(grant)).map(Wanted::of).collect();
        if !wanted.is_empty() {
            let grant = give(project, file, &wanted)?;
            settings.grants.insert(plugin.clone(), grant);
            any = true;
        }
    }
    Ok(any)
}

/// Tells a person what checks could do more of, if it were allowed. They run without it.
fn offer(context: &Context, missing: &[MissingGrant]) {
    if context.interactive {
        for (plugin, grants) in by_plugin(missing.iter()) {
            context.printer.note(&format!("{plugin} could see more: {}", command(plugin, grants.iter())));
        }
    }
}

fn by_plugin<'a>(
    missing: impl Iterator<Item = &'a MissingGrant>,
) -> BTreeMap<&'a PluginId, Vec<&'a MissingGrant>> {
    let mut by_plugin: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for grant in missing {
        by_plugin.entry(&grant.plugin).or_default().push(grant);
    }
    by_plugin
}

/// The command that allows `grants`.
fn command<'a>(plugin: &PluginId, grants: impl Iterator<Item = &'a &'a MissingGrant>) -> String {
    let wanted: Vec<_> = grants.map(|grant| grant.capability.to_string()).collect();
    format!("mustdo grant {plugin} {}", wanted.join(" "))
}

/// One request for a person: what, on what, why, and what was allowed before.
fn request(context: &Context, project: &Project, grant: &MissingGrant, settings: &Settings) -> String {
    let mut facts = vec![];
    if let Some(target) = grant.capability.target().and_then(|name| settings.targets.get(name)) {
        facts.push(target::identity(target));
    }
    facts.extend(grant.program.as_ref().map(|program| format!("which is {}", program.display())));
    match &grant.permit {
        Permit::Missing | Permit::Holds => {}
        Permit::OtherBytes => facts.push("allowed before, to other bytes of this plugin".to_owned()),
        Permit::OtherProgram(program) => facts.push(format!("allowed before, for {}", program.display())),
    }
    if !grant.required {
        facts.push("can do without".to_owned());
    }
    let reason = grant.reason.get(project.language(context));
    let width = context.environment.asking_width;
    let facts = plain_line(&facts.join("; "), 500);
    let mut text = report::paragraph(&format!("  {}", grant.capability), &facts, 21, width);
    text.push_str(&report::paragraph("", &plain_line(reason, 500), 21, width));
    text
}

impl Wanted {
    fn of(grant: &MissingGrant) -> Self {
        Self { capability: grant.capability.clone(), program: grant.program.clone() }
    }

    /// What a user typed: the program is looked up.
    pub(crate) fn typed(
        context: &Context,
        workspace: &Workspace,
        settings: &Settings,
        capability: &Capability,
    ) -> Result<Self, Failure> {
        let Capability::Process(name) = capability else {
            return Ok(Self { capability: capability.clone(), program: None });
        };
        let Some(target) = settings.targets.get(name) else {
            return Err(Failure::usage(format!("there is no target \"{name}\", so no program to allow"))
                .hint(format!("add [targets.{name}] to {}, then grant it", Workspace::SETTINGS)));
        };
        let program = context.program(target, workspace);
        if program.is_none() && target.place.kind() == crate::model::TargetKind::Command {
            return Err(Failure::usage(format!("the program of the target \"{name}\" was not found"))
                .hint("check how it is written, that it is installed, and that its environment is active"));
        }
        Ok(Self { capability: capability.clone(), program })
    }
}

/// The plugin of that name, or what may have been meant.
pub(crate) fn find<'a>(shelf: &'a Shelf, id: &PluginId) -> Result<&'a PluginFile, Failure> {
    shelf.find(id).ok_or_else(|| {
        let near = nearest(id.as_str(), shelf.iter().map(|plugin| plugin.id.as_str()));
        let hint = near.map_or("mustdo plugin list".to_owned(), |near| format!("did you mean \"{near}\"?"));
        Failure::usage(format!("there is no plugin \"{id}\"")).hint(hint)
    })
}

/// Writes a grant into `mustdo.toml`. What the plugin was granted before stays, as far as it holds for these bytes.
pub(crate) fn give(project: &Project, plugin: &PluginFile, wanted: &[Wanted]) -> Result<Grant, Failure> {
    change(project, |settings, text| {
        let mut grant =
            settings.grants.get(&plugin.id).cloned().unwrap_or_else(|| Grant::new(plugin.digest()));
        grant.renew(plugin.digest());
        for Wanted { capability, program } in wanted {
            grant.allow.insert(capability.clone());
            if let (Some(target), Some(program)) = (capability.target(), program) {
                grant.programs.insert(target.clone(), program.clone());
            }
        }
        let text = syntax::grant(text, &plugin.id, &grant).map_err(Failure::usage)?;
        Ok((text, grant))
    })
}

/// Takes permissions back, all of them where none is named. What was really taken back is given back.
pub(crate) fn take(
    project: &Project,
    plugin: &PluginId,
    capabilities: &[Capability],
) -> Result<Vec<Capability>, Failure> {
    change(project, |settings, text| {
        let Some(mut grant) = settings.grants.get(plugin).cloned() else {
            return Ok((text.to_owned(), vec![]));
        };
        let named: Vec<_> = if capabilities.is_empty() {
            grant.allow.iter().cloned().collect()
        } else {
            capabilities.to_vec()
        };
        let taken: Vec<_> = named.into_iter().filter(|capability| grant.revoke(capability)).collect();
        let text = if grant.allow.is_empty() {
            syntax::ungrant(text, plugin)
        } else {
            syntax::grant(text, plugin, &grant)
        };
        Ok((text.map_err(Failure::usage)?, taken))
    })
}

/// Changes `mustdo.toml` under the lock, from what stands in it now: what another mustdo wrote meanwhile stays.
fn change<T>(
    project: &Project,
    change: impl FnOnce(&Settings, &str) -> Result<(String, T), Failure>,
) -> Result<T, Failure> {
    let workspace = project
        .workspace
        .as_ref()
        .ok_or_else(|| Failure::bug("permissions are changed outside a workspace"))?;
    let lock: WriteLock = workspace.lock()?;
    let bytes = workspace.settings()?.map(|file| file.bytes).unwrap_or_default();
    let source = Source::of_bytes(Workspace::SETTINGS, &bytes);
    let read = syntax::read_settings(&source);
    let Some(settings) = read.value else {
        return Err(Failure::content(syntax::render(&read.diagnostics, false)).hint("nothing was written"));
    };
    let (text, answer) = change(settings.settings(), &source.text)?;
    if text != *source.text {
        workspace.write(&lock, Workspace::SETTINGS, &text)?;
    }
    Ok(answer)
}
