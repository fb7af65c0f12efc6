//! Frames of AMQP 0-9-1 (the specification's section 4.2) and the fields in them.

use amq_protocol_types::generation::gen_field_table;
use amq_protocol_types::{AMQPValue, FieldTable};

/// What a client begins with.
pub(crate) const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// Kinds of frames.
pub(crate) const METHOD: u8 = 1;
pub(crate) const CONTENT_HEADER: u8 = 2;
pub(crate) const CONTENT_BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;

/// Ends every frame.
const END: u8 = 0xce;

/// Kind, channel and size.
const HEAD: usize = 7;

/// Bytes of one frame beyond which it is none.
const FRAME_BYTES: usize = 4 << 20;

/// A method: its class and its number in that.
pub(crate) type Method = (u16, u16);

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

/// What the beginning of the bytes is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// A frame, and how many bytes it took.
    Whole(Frame, usize),
    /// The beginning of one.
    Partial,
    /// None of this protocol.
    Foreign,
}

impl Frame {
    pub(crate) fn method(channel: u16, method: Method, arguments: Fields) -> Self {
        let payload = Fields::default().short(method.0).short(method.1).0;
        Self { kind: METHOD, channel, payload: [payload, arguments.0].concat() }
    }

    /// Which method it is; none where it is no method.
    pub(crate) fn is(&self) -> Option<Method> {
        let [a, b, c, d, ..] = self.payload[..] else { return None };
        (self.kind == METHOD).then(|| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// The arguments of a method.
    pub(crate) fn arguments(&self) -> Arguments<'_> {
        Arguments(self.payload.get(4..).unwrap_or_default())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let size = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let head = Fields::default().octet(self.kind).short(self.channel).long(size).0;
        [head, self.payload.clone(), vec![END]].concat()
    }

    pub(crate) fn read(bytes: &[u8]) -> Read {
        if bytes.first().is_some_and(|kind| !matches!(*kind, METHOD..=CONTENT_BODY | HEARTBEAT)) {
            return Read::Foreign;
        }
        let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Read::Partial };
        let mut fields = Arguments(head);
        let (kind, channel, size) = (fields.octet(), fields.short(), fields.long());
        let (Some(kind), Some(channel), Some(size)) = (kind, channel, size) else { return Read::Partial };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > FRAME_BYTES {
            return Read::Foreign;
        }
        match (rest.get(..size), rest.get(size)) {
            (Some(payload), Some(&END)) => {
                Read::Whole(Self { kind, channel, payload: payload.to_vec() }, HEAD + size + 1)
            }
            (_, Some(_)) => Read::Foreign,
            (_, None) => Read::Partial,
        }
    }
}

/// Fields to send, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<u8>);

impl Fields {
    fn with(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A number of one byte, or up to eight bits.
    pub(crate) fn octet(self, value: u8) -> Self {
        self.with(&[value])
    }

    pub(crate) fn short(self, value: u16) -> Self {
        self.with(&value.to_be_bytes())
    }

    pub(crate) fn long(self, value: u32) -> Self {
        self.with(&value.to_be_bytes())
    }

    pub(crate) fn long_long(self, value: u64) -> Self {
        self.with(&value.to_be_bytes())
    }

    /// Text of at most 255 bytes; more is cut off.
    pub(crate) fn short_text(self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        self.octet(length).with(&bytes[..usize::from(length)])
    }

    pub(crate) fn long_text(self, bytes: &[u8]) -> Self {
        self.long(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).with(bytes)
    }

    pub(crate) fn table(self, table: &FieldTable) -> Self {
        let written = cookie_factory::gen_simple(gen_field_table(table), Vec::new());
        // A vector takes everything.
        self.with(&written.unwrap_or_default())
    }
}

/// Fields that came. Every reader is none where too little is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments<'a>(pub(crate) &'a [u8]);

impl<'a> Arguments<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.take(COUNT)?.try_into().ok()
    }

    pub(crate) fn octet(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn long(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn long_long(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn short_text(&mut self) -> Option<String> {
        let length = self.octet()?;
        self.take(length.into()).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// A text as a field's value.
pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.as_bytes().to_vec().into())
}

#[cfg(test)]
mod tests {
    use amq_protocol_types::parsing::parse_field_table;

    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let frame = Frame::method(3, (50, 10), Fields::default().short(0).short_text("jobs").octet(1));
        let bytes = frame.bytes();
        assert_eq!(bytes, b"\x01\0\x03\0\0\0\x0c\0\x32\0\x0a\0\0\x04jobs\x01\xce");
        assert_eq!(Frame::read(&bytes), Read::Whole(frame.clone(), bytes.len()));
        assert_eq!(frame.is(), Some((50, 10)));
        for cut in 0..bytes.len() {
            assert_eq!(Frame::read(&bytes[..cut]), Read::Partial, "{cut}");
        }
        let more = [bytes.clone(), b"more".to_vec()].concat();
        assert_eq!(Frame::read(&more), Read::Whole(frame, bytes.len()));
    }

    #[test]
    fn what_is_no_frame_is_foreign() {
        for foreign in [&b"HTTP/1.1 400 Bad Request"[..], b"-ERR unknown command", b"AMQP\0\0\x09\x01"] {
            assert_eq!(Frame::read(foreign), Read::Foreign);
        }
        // No end where the end must be, and a size that nobody has.
        assert_eq!(Frame::read(b"\x01\0\0\0\0\0\x01a?"), Read::Foreign);
        assert_eq!(Frame::read(b"\x01\0\0\xff\xff\xff\xff"), Read::Foreign);
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut inner = FieldTable::default();
        inner.insert("b".into(), AMQPValue::Boolean(true));
        let mut table = FieldTable::default();
        table.insert("a".into(), AMQPValue::FieldTable(inner));
        table.insert("c".into(), text("d"));
        let fields = Fields::default().table(&table).short(7);
        let (rest, read) = parse_field_table(&fields.0[..]).unwrap();
        assert_eq!(read, table);
        let mut rest = Arguments(rest);
        assert_eq!((rest.short(), rest.short()), (Some(7), None));
    }
}
