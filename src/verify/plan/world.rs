//! Items, a plugin and settings to plan with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semver::Version;

use super::{ParamsFault, Plan, PlanInput, Planned};
use crate::model::{
    Address, CapabilityRequest, Catalog, CheckInfo, CheckUse, Checklist, Digest, Item, ItemId, Kind, Level,
    Place, PluginInfo, Settings, Span, Target, TargetName, Text, Value, Weight,
};
use crate::verify::{Installed, Why};

/// Checks of the plugin `probe`: name, what it asks for ("?" in front where it can do without), seconds.
const CHECKS: [(&str, &[&str], u64); 5] = [
    ("plain", &["http:api"], 1),
    ("slow", &["http:api"], 60),
    ("tree", &["read:src", "?scratch:src"], 1),
    ("program", &["process:worker", "scratch:src"], 1),
    ("none", &[], 1),
];

pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) settings: Settings,
    info: PluginInfo,
    pub(super) named: BTreeSet<ItemId>,
    pub(super) seed: u64,
    timeout: Option<Span>,
}

impl World {
    /// Items as "id: checks; needs".
    pub(super) fn new(items: &[&str]) -> Self {
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

    pub(super) fn plan(&self, selected: &[&str]) -> Plan {
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

pub(super) fn order(plan: &Plan) -> Vec<(&str, Vec<usize>)> {
    let after = |task: &Planned| task.after.iter().map(|id| id.0).collect();
    plan.tasks.iter().map(|task| (task.item.as_str(), after(task))).collect()
}

pub(super) fn whys(plan: &Plan) -> Vec<(&str, &Why)> {
    plan.left_out.iter().map(|left| (left.item.as_str(), &left.why)).collect()
}
