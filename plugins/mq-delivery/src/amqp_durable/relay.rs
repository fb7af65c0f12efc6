//! Stands between a publisher and its broker: hands on what both say, notes what the publisher asks for, and refuses its
//! messages where that is wanted.

use std::collections::BTreeMap;
use std::time::Duration;

use mustdo_plugin::tcp::{Connection, Listener, Options};
use mustdo_plugin::{Context, Failure};

use crate::amqp::wire::{Arguments, CONTENT_BODY, CONTENT_HEADER, Fields, Frame, HEADER, Read};
use crate::amqp::{
    ACK, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CONFIRM, EXCLUSIVE, NACK, PUBLISH, QUEUE_DECLARE, RETURN, TARGET,
    TX_COMMIT, TX_SELECT,
};

/// How long one turn waits for somebody to say something.
const TURN: Duration = Duration::from_millis(15);

/// Bytes of one read.
const CHUNK: u32 = 64 << 10;

/// Codes and words of refusals: a message that reaches no queue, and a transaction that is not carried out.
const NO_ROUTE: (u16, &str) = (312, "NO_ROUTE");
const NOT_DONE: (u16, &str) = (541, "INTERNAL_ERROR");

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The broker gets them.
    HandOn,
    /// Nobody gets them, and the publisher is told so: `basic.nack`, or the end of the channel at `tx.commit`.
    Refuse,
    /// They reach no queue: those that are mandatory come back, and are then confirmed, as the broker does.
    Return,
}

/// What the publisher asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// It published after `confirm.select`, or in a transaction.
    pub(crate) confirmed: bool,
    /// It published without either.
    pub(crate) unconfirmed: bool,
    pub(crate) published: usize,
    /// Those of them that must reach a queue.
    pub(crate) mandatory: usize,
    /// Queues that it declared for its own connection only.
    pub(crate) exclusive: Vec<String>,
}

/// The relay, with the port where publishers connect.
pub(crate) struct Relay {
    listener: Listener,
    mode: Mode,
    pub(crate) noted: Noted,
    pairs: Vec<Pair>,
}

/// A publisher's connection, and the one to the broker behind it.
struct Pair {
    publisher: Connection,
    broker: Connection,
    session: Session,
    /// What came and is no whole frame yet, of either side.
    from_publisher: Vec<u8>,
    from_broker: Vec<u8>,
    is_open: bool,
}

/// What is known of the channels of one connection.
#[derive(Debug, Default)]
struct Session {
    has_begun: bool,
    channels: BTreeMap<u16, Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    confirms: bool,
    in_transaction: bool,
    /// Messages since `confirm.select`.
    sent: u64,
    /// The message that is being kept back: its frames, and how many bytes of its body are still to come.
    kept: Option<(Vec<Frame>, u64)>,
    was_closed: bool,
}

/// Who gets a frame, or what is answered in its place.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    On,
    Answered(Vec<Frame>),
}

impl Relay {
    pub(crate) fn open(context: &Context<'_>, mode: Mode) -> Result<Self, Failure> {
        Ok(Self { listener: context.listen()?, mode, noted: Noted::default(), pairs: Vec::new() })
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local().port
    }

    /// Takes one turn: who connects is let in, and what was said is handed on.
    pub(crate) fn turn(&mut self, context: &Context<'_>) {
        if let Ok(publisher) = self.listener.accept(TURN) {
            let options = Options { no_delay: true, ..Options::default() };
            // Without a broker the publisher's connection ends at once, and it says so.
            if let Ok(broker) = context.tcp(TARGET, &options) {
                self.pairs.push(Pair::new(publisher, broker));
            }
        }
        let both: Vec<&Connection> =
            self.pairs.iter().flat_map(|pair| [&pair.publisher, &pair.broker]).collect();
        if both.is_empty() {
            return;
        }
        let readable = context.wait_readable(&both, TURN);
        for place in readable {
            let pair = &mut self.pairs[place / 2];
            let handed = if place % 2 == 0 {
                pair.hand_to_broker(self.mode, &mut self.noted)
            } else {
                pair.hand_to_publisher()
            };
            // Whichever side is gone takes the other along.
            pair.is_open &= handed.is_some();
        }
        self.pairs.retain(|pair| pair.is_open);
    }
}

impl Pair {
    fn new(publisher: Connection, broker: Connection) -> Self {
        let (from_publisher, from_broker) = (Vec::new(), Vec::new());
        Self { publisher, broker, session: Session::default(), from_publisher, from_broker, is_open: true }
    }

    fn hand_to_broker(&mut self, mode: Mode, noted: &mut Noted) -> Option<()> {
        self.from_publisher.extend(came(&self.publisher)?);
        if !self.session.has_begun {
            if self.from_publisher.len() < HEADER.len() {
                return Some(());
            }
            let header: Vec<u8> = self.from_publisher.drain(..HEADER.len()).collect();
            self.broker.send(&header).ok()?;
            self.session.has_begun = true;
        }
        while let Some(frame) = next(&mut self.from_publisher)? {
            match self.session.way(&frame, mode, noted) {
                Way::On => self.broker.send(&frame.bytes()).ok()?,
                Way::Answered(frames) => {
                    for frame in frames {
                        self.publisher.send(&frame.bytes()).ok()?;
                    }
                }
            }
        }
        Some(())
    }

    /// Whole frames only, so that an answer of this side's never stands in the middle of one.
    fn hand_to_publisher(&mut self) -> Option<()> {
        self.from_broker.extend(came(&self.broker)?);
        // A broker that does not take the header answers with its own, and ends.
        if self.from_broker.starts_with(b"AMQP") {
            return None;
        }
        while let Some(frame) = next(&mut self.from_broker)? {
            self.publisher.send(&frame.bytes()).ok()?;
        }
        Some(())
    }
}

/// What one side has said; none at its end.
fn came(connection: &Connection) -> Option<Vec<u8>> {
    connection.receive(CHUNK).ok().filter(|bytes| !bytes.is_empty())
}

/// The next whole frame, if there is one; none of both where something else came.
#[expect(
    clippy::option_option,
    reason = "the end of a connection, and nothing yet, as the callers' `?` takes them"
)]
fn next(bytes: &mut Vec<u8>) -> Option<Option<Frame>> {
    match Frame::read(bytes) {
        Read::Whole(frame, size) => {
            bytes.drain(..size);
            Some(Some(frame))
        }
        Read::Partial => Some(None),
        Read::Foreign => None,
    }
}

impl Session {
    /// What becomes of a frame of the publisher's.
    fn way(&mut self, frame: &Frame, mode: Mode, noted: &mut Noted) -> Way {
        let channel = self.channels.entry(frame.channel).or_default();
        let mut fields = frame.arguments();
        match frame.is() {
            Some(CONFIRM) => channel.confirms = true,
            Some(TX_SELECT) => channel.in_transaction = true,
            Some(QUEUE_DECLARE) => {
                let _ = fields.short();
                if let (Some(name), Some(bits)) = (fields.short_text(), fields.octet())
                    && bits & EXCLUSIVE != 0
                {
                    noted.exclusive.push(name);
                }
            }
            Some(PUBLISH) => {
                let is_mandatory = mandatory(fields) == Some(true);
                noted.published += 1;
                noted.mandatory += usize::from(is_mandatory);
                let is_waited_for = channel.confirms || channel.in_transaction;
                noted.confirmed |= is_waited_for;
                noted.unconfirmed |= !is_waited_for;
                if mode == Mode::Refuse || (mode == Mode::Return && is_mandatory) {
                    channel.kept = Some((vec![frame.clone()], 0));
                    return Way::Answered(Vec::new());
                }
            }
            Some(TX_COMMIT) if mode == Mode::Refuse => {
                channel.was_closed = true;
                return Way::Answered(vec![channel_close(frame.channel)]);
            }
            Some(CHANNEL_CLOSE_OK) if channel.was_closed => return Way::Answered(Vec::new()),
            _ if channel.kept.is_some() => return Way::Answered(channel.keep(frame, mode)),
            _ => {}
        }
        Way::On
    }
}

impl Channel {
    /// One more frame of the message that is kept back; what is answered once it is whole.
    fn keep(&mut self, frame: &Frame, mode: Mode) -> Vec<Frame> {
        let Some((frames, missing)) = &mut self.kept else { return Vec::new() };
        match frame.kind {
            CONTENT_HEADER => *missing = body_size(frame).unwrap_or_default(),
            CONTENT_BODY => *missing = missing.saturating_sub(frame.payload.len() as u64),
            _ => return Vec::new(),
        }
        frames.push(frame.clone());
        if *missing > 0 {
            return Vec::new();
        }
        let frames = std::mem::take(frames);
        self.kept = None;
        let mut answers = Vec::new();
        if mode == Mode::Return {
            answers.extend(returned(&frames));
        }
        if self.confirms {
            self.sent += 1;
            let method = if mode == Mode::Return { ACK } else { NACK };
            answers.push(Frame::method(
                frame.channel,
                method,
                Fields::default().long_long(self.sent).octet(0),
            ));
        }
        answers
    }
}

/// Whether `basic.publish` asks for a queue that takes the message.
fn mandatory(mut fields: Arguments<'_>) -> Option<bool> {
    fields.short()?;
    fields.short_text()?;
    fields.short_text()?;
    Some(fields.octet()? & 1 == 1)
}

/// How many bytes follow a content header.
fn body_size(header: &Frame) -> Option<u64> {
    let mut fields = Arguments(&header.payload);
    fields.long()?;
    fields.long_long()
}

/// A message as it comes back: `basic.return`, and what it was published with.
fn returned(frames: &[Frame]) -> Vec<Frame> {
    let Some((publish, content)) = frames.split_first() else { return Vec::new() };
    let mut fields = publish.arguments();
    let _ = fields.short();
    let (exchange, key) = (fields.short_text().unwrap_or_default(), fields.short_text().unwrap_or_default());
    let (code, words) = NO_ROUTE;
    let fields = Fields::default().short(code).short_text(words).short_text(&exchange).short_text(&key);
    let mut answers = vec![Frame::method(publish.channel, RETURN, fields)];
    answers.extend_from_slice(content);
    answers
}

fn channel_close(channel: u16) -> Frame {
    let (code, words) = NOT_DONE;
    let (class, method) = TX_COMMIT;
    Frame::method(
        channel,
        CHANNEL_CLOSE,
        Fields::default().short(code).short_text(words).short(class).short(method),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(bits: u8, body: &[u8]) -> Vec<Frame> {
        let fields = Fields::default().short(0).short_text("").short_text("jobs").octet(bits);
        let header = Fields::default().short(60).short(0).long_long(body.len() as u64).short(0);
        let mut frames = vec![
            Frame::method(1, PUBLISH, fields),
            Frame { kind: CONTENT_HEADER, channel: 1, payload: header.0 },
        ];
        frames.extend(body.chunks(4).map(|part| Frame {
            kind: CONTENT_BODY,
            channel: 1,
            payload: part.to_vec(),
        }));
        frames
    }

    fn answers(session: &mut Session, frames: &[Frame], mode: Mode, noted: &mut Noted) -> Vec<Frame> {
        let mut answers = Vec::new();
        for frame in frames {
            match session.way(frame, mode, noted) {
                Way::On => answers.push(frame.clone()),
                Way::Answered(frames) => answers.extend(frames),
            }
        }
        answers
    }

    #[test]
    fn what_is_handed_on_is_what_was_said() {
        let (mut session, mut noted) = (Session::default(), Noted::default());
        let said = publish(1, b"0123456789");
        assert_eq!(answers(&mut session, &said, Mode::HandOn, &mut noted), said);
        assert_eq!(
            (noted.published, noted.mandatory, noted.confirmed, noted.unconfirmed),
            (1, 1, false, true)
        );
    }

    #[test]
    fn a_confirmed_message_is_refused_once_it_is_whole() {
        let (mut session, mut noted) = (Session::default(), Noted::default());
        let select = Frame::method(1, CONFIRM, Fields::default().octet(0));
        assert_eq!(session.way(&select, Mode::Refuse, &mut noted), Way::On);
        for tag in 1..=2 {
            let refused = answers(&mut session, &publish(0, b"0123456789"), Mode::Refuse, &mut noted);
            assert_eq!(refused, [Frame::method(1, NACK, Fields::default().long_long(tag).octet(0))]);
        }
        // An empty one has no body at all.
        assert_eq!(answers(&mut session, &publish(0, b""), Mode::Refuse, &mut noted).len(), 1);
        assert!(noted.confirmed && !noted.unconfirmed);
    }

    #[test]
    fn a_transaction_is_not_carried_out() {
        let (mut session, mut noted) = (Session::default(), Noted::default());
        let said = [
            vec![Frame::method(1, TX_SELECT, Fields::default())],
            publish(0, b"work"),
            vec![
                Frame::method(1, TX_COMMIT, Fields::default()),
                Frame::method(1, CHANNEL_CLOSE_OK, Fields::default()),
            ],
        ];
        let answered = answers(&mut session, &said.concat(), Mode::Refuse, &mut noted);
        let methods: Vec<_> = answered.iter().map(Frame::is).collect();
        assert_eq!(methods, [Some(TX_SELECT), Some(CHANNEL_CLOSE)]);
    }

    #[test]
    fn a_mandatory_message_comes_back_and_is_confirmed() {
        let (mut session, mut noted) = (Session::default(), Noted::default());
        let select = Frame::method(1, CONFIRM, Fields::default().octet(0));
        let said = publish(1, b"work");
        let _ = session.way(&select, Mode::Return, &mut noted);
        let back = answers(&mut session, &said, Mode::Return, &mut noted);
        assert_eq!(back.first().and_then(Frame::is), Some(RETURN));
        assert_eq!(back[1..3], said[1..3]);
        assert_eq!(back.last().and_then(Frame::is), Some(ACK));
        // Who does not ask is not told.
        let other = publish(0, b"work");
        assert_eq!(answers(&mut session, &other, Mode::Return, &mut noted), other);
    }
}
