//! How many files the system lets this process have open: every socket is one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::plugin::contract::Failure;

/// Descriptors that everything beside plugins' sockets may need: the terminal, files, clients' connections, the pipes of
/// targets.
const OTHERS: usize = 256;

/// The sockets that all runs of a host hold at this moment.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Descriptors {
    sockets: AtomicUsize,
    /// Held while the limit is looked at and raised: of two runs the second must not lower it again.
    raising: Mutex<()>,
}

impl Descriptors {
    /// Makes room for `more` sockets: the soft limit is raised as far as needed and as the hard one allows. Systems start
    /// with a soft limit of about a thousand for the sake of programs that use `select`, which this one does not.
    pub(super) fn make_room(&self, more: usize) -> Result<(), Failure> {
        let _alone = self.raising.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = getrlimit(Resource::Nofile);
        let needed = self.sockets() + more + OTHERS;
        if let Some(raised) = raised(limit, needed as u64)? {
            // Refused, it leaves things as they were: the system tells at the socket that is one too many.
            let _ = setrlimit(Resource::Nofile, raised);
        }
        Ok(())
    }

    /// Sockets that are open.
    pub(super) fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self) {
        self.sockets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self) {
        self.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The limit that `needed` open files ask for; none where `limit` is enough.
fn raised(limit: Rlimit, needed: u64) -> Result<Option<Rlimit>, Failure> {
    match (limit.current, limit.maximum) {
        (None, _) => Ok(None),
        (Some(current), _) if current >= needed => Ok(None),
        (Some(_), Some(maximum)) if maximum < needed => Err(Failure::OverLimit(format!(
            "this system lets mustdo have {maximum} open files and that many connections need {needed}: raise its \
             limit (`ulimit -Hn {needed}` as root, or nofile in /etc/security/limits.conf), or open fewer"
        ))),
        (Some(_), maximum) => Ok(Some(Rlimit { current: Some(needed), maximum })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: u64, maximum: u64) -> Rlimit {
        Rlimit { current: Some(current), maximum: Some(maximum) }
    }

    #[test]
    fn limit_is_raised_as_far_as_needed_and_no_further() {
        assert_eq!(raised(limit(1_024, 20_000), 1_024).unwrap(), None);
        assert_eq!(raised(limit(1_024, 20_000), 8_256).unwrap(), Some(limit(8_256, 20_000)));
        assert_eq!(raised(limit(1_024, 8_256), 8_256).unwrap(), Some(limit(8_256, 8_256)));
        let unlimited = Rlimit { current: Some(1_024), maximum: None };
        assert_eq!(raised(unlimited, 5_000).unwrap().unwrap().current, Some(5_000));
        assert_eq!(raised(Rlimit { current: None, maximum: None }, 5_000).unwrap(), None);
    }

    #[test]
    fn system_that_allows_too_few_is_named_with_what_is_needed() {
        let refused = raised(limit(1_024, 4_096), 8_256).unwrap_err();
        assert!(
            matches!(&refused, Failure::OverLimit(why) if why.contains("4096") && why.contains("ulimit -Hn 8256")),
            "{refused:?}"
        );
    }
}
