//! One connection to the learner's server, and exact reading from it.

use std::time::Duration;

use mustdo_plugin::tcp::Connection;
use mustdo_plugin::{Context, Failure};

use crate::trouble::{Progress, Trouble};

/// How long a server that has shown that it answers may take for the next bytes. On loopback an answer takes well below a
/// millisecond; the rest is for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of one read.
const CHUNK: usize = 256 << 10;

/// A connection on which every byte that comes is held against what must come.
pub(crate) struct Talk {
    connection: Connection,
}

impl Talk {
    pub(crate) fn new(mut connection: Connection) -> Self {
        connection.set_read_timeout(PATIENCE);
        connection.set_write_timeout(PATIENCE);
        Self { connection }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends all of it; for what is larger than the system buffers, [`exchange`](Self::exchange) reads meanwhile.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<(), Trouble> {
        self.connection.send(bytes).map_err(|failure| Trouble::of_write(failure, 0))
    }

    /// Reads exactly `expected` and not a byte more.
    pub(crate) fn expect(&self, expected: &[u8]) -> Result<(), Trouble> {
        let mut progress = Progress::start(expected.len());
        while progress.came < expected.len() {
            self.compare(expected, &mut progress)?;
        }
        Ok(())
    }

    /// One read, held against what must come next.
    fn compare(&self, expected: &[u8], progress: &mut Progress) -> Result<(), Trouble> {
        let rest = &expected[progress.came..];
        let room = u32::try_from(rest.len().min(CHUNK)).unwrap_or(u32::MAX);
        let bytes = self.connection.receive(room).map_err(|failure| Trouble::of_read(failure, *progress))?;
        if bytes.is_empty() {
            return Err(Trouble::Ended(*progress));
        }
        if let Some(wrong) = bytes.iter().zip(rest).position(|(got, must)| got != must) {
            let must = &rest[wrong..];
            return Err(Trouble::Differs {
                at: progress.came + wrong,
                expected: must[..must.len().min(64)].to_vec(),
                got: bytes[wrong..].to_vec(),
            });
        }
        progress.came += bytes.len();
        Ok(())
    }

    /// Sends the segments, each by itself, and reads `expected` meanwhile, so that neither side waits for the other to
    /// make room.
    pub(crate) fn exchange(
        &self,
        context: &Context<'_>,
        segments: &[&[u8]],
        expected: &[u8],
    ) -> Result<(), Trouble> {
        let mut progress = Progress::start(expected.len());
        let mut outgoing = segments.iter().copied().filter(|segment| !segment.is_empty());
        let mut segment: &[u8] = outgoing.next().unwrap_or_default();
        let mut sent = 0;
        let mut moved_at = context.monotonic();
        while progress.came < expected.len() || !segment.is_empty() {
            let mut moved = false;
            if !segment.is_empty() {
                let written = self.connection.write_some(segment);
                let written = written.map_err(|failure| Trouble::of_write(failure, sent))?;
                moved = written > 0;
                sent += written;
                segment = &segment[written..];
                if segment.is_empty() {
                    segment = outgoing.next().unwrap_or_default();
                }
            }
            let wait = if moved { Duration::ZERO } else { Duration::from_millis(20) };
            if progress.came < expected.len() && self.is_readable(context, wait) {
                self.compare(expected, &mut progress)?;
                moved = true;
            }
            let now = context.monotonic();
            if moved {
                moved_at = now;
            } else if now.saturating_sub(moved_at) > PATIENCE {
                let trouble =
                    if segment.is_empty() { Trouble::Silent(progress) } else { Trouble::Stuck(sent) };
                return Err(trouble);
            }
        }
        Ok(())
    }

    /// Whether something has come, or the connection has ended, within `wait`.
    pub(crate) fn is_readable(&self, context: &Context<'_>, wait: Duration) -> bool {
        !context.wait_readable(&[&self.connection], wait).is_empty()
    }

    /// Nothing comes for `time`. An end is none of the bytes that may not come.
    pub(crate) fn expect_quiet(&self, context: &Context<'_>, time: Duration) -> Result<(), Trouble> {
        if !self.is_readable(context, time) {
            return Ok(());
        }
        match self.connection.receive(4_096) {
            Ok(bytes) if !bytes.is_empty() => Err(Trouble::Extra(bytes)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Sends no more; the server reads an end.
    pub(crate) fn finish(&self) -> Result<(), Trouble> {
        self.connection.shutdown_write().map_err(|failure| Trouble::of_write(failure, 0))
    }

    /// The server ends its side within the time, and says nothing before.
    pub(crate) fn expect_end(&self) -> Result<(), Trouble> {
        match self.connection.receive(4_096) {
            Ok(bytes) if bytes.is_empty() => Ok(()),
            Ok(bytes) => Err(Trouble::Extra(bytes)),
            Err(Failure::TimedOut) => Err(Trouble::StaysOpen),
            Err(failure) => Err(Trouble::of_read(failure, Progress::start(0))),
        }
    }

    /// Closes with a reset: the server's next call fails.
    pub(crate) fn reset(self) {
        self.connection.reset();
    }
}
