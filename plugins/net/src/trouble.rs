//! What a connection did instead of what it should, in words.

use mustdo_plugin::verdict::{Finding, Location, Severity};
use mustdo_plugin::{Failure, Fault, Text};

/// Bytes of a stream that a finding shows.
const SHOWN: usize = 24;

/// How a conversation went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Another byte came than must come.
    Differs {
        /// How many bytes were right before it.
        at: usize,
        /// What must come from there on, cut short.
        expected: Vec<u8>,
        /// What came.
        got: Vec<u8>,
    },
    /// Something came where nothing may.
    Extra(Vec<u8>),
    /// The server ended its side too early.
    Ended(Progress),
    /// The server broke the connection off.
    Reset(Progress),
    /// Nothing more came within the time.
    Silent(Progress),
    /// The server took no more bytes within the time, after `0` bytes.
    Stuck(usize),
    /// The server did not end its side within the time.
    StaysOpen,
    /// Connections are taken too slowly: so many in so many seconds.
    Slow(usize, u64),
    /// No connection was to be had.
    Refused(String),
    /// The host stopped it: a missing grant, a limit, the check's own time. Says nothing about the server.
    Host(Failure),
}

/// How far a reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Right bytes that came.
    pub(crate) came: usize,
    /// Bytes of the whole.
    pub(crate) of: usize,
}

impl Trouble {
    /// What a failed read means after `progress`.
    pub(crate) fn of_read(failure: Failure, progress: Progress) -> Self {
        match failure {
            Failure::TimedOut => Self::Silent(progress),
            Failure::Unreachable(_) => Self::Reset(progress),
            other @ (Failure::Denied(_)
            | Failure::Unbound(_)
            | Failure::OverLimit(_)
            | Failure::Protocol(_)
            | Failure::Other(_)) => Self::Host(other),
        }
    }

    /// What a failed write means after `sent` bytes.
    pub(crate) fn of_write(failure: Failure, sent: usize) -> Self {
        match failure {
            Failure::TimedOut => Self::Stuck(sent),
            other @ (Failure::Denied(_)
            | Failure::Unbound(_)
            | Failure::Unreachable(_)
            | Failure::OverLimit(_)
            | Failure::Protocol(_)
            | Failure::Other(_)) => Self::of_read(other, Progress::start(0)),
        }
    }

    /// What a failed attempt at a connection means.
    pub(crate) fn of_connect(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(why) => Self::Refused(why),
            Failure::TimedOut => Self::Refused("no answer to the handshake".to_owned()),
            other @ (Failure::Denied(_)
            | Failure::Unbound(_)
            | Failure::OverLimit(_)
            | Failure::Protocol(_)
            | Failure::Other(_)) => Self::Host(other),
        }
    }

    /// One clause, without a full stop.
    pub(crate) fn text(&self) -> Text {
        match self {
            Self::Differs { at, expected, got } => Text::new(
                format!(
                    "after {at} right bytes of the reply {} must come, {} came",
                    excerpt(expected),
                    excerpt(got)
                ),
                format!("回应的前 {at} 字节正确，接下来应为 {}，实际是 {}", excerpt(expected), excerpt(got)),
            ),
            Self::Extra(bytes) => Text::new(
                format!("{} came where nothing may come", excerpt(bytes)),
                format!("不该有数据的时候收到了 {}", excerpt(bytes)),
            ),
            Self::Ended(progress) => Text::new(
                format!("the server closed the connection {}", progress.en()),
                format!("服务器关闭了连接（{}）", progress.zh()),
            ),
            Self::Reset(progress) => Text::new(
                format!("the server broke the connection off {}", progress.en()),
                format!("服务器强行断开了连接（{}）", progress.zh()),
            ),
            Self::Silent(progress) => Text::new(
                format!("nothing more came for {} s {}", crate::talk::PATIENCE.as_secs(), progress.en()),
                format!("等了 {} 秒没有更多数据（{}）", crate::talk::PATIENCE.as_secs(), progress.zh()),
            ),
            Self::Stuck(sent) => Text::new(
                format!("the server read no more after {sent} bytes"),
                format!("发送 {sent} 字节之后，服务器不再读取"),
            ),
            Self::StaysOpen => Text::new(
                format!("the server did not close its side within {} s", crate::talk::PATIENCE.as_secs()),
                format!("服务器 {} 秒内没有关闭自己这一侧", crate::talk::PATIENCE.as_secs()),
            ),
            Self::Slow(taken, seconds) => Text::new(
                format!("the server took only {taken} connections in {seconds} s"),
                format!("服务器 {seconds} 秒内只接受了 {taken} 个连接"),
            ),
            Self::Refused(why) => Text::new(
                format!("the server took no connection any more ({why})"),
                format!("服务器不再接受连接（{why}）"),
            ),
            Self::Host(failure) => failure.explain(),
        }
    }

    /// The fault of a step: what the server did is wrong, what the host did says nothing.
    ///
    /// `code` is the finding's, `sent` tells what was done before, `hint` what to do about it.
    pub(crate) fn fault(self, code: &str, sent: &Text, hint: Text) -> Fault {
        if let Self::Host(failure) = self {
            return failure.into();
        }
        let text = self.text();
        wrong(code, text.clone(), told(sent, &text), hint)
    }
}

impl Progress {
    /// Nothing of `of` bytes has come yet.
    pub(crate) fn start(of: usize) -> Self {
        Self { came: 0, of }
    }

    fn en(self) -> String {
        if self.of == 0 { "early".to_owned() } else { format!("after {} of {} bytes", self.came, self.of) }
    }

    fn zh(self) -> String {
        if self.of == 0 { "过早".to_owned() } else { format!("收到 {} / {} 字节", self.came, self.of) }
    }
}

/// A failed step with its one finding.
pub(crate) fn wrong(code: &str, summary: Text, message: Text, hint: Text) -> Fault {
    let finding = Finding::new(Severity::Problem, format!("net.{code}"), message);
    Fault::fail(summary).with(finding.at(Location::Endpoint(crate::probe::SOCKET.to_owned())).hint(hint))
}

/// What was done and what came of it, as one message.
pub(crate) fn told(sent: &Text, came: &Text) -> Text {
    Text::new(format!("{}; {}", sent.en, came.en), format!("{}；{}", sent.zh, came.zh))
}

/// The first bytes as text in quotes, with escapes where they are no plain ASCII.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(SHOWN).map(|byte| byte.escape_ascii().to_string()).collect();
    if bytes.len() > SHOWN { format!("\"{shown}\"…") } else { format!("\"{shown}\"") }
}

#[cfg(test)]
mod tests {
    use mustdo_plugin::verdict::Status;

    use super::*;

    #[test]
    fn a_server_that_differs_fails_and_a_host_that_refuses_does_not() {
        let sent = Text::same("sent a line");
        let fault = |trouble: Trouble| trouble.fault("echo-differs", &sent, Text::same("look"));
        let differs = Trouble::Differs { at: 3, expected: b"lo\n".to_vec(), got: b"LO\n".to_vec() };
        assert_eq!(fault(differs.clone()).status(), Status::Fail);
        assert_eq!(
            fault(differs).summary().en,
            "after 3 right bytes of the reply \"lo\\n\" must come, \"LO\\n\" came"
        );
        let denied = Trouble::of_read(Failure::Denied("mustdo grant".to_owned()), Progress::start(1));
        assert_eq!(fault(denied).status(), Status::Inconclusive);
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b"a\0\n\xff"), "\"a\\x00\\n\\xff\"");
        assert!(excerpt(&[b'x'; 100]).ends_with("\"…"));
    }
}
