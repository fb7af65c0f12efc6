//! The tasks `array`, `queue`, `stack` and `list`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Answer, Flaw, Program, integer};

fn count(arguments: &[Value], place: usize) -> usize {
    usize::try_from(integer(arguments, place)).unwrap_or_default()
}

/// Fixed storage.
pub(super) struct Array {
    flaw: Option<Flaw>,
    slots: Vec<i64>,
}

impl Array {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, slots: Vec::new() }
    }

    fn slot(&mut self, index: i64) -> Result<&mut i64, &'static str> {
        let place = usize::try_from(index).map_err(|_| "INDEX")?;
        if self.flaw == Some(Flaw::ArrayOneBeyond) && place == self.slots.len() {
            self.slots.push(0);
        }
        self.slots.get_mut(place).ok_or("INDEX")
    }

    fn rotate(&mut self, by: i64) {
        let length = i64::try_from(self.slots.len()).unwrap_or(i64::MAX);
        if length == 0 || (self.flaw == Some(Flaw::ArrayRotatesOnce) && by.abs() > length) {
            return;
        }
        let left = usize::try_from(by.rem_euclid(length)).unwrap_or_default();
        self.slots.rotate_left(left);
    }

    fn lower(&self, number: i64) -> usize {
        let (mut low, mut high) = (0, self.slots.len());
        while low < high {
            let middle = low.midpoint(high);
            let goes_right = match self.flaw {
                Some(Flaw::ArrayUpperBound) => self.slots[middle] <= number,
                _ => self.slots[middle] < number,
            };
            if goes_right { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl Program for Array {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        match operation {
            "NEW" => self.slots = vec![0; count(arguments, 0)],
            "GET" => return self.slot(integer(arguments, 0)).map(|slot| json!(slot)),
            "SET" => *self.slot(integer(arguments, 0))? = integer(arguments, 1),
            "ROTATE" => self.rotate(integer(arguments, 0)),
            "SORT" => self.slots.sort_unstable(),
            "LOWER" => return Ok(json!(self.lower(integer(arguments, 0)))),
            "LEN" => return Ok(json!(self.slots.len())),
            "ALL" => return Ok(json!(self.slots)),
            _ => return Err("OP"),
        }
        Ok(Value::Null)
    }
}

/// A ring.
pub(super) struct Queue {
    flaw: Option<Flaw>,
    ring: Vec<i64>,
    first: usize,
    length: usize,
}

impl Queue {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, ring: Vec::new(), first: 0, length: 0 }
    }

    fn room(&self) -> usize {
        self.ring.len() - self.length
    }

    fn put(&mut self, value: i64) -> Result<(), &'static str> {
        if self.room() == 0 {
            return Err("FULL");
        }
        let end = (self.first + self.length) % self.ring.len();
        self.ring[end] = value;
        self.length += 1;
        if self.flaw == Some(Flaw::QueueFullIsEmpty) && self.room() == 0 {
            self.length = 0;
        }
        Ok(())
    }

    fn take(&mut self) -> Answer {
        let value = self.peek()?;
        if self.flaw == Some(Flaw::QueueShifts) {
            self.ring.copy_within(1..self.length, 0);
        } else {
            self.first = (self.first + 1) % self.ring.len();
        }
        self.length -= 1;
        Ok(value)
    }

    fn peek(&self) -> Answer {
        if self.length == 0 { Err("EMPTY") } else { Ok(json!(self.ring[self.first])) }
    }
}

impl Program for Queue {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        match operation {
            "NEW" => *self = Self { ring: vec![0; count(arguments, 0)], ..Self::new(self.flaw) },
            "ENQ" => self.put(integer(arguments, 0))?,
            "DEQ" => return self.take(),
            "PEEK" => return self.peek(),
            "LEN" => return Ok(json!(self.length)),
            "FILL" => {
                if count(arguments, 0) > self.room() {
                    return Err("FULL");
                }
                for number in 0..integer(arguments, 0) {
                    self.put(integer(arguments, 1) + number)?;
                }
                return Ok(json!(self.length));
            }
            _ => return Err("OP"),
        }
        Ok(Value::Null)
    }
}

/// Values, each with the least of it and all below.
pub(super) struct Stack {
    flaw: Option<Flaw>,
    values: Vec<(i64, i64)>,
    /// Of the flaw that forgets to look again: the least that was ever pushed.
    least: Option<i64>,
}

impl Stack {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, values: Vec::new(), least: None }
    }

    fn push(&mut self, value: i64) {
        let least = self.values.last().map_or(value, |(_, least)| value.min(*least));
        self.values.push((value, least));
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
    }

    fn min(&self) -> Option<i64> {
        match self.flaw {
            Some(Flaw::StackScansForMin) => self.values.iter().map(|(value, _)| *value).min(),
            Some(Flaw::StackStaleMin) if !self.values.is_empty() => self.least,
            _ => self.values.last().map(|(_, least)| *least),
        }
    }
}

impl Program for Stack {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let some = |value: Option<i64>| value.map(Value::from).ok_or("EMPTY");
        match operation {
            "PUSH" => {
                self.push(integer(arguments, 0));
                Ok(Value::Null)
            }
            "FILL" => {
                (0..integer(arguments, 0)).for_each(|number| self.push(integer(arguments, 1) + number));
                Ok(json!(self.values.len()))
            }
            "POP" => some(self.values.pop().map(|(value, _)| value)),
            "TOP" => some(self.values.last().map(|(value, _)| *value)),
            "MIN" => some(self.min()),
            "LEN" => Ok(json!(self.values.len())),
            _ => Err("OP"),
        }
    }
}

/// A node of the list; the head is handle 0, and links to itself when the list is empty.
#[derive(Clone, Copy, Default)]
struct Node {
    value: i64,
    before: i64,
    after: i64,
}

/// A ring of nodes with a head that is none.
pub(super) struct List {
    flaw: Option<Flaw>,
    nodes: HashMap<i64, Node>,
    /// Of the flaw that keeps them: nodes that were deleted.
    ghosts: HashMap<i64, i64>,
}

impl List {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, nodes: HashMap::from([(0, Node::default())]), ghosts: HashMap::new() }
    }

    fn node(&mut self, handle: i64) -> &mut Node {
        self.nodes.entry(handle).or_default()
    }

    fn known(&self, handle: i64) -> Result<i64, &'static str> {
        if handle != 0 && self.nodes.contains_key(&handle) { Ok(handle) } else { Err("HANDLE") }
    }

    /// Links `first` to `last`, which are linked to one another, behind `at`.
    fn link(&mut self, first: i64, last: i64, at: i64) {
        let after = self.node(at).after;
        self.node(at).after = first;
        self.node(first).before = at;
        self.node(last).after = after;
        self.node(after).before = last;
    }

    fn unlink(&mut self, first: i64, last: i64) {
        let (before, after) = (self.node(first).before, self.node(last).after);
        self.node(before).after = after;
        self.node(after).before = before;
    }

    fn insert(&mut self, at: i64, handle: i64, value: i64) {
        self.node(handle).value = value;
        self.link(handle, handle, at);
    }

    /// The handles in order. A chain that a flaw has tied into a knot ends where it must have come round.
    fn order(&self) -> Vec<i64> {
        let after = |here: &i64| self.nodes.get(here).map(|node| node.after).filter(|after| *after != 0);
        std::iter::successors(after(&0), after).take(self.nodes.len()).collect()
    }

    fn splice(&mut self, first: i64, last: i64, at: i64) -> Result<(), &'static str> {
        let order = self.order();
        let place = |handle: i64| order.iter().position(|other| *other == handle);
        let inside = place(first)..=place(last);
        if inside.start() > inside.end() || (at != 0 && inside.contains(&place(at))) {
            return Err("RANGE");
        }
        self.unlink(first, last);
        self.link(first, last, at);
        Ok(())
    }

    fn reverse(&mut self) {
        let tail = self.node(0).before;
        for node in self.nodes.values_mut() {
            std::mem::swap(&mut node.before, &mut node.after);
        }
        if self.flaw == Some(Flaw::ListLosesTail) && tail != 0 {
            self.node(0).before = tail;
        }
    }

    fn values(&self) -> Vec<i64> {
        self.order().iter().filter_map(|handle| self.nodes.get(handle)).map(|node| node.value).collect()
    }
}

impl Program for List {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let one = integer(arguments, 0);
        match operation {
            "CLEAR" => *self = Self::new(self.flaw),
            "PUSH" => {
                let tail = self.node(0).before;
                self.insert(tail, one, integer(arguments, 1));
            }
            "INSERT" => {
                let at = if one == 0 { 0 } else { self.known(one)? };
                self.insert(at, integer(arguments, 1), integer(arguments, 2));
            }
            "GET" => {
                if let Some(value) = self.ghosts.get(&one) {
                    return Ok(json!(value));
                }
                let handle = self.known(one)?;
                return Ok(json!(self.node(handle).value));
            }
            "DELETE" => {
                let handle = self.known(one)?;
                self.unlink(handle, handle);
                let value = self.nodes.remove(&handle).map(|node| node.value).unwrap_or_default();
                if self.flaw == Some(Flaw::ListKeepsHandle) {
                    self.ghosts.insert(handle, value);
                }
                return Ok(json!(value));
            }
            "SPLICE" => {
                let (first, last) = (self.known(one)?, self.known(integer(arguments, 1))?);
                let at = integer(arguments, 2);
                let at = if at == 0 { 0 } else { self.known(at)? };
                self.splice(first, last, at)?;
            }
            "REVERSE" => self.reverse(),
            "ALL" => return Ok(json!(self.values())),
            "MIDDLE" => {
                let values = self.values();
                return values.get(values.len() / 2).map(|value| json!(value)).ok_or("EMPTY");
            }
            "CYCLE" => return Ok(cycle(arguments)),
            _ => return Err("OP"),
        }
        Ok(Value::Null)
    }
}

/// Brent's way: one walker waits at powers of two for the other.
fn cycle(arguments: &[Value]) -> Value {
    let next = |node: usize| {
        arguments[0].get(node).and_then(Value::as_u64).and_then(|next| usize::try_from(next).ok())
    };
    let start = count(arguments, 1);
    let (mut waits, mut power, mut length) = (start, 1, 1);
    let Some(mut walks) = next(start) else { return Value::Null };
    while waits != walks {
        if power == length {
            (waits, power, length) = (walks, power * 2, 0);
        }
        let Some(step) = next(walks) else { return Value::Null };
        (walks, length) = (step, length + 1);
    }
    let (mut one, mut other) = (start, start);
    for _ in 0..length {
        other = next(other).unwrap_or_default();
    }
    while one != other {
        (one, other) = (next(one).unwrap_or_default(), next(other).unwrap_or_default());
    }
    json!([one, length])
}
