//! The task `btree`: a B-tree or a B+tree, of any order.

pub(super) mod fake;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Flaw, Program, integer};

/// A node; a leaf has no children, and an inner node of a B+tree no values.
#[derive(Debug, Clone, Default)]
struct Node {
    keys: Vec<i64>,
    values: Vec<Value>,
    children: Vec<u64>,
    next: Option<u64>,
    prev: Option<u64>,
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }
}

/// What rises when a node was split: the separator, the value beside it in a B-tree, and the new node on its right.
type Split = (i64, Option<Value>, u64);

/// The tree.
pub(super) struct Tree {
    flaw: Option<Flaw>,
    bplus: bool,
    order: usize,
    nodes: BTreeMap<u64, Node>,
    root: u64,
    next: u64,
    length: usize,
    visits: u64,
}

/// Kind and order, as the hello has them.
fn params(params: &Value) -> (bool, usize) {
    let order = params["order"].as_u64().and_then(|order| usize::try_from(order).ok());
    (params["shape"] == "bplus", order.unwrap_or(4))
}

impl Tree {
    pub(super) fn new(hello: &Value, flaw: Option<Flaw>) -> Self {
        let (bplus, order) = params(hello);
        let nodes = BTreeMap::from([(1, Node::default())]);
        Self { flaw, bplus, order, nodes, root: 1, next: 2, length: 0, visits: 0 }
    }

    fn visit(&mut self, id: u64) -> &mut Node {
        self.visits += 1;
        self.nodes.entry(id).or_default()
    }

    fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.entry(id).or_default()
    }

    fn add(&mut self, node: Node) -> u64 {
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        id
    }

    fn fewest(&self) -> usize {
        self.order.div_ceil(2) - 1
    }

    /// The child that a key belongs to; in a B+tree a separator is the first key on its right.
    fn way(&mut self, id: u64, key: i64) -> Result<usize, usize> {
        let bplus = self.bplus;
        match self.visit(id).keys.binary_search(&key) {
            Ok(place) if bplus => Err(place + 1),
            other => other,
        }
    }

    fn put(&mut self, id: u64, key: i64, value: Value) -> Option<Split> {
        if self.node(id).is_leaf() {
            let node = self.visit(id);
            match node.keys.binary_search(&key) {
                Ok(place) => node.values[place] = value,
                Err(place) => {
                    node.keys.insert(place, key);
                    node.values.insert(place, value);
                    self.length += 1;
                }
            }
            return self.split(id);
        }
        match self.way(id, key) {
            Ok(place) => self.node(id).values[place] = value,
            Err(place) => {
                let child = self.node(id).children[place];
                if let Some((separator, value, right)) = self.put(child, key, value) {
                    let node = self.node(id);
                    node.keys.insert(place, separator);
                    node.children.insert(place + 1, right);
                    if let Some(value) = value {
                        node.values.insert(place, value);
                    }
                }
            }
        }
        self.split(id)
    }

    /// Splits a node that is too full.
    fn split(&mut self, id: u64) -> Option<Split> {
        let (order, bplus) = (self.order, self.bplus);
        let node = self.node(id);
        if node.keys.len() < order {
            return None;
        }
        let middle = order / 2;
        if bplus && node.is_leaf() {
            let right = Node {
                keys: node.keys.split_off(middle),
                values: node.values.split_off(middle),
                next: node.next,
                prev: Some(id),
                ..Node::default()
            };
            let (separator, after) = (right.keys[0], right.next);
            let right = self.add(right);
            self.node(id).next = Some(right);
            if let Some(after) = after {
                self.node(after).prev = Some(right);
            }
            return Some((separator, None, right));
        }
        let right = Node {
            keys: node.keys.split_off(middle + 1),
            values: if bplus { Vec::new() } else { node.values.split_off(middle + 1) },
            children: if node.is_leaf() { Vec::new() } else { node.children.split_off(middle + 1) },
            ..Node::default()
        };
        let (separator, value) = (node.keys.pop()?, node.values.pop());
        Some((separator, value, self.add(right)))
    }

    fn delete(&mut self, id: u64, key: i64) -> Option<Value> {
        if self.node(id).is_leaf() {
            let node = self.visit(id);
            let place = node.keys.binary_search(&key).ok()?;
            node.keys.remove(place);
            self.length -= 1;
            return Some(self.node(id).values.remove(place));
        }
        let way = self.way(id, key);
        let (Ok(place) | Err(place)) = way;
        let child = self.node(id).children[place];
        let taken = if way.is_ok() {
            let (before, value) = self.take_last(child)?;
            let node = self.node(id);
            node.keys[place] = before;
            Some(std::mem::replace(&mut node.values[place], value))
        } else {
            self.delete(child, key)
        };
        self.mend(id, place);
        taken
    }

    fn take_last(&mut self, id: u64) -> Option<(i64, Value)> {
        let node = self.visit(id);
        let Some(child) = node.children.last().copied() else {
            self.length -= 1;
            let node = self.node(id);
            return node.keys.pop().zip(node.values.pop());
        };
        let place = node.children.len() - 1;
        let taken = self.take_last(child);
        self.mend(id, place);
        taken
    }

    /// Fills a child that is too empty: from the left, from the right, or by merging.
    fn mend(&mut self, id: u64, place: usize) {
        let fewest = self.fewest();
        let children = self.node(id).children.clone();
        if children.len() < 2 {
            return;
        }
        if self.visit(children[place]).keys.len() >= fewest || self.flaw == Some(Flaw::BtreeNoMerge) {
            return;
        }
        if place > 0 && self.visit(children[place - 1]).keys.len() > fewest {
            self.borrow_left(id, place, children[place - 1], children[place]);
        } else if place + 1 < children.len() && self.visit(children[place + 1]).keys.len() > fewest {
            self.borrow_right(id, place, children[place], children[place + 1]);
        } else {
            let left = place.saturating_sub(1);
            self.merge(id, left, children[left], children[left + 1]);
        }
    }

    fn borrow_left(&mut self, id: u64, place: usize, left: u64, right: u64) {
        let from = self.node(left);
        let (Some(key), value, child) = (from.keys.pop(), from.values.pop(), from.children.pop()) else {
            return;
        };
        let is_leaf = child.is_none();
        let (down, value) = if self.bplus && is_leaf {
            if self.flaw != Some(Flaw::BtreeStaleSeparator) {
                self.node(id).keys[place - 1] = key;
            }
            (key, value)
        } else {
            self.turn(id, place - 1, key, value)
        };
        let to = self.node(right);
        to.keys.insert(0, down);
        if let Some(value) = value {
            to.values.insert(0, value);
        }
        if let Some(child) = child {
            to.children.insert(0, child);
        }
    }

    fn borrow_right(&mut self, id: u64, place: usize, left: u64, right: u64) {
        let bplus = self.bplus;
        let from = self.node(right);
        let key = from.keys.remove(0);
        let value = (!from.values.is_empty()).then(|| from.values.remove(0));
        let child = (!from.is_leaf()).then(|| from.children.remove(0));
        let first = from.keys.first().copied();
        let (down, value) = if bplus && child.is_none() {
            if let Some(first) = first {
                self.node(id).keys[place] = first;
            }
            (key, value)
        } else {
            self.turn(id, place, key, value)
        };
        let to = self.node(left);
        to.keys.push(down);
        to.values.extend(value);
        to.children.extend(child);
    }

    /// Puts a key into the parent, for the one that comes down.
    fn turn(&mut self, id: u64, place: usize, key: i64, value: Option<Value>) -> (i64, Option<Value>) {
        let node = self.node(id);
        let down = std::mem::replace(&mut node.keys[place], key);
        (down, value.map(|value| std::mem::replace(&mut node.values[place], value)))
    }

    fn merge(&mut self, id: u64, place: usize, left: u64, right: u64) {
        let parent = self.node(id);
        let separator = parent.keys.remove(place);
        let value = (!parent.values.is_empty()).then(|| parent.values.remove(place));
        parent.children.remove(place + 1);
        let gone = self.nodes.remove(&right).unwrap_or_default();
        let keeps_separator = !(self.bplus && gone.is_leaf());
        let keeps_links = self.flaw == Some(Flaw::BtreeBrokenLinks);
        let node = self.node(left);
        if keeps_separator {
            node.keys.push(separator);
            node.values.extend(value);
        }
        node.keys.extend(gone.keys);
        node.values.extend(gone.values);
        node.children.extend(gone.children);
        node.next = gone.next;
        if let (Some(after), false) = (gone.next, keeps_links) {
            self.node(after).prev = Some(left);
        }
    }

    /// A root that was split gets a parent; one without keys gives way.
    fn settle(&mut self, split: Option<Split>) {
        if let Some((separator, value, right)) = split {
            let children = vec![self.root, right];
            self.root = self.add(Node {
                keys: vec![separator],
                values: value.into_iter().collect(),
                children,
                ..Node::default()
            });
        }
        let root = self.root;
        if self.node(root).keys.is_empty()
            && let [child] = self.node(root).children[..]
            && self.flaw != Some(Flaw::BtreeTallRoot)
        {
            self.nodes.remove(&root);
            self.root = child;
        }
    }

    fn get(&mut self, key: i64) -> Option<Value> {
        if self.flaw == Some(Flaw::BtreeSearchesAll) {
            self.visits += self.nodes.len() as u64;
        }
        let mut here = self.root;
        loop {
            if self.node(here).is_leaf() {
                let node = self.visit(here);
                return node.keys.binary_search(&key).ok().map(|place| node.values[place].clone());
            }
            match self.way(here, key) {
                Ok(place) => return Some(self.node(here).values[place].clone()),
                Err(place) => here = self.node(here).children[place],
            }
        }
    }

    /// All pairs in order, from a node down.
    fn pairs(&self, id: u64, into: &mut Vec<(i64, Value)>) {
        let Some(node) = self.nodes.get(&id) else { return };
        for place in 0..=node.keys.len() {
            if let Some(child) = node.children.get(place) {
                self.pairs(*child, into);
            }
            if let (Some(key), Some(value)) = (node.keys.get(place), node.values.get(place)) {
                into.push((*key, value.clone()));
            }
        }
    }

    fn all(&self) -> Vec<(i64, Value)> {
        let mut pairs = Vec::new();
        self.pairs(self.root, &mut pairs);
        pairs
    }

    fn dump(&self) -> Value {
        let shown = |(id, node): (&u64, &Node)| {
            let mut values = json!(node.values);
            if self.bplus && !node.is_leaf() {
                let inside = self.flaw == Some(Flaw::BtreeInnerValues);
                values = if inside { json!(vec![0; node.keys.len()]) } else { Value::Null };
            }
            json!({
                "id": id,
                "keys": node.keys,
                "values": values,
                "children": if node.is_leaf() { Value::Null } else { json!(node.children) },
                "next": node.next,
                "prev": node.prev,
            })
        };
        json!({ "root": self.root, "nodes": self.nodes.iter().map(shown).collect::<Vec<_>>() })
    }
}

impl Program for Tree {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let (key, root) = (integer(arguments, 0), self.root);
        match operation {
            "PUT" => {
                let split = self.put(root, key, arguments.get(1).cloned().unwrap_or_default());
                self.settle(split);
                Ok(Value::Null)
            }
            "DEL" => {
                let taken = self.delete(root, key);
                self.settle(None);
                taken.ok_or("KEY")
            }
            "GET" => self.get(key).ok_or("KEY"),
            "LEN" => Ok(json!(self.length)),
            "COST" => Ok(json!(self.visits)),
            "DUMP" => Ok(self.dump()),
            other => ordered(&self.all(), other, arguments),
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["DUMP", "COST"]
    }
}

/// MIN, MAX and RANGE of pairs in order.
fn ordered(pairs: &[(i64, Value)], operation: &str, arguments: &[Value]) -> Answer {
    let shown = |pair: Option<&(i64, Value)>| pair.map(|(key, value)| json!([key, value])).ok_or("EMPTY");
    match operation {
        "MIN" => shown(pairs.first()),
        "MAX" => shown(pairs.last()),
        "RANGE" => {
            let range = integer(arguments, 0)..integer(arguments, 1);
            let inside = pairs.iter().filter(|(key, _)| range.contains(key));
            Ok(inside.map(|(key, value)| json!([key, value])).collect())
        }
        _ => Err("OP"),
    }
}
