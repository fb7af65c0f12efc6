//! Keys, and what is done with them.

use mustdo_plugin::Generator;

use super::model::CHURN_KEYS;
use crate::engine::{self, Op, op};

/// Keys of one hash.
const COLLIDING: usize = 1_000;

/// A key and the hash that the check gives it.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) hash: i64,
    pub(super) key: String,
}

impl Key {
    /// Keys with hashes all over 64 bits. No key is made twice.
    pub(super) fn spread(count: usize, random: &mut Generator) -> Vec<Self> {
        (0..count).map(|_| Self::of(random.number(0..u64::MAX).cast_signed(), random)).collect()
    }

    /// Hashes that meet: one for many keys, equal low bits, negative ones, and the ends of 64 bits.
    fn meeting(random: &mut Generator) -> Vec<Self> {
        let one = random.number(0..u64::MAX).cast_signed();
        let mut hashes = vec![one; COLLIDING];
        for power in [3, 8, 16, 32, 60] {
            let low = random.number(0..8).cast_signed();
            hashes.extend((0..20_i64).map(|high| (high << power) | low));
        }
        hashes.extend((1..200_i64).map(|number| -number));
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
        hashes.extend(ends.iter().flat_map(|end| [*end; 3]));
        random.shuffle(&mut hashes);
        hashes.into_iter().map(|hash| Self::of(hash, random)).collect()
    }

    fn of(hash: i64, random: &mut Generator) -> Self {
        let extra = ["", "字", "é", " "][usize::try_from(random.number(0..4)).unwrap_or_default()];
        Self { hash, key: random.token(12) + extra }
    }

    /// As a text: not every language has whole numbers of 64 bits in its JSON.
    fn hash(&self) -> String {
        self.hash.to_string()
    }

    pub(super) fn put(&self, value: u64) -> Op {
        op!("PUT", self.hash(), self.key, value)
    }

    pub(super) fn get(&self) -> Op {
        op!("GET", self.hash(), self.key)
    }

    pub(super) fn delete(&self) -> Op {
        op!("DEL", self.hash(), self.key)
    }
}

/// PUT, overwrite, GET, DEL and put again, of keys that are there and keys that are not.
pub(super) fn mixed(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Key::spread(count / 8 + 8, random);
    let mut ops = among(&keys, count, random);
    // Everything goes, one by one, and comes back: what grew has to live on while it is nearly empty.
    ops.extend(keys.iter().map(Key::delete));
    ops.push(op!("LEN"));
    ops.extend(keys.iter().map(Key::get).take(200));
    ops.extend(among(&keys[..keys.len() / 2], count / 4, random));
    ops.extend([op!("ITER"), op!("CLEAR"), op!("LEN"), op!("ITER")]);
    ops.extend(among(&keys[..20.min(keys.len())], 60, random));
    ops.push(op!("ITER"));
    ops
}

/// The same among keys that meet. A chain of a thousand is slow by itself, so there are fewer operations.
pub(super) fn colliding(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Key::meeting(random);
    let mut ops: Vec<_> = keys.iter().map(|key| key.put(1)).collect();
    ops.extend(keys.iter().map(Key::get));
    ops.extend(keys.iter().step_by(2).map(Key::delete));
    // What stands behind a deleted key must still be found.
    ops.extend(keys.iter().map(Key::get));
    ops.extend(among(&keys, count / 4, random));
    ops.push(op!("ITER"));
    ops
}

fn among(keys: &[Key], count: usize, random: &mut Generator) -> Vec<Op> {
    let operation = |random: &mut Generator| {
        let key = engine::pick(keys, random);
        match random.weighted(&[45, 30, 22, 3]) {
            Some(0) => key.put(random.number(0..1_000_000)),
            Some(1) => key.get(),
            Some(2) => key.delete(),
            _ => op!("LEN"),
        }
    };
    (0..count).map(|_| operation(random)).collect()
}

/// A look at the table after each new key.
pub(super) fn growing(count: usize, random: &mut Generator) -> Vec<Op> {
    Key::spread(count, random).iter().flat_map(|key| [key.put(2), op!("STATS")]).collect()
}

/// Fresh keys that come and go, while few are there.
pub(super) fn churning(count: usize, random: &mut Generator) -> Vec<Op> {
    let keys = Key::spread(count, random);
    let mut ops = Vec::new();
    for (place, key) in keys.iter().enumerate() {
        ops.push(key.put(3));
        if place >= CHURN_KEYS {
            ops.push(keys[place - CHURN_KEYS].delete());
        }
        if place % 500 == 499 {
            ops.extend([op!("STATS"), op!("LEN"), key.get(), keys[place.saturating_sub(60)].get()]);
        }
    }
    ops
}
