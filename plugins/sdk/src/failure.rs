//! Why the host could not do what a plugin asked for.

use std::io;

use crate::Text;

/// A call that brought no answer. It says nothing about the learner's work, so it never fails a check by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Not granted; carries the grant that the user would have to add.
    Denied(String),
    /// Granted, but the workspace binds no such target.
    Unbound(String),
    /// Refused, no such name, reset by the peer.
    Unreachable(String),
    /// No answer within the time.
    TimedOut,
    /// A limit of the host was hit.
    OverLimit(String),
    /// The peer broke the protocol.
    Protocol(String),
    /// Anything else, in words.
    Other(String),
}

impl Failure {
    /// Names the likely cause, for the learner.
    #[must_use]
    pub fn explain(&self) -> Text {
        match self {
            Self::Denied(grant) => Text::new(
                format!("this plugin is not allowed to do that yet: {grant}"),
                format!("插件还没有得到许可：{grant}"),
            ),
            Self::Unbound(target) => Text::new(
                format!("no such target in mustdo.toml: {target}; add it under [targets]"),
                format!("mustdo.toml 里没有绑定这个目标：{target}；请在 [targets] 下添加"),
            ),
            Self::Unreachable(why) => Text::new(
                format!(
                    "the service did not take the connection ({why}); is it running, and is its url right?"
                ),
                format!("连不上服务（{why}）；它启动了吗？url 写对了吗？"),
            ),
            Self::TimedOut => Text::new(
                "the service did not answer in time; is it stuck, or slower than the check waits?",
                "服务没有按时回应；是卡住了，还是比检查愿意等的更慢？",
            ),
            Self::OverLimit(limit) => Text::new(
                format!("a limit of mustdo was reached: {limit}"),
                format!("触到了 mustdo 的上限：{limit}"),
            ),
            Self::Protocol(why) => Text::new(
                format!("the service does not speak proper HTTP ({why}); is this the port of a web service?"),
                format!("服务的回应不是正常的 HTTP（{why}）；这个端口上是网站服务吗？"),
            ),
            Self::Other(why) => Text::new(format!("the request failed: {why}"), format!("请求失败：{why}")),
        }
    }
}

/// For streams: [`std::io::Read`] and [`std::io::Write`] speak of no other errors.
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::TimedOut => io::ErrorKind::TimedOut,
            Failure::Denied(_) => io::ErrorKind::PermissionDenied,
            Failure::Unbound(_) => io::ErrorKind::NotFound,
            Failure::Unreachable(_) => io::ErrorKind::ConnectionReset,
            Failure::Protocol(_) => io::ErrorKind::InvalidData,
            Failure::OverLimit(_) | Failure::Other(_) => io::ErrorKind::Other,
        };
        Self::new(kind, failure.explain().en)
    }
}
