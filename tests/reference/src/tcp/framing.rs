//! Where a request begins and ends.

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// A line, which ends with LF.
    #[default]
    Line,
    /// No borders: every byte that comes goes back.
    Echo,
    /// Four bytes of length, most significant first, and the body.
    Len32,
}

/// The longest body that a frame may announce.
const LONGEST: usize = 4 << 20;

impl Framing {
    /// Takes the next whole message out of what has come; none where it is not whole yet.
    pub(super) fn take(self, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Line => {
                let end = buffer.iter().position(|byte| *byte == b'\n')?;
                let mut line: Vec<u8> = buffer.drain(..=end).collect();
                line.pop();
                Some(line)
            }
            Self::Echo => (!buffer.is_empty()).then(|| std::mem::take(buffer)),
            Self::Len32 => {
                let length = Self::announced(buffer)?;
                (buffer.len() >= 4 + length).then(|| buffer.drain(..4 + length).skip(4).collect())
            }
        }
    }

    /// Whether what has come can be no request at all.
    pub(super) fn is_nonsense(self, buffer: &[u8]) -> bool {
        match self {
            Self::Line => buffer.len() > LONGEST,
            Self::Echo => false,
            Self::Len32 => Self::announced(buffer).is_some_and(|length| length > LONGEST),
        }
    }

    /// The reply that carries a body.
    pub(super) fn frame(self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Line => [body, b"\n"].concat(),
            Self::Echo => body.to_vec(),
            Self::Len32 => {
                let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
                [&length.to_be_bytes(), body].concat()
            }
        }
    }

    /// What there is of the body of a message that is not whole.
    pub(super) fn partial(self, buffer: &[u8]) -> &[u8] {
        match self {
            Self::Line | Self::Echo => buffer,
            Self::Len32 => buffer.get(4..).unwrap_or_default(),
        }
    }

    fn announced(buffer: &[u8]) -> Option<usize> {
        let length = buffer.first_chunk::<4>()?;
        usize::try_from(u32::from_be_bytes(*length)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_whole_and_the_rest_is_kept() {
        let mut buffer = b"one\ntwo\nth".to_vec();
        assert_eq!(Framing::Line.take(&mut buffer), Some(b"one".to_vec()));
        assert_eq!(Framing::Line.take(&mut buffer), Some(b"two".to_vec()));
        assert_eq!((Framing::Line.take(&mut buffer), &buffer[..]), (None, &b"th"[..]));
        let mut buffer = Framing::Len32.frame(b"abc");
        buffer.extend(b"\0\0\0\x05x");
        assert_eq!(Framing::Len32.take(&mut buffer), Some(b"abc".to_vec()));
        assert_eq!((Framing::Len32.take(&mut buffer), Framing::Len32.partial(&buffer)), (None, &b"x"[..]));
    }
}
