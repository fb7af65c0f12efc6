//! Which checks run, with what, and why the others do not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use semver::Version;

use super::order::{Frontier, needs_first};
use super::permission::{Permission, Programs, judge};
use super::{Installed, Job, LeftOut, MissingGrant, Task, TaskId, Why};
use crate::model::{
    Capability, Catalog, CheckId, CheckInfo, Definition, Digest, Endpoint, Hasher, Item, ItemId, PluginId,
    Settings, Span, TargetName, Text, Value,
};
use crate::process::Supervised;

/// What a run will do, before anything is started.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What runs: each after the tasks it has to wait for. A task's id is its index.
    pub tasks: Vec<Planned>,
    /// What does not, in the same order.
    pub left_out: Vec<LeftOut>,
    /// What the user may want to allow, by plugin and capability; also what checks can do without.
    pub missing_grants: Vec<MissingGrant>,
}

/// What a plan is made from.
pub struct PlanInput<'a> {
    /// The selected items.
    pub items: &'a [&'a Item],
    /// Those of them that the user named one by one: only for these is it worth saying that there is no check.
    pub named: &'a BTreeSet<ItemId>,
    /// Where needed items are found.
    pub catalog: &'a Catalog,
    /// Targets, bindings, grants, time limit.
    pub settings: &'a Settings,
    /// The installed plugin of that name.
    pub plugins: &'a dyn Fn(&PluginId) -> Option<Installed<'a>>,
    /// Where the programs of command targets are: permission to start one is for that one.
    pub programs: &'a Programs<'a>,
    /// The parameters as JSON text, once they are valid against the check's schema.
    pub params: &'a ParamsText,
    /// Of the whole run.
    pub seed: u64,
    /// The time for each check, asked for on the command line: instead of everything else that would decide it.
    pub timeout: Option<Span>,
}

/// Turns parameters into the JSON text that the plugin reads, or says what its schema has against them.
pub type ParamsText = dyn Fn(&CheckInfo, &BTreeMap<String, Value>) -> Result<String, ParamsFault>;

/// Parameters that a check can not be asked with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParamsFault {
    /// Required ones that nobody gave, by name.
    pub missing: Vec<String>,
    /// What is wrong with those that were given, a sentence each.
    pub wrong: Vec<String>,
}

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

impl Plan {
    /// A check gets at least this long, however fast its plugin thinks it is: machines are busy.
    const SHORTEST: Duration = Duration::from_secs(10);
    /// A check that takes this many times as long as usual hangs.
    const PATIENCE: u32 = 5;

    /// Plans a run.
    #[must_use]
    pub fn new(input: &PlanInput<'_>) -> Self {
        let mut plan = Self { tasks: vec![], left_out: vec![], missing_grants: vec![] };
        let mut missing = Missing::new();
        let mut frontier = Frontier::default();
        let selected: HashSet<&ItemId> = input.items.iter().map(|item| &item.id).collect();
        for item in needs_first(input.items, input.catalog) {
            let before = frontier.before(item);
            let mut own = vec![];
            if selected.contains(&item.id) {
                if item.checks.is_empty() && input.named.contains(&item.id) {
                    plan.left_out.push(LeftOut { item: item.id.clone(), check: None, why: Why::NoCheck });
                }
                for definition in input.settings.definitions(item) {
                    let check = definition.uses.clone();
                    match Candidate::new(input, item, definition, &mut missing) {
                        Ok(candidate) => {
                            let id = TaskId(plan.tasks.len());
                            plan.tasks.push(candidate.planned(input, id, item, before.clone()));
                            own.push(id);
                        }
                        Err(why) => {
                            plan.left_out.push(LeftOut { item: item.id.clone(), check: Some(check), why });
                        }
                    }
                }
            }
            frontier.passed(item, own, before);
        }
        plan.missing_grants = missing.into_values().collect();
        plan
    }

    /// The workspace's targets that its tasks use: what has to be started.
    #[must_use]
    pub fn targets(&self) -> BTreeSet<&TargetName> {
        self.tasks.iter().flat_map(|task| task.targets.values()).collect()
    }
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
}

impl Planned {
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

type Missing = BTreeMap<(PluginId, Capability), MissingGrant>;

/// A check that nothing stands in the way of.
struct Candidate<'a> {
    definition: Definition,
    plugin: Installed<'a>,
    check: &'a CheckInfo,
    targets: BTreeMap<TargetName, TargetName>,
    allowed: BTreeSet<Capability>,
    programs: BTreeMap<TargetName, PathBuf>,
    params: String,
}

impl<'a> Candidate<'a> {
    fn new(
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
        let mut refused = vec![];
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

        for (request, capability, permit) in &refused {
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

    fn planned(self, input: &PlanInput<'_>, id: TaskId, item: &Item, after: Vec<TaskId>) -> Planned {
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

/// A task's own seed: neither the order of tasks nor what else is selected changes it.
fn seed(run: u64, item: &ItemId, check: &CheckId) -> u64 {
    let mut hasher = Hasher::default();
    hasher.field("seed").field(run.to_le_bytes()).field(item.as_str()).field(check.to_string());
    hasher.finish().number()
}

/// How long a check may take: `flag` where given; otherwise some times its usual time, but not more than `setting`.
#[must_use]
pub fn deadline(typical: Duration, setting: Option<Span>, flag: Option<Span>) -> Duration {
    flag.map_or_else(
        || {
            let patient = typical.saturating_mul(Plan::PATIENCE).max(Plan::SHORTEST);
            setting.map_or(patient, |limit| patient.min(limit.get()))
        },
        Span::get,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Address, Authority, CapabilityRequest, CheckUse, Checklist, Grant, ItemBinding, Kind, Level, Permit,
        Place, PluginInfo, Target, TargetKind, Weight,
    };
    use crate::verify::Unbound;

    /// Checks of the plugin `probe`: name, what it asks for ("?" in front where it can do without), seconds.
    const CHECKS: [(&str, &[&str], u64); 5] = [
        ("plain", &["http:api"], 1),
        ("slow", &["http:api"], 60),
        ("tree", &["read:src", "?scratch:src"], 1),
        ("program", &["process:worker", "scratch:src"], 1),
        ("none", &[], 1),
    ];

    struct World {
        catalog: Catalog,
        settings: Settings,
        info: PluginInfo,
        named: BTreeSet<ItemId>,
        seed: u64,
        timeout: Option<Span>,
    }

    impl World {
        /// Items as "id: checks; needs".
        fn new(items: &[&str]) -> Self {
            let items = items.iter().map(|line| item(line)).collect();
            let address = Address { host: "127.0.0.1".to_owned(), port: None };
            let web = Target { place: Place::Http { address, prefix: String::new() }, launch: None };
            let src = Target { place: Place::Dir(".".to_owned()), launch: None };
            let targets = [("web".parse().unwrap(), web), ("src".parse().unwrap(), src)].into();
            Self {
                catalog: Catalog::new(vec![Checklist {
                    id: "list".parse().unwrap(),
                    version: Version::new(1, 0, 0),
                    title: Text::same("List"),
                    groups: vec![],
                    items,
                }]),
                settings: Settings { targets, ..Settings::default() },
                info: info(),
                named: BTreeSet::new(),
                seed: 7,
                timeout: None,
            }
        }

        fn plan(&self, selected: &[&str]) -> Plan {
            let items: Vec<&Item> =
                self.catalog.items().filter(|item| selected.contains(&item.id.as_str())).collect();
            Plan::new(&PlanInput {
                items: &items,
                named: &self.named,
                catalog: &self.catalog,
                settings: &self.settings,
                plugins: &|id| {
                    (*id == self.info.id).then_some(Installed {
                        digest: Digest::of(b"probe"),
                        info: &self.info,
                        embedded: true,
                    })
                },
                programs: &|_| Some("/usr/bin/worker".into()),
                params: &|_, values| match values.get("n") {
                    Some(Value::Text(text)) if text == "missing" => {
                        Err(ParamsFault { missing: vec!["op".to_owned()], wrong: vec![] })
                    }
                    Some(Value::Text(_)) => {
                        Err(ParamsFault { missing: vec![], wrong: vec!["n is not a number".to_owned()] })
                    }
                    _ => Ok(format!("{} values", values.len())),
                },
                seed: self.seed,
                timeout: self.timeout,
            })
        }
    }

    fn info() -> PluginInfo {
        let checks = CHECKS.map(|(id, asks, seconds)| CheckInfo {
            id: id.into(),
            title: Text::same(id),
            description: Text::same(""),
            params_schema: None,
            capabilities: asks
                .iter()
                .map(|ask| CapabilityRequest {
                    capability: ask.trim_start_matches('?').parse().unwrap(),
                    reason: Text::same("to look"),
                    required: !ask.starts_with('?'),
                })
                .collect(),
            typical: Duration::from_secs(seconds),
            exclusive: id == "slow",
        });
        PluginInfo {
            id: "probe".parse().unwrap(),
            version: Version::new(1, 2, 3),
            title: Text::same("Probe"),
            license: String::new(),
            homepage: String::new(),
            checks: checks.into(),
        }
    }

    fn item(line: &str) -> Item {
        let (id, rest) = line.split_once(':').unwrap();
        let (checks, needs) = rest.split_once(';').unwrap_or((rest, ""));
        let target: BTreeMap<TargetName, TargetName> = [("api", "web"), ("src", "src"), ("worker", "worker")]
            .map(|(plugin, workspace)| (plugin.parse().unwrap(), workspace.parse().unwrap()))
            .into();
        Item {
            id: id.parse().unwrap(),
            formerly: vec![],
            group: "g".parse().unwrap(),
            title: Text::same(id),
            level: Level::Must,
            weight: Weight::new(1).unwrap(),
            needs: needs.split_whitespace().map(|need| need.parse().unwrap()).collect(),
            tags: vec![],
            fresh_for: None,
            source: None,
            kind: Kind::Verify,
            hints: vec![],
            checks: checks
                .split_whitespace()
                .map(|uses| CheckUse {
                    uses: uses.parse().unwrap(),
                    target: target.clone(),
                    with: BTreeMap::new(),
                    watch: vec![],
                })
                .collect(),
            cards: vec![],
        }
    }

    fn order(plan: &Plan) -> Vec<(&str, Vec<usize>)> {
        let after = |task: &Planned| task.after.iter().map(|id| id.0).collect();
        plan.tasks.iter().map(|task| (task.item.as_str(), after(task))).collect()
    }

    fn whys(plan: &Plan) -> Vec<(&str, &Why)> {
        plan.left_out.iter().map(|left| (left.item.as_str(), &left.why)).collect()
    }

    #[test]
    fn needed_items_come_first_also_through_items_without_tasks() {
        let world = World::new(&[
            "a: probe/plain; b",
            "b: probe/none probe/plain",
            "c: probe/none; middle",
            "middle: ; deep unknown",
            "deep: probe/nothing; a",
        ]);
        let plan = world.plan(&["a", "b", "c", "middle", "deep"]);
        assert_eq!(
            order(&plan),
            [("b", vec![]), ("b", vec![]), ("a", vec![0, 1]), ("c", vec![2])],
            "deep has no task of its own, middle no check"
        );
        // Items in between hold the order even where they are not selected; items that do not run are not waited for.
        assert_eq!(order(&world.plan(&["a", "c"])), [("a", vec![]), ("c", vec![0])]);
        assert_eq!(order(&world.plan(&["c"])), [("c", vec![])]);
    }

    #[test]
    fn a_circle_of_needs_still_runs_every_item_once() {
        let world = World::new(&["a: probe/none; b", "b: probe/none; c", "c: probe/none; a"]);
        assert_eq!(order(&world.plan(&["a", "b", "c"])), [("c", vec![]), ("b", vec![0]), ("a", vec![1])]);
    }

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

    #[test]
    fn deadlines_are_patient_and_the_command_line_has_the_last_word() {
        let span = |text: &str| Some(text.parse().unwrap());
        for (typical, setting, flag, seconds) in [
            (1, None, None, 10),
            (60, None, None, 300),
            (60, span("30s"), None, 30),
            (1, span("30s"), None, 10),
            (1, span("3s"), None, 3),
            (60, span("30s"), span("20m"), 1200),
            (60, None, span("1s"), 1),
        ] {
            let planned = deadline(Duration::from_secs(typical), setting, flag);
            assert_eq!(planned, Duration::from_secs(seconds), "{typical} {setting:?} {flag:?}");
        }
    }

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
