//! The dump of a B-tree or B+tree, read and held against the invariants.

use std::collections::BTreeMap;

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::Value;
use serde::Deserialize;

use super::shape::Shape;
use crate::engine::{Answer, Wrong};

/// One node. Which of the lists there are depends on where it is: inner nodes have children, nodes with values as many as
/// keys.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(crate = "mustdo_plugin::serde")]
pub(super) struct Node {
    id: u64,
    keys: Vec<i64>,
    #[serde(default)]
    values: Option<Vec<Value>>,
    #[serde(default)]
    children: Option<Vec<u64>>,
    #[serde(default)]
    next: Option<u64>,
    #[serde(default)]
    prev: Option<u64>,
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children.as_ref().is_none_or(Vec::is_empty)
    }

    fn pair(&self, place: usize) -> Option<(&i64, &Value)> {
        self.keys.get(place).zip(self.values.as_ref()?.get(place))
    }
}

/// All nodes by their id.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Dump {
    root: u64,
    nodes: BTreeMap<u64, Node>,
    /// How many levels there are.
    pub(super) levels: usize,
}

#[derive(Deserialize)]
#[serde(crate = "mustdo_plugin::serde")]
struct Listed {
    root: u64,
    nodes: Vec<Node>,
}

const FORM: &str = r#"{"ok":{"root":ID,"nodes":[{"id":ID,"keys":[…],"values":[…] or null,"children":[ID,…] or null,"next":ID or null,"prev":ID or null},…]}}"#;

impl Dump {
    /// Reads a dump and holds it against the invariants and the pairs that must be in it.
    pub(super) fn read(shape: Shape, answer: &Answer, pairs: &BTreeMap<i64, Value>) -> Result<Self, Wrong> {
        let form = || Wrong::new("dump", Text::same(FORM));
        let value = answer.as_ref().map_err(|_| form())?;
        let Listed { root, nodes } = Listed::deserialize(value).map_err(|_| form())?;
        let count = nodes.len();
        let nodes: BTreeMap<_, _> = nodes.into_iter().map(|node| (node.id, node)).collect();
        if nodes.len() != count || !nodes.contains_key(&root) {
            return Err(form());
        }
        let mut dump = Self { root, nodes, levels: 0 };
        let mut walk = Walk { shape, dump: &dump, pairs: Vec::new(), leaves: Vec::new(), left: count };
        let levels = walk.below(root, None, None, 64)?;
        let Walk { pairs: seen, leaves, left, .. } = walk;
        if left > 0 {
            return Err(wrong(
                "shape",
                "a listing of the nodes of the tree and no others",
                "只列出树上的节点",
            ));
        }
        if !seen.iter().copied().eq(pairs.iter()) {
            return Err(wrong(
                "shape",
                format!("the {} keys with their values, each once and in order", pairs.len()),
                format!("恰好是这 {} 个键和它们的值，每个一次，按序排列", pairs.len()),
            ));
        }
        if shape.bplus {
            dump.linked(&leaves)?;
        }
        let most = shape.most_levels(pairs.len());
        if levels > most {
            return Err(wrong(
                "shape",
                format!("at most {most} levels for {} keys, not {levels}", pairs.len()),
                format!("{} 个键最多 {most} 层，而不是 {levels} 层", pairs.len()),
            ));
        }
        dump.levels = levels;
        Ok(dump)
    }

    /// Nodes that came, went or changed.
    pub(super) fn changes_since(&self, before: &Self) -> usize {
        let changed = self.nodes.iter().filter(|(id, node)| before.nodes.get(id) != Some(node)).count();
        changed + before.nodes.keys().filter(|id| !self.nodes.contains_key(id)).count()
    }

    /// The chain of the leaves, in both directions.
    fn linked(&self, leaves: &[u64]) -> Result<(), Wrong> {
        for (place, id) in leaves.iter().enumerate() {
            let Some(node) = self.nodes.get(id) else { continue };
            let prev = place.checked_sub(1).map(|place| leaves[place]);
            let next = leaves.get(place + 1).copied();
            if (node.prev, node.next) != (prev, next) {
                let shown = |id: Option<u64>| id.map_or_else(|| "null".to_owned(), |id| id.to_string());
                let links = format!("\"prev\":{},\"next\":{}", shown(prev), shown(next));
                return Err(wrong(
                    "leaf-links",
                    format!("leaf {id} with {links}: the leaves beside it"),
                    format!("叶子 {id} 的链接是 {links}：它两边的叶子"),
                )
                .hint(Text::new(
                    "when leaves split or merge, mend the links of both neighbours",
                    "叶子分裂或合并时，两边邻居的链接都要改",
                )));
            }
        }
        Ok(())
    }
}

/// A walk over the tree, keys in order. It ends however the nodes are linked: none is taken twice.
struct Walk<'dump> {
    shape: Shape,
    dump: &'dump Dump,
    pairs: Vec<(&'dump i64, &'dump Value)>,
    leaves: Vec<u64>,
    left: usize,
}

impl Walk<'_> {
    /// The levels from a node down, whose keys are not below `low` and below `high`.
    fn below(&mut self, id: u64, low: Option<i64>, high: Option<i64>, deepest: u32) -> Result<usize, Wrong> {
        let dump = self.dump;
        let linked = || {
            wrong(
                "dump",
                format!("children that are listed, each under one node ({id})"),
                format!("孩子都要列出来，而且只在一个节点下面（{id}）"),
            )
        };
        let node = dump.nodes.get(&id).ok_or_else(linked)?;
        let deeper = deepest.checked_sub(1).ok_or_else(linked)?;
        self.left = self.left.checked_sub(1).ok_or_else(linked)?;
        self.keys(node, low, high)?;
        self.filled(node)?;
        let has_values = node.values.as_ref().is_some_and(|values| !values.is_empty());
        if node.is_leaf() {
            self.leaves.push(id);
            self.pairs.extend(node.keys.iter().zip(node.values.as_deref().unwrap_or_default()));
            return Ok(1);
        }
        if self.shape.bplus && has_values {
            return Err(wrong(
                "shape",
                format!("no values in inner node {id}: in a B+tree they are in leaves only"),
                format!("内部节点 {id} 里没有值：B+ 树的值只在叶子里"),
            ));
        }
        let children = node.children.as_deref().unwrap_or_default();
        let mut levels = None;
        for (place, child) in children.iter().enumerate() {
            let from = place.checked_sub(1).map_or(low, |place| node.keys.get(place).copied());
            let to = node.keys.get(place).copied().or(high);
            let below = self.below(*child, from, to, deeper)?;
            if *levels.get_or_insert(below) != below {
                return Err(wrong("shape", "leaves that are all at the same depth", "所有叶子在同一层"));
            }
            if let (false, Some(pair)) = (self.shape.bplus, node.pair(place)) {
                self.pairs.push(pair);
            }
        }
        Ok(1 + levels.unwrap_or_default())
    }

    /// Keys rise and stay between the separators above. The one on the left is a key of the right side in a B+tree, and of
    /// neither in a B-tree.
    fn keys(&self, node: &Node, low: Option<i64>, high: Option<i64>) -> Result<(), Wrong> {
        let rises = node.keys.windows(2).all(|pair| pair[0] < pair[1]);
        let above = |low: i64| {
            node.keys.first().is_none_or(|key| if self.shape.bplus { *key >= low } else { *key > low })
        };
        let below = |high: i64| node.keys.last().is_none_or(|key| *key < high);
        if rises && low.is_none_or(above) && high.is_none_or(below) {
            return Ok(());
        }
        let bound = |bound: Option<i64>| bound.map_or_else(|| "…".to_owned(), |key| key.to_string());
        let range = format!("{} … {}", bound(low), bound(high));
        Err(wrong(
            "separators",
            format!("rising keys between the separators above ({range}) in node {}", node.id),
            format!("节点 {} 的键递增，并且在上层的分隔键之间（{range}）", node.id),
        )
        .hint(Text::new(
            "after borrowing from a sibling or merging, put the new border into the parent",
            "向兄弟借键或合并之后，要更新父节点里的分隔键",
        )))
    }

    /// As many keys, values and children as the order allows.
    fn filled(&self, node: &Node) -> Result<(), Wrong> {
        let Node { id, keys, values, children, .. } = node;
        let is_root = *id == self.dump.root;
        let fewest = match (is_root, node.is_leaf()) {
            (false, _) => self.shape.fewest_keys(),
            (true, false) => 1,
            (true, true) => 0,
        };
        let most = self.shape.most_keys();
        if !(fewest..=most).contains(&keys.len()) {
            return Err(wrong(
                "fill",
                format!("{fewest} to {most} keys in node {id}, not {}", keys.len()),
                format!("节点 {id} 有 {fewest} 到 {most} 个键，而不是 {} 个", keys.len()),
            )
            .hint(Text::new(
                "split a node that is too full; fill one that is too empty from a sibling, or merge them; a root without keys gives way to its child",
                "节点太满就分裂；太空就向兄弟借或与它合并；没有键的根让位给它的孩子",
            )));
        }
        let needs_values = node.is_leaf() || !self.shape.bplus;
        let values = values.as_ref().map_or(0, Vec::len);
        if needs_values && values != keys.len() {
            return Err(wrong(
                "dump",
                format!("{} values in node {id}, one for each key", keys.len()),
                format!("节点 {id} 有 {} 个值，每个键一个", keys.len()),
            ));
        }
        let children = children.as_ref().map_or(0, Vec::len);
        if children != 0 && children != keys.len() + 1 {
            return Err(wrong(
                "shape",
                format!("{} children of node {id}, one more than keys", keys.len() + 1),
                format!("节点 {id} 有 {} 个孩子，比键多一个", keys.len() + 1),
            ));
        }
        Ok(())
    }
}

fn wrong(rule: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Wrong {
    Wrong::new(rule, Text::new(en, zh))
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

    use super::*;

    fn read(bplus: bool, keys: &[i64], dump: Value) -> Result<Dump, &'static str> {
        let pairs = keys.iter().map(|key| (*key, json!(0))).collect();
        Dump::read(Shape { bplus, order: 4 }, &Ok(dump), &pairs).map_err(|wrong| wrong.rule)
    }

    fn leaf(id: u64, keys: &[i64], prev: Option<u64>, next: Option<u64>) -> Value {
        json!({ "id": id, "keys": keys, "values": vec![0; keys.len()], "prev": prev, "next": next })
    }

    fn bplus(separator: i64, next: Option<u64>) -> Value {
        let nodes = [
            json!({ "id": 1, "keys": [separator], "children": [2, 3] }),
            leaf(2, &[1, 2], None, next),
            leaf(3, &[3, 4], Some(2), None),
        ];
        json!({ "root": 1, "nodes": nodes })
    }

    #[test]
    fn a_bplus_tree_is_told_from_what_is_none() {
        assert_eq!(read(true, &[1, 2, 3, 4], bplus(3, Some(3))).map(|dump| dump.levels), Ok(2));
        assert_eq!(read(true, &[1, 2, 3, 4], bplus(4, Some(3))).unwrap_err(), "separators");
        assert_eq!(read(true, &[1, 2, 3, 4], bplus(2, Some(3))).unwrap_err(), "separators");
        assert_eq!(read(true, &[1, 2, 3, 4], bplus(3, None)).unwrap_err(), "leaf-links");
        assert_eq!(read(true, &[1, 2, 3], bplus(3, Some(3))).unwrap_err(), "shape");
        let mut inside = bplus(3, Some(3));
        inside["nodes"][0]["values"] = json!([0]);
        assert_eq!(read(true, &[1, 2, 3, 4], inside).unwrap_err(), "shape");
    }

    #[test]
    fn a_btree_keeps_values_in_every_node() {
        let tree = |middle: &[i64]| {
            let nodes = [
                json!({ "id": 1, "keys": middle, "values": [0], "children": [2, 3] }),
                json!({ "id": 2, "keys": [1], "values": [0] }),
                json!({ "id": 3, "keys": [4, 5], "values": [0, 0] }),
            ];
            json!({ "root": 1, "nodes": nodes })
        };
        assert_eq!(read(false, &[1, 3, 4, 5], tree(&[3])).map(|dump| dump.levels), Ok(2));
        assert_eq!(read(false, &[1, 4, 5], tree(&[4])).unwrap_err(), "separators");
        assert_eq!(read(false, &[1, 4, 5], tree(&[])).unwrap_err(), "fill");
    }

    #[test]
    fn a_root_may_be_nearly_empty_and_nobody_else() {
        assert_eq!(
            read(true, &[], json!({ "root": 9, "nodes": [leaf(9, &[], None, None)] }))
                .map(|dump| dump.levels),
            Ok(1)
        );
        let collapsed = json!({ "root": 1, "nodes": [{ "id": 1, "keys": [], "children": [2] }, leaf(2, &[1], None, None)] });
        assert_eq!(read(true, &[1], collapsed).unwrap_err(), "fill");
        let full = json!({ "root": 1, "nodes": [leaf(1, &[1, 2, 3, 4], None, None)] });
        assert_eq!(read(true, &[1, 2, 3, 4], full).unwrap_err(), "fill");
    }

    #[test]
    fn what_changed_is_counted_by_node() {
        let before = read(true, &[1, 2, 3, 4], bplus(3, Some(3))).unwrap();
        assert_eq!(before.changes_since(&before), 0);
        let small = read(true, &[7], json!({ "root": 9, "nodes": [leaf(9, &[7], None, None)] })).unwrap();
        assert_eq!(small.changes_since(&before), 4);
    }
}
