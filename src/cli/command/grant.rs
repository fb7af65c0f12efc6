//! `mustdo grant`, `mustdo revoke` and `mustdo grants`: what plugins may reach.

use std::collections::BTreeSet;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::permission::{Wanted, find, give, take};
use crate::cli::planning::Planning;
use crate::cli::plugins::Plugins;
use crate::cli::printer::answer;
use crate::cli::project::Project;
use crate::cli::shelf::{PluginFile, Shelf};
use crate::model::{Capability, Grant, Item, Permit, PluginId, Settings, TargetKind, nearest, plain_line};
use crate::store::Workspace;
use crate::target;

/// What can follow `mustdo grant`.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugin: PluginId,
    /// What it may do, with your own target names: `http:web`, `tcp:db`, `read:src`, … [default: everything that your items ask it for]
    #[arg(value_name = "CAPABILITY")]
    pub(crate) capabilities: Vec<Capability>,
}

/// What can follow `mustdo revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The plugin
    #[arg(value_name = "PLUGIN", required_unless_present = "all")]
    pub(crate) plugin: Option<PluginId>,
    /// What it may no longer do [default: all it was granted]
    #[arg(value_name = "CAPABILITY", requires = "plugin")]
    pub(crate) capabilities: Vec<Capability>,
    /// Take back everything from every plugin
    #[arg(long, conflicts_with_all = ["plugin", "capabilities"])]
    pub(crate) all: bool,
}

/// What can follow `mustdo grants`.
#[derive(Debug, Args)]
pub(crate) struct GrantsArgs {
    /// Only these plugins
    #[arg(value_name = "PLUGIN")]
    pub(crate) plugins: Vec<PluginId>,
}

/// Adds to what the plugin may do and writes it into `mustdo.toml`.
pub(crate) fn run(context: &Context, args: &GrantArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let workspace = project.workspace.as_ref().ok_or_else(|| Failure::bug("a grant outside a workspace"))?;
    let shelf = Shelf::open(project.workspace.as_ref())?;
    let plugin = find(&shelf, &args.plugin)?;
    let settings = project.effective_settings();
    let wanted = if args.capabilities.is_empty() {
        asked(context, &project, &shelf, plugin, &settings)?
    } else {
        let typed = |capability| Wanted::typed(context, workspace, &settings, capability);
        args.capabilities.iter().map(typed).collect::<Result<Vec<_>, _>>()?
    };
    if wanted.is_empty() {
        context.printer.note(&format!("{} asks for nothing that it may not do already", plugin.id));
        return Ok(Exit::Holds);
    }
    give(&project, plugin, &wanted)?;
    for Wanted { capability, program } in &wanted {
        let program = program.as_ref().map_or(String::new(), |path| format!(" ({})", path.display()));
        answer(&format!("{} {} may use {capability}{program}\n", plugin.id, plugin.digest().short()))?;
    }
    Ok(Exit::Holds)
}

/// Everything that the workspace's items ask the plugin for and it may not do yet.
fn asked(
    context: &Context,
    project: &Project,
    shelf: &Shelf,
    plugin: &PluginFile,
    settings: &Settings,
) -> Result<Vec<Wanted>, Failure> {
    let plugins = Plugins::describe(context, settings, [plugin])?;
    let uses = |item: &&Item| item.checks.iter().any(|check| check.uses.plugin == plugin.id);
    let items: Vec<&Item> = project.catalog.items().filter(uses).collect();
    let planning = Planning { context, project, shelf, plugins: &plugins, seed: 0, timeout: None };
    let plan = planning.plan(&items, &BTreeSet::new(), settings);
    let missing = plan.missing_grants.into_iter().filter(|grant| grant.plugin == plugin.id);
    Ok(missing.map(|grant| Wanted { capability: grant.capability, program: grant.program }).collect())
}

/// Takes permissions out of `mustdo.toml`.
pub(crate) fn run_revoke(context: &Context, args: &RevokeArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let granted = project.settings.settings().grants.clone();
    let Some(plugin) = &args.plugin else {
        for plugin in granted.keys() {
            tell(plugin, &take(&project, plugin, &[])?)?;
        }
        if granted.is_empty() {
            context.printer.note("no plugin was granted anything");
        }
        return Ok(Exit::Holds);
    };
    let Some(grant) = granted.get(plugin) else {
        let near = nearest(plugin.as_str(), granted.keys().map(PluginId::as_str));
        let hint = near.map_or("mustdo grants".to_owned(), |near| format!("did you mean \"{near}\"?"));
        return Err(Failure::usage(format!("the plugin \"{plugin}\" was granted nothing")).hint(hint));
    };
    if let Some(never) = args.capabilities.iter().find(|capability| !grant.allow.contains(*capability)) {
        let allow: Vec<_> = grant.allow.iter().map(ToString::to_string).collect();
        return Err(Failure::usage(format!("{plugin} was not granted {never}; nothing was revoked"))
            .hint(format!("it was granted {}", allow.join(" "))));
    }
    tell(plugin, &take(&project, plugin, &args.capabilities)?)?;
    Ok(Exit::Holds)
}

fn tell(plugin: &PluginId, taken: &[Capability]) -> Result<(), Failure> {
    taken.iter().try_for_each(|capability| answer(&format!("{plugin} may no longer use {capability}\n")))
}

/// Lists what every plugin may do, and whether that still holds.
pub(crate) fn run_list(context: &Context, args: &GrantsArgs) -> Result<Exit, Failure> {
    let project = Project::of_workspace(context)?;
    let workspace = project.workspace.as_ref().ok_or_else(|| Failure::bug("grants outside a workspace"))?;
    let shelf = Shelf::open(Some(workspace))?;
    let settings = project.effective_settings();
    let ids: BTreeSet<&PluginId> = shelf.iter().map(|file| &file.id).chain(settings.grants.keys()).collect();
    let ids = if args.plugins.is_empty() {
        ids
    } else {
        for id in args.plugins.iter().filter(|id| !ids.contains(id)) {
            find(&shelf, id)?;
        }
        args.plugins.iter().collect()
    };
    let list = Listing { context, workspace, settings: &settings };
    answer(&ids.into_iter().map(|id| list.plugin(id, shelf.find(id))).collect::<String>())?;
    Ok(Exit::Holds)
}

struct Listing<'a> {
    context: &'a Context,
    workspace: &'a Workspace,
    settings: &'a Settings,
}

impl Listing<'_> {
    fn plugin(&self, id: &PluginId, file: Option<&PluginFile>) -> String {
        let grant = self.settings.grants.get(id);
        let mut text = match file {
            Some(file) => format!("{id} {} ({})\n", file.digest().short(), plain_line(&file.place, 200)),
            None => format!("{id}: there is no such plugin, so its grants have no effect\n"),
        };
        if file.is_some_and(|file| file.embedded) {
            text.push_str(
                "  without a grant: http, tcp and udp on this machine, reading folders in this workspace\n",
            );
        }
        if let (Some(grant), Some(file)) = (grant, file)
            && grant.digest != file.digest()
        {
            text.push_str(&format!("  granted to {}, other bytes than today's\n", grant.digest.short()));
        }
        for capability in grant.iter().flat_map(|grant| &grant.allow) {
            text.push_str(&format!("  {:<18} ", capability.to_string()));
            text.push_str(&self.capability(capability, grant, file));
            text.push('\n');
        }
        if grant.is_none_or(|grant| grant.allow.is_empty()) && !file.is_some_and(|file| file.embedded) {
            text.push_str("  nothing\n");
        }
        text
    }

    /// What a permission is for, and what became of it.
    fn capability(
        &self,
        capability: &Capability,
        grant: Option<&Grant>,
        file: Option<&PluginFile>,
    ) -> String {
        let target = capability.target().and_then(|name| self.settings.targets.get(name));
        let mut facts = vec![];
        match (capability.target(), target) {
            (Some(_), None) => facts.push("not bound".to_owned()),
            (_, Some(target)) => facts.push(plain_line(&target::identity(target), 500)),
            (None, None) => {}
        }
        let today = target.and_then(|target| self.context.program(target, self.workspace));
        if let (Some(grant), Some(file)) = (grant, file) {
            let seen = capability.target().and_then(|name| grant.programs.get(name));
            facts.extend(seen.map(|program| program.display().to_string()));
            match grant.permit(capability, file.digest(), target, today.as_deref()) {
                Permit::Holds => {}
                Permit::OtherBytes => facts.push("asked for again: granted to other bytes".to_owned()),
                Permit::OtherProgram(_) => {
                    let today =
                        today.map_or(String::new(), |today| format!(", which is {} now", today.display()));
                    facts.push(format!("asked for again: granted for this program{today}"));
                }
                Permit::Missing => facts.push("asked for again: does not say which program".to_owned()),
            }
        }
        if matches!(capability, Capability::Process(_))
            && target.is_some_and(|it| it.place.kind() != TargetKind::Command)
        {
            facts.push("the program behind it".to_owned());
        }
        facts.join("; ")
    }
}
