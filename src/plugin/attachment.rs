//! Blobs that a plugin keeps as evidence.

use crate::model::{Limit, Limits};

use super::contract::{Failure, attachments};
use super::limit::{ATTACHMENT_SHARE, ATTACHMENTS, HOSTCALL_BYTES, mebibytes};
use super::state::State;

/// The attachments of one run; a handle is the place in it.
pub(super) struct Attachments {
    kept: Vec<Option<Vec<u8>>>,
    bytes: usize,
    /// Of one, and of all.
    most: usize,
    most_together: usize,
}

impl Attachments {
    /// None yet.
    pub(super) fn new(limits: &Limits) -> Self {
        let most_together = mebibytes(limits.get(Limit::Attachments));
        let most = (most_together / ATTACHMENT_SHARE).min(HOSTCALL_BYTES);
        Self { kept: Vec::new(), bytes: 0, most, most_together }
    }

    /// Keeps `bytes`, or says which limit forbids it.
    pub(super) fn keep(&mut self, bytes: Vec<u8>) -> Result<u32, Failure> {
        let over = |what: String| Err(Failure::OverLimit(what));
        if bytes.len() > self.most {
            let way_out = Limit::Attachments.way_out();
            return over(format!("an attachment may have {} KiB; {way_out}", self.most >> 10));
        }
        if self.kept.len() >= ATTACHMENTS {
            return over(format!("a run may have {ATTACHMENTS} attachments"));
        }
        if self.bytes + bytes.len() > self.most_together {
            let way_out = Limit::Attachments.way_out();
            let most = self.most_together >> 20;
            return over(format!("the attachments of a run may have {most} MiB; {way_out}"));
        }
        let handle = u32::try_from(self.kept.len()).map_err(|_| Failure::OverLimit("too many".to_owned()))?;
        self.bytes += bytes.len();
        self.kept.push(Some(bytes));
        Ok(handle)
    }

    /// The bytes behind a handle, which is good once; none where the plugin never got it.
    pub(super) fn take(&mut self, handle: u32) -> Option<Vec<u8>> {
        self.kept.get_mut(usize::try_from(handle).ok()?)?.take()
    }
}

impl attachments::Host for State {
    fn attach(&mut self, _: String, _: String, bytes: Vec<u8>) -> wasmtime::Result<Result<u32, Failure>> {
        // Label and media type come again with the evidence that names the handle; these would only be a second truth.
        Ok(self.attachments.keep(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none_yet() -> Attachments {
        Attachments::new(&Limits::default())
    }

    #[test]
    fn handles_give_their_bytes_once() {
        let mut attachments = none_yet();
        assert!(matches!(attachments.keep(b"a".to_vec()), Ok(0)));
        assert!(matches!(attachments.keep(b"b".to_vec()), Ok(1)));
        assert_eq!(attachments.take(1), Some(b"b".to_vec()));
        assert_eq!(attachments.take(1), None);
        assert_eq!(attachments.take(2), None);
    }

    #[test]
    fn every_limit_is_one_of_its_own() {
        let mut attachments = none_yet();
        let most = attachments.most;
        assert!(matches!(attachments.keep(vec![0; most + 1]), Err(Failure::OverLimit(_))));
        for _ in 0..ATTACHMENT_SHARE {
            assert!(attachments.keep(vec![0; most]).is_ok());
        }
        assert!(matches!(attachments.keep(vec![0]), Err(Failure::OverLimit(_))));
        let mut attachments = none_yet();
        for _ in 0..ATTACHMENTS {
            assert!(attachments.keep(vec![]).is_ok());
        }
        assert!(matches!(attachments.keep(vec![]), Err(Failure::OverLimit(_))));
    }

    #[test]
    fn user_may_allow_more() {
        let mut limits = Limits::default();
        assert!(limits.choose(Limit::Attachments, 256));
        let mut attachments = Attachments::new(&limits);
        assert!(attachments.keep(vec![0; HOSTCALL_BYTES]).is_ok());
        let refused = attachments.keep(vec![0; HOSTCALL_BYTES + 1]);
        assert!(matches!(refused, Err(Failure::OverLimit(why)) if why.contains("attachments-mib")));
    }
}
