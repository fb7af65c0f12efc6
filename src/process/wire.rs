//! What a guard and its mustdo tell each other: file descriptors one way, lines of text the other.

use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

use super::{Ended, Exit, Streams};

/// What a guard tells. Each is one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The program runs, as this process.
    Started(u32),
    /// The system would not start it: the error's number.
    Failed(i32),
    /// It has ended.
    Ended(Ended),
}

impl Message {
    /// Sends it. Nobody there to hear it is no error: then the guard's work is to end.
    pub(super) fn send(self, mut control: &UnixStream) {
        let line = match self {
            Self::Started(pid) => format!("started {pid} 0\n"),
            Self::Failed(error) => format!("failed {error} 0\n"),
            Self::Ended(Ended { exit, wall }) => {
                let (word, number) = match exit {
                    Exit::Status(status) => ("status", status),
                    Exit::Signal(signal) => ("signal", signal),
                    Exit::Unknown => ("gone", 0),
                };
                format!("{word} {number} {}\n", u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX))
            }
        };
        drop(control.write_all(line.as_bytes()));
    }

    /// Reads a line back; none where it is not one of these.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (word, number, nanos) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let ended = |exit| Self::Ended(Ended { exit, wall: Duration::from_nanos(nanos) });
        Some(match word {
            "started" => Self::Started(number.parse().ok()?),
            "failed" => Self::Failed(number.parse().ok()?),
            "status" => ended(Exit::Status(number.parse().ok()?)),
            "signal" => ended(Exit::Signal(number.parse().ok()?)),
            "gone" => ended(Exit::Unknown),
            _ => return None,
        })
    }
}

/// How many descriptors a program gets.
const STREAMS: usize = 3;

/// Hands a program's streams to its guard.
pub(super) fn send_streams(control: &UnixStream, streams: &Streams) -> io::Result<()> {
    let fds = [streams.stdin.as_fd(), streams.stdout.as_fd(), streams.stderr.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::Error::other("no room for the program's streams"));
    }
    rustix::net::sendmsg(control, &[IoSlice::new(b"s")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// Takes what [`send_streams`] sent.
pub(super) fn receive_streams(control: &UnixStream) -> io::Result<Streams> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(control, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags())?;
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(
            |message| if let RecvAncillaryMessage::ScmRights(fds) = message { Some(fds) } else { None },
        )
        .flatten()
        .collect();
    let [stdin, stdout, stderr] =
        <[OwnedFd; STREAMS]>::try_from(fds).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok(Streams { stdin, stdout, stderr })
}

/// Descriptors that arrive must not leak into what is started.
fn flags() -> RecvFlags {
    #[cfg(not(target_vendor = "apple"))]
    return RecvFlags::CMSG_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    return RecvFlags::empty();
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};

    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let ended = |exit| Message::Ended(Ended { exit, wall: Duration::from_nanos(1_234_567_890_123) });
        for message in [
            Message::Started(4_000_000),
            Message::Failed(2),
            ended(Exit::Status(-1)),
            ended(Exit::Signal(9)),
            ended(Exit::Unknown),
        ] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            message.send(&theirs);
            let mut line = String::new();
            BufReader::new(ours).read_line(&mut line).unwrap();
            assert_eq!(Message::parse(line.trim_end()), Some(message));
        }
        for noise in ["", "started", "started x 0", "stopped 1 0", "status 1"] {
            assert_eq!(Message::parse(noise), None, "{noise}");
        }
    }

    #[test]
    fn streams_arrive_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let [(mut a, stdin), (mut b, stdout), (mut c, stderr)] = [(); 3].map(|()| io::pipe().unwrap());
        let streams = Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        send_streams(&ours, &streams).unwrap();
        drop(streams);
        let Streams { stdin, stdout, stderr } = receive_streams(&theirs).unwrap();
        for (fd, text) in [(stdin, "in"), (stdout, "out"), (stderr, "err")] {
            std::fs::File::from(fd).write_all(text.as_bytes()).unwrap();
        }
        for (pipe, text) in [(&mut a, "in"), (&mut b, "out"), (&mut c, "err")] {
            let mut read = String::new();
            pipe.read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        assert!(
            receive_streams(&{
                drop(ours);
                theirs
            })
            .is_err()
        );
    }
}
