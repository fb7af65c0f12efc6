//! The learner's server as the checks see it: greeted first, spoken to afterwards.

use std::time::Duration;

use mustdo_plugin::tcp::Options;
use mustdo_plugin::verdict::Need;
use mustdo_plugin::{Context, Fault, Generator, Report, Text};

use crate::dialect::{Body, Dialect};
use crate::stranger;
use crate::talk::{PATIENCE, Talk};
use crate::trouble::Trouble;

/// The target that the checks of streams talk to.
pub(crate) const SOCKET: &str = "socket";

/// How long a server that speaks first may take for it. One that greets later is caught by its first reply.
const GREETING: Duration = Duration::from_millis(100);

/// Characters of two, three and four bytes in UTF-8.
const WIDE: [&str; 5] = ["é", "ß", "世", "界", "🦀"];

/// A run's context and the dialect that it speaks.
pub(crate) struct Probe<'run, 'host> {
    context: &'run mut Context<'host>,
    dialect: &'run Dialect,
}

/// A request and the only right reply to it.
pub(crate) struct Message {
    /// What makes it different from every other of the run.
    pub(crate) body: Vec<u8>,
    pub(crate) request: Vec<u8>,
    pub(crate) reply: Vec<u8>,
}

impl<'run, 'host> Probe<'run, 'host> {
    /// A probe whose server was seen to answer once; or the report has the reason why not, and nothing else can be judged.
    ///
    /// This is the step `answers`. It fails only where the server visibly answered this request, and wrongly; a server of
    /// another protocol is inconclusive.
    pub(crate) fn greet(
        context: &'run mut Context<'host>,
        dialect: &'run Dialect,
        report: &mut Report,
    ) -> Option<Self> {
        let mut probe = Self { context, dialect };
        let greeted = probe.first_exchange();
        report.judge("answers", Need::Must, greeted, |()| {
            Text::new("the server answers in this dialect", "服务器按约定的格式回应")
        })?;
        Some(probe)
    }

    fn first_exchange(&mut self) -> Result<(), Fault> {
        if !self.dialect.carries_the_body() {
            return Err(stranger::constant_dialect());
        }
        let talk = self.connect().map_err(stranger::unreachable)?;
        if talk.is_readable(self.context, GREETING) {
            return Err(stranger::spoke_first(&talk));
        }
        let message = self.word(24);
        talk.send(&message.request)
            .and_then(|()| talk.expect(&message.reply))
            .map_err(|trouble| stranger::first_reply(&talk, self.context, &message, trouble))
    }

    pub(crate) fn context(&self) -> &Context<'host> {
        self.context
    }

    pub(crate) fn dialect(&self) -> &'run Dialect {
        self.dialect
    }

    pub(crate) fn generator(&mut self) -> &mut Generator {
        self.context.generator()
    }

    /// Opens a connection on which small writes leave at once.
    pub(crate) fn connect(&self) -> Result<Talk, Trouble> {
        self.connect_with(&Options { no_delay: true, timeout: PATIENCE, ..Options::default() })
    }

    pub(crate) fn connect_with(&self, options: &Options) -> Result<Talk, Trouble> {
        self.context.tcp(SOCKET, options).map(Talk::new).map_err(Trouble::of_connect)
    }

    /// Opens `count` connections, each answered once before the next is opened.
    ///
    /// Many at once would ask how long the server's queue is: `listen(5)`, as in Python's socketserver and in socat, is
    /// enough for a server that accepts, and a burst on a busy machine makes the system break off what it took (tcp(7),
    /// `tcp_syncookies`). That is what [`beyond_select`](crate::beyond_select) and floods are for.
    pub(crate) fn connect_served(&mut self, count: u32) -> Result<Vec<Talk>, Trouble> {
        (0..count)
            .map(|_| {
                let (talk, message) = (self.connect()?, self.word(16));
                talk.send(&message.request)?;
                talk.expect(&message.reply)?;
                Ok(talk)
            })
            .collect()
    }

    /// A message of one word of `length` letters and digits, which goes into every dialect.
    pub(crate) fn word(&mut self, length: usize) -> Message {
        let body = self.generator().token(length).into_bytes();
        self.message(body)
    }

    /// A message whose body has `length` bytes, as varied as the dialect carries.
    pub(crate) fn varied(&mut self, length: usize) -> Message {
        let kind = self.dialect.body();
        let body = match kind {
            Body::Word => return self.word(length),
            Body::Bytes => bytes(self.generator(), length),
            Body::Text => text(self.generator(), length),
        };
        self.message(body)
    }

    /// A message with characters of two to four bytes; none where the dialect carries words only.
    pub(crate) fn wide_characters(&mut self) -> Option<Message> {
        if self.dialect.body() == Body::Word {
            return None;
        }
        let mut body = self.generator().token(1);
        for character in self.generator().sample(&WIDE, WIDE.len()) {
            body.push_str(character);
            body.push_str(&self.generator().token(1));
        }
        Some(self.message(body.into_bytes()))
    }

    /// Sends the segments with a `pause` in front of each but the first, given its place. A reply that begins before the
    /// last of them is [`Trouble::Extra`], but for a dialect without borders.
    pub(crate) fn send_apart(
        &self,
        talk: &Talk,
        segments: &[&[u8]],
        pause: impl Fn(usize) -> Duration,
    ) -> Result<(), Trouble> {
        for (place, segment) in segments.iter().enumerate() {
            if place > 0 {
                if self.dialect.has_borders() {
                    talk.expect_quiet(self.context, pause(place))?;
                } else {
                    self.context.sleep(pause(place));
                }
            }
            talk.send(segment)?;
        }
        Ok(())
    }

    fn message(&self, body: Vec<u8>) -> Message {
        let (request, reply) = (self.dialect.request(&body), self.dialect.reply(&body));
        Message { body, request, reply }
    }

    /// One message on a connection of its own.
    pub(crate) fn exchange_once(&mut self) -> Result<(), Trouble> {
        let message = self.word(20);
        let talk = self.connect()?;
        talk.send(&message.request)?;
        talk.expect(&message.reply)
    }

    /// A count of the range, each equally likely.
    pub(crate) fn pick(&mut self, low: usize, high: usize) -> usize {
        let drawn = self.generator().number(low as u64..high as u64 + 1);
        usize::try_from(drawn).unwrap_or(low)
    }

    /// Cuts bytes into segments of seeded lengths, up to `longest` each.
    pub(crate) fn segments<'bytes>(&mut self, bytes: &'bytes [u8], longest: usize) -> Vec<&'bytes [u8]> {
        let mut rest = bytes;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let length = self.pick(1, longest.max(1)).min(rest.len());
            let (segment, tail) = rest.split_at(length);
            segments.push(segment);
            rest = tail;
        }
        segments
    }
}

/// Random bytes that hold each of the 256 values where there is room, and a NUL, CR LF and broken UTF-8 in any case.
fn bytes(generator: &mut Generator, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|_| generator.number(0..u64::MAX).to_le_bytes())
        .take(length)
        .collect();
    let mut all: Vec<u8> = (0..=255).collect();
    generator.shuffle(&mut all);
    let special = [&b"\0\r\n\xff\xc3("[..], &all].concat();
    if length > special.len() {
        let at = usize::try_from(generator.number(0..(length - special.len()) as u64)).unwrap_or(0);
        bytes[at..at + special.len()].copy_from_slice(&special);
    }
    bytes
}

/// Words of one to four bytes a character in one line; it begins and ends with a letter, since servers may trim.
fn text(generator: &mut Generator, length: usize) -> Vec<u8> {
    let pieces = [&WIDE[..], &[" ", "\"", "'"]].concat();
    let mut text = String::with_capacity(length);
    while text.len() + 1 < length {
        let piece = if text.is_empty() || generator.number(0..4) > 0 {
            generator.token(1)
        } else {
            generator.sample(&pieces, 1).concat()
        };
        if text.len() + piece.len() < length {
            text.push_str(&piece);
        }
    }
    text.push_str(&generator.token(length - text.len()));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_length_and_what_breaks_careless_servers() {
        let mut generator = Generator::new(3);
        for length in [1, 2, 5, 1_023, 4_097] {
            let line = text(&mut generator, length);
            assert_eq!(line.len(), length);
            let line = String::from_utf8(line).unwrap();
            assert!(!line.contains('\n') && line.trim() == line, "{line}");
            assert_eq!(bytes(&mut generator, length).len(), length);
        }
        let blob = bytes(&mut generator, 1_023);
        assert!((0..=255).all(|value| blob.contains(&value)));
    }
}
