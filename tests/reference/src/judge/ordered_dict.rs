//! The task `ordered-dict`: a table of nodes that are linked in their order.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Answer, Flaw, Program, text};

struct Node {
    key: String,
    value: Value,
    before: Option<usize>,
    after: Option<usize>,
}

/// The table, and the ends of the chain.
pub(super) struct Ordered {
    flaw: Option<Flaw>,
    places: HashMap<String, usize>,
    nodes: Vec<Option<Node>>,
    free: Vec<usize>,
    first: Option<usize>,
    last: Option<usize>,
    /// Of the flaw that leaves keys in the order: who stood before a key that was deleted.
    ghosts: HashMap<String, Option<String>>,
}

impl Ordered {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            places: HashMap::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            first: None,
            last: None,
            ghosts: HashMap::new(),
        }
    }

    fn node(&mut self, place: usize) -> Option<&mut Node> {
        self.nodes.get_mut(place).and_then(Option::as_mut)
    }

    /// Links a node behind another one, or before all.
    fn link(&mut self, place: usize, before: Option<usize>) {
        let after = match before {
            Some(before) => self.node(before).and_then(|node| node.after.replace(place)),
            None => self.first.replace(place),
        };
        match after {
            Some(after) => {
                if let Some(node) = self.node(after) {
                    node.before = Some(place);
                }
            }
            None => self.last = Some(place),
        }
        if let Some(node) = self.node(place) {
            (node.before, node.after) = (before, after);
        }
    }

    fn unlink(&mut self, place: usize) {
        let Some(Node { before, after, .. }) = self.node(place) else { return };
        let (before, after) = (*before, *after);
        match before {
            Some(before) => {
                if let Some(node) = self.node(before) {
                    node.after = after;
                }
            }
            None => self.first = after,
        }
        match after {
            Some(after) => {
                if let Some(node) = self.node(after) {
                    node.before = before;
                }
            }
            None => self.last = before,
        }
    }

    fn set(&mut self, key: &str, value: Value) {
        if let Some(place) = self.places.get(key).copied() {
            if let Some(node) = self.node(place) {
                node.value = value;
            }
            if self.flaw == Some(Flaw::OrderedLastWrite) {
                self.move_to(place, true);
            }
            return;
        }
        let node = Some(Node { key: key.to_owned(), value, before: None, after: None });
        let place = self.free.pop().unwrap_or(self.nodes.len());
        if place == self.nodes.len() {
            self.nodes.push(node);
        } else {
            self.nodes[place] = node;
        }
        let ghost = self.ghosts.remove(key).flatten().and_then(|key| self.places.get(&key).copied());
        self.link(place, ghost.or(self.last));
        self.places.insert(key.to_owned(), place);
    }

    fn take(&mut self, place: usize) -> Option<Node> {
        let before = self.node(place)?.before;
        if self.flaw == Some(Flaw::OrderedGhosts) {
            let before = before.and_then(|before| self.node(before).map(|node| node.key.clone()));
            let key = self.node(place)?.key.clone();
            self.ghosts.insert(key, before);
        }
        self.unlink(place);
        let node = self.nodes[place].take()?;
        self.places.remove(&node.key);
        self.free.push(place);
        Some(node)
    }

    fn move_to(&mut self, place: usize, last: bool) {
        if self.flaw == Some(Flaw::OrderedSlowMove) {
            let mut here = self.first;
            while here.is_some_and(|here| here != place) {
                here = here.and_then(|here| self.node(here)?.after);
            }
        }
        self.unlink(place);
        self.link(place, if last { self.last } else { None });
    }

    fn in_order(&self) -> Vec<&Node> {
        let mut here = self.first;
        let node = |place: usize| self.nodes[place].as_ref();
        std::iter::from_fn(|| {
            let found = here.and_then(node)?;
            here = found.after;
            Some(found)
        })
        .collect()
    }

    fn equals(&self, pairs: &[Value], ordered: bool) -> bool {
        let mut own: Vec<Value> = self.in_order().iter().map(|node| json!([node.key, node.value])).collect();
        let mut other = pairs.to_vec();
        if !ordered || self.flaw == Some(Flaw::OrderedLooseEquality) {
            own.sort_by_cached_key(ToString::to_string);
            other.sort_by_cached_key(ToString::to_string);
        }
        own == other
    }
}

impl Program for Ordered {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = text(arguments, 0);
        let place = self.places.get(key).copied().ok_or("KEY");
        match operation {
            "SET" => self.set(key, arguments.get(1).cloned().unwrap_or_default()),
            "GET" => return self.node(place?).map(|node| node.value.clone()).ok_or("KEY"),
            "DEL" => return self.take(place?).map(|node| node.value).ok_or("KEY"),
            "MOVE" => self.move_to(place?, text(arguments, 1) == "last"),
            "POPFIRST" | "POPLAST" => {
                let end = if operation == "POPFIRST" { self.first } else { self.last };
                let node = end.and_then(|place| self.take(place)).ok_or("EMPTY")?;
                return Ok(json!([node.key, node.value]));
            }
            "KEYS" => return Ok(self.in_order().iter().map(|node| json!(node.key)).collect()),
            "RKEYS" => {
                let mut keys: Vec<Value> = self.in_order().iter().map(|node| json!(node.key)).collect();
                if self.flaw != Some(Flaw::OrderedForwardReverse) {
                    keys.reverse();
                }
                return Ok(Value::Array(keys));
            }
            "LEN" => return Ok(json!(self.places.len())),
            "EQ" => {
                let pairs =
                    arguments.first().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                return Ok(json!(self.equals(pairs, text(arguments, 1) == "ordered")));
            }
            _ => return Err("OP"),
        }
        Ok(Value::Null)
    }
}
