//! The body of an answer on its way out.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// Bytes that are there already; hyper writes `Content-Length` when their number is told, chunks when it is not.
#[derive(Debug)]
pub(super) struct Body {
    pieces: VecDeque<Bytes>,
    length_is_told: bool,
}

impl Body {
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        let pieces = if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([Bytes::from(bytes)]) };
        Self { pieces, length_is_told: true }
    }

    /// In pieces of at most 16 bytes, so that a reader meets more than one chunk.
    pub(super) fn chunked(bytes: Vec<u8>) -> Self {
        const PIECE: usize = 16;
        let bytes = Bytes::from(bytes);
        let pieces = (0..bytes.len())
            .step_by(PIECE)
            .map(|start| bytes.slice(start..bytes.len().min(start + PIECE)))
            .collect();
        Self { pieces, length_is_told: false }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.length_is_told {
            SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}
