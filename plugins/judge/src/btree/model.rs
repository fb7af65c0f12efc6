//! The model of the tree: a sorted map, and what two looks at the nodes may differ by.

use std::collections::BTreeMap;

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Value, json};

use super::dump::Dump;
use super::shape::Shape;
use crate::engine::{self, Answer, Op, Wrong, error, expect, value};

/// Visits of one operation that are right, for each level: down, and on the way back siblings to borrow from or merge with.
const VISITS_PER_LEVEL: u64 = 4;

/// What was asked, and what of the tree is known.
pub(super) struct Model {
    shape: Shape,
    pairs: BTreeMap<i64, Value>,
    /// The latest dump, and the operations since that may have changed the tree.
    latest: Option<(Dump, usize)>,
    /// What COST said last, and the point operations since.
    cost: Option<(u64, Vec<&'static str>)>,
    /// How many dumps were whole.
    pub(super) dumps: usize,
    /// Nodes that an operation visited, on average, when it was last looked at.
    pub(super) mean_cost: f64,
}

impl Model {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, pairs: BTreeMap::new(), latest: None, cost: None, dumps: 0, mean_cost: 0.0 }
    }

    fn dump(&mut self, answer: &Answer) -> Result<(), Wrong> {
        let dump = Dump::read(self.shape, answer, &self.pairs)?;
        if let Some((before, operations)) = &self.latest
            && *operations <= 1
        {
            let changes = dump.changes_since(before);
            let levels = dump.levels.max(before.levels);
            let most = if *operations == 0 { 0 } else { 3 * levels + 4 };
            if changes > most {
                return Err(Wrong::new(
                    "locality",
                    Text::new(
                        format!("at most {most} nodes that came, went or changed in one operation, not {changes}"),
                        format!("一次操作最多新增、消失或改变 {most} 个节点，而不是 {changes} 个"),
                    ),
                )
                .hint(Text::new(
                    "a node keeps its id as long as it lives; an operation touches the nodes on one way down and their siblings",
                    "节点在世时 id 不变；一次操作只涉及一条向下路径上的节点和它们的兄弟",
                )));
            }
        }
        self.latest = Some((dump, 0));
        self.dumps += 1;
        Ok(())
    }

    /// COST is the sum of visits. A tree that is found by way of its nodes visits some on each level, and not many more.
    fn cost(&mut self, answer: &Answer) -> Result<(), Wrong> {
        let Some(now) = answer.as_ref().ok().and_then(Value::as_u64) else {
            return Err(Wrong::new(
                "cost",
                Text::new("the number of nodes visited so far", "到目前为止访问过的节点数"),
            ));
        };
        let Some((before, operations)) = self.cost.replace((now, Vec::new())) else { return Ok(()) };
        let levels = self.latest.as_ref().map(|(dump, _)| dump.levels as u64);
        let (Some(levels), Some(first)) = (levels, operations.first()) else { return Ok(()) };
        let count = operations.len() as u64;
        let visits = now.saturating_sub(before);
        // The dump was before; inserting may have made the tree one level higher.
        let most = count * VISITS_PER_LEVEL * (levels + 1);
        // In a B+tree each goes down to a leaf; in a B-tree half of the keys are above, and one level up at most on average.
        let fewest = count * if self.shape.bplus { levels } else { levels.saturating_sub(1).max(1) };
        let fewest = if *first == "DEL" { count } else { fewest };
        let exact = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        self.mean_cost = exact(visits) / exact(count);
        if (fewest..=most).contains(&visits) {
            return Ok(());
        }
        Err(Wrong::new(
            "cost",
            Text::new(
                format!("{fewest} to {most} more than before ({before}): {count} × {first} in a tree of {levels} levels"),
                format!("比之前（{before}）多 {fewest} 到 {most}：在 {levels} 层的树上做了 {count} 次 {first}"),
            ),
        )
        .hint(Text::new(
            "count every node that an operation looks at, and go down by the separators",
            "操作每看一个节点就计一次数，并按分隔键向下走",
        )))
    }

    fn changes(&mut self, op: &Op) {
        if matches!(op.name, "PUT" | "DEL")
            && let Some((_, operations)) = &mut self.latest
        {
            *operations += 1;
        }
        if let Some((_, operations)) = &mut self.cost {
            operations.push(op.name);
        }
    }
}

impl engine::Model for Model {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        let key = op.integer(0);
        let pair = |pair: Option<(&i64, &Value)>| {
            pair.map(|(key, value)| json!([key, value])).ok_or_else(|| "EMPTY".to_owned())
        };
        let right = match op.name {
            "DUMP" => return self.dump(answer),
            "COST" => return self.cost(answer),
            "PUT" => {
                self.pairs.insert(key, op.args.get(1).cloned().unwrap_or_default());
                value(Value::Null)
            }
            "GET" => self.pairs.get(&key).cloned().ok_or_else(|| "KEY".to_owned()),
            "DEL" => self.pairs.remove(&key).ok_or_else(|| "KEY".to_owned()),
            "RANGE" => {
                let high = op.integer(1).max(key);
                value(self.pairs.range(key..high).map(|(key, value)| json!([key, value])).collect::<Vec<_>>())
            }
            "MIN" => pair(self.pairs.first_key_value()),
            "MAX" => pair(self.pairs.last_key_value()),
            "LEN" => value(self.pairs.len()),
            _ => error("OP"),
        };
        self.changes(op);
        expect(answer, &right)
    }
}
