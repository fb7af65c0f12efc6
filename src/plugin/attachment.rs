//! Blobs that a plugin keeps as evidence.

use super::contract::{Failure, attachments};
use super::limit::{ATTACHMENT_BYTES, ATTACHMENTS, ATTACHMENTS_BYTES};
use super::state::State;

/// The attachments of one run; a handle is the place in it.
#[derive(Default)]
pub(super) struct Attachments {
    kept: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl Attachments {
    /// Keeps `bytes`, or says which limit forbids it.
    pub(super) fn keep(&mut self, bytes: Vec<u8>) -> Result<u32, Failure> {
        let over = |what: String| Err(Failure::OverLimit(what));
        if bytes.len() > ATTACHMENT_BYTES {
            return over(format!("an attachment may have {} MiB", ATTACHMENT_BYTES >> 20));
        }
        if self.kept.len() >= ATTACHMENTS {
            return over(format!("a run may have {ATTACHMENTS} attachments"));
        }
        if self.bytes + bytes.len() > ATTACHMENTS_BYTES {
            return over(format!("the attachments of a run may have {} MiB", ATTACHMENTS_BYTES >> 20));
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

    #[test]
    fn handles_give_their_bytes_once() {
        let mut attachments = Attachments::default();
        assert!(matches!(attachments.keep(b"a".to_vec()), Ok(0)));
        assert!(matches!(attachments.keep(b"b".to_vec()), Ok(1)));
        assert_eq!(attachments.take(1), Some(b"b".to_vec()));
        assert_eq!(attachments.take(1), None);
        assert_eq!(attachments.take(2), None);
    }

    #[test]
    fn every_limit_is_one_of_its_own() {
        let mut attachments = Attachments::default();
        assert!(matches!(attachments.keep(vec![0; ATTACHMENT_BYTES + 1]), Err(Failure::OverLimit(_))));
        for _ in 0..ATTACHMENTS_BYTES / ATTACHMENT_BYTES {
            assert!(attachments.keep(vec![0; ATTACHMENT_BYTES]).is_ok());
        }
        assert!(matches!(attachments.keep(vec![0]), Err(Failure::OverLimit(_))));
        let mut attachments = Attachments::default();
        for _ in 0..ATTACHMENTS {
            assert!(attachments.keep(vec![]).is_ok());
        }
        assert!(matches!(attachments.keep(vec![]), Err(Failure::OverLimit(_))));
    }
}
