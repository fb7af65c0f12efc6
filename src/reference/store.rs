//! Everything the shop knows, behind one lock.

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{item::Item, journal::Journal, key::Keys, order::Order, ticket::Ticket};

/// The database: what one [`transaction`](Self::transaction) changes is seen all at once or not at all.
///
/// A database server would give the same with `BEGIN` and `COMMIT` and a unique index; the rule for the callers is
/// equal: what must not come apart goes into *one* transaction, and none is held open while work is done.
///
/// With a journal, a transaction is over when what it changed is on the disk, in one record: a crash at any moment
/// leaves all of it or nothing.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    journal: Option<Mutex<Journal>>,
    /// Whether the keys are left out of the journal.
    forgets_keys: bool,
}

/// The tables.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) items: Table<Item>,
    pub(super) orders: Table<Order>,
    pub(super) tickets: Table<Ticket>,
    /// The unique index over the tokens of the tickets.
    pub(super) ticket_by_token: HashMap<String, Id>,
    pub(super) keys: Keys,
    /// Session id to user.
    pub(super) sessions: HashMap<String, String>,
}

impl Store {
    /// Takes up what was kept in `folder`, and keeps what changes from now on.
    pub(super) fn open(folder: &Path, forgets_keys: bool) -> io::Result<Self> {
        let (journal, kept) = Journal::open(folder)?;
        let state = kept.map(|kept| serde_json::from_slice(&kept)).transpose()?;
        let state = Mutex::new(state.unwrap_or_default());
        Ok(Self { state, journal: Some(Mutex::new(journal)), forgets_keys })
    }

    /// Runs `change` alone. It must neither wait nor panic half way.
    pub(super) fn transaction<Outcome>(&self, change: impl FnOnce(&mut State) -> Outcome) -> Outcome {
        let mut state = self.lock();
        let outcome = change(&mut state);
        if let Some(journal) = &self.journal {
            self.keep(&state, &mut journal.lock().unwrap_or_else(PoisonError::into_inner));
        }
        outcome
    }

    /// A service that cannot keep what it has promised must not go on.
    fn keep(&self, state: &State, journal: &mut Journal) {
        let kept = if self.forgets_keys {
            serde_json::to_vec(&State { keys: Keys::default(), ..state.clone() })
        } else {
            serde_json::to_vec(state)
        };
        if kept.map_err(io::Error::from).and_then(|kept| journal.append(&kept)).is_err() {
            std::process::abort();
        }
    }

    pub(super) fn read<Outcome>(&self, look: impl FnOnce(&State) -> Outcome) -> Outcome {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Transactions do not panic; should one ever, the others are still answered.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows by id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Table<Row> {
    rows: BTreeMap<Id, Row>,
    last: u64,
}

impl<Row> Table<Row> {
    /// Adds a row under a new id, never one that was given out before.
    pub(super) fn insert(&mut self, row: Row) -> Id {
        loop {
            self.last += 1;
            let id = Id(self.last.to_string());
            // A PUT may have taken the number already.
            if !self.rows.contains_key(&id) {
                self.rows.insert(id.clone(), row);
                return id;
            }
        }
    }

    /// Sets the row of `id`; the answer is the row that was there before.
    pub(super) fn put(&mut self, id: Id, row: Row) -> Option<Row> {
        self.rows.insert(id, row)
    }

    pub(super) fn get(&self, id: &Id) -> Option<&Row> {
        self.rows.get(id)
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Row> {
        self.rows.remove(id)
    }

    /// The last row in the order of ids.
    pub(super) fn last_id(&self) -> Option<Id> {
        self.rows.keys().next_back().cloned()
    }

    /// All rows, sorted by id.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&Id, &Row)> {
        self.rows.iter()
    }
}

impl<Row> Default for Table<Row> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), last: 0 }
    }
}

/// The id of a row: 1 to 64 letters, digits, `-` and `_`. Shorter ids sort first, so `2` is before `10`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Id(String);

impl Id {
    /// The id that a path names; nothing for one that no row can have.
    pub(super) fn parse(segment: &str) -> Option<Self> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        ((1..=64).contains(&segment.len()) && segment.bytes().all(is_legal)).then(|| Self(segment.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sort_by_number() {
        let mut table = Table::default();
        for row in 0..11 {
            table.insert(row);
        }
        let ids: Vec<&str> = table.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
    }

    #[test]
    fn a_new_id_is_never_one_that_is_taken_or_was() {
        let mut table = Table::default();
        table.put(Id::parse("1").unwrap(), "put");
        let second = table.insert("inserted");
        assert_eq!(second.as_str(), "2");
        table.remove(&second);
        assert_eq!(table.insert("again").as_str(), "3");
    }

    #[test]
    fn an_id_is_short_and_plain() {
        assert!(Id::parse("a-B_9").is_some());
        for wrong in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }
}
