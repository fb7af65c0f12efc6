//! What a server says to a hello: the beginning of its answer, read by hand.

use std::time::Duration;

use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Context, Failure};

use super::TLS;
use super::hello::{Hello, Version};
use crate::talk::PATIENCE;

/// Bytes of an answer that are looked at: a `ServerHello` has less than a hundred.
const LOOKED_AT: usize = 16 << 10;

/// The random bytes of a `ServerHello` that asks for another hello (RFC 8446 §4.1.3).
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server would go on like this.
    Chosen(Choice),
    /// It refuses, with this description (RFC 8446 §6).
    Alert(u8),
    /// It ended the connection without a word.
    Closed,
    /// Nothing came within the time.
    Silent,
    /// What came is not TLS.
    Other(Vec<u8>),
}

/// What a `ServerHello` settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    /// On the wire: `0x0303` is TLS 1.2.
    pub(crate) version: u16,
    pub(crate) suite: u16,
    /// 0 is none.
    pub(crate) compression: u8,
    /// Whether renegotiation is tied to the connection (RFC 5746); says nothing in TLS 1.3.
    pub(crate) safe_renegotiation: bool,
}

/// Sends a hello on a connection of its own, and listens until the answer is clear.
pub(crate) fn ask(context: &Context<'_>, hello: &Hello<'_>) -> Result<Answer, Failure> {
    let connection = connect(context)?;
    match connection.send(&hello.bytes()) {
        // Whoever speaks first may have closed already; what it said can still be read.
        Ok(()) | Err(Failure::Unreachable(_)) => {}
        Err(failure) => return Err(failure),
    }
    let mut heard = Vec::new();
    loop {
        let more = match connection.receive(4_096) {
            Ok(more) => more,
            Err(Failure::TimedOut) if heard.is_empty() => return Ok(Answer::Silent),
            Err(Failure::TimedOut) => return Ok(Answer::Other(heard)),
            Err(Failure::Unreachable(_)) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        if more.is_empty() {
            return Ok(if heard.is_empty() { Answer::Closed } else { Answer::Other(heard) });
        }
        heard.extend(more);
        if let Some(answer) = read(&heard) {
            return Ok(answer);
        }
        if heard.len() > LOOKED_AT {
            return Ok(Answer::Other(heard));
        }
    }
}

/// A connection to the server, with the check's patience.
pub(crate) fn connect(context: &Context<'_>) -> Result<Connection, Failure> {
    let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
    context.tcp(TLS, &options)
}

/// What a server of another protocol says to a line of HTTP; nothing, where it says nothing soon.
pub(crate) fn says_to_http(context: &Context<'_>) -> Vec<u8> {
    let Ok(mut connection) = connect(context) else { return Vec::new() };
    connection.set_read_timeout(Duration::from_secs(1));
    let request = b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
    connection.send(request).and_then(|()| connection.receive(512)).unwrap_or_default()
}

/// The answer, as soon as it is whole.
fn read(heard: &[u8]) -> Option<Answer> {
    let other = || Some(Answer::Other(heard.to_vec()));
    let mut handshake = Vec::new();
    let mut rest = heard;
    loop {
        if rest.len() < 5 {
            let begins_well = rest.first().is_none_or(|kind| [21, 22].contains(kind))
                && rest.get(1).is_none_or(|major| *major == 3);
            return if begins_well { None } else { other() };
        }
        let (kind, major, length) = (rest[0], rest[1], usize::from(u16::from_be_bytes([rest[3], rest[4]])));
        if major != 3 || ![21, 22].contains(&kind) || length == 0 {
            return other();
        }
        let content = rest.get(5..5 + length)?;
        rest = &rest[5 + length..];
        match (kind, content) {
            // A warning stands in front of the answer, but for the one that ends the connection.
            (21, [1, description]) if *description != 0 => {}
            (21, [1 | 2, description]) => return Some(Answer::Alert(*description)),
            (22, _) => {
                handshake.extend(content);
                if let Some(length) = handshake.get(1..4) {
                    let length =
                        usize::from(length[0]) << 16 | usize::from(length[1]) << 8 | usize::from(length[2]);
                    if handshake[0] != 2 || length > LOOKED_AT {
                        return other();
                    }
                    if let Some(body) = handshake.get(4..4 + length) {
                        return choice(body).map(Answer::Chosen).or_else(other);
                    }
                }
            }
            _ => return other(),
        }
    }
}

/// The body of a `ServerHello`; none where it is not one.
fn choice(body: &[u8]) -> Option<Choice> {
    let version = u16::from_be_bytes(body.get(..2)?.try_into().ok()?);
    let random = body.get(2..34)?;
    let session = usize::from(*body.get(34)?);
    let rest = body.get(35 + session..)?;
    let suite = u16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    let mut choice = Choice { version, suite, compression: *rest.get(2)?, safe_renegotiation: false };
    if random.starts_with(&RETRY) {
        choice.version = Version::Tls13.number();
    }
    let mut extensions = rest.get(5..).unwrap_or_default();
    while let [high, low, first, second, tail @ ..] = extensions {
        let length = usize::from(u16::from_be_bytes([*first, *second]));
        let content = tail.get(..length)?;
        match (u16::from_be_bytes([*high, *low]), content) {
            (43, [high, low]) => choice.version = u16::from_be_bytes([*high, *low]),
            (0xff01, _) => choice.safe_renegotiation = true,
            _ => {}
        }
        extensions = &tail[length..];
    }
    Some(choice)
}

/// What an alert says, in the words of RFC 8446 §6.2.
pub(crate) fn alert_name(description: u8) -> String {
    rustls::AlertDescription::from(description).as_str().map_or_else(|| format!("alert {description}"), snake)
}

/// "`ProtocolVersion`" as "`protocol_version`".
fn snake(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `ServerHello` of TLS 1.2 with one extension.
    fn server_hello(extension: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend([0, 0xc0, 0x2f, 0]);
        body.extend([0, u8::try_from(extension.len()).unwrap()]);
        body.extend(extension);
        let mut message = vec![2, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend(body);
        let mut record = vec![22, 3, 3, 0, u8::try_from(message.len()).unwrap()];
        record.extend(message);
        record
    }

    #[test]
    fn a_choice_is_read_wherever_it_is_cut() {
        let whole = server_hello(&[0xff, 0x01, 0, 1, 0]);
        let choice = Choice { version: 0x0303, suite: 0xc02f, compression: 0, safe_renegotiation: true };
        assert_eq!(read(&whole), Some(Answer::Chosen(choice)));
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), None, "{cut}");
        }
        let Some(Answer::Chosen(modern)) = read(&server_hello(&[0, 43, 0, 2, 3, 4])) else { panic!() };
        assert_eq!(modern.version, 0x0304);
    }

    #[test]
    fn warnings_are_passed_over_and_refusals_are_not() {
        assert_eq!(read(&[21, 3, 1, 0, 2, 2, 70]), Some(Answer::Alert(70)));
        assert_eq!(read(&[21, 3, 1, 0, 2, 1, 0]), Some(Answer::Alert(0)));
        let warned = [&[21, 3, 3, 0, 2, 1, 112][..], &server_hello(&[])].concat();
        assert!(matches!(read(&warned), Some(Answer::Chosen(_))));
    }

    #[test]
    fn what_is_not_tls_is_known_at_once() {
        for words in [&b"HTTP/1.1 400 Bad Request"[..], b"220 mail", b"\x16", &[22, 3, 3, 0, 4, 1, 0, 0, 0]] {
            assert_eq!(read(words), (words.len() > 1).then(|| Answer::Other(words.to_vec())));
        }
    }

    #[test]
    fn alerts_are_named_as_the_standard_names_them() {
        assert_eq!(alert_name(70), "protocol_version");
        assert_eq!(alert_name(40), "handshake_failure");
        assert_eq!(alert_name(200), "alert 200");
    }
}
