//! What a plugin really used: every access, allowed or refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::plain_line;
use crate::verify::Access;

use super::contract::Failure;
use super::failure;
use super::limit::{ACCESSES, LINE_CHARS};
use super::network::Traffic;

/// The accesses of one run, in the order they were noted.
pub(super) struct AccessLog {
    origin: Instant,
    listed: Vec<Access>,
    /// What went over an access, by its place in the list.
    traffic: Vec<(usize, Arc<Traffic>)>,
    /// The call that waits for its answer, where one does: a plugin has one thread.
    under_way: Option<(Instant, String)>,
    more: u64,
    more_refused: u64,
}

impl AccessLog {
    /// An empty log of a run that began at `origin`.
    pub(super) fn new(origin: Instant) -> Self {
        Self { origin, listed: Vec::new(), traffic: Vec::new(), under_way: None, more: 0, more_refused: 0 }
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
        if self.listed.len() < ACCESSES {
            self.listed.push(Access {
                at: at.saturating_duration_since(self.origin),
                what: plain_line(&what(), LINE_CHARS),
                refused: refused.map(|failure| plain_line(&failure::words(failure), LINE_CHARS)),
            });
        } else {
            self.more += 1;
            self.more_refused += u64::from(refused.is_some());
        }
    }

    /// Notes that something was opened at `at`; how much went over it is told at the end of the run.
    pub(super) fn note_open(&mut self, at: Instant, what: impl FnOnce() -> String, traffic: &Arc<Traffic>) {
        if self.listed.len() < ACCESSES {
            self.traffic.push((self.listed.len(), traffic.clone()));
        }
        self.note(at, what, None);
    }

    /// The accesses; the last one says how many more there were, where there were any.
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
            listed.push(Access { at, what: format!("{} more accesses", self.more), refused });
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
        assert_eq!(accesses[ACCESSES].what, "3 more accesses");
        assert_eq!(accesses[ACCESSES].refused.as_deref(), Some("2 of them were refused or failed"));
    }
}
