//! A session with a broker of AMQP 0-9-1 over a tcp target: one channel, few methods, one answer awaited at a time.
//!
//! Method numbers and fields are those of the specification's XML, and `confirm` is an extension of `RabbitMQ`'s.

pub(crate) mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use amq_protocol_types::{AMQPValue, FieldTable};
use mustdo_plugin::tcp::{Connection, Options};
use mustdo_plugin::{Context, Failure, Fault, Text};

use wire::{
    Arguments, CONTENT_BODY, CONTENT_HEADER, Fields, Frame, HEADER, HEARTBEAT, METHOD, Method, Read, text,
};

/// The tcp target, in the plugin's words.
pub(crate) const TARGET: &str = "amqp";

/// The wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The one channel.
const CHANNEL: u16 = 1;

const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
pub(crate) const CHANNEL_CLOSE: Method = (20, 40);
pub(crate) const CHANNEL_CLOSE_OK: Method = (20, 41);
pub(crate) const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
pub(crate) const PUBLISH: Method = (60, 40);
const GET: Method = (60, 70);
const GET_OK: Method = (60, 71);
const GET_EMPTY: Method = (60, 72);
pub(crate) const ACK: Method = (60, 80);
pub(crate) const RETURN: Method = (60, 50);
const REJECT: Method = (60, 90);
pub(crate) const NACK: Method = (60, 120);
pub(crate) const CONFIRM: Method = (85, 10);
const CONFIRM_OK: Method = (85, 11);
pub(crate) const TX_SELECT: Method = (90, 10);
pub(crate) const TX_COMMIT: Method = (90, 20);

/// No such queue, exchange or virtual host.
pub(crate) const NOT_FOUND: u16 = 404;

/// The arguments of `queue.declare` are others than those that the queue was made with.
const PRECONDITION_FAILED: u16 = 406;

/// Somebody else has the queue for himself.
const RESOURCE_LOCKED: u16 = 405;

/// Of `queue.declare`: only look.
const PASSIVE: u8 = 1;

/// Of `queue.declare`: it survives a restart of the broker; it ends with its connection.
const DURABLE: u8 = 2;
pub(crate) const EXCLUSIVE: u8 = 4;

/// Bits that say which properties a message has, in the order in which those follow.
const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const CORRELATION_ID: u16 = 1 << 10;
const MESSAGE_ID: u16 = 1 << 7;

/// The class of messages.
const BASIC: u16 = 60;

/// Survives a restart of the broker.
pub(crate) const PERSISTENT: u8 = 2;

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) vhost: &'a str,
}

/// An open session.
pub(crate) struct Broker {
    connection: Connection,
    unread: Vec<u8>,
    /// How many messages this channel has sent, and which of them the broker has not confirmed yet.
    sent: u64,
    unconfirmed: BTreeSet<u64>,
}

/// Why there is no session, or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The stream failed, or nothing came in time.
    Stream(Failure),
    /// The broker closed the connection.
    Ended,
    /// What came is not this protocol; the beginning of it.
    Foreign(Vec<u8>),
    /// The broker says no: its code and its words.
    Refused(u16, String),
    /// The broker answered something else than was asked.
    Unexpected,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Stream(failure)
    }
}

/// What a queue holds: messages that are ready, and consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) ready: u32,
    pub(crate) consumers: u32,
}

/// A message to send.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) headers: FieldTable,
}

/// A message that was fetched and is to be answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fetched {
    tag: u64,
    pub(crate) body: Vec<u8>,
    /// 2 survives a restart of the broker; none is as 1, which does not.
    pub(crate) delivery_mode: Option<u8>,
    /// Whether it came by way of a dead-letter exchange.
    pub(crate) was_dead: bool,
}

impl<'a> Message<'a> {
    /// One in JSON, or what is to be taken for that.
    pub(crate) fn json(id: &'a str, body: &'a [u8]) -> Self {
        Self { id, body, headers: FieldTable::default() }
    }
}

impl Broker {
    pub(crate) fn open(context: &Context<'_>, target: &str, login: &Login<'_>) -> Result<Self, Broken> {
        let options = Options { no_delay: true, timeout: PATIENCE, ..Options::default() };
        let connection = context.tcp(target, &options)?;
        let mut broker = Self { connection, unread: Vec::new(), sent: 0, unconfirmed: BTreeSet::new() };
        broker.connection.send(HEADER)?;
        broker.await_method(0, START)?;
        // So that a wrong password is told, and is not just an end.
        let mut told = FieldTable::default();
        told.insert("authentication_failure_close".into(), AMQPValue::Boolean(true));
        let mut about = FieldTable::default();
        about.insert("product".into(), text("mustdo"));
        about.insert("capabilities".into(), AMQPValue::FieldTable(told));
        let proof = format!("\0{}\0{}", login.user, login.password);
        let fields = Fields::default().table(&about).short_text("PLAIN").long_text(proof.as_bytes());
        broker.send(0, START_OK, fields.short_text("en_US"))?;
        let tune = broker.await_method(0, TUNE)?;
        let mut offered = tune.arguments();
        let (channels, frame) = (offered.short(), offered.long());
        let (Some(channels), Some(frame)) = (channels, frame) else { return Err(Broken::Unexpected) };
        // No heartbeats: nothing here waits long enough to need them.
        broker.send(0, TUNE_OK, Fields::default().short(channels).long(frame).short(0))?;
        broker.send(0, OPEN, Fields::default().short_text(login.vhost).short_text("").octet(0))?;
        broker.await_method(0, OPEN_OK)?;
        broker.open_channel()?;
        Ok(broker)
    }

    fn open_channel(&mut self) -> Result<(), Broken> {
        self.send(CHANNEL, CHANNEL_OPEN, Fields::default().short_text(""))?;
        self.await_method(CHANNEL, CHANNEL_OPEN_OK)?;
        self.send(CHANNEL, CONFIRM, Fields::default().octet(0))?;
        self.await_method(CHANNEL, CONFIRM_OK)?;
        self.sent = 0;
        self.unconfirmed.clear();
        Ok(())
    }

    /// What a queue holds; none where there is no such queue.
    pub(crate) fn queue(&mut self, name: &str) -> Result<Option<Queue>, Broken> {
        let fields = Fields::default().short(0).short_text(name).octet(PASSIVE);
        self.send(CHANNEL, QUEUE_DECLARE, fields.table(&FieldTable::default()))?;
        match self.await_method(CHANNEL, QUEUE_DECLARE_OK) {
            Ok(frame) => {
                let mut fields = frame.arguments();
                let (Some(_), Some(ready), Some(consumers)) =
                    (fields.short_text(), fields.long(), fields.long())
                else {
                    return Err(Broken::Unexpected);
                };
                Ok(Some(Queue { ready, consumers }))
            }
            Err(Broken::Refused(NOT_FOUND, _)) => Ok(None),
            Err(broken) => Err(broken),
        }
    }

    /// Puts messages into a queue, persistent, and waits until the broker has them all.
    pub(crate) fn publish(&mut self, queue: &str, messages: &[Message<'_>]) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        for Message { id, body, headers } in messages {
            let fields = Fields::default().short(0).short_text("").short_text(queue).octet(0);
            bytes.extend(Frame::method(CHANNEL, PUBLISH, fields).bytes());
            let properties =
                CONTENT_TYPE | CONTENT_ENCODING | HEADERS | DELIVERY_MODE | CORRELATION_ID | MESSAGE_ID;
            let header = Fields::default()
                .short(BASIC)
                .short(0)
                .long_long(body.len() as u64)
                .short(properties)
                .short_text("application/json")
                .short_text("utf-8")
                .table(headers)
                .octet(PERSISTENT)
                .short_text(id)
                .short_text(id);
            bytes.extend(Frame { kind: CONTENT_HEADER, channel: CHANNEL, payload: header.0 }.bytes());
            bytes.extend(Frame { kind: CONTENT_BODY, channel: CHANNEL, payload: body.to_vec() }.bytes());
            self.sent += 1;
            self.unconfirmed.insert(self.sent);
        }
        self.connection.send(&bytes)?;
        while !self.unconfirmed.is_empty() {
            let frame = self.frame()?;
            self.note(&frame)?;
        }
        Ok(())
    }

    /// The next message of a queue; none when it holds none that is ready.
    pub(crate) fn get(&mut self, queue: &str) -> Result<Option<Fetched>, Broken> {
        self.send(CHANNEL, GET, Fields::default().short(0).short_text(queue).octet(0))?;
        let frame = self.await_one_of(CHANNEL, &[GET_OK, GET_EMPTY])?;
        if frame.is() == Some(GET_EMPTY) {
            return Ok(None);
        }
        let tag = frame.arguments().long_long().ok_or(Broken::Unexpected)?;
        let header = self.await_kind(CONTENT_HEADER)?;
        let mut fields = Arguments(&header.payload);
        let (Some(_), Some(size)) = (fields.long(), fields.long_long()) else {
            return Err(Broken::Unexpected);
        };
        let (delivery_mode, was_dead) = properties(fields).ok_or(Broken::Unexpected)?;
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            body.extend(self.await_kind(CONTENT_BODY)?.payload);
        }
        Ok(Some(Fetched { tag, body, delivery_mode, was_dead }))
    }

    /// What keeps a queue that is there from surviving a restart of the broker, in the broker's words; none where nothing
    /// does. What else it was made with, as where its dead letters go, does not matter.
    pub(crate) fn is_passing(&mut self, name: &str) -> Result<Option<String>, Broken> {
        let fields = Fields::default().short(0).short_text(name).octet(DURABLE);
        self.send(CHANNEL, QUEUE_DECLARE, fields.table(&FieldTable::default()))?;
        match self.await_method(CHANNEL, QUEUE_DECLARE_OK) {
            Ok(_) => Ok(None),
            // The first argument that differs is named: these before any other (`rabbit_amqqueue:assert_equivalence`).
            Err(Broken::Refused(PRECONDITION_FAILED, words)) => {
                let is_one =
                    ["'durable'", "'auto_delete'", "'exclusive'"].iter().any(|arg| words.contains(arg));
                Ok(is_one.then_some(words))
            }
            Err(Broken::Refused(RESOURCE_LOCKED, words)) => Ok(Some(words)),
            Err(broken) => Err(broken),
        }
    }

    /// Takes a fetched message out of its queue.
    pub(crate) fn remove(&mut self, fetched: &Fetched) -> Result<(), Broken> {
        self.send(CHANNEL, ACK, Fields::default().long_long(fetched.tag).octet(0))
    }

    /// Refuses a fetched message for good.
    pub(crate) fn reject(&mut self, fetched: &Fetched) -> Result<(), Broken> {
        self.send(CHANNEL, REJECT, Fields::default().long_long(fetched.tag).octet(0))
    }

    /// Puts a fetched message back.
    pub(crate) fn put_back(&mut self, fetched: &Fetched) -> Result<(), Broken> {
        self.send(CHANNEL, REJECT, Fields::default().long_long(fetched.tag).octet(1))
    }

    /// Fetches up to `most` messages, takes out those that are `ours`, puts the others back, and gives those taken out.
    pub(crate) fn sweep(
        &mut self,
        queue: &str,
        most: u32,
        ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Vec<u8>>, Broken> {
        let (mut taken, mut others) = (Vec::new(), Vec::new());
        for _ in 0..most {
            let Some(fetched) = self.get(queue)? else { break };
            if ours(&fetched.body) {
                self.remove(&fetched)?;
                taken.push(fetched.body);
            } else {
                others.push(fetched);
            }
        }
        others.iter().try_for_each(|fetched| self.put_back(fetched))?;
        Ok(taken)
    }

    fn send(&mut self, channel: u16, method: Method, fields: Fields) -> Result<(), Broken> {
        Ok(self.connection.send(&Frame::method(channel, method, fields).bytes())?)
    }

    fn await_method(&mut self, channel: u16, method: Method) -> Result<Frame, Broken> {
        self.await_one_of(channel, &[method])
    }

    fn await_one_of(&mut self, channel: u16, methods: &[Method]) -> Result<Frame, Broken> {
        loop {
            let frame = self.frame()?;
            if frame.channel == channel && frame.is().is_some_and(|method| methods.contains(&method)) {
                return Ok(frame);
            }
            self.note(&frame)?;
        }
    }

    fn await_kind(&mut self, kind: u8) -> Result<Frame, Broken> {
        let frame = self.frame()?;
        if frame.kind == kind { Ok(frame) } else { Err(Broken::Unexpected) }
    }

    /// What comes without being waited for: confirmations, and an end.
    fn note(&mut self, frame: &Frame) -> Result<(), Broken> {
        let mut fields = frame.arguments();
        match frame.is() {
            Some(ACK) => {
                if let (Some(tag), Some(multiple)) = (fields.long_long(), fields.octet()) {
                    let is_meant = |known: u64| known == tag || (multiple & 1 == 1 && known < tag);
                    self.unconfirmed.retain(|known| !is_meant(*known));
                }
                Ok(())
            }
            Some(NACK) => Err(Broken::Refused(0, "the broker did not take a message".to_owned())),
            Some(method @ (CLOSE | CHANNEL_CLOSE)) => {
                let code = fields.short().unwrap_or_default();
                let words = fields.short_text().unwrap_or_default();
                if method == CLOSE {
                    // It closes anyway.
                    let _ = self.send(0, CLOSE_OK, Fields::default());
                } else {
                    self.send(CHANNEL, CHANNEL_CLOSE_OK, Fields::default())?;
                    self.open_channel()?;
                }
                Err(Broken::Refused(code, words))
            }
            Some(_) => Err(Broken::Unexpected),
            None if frame.kind == METHOD => Err(Broken::Unexpected),
            None => Ok(()),
        }
    }

    fn frame(&mut self) -> Result<Frame, Broken> {
        loop {
            match Frame::read(&self.unread) {
                Read::Whole(frame, size) => {
                    self.unread.drain(..size);
                    if frame.kind != HEARTBEAT {
                        return Ok(frame);
                    }
                }
                Read::Foreign => return Err(Broken::Foreign(self.unread.clone())),
                Read::Partial => {
                    let bytes = self.connection.receive(64 << 10)?;
                    if bytes.is_empty() {
                        return Err(Broken::Ended);
                    }
                    self.unread.extend(bytes);
                }
            }
        }
    }
}

/// The delivery mode, and whether `x-death` is among the headers, behind the size in a content header.
fn properties(mut fields: Arguments<'_>) -> Option<(Option<u8>, bool)> {
    let flags = fields.short()?;
    for text in [CONTENT_TYPE, CONTENT_ENCODING] {
        if flags & text != 0 {
            fields.short_text()?;
        }
    }
    let mut was_dead = false;
    if flags & HEADERS != 0 {
        let length = fields.long()?;
        let table = fields.take(usize::try_from(length).ok()?)?;
        was_dead = table.windows(7).any(|window| window == b"x-death");
    }
    let mode = if flags & DELIVERY_MODE != 0 { Some(fields.octet()?) } else { None };
    Some((mode, was_dead))
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A polite end; whether it arrives changes nothing.
        let fields = Fields::default().short(200).short_text("").short(0).short(0);
        let _ = self.send(0, CLOSE, fields);
    }
}

/// No word of it says anything about the learner's work.
impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::inconclusive(broken.explain())
    }
}

impl Broken {
    pub(crate) fn explain(&self) -> Text {
        match self {
            Self::Stream(Failure::Unreachable(why)) => Text::new(
                format!(
                    "no connection to the broker ({why}); does it run, and is the target `amqp` its address?"
                ),
                format!("连不上消息服务器（{why}）；它启动了吗？目标 `amqp` 是它的地址吗？"),
            ),
            Self::Stream(Failure::TimedOut) => Text::new(
                "what listens there says nothing: a broker of AMQP 0-9-1 answers at once, on port 5672 as a rule",
                "对方一言不发：AMQP 0-9-1 的消息服务器会马上回应，端口一般是 5672",
            ),
            Self::Stream(failure) => failure.explain(),
            Self::Ended => Text::new(
                "the broker closed the connection without a word: is it one of AMQP 0-9-1, and are `user`, `password` and `vhost` right?",
                "消息服务器不声不响地关闭了连接：它说的是 AMQP 0-9-1 吗？`user`、`password`、`vhost` 对吗？",
            ),
            Self::Foreign(bytes) => {
                let whose = whose(bytes);
                Text::new(
                    format!("what listens there does not speak AMQP 0-9-1 ({whose})"),
                    format!("对方说的不是 AMQP 0-9-1（{whose}）"),
                )
            }
            Self::Refused(code, words) => Text::new(
                format!("the broker refused: {code} {words}"),
                format!("消息服务器拒绝了：{code} {words}"),
            ),
            Self::Unexpected => {
                Text::new("the broker answered something else than it was asked", "消息服务器答非所问")
            }
        }
    }
}

/// Whose protocol the beginning of an answer is.
fn whose(bytes: &[u8]) -> String {
    let known = [
        (&b"HTTP/"[..], "HTTP: a web server"),
        (b"-ERR", "Redis: for the check of Celery set broker = \"redis\""),
        (b"AMQP", "another version of AMQP: 0-9-1 is needed"),
        (b"SSH-", "SSH"),
    ];
    let found = known.iter().find(|(beginning, _)| bytes.starts_with(beginning));
    found.map_or_else(
        || format!("it begins with {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(24)])),
        |(_, whose)| (*whose).to_owned(),
    )
}
