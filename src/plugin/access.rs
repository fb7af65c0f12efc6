//! What a plugin really used: every access, allowed or refused.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{Capability, plain_line};
use crate::verify::Access;

use super::contract::Failure;
use super::failure;
use super::limit::{ACCESS_BYTES, ACCESSES, LINE_CHARS};
use super::network::Traffic;

/// The accesses of one run, in the order they were noted.
pub(super) struct AccessLog {
    origin: Instant,
    listed: Vec<Access>,
    /// Of the words that are listed.
    bytes: usize,
    /// What went over an access, by its place in the list.
    traffic: Vec<(usize, Arc<Traffic>)>,
    /// The call that waits for its answer, where one does: a plugin has one thread.
    under_way: Option<(Instant, String)>,
    more: u64,
    more_refused: u64,
    /// What was asked for and allowed: a flood can hide a request, and nothing that was used.
    used: Mutex<BTreeSet<Capability>>,
}

impl AccessLog {
    /// An empty log of a run that began at `origin`.
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            listed: Vec::new(),
            bytes: 0,
            traffic: Vec::new(),
            under_way: None,
            more: 0,
            more_refused: 0,
            used: Mutex::default(),
        }
    }

    /// Says what may never come back to be noted: a run that is stopped meanwhile has done it all the same. Whatever is
    /// noted next is what came of it.
    pub(super) fn begin(&mut self, at: Instant, what: String) {
        self.under_way = Some((at, what));
    }

    /// What began came back, and nothing of it is worth a note.
    pub(super) fn forget(&mut self) {
        self.under_way = None;
    }

    /// Notes one access that began at `at`. `what` is only worded while there is room for it: a flood of requests is
    /// counted, not described.
    pub(super) fn note(&mut self, at: Instant, what: impl FnOnce() -> String, refused: Option<&Failure>) {
        self.forget();
        if self.has_room() {
            let what = plain_line(&what(), LINE_CHARS);
            let refused = refused.map(|failure| plain_line(&failure::words(failure), LINE_CHARS));
            self.bytes += what.len() + refused.as_ref().map_or(0, String::len);
            self.listed.push(Access { at: at.saturating_duration_since(self.origin), what, refused });
        } else {
            self.more += 1;
            self.more_refused += u64::from(refused.is_some());
        }
    }

    /// Notes that something was opened at `at`; how much went over it is told at the end of the run.
    pub(super) fn note_open(&mut self, at: Instant, what: impl FnOnce() -> String, traffic: &Arc<Traffic>) {
        if self.has_room() {
            self.traffic.push((self.listed.len(), traffic.clone()));
        }
        self.note(at, what, None);
    }

    /// Notes that `capability` was asked for and allowed.
    pub(super) fn use_of(&self, capability: &Capability) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(capability) {
            used.insert(capability.clone());
        }
    }

    fn has_room(&self) -> bool {
        self.listed.len() < ACCESSES && self.bytes < ACCESS_BYTES
    }

    /// The accesses; the last one says how many more there were, where there were any, and what was used in all.
    pub(super) fn finish(mut self) -> Vec<Access> {
        if let Some((at, what)) = self.under_way.take() {
            self.note(at, || what, Some(&Failure::Other("not over when the run ended".to_owned())));
        }
        let mut listed = self.listed;
        for (index, traffic) in self.traffic {
            if let Some(words) = traffic.words() {
                listed[index].what.push_str(&format!(", {words}"));
            }
        }
        if self.more > 0 {
            let at = listed.last().map_or(Duration::ZERO, |last| last.at);
            let refused = (self.more_refused > 0)
                .then(|| format!("{} of them were refused or failed", self.more_refused));
            let used = self.used.into_inner().unwrap_or_else(PoisonError::into_inner);
            let used: Vec<_> = used.iter().map(ToString::to_string).collect();
            let used = if used.is_empty() { "nothing".to_owned() } else { used.join(" ") };
            let what = format!("{} more accesses; used in all: {used}", self.more);
            listed.push(Access { at, what, refused });
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_came_back_is_told() {
        let origin = Instant::now();
        let mut log = AccessLog::new(origin);
        log.begin(origin, "http open web".to_owned());
        log.forget();
        log.begin(origin, "http GET web /first".to_owned());
        log.note(origin, || "http GET web /first".to_owned(), None);
        log.begin(origin, "http GET web /second".to_owned());
        let accesses = log.finish();
        let told: Vec<_> = accesses.iter().map(|access| (&*access.what, access.refused.as_deref())).collect();
        let never = Some("not over when the run ended");
        assert_eq!(told, [("http GET web /first", None), ("http GET web /second", never)]);
    }

    #[test]
    fn accesses_past_the_limit_are_counted_with_their_refusals() {
        let origin = Instant::now();
        let mut log = AccessLog::new(origin);
        for index in 0..ACCESSES + 3 {
            let refused = (index > ACCESSES).then_some(Failure::TimedOut);
            log.note(origin, || "http GET web /".to_owned(), refused.as_ref());
        }
        let accesses = log.finish();
        assert_eq!(accesses.len(), ACCESSES + 1);
        assert_eq!(accesses[ACCESSES].what, "3 more accesses; used in all: nothing");
        assert_eq!(accesses[ACCESSES].refused.as_deref(), Some("2 of them were refused or failed"));
    }

    #[test]
    fn flood_hides_a_request_and_nothing_that_was_used() {
        let origin = Instant::now();
        let mut log = AccessLog::new(origin);
        let refused = Failure::Denied("x".repeat(LINE_CHARS));
        for _ in 0..ACCESSES {
            log.note(origin, || "x".repeat(LINE_CHARS), Some(&refused));
        }
        log.use_of(&"process:tool".parse().unwrap());
        log.note(origin, || "process start tool".to_owned(), None);
        let accesses = log.finish();
        let last = &accesses.last().unwrap().what;
        assert!(last.ends_with(" more accesses; used in all: process:tool"), "{last}");
        assert!(
            accesses.len() < ACCESSES
                && accesses.iter().map(|access| access.what.len()).sum::<usize>() < ACCESS_BYTES
        );
    }
}
