//! A plan from what a workspace says and its plugins ask.

use std::collections::BTreeSet;

use super::context::Context;
use super::environment;
use super::plugins::Plugins;
use super::project::Project;
use super::shelf::Shelf;
use crate::model::{Item, ItemId, Settings, Span};
use crate::syntax::{self, Unfit};
use crate::target;
use crate::verify::{Installed, ParamsFault, Plan, PlanInput};

/// What every plan of a workspace is made from.
#[derive(Clone, Copy)]
pub(crate) struct Planning<'a> {
    /// The world.
    pub(crate) context: &'a Context,
    /// What is to be proven.
    pub(crate) project: &'a Project,
    /// The plugins' bytes.
    pub(crate) shelf: &'a Shelf,
    /// What the plugins say of themselves.
    pub(crate) plugins: &'a Plugins,
    /// Of the whole run.
    pub(crate) seed: u64,
    /// The time for each check, where the command line says.
    pub(crate) timeout: Option<Span>,
}

impl Planning<'_> {
    /// Plans `items` with `settings`; of those that are `named` it is also told that they have no check.
    pub(crate) fn plan(&self, items: &[&Item], named: &BTreeSet<ItemId>, settings: &Settings) -> Plan {
        let installed = |id: &_| {
            let (file, info) = (self.shelf.find(id)?, self.plugins.info(id)?);
            Some(Installed { digest: file.digest(), info, embedded: file.embedded })
        };
        let programs = |name: &_| {
            let workspace = self.project.workspace.as_ref()?;
            self.context.program(settings.targets.get(name)?, workspace)
        };
        Plan::new(&PlanInput {
            items,
            named,
            catalog: &self.project.catalog,
            settings,
            plugins: &installed,
            programs: &programs,
            params: &|check, with| {
                let with: std::collections::BTreeMap<_, _> = with
                    .iter()
                    .map(|(name, value)| (name.clone(), value.filled(&environment::variable)))
                    .collect();
                let unset: BTreeSet<_> = with.values().flat_map(crate::model::Value::variables).collect();
                if !unset.is_empty() {
                    let wrong =
                        unset.into_iter().map(|name| format!("the environment variable {name} is not set"));
                    return Err(ParamsFault { missing: vec![], wrong: wrong.collect() });
                }
                syntax::params(check, &with)
                    .map_err(|Unfit { missing, wrong }| ParamsFault { missing, wrong })
            },
            seed: self.seed,
            timeout: self.timeout,
        })
    }
}

impl Context {
    /// Where the program of a command target is today; none for other targets, and where it is not found.
    pub(crate) fn program(
        &self,
        target: &crate::model::Target,
        workspace: &crate::store::Workspace,
    ) -> Option<std::path::PathBuf> {
        target::program(target, workspace.root(), self.environment.path.as_deref())
    }
}
