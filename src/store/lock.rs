//! One writer at a time.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::StoreError;

/// The right to write to a workspace, until it is dropped. The system takes it back from a process that dies.
#[derive(Debug)]
pub struct WriteLock {
    _file: File,
}

impl WriteLock {
    /// Writing takes milliseconds; whoever holds the lock longer than this is stuck.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Waits for the lock in the file at `path`, which is made if it is missing.
    pub fn acquire(path: &Path) -> Result<Self, StoreError> {
        Self::acquire_within(path, Self::PATIENCE)
    }

    fn acquire_within(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let error = |source| StoreError::Write { path: path.to_owned(), source };
        let file = File::options().create(true).append(true).open(path).map_err(error)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(error(source)),
                Err(TryLockError::WouldBlock) if began.elapsed() >= patience => {
                    return Err(StoreError::Locked { path: path.to_owned(), seconds: patience.as_secs() });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_writer_waits_and_then_gives_up_with_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = WriteLock::acquire(&path).unwrap();
        let refused = WriteLock::acquire_within(&path, Duration::from_millis(20));
        assert!(matches!(refused, Err(StoreError::Locked { .. })));
        drop(held);
        assert!(WriteLock::acquire_within(&path, Duration::from_secs(5)).is_ok());
    }
}
