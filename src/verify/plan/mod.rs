//! Which checks run, with what, and why the others do not.

mod candidate;
mod deadline;
mod planned;
#[cfg(test)]
mod world;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::order::{Frontier, needs_first};
use super::permission::Programs;
use super::{Installed, LeftOut, MissingGrant, TaskId, Why};
use crate::model::{Catalog, CheckInfo, Item, ItemId, PluginId, Settings, Span, TargetName, Value};
use candidate::{Candidate, Missing};

pub use deadline::deadline;
pub use planned::Planned;

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

impl Plan {
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

    /// Leaves these tasks out and numbers the others anew. What waited for one of them waits for what that would have waited
    /// for: the order of the others stays.
    pub fn remove(&mut self, ids: &BTreeSet<TaskId>) {
        // What to wait for in the place of each task, by its old id; a task comes after all that it waits for.
        let mut instead: Vec<Vec<TaskId>> = Vec::with_capacity(self.tasks.len());
        let mut kept = vec![];
        for mut task in std::mem::take(&mut self.tasks) {
            let mut after: Vec<_> = task.after.iter().flat_map(|id| instead[id.0].clone()).collect();
            after.sort_unstable();
            after.dedup();
            if ids.contains(&task.id) {
                instead.push(after);
            } else {
                task.id = TaskId(kept.len());
                task.after = after;
                instead.push(vec![task.id]);
                kept.push(task);
            }
        }
        self.tasks = kept;
    }

    /// The workspace's targets that its tasks use: what has to be started.
    #[must_use]
    pub fn targets(&self) -> BTreeSet<&TargetName> {
        self.tasks.iter().flat_map(|task| task.targets.values()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::TaskId;
    use super::world::{World, order};

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
    fn what_is_removed_hands_its_order_on() {
        let world = World::new(&[
            "a: probe/plain; b",
            "b: probe/none probe/plain; c",
            "c: probe/none",
            "d: probe/none; b c",
        ]);
        let without = |ids: &[usize]| {
            let mut plan = world.plan(&["a", "b", "c", "d"]);
            assert_eq!(order(&plan)[0..2], [("c", vec![]), ("b", vec![0])]);
            plan.remove(&ids.iter().map(|&id| TaskId(id)).collect());
            assert!(plan.tasks.iter().enumerate().all(|(place, task)| task.id == TaskId(place)));
            order(&plan).into_iter().map(|(item, after)| (item.to_owned(), after)).collect::<Vec<_>>()
        };
        let named = |item: &str, after: Vec<usize>| (item.to_owned(), after);
        assert_eq!(
            without(&[1, 2]),
            [named("c", vec![]), named("a", vec![0]), named("d", vec![0])],
            "through all of b"
        );
        assert_eq!(without(&[0]).len(), 4);
        assert_eq!(without(&[0, 1, 2, 3, 4]), []);
    }

    #[test]
    fn a_circle_of_needs_still_runs_every_item_once() {
        let world = World::new(&["a: probe/none; b", "b: probe/none; c", "c: probe/none; a"]);
        assert_eq!(order(&world.plan(&["a", "b", "c"])), [("c", vec![]), ("b", vec![0]), ("a", vec![1])]);
    }
}
