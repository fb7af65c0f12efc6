//! Failures as plugins see them, and their words.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};

use rustix::io::Errno;

use super::contract::Failure;

impl super::contract::failures::Host for super::state::State {}

/// The user has not allowed it; the words are the command that would.
pub(super) fn denied(plugin: &str, capability: &dyn Display) -> Failure {
    Failure::Denied(format!("mustdo grant {plugin} {capability}"))
}

/// One line for logs and people.
pub(super) fn words(failure: &Failure) -> String {
    match failure {
        Failure::Denied(why) => format!("denied: {why}"),
        Failure::Unbound(why) => format!("not bound: {why}"),
        Failure::Unreachable(why) => format!("unreachable: {why}"),
        Failure::TimedOut => "timed out".to_owned(),
        Failure::OverLimit(why) => format!("over the limit: {why}"),
        Failure::Protocol(why) => format!("protocol error: {why}"),
        Failure::Other(why) => why.clone(),
    }
}

/// What an operating system error means to a plugin.
pub(super) fn of_io(error: &io::Error) -> Failure {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the standard library may add kinds; each that is not known is passed on in its own words"
    )]
    match error.kind() {
        _ if is_out_of_descriptors(error) => Failure::OverLimit(
            "the system lets mustdo have no more files open; raise the limit (`ulimit -n`)".to_owned(),
        ),
        ErrorKind::TimedOut => Failure::TimedOut,
        ErrorKind::ConnectionRefused => Failure::Unreachable("connection refused".to_owned()),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Failure::Unreachable("connection reset by the peer".to_owned())
        }
        ErrorKind::NotFound => Failure::Unreachable("no such file".to_owned()),
        ErrorKind::AddrNotAvailable => {
            Failure::Other("this machine has no such local address, or no free port on it".to_owned())
        }
        ErrorKind::AddrInUse => Failure::Other(
            "no free port on that local address; use another of 127.0.0.0/8, or fewer connections".to_owned(),
        ),
        ErrorKind::NotConnected => Failure::Unreachable("not connected any more".to_owned()),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            Failure::Unreachable("no route to the host".to_owned())
        }
        _ => Failure::Other(error.to_string()),
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// The operating system error at the bottom of `error`, where there is one.
pub(super) fn io_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_open_files_is_a_limit_with_the_way_out() {
        let failure = of_io(&Errno::MFILE.into());
        assert!(matches!(&failure, Failure::OverLimit(why) if why.contains("ulimit")), "{failure:?}");
    }

    #[test]
    fn what_a_peer_does_is_told_from_what_this_machine_lacks() {
        assert!(matches!(of_io(&Errno::CONNREFUSED.into()), Failure::Unreachable(_)));
        assert!(matches!(of_io(&Errno::CONNRESET.into()), Failure::Unreachable(_)));
        assert!(matches!(of_io(&Errno::TIMEDOUT.into()), Failure::TimedOut));
        assert!(
            matches!(of_io(&Errno::ADDRINUSE.into()), Failure::Other(why) if why.contains("127.0.0.0/8"))
        );
        assert!(matches!(of_io(&Errno::ADDRNOTAVAIL.into()), Failure::Other(_)));
    }
}
