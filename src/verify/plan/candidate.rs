//! One check that was asked for: whether anything stands in its way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::deadline::deadline;
use super::{PlanInput, Planned};
use crate::model::{
    Capability, CapabilityRequest, CheckId, CheckInfo, Definition, Hasher, Item, ItemId, Permit, PluginId,
    TargetName,
};
use crate::verify::permission::{Permission, judge};
use crate::verify::{Installed, MissingGrant, TaskId, Why};

pub(super) type Missing = BTreeMap<(PluginId, Capability), MissingGrant>;

/// A check that nothing stands in the way of.
pub(super) struct Candidate<'a> {
    definition: Definition,
    plugin: Installed<'a>,
    check: &'a CheckInfo,
    targets: BTreeMap<TargetName, TargetName>,
    allowed: BTreeSet<Capability>,
    programs: BTreeMap<TargetName, PathBuf>,
    params: String,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(
        input: &PlanInput<'a>,
        item: &Item,
        definition: Definition,
        missing: &mut Missing,
    ) -> Result<Self, Why> {
        let plugin = (input.plugins)(&definition.uses.plugin).ok_or(Why::UnknownPlugin)?;
        let check = plugin.info.check(&definition.uses.check).ok_or(Why::UnknownCheck)?;

        let mut targets = BTreeMap::new();
        let mut allowed = BTreeSet::new();
        let mut programs = BTreeMap::new();
        let seen = input.settings.grants.get(&plugin.info.id).map(|grant| &grant.programs);
        let mut unbound = vec![];
        let mut wrong_kind = None;
        let mut refused: Vec<Refusal<'_>> = vec![];
        for request in &check.capabilities {
            match judge(request, &definition, input.settings, &plugin, input.programs) {
                Permission::Allowed(capability) => {
                    if let Capability::Process(name) = &capability
                        && let Some(program) = seen.and_then(|seen| seen.get(name))
                    {
                        programs.insert(name.clone(), program.clone());
                    }
                    if let Some(asked) = request.capability.target() {
                        targets.insert(asked.clone(), definition.target[asked].clone());
                    }
                    allowed.insert(request.capability.clone());
                }
                Permission::NotGranted(capability, permit) => refused.push((request, capability, permit)),
                Permission::Impossible(_) if !request.required => {}
                Permission::Impossible(Why::NotBound { targets, .. }) => {
                    for target in targets {
                        if !unbound.contains(&target) {
                            unbound.push(target);
                        }
                    }
                }
                Permission::Impossible(why) => drop(wrong_kind.get_or_insert(why)),
            }
        }

        let params = (input.params)(check, &definition.with);
        let absent = params.as_ref().err().map(|fault| fault.missing.clone()).unwrap_or_default();
        if !unbound.is_empty() || !absent.is_empty() {
            return Err(Why::NotBound { targets: unbound, params: absent });
        }
        if let Some(why) = wrong_kind {
            return Err(why);
        }
        let params = params.map_err(|fault| Why::BadParams(fault.wrong))?;

        for refusal in &refused {
            note(missing, input, &plugin, item, refusal);
        }
        let refused: BTreeSet<Capability> = refused
            .into_iter()
            .filter(|(request, _, _)| request.required)
            .map(|(_, capability, _)| capability)
            .collect();
        if !refused.is_empty() {
            return Err(Why::NotGranted(refused.into_iter().collect()));
        }
        Ok(Self { definition, plugin, check, targets, allowed, programs, params })
    }

    pub(super) fn planned(
        self,
        input: &PlanInput<'_>,
        id: TaskId,
        item: &Item,
        after: Vec<TaskId>,
    ) -> Planned {
        Planned {
            id,
            item: item.id.clone(),
            title: self.check.title.clone(),
            typical: self.check.typical,
            exclusive: self.check.exclusive,
            plugin: self.plugin.digest,
            version: self.plugin.info.version.clone(),
            targets: self.targets,
            allowed: self.allowed,
            programs: self.programs,
            params: self.params,
            seed: seed(input.seed, &item.id, &self.definition.uses),
            deadline: deadline(self.check.typical, input.settings.timeout, input.timeout),
            after,
            definition: self.definition,
        }
    }
}

/// A request that the user has not allowed, what it comes to in this workspace, and how far it is allowed.
type Refusal<'a> = (&'a CapabilityRequest, Capability, Permit);

/// Adds a refusal to what the user may want to allow.
fn note(
    missing: &mut Missing,
    input: &PlanInput<'_>,
    plugin: &Installed<'_>,
    item: &Item,
    (request, capability, permit): &Refusal<'_>,
) {
    let key = (plugin.info.id.clone(), capability.clone());
    let entry = missing.entry(key).or_insert_with(|| MissingGrant {
        plugin: plugin.info.id.clone(),
        digest: plugin.digest,
        capability: capability.clone(),
        reason: request.reason.clone(),
        required: false,
        program: match capability {
            Capability::Process(name) => (input.programs)(name),
            Capability::Http(_)
            | Capability::Tcp(_)
            | Capability::Udp(_)
            | Capability::Listen
            | Capability::Read(_)
            | Capability::Scratch(_)
            | Capability::Env(_) => None,
        },
        permit: permit.clone(),
        items: vec![],
    });
    entry.required |= request.required;
    if entry.items.last() != Some(&item.id) {
        entry.items.push(item.id.clone());
    }
}

/// A task's own seed: neither the order of tasks nor what else is selected changes it.
fn seed(run: u64, item: &ItemId, check: &CheckId) -> u64 {
    let mut hasher = Hasher::default();
    hasher.field("seed").field(run.to_le_bytes()).field(item.as_str()).field(check.to_string());
    hasher.finish().number()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, Endpoint, Grant, ItemBinding, Place, Target, TargetKind, Value};
    use crate::verify::plan::world::{World, whys};
    use crate::verify::{Plan, Unbound};

    #[test]
    fn what_stands_in_the_way_is_told_once_and_first_things_first() {
        let mut world = World::new(&[
            "plugin: other/plain",
            "check: probe/nothing",
            "target: probe/program",
            "kind: probe/plain",
            "params: probe/none",
            "both: probe/plain",
            "wrong: probe/none",
            "empty:",
            "silent:",
        ]);
        let with = |n: &str| [("n".to_owned(), Value::Text(n.to_owned()))].into();
        let api = |name: &str| [("api".parse().unwrap(), name.parse().unwrap())].into();
        for (item, binding) in [
            ("kind", ItemBinding { target: api("src"), ..ItemBinding::default() }),
            ("params", ItemBinding { with: with("missing"), ..ItemBinding::default() }),
            ("both", ItemBinding { with: with("missing"), target: api("shop"), ..ItemBinding::default() }),
            ("wrong", ItemBinding { with: with("five"), ..ItemBinding::default() }),
        ] {
            world.settings.bindings.insert(item.parse().unwrap(), binding);
        }
        world.named = ["empty".parse().unwrap()].into();
        let all: Vec<&str> = world.catalog.items().map(|item| item.id.as_str()).collect();
        let plan = world.plan(&all);
        let unbound = |asked: &str, bound: &str, kinds: &'static [TargetKind]| Unbound {
            asked: asked.parse().unwrap(),
            bound: Some(bound.parse().unwrap()),
            kinds,
        };
        let programs = &[TargetKind::Command, TargetKind::Http, TargetKind::Tcp, TargetKind::Udp];
        assert_eq!(
            whys(&plan),
            [
                ("plugin", &Why::UnknownPlugin),
                ("check", &Why::UnknownCheck),
                (
                    "target",
                    &Why::NotBound { targets: vec![unbound("worker", "worker", programs)], params: vec![] }
                ),
                (
                    "kind",
                    &Why::WrongKind {
                        target: "src".parse().unwrap(),
                        has: TargetKind::Dir,
                        needs: &[TargetKind::Http]
                    }
                ),
                ("params", &Why::NotBound { targets: vec![], params: vec!["op".to_owned()] }),
                (
                    "both",
                    &Why::NotBound {
                        targets: vec![unbound("api", "shop", &[TargetKind::Http])],
                        params: vec!["op".to_owned()]
                    }
                ),
                ("wrong", &Why::BadParams(vec!["n is not a number".to_owned()])),
                ("empty", &Why::NoCheck),
            ]
        );
        assert!(plan.tasks.is_empty());
        assert!(plan.missing_grants.is_empty(), "nothing is asked for checks that could not run anyway");
    }

    #[test]
    fn a_check_runs_without_what_it_can_do_without() {
        let plan = World::new(&["a: probe/tree"]).plan(&["a"]);
        assert_eq!(plan.tasks[0].allowed, ["read:src".parse().unwrap()].into());
        assert_eq!(plan.missing_grants.len(), 1);
        assert!(!plan.missing_grants[0].required);
    }

    #[test]
    fn a_refused_check_names_every_grant_that_it_needs() {
        let mut world = World::new(&["a: probe/program", "b: probe/program", "c: probe/tree"]);
        let program =
            Place::Command { program: "worker".to_owned(), args: vec![], env: BTreeMap::new(), cwd: None };
        world.settings.targets.insert("worker".parse().unwrap(), Target { place: program, launch: None });
        let allow: BTreeSet<Capability> =
            ["process:worker".parse().unwrap(), "scratch:src".parse().unwrap()].into();
        world.settings.grants.insert(
            "probe".parse().unwrap(),
            Grant { allow: ["process:worker".parse().unwrap()].into(), ..Grant::new(Digest::of(b"older")) },
        );
        let plan = world.plan(&["a", "b", "c"]);
        let refused =
            Why::NotGranted(vec!["scratch:src".parse().unwrap(), "process:worker".parse().unwrap()]);
        assert_eq!(whys(&plan), [("a", &refused), ("b", &refused)]);
        let missing: Vec<_> = plan
            .missing_grants
            .iter()
            .map(|grant| {
                (grant.capability.to_string(), grant.required, grant.permit.clone(), grant.items.len())
            })
            .collect();
        assert_eq!(
            missing,
            [
                ("scratch:src".to_owned(), true, Permit::Missing, 3),
                ("process:worker".to_owned(), true, Permit::OtherBytes, 2)
            ]
        );

        let worker: TargetName = "worker".parse().unwrap();
        let programs = [(worker.clone(), "/usr/bin/worker".into())].into();
        let grant = Grant { digest: Digest::of(b"probe"), allow: allow.clone(), programs };
        world.settings.grants.insert("probe".parse().unwrap(), grant);
        let plan = world.plan(&["a"]);
        assert_eq!(plan.tasks[0].allowed, allow);
        // What is started is what was granted, wherever the name leads when the targets are started.
        let worker_at = |program: &str| Endpoint::Command {
            program: program.into(),
            args: vec!["-v".to_owned()],
            env: [("A".to_owned(), "b".to_owned())].into(),
            cwd: Some("/work".into()),
        };
        let found = worker_at("/tmp/worker");
        let folder = Endpoint::Dir("/work".into());
        let endpoints = [(worker.clone(), found), ("src".parse().unwrap(), folder)].into();
        let job = plan.tasks[0].job(&endpoints, &BTreeMap::new()).unwrap();
        assert_eq!(job.task.targets[&worker], worker_at("/usr/bin/worker"));
        assert_eq!((plan.left_out, plan.missing_grants), (vec![], vec![]));
    }

    #[test]
    fn seeds_depend_on_run_item_and_check_alone() {
        let mut world = World::new(&["a: probe/none probe/plain; b", "b: probe/none"]);
        let seeds = |plan: &Plan| -> BTreeMap<(String, String), u64> {
            let key = |task: &Planned| (task.item.to_string(), task.definition.uses.to_string());
            plan.tasks.iter().map(|task| (key(task), task.seed)).collect()
        };
        let all = seeds(&world.plan(&["a", "b"]));
        let different: BTreeSet<u64> = all.values().copied().collect();
        assert_eq!(different.len(), 3);
        for (key, seed) in seeds(&world.plan(&["a"])) {
            assert_eq!(all[&key], seed);
        }
        // Written down: a seed printed by one version repeats the run in the next.
        assert_eq!(all[&("b".to_owned(), "probe/none".to_owned())], 13_500_101_717_182_729_783);
        world.seed = 8;
        assert!(seeds(&world.plan(&["a", "b"])).values().all(|seed| !different.contains(seed)));
    }
}
