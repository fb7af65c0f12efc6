//! Which job may start next: the rules alone, without time and without running anything.
//!
//! Each target has a door and each door a line. A job lines up, at all its doors at once, when everything it waits for
//! has ended. Doors let in whoever is first in line: any number of jobs that share, or one that must be alone. So nobody
//! overtakes at a door, one that must be alone is never starved by those that share, and two jobs never wait for each
//! other, because all lines have the same order. Every job passes every door once: the cost of a run is linear.

use std::collections::{HashMap, VecDeque};

use super::{Job, TaskId};
use crate::model::TargetName;

/// Jobs that have not begun, and the doors that keep them apart. Jobs are named by their place in the list given first.
pub(super) struct Queue {
    slots: Vec<Slot>,
    doors: Vec<Door>,
    /// Through all their doors; only a free place to run is missing.
    ready: VecDeque<usize>,
}

struct Slot {
    /// How many jobs it still waits for.
    waits: usize,
    /// Who waits for it.
    followers: Vec<usize>,
    doors: Vec<usize>,
    /// How many of its doors have not let it in.
    shut: usize,
    alone: bool,
    popped: bool,
}

#[derive(Default)]
struct Door {
    inside: usize,
    /// The one inside must be alone.
    alone: bool,
    line: VecDeque<usize>,
}

impl Queue {
    /// All of `jobs`. A job waits only for jobs before it in the list: any other id in its `after` is not waited for, so
    /// that no list of jobs can wait for itself.
    pub(super) fn new(jobs: &[Job]) -> Self {
        let mut places: HashMap<TaskId, usize> = HashMap::with_capacity(jobs.len());
        let mut names: HashMap<&TargetName, usize> = HashMap::new();
        let mut slots: Vec<Slot> = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            let mut waits = 0;
            for before in job.after.iter().filter_map(|id| places.get(id)) {
                slots[*before].followers.push(place);
                waits += 1;
            }
            let mut doors: Vec<usize> = vec![];
            for name in &job.uses {
                let fresh = names.len();
                doors.push(*names.entry(name).or_insert(fresh));
            }
            doors.sort_unstable();
            doors.dedup();
            slots.push(Slot {
                waits,
                followers: vec![],
                shut: doors.len(),
                doors,
                alone: job.task.exclusive,
                popped: false,
            });
            places.insert(job.task.id, place);
        }
        let doors = (0..names.len()).map(|_| Door::default()).collect();
        let mut queue = Self { slots, doors, ready: VecDeque::new() };
        for place in 0..queue.slots.len() {
            if queue.slots[place].waits == 0 {
                queue.line_up(place);
            }
        }
        queue
    }

    /// A job that may start now; the caller starts it, and says when it has ended.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let place = self.ready.pop_front()?;
        self.slots[place].popped = true;
        Some(place)
    }

    /// The jobs that were not popped, in the order of the list.
    pub(super) fn never_popped(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|&place| !self.slots[place].popped).collect()
    }

    /// The job at `place`, popped before, has ended.
    pub(super) fn end(&mut self, place: usize) {
        for door in std::mem::take(&mut self.slots[place].doors) {
            self.doors[door].inside -= 1;
            self.let_in(door);
        }
        for follower in std::mem::take(&mut self.slots[place].followers) {
            self.slots[follower].waits -= 1;
            if self.slots[follower].waits == 0 {
                self.line_up(follower);
            }
        }
    }

    fn line_up(&mut self, place: usize) {
        if self.slots[place].doors.is_empty() {
            self.ready.push_back(place);
            return;
        }
        // In every line before any door opens: lines that differ in order could wait for each other.
        let doors = self.slots[place].doors.clone();
        for &door in &doors {
            self.doors[door].line.push_back(place);
        }
        for door in doors {
            self.let_in(door);
        }
    }

    fn let_in(&mut self, door: usize) {
        let door = &mut self.doors[door];
        while let Some(&first) = door.line.front() {
            let slot = &mut self.slots[first];
            if door.inside > 0 && (door.alone || slot.alone) {
                return;
            }
            door.line.pop_front();
            door.inside += 1;
            door.alone = slot.alone;
            slot.shut -= 1;
            if slot.shut == 0 {
                self.ready.push_back(first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::model::Digest;
    use crate::verify::Task;

    fn job(id: usize, uses: &[&str], exclusive: bool, after: Vec<TaskId>) -> Job {
        Job {
            task: Task {
                id: TaskId(id),
                item: "an.item".parse().unwrap(),
                check: "probe/check".parse().unwrap(),
                plugin: Digest::of(b""),
                params: String::new(),
                targets: BTreeMap::new(),
                names: BTreeMap::new(),
                supervised: BTreeMap::new(),
                allowed: BTreeSet::new(),
                exclusive,
                seed: 0,
                deadline: Duration::ZERO,
            },
            version: semver::Version::new(1, 0, 0),
            after,
            uses: uses.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn popped(queue: &mut Queue) -> Vec<usize> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn one_that_must_be_alone_waits_for_those_inside_and_stops_those_behind() {
        let mut queue = Queue::new(&[
            job(0, &["web"], false, vec![]),
            job(1, &["web"], false, vec![]),
            job(2, &["web"], true, vec![]),
            job(3, &["web"], false, vec![]),
            job(4, &["web"], false, vec![]),
        ]);
        assert_eq!(popped(&mut queue), [0, 1]);
        queue.end(1);
        assert!(popped(&mut queue).is_empty(), "0 is still inside");
        queue.end(0);
        assert_eq!(popped(&mut queue), [2]);
        assert_eq!(queue.never_popped(), [3, 4]);
        queue.end(2);
        assert_eq!(popped(&mut queue), [3, 4]);
    }

    #[test]
    fn lines_at_several_doors_never_wait_for_each_other() {
        let mut queue = Queue::new(&[
            job(0, &["a", "b"], true, vec![]),
            job(1, &["b", "c"], true, vec![]),
            job(2, &["c", "a"], true, vec![]),
        ]);
        for place in 0..3 {
            assert_eq!(popped(&mut queue), [place]);
            queue.end(place);
        }
    }

    #[test]
    fn a_target_named_twice_is_one_door() {
        let mut queue = Queue::new(&[job(0, &["a", "a"], true, vec![]), job(1, &["a"], true, vec![])]);
        assert_eq!(popped(&mut queue), [0]);
        queue.end(0);
        assert_eq!(popped(&mut queue), [1]);
    }

    #[test]
    fn a_hundred_thousand_jobs_at_one_door_pass_in_order() {
        let count = 100_000;
        let after = |id: usize| id.checked_sub(1).map(TaskId).into_iter().collect();
        let jobs: Vec<Job> = (0..count).map(|id| job(id, &["web"], id % 3 == 0, after(id))).collect();
        let mut queue = Queue::new(&jobs);
        for place in 0..count {
            assert_eq!(queue.pop(), Some(place));
            queue.end(place);
        }
        assert_eq!(queue.pop(), None);
    }
}
