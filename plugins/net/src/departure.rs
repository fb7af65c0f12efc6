//! Clients that go away while the server has something to say to them.
//!
//! What the server's write returns depends on how they go. After a reset it fails once with ECONNRESET, and a server that closes
//! then never meets SIGPIPE. Where an end came before the reset it fails with EPIPE and raises SIGPIPE, whose default ends the
//! process (write(2), signal(7)). The second way is the usual one: a client that closes sends an end, and what still arrives for
//! it is answered by a reset (RFC 9293, section 3.10.7.1).

use std::time::Duration;

use mustdo_plugin::tcp::Options;

use crate::probe::Probe;
use crate::talk::{PATIENCE, Talk};
use crate::trouble::Trouble;

/// Bytes of requests that the first who end send: one request, some, and what goes out at once into the first window.
const AT_ONCE: [usize; 3] = [1, 8 << 10, 56 << 10];

/// Bytes after which a server that goes on taking requests is taken for one that never blocks in a write.
const ENDLESS: usize = 12 << 20;

/// How long a server has to take nothing until it is believed to be blocked, in pauses of so long.
const STILL: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Bytes that two clients in a row differ by: less than what fits into the server's receive buffer while it is blocked in a write
/// (tcp(7), `tcp_rmem`: 85 KiB at least where nobody changed it).
const STRIDE: usize = 48 << 10;

/// How long the server has to get to where it blocks.
const SETTLE: Duration = Duration::from_millis(20);

/// Clients that send a request and reset the connection.
pub(crate) fn resets(probe: &mut Probe<'_, '_>, times: u32) -> Result<(), Trouble> {
    for _ in 0..times {
        let message = probe.word(20);
        let talk = probe.connect()?;
        talk.send(&message.request)?;
        talk.reset();
    }
    Ok(())
}

/// The same in the middle of a large reply: ten ask for about a mebibyte each, read a few bytes of it and are gone.
pub(crate) fn resets_in_reply(probe: &mut Probe<'_, '_>, _: u32) -> Result<(), Trouble> {
    let requests = probe.word(2_000).request.repeat(500);
    for _ in 0..10 {
        let talk = connect_unread(probe)?;
        push(probe, &talk, &requests, requests.len(), 1);
        // What was read is not asked: the reset must come while the reply is on its way.
        let _ = talk.connection().receive(100);
        talk.reset();
    }
    Ok(())
}

/// Clients that end their side and then reset the connection.
///
/// Those that do so at once race with the server, which on some machines wins again and again: it is woken by the request, and has
/// answered before the client has its turn. So others make it wait. Between what makes its write block and what its receive buffer
/// takes beyond that, all that a client sends arrives, the end too, and the server is in the middle of its reply for as long as the
/// client likes. How much that is depends on the system: a first client finds out how much goes out until nothing moves, about half
/// of which is still on this side, and the others try the sizes around the rest.
pub(crate) fn ends_and_resets(probe: &mut Probe<'_, '_>, times: u32) -> Result<(), Trouble> {
    for bytes in AT_ONCE {
        let message = probe.word(20);
        let requests = message.request.repeat(bytes.div_ceil(message.request.len()));
        for _ in 0..times {
            let talk = probe.connect()?;
            talk.send(&requests)?;
            talk.finish()?;
            talk.reset();
        }
    }
    let requests = probe.word(2_000).request.repeat(100);
    let talk = connect_unread(probe)?;
    let most = push(probe, &talk, &requests, ENDLESS, STILL);
    talk.reset();
    if most >= ENDLESS {
        return Ok(());
    }
    for bytes in (most * 3 / 10..most * 6 / 10).step_by(STRIDE) {
        let talk = connect_unread(probe)?;
        push(probe, &talk, &requests, bytes, STILL);
        // One that the server has closed meanwhile says nothing about the others.
        if talk.finish().is_ok() {
            probe.context().sleep(SETTLE);
        }
        talk.reset();
    }
    Ok(())
}

/// A connection with little room for replies that nobody reads.
fn connect_unread(probe: &Probe<'_, '_>) -> Result<Talk, Trouble> {
    let options =
        Options { receive_buffer: 4 << 10, no_delay: true, timeout: PATIENCE, ..Options::default() };
    probe.connect_with(&options)
}

/// Sends the requests again and again, up to `limit` bytes or until nothing goes out any more, which is looked at so many
/// times. Returns how many bytes went out.
fn push(probe: &Probe<'_, '_>, talk: &Talk, requests: &[u8], limit: usize, looks: u32) -> usize {
    let (mut sent, mut idle) = (0, 0);
    while sent < limit && idle < looks {
        let rest = &requests[sent % requests.len()..];
        match talk.connection().write_some(&rest[..rest.len().min(limit - sent)]) {
            Ok(0) => {
                idle += 1;
                if idle < looks {
                    probe.context().sleep(PAUSE);
                }
            }
            Ok(written) => (sent, idle) = (sent + written, 0),
            Err(_) => break,
        }
    }
    sent
}
