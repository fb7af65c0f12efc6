//! The dump of a search tree: `{"root": id, "nodes": [{"id", "k", "l", "r", …}]}`, held against its rules.

use std::collections::HashMap;

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::Value;

use crate::engine::{Answer, Wrong};

/// What is asked of the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Avl,
    RedBlack,
    Treap,
    Any,
}

impl Kind {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "avl" => Some(Self::Avl),
            "rb" => Some(Self::RedBlack),
            "treap" => Some(Self::Treap),
            "any" => Some(Self::Any),
            _ => None,
        }
    }
}

/// The tree of a dump has these pairs' keys in order, is as high as was said, and keeps the rules of its kind.
pub(super) fn judge(
    kind: Kind,
    pairs: &[(i64, Value)],
    height: Option<u64>,
    answer: &Answer,
) -> Result<(), Wrong> {
    let (root, nodes) = read(answer)?;
    let seen = Walk { kind, nodes: &nodes, keys: Vec::new(), left: nodes.len() }.whole(root)?;
    if !seen.keys.iter().eq(pairs.iter().map(|(key, _)| key)) || seen.left > 0 {
        return Err(wrong(
            "shape",
            format!("a search tree of exactly the {} keys, each once and in order", pairs.len()),
            format!("恰好由这 {} 个键组成的查找树，每个一次，按序排列", pairs.len()),
        ));
    }
    if height.is_some_and(|height| height != seen.levels) {
        return Err(wrong(
            "shape",
            format!("as many levels as HEIGHT said, not {}", seen.levels),
            format!("与 HEIGHT 说的层数相同，而不是 {}", seen.levels),
        ));
    }
    Ok(())
}

/// One node.
struct Node {
    key: i64,
    left: Option<u64>,
    right: Option<u64>,
    is_red: bool,
    priority: i64,
}

fn read(answer: &Answer) -> Result<(Option<u64>, HashMap<u64, Node>), Wrong> {
    let form = || {
        let form = r#"{"ok":{"root":ID,"nodes":[{"id":ID,"k":KEY,"l":ID or null,"r":ID or null},…]}}"#;
        wrong("dump", form.to_owned(), form.to_owned())
    };
    let dump = answer.as_ref().map_err(|_| form())?;
    let listed = dump.get("nodes").and_then(Value::as_array).ok_or_else(form)?;
    let link = |node: &Value, name: &str| match node.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(id) => id.as_u64().map(Some),
    };
    let read = |node: &Value| {
        let number = |name: &str| node.get(name).and_then(Value::as_i64);
        let read = Node {
            key: number("k")?,
            left: link(node, "l")?,
            right: link(node, "r")?,
            is_red: node.get("c").and_then(Value::as_str) == Some("r"),
            priority: number("p").unwrap_or_default(),
        };
        Some((node.get("id")?.as_u64()?, read))
    };
    let nodes: Option<HashMap<_, _>> = listed.iter().map(read).collect();
    let nodes = nodes.filter(|nodes| nodes.len() == listed.len()).ok_or_else(form)?;
    Ok((link(dump, "root").ok_or_else(form)?, nodes))
}

/// A walk over the tree, in order. It ends however the nodes are linked: none is taken twice.
struct Walk<'dump> {
    kind: Kind,
    nodes: &'dump HashMap<u64, Node>,
    keys: Vec<i64>,
    /// Nodes that were not seen yet.
    left: usize,
}

/// What a walk has seen.
struct Seen {
    keys: Vec<i64>,
    left: usize,
    levels: u64,
}

/// The sides of a node: levels, and black ones on the way down.
#[derive(Clone, Copy, Default)]
struct Side {
    levels: u64,
    black: u64,
}

impl Walk<'_> {
    fn whole(mut self, root: Option<u64>) -> Result<Seen, Wrong> {
        let is_red = |id: &u64| self.nodes.get(id).is_some_and(|node| node.is_red);
        if self.kind == Kind::RedBlack && root.as_ref().is_some_and(is_red) {
            return Err(wrong("shape", "a black root".to_owned(), "根是黑色".to_owned()));
        }
        // A tree deeper than this is not balanced; the height was asked for before.
        let side = self.side(root, 128)?;
        Ok(Seen { keys: self.keys, left: self.left, levels: side.levels })
    }

    fn side(&mut self, id: Option<u64>, deepest: u32) -> Result<Side, Wrong> {
        let Some(id) = id else { return Ok(Side::default()) };
        let nodes = self.nodes;
        let linked = || {
            wrong(
                "dump",
                format!("links that lead to each node once, and to none that is not listed ({id})"),
                format!("每个节点恰好被指到一次，不指向没有列出的节点（{id}）"),
            )
        };
        let node = nodes.get(&id).ok_or_else(linked)?;
        let deeper = deepest.checked_sub(1).ok_or_else(linked)?;
        self.left = self.left.checked_sub(1).ok_or_else(linked)?;
        let left = self.side(node.left, deeper)?;
        self.keys.push(node.key);
        let right = self.side(node.right, deeper)?;
        self.rules(node, left, right)?;
        Ok(Side { levels: 1 + left.levels.max(right.levels), black: left.black + u64::from(!node.is_red) })
    }

    fn rules(&self, node: &Node, left: Side, right: Side) -> Result<(), Wrong> {
        let key = node.key;
        let children = [node.left, node.right].map(|id| id.and_then(|id| self.nodes.get(&id)));
        let mut children = children.into_iter().flatten();
        let (holds, en, zh) = match self.kind {
            Kind::Avl => (
                left.levels.abs_diff(right.levels) <= 1,
                format!(
                    "sides of {key} that differ by one level at most, not {} and {}",
                    left.levels, right.levels
                ),
                format!("{key} 的两边最多差一层，而不是 {} 和 {}", left.levels, right.levels),
            ),
            Kind::RedBlack => (
                left.black == right.black && !(node.is_red && children.any(|child| child.is_red)),
                format!("as many black nodes on both sides of {key}, and no red child of a red node"),
                format!("{key} 两边的黑色节点一样多，红色节点没有红色的孩子"),
            ),
            Kind::Treap => (
                children.all(|child| child.priority <= node.priority),
                format!("no child of {key} with a higher priority"),
                format!("{key} 的孩子优先级都不比它高"),
            ),
            Kind::Any => return Ok(()),
        };
        if holds { Ok(()) } else { Err(wrong("shape", en, zh)) }
    }
}

fn wrong(rule: &'static str, en: String, zh: String) -> Wrong {
    Wrong::new(rule, Text { en, zh })
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::serde_json::json;

    use super::*;

    fn judged(kind: Kind, keys: &[i64], dump: Value) -> Result<(), &'static str> {
        let pairs: Vec<_> = keys.iter().map(|key| (*key, Value::Null)).collect();
        judge(kind, &pairs, None, &Ok(dump)).map_err(|wrong| wrong.rule)
    }

    #[test]
    fn order_and_links_are_seen() {
        let tree =
            json!({ "root": 1, "nodes": [{ "id": 1, "k": 5, "l": 2, "r": null }, { "id": 2, "k": 3 }] });
        assert_eq!(judged(Kind::Avl, &[3, 5], tree.clone()), Ok(()));
        assert_eq!(judged(Kind::Avl, &[5], tree.clone()), Err("shape"));
        assert_eq!(judged(Kind::Any, &[3, 6], tree), Err("shape"));
        let turned = json!({ "root": 1, "nodes": [{ "id": 1, "k": 5, "r": 2 }, { "id": 2, "k": 3 }] });
        assert_eq!(judged(Kind::Any, &[3, 5], turned), Err("shape"));
        for broken in [
            json!({ "root": 1, "nodes": [{ "id": 1, "k": 5, "l": 1 }] }),
            json!({ "root": 1, "nodes": [{ "id": 1, "k": 5, "l": 7 }] }),
            json!({ "root": 1, "nodes": [{ "id": 1, "k": 5 }, { "id": 1, "k": 6 }] }),
            json!([]),
        ] {
            assert_eq!(judged(Kind::Any, &[5], broken), Err("dump"));
        }
        let apart = json!({ "root": 1, "nodes": [{ "id": 1, "k": 5 }, { "id": 2, "k": 6 }] });
        assert_eq!(judged(Kind::Any, &[5], apart), Err("shape"));
        assert_eq!(judged(Kind::Any, &[], json!({ "root": null, "nodes": [] })), Ok(()));
    }

    #[test]
    fn each_kind_has_its_rules() {
        let chain = |colors: [&str; 3], priorities: [i64; 3]| {
            json!({ "root": 1, "nodes": [
                { "id": 1, "k": 1, "r": 2, "c": colors[0], "p": priorities[0] },
                { "id": 2, "k": 2, "r": 3, "c": colors[1], "p": priorities[1] },
                { "id": 3, "k": 3, "c": colors[2], "p": priorities[2] },
            ] })
        };
        let keys = [1, 2, 3];
        assert_eq!(judged(Kind::Avl, &keys, chain(["b"; 3], [0; 3])), Err("shape"));
        assert_eq!(judged(Kind::Any, &keys, chain(["b"; 3], [0; 3])), Ok(()));
        assert_eq!(judged(Kind::Treap, &keys, chain(["b"; 3], [9, 5, 5])), Ok(()));
        assert_eq!(judged(Kind::Treap, &keys, chain(["b"; 3], [9, 5, 6])), Err("shape"));
        assert_eq!(judged(Kind::RedBlack, &keys, chain(["b", "r", "r"], [0; 3])), Err("shape"));
        assert_eq!(judged(Kind::RedBlack, &keys, chain(["b", "b", "r"], [0; 3])), Err("shape"));
        let small = json!({ "root": 1, "nodes": [{ "id": 1, "k": 1, "r": 2, "c": "b" }, { "id": 2, "k": 2, "c": "r" }] });
        assert_eq!(judged(Kind::RedBlack, &[1, 2], small), Ok(()));
    }
}
