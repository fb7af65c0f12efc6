//! The task `tree`: an AVL tree that knows how many keys are below each node.

use serde_json::{Value, json};

use super::{Answer, Flaw, Program, integer};

type Link = Option<Box<Node>>;

struct Node {
    id: u64,
    key: i64,
    value: Value,
    height: u32,
    size: usize,
    left: Link,
    right: Link,
}

/// The tree.
pub(super) struct Avl {
    flaw: Option<Flaw>,
    root: Link,
    next: u64,
}

fn height(link: &Link) -> u32 {
    link.as_ref().map_or(0, |node| node.height)
}

fn size(link: &Link) -> usize {
    link.as_ref().map_or(0, |node| node.size)
}

impl Node {
    fn update(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        self.size = 1 + size(&self.left) + size(&self.right);
    }
}

fn rotate_right(mut node: Box<Node>) -> Box<Node> {
    let Some(mut left) = node.left.take() else { return node };
    node.left = left.right.take();
    node.update();
    left.right = Some(node);
    left.update();
    left
}

fn rotate_left(mut node: Box<Node>) -> Box<Node> {
    let Some(mut right) = node.right.take() else { return node };
    node.right = right.left.take();
    node.update();
    right.left = Some(node);
    right.update();
    right
}

fn balance(mut node: Box<Node>) -> Box<Node> {
    node.update();
    if height(&node.left) > height(&node.right) + 1 {
        node.left = node
            .left
            .take()
            .map(|left| if height(&left.right) > height(&left.left) { rotate_left(left) } else { left });
        return rotate_right(node);
    }
    if height(&node.right) > height(&node.left) + 1 {
        node.right = node.right.take().map(|right| {
            if height(&right.left) > height(&right.right) { rotate_right(right) } else { right }
        });
        return rotate_left(node);
    }
    node
}

impl Avl {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, root: None, next: 1 }
    }

    fn balanced(&self, mut node: Box<Node>, deleting: bool) -> Box<Node> {
        let stays = match self.flaw {
            Some(Flaw::TreeNoBalance) => true,
            Some(Flaw::TreeHalfBalance) => deleting,
            _ => false,
        };
        if stays {
            node.update();
            return node;
        }
        balance(node)
    }

    fn put(&mut self, link: Link, key: i64, value: Value) -> Box<Node> {
        let Some(mut node) = link else {
            self.next += 1;
            return Box::new(Node { id: self.next, key, value, height: 1, size: 1, left: None, right: None });
        };
        match key.cmp(&node.key) {
            std::cmp::Ordering::Less => node.left = Some(self.put(node.left.take(), key, value)),
            std::cmp::Ordering::Greater => node.right = Some(self.put(node.right.take(), key, value)),
            std::cmp::Ordering::Equal if self.flaw == Some(Flaw::TreeFirstWriteWins) => {}
            std::cmp::Ordering::Equal => node.value = value,
        }
        self.balanced(node, false)
    }

    /// What is left, and the value that was taken.
    fn delete(&self, link: Link, key: i64) -> (Link, Option<Value>) {
        let Some(mut node) = link else { return (None, None) };
        let taken = match key.cmp(&node.key) {
            std::cmp::Ordering::Less => {
                let (left, taken) = self.delete(node.left.take(), key);
                node.left = left;
                taken
            }
            std::cmp::Ordering::Greater => {
                let (right, taken) = self.delete(node.right.take(), key);
                node.right = right;
                taken
            }
            std::cmp::Ordering::Equal => match (node.left.take(), node.right.take()) {
                (None, rest) | (rest, None) => return (rest, Some(node.value)),
                (left, Some(right)) => {
                    let (rest, next) = self.take_first(right);
                    node.left = left;
                    node.right = rest;
                    node.id = next.id;
                    node.key = next.key;
                    Some(std::mem::replace(&mut node.value, next.value))
                }
            },
        };
        (Some(self.balanced(node, true)), taken)
    }

    /// What is left below a node, and the first of it.
    fn take_first(&self, mut node: Box<Node>) -> (Link, Box<Node>) {
        let Some(left) = node.left.take() else {
            let rest = node.right.take();
            return (if self.flaw == Some(Flaw::TreeDeleteTwoChildren) { None } else { rest }, node);
        };
        let (rest, first) = self.take_first(left);
        node.left = rest;
        (Some(self.balanced(node, true)), first)
    }

    /// Keys below this one.
    fn rank(&self, key: i64) -> usize {
        let (mut here, mut rank) = (&self.root, 0);
        while let Some(node) = here {
            if node.key < key {
                rank += 1 + size(&node.left);
                here = &node.right;
            } else {
                here = &node.left;
            }
        }
        rank
    }

    fn select(&self, mut place: usize) -> Option<&Node> {
        let mut here = self.root.as_ref()?;
        loop {
            let left = size(&here.left);
            match place.cmp(&left) {
                std::cmp::Ordering::Less => here = here.left.as_ref()?,
                std::cmp::Ordering::Equal => return Some(here),
                std::cmp::Ordering::Greater => {
                    place -= left + 1;
                    here = here.right.as_ref()?;
                }
            }
        }
    }

    fn pair(&self, place: Option<usize>, missing: &'static str) -> Answer {
        let node = place.and_then(|place| self.select(place)).ok_or(missing)?;
        Ok(json!([node.key, node.value]))
    }

    fn dump(&self) -> Value {
        let mut nodes = Vec::new();
        let mut next: Vec<&Node> = self.root.as_deref().into_iter().collect();
        while let Some(node) = next.pop() {
            let id = |link: &Link| link.as_ref().map(|node| node.id);
            nodes.push(json!({ "id": node.id, "k": node.key, "l": id(&node.left), "r": id(&node.right) }));
            next.extend(node.left.as_deref());
            next.extend(node.right.as_deref());
        }
        json!({ "root": self.root.as_ref().map(|node| node.id), "nodes": nodes })
    }
}

impl Program for Avl {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = integer(arguments, 0);
        let rank = self.rank(key);
        let found = self.select(rank).filter(|node| node.key == key);
        match operation {
            "PUT" => {
                let root = self.root.take();
                self.root = Some(self.put(root, key, arguments.get(1).cloned().unwrap_or_default()));
                Ok(Value::Null)
            }
            "GET" => found.map(|node| node.value.clone()).ok_or("KEY"),
            "DEL" => {
                let root = self.root.take();
                let (rest, taken) = self.delete(root, key);
                self.root = rest;
                taken.ok_or("KEY")
            }
            "LEN" => Ok(json!(size(&self.root))),
            "RANK" => {
                Ok(json!(rank + usize::from(self.flaw == Some(Flaw::TreeRankOffByOne) && found.is_some())))
            }
            "SELECT" => self.pair(usize::try_from(key).ok(), "INDEX"),
            "FLOOR" => self.pair(self.rank(key + 1).checked_sub(1), "KEY"),
            "CEIL" => self.pair(Some(rank), "KEY"),
            "RANGE" => {
                let places = rank..self.rank(integer(arguments, 1));
                let nodes = places.filter_map(|place| self.select(place));
                Ok(nodes.map(|node| json!([node.key, node.value])).collect())
            }
            "HEIGHT" => Ok(json!(height(&self.root))),
            "DUMP" => Ok(self.dump()),
            _ => Err("OP"),
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["DUMP"]
    }
}
