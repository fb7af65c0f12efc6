//! A server that is not what the check expects: what it probably is, and what to bind instead.
//!
//! Nothing here fails a check, but for one case: a reply that holds the request's own word shows that the server took the
//! request and answered it, wrongly.

use std::time::Duration;

use mustdo_plugin::{Context, Failure, Fault, Text};

use crate::probe::{Message, SOCKET};
use crate::talk::Talk;
use crate::trouble::{Trouble, excerpt, told, wrong};

/// How long the rest of a strange reply is waited for, to know it better.
const MORE: Duration = Duration::from_millis(200);

/// Bytes of a strange reply that are looked at.
const LOOKED_AT: usize = 4_096;

/// The beginnings by which a protocol is known.
const KNOWN: &[(&[u8], &str)] = &[
    (b"HTTP/", "HTTP"),
    (b"<!DOCTYPE", "HTTP"),
    (b"<html", "HTTP"),
    (b"SSH-", "SSH"),
    (b"-ERR", "Redis"),
    (b"ERROR\r\n", "memcached"),
    (b"UNKNOWN_COMMAND", "beanstalkd"),
    (b"AMQP", "AMQP"),
    (b"INFO {", "NATS"),
    (b"* OK", "IMAP"),
    (b"+OK", "POP3"),
    (b"\x15\x03", "TLS"),
];

/// A dialect in whose replies nothing of the request appears.
pub(crate) fn constant_dialect() -> Fault {
    Fault::inconclusive(Text::new(
        "the dialect needs \"{text}\" in `request` and in `reply`: a reply without it could be a constant",
        "dialect 的 request 和 reply 里都要有 \"{text}\"：回应里没有它，就分不清是不是固定的内容",
    ))
}

/// No connection, before anything was seen to work.
pub(crate) fn unreachable(trouble: Trouble) -> Fault {
    if let Trouble::Host(failure) = trouble {
        failure.into()
    } else if let Trouble::Refused(why) = trouble {
        Failure::Unreachable(why).into()
    } else {
        Fault::inconclusive(trouble.text())
    }
}

/// Something came before anything was sent, or the connection ended at once.
pub(crate) fn spoke_first(talk: &Talk) -> Fault {
    let heard = talk.connection().receive(512).unwrap_or_default();
    if heard.is_empty() {
        return Fault::inconclusive(Text::new(
            format!(
                "the server took the connection and closed it at once; is target `{SOCKET}` the port of your server?"
            ),
            format!("服务器接受连接后马上关闭了；目标 `{SOCKET}` 是你的服务器的端口吗？"),
        ));
    }
    let guess = guess(&heard);
    Fault::inconclusive(Text::new(
        format!(
            "the server speaks first, with {}{}; a server of this check waits for the client: bind target `{SOCKET}` to it",
            excerpt(&heard),
            guess.en
        ),
        format!(
            "服务器先开口，内容是 {}{}；这个检查要的服务器等客户端先说话：请把目标 `{SOCKET}` 绑定到它",
            excerpt(&heard),
            guess.zh
        ),
    ))
}

/// The first reply of all was not the right one.
pub(crate) fn first_reply(talk: &Talk, context: &Context<'_>, message: &Message, trouble: Trouble) -> Fault {
    let heard = match &trouble {
        Trouble::Host(_) => return unreachable(trouble),
        Trouble::Differs { at, got, .. } => [&message.reply[..*at], got, &rest(talk, context)].concat(),
        Trouble::Silent(progress) | Trouble::Ended(progress) | Trouble::Reset(progress) => {
            message.reply[..progress.came].to_vec()
        }
        Trouble::Extra(_)
        | Trouble::Stuck(_)
        | Trouble::StaysOpen
        | Trouble::Slow(..)
        | Trouble::Refused(_) => Vec::new(),
    };
    let sent = Text::new(
        format!("sent {} as the first request", excerpt(&message.request)),
        format!("第一个请求是 {}", excerpt(&message.request)),
    );
    let text = trouble.text();
    if heard.is_empty() {
        return Fault::inconclusive(Text::new(
            format!(
                "{}; {}: is it a server of another protocol, or of another `dialect` (\"line\", \"echo\", \"len32\" or a request and a reply)?",
                sent.en, text.en
            ),
            format!(
                "{}；{}：它是不是别的协议，或者 dialect 不对（\"line\"、\"echo\"、\"len32\"，或一对 request 和 reply）？",
                sent.zh, text.zh
            ),
        ));
    }
    let guess = guess(&heard);
    if guess.en.is_empty() && answers_wrongly(&heard, message) {
        return wrong(
            "reply-differs",
            text.clone(),
            told(&sent, &text),
            Text::new(
                "send back exactly what the dialect says: no byte more, none less, none changed",
                "严格按约定回应：一个字节不多、不少、不改",
            ),
        );
    }
    Fault::inconclusive(Text::new(
        format!(
            "the reply to {} was {}{}; bind target `{SOCKET}` to your own server, or tell its dialect: `with = {{ dialect = {{ request = \"…{{text}}…\", reply = \"…{{text}}…\" }} }}` under this item in mustdo.toml",
            excerpt(&message.request),
            excerpt(&heard),
            guess.en
        ),
        format!(
            "对 {} 的回应是 {}{}；请把目标 `{SOCKET}` 绑定到你自己的服务器，或在 mustdo.toml 的这一项下写明格式：`with = {{ dialect = {{ request = \"…{{text}}…\", reply = \"…{{text}}…\" }} }}`",
            excerpt(&message.request),
            excerpt(&heard),
            guess.zh
        ),
    ))
}

/// What else comes soon, up to a bound: a server may talk for ever.
fn rest(talk: &Talk, context: &Context<'_>) -> Vec<u8> {
    let mut heard = Vec::new();
    let end = context.monotonic() + MORE;
    while heard.len() < LOOKED_AT && context.monotonic() < end {
        if !talk.is_readable(context, end.saturating_sub(context.monotonic())) {
            break;
        }
        match talk.connection().receive(1_024) {
            Ok(more) if !more.is_empty() => heard.extend(more),
            Ok(_) | Err(_) => break,
        }
    }
    heard
}

/// Whether a reply holds a good part of the request's word, in whatever case, and little else.
fn answers_wrongly(heard: &[u8], message: &Message) -> bool {
    let heard = heard.to_ascii_lowercase();
    heard.len() <= 2 * message.reply.len()
        && message.body.windows(8).any(|part| heard.windows(8).any(|window| window == part))
}

/// ": this looks like …", or nothing.
pub(crate) fn guess(heard: &[u8]) -> Text {
    let known = KNOWN.iter().find(|(beginning, _)| heard.starts_with(beginning)).map(|(_, name)| *name);
    let numbered = heard.len() > 4 && heard[..3].iter().all(u8::is_ascii_digit) && b" -".contains(&heard[3]);
    let name = known.or_else(|| numbered.then_some("SMTP / FTP")).or_else(|| {
        let holds = |word: &[u8]| heard.windows(word.len()).any(|window| window == word);
        if holds(b"mysql_native_password") || holds(b"caching_sha2_password") {
            Some("MySQL")
        } else if holds(b"HTTP/1.") {
            Some("HTTP")
        } else {
            None
        }
    });
    name.map_or_else(
        || Text::same(""),
        |name| Text::new(format!(": this looks like {name}"), format!("：看起来是 {name}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_how_they_begin() {
        let name = |heard: &[u8]| guess(heard).en;
        assert_eq!(name(b"HTTP/1.1 400 Bad Request\r\n"), ": this looks like HTTP");
        assert_eq!(name(b"220 mail ESMTP"), ": this looks like SMTP / FTP");
        assert_eq!(name(b"J\0\0\0\n8.0.36\0caching_sha2_password\0"), ": this looks like MySQL");
        assert_eq!(name(b"hello"), "");
    }

    #[test]
    fn a_reply_answers_when_it_holds_the_word() {
        let body = b"k3jh5k2jh35kjh2k3j5h".to_vec();
        let reply = [&body[..], b"\n"].concat();
        let message = Message { body, request: reply.clone(), reply };
        assert!(answers_wrongly(b"K3JH5K2JH35KJH2K3J5H\n", &message));
        assert!(answers_wrongly(b"k3jh5k2jh35k", &message));
        assert!(!answers_wrongly(b"welcome\n", &message));
        assert!(!answers_wrongly(&[&[b'.'; 400][..], b"k3jh5k2jh35kjh2k3j5h"].concat(), &message));
    }
}
