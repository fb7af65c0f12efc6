//! One check that runs, and what it becomes once its targets are there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use semver::Version;

use crate::model::{Capability, Definition, Digest, Endpoint, ItemId, TargetName, Text};
use crate::process::Supervised;
use crate::verify::{Job, Task, TaskId};

/// One check that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its index in the plan.
    pub id: TaskId,
    /// The item it may prove.
    pub item: ItemId,
    /// What is asked.
    pub definition: Definition,
    /// The question for people.
    pub title: Text,
    /// How long it usually takes, by the plugin's guess.
    pub typical: Duration,
    /// Runs alone on its targets.
    pub exclusive: bool,
    /// The plugin's bytes.
    pub plugin: Digest,
    /// The plugin's version.
    pub version: Version,
    /// The targets it may touch: the plugin's name to the workspace's.
    pub targets: BTreeMap<TargetName, TargetName>,
    /// What it may do, by the plugin's own target names.
    pub allowed: BTreeSet<Capability>,
    /// The programs that it may start, by the workspace's target names.
    pub programs: BTreeMap<TargetName, PathBuf>,
    /// JSON text.
    pub params: String,
    /// The same for the same run seed, item and check, whatever else is selected.
    pub seed: u64,
    /// Wall clock for the whole check.
    pub deadline: Duration,
    /// Tasks to end first, ascending. Only order: what they end with does not matter, because the learner asked about
    /// this item too, and a verdict on it tells more than none.
    pub after: Vec<TaskId>,
}

impl Planned {
    /// The task with its targets filled in, and the `programs` behind them; or the workspace's targets that are not among
    /// `endpoints`.
    pub fn job(
        &self,
        endpoints: &BTreeMap<TargetName, Endpoint>,
        programs: &BTreeMap<TargetName, Arc<dyn Supervised>>,
    ) -> Result<Job, BTreeSet<TargetName>> {
        let mut targets = BTreeMap::new();
        let mut supervised = BTreeMap::new();
        let mut absent = BTreeSet::new();
        for (asked, bound) in &self.targets {
            if let Some(program) = programs.get(bound) {
                supervised.insert(asked.clone(), program.clone());
            }
            match endpoints.get(bound) {
                Some(endpoint) => drop(targets.insert(asked.clone(), self.seen(bound, endpoint))),
                None => drop(absent.insert(bound.clone())),
            }
        }
        if !absent.is_empty() {
            return Err(absent);
        }
        // Two names of one thing are one thing to be alone on: the first of them stands for both.
        let first_name = |endpoint: &Endpoint| {
            endpoints.iter().find(|(_, other)| endpoint.is_same_thing(other)).map(|(name, _)| name.clone())
        };
        let uses: BTreeSet<TargetName> = targets.values().filter_map(first_name).collect();
        Ok(Job {
            task: Task {
                id: self.id,
                item: self.item.clone(),
                check: self.definition.uses.clone(),
                plugin: self.plugin,
                params: self.params.clone(),
                targets,
                names: self.targets.clone(),
                supervised,
                allowed: self.allowed.clone(),
                exclusive: self.exclusive,
                seed: self.seed,
                deadline: self.deadline,
            },
            version: self.version.clone(),
            after: self.after.clone(),
            uses: uses.into_iter().collect(),
        })
    }

    /// What is behind `target`: of a program that may be started, the one that the user saw, wherever the name leads by
    /// now.
    fn seen(&self, target: &TargetName, endpoint: &Endpoint) -> Endpoint {
        match (endpoint, self.programs.get(target)) {
            (Endpoint::Command { program: _, args, env, cwd }, Some(program)) => Endpoint::Command {
                program: program.clone(),
                args: args.clone(),
                env: env.clone(),
                cwd: cwd.clone(),
            },
            _ => endpoint.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Authority;
    use crate::verify::plan::world::World;

    #[test]
    fn a_job_has_its_targets_filled_in_or_says_which_are_absent() {
        let plan = World::new(&["a: probe/slow"]).plan(&["a"]);
        let task = &plan.tasks[0];
        let web: TargetName = "web".parse().unwrap();
        assert_eq!(plan.targets(), [&web].into());
        assert_eq!(task.job(&BTreeMap::new(), &BTreeMap::new()).unwrap_err(), [web.clone()].into());
        let authority = Authority { host: "127.0.0.1".to_owned(), port: 4000 };
        let endpoint = Endpoint::Http { authority, prefix: String::new() };
        let job = task.job(&[(web.clone(), endpoint.clone())].into(), &BTreeMap::new()).unwrap();
        assert_eq!(job.task.targets, [("api".parse().unwrap(), endpoint)].into());
        assert_eq!((job.task.exclusive, job.uses, job.version), (true, vec![web], Version::new(1, 2, 3)));
        assert_eq!(job.task.params, "0 values");
    }

    #[test]
    fn a_job_uses_the_thing_behind_the_name() {
        let plan = World::new(&["a: probe/slow"]).plan(&["a"]);
        let authority = Authority { host: "127.0.0.1".to_owned(), port: 4000 };
        let http = Endpoint::Http { authority: authority.clone(), prefix: "/v1".to_owned() };
        let raw: TargetName = "raw".parse().unwrap();
        let endpoints = [("web".parse().unwrap(), http), (raw.clone(), Endpoint::Tcp(authority))].into();
        assert_eq!(plan.tasks[0].job(&endpoints, &BTreeMap::new()).unwrap().uses, [raw]);
    }
}
