//! The task `dict`: open addressing with steps of one, kept at most half full.

use serde_json::{Value, json};

use super::{Answer, Flaw, Program, text};

#[derive(Debug, Clone)]
enum Slot {
    Empty,
    Deleted,
    Pair { hash: i64, key: String, value: Value },
}

/// The table.
pub(super) struct Table {
    flaw: Option<Flaw>,
    slots: Vec<Slot>,
    used: usize,
    dummies: usize,
    probes: u64,
}

impl Table {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self { flaw, slots: vec![Slot::Empty; 8], used: 0, dummies: 0, probes: 0 }
    }

    /// Whether a key is there, and its place or the one where it belongs.
    fn find(&mut self, hash: i64, key: &str, reads: bool) -> (bool, usize) {
        let size = self.slots.len() as u64;
        // Multiplying spreads hashes that are equal in their low bits.
        let spread = hash.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let mut place = usize::try_from(spread % size).unwrap_or_default();
        if self.flaw == Some(Flaw::DictNegativeModulo) && hash < 0 && reads {
            place = 0;
        }
        let mut free = None;
        loop {
            self.probes += 1;
            match &self.slots[place] {
                Slot::Empty => return (false, free.unwrap_or(place)),
                Slot::Deleted => free = free.or(Some(place)),
                Slot::Pair { hash: other, key: other_key, .. } => {
                    let hash_only = self.flaw == Some(Flaw::DictComparesHashOnly);
                    if *other == hash && (hash_only || other_key == key) {
                        return (true, place);
                    }
                }
            }
            place = (place + 1) % self.slots.len();
        }
    }

    fn put(&mut self, hash: i64, key: &str, value: Value) -> Value {
        let (is_there, place) = self.find(hash, key, false);
        let before =
            std::mem::replace(&mut self.slots[place], Slot::Pair { hash, key: key.to_owned(), value });
        match before {
            Slot::Pair { value, .. } if is_there => return value,
            Slot::Deleted => self.dummies -= 1,
            Slot::Empty | Slot::Pair { .. } => {}
        }
        self.used += 1;
        let counted =
            if self.flaw == Some(Flaw::DictLitterStays) { self.used } else { self.used + self.dummies };
        if counted * 2 > self.slots.len() && self.flaw != Some(Flaw::DictNeverResizes) {
            self.rebuild();
        }
        Value::Null
    }

    fn rebuild(&mut self) {
        let size = match self.flaw {
            Some(Flaw::DictLitterKept) => self.slots.len() * 2,
            _ => (self.used * 3).next_power_of_two().max(8),
        };
        let before = std::mem::replace(&mut self.slots, vec![Slot::Empty; size]);
        (self.used, self.dummies) = (0, 0);
        let probes = self.probes;
        for slot in before {
            if let Slot::Pair { hash, key, .. } = &slot {
                let (_, place) = self.find(*hash, key, false);
                self.slots[place] = slot;
                self.used += 1;
            }
        }
        self.probes = probes;
    }

    fn delete(&mut self, hash: i64, key: &str) -> Answer {
        let (true, place) = self.find(hash, key, true) else { return Err("KEY") };
        let left = if self.flaw == Some(Flaw::DictDeletesToEmpty) { Slot::Empty } else { Slot::Deleted };
        self.dummies += usize::from(matches!(left, Slot::Deleted));
        self.used -= 1;
        match std::mem::replace(&mut self.slots[place], left) {
            Slot::Pair { value, .. } => Ok(value),
            Slot::Empty | Slot::Deleted => Err("KEY"),
        }
    }

    fn get(&mut self, hash: i64, key: &str) -> Answer {
        let (true, place) = self.find(hash, key, true) else { return Err("KEY") };
        match &self.slots[place] {
            Slot::Pair { value, .. } => Ok(value.clone()),
            Slot::Empty | Slot::Deleted => Err("KEY"),
        }
    }
}

impl Program for Table {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let (hash, key) = (text(arguments, 0).parse().unwrap_or_default(), text(arguments, 1));
        match operation {
            "PUT" => Ok(self.put(hash, key, arguments.get(2).cloned().unwrap_or_default())),
            "GET" => self.get(hash, key),
            "DEL" => self.delete(hash, key),
            "LEN" => Ok(json!(self.used)),
            "CLEAR" => {
                *self = Self::new(self.flaw);
                Ok(Value::Null)
            }
            "ITER" => Ok(self
                .slots
                .iter()
                .filter_map(|slot| match slot {
                    Slot::Pair { key, value, .. } => Some(json!([key, value])),
                    Slot::Empty | Slot::Deleted => None,
                })
                .collect()),
            "STATS" => Ok(json!({
                "kind": "open",
                "capacity": self.slots.len(),
                "used": self.used,
                "dummies": self.dummies,
                "probes": self.probes,
            })),
            _ => Err("OP"),
        }
    }

    fn has(&self) -> &'static [&'static str] {
        &["STATS"]
    }
}

/// No table at all; nothing is told of it either.
#[derive(Default)]
pub(super) struct Pairs {
    pairs: Vec<(String, Value)>,
}

impl Program for Pairs {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        let key = text(arguments, 1);
        let place = if matches!(operation, "PUT" | "GET" | "DEL") {
            self.pairs.iter().position(|(other, _)| other == key)
        } else {
            None
        };
        match operation {
            "PUT" => {
                let value = arguments.get(2).cloned().unwrap_or_default();
                let Some(place) = place else {
                    self.pairs.push((key.to_owned(), value));
                    return Ok(Value::Null);
                };
                Ok(std::mem::replace(&mut self.pairs[place].1, value))
            }
            "GET" => place.map(|place| self.pairs[place].1.clone()).ok_or("KEY"),
            "DEL" => place.map(|place| self.pairs.remove(place).1).ok_or("KEY"),
            "LEN" => Ok(json!(self.pairs.len())),
            "ITER" => Ok(self.pairs.iter().map(|(key, value)| json!([key, value])).collect()),
            "CLEAR" => {
                self.pairs.clear();
                Ok(Value::Null)
            }
            _ => Err("OP"),
        }
    }
}
